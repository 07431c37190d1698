"""The NAT rules of a configuration, compiled: which rule a flow meets, and what a destination
becomes.

The most specific rule set decides: of source rule sets, the one with the more specific ``to`` comes
first, then the one with the more specific ``from``; interface before zone before routing instance
(Junos, "Source NAT rules", and likewise for the others). Rule sets of the same kinds are one list.
A few rules are walked; more are compiled like policies (``ruleset``), so that the cost of a search
hardly grows with their number.

Static NAT comes before destination NAT, and its reverse before source NAT, as in Junos.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Generic, NamedTuple, TypeVar
from zlib import crc32

from controller.config.nat import (
    ALL_PORTS,
    ANYWHERE,
    AddressBlock,
    DestinationNatRule,
    DestinationPool,
    NatRule,
    Scope,
    ScopeKind,
    SourceNatRule,
    StaticNatRule,
)
from controller.config.schema import Addresses, AddressRange, Application, Configuration, Interface
from controller.flow import Address, AnyFlow
from controller.packet import TCP, UDP
from controller.spu.nptv6 import exchange
from controller.spu.ruleset import Ruleset

R = TypeVar("R", bound=NatRule)

FEW = 4
"""Rules that are walked."""

_PORT_PROTOCOLS = (TCP, UDP)

_Prefixes = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]] | None
"""Prefixes as (shift, value), IPv4 and IPv6 apart; ``None``: any address."""


class Destination(NamedTuple):
    """What static or destination NAT makes of a destination."""

    address: Address
    port: int
    rule: StaticNatRule | DestinationNatRule


class Source(NamedTuple):
    """What static NAT makes of a source."""

    address: Address
    port: int
    rule: StaticNatRule


class _Rules(Generic[R]):
    """Rules in order, all of them for the same place."""

    def __init__(self, rules: Sequence[R]) -> None:
        self._ruleset: Ruleset[R] | None = None
        self._walked: list[tuple[_Prefixes, _Prefixes, tuple[Application, ...], R]] = []
        plain = all(_is_plain(rule.sources) and _is_plain(rule.destinations) for rule in rules)
        if len(rules) > FEW or not plain:
            self._ruleset = Ruleset(rules)
        else:
            self._walked = [
                (_prefixes(rule.sources), _prefixes(rule.destinations), rule.applications, rule)
                for rule in rules
            ]

    def find(self, flow: AnyFlow) -> R | None:
        """The first that matches."""
        if self._ruleset is not None:
            match = self._ruleset.first(flow)
            return None if match is None else match.policy
        family = 0 if len(flow.src) == 4 else 1
        for sources, destinations, applications, rule in self._walked:
            if (
                (sources is None or _within(sources[family], flow.src))
                and (destinations is None or _within(destinations[family], flow.dst))
                and (not applications or _is_one_of(applications, flow))
            ):
                return rule
        return None


class _Places(Generic[R]):
    """Rules by where they hold; the lists of pairs of interfaces are made as they are met."""

    def __init__(self, rules: Iterable[R]) -> None:
        self._by_scope: dict[tuple[ScopeKind, ScopeKind], list[R]] = {}
        for rule in rules:
            self._by_scope.setdefault((rule.target.kind, rule.origin.kind), []).append(rule)
        self._of: dict[tuple[str, str], _Rules[R] | None] = {}

    def at(self, ingress: Interface, egress: Interface) -> _Rules[R] | None:
        """The rules for flows from one interface to another."""
        key = ingress.name, egress.name
        try:
            return self._of[key]
        except KeyError:
            rules = self._of[key] = self._make(ingress, egress)
            return rules

    def _make(self, ingress: Interface, egress: Interface) -> _Rules[R] | None:
        for kinds in sorted(self._by_scope):
            found = [
                rule
                for rule in self._by_scope[kinds]
                if rule.origin.holds(ingress) and rule.target.holds(egress)
            ]
            if found:
                return _Rules(found)
        return None


class NatTables:
    """All NAT rules of a configuration."""

    def __init__(self, config: Configuration) -> None:
        nat = config.nat
        self.has_destinations = bool(nat.static or nat.destination)
        self.has_static = bool(nat.static)
        self.source_pools = nat.source_pools
        self._by_id: dict[int, NatRule] = {
            rule.id: rule for rules in (nat.source, nat.destination, nat.static) for rule in rules
        }
        self._source = _Places(nat.source)
        self._destination = _Places(nat.destination)
        self._static = {rule.id: rule for rule in nat.static}
        # Forward, a static rule matches its outside; backward its inside, ``from`` is where the
        # flow goes to, and it comes from the hosts' routing instance.
        self._inward = _Places([_inward(rule) for rule in nat.static])
        self._outward = _Places([_outward(rule) for rule in nat.static])

    def stands(self, rule: NatRule) -> bool:
        """Whether a rule of another configuration is in this one too, unchanged."""
        return self._by_id.get(rule.id) == rule

    def source(self, ingress: Interface, egress: Interface, flow: AnyFlow) -> SourceNatRule | None:
        """The source NAT rule that decides on a flow whose destination is translated."""
        rules = self._source.at(ingress, egress)
        return None if rules is None else rules.find(flow)

    def destination(self, ingress: Interface, flow: AnyFlow) -> Destination | None:
        """What becomes of a flow's destination; ``None``: it stays."""
        rules = self._inward.at(ingress, ingress)
        found = None if rules is None else rules.find(flow)
        if found is not None:
            static = self._static[found.id]
            moved = _moved(static, flow.dst, static.outside, static.inside)
            if moved is None:
                return None
            port = _mapped(flow, flow.dport, static.outside_ports, static.inside_ports)
            return Destination(moved, port, static)
        places = self._destination.at(ingress, ingress)
        rule = None if places is None else places.find(flow)
        if rule is None or rule.pool is None:
            return None
        port = flow.dport
        if rule.pool.port and flow.protocol in _PORT_PROTOCOLS:
            port = rule.pool.port
        return Destination(_of_pool(flow, rule, rule.pool), port, rule)

    def static_source(self, ingress: Interface, egress: Interface, flow: AnyFlow) -> Source | None:
        """What static NAT makes of the source of a flow from one interface to another."""
        rules = self._outward.at(ingress, egress)
        found = None if rules is None else rules.find(flow)
        if found is None:
            return None
        static = self._static[found.id]
        moved = _moved(static, flow.src, static.inside, static.outside)
        if moved is None:
            return None
        port = _mapped(flow, flow.sport, static.inside_ports, static.outside_ports)
        return Source(moved, port, static)


def _moved(
    rule: StaticNatRule, address: Address, block: AddressBlock, other: AddressBlock
) -> Address | None:
    if rule.is_prefix:
        return exchange(address, block, other)
    return other.at(int.from_bytes(address, "big") - block.first)


def _mapped(flow: AnyFlow, port: int, ports: range, others: range) -> int:
    if len(ports) == 65536 or flow.protocol not in _PORT_PROTOCOLS:
        return port
    return others[port - ports.start]


def _of_pool(flow: AnyFlow, rule: DestinationNatRule, pool: DestinationPool) -> Address:
    """One for one where the rule matches as many addresses as the pool has; else the same address
    of the pool for the same client always."""
    block = pool.block
    if block.count == 1:
        return block.at(0)
    if len(rule.destinations) == 1:
        matched = rule.destinations[0]
        if isinstance(matched, IPv4Network | IPv6Network) and matched.num_addresses == block.count:
            return block.at(int.from_bytes(flow.dst, "big") - int(matched.network_address))
    return block.at(crc32(flow.src) % block.count)


# -- static rules as plain ones -------------------------------------------------------------------


def _inward(rule: StaticNatRule) -> NatRule:
    return NatRule(
        rule.rule_set, rule.name, rule.origin, rule.target, rule.sources, (_range(rule.outside),),
        _services(rule, ALL_PORTS, rule.outside_ports), rule.id,
    )  # fmt: skip


def _outward(rule: StaticNatRule) -> NatRule:
    hosts = ANYWHERE if rule.instance is None else Scope(ScopeKind.INSTANCE, (rule.instance,))
    return NatRule(
        rule.rule_set, rule.name, hosts, rule.origin, (_range(rule.inside),), rule.sources,
        _services(rule, rule.inside_ports, ALL_PORTS), rule.id,
    )  # fmt: skip


def _services(rule: StaticNatRule, sources: range, destinations: range) -> tuple[Application, ...]:
    if not rule.has_ports:
        return ()
    return tuple(Application(rule.name, p, sources, destinations) for p in _PORT_PROTOCOLS)


def _range(block: AddressBlock) -> Addresses:
    kind = IPv4Address if block.size == 4 else IPv6Address
    return AddressRange(kind(block.first), kind(block.last))


# -- a few rules ----------------------------------------------------------------------------------


def _is_plain(addresses: Iterable[Addresses]) -> bool:
    return all(isinstance(address, IPv4Network | IPv6Network) for address in addresses)


def _prefixes(addresses: Iterable[Addresses]) -> _Prefixes:
    by_family: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for network in addresses:
        assert isinstance(network, IPv4Network | IPv6Network)
        shift = network.max_prefixlen - network.prefixlen
        family = by_family[0 if network.version == 4 else 1]
        family.append((shift, int(network.network_address) >> shift))
    if not by_family[0] and not by_family[1]:
        return None
    return tuple(by_family[0]), tuple(by_family[1])


def _within(prefixes: tuple[tuple[int, int], ...], address: Address) -> bool:
    value = int.from_bytes(address, "big")
    for shift, prefix in prefixes:  # noqa: SIM110 - a loop is twice as fast as any()
        if value >> shift == prefix:
            return True
    return False


def _is_one_of(applications: tuple[Application, ...], flow: AnyFlow) -> bool:
    return any(
        application.protocol in (flow.protocol, -1)
        and flow.dport in application.destination_ports
        and flow.sport in application.source_ports
        for application in applications
    )


_latest: list[tuple[Configuration, NatTables]] = []


def nat_tables(config: Configuration) -> NatTables:
    """The NAT rules of a configuration, compiled; the SPUs of one process share them."""
    if not _latest or _latest[0][0] is not config:
        _latest[:] = [(config, NatTables(config))]
    return _latest[0][1]
