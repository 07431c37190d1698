"""What no rule or pool of ``security nat`` shows alone: addresses that two of them would give away.

The same address and port for two hosts at a time cannot be told apart on the way back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from controller.config.nat import (
    ALL_PORTS,
    AddressBlock,
    PortUse,
    SourcePool,
    StaticNatRule,
)
from controller.config.problems import Place, Problems
from controller.config.schema import Interface

T = TypeVar("T")


class Claim(NamedTuple, Generic[T]):
    """Addresses that somebody gives away."""

    owner: T
    block: AddressBlock
    place: Place


def check_pools(pools: Sequence[Claim[SourcePool]], problems: Problems) -> None:
    """An address is in one pool, or a port could belong to two."""
    for one, other in _overlapping(pools):
        if one.owner.name != other.owner.name:
            text = f"{other.block} of pool {other.owner.name} overlaps {one.block} of pool "
            problems.add(other.place, text + f"{one.owner.name}; an address is in one pool")


def check_static(
    rules: Sequence[Claim[StaticNatRule]],
    pools: Iterable[Claim[SourcePool]],
    interfaces: Mapping[str, Interface],
    problems: Problems,
) -> None:
    """An outside address and port is one host's, and no pool's."""
    for one, other in _overlapping(rules):
        first, second = one.owner, other.owner
        if (
            _meet(first.outside_ports, second.outside_ports)
            and first.sources == second.sources
            and _mapping(first) != _mapping(second)
            and any(first.origin.holds(i) and second.origin.holds(i) for i in interfaces.values())
        ):
            text = f"rule {second.name} of {second.rule_set} gives {other.block} to other hosts "
            text += f"than rule {first.name} of {first.rule_set} does, which has {one.block}"
            problems.add(other.place, text + "; an address and port is one host's")
    for rule in rules:
        for pool in pools:
            if _shared(rule.block, pool.block) and _meet(rule.owner.outside_ports, _ports(pool)):
                text = f"rule {rule.owner.name} of {rule.owner.rule_set}: {rule.block} overlaps "
                text += f"{pool.block} of source pool {pool.owner.name}; take it out of one of both"
                problems.add(rule.place, text)


def _overlapping(claims: Iterable[Claim[T]]) -> Iterator[tuple[Claim[T], Claim[T]]]:
    """Pairs, in the order of the file."""
    reaching: list[Claim[T]] = []
    for claim in sorted(claims, key=lambda claim: (claim.block.size, claim.block.first)):
        reaching = [other for other in reaching if _shared(other.block, claim.block)]
        for other in reaching:
            first, second = sorted((other, claim), key=lambda one: one.place)
            yield first, second
        reaching.append(claim)


def _shared(one: AddressBlock, other: AddressBlock) -> bool:
    return one.size == other.size and one.first <= other.last and other.first <= one.last


def _meet(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)


def _ports(pool: Claim[SourcePool]) -> range:
    return ALL_PORTS if pool.owner.port_use is PortUse.KEEP else pool.owner.ports


def _mapping(rule: StaticNatRule) -> tuple[int, int, bool]:
    """How far an address and a port are moved."""
    ports = rule.inside_ports.start - rule.outside_ports.start
    return rule.inside.first - rule.outside.first, ports, rule.is_prefix
