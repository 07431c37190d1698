"""Pools and rules for tests, in few words."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from controller_machines.world import configuration

from controller.config.nat import (
    AddressBlock,
    DestinationNatRule,
    DestinationPool,
    Nat,
    Scope,
    SourceNat,
    SourceNatRule,
    SourcePool,
    StaticNatRule,
    zone,
)
from controller.config.schema import Configuration


def block(first: str, last: str = "") -> AddressBlock:
    """An address, a prefix, or addresses from one to another."""
    if "/" in first:
        network = ip_network(first)
        low, high = network.network_address, network.broadcast_address
    else:
        low, high = ip_address(first), ip_address(last or first)
    return AddressBlock(int(low), int(high), len(low.packed))


def pool(name: str, *blocks: AddressBlock, **more: object) -> SourcePool:
    return SourcePool(name, 1, blocks, **more)  # type: ignore[arg-type]


def to_pool(name: str, number: int = 1, **more: object) -> SourceNatRule:
    """From trust to untrust, by a pool."""
    return SourceNatRule(
        "out", f"r{number}", zone("trust"), zone("untrust"), id=number,
        action=SourceNat.POOL, pool=name, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def with_pools(*pools: SourcePool, **more: object) -> Configuration:
    """From trust to untrust, by the first of the pools."""
    nat = Nat(source=(to_pool(pools[0].name),), source_pools={p.name: p for p in pools})
    return configuration(nat=nat, **more)


def to_server(
    outside: str, inside: AddressBlock | None, port: int = 0, number: int = 11, **more: object
) -> DestinationNatRule:
    """Who comes from untrust to an address gets another one."""
    target = None if inside is None else DestinationPool("servers", 1, inside, port)
    more.setdefault("origin", zone("untrust"))
    return DestinationNatRule(
        "in", f"d{number}", destinations=(ip_network(outside),), id=number, pool=target, **more  # type: ignore[arg-type]
    )  # fmt: skip


def both_ways(
    outside: str, inside: str, number: int = 21, origin: Scope | None = None, **more: object
) -> StaticNatRule:
    """Untrust knows an inside address by an outside one."""
    return StaticNatRule(
        "static", f"s{number}", origin or zone("untrust"), id=number, outside=block(outside),
        inside=block(inside), **more,  # type: ignore[arg-type]
    )  # fmt: skip
