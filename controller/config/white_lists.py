"""White lists of floods: packets that SYN and UDP flood screens do not count.

    set security screen ids-option NAME tcp syn-flood white-list LIST source-address PREFIX
    set security screen ids-option NAME tcp syn-flood white-list LIST destination-address PREFIX
    set security screen white-list LIST address PREFIX
    set security screen ids-option NAME udp flood white-list LIST

A list of the first kind holds of packets between any of its sources and any of its destinations,
or of any source, or any destination, if it names none; one of the second of what is from, or to,
one of its addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from controller.config.problems import Problems
from controller.config.schema import Network, WhiteListed
from controller.config.tree import Statement, leaf_list, listed
from controller.config.values import NAME, PREFIX
from controller.packet import TCP, UDP

SYN_WHITE_LIST = listed(
    "white-list",
    NAME,
    leaf_list("source-address", PREFIX),
    leaf_list("destination-address", PREFIX),
)
"""Below ``syn-flood``."""

UDP_WHITE_LIST = leaf_list("white-list", NAME)
"""Below ``udp flood``."""

NAMED_WHITE_LIST = listed("white-list", NAME, leaf_list("address", PREFIX))
"""Below ``security screen``."""

MAX_PREFIXES = 32
"""Of one kind in a list (Junos: 32 of sources and of destinations)."""


def white_listed(option: Statement, root: Statement, problems: Problems) -> tuple[WhiteListed, ...]:
    """All lists of an ``ids-option``, resolved."""
    return (*_syn(option, problems), *_udp(option, root, problems))


def _syn(option: Statement, problems: Problems) -> Iterator[WhiteListed]:
    for each in option.each("tcp", "syn-flood", "white-list"):
        sources = _prefixes(each, "source-address", problems)
        destinations = _prefixes(each, "destination-address", problems)
        if not sources and not destinations:
            text = f"white-list {each.key} needs a source-address or a destination-address"
            problems.add(each.place, text, each.key)
            continue
        found = [
            WhiteListed(TCP, source, destination)
            for source in sources or (None,)
            for destination in destinations or (None,)
            if source is None or destination is None or source.version == destination.version
        ]
        if not found:
            text = f"white-list {each.key} has sources of one IP version, destinations of the other"
            problems.add(each.place, text, each.key)
        yield from found


def _udp(option: Statement, root: Statement, problems: Problems) -> Iterator[WhiteListed]:
    known = {each.key: each for each in root.each("security", "screen", "white-list")}
    for word in option.words("udp", "flood", "white-list"):
        if word.text not in known:
            problems.undefined(word.place, "white-list", word.text, known)
            continue
        for prefix in _prefixes(known[word.text], "address", problems):
            yield WhiteListed(UDP, prefix, None)
            yield WhiteListed(UDP, None, prefix)


def _prefixes(each: Statement, word: str, problems: Problems) -> list[Network]:
    words = each.words(word)
    if len(words) > MAX_PREFIXES:
        text = f"more than {MAX_PREFIXES} of {word} in white-list {each.key}"
        problems.add(words[MAX_PREFIXES].place, text)
    return [ip_network(w.text, strict=False) for w in words]
