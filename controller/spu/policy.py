"""Policies and source NAT rules, compiled by zone pair; the first match decides.

A policy sees the original source and the translated destination (junos-facts 1: policy comes after
destination NAT and before source NAT).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.config.schema import (
    Action,
    Application,
    Configuration,
    Network,
    Policy,
    SourceNatRule,
)
from controller.flow import Tuple5

DEFAULT_POLICY = "default-policy"
DEFAULT_INDEX = -1
"""Stands for the default policy in hit counts."""

# Prefixes as (shift, value), IPv4 and IPv6 apart; None: any address.
_Prefixes = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]] | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy search found."""

    name: str
    index: int
    action: Action
    services_offload: bool = False
    application: Application | None = None
    """The one that matched; ``None`` if the policy takes any."""

    @property
    def permits(self) -> bool:
        """Whether the flow may become a session."""
        return self.action is Action.PERMIT


class _Rule:
    __slots__ = ("any_application", "applications", "destinations", "sources")

    def __init__(self, policy: Policy) -> None:
        self.sources = _compile(policy.sources)
        self.destinations = _compile(policy.destinations)
        self.any_application = _verdict(policy, None) if not policy.applications else None
        self.applications = [
            (app.protocol, app.source_ports, app.destination_ports, _verdict(policy, app))
            for app in policy.applications
        ]

    def match(self, family: int, src: int, dst: int, flow: Tuple5) -> Verdict | None:
        if not _within(self.sources, family, src) or not _within(self.destinations, family, dst):
            return None
        if self.any_application is not None:
            return self.any_application
        for protocol, source_ports, destination_ports, verdict in self.applications:
            if (
                protocol in (flow.protocol, -1)
                and flow.dport in destination_ports
                and flow.sport in source_ports
            ):
                return verdict
        return None


class PolicyTable:
    """The policies of a configuration."""

    def __init__(self, config: Configuration) -> None:
        self._by_zones: dict[tuple[str, str], list[_Rule]] = {}
        for policy in config.policies:
            zones = policy.from_zone, policy.to_zone
            self._by_zones.setdefault(zones, []).append(_Rule(policy))
        self._default = Verdict(DEFAULT_POLICY, DEFAULT_INDEX, config.default_action)

    def search(self, from_zone: str, to_zone: str, flow: Tuple5) -> Verdict:
        """The verdict on a flow: source as it came, destination as it will be."""
        rules = self._by_zones.get((from_zone, to_zone))
        if rules is not None:
            family = 0 if len(flow.src) == 4 else 1
            src, dst = int.from_bytes(flow.src, "big"), int.from_bytes(flow.dst, "big")
            for rule in rules:
                verdict = rule.match(family, src, dst, flow)
                if verdict is not None:
                    return verdict
        return self._default


class SourceNatTable:
    """The source NAT rules of a configuration."""

    def __init__(self, config: Configuration) -> None:
        self._by_zones: dict[tuple[str, str], list[tuple[_Prefixes, _Prefixes, SourceNatRule]]] = {}
        for rule in config.source_nat:
            compiled = _compile(rule.sources), _compile(rule.destinations), rule
            self._by_zones.setdefault((rule.from_zone, rule.to_zone), []).append(compiled)

    def search(self, from_zone: str, to_zone: str, flow: Tuple5) -> SourceNatRule | None:
        """The rule that decides on a flow, whatever it says."""
        rules = self._by_zones.get((from_zone, to_zone))
        if rules is not None:
            family = 0 if len(flow.src) == 4 else 1
            src, dst = int.from_bytes(flow.src, "big"), int.from_bytes(flow.dst, "big")
            for sources, destinations, rule in rules:
                if _within(sources, family, src) and _within(destinations, family, dst):
                    return rule
        return None


def _verdict(policy: Policy, application: Application | None) -> Verdict:
    return Verdict(policy.name, policy.index, policy.action, policy.services_offload, application)


def _compile(networks: Iterable[Network]) -> _Prefixes:
    by_family: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
    for network in networks:
        shift = network.max_prefixlen - network.prefixlen
        family = by_family[0 if network.version == 4 else 1]
        family.append((shift, int(network.network_address) >> shift))
    if not by_family[0] and not by_family[1]:
        return None
    return tuple(by_family[0]), tuple(by_family[1])


def _within(prefixes: _Prefixes, family: int, address: int) -> bool:
    if prefixes is None:
        return True
    for shift, value in prefixes[family]:  # noqa: SIM110 - a loop is twice as fast as any()
        if address >> shift == value:
            return True
    return False
