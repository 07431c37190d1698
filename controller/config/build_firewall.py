"""Firewall filters and policers out of the tree of statements.

A term's criteria are lists; the NPU's entries are not. So a term becomes every combination of its
lists' members. What a criterion only makes sense for is added: ports are those of TCP and UDP,
TCP flags those of TCP, ICMP types those of ICMP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import product

from controller.config.filter_values import (
    ICMP_TYPES,
    ICMPV6_TYPES,
    amount,
    dscp,
    meaning,
    tcp_flags,
)
from controller.config.problems import Problems
from controller.config.stateless import (
    ALL_PORTS,
    Filter,
    LossPriority,
    Policer,
    Term,
    TermMatch,
)
from controller.config.tree import Statement
from controller.config.values import port_range, protocol_number
from controller.packet import ICMP, ICMPV6, TCP, UDP
from controller.reasons import FilterVerdict, PolicerAction

MAX_MATCHES = 1024
"""Entries that one term may become."""
MAX_COUNTERS = 1023
MAX_POLICERS = 255
_NEVER = 1 << 40
"""A rate in bytes a second that nothing exceeds."""

_Network = IPv4Network | IPv6Network
_Ports = tuple[range, range]


class FirewallBuilder:
    """Builds ``filters``, by (version, name)."""

    def __init__(
        self, root: Statement, problems: Problems, forwarding_classes: Mapping[str, int]
    ) -> None:
        self._root = root
        self._problems = problems
        self._classes = forwarding_classes
        self._policers: dict[str, Policer] = {}
        self._colored: dict[str, Policer] = {}
        self._counters = 0
        self._cells = 0
        self.filters: dict[tuple[int, str], Filter] = {}

    def build(self) -> None:
        """Fill ``filters``."""
        self._build_policers()
        for version, family in ((4, "inet"), (6, "inet6")):
            for statement in self._root.each("firewall", "family", family, "filter"):
                number = len(self.filters) + 1
                counters: dict[str, int] = {}
                terms = [self._term(t, version, counters) for t in statement.each("term")]
                if not terms:
                    text = f"filter {statement.key} needs a term"
                    self._problems.add(statement.place, text, statement.key)
                each = Filter(statement.key, version, number, tuple(terms))
                self.filters[version, statement.key] = each

    # -- policers -----------------------------------------------------------------------------

    def _build_policers(self) -> None:
        for statement in self._root.each("firewall", "policer"):
            rate = statement.text("if-exceeding", "bandwidth-limit")
            burst = statement.text("if-exceeding", "burst-size-limit")
            loss = statement.text("then", "loss-priority")
            discard = statement.has("then", "discard")
            if rate is None or burst is None:
                text = (
                    f"policer {statement.key} needs an 'if-exceeding bandwidth-limit' and an "
                    "'if-exceeding burst-size-limit'"
                )
                self._problems.add(statement.place, text, statement.key)
                continue
            if (loss is None) is not discard:
                text = f"policer {statement.key} needs either a 'then discard' or a 'then "
                text += "loss-priority'"
                self._problems.add(statement.place, text, statement.key)
            # Above a rate that nothing exceeds, nothing is red: what exceeds the first is yellow.
            peak = amount(rate) // 8 if loss != LossPriority.MEDIUM_HIGH.word else _NEVER
            action = PolicerAction.DISCARD if loss is None else PolicerAction.MARK
            self._policers[statement.key] = Policer(
                statement.key, amount(rate) // 8, amount(burst), peak, amount(burst), action
            )
        for statement in self._root.each("firewall", "three-color-policer"):
            words = (
                "committed-information-rate", "committed-burst-size", "peak-information-rate",
                "peak-burst-size",
            )  # fmt: skip
            texts = [statement.text("two-rate", word) for word in words]
            missing = [word for word, text in zip(words, texts, strict=True) if text is None]
            if missing:
                text = f"three-color-policer {statement.key} needs a 'two-rate {missing[0]}'"
                self._problems.add(statement.place, text, statement.key)
                continue
            cir, cburst, pir, pburst = (amount(text or "") for text in texts)
            if pir < cir:
                text = f"three-color-policer {statement.key}: the peak rate is below the committed"
                self._problems.add(statement.place, text)
            drops = statement.has("action", "loss-priority", "high", "then", "discard")
            action = PolicerAction.DISCARD if drops else PolicerAction.MARK
            self._colored[statement.key] = Policer(
                statement.key, cir // 8, cburst, pir // 8, pburst, action
            )

    def _policer(self, term: Statement) -> Policer | None:
        plain = term.words("then", "policer")
        colored = term.words("then", "three-color-policer", "two-rate")
        if plain and colored:
            text = f"term {term.key} has both a policer and a three-color-policer"
            self._problems.add(term.place, text)
        for words, known, what in (
            (plain, self._policers, "policer"),
            (colored, self._colored, "three-color-policer"),
        ):
            if words:
                if words[0].text not in known:
                    self._problems.undefined(words[0].place, what, words[0].text, known)
                return known.get(words[0].text)
        return None

    # -- terms --------------------------------------------------------------------------------

    def _term(self, term: Statement, version: int, counters: dict[str, int]) -> Term:
        verdicts = [v for v in FilterVerdict if term.has("then", v.name.lower())]
        if len(verdicts) > 1:
            words = " and ".join(f"'{verdict.name.lower()}'" for verdict in verdicts)
            self._problems.add(term.place, f"term {term.key} says {words}")
        counter = term.text("then", "count") or ""
        if counter and counter not in counters:
            self._counters += 1
            counters[counter] = self._counters
            if self._counters > MAX_COUNTERS:
                self._problems.add(term.place, f"more than {MAX_COUNTERS} counters")
        policer = self._policer(term)
        self._cells += policer is not None
        if self._cells > MAX_POLICERS:
            self._problems.add(term.place, f"more than {MAX_POLICERS} terms with policers")
        loss = term.text("then", "loss-priority")
        return Term(
            name=term.key,
            matches=tuple(self._matches(term, version)),
            # A term that only counts or marks accepts, as in Junos.
            verdict=verdicts[0] if verdicts else FilterVerdict.ACCEPT,
            counter=counter,
            count=counters.get(counter, 0),
            policer=policer,
            policer_cell=self._cells if policer is not None else 0,
            forwarding_class=self._class(term),
            loss_priority=None if loss is None else LossPriority[loss.upper().replace("-", "_")],
            log=term.has("then", "log"),
        )

    def _class(self, term: Statement) -> int | None:
        words = term.words("then", "forwarding-class")
        if words and words[0].text not in self._classes:
            self._problems.undefined(
                words[0].place, "forwarding-class", words[0].text, self._classes
            )
        return self._classes.get(words[0].text) if words else None

    def _matches(self, term: Statement, version: int) -> Iterator[TermMatch]:
        addresses, ports = _addresses(term), _ports(term)
        rest = list(
            product(
                _protocols(term, version),
                _flags(term),
                _fragments(term),
                _code_points(term, version),
                _icmp(term, version),
            )
        )
        count = len(addresses) * len(ports) * len(rest)
        if count > MAX_MATCHES:
            text = f"term {term.key} has {count} combinations; at most {MAX_MATCHES} fit"
            self._problems.add(term.place, text + ": make two terms of it")
            return
        for (source, destination), (sources, destinations), others in product(
            addresses, ports, rest
        ):
            protocol, flags, fragment, code, icmp = others
            yield TermMatch(
                source, destination, protocol, sources, destinations, flags, fragment, code, icmp
            )


def _networks(term: Statement, word: str) -> list[_Network | None]:
    found = [ip_network(w.text, strict=False) for w in term.words("from", word)]
    if not found:
        return [None]
    # Of one family: the grammar has seen to it.
    return list(collapse_addresses(found))  # type: ignore[type-var]


def _addresses(
    term: Statement,
) -> list[tuple[_Network | None, _Network | None]]:
    """Pairs of source and destination. ``address`` is either of them."""
    both = list(product(_networks(term, "source-address"), _networks(term, "destination-address")))
    either = [network for network in _networks(term, "address") if network is not None]
    if not either:
        return both
    found: list[tuple[_Network | None, _Network | None]] = []
    for source, destination in both:
        for network in either:
            found.extend((narrow, destination) for narrow in _narrower(source, network))
            found.extend((source, narrow) for narrow in _narrower(destination, network))
    return found


def _narrower(one: _Network | None, other: _Network) -> list[_Network]:
    """What is in both networks."""
    if one is None:
        return [other]
    if not one.overlaps(other):
        return []
    return [one if one.prefixlen >= other.prefixlen else other]


def _protocols(term: Statement, version: int) -> list[int | None]:
    words = term.words("from", "protocol" if version == 4 else "next-header")
    if words:
        return [protocol_number(word.text) for word in words]
    icmp = ICMP if version == 4 else ICMPV6
    if any(term.has("from", word) for word in ("tcp-flags", "tcp-established", "tcp-initial")):
        return [TCP]
    if any(term.has("from", word) for word in ("port", "source-port", "destination-port")):
        return [TCP, UDP]
    if any(term.has("from", word) for word in ("icmp-type", "icmp-code")):
        return [icmp]
    return [None]


def _ports(term: Statement) -> list[_Ports]:
    """Pairs of source and destination ports. ``port`` is either of them."""
    sources, destinations, either = (
        [port_range(word.text) for word in term.words("from", name)]
        for name in ("source-port", "destination-port", "port")
    )
    both = list(product(sources or [ALL_PORTS], destinations or [ALL_PORTS]))
    if not either:
        return both
    found = []
    for source, destination in both:
        for ports in either:
            found.append((_within(source, ports), destination))
            found.append((source, _within(destination, ports)))
    return [pair for pair in found if all(pair)]


def _within(one: range, other: range) -> range:
    return range(max(one.start, other.start), min(one.stop, other.stop))


def _flags(term: Statement) -> list[tuple[int, int]]:
    text = term.text("from", "tcp-flags")
    found = list(tcp_flags(text)) if text is not None else []
    if term.has("from", "tcp-established"):
        found += tcp_flags("ack | rst")
    if term.has("from", "tcp-initial"):
        found += tcp_flags("syn & !ack")
    return found or [(0, 0)]


def _fragments(term: Statement) -> list[int | None]:
    found: list[int | None] = [1] if term.has("from", "first-fragment") else []
    if term.has("from", "is-fragment"):
        found.append(2)
    return found or [None]


def _code_points(term: Statement, version: int) -> list[int | None]:
    words = term.words("from", "dscp" if version == 4 else "traffic-class")
    return [dscp(word.text) for word in words] or [None]


def _icmp(term: Statement, version: int) -> list[tuple[int, int]]:
    known = ICMP_TYPES if version == 4 else ICMPV6_TYPES
    types = [
        (meaning(word.text, known, 255) << 8, 0xFF00) for word in term.words("from", "icmp-type")
    ]
    codes = [(int(word.text), 0xFF) for word in term.words("from", "icmp-code")]
    return [
        (type_ | code, mask | code_mask)
        for (type_, mask), (code, code_mask) in product(types or [(0, 0)], codes or [(0, 0)])
    ]
