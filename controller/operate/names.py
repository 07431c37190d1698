"""Names that a configuration has, for completion: each function gives those of one kind."""

from __future__ import annotations

from collections.abc import Iterable

from controller.config.schema import Configuration
from controller.operate.show_route import tables
from controller.spu.alg.registry import ANNOUNCED

ALL = "all"


def zones(configuration: Configuration) -> Iterable[str]:
    """Security zones."""
    return configuration.zones


def interfaces(configuration: Configuration) -> Iterable[str]:
    """Logical interfaces."""
    return configuration.interfaces


def policies(configuration: Configuration) -> Iterable[str]:
    """Policies of all zones."""
    return (policy.name for policy in configuration.policies)


def policy_ids(configuration: Configuration) -> Iterable[str]:
    """Policies by index."""
    return (str(policy.index) for policy in configuration.policies)


def applications(configuration: Configuration) -> Iterable[str]:
    """Applications, predefined ones and those of flows that gateways announce, too."""
    own = {name for name in configuration.applications if ":" not in name}
    return sorted(own | ANNOUNCED)


def screens(configuration: Configuration) -> Iterable[str]:
    """Screen profiles."""
    return configuration.screens


def filters(configuration: Configuration) -> Iterable[str]:
    """Firewall filters."""
    return (each.name for each in configuration.stateless.filters)


def packet_filters(configuration: Configuration) -> Iterable[str]:
    """Packet filters of traces."""
    return (each.name for each in configuration.stateless.tracing.filters)


def routing_tables(configuration: Configuration) -> Iterable[str]:
    """Forwarding tables, such as ``inet.0``."""
    return (name for name, _ in tables(configuration))


def source_pools(configuration: Configuration) -> Iterable[str]:
    """Pools of source NAT."""
    return configuration.nat.source_pools


def all_source_pools(configuration: Configuration) -> Iterable[str]:
    """The same, or all of them."""
    return (ALL, *source_pools(configuration))


def all_destination_pools(configuration: Configuration) -> Iterable[str]:
    """Pools of destination NAT, or all."""
    return (ALL, *configuration.nat.destination_pools)


def all_source_rules(configuration: Configuration) -> Iterable[str]:
    """Rules of source NAT, or all."""
    return (ALL, *(rule.name for rule in configuration.nat.source))


def all_destination_rules(configuration: Configuration) -> Iterable[str]:
    """Rules of destination NAT, or all."""
    return (ALL, *(rule.name for rule in configuration.nat.destination))


def all_static_rules(configuration: Configuration) -> Iterable[str]:
    """Rules of static NAT, or all."""
    return (ALL, *(rule.name for rule in configuration.nat.static))
