"""Which of the screens that need one packet only find it, each by its own sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from controller.reasons import Drop
from model.reading import ICMP, ICMPV6, Facts

FIN, SYN, ACK, URG = 1, 2, 16, 32
MOST_OPTIONS = 8


def options(facts: Facts) -> Iterator[tuple[int, bytes] | None]:
    """Kind and data of each option; ``None`` where the list is malformed, and its end."""
    rest = facts.options
    for _ in range(MOST_OPTIONS):
        if not rest or rest[0] == 0:
            return
        if rest[0] == 1:
            rest = rest[1:]
        elif len(rest) < 2 or not 2 <= rest[1] <= len(rest):
            yield None
            return
        else:
            yield rest[0], rest[2 : rest[1]]
            rest = rest[rest[1] :]
    if any(rest):
        yield None


def _has_option(*kinds: int) -> Callable[[Facts], bool]:
    return lambda facts: any(found and found[0] in kinds for found in options(facts))


def _bad_option(facts: Facts) -> bool:
    for found in options(facts):
        if found is None:
            return True
        kind, data = found
        if kind in (7, 131, 137) and (not data or data[0] < 4):
            return True
        if kind == 68 and (len(data) < 2 or data[0] < 5):
            return True
    return False


def _icmp(facts: Facts) -> bool:
    return (facts.version, facts.protocol) in ((4, ICMP), (6, ICMPV6))


def _malformed_icmpv6(facts: Facts) -> bool:
    if facts.version != 6 or not facts.is_icmp:
        return False
    kind, code = facts.frame[facts.upper], facts.frame[facts.upper + 1]
    if kind in (0, 127, 255):
        return True
    if kind in range(133, 138):
        return code != 0 or facts.ttl != 255 or facts.fragment
    most = {1: 8, 2: 0, 3: 1, 4: 10, 128: 0, 129: 0}
    return kind in most and code > most[kind]


def _malformed_chain(facts: Facts) -> bool:
    chain = facts.chain
    once = ("ROUTING", "FRAGMENT", "MOBILITY", "HIP", "SHIM6")
    return (
        "HOP_BY_HOP" in chain[1:]
        or any(chain.count(name) > 1 for name in once)
        or chain.count("DESTINATION") > 2
    )


def _in_chain(name: str) -> Callable[[Facts], bool]:
    return lambda facts: name in facts.chain


def _tcp(test: Callable[[Facts, int], bool]) -> Callable[[Facts], bool]:
    return lambda facts: facts.is_tcp and test(facts, facts.flags)


FINDS: dict[Drop, Callable[[Facts], bool]] = {
    Drop.SCREEN_LAND: _tcp(lambda p, flags: bool(flags & SYN) and p.src == p.dst),
    Drop.SCREEN_SYN_FIN: _tcp(lambda _, flags: flags & (SYN | FIN) == SYN | FIN),
    Drop.SCREEN_TCP_NO_FLAG: _tcp(lambda _, flags: not flags & 63),
    Drop.SCREEN_PING_DEATH: lambda p: _icmp(p) and 8 * p.offset + p.length > 65535,
    Drop.SCREEN_FIN_NO_ACK: _tcp(lambda _, flags: bool(flags & FIN) and not flags & ACK),
    Drop.SCREEN_WINNUKE: _tcp(lambda p, flags: bool(flags & URG) and p.dport == 139),
    Drop.SCREEN_ICMP_FRAGMENT: lambda p: _icmp(p) and p.fragment,
    Drop.SCREEN_ICMP_LARGE: lambda p: _icmp(p) and p.length > 1024,
    Drop.SCREEN_BLOCK_FRAG: lambda p: p.fragment,
    Drop.SCREEN_UNKNOWN_PROTOCOL: lambda p: p.protocol >= 137,
    Drop.SCREEN_SYN_FRAG: _tcp(lambda p, flags: bool(flags & SYN) and p.fragment),
    Drop.SCREEN_ICMPV6_MALFORMED: _malformed_icmpv6,
    Drop.SCREEN_BAD_OPTION: _bad_option,
    Drop.SCREEN_RECORD_ROUTE: _has_option(7),
    Drop.SCREEN_TIMESTAMP: _has_option(68),
    Drop.SCREEN_SECURITY: _has_option(130),
    Drop.SCREEN_STREAM: _has_option(136),
    Drop.SCREEN_LOOSE_SOURCE_ROUTE: _has_option(131),
    Drop.SCREEN_STRICT_SOURCE_ROUTE: _has_option(137),
    Drop.SCREEN_SOURCE_ROUTE: _has_option(131, 137),
    Drop.SCREEN_IPV6_MALFORMED_HEADER: _malformed_chain,
    **{
        drop: _in_chain(drop.name.removeprefix("SCREEN_IPV6_"))
        for drop in Drop
        if drop.name.startswith("SCREEN_IPV6_")
        and not drop.name.endswith(("_LIMIT", "_MALFORMED_HEADER"))
    },
}
"""Screens and what they look for; the limit of extension headers is the profile's."""

DETECT_ONLY = (Drop.SCREEN_LOOSE_SOURCE_ROUTE, Drop.SCREEN_STRICT_SOURCE_ROUTE)


def found(facts: Facts, limit: int) -> set[Drop]:
    """Every screen that finds the packet, on or off."""
    hits = {screen for screen, finds in FINDS.items() if finds(facts)}
    if facts.extensions > limit:
        hits.add(Drop.SCREEN_IPV6_EXTENSION_LIMIT)
    return hits


def verdict(hits: set[Drop], alarm_only: frozenset[Drop]) -> tuple[Drop, set[Drop]]:
    """What drops the packet, ``NONE`` if nothing does, and which of the hits are counted."""
    dropping = sorted(hits - alarm_only - set(DETECT_ONLY))
    if not dropping:
        return Drop.NONE, hits
    return dropping[0], {screen for screen in hits if screen <= dropping[0]}
