"""An ordered list of policies as bit maps: the first match at a cost that hardly grows with it.

Each dimension of a rule (source, destination, destination port by protocol) is a set of numbers.
The ends of all rules' sets cut the number line into pieces, and each piece has a bit map: bit *n*
says that rule *n* takes it. A search is a bisection per dimension, the bit-wise AND of what it
found, and the lowest bit of that (Lakshman and Stiliadis, "High-speed policy-based packet
forwarding using efficient multi-dimensional range matching", SIGCOMM 1998). What the bit maps do
not say, such as source ports, is checked on the rules that are left, in order: hardly ever more
than one. Bit maps are Python integers; lists longer than ``BLOCK`` are cut, so that memory
stays in proportion to the number of rules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address
from typing import Generic, NamedTuple, Protocol, TypeVar

from controller.config.schema import Addresses, AddressRange, Application, Wildcard
from controller.flow import AnyFlow

BLOCK = 16384
"""Rules whose bit maps are made together."""

_Spans = list[tuple[int, int]]
"""Ranges of numbers, both ends included."""


class Rule(Protocol):
    """What is asked of a rule: a policy is one, and so is a NAT rule. Empty tuples mean any."""

    @property
    def sources(self) -> tuple[Addresses, ...]: ...
    @property
    def destinations(self) -> tuple[Addresses, ...]: ...
    @property
    def applications(self) -> tuple[Application, ...]: ...
    @property
    def sources_excluded(self) -> bool: ...
    @property
    def destinations_excluded(self) -> bool: ...


R = TypeVar("R", bound=Rule)


class Match(NamedTuple, Generic[R]):
    """A rule that takes a flow."""

    policy: R
    application: Application | None
    """Of the rule's, the first that matches; ``None`` if the rule takes any."""


class _Pieces:
    """A number line in pieces, each with the bit map of the rules that take it."""

    __slots__ = ("_maps", "_starts")

    def __init__(self, spans_of: Iterable[tuple[int, _Spans]], always: int, flipped: int) -> None:
        """``spans_of`` gives rules by number and their ranges. Rules in ``always`` take every
        number; those in ``flipped`` all but their ranges."""
        toggles: dict[int, int] = {0: 0}
        for rule, spans in spans_of:
            bit = 1 << rule
            for first, last in _disjoint(spans):
                toggles[first] = toggles.get(first, 0) ^ bit
                toggles[last + 1] = toggles.get(last + 1, 0) ^ bit
        self._starts: list[int] = []
        self._maps: list[int] = []
        known: dict[int, int] = {}
        now = always ^ flipped
        for start in sorted(toggles):
            now ^= toggles[start]
            if not self._maps or self._maps[-1] != now:
                # Equal bit maps are one object: gaps between addresses are all alike.
                self._starts.append(start)
                self._maps.append(known.setdefault(now, now))

    def find(self, value: int) -> int:
        return self._maps[bisect_right(self._starts, value) - 1]


class _AddressSide:
    """Sources or destinations of all rules of a block."""

    __slots__ = ("_families", "_flipped", "_wildcards")

    def __init__(self, rules: Sequence[tuple[tuple[Addresses, ...], bool]]) -> None:
        """``rules`` are addresses (none: any) and whether all but these are meant."""
        always = flipped = 0
        spans: tuple[list[tuple[int, _Spans]], list[tuple[int, _Spans]]] = ([], [])
        self._wildcards: dict[int, dict[int, int]] = {}
        """By mask: bit maps by address under the mask."""
        for number, (addresses, excluded) in enumerate(rules):
            if not addresses:
                always |= 1 << number
            if excluded:
                flipped |= 1 << number
            for family, width in ((0, 32), (1, 128)):
                spans[family].append((number, list(number_spans(addresses, width))))
            for address in addresses:
                if isinstance(address, Wildcard):
                    maps = self._wildcards.setdefault(address.mask, {})
                    maps[address.address] = maps.get(address.address, 0) | 1 << number
        # With wildcards the flip has to wait until they are found.
        self._flipped = flipped if self._wildcards else 0
        self._families = tuple(_Pieces(s, always, flipped ^ self._flipped) for s in spans)

    def find(self, family: int, value: int) -> int:
        found = self._families[family].find(value)
        if self._wildcards:
            if family == 0:
                for mask, maps in self._wildcards.items():
                    found |= maps.get(value & mask, 0)
            found ^= self._flipped
        return found


class _Services:
    """Protocols and destination ports of all rules of a block."""

    __slots__ = ("_by_protocol", "_other")

    def __init__(self, rules: Sequence[Rule]) -> None:
        any_application = 0
        by_protocol: dict[int, list[tuple[int, _Spans]]] = {}
        for number, policy in enumerate(rules):
            if not policy.applications:
                any_application |= 1 << number
            for app in policy.applications:
                span = app.destination_ports.start, app.destination_ports.stop - 1
                by_protocol.setdefault(app.protocol, []).append((number, [span]))
        of_any = by_protocol.pop(-1, [])
        self._other = _Pieces(_joined(of_any), any_application, 0)
        self._by_protocol = {
            protocol: _Pieces(_joined(spans + of_any), any_application, 0)
            for protocol, spans in by_protocol.items()
        }

    def find(self, protocol: int, port: int) -> int:
        return self._by_protocol.get(protocol, self._other).find(port)


class _Block(Generic[R]):
    __slots__ = ("_destinations", "_policies", "_services", "_sources")

    def __init__(self, policies: Sequence[R]) -> None:
        self._policies = policies
        self._sources = _AddressSide([(p.sources, p.sources_excluded) for p in policies])
        self._destinations = _AddressSide(
            [(p.destinations, p.destinations_excluded) for p in policies]
        )
        self._services = _Services(policies)

    def candidates(self, family: int, src: int, dst: int, flow: AnyFlow) -> int:
        """A bit map of the rules that take a flow as far as bit maps say."""
        return (
            self._services.find(flow.protocol, flow.dport)
            & self._sources.find(family, src)
            & self._destinations.find(family, dst)
        )

    def next(self, left: int, flow: AnyFlow) -> tuple[Match[R] | None, int]:
        """Of the candidates that are left the first that takes a flow, and those behind it."""
        while left:
            lowest = left & -left
            left ^= lowest
            policy = self._policies[lowest.bit_length() - 1]
            if not policy.applications:
                return Match(policy, None), left
            application = _application(policy.applications, flow)
            if application is not None:
                return Match(policy, application), left
        return None, 0


class Ruleset(Generic[R]):
    """Rules in order, all of them for the same zones."""

    def __init__(self, policies: Sequence[R]) -> None:
        starts = range(0, len(policies), BLOCK)
        self._blocks = [_Block(policies[start : start + BLOCK]) for start in starts]

    def matches(self, flow: AnyFlow) -> Iterator[Match[R]]:
        """The policies that take a flow, in order; a packet goes by the first."""
        numbers = _numbers(flow)
        for block in self._blocks:
            left = block.candidates(*numbers, flow)
            while left:
                match, left = block.next(left, flow)
                if match is not None:
                    yield match

    def first(self, flow: AnyFlow) -> Match[R] | None:
        """The policy that decides on a flow."""
        numbers = _numbers(flow)
        for block in self._blocks:
            match, _ = block.next(block.candidates(*numbers, flow), flow)
            if match is not None:
                return match
        return None


def _numbers(flow: AnyFlow) -> tuple[int, int, int]:
    """Address family (0: IPv4), source and destination as bit maps have them."""
    src = flow.src
    family = 0 if len(src) == 4 else 1
    return family, int.from_bytes(src, "big"), int.from_bytes(flow.dst, "big")


def _application(applications: tuple[Application, ...], flow: AnyFlow) -> Application | None:
    for application in applications:
        if (
            application.protocol in (flow.protocol, -1)
            and flow.dport in application.destination_ports
            and flow.sport in application.source_ports
        ):
            return application
    return None


def number_spans(addresses: Iterable[Addresses], width: int) -> Iterator[tuple[int, int]]:
    """Prefixes and ranges of one family (32 or 128 bits) as numbers, both ends included."""
    version = 4 if width == 32 else 6
    for address in addresses:
        if isinstance(address, Wildcard):
            continue
        if isinstance(address, AddressRange):
            if isinstance(address.first, IPv4Address) == (version == 4):
                yield int(address.first), int(address.last)
        elif address.version == version:
            first = int(address.network_address)
            yield first, first + (1 << width - address.prefixlen) - 1


def _joined(spans_of: Iterable[tuple[int, _Spans]]) -> Iterator[tuple[int, _Spans]]:
    """One entry a rule."""
    by_rule: dict[int, _Spans] = {}
    for rule, spans in spans_of:
        by_rule.setdefault(rule, []).extend(spans)
    return iter(by_rule.items())


def _disjoint(spans: _Spans) -> Iterator[tuple[int, int]]:
    """The same numbers in ranges that do not overlap."""
    start = end = -1
    for first, last in sorted(spans):
        if start >= 0 and first <= end + 1:
            end = max(end, last)
            continue
        if start >= 0:
            yield start, end
        start, end = first, last
    if start >= 0:
        yield start, end
