"""``show security nat source``, ``destination`` and ``static``: pools, rules, summaries.

Layouts as Junos prints them, from published outputs; fields for what is not implemented here (twin
ports, port blocks) are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeVar

from controller.central_point.nat_arbiter import PoolView
from controller.config.nat import (
    ALL_PORTS,
    AddressBlock,
    DestinationNatRule,
    DestinationPool,
    NatRule,
    PortUse,
    Scope,
    SourceNat,
    SourceNatRule,
    SourcePool,
    StaticNatRule,
)
from controller.config.problems import unknown
from controller.config.schema import Addresses, AddressRange, Wildcard
from controller.flow import Nanoseconds
from controller.flow import text as address_text
from controller.operate import text
from controller.operate.commands import CommandError, Options
from controller.operate.operator import Operator

ALL = "all"

T = TypeVar("T")
R = TypeVar("R", bound=NatRule)


@dataclass(slots=True)
class Counts:
    """Of a rule, over all SPUs."""

    hits: int = 0
    successful: int = 0
    failed: int = 0
    sessions: int = 0


def rule_counts(operator: Operator) -> dict[int, Counts]:
    """By rule id."""
    found: dict[int, Counts] = {}
    for spu in operator.runtime.spus.values():
        for rule_id, counts in spu.nat_counts().items():
            sums = found.setdefault(rule_id, Counts())
            sums.hits += counts.hits
            sums.successful += counts.successful
            sums.failed += counts.failed
            sums.sessions += counts.sessions
    return found


# -- source ---------------------------------------------------------------------------------------


async def source(operator: Operator, options: Options) -> str:
    """``show security nat source summary | pool NAME | rule NAME``; ``all`` for every one."""
    _one_of(options)
    nat = operator.runtime.configuration.nat
    if "pool" in options:
        pools = _named("source pool", options["pool"], nat.source_pools)
        views = [operator.runtime.central_point.nat.pool(pool.name) for pool in pools]
        blocks = [_source_pool(view) for view in views if view is not None]
        return _joined([f"Total pools: {len(nat.source_pools)}", *blocks])
    if "rule" in options:
        rules = _chosen("source NAT rule", options["rule"], nat.source)
        counts = rule_counts(operator)
        blocks = [_source_rule(rule, nat.source.index(rule) + 1, counts) for rule in rules]
        return _joined([*_totals(nat.source), *blocks])
    return _source_summary(operator)


def _source_summary(operator: Operator) -> str:
    nat = operator.runtime.configuration.nat
    translating = [p for p in nat.source_pools.values() if p.port_use is PortUse.TRANSLATE]
    views = [operator.runtime.central_point.nat.pool(pool.name) for pool in translating]
    lines = [
        "Total port number usage for port translation pool: "
        f"{sum(view.used for view in views if view is not None)}",
        "Maximum port number for port translation pool: "
        f"{sum(p.addresses * len(p.ports) * p.overloading for p in translating)}",
        f"Total pools: {len(nat.source_pools)}",
        f"{'Pool':<20} {'Address':<40} {'Routing':<12} {'PAT':<5} {'Total'}",
        f"{'Name':<20} {'Range':<40} {'Instance':<12} {'':<5} {'Address'}",
    ]
    for pool in nat.source_pools.values():
        for block in pool.blocks:
            pat = "yes" if pool.port_use is PortUse.TRANSLATE else "no"
            lines.append(
                f"{pool.name:<20} {_range(block):<40} {pool.instance or 'default':<12} {pat:<5} "
                f"{pool.addresses}"
            )
    lines += [
        "",
        f"Total rules: {len(nat.source)}",
        f"{'Rule name':<20} {'Rule set':<16} {'From':<24} {'To':<24} Action",
    ]
    for rule in nat.source:
        action = rule.pool if rule.action is SourceNat.POOL else rule.action.value
        lines.append(
            f"{rule.name:<20} {rule.rule_set:<16} {rule.origin!s:<24} {rule.target!s:<24} {action}"
        )
    return "\n".join(lines) + "\n"


def _source_pool(view: PoolView) -> str:
    pool = view.config
    translates = pool.port_use is PortUse.TRANSLATE
    ports = f"[{pool.ports.start}, {pool.ports.stop - 1}]" if translates else "no translation"
    base = "0.0.0.0" if pool.host_base is None else address_text(pool.host_base)
    lines = [
        f"Pool name          : {pool.name}",
        f"Pool id            : {pool.id}",
        f"Routing instance   : {pool.instance or 'default'}",
        f"Host address base  : {base}",
        f"Port               : {ports}",
        f"Port overloading   : {pool.overloading}",
        f"Address assignment : {'paired' if pool.is_paired else 'no-paired'}",
        f"Overflow pool      : {pool.overflow or '-'}",
        f"Alarm thresholds   : {_thresholds(pool, view)}",
        f"Total addresses    : {pool.addresses}",
        f"Addresses in use   : {view.addresses_used}",
        f"Hosts with address : {view.pairs}",
        f"Translation hits   : {view.grants}",
        f"Failed allocations : {view.refusals}",
        f"Utilization        : {view.utilization}%",
        "Address range",
    ]
    lines += [f"   {block}" for block in pool.blocks]
    lines.append(f"Total used ports   : {view.used if translates else 0}")
    return "\n".join(lines) + "\n"


def _thresholds(pool: SourcePool, view: PoolView) -> str:
    if not pool.raise_threshold:
        return "-"
    now = "raised" if view.is_alarmed else "clear"
    return f"raise {pool.raise_threshold}%, clear {pool.clear_threshold}%; {now}"


def _source_rule(rule: SourceNatRule, position: int, counts: dict[int, Counts]) -> str:
    kept = rule.persistence
    lines = [
        f"source NAT rule: {rule.name:<24} Rule-set: {rule.rule_set}",
        *_where(rule, position),
        *_scope("To", rule.target),
        *_matches(rule),
        f"  Action                     : "
        f"{rule.pool if rule.action is SourceNat.POOL else rule.action.value}",
        f"    Persistent NAT type      : {'N/A' if kept is None else kept.reach.value}",
        "    Persistent NAT mapping type : address-port-mapping",
        f"    Inactivity timeout       : {0 if kept is None else text.seconds(kept.timeout)}",
        f"    Max session number       : {0 if kept is None else kept.max_sessions}",
        *_counted(rule, counts),
    ]
    return "\n".join(lines) + "\n"


# -- destination ----------------------------------------------------------------------------------


async def destination(operator: Operator, options: Options) -> str:
    """``show security nat destination summary | pool NAME | rule NAME``."""
    _one_of(options)
    nat = operator.runtime.configuration.nat
    counts = rule_counts(operator)
    hits: dict[str, int] = {}
    for rule in nat.destination:
        if rule.pool is not None and rule.id in counts:
            hits[rule.pool.name] = hits.get(rule.pool.name, 0) + counts[rule.id].hits
    if "pool" in options:
        pools = _named("destination pool", options["pool"], nat.destination_pools)
        blocks = [_destination_pool(pool, hits.get(pool.name, 0)) for pool in pools]
        return _joined([f"Total destination-nat pools: {len(nat.destination_pools)}", *blocks])
    if "rule" in options:
        rules = _chosen("destination NAT rule", options["rule"], nat.destination)
        blocks = [
            _destination_rule(rule, nat.destination.index(rule) + 1, counts) for rule in rules
        ]
        return _joined([*_totals(nat.destination), *blocks])
    lines = [
        f"Total pools: {len(nat.destination_pools)}",
        f"{'Pool name':<20} {'Address Range':<40} {'Routing Instance':<16} {'Port':<6} Total",
    ]
    lines += [
        f"{pool.name:<20} {_range(pool.block):<40} {pool.instance or 'default':<16} "
        f"{pool.port:<6} {pool.block.count}"
        for pool in nat.destination_pools.values()
    ]
    lines += [
        "",
        f"Total rules: {len(nat.destination)}",
        f"{'Rule name':<20} {'Rule set':<16} {'From':<24} Action",
    ]
    lines += [
        f"{rule.name:<20} {rule.rule_set:<16} {rule.origin!s:<24} {_pool_name(rule)}"
        for rule in nat.destination
    ]
    return "\n".join(lines) + "\n"


def _pool_name(rule: DestinationNatRule) -> str:
    return "off" if rule.pool is None else rule.pool.name


def _destination_pool(pool: DestinationPool, hits: int) -> str:
    lines = [
        f"Pool name       : {pool.name}",
        f"Pool id         : {pool.id}",
        f"Routing instance: {pool.instance or 'default'}",
        f"Total address   : {pool.block.count}",
        f"Translation hits: {hits}",
        "Address range                        Port",
        f"   {pool.block!s:<33} {pool.port}",
    ]
    return "\n".join(lines) + "\n"


def _destination_rule(rule: DestinationNatRule, position: int, counts: dict[int, Counts]) -> str:
    lines = [
        f"Destination NAT rule: {rule.name:<20} Rule-set: {rule.rule_set}",
        *_where(rule, position),
        *_matches(rule),
        f"  Action                     : {_pool_name(rule)}",
        *_counted(rule, counts),
    ]
    return "\n".join(lines) + "\n"


# -- static ---------------------------------------------------------------------------------------


async def static(operator: Operator, options: Options) -> str:
    """``show security nat static rule NAME``."""
    nat = operator.runtime.configuration.nat
    counts = rule_counts(operator)
    rules = _chosen("static NAT rule", options.get("rule", ALL), nat.static)
    blocks = [_static_rule(rule, nat.static.index(rule) + 1, counts) for rule in rules]
    return _joined([f"Total static-nat rules: {len(nat.static)}", *blocks])


def _static_rule(rule: StaticNatRule, position: int, counts: dict[int, Counts]) -> str:
    size = rule.outside
    length = size.size * 8 - (size.count - 1).bit_length()
    lines = [
        f"Static NAT rule: {rule.name:<20} Rule-set: {rule.rule_set}",
        *_where(rule, position),
        *(f"    Source addresses         : {_addresses(address)}" for address in rule.sources),
        f"  Destination addresses      : {address_text(rule.outside.at(0))}",
        f"  Host addresses             : {address_text(rule.inside.at(0))}",
        f"  Netmask                    : {length}",
        f"  Host routing-instance      : {_instance(rule.instance)}",
    ]
    if rule.has_ports:
        lines += [
            f"  Destination ports          : {_ports(rule.outside_ports)}",
            f"  Mapped ports               : {_ports(rule.inside_ports)}",
        ]
    return "\n".join([*lines, *_counted(rule, counts)]) + "\n"


def _instance(name: str | None) -> str:
    return "N/A" if name is None else name or "default"


def alarms(operator: Operator) -> Iterator[tuple[Nanoseconds, str]]:
    """Source NAT pools whose utilization alarm is raised, and since when."""
    arbiter = operator.runtime.central_point.nat
    raised = {n.pool: n.at for n in operator.runtime.observer.nat_notices if n.is_raised}
    for name in operator.runtime.configuration.nat.source_pools:
        view = arbiter.pool(name)
        if view is not None and view.is_alarmed:
            what = f"Source NAT pool {name} utilization {view.utilization}%"
            yield raised.get(name, 0), what


# -- what all have --------------------------------------------------------------------------------


def _where(rule: NatRule, position: int) -> Iterator[str]:
    yield f"  Rule-Id                    : {rule.id}"
    yield f"  Rule position              : {position}"
    yield from _scope("From", rule.origin)


def _scope(side: str, scope: Scope) -> Iterator[str]:
    label = f"{side} {scope.kind.word}"
    for name in scope.names:
        yield f"  {label:<27}: {name or 'default'}"


def _matches(rule: NatRule) -> Iterator[str]:
    yield "  Match"
    for side, addresses in (("Source", rule.sources), ("Destination", rule.destinations)):
        for address in addresses:
            label = f"{side} addresses"
            yield f"    {label:<25}: {_addresses(address)}"
    # Ports without a protocol are those of TCP and of UDP: told once.
    protocols: dict[tuple[range, range], list[str]] = {}
    for application in rule.applications:
        name = "any" if application.protocol < 0 else text.protocol(application.protocol)
        ports = application.source_ports, application.destination_ports
        protocols.setdefault(ports, []).append(name)
    for (source, destination), names in protocols.items():
        yield f"    IP protocol              : {', '.join(names)}"
        if source != ALL_PORTS:
            yield f"    Source port              : {_ports(source)}"
        yield f"    Destination port         : {_ports(destination)}"


def _counted(rule: NatRule, counts: dict[int, Counts]) -> Iterator[str]:
    found = counts.get(rule.id, Counts())
    yield f"  Translation hits           : {found.hits}"
    yield f"    Successful sessions      : {found.successful}"
    yield f"    Failed sessions          : {found.failed}"
    yield f"  Number of sessions         : {found.sessions}"


def _addresses(address: Addresses) -> str:
    if isinstance(address, IPv4Network | IPv6Network):
        low, high = address[0], address[-1]
    elif isinstance(address, AddressRange):
        low, high = address.first, address.last
    else:
        assert isinstance(address, Wildcard)
        return str(address)
    return f"{low!s:<15} - {high}"


def _ports(ports: range) -> str:
    return f"{ports.start:<15} - {ports.stop - 1}"


def _range(block: AddressBlock) -> str:
    low, high = (ip_address(block.at(at)) for at in (0, block.count - 1))
    return f"{low}-{high}"


def _totals(rules: Sequence[NatRule]) -> Iterator[str]:
    yield f"Total rules: {len(rules)}"
    prefixes = [a for rule in rules for side in (rule.sources, rule.destinations) for a in side]
    v6 = sum(isinstance(address, IPv6Network) for address in prefixes)
    yield f"Total referenced IPv4/IPv6 ip-prefixes: {len(prefixes) - v6}/{v6}"


def _one_of(options: Options) -> None:
    """Each of them is another table."""
    if len(options) > 1:
        raise CommandError("one of pool, rule and summary may be asked for at a time")


def _named(what: str, name: str, known: Mapping[str, T]) -> list[T]:
    """The one of that name, or all."""
    if name == ALL:
        return list(known.values())
    if name not in known:
        raise CommandError(unknown(what, name, known))
    return [known[name]]


def _chosen(what: str, name: str, rules: Sequence[R]) -> list[R]:
    """Those of that name (rule sets may each have one), or all."""
    found = [rule for rule in rules if name in (ALL, rule.name)]
    if not found and name != ALL:
        raise CommandError(unknown(what, name, (rule.name for rule in rules)))
    return found


def _joined(blocks: Iterable[str]) -> str:
    return "\n".join(blocks).rstrip("\n") + "\n"
