"""Policies by zone pair; the first match decides.

A policy sees the original source and the translated destination (junos-facts 1: policy comes after
destination NAT and before source NAT).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.config.schema import (
    Action,
    Application,
    Configuration,
    Policy,
)
from controller.flow import Tuple5
from controller.spu.ruleset import Match, Ruleset

DEFAULT_POLICY = "default-policy"
DEFAULT_INDEX = -1
"""Stands for the default policy in hit counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy search found."""

    name: str
    index: int
    action: Action
    services_offload: bool = False
    application: Application | None = None
    """The one that matched; ``None`` if the policy takes any."""
    policy: Policy | None = None
    """``None``: the default policy."""

    @property
    def permits(self) -> bool:
        """Whether the flow may become a session."""
        return self.action is Action.PERMIT


class PolicyTable:
    """The policies of a configuration: those of the zone pair, then global ones, then the default
    (junos-facts 7, "Search order")."""

    def __init__(self, config: Configuration) -> None:
        by_zones: dict[tuple[str, str], list[Policy]] = {}
        self._global: list[Policy] = []
        for policy in config.policies:
            if policy.is_global:
                self._global.append(policy)
            else:
                by_zones.setdefault((policy.from_zone, policy.to_zone), []).append(policy)
        self._by_zones = {zones: Ruleset(rules) for zones, rules in by_zones.items()}
        self._global_of: dict[tuple[str, str], Ruleset[Policy]] = {}
        self._rulesets: dict[tuple[int, ...], Ruleset[Policy]] = {}
        """Of global policies, by their indices: most pairs of zones share one."""
        for from_zone in config.zones:
            for to_zone in config.zones if self._global else ():
                self._add_global(from_zone, to_zone)
        self._default = Verdict(DEFAULT_POLICY, DEFAULT_INDEX, config.default_action)
        self._verdicts: dict[tuple[int, int], Verdict] = {}
        """By policy's index and application's identity: to hash one would take as long as the rest.
        (Those of its policies live as long as this table.)"""

    def search(self, from_zone: str, to_zone: str, flow: Tuple5) -> Verdict:
        """The verdict on a flow: source as it came, destination as it will be."""
        zones = from_zone, to_zone
        for rulesets in (self._by_zones, self._global_of):
            ruleset = rulesets.get(zones)
            if ruleset is not None:
                match = ruleset.first(flow)
                if match is not None:
                    return self._verdict(match)
        return self._default

    def matches(self, from_zone: str, to_zone: str, flow: Tuple5) -> Iterator[Verdict]:
        """All policies that match a flow, in the order of the search, the default one last."""
        zones = from_zone, to_zone
        for rulesets in (self._by_zones, self._global_of):
            ruleset = rulesets.get(zones)
            if ruleset is not None:
                yield from map(self._verdict, ruleset.matches(flow))
        yield self._default

    def _add_global(self, from_zone: str, to_zone: str) -> None:
        rules = [
            policy
            for policy in self._global
            if (not policy.from_zones or from_zone in policy.from_zones)
            and (not policy.to_zones or to_zone in policy.to_zones)
        ]
        if rules:
            key = tuple(policy.index for policy in rules)
            ruleset = self._rulesets.get(key)
            if ruleset is None:
                ruleset = self._rulesets[key] = Ruleset(rules)
            self._global_of[from_zone, to_zone] = ruleset

    def _verdict(self, match: Match[Policy]) -> Verdict:
        """One object for all sessions of a policy and application."""
        policy, application = match
        key = policy.index, id(application)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verdicts[key] = Verdict(
                policy.name,
                policy.index,
                policy.action,
                policy.services_offload,
                application,
                policy,
            )
        return verdict


_latest: list[tuple[Configuration, PolicyTable]] = []


def policy_table(config: Configuration) -> PolicyTable:
    """The policies of a configuration, compiled; the SPUs of one process share them."""
    if not _latest or _latest[0][0] is not config:
        _latest[:] = [(config, PolicyTable(config))]
    return _latest[0][1]
