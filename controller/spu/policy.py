"""Policies by zone pair; the first match decides.

A policy sees the original source and the translated destination: policy comes after destination
NAT and before source NAT, as in Junos.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from controller.config.schema import (
    Action,
    Application,
    Configuration,
    Policy,
)
from controller.flow import AnyFlow
from controller.spu.ruleset import Match, Ruleset

DEFAULT_POLICY = "default-policy"
DEFAULT_INDEX = -1
"""Stands for the default policy in hit counts."""

_PERMIT = Action.PERMIT


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
        return self.action is _PERMIT


class PolicyTable:
    """The policies of a configuration: those of the zone pair, then global ones, then the default
    (the order of Junos)."""

    def __init__(self, config: Configuration) -> None:
        by_zones: dict[tuple[str, str], list[Policy]] = {}
        everywhere: list[Policy] = []
        for policy in config.policies:
            if policy.is_global:
                everywhere.append(policy)
            else:
                by_zones.setdefault((policy.from_zone, policy.to_zone), []).append(policy)
        self._of = {zones: [Ruleset(rules)] for zones, rules in by_zones.items()}
        """By pair of zones: its own policies, then the global ones that hold there."""
        if everywhere:
            self._add_global(everywhere, list(config.zones))
        self._default = Verdict(DEFAULT_POLICY, DEFAULT_INDEX, config.default_action)
        self._verdicts: dict[tuple[int, int], Verdict] = {}
        """By policy's index and application's identity: to hash one would take as long as the rest.
        (Those of its policies live as long as this table.)"""

    def search(self, from_zone: str, to_zone: str, flow: AnyFlow) -> Verdict:
        """The verdict on a flow: source as it came, destination as it will be."""
        for ruleset in self._of.get((from_zone, to_zone), ()):
            match = ruleset.first(flow)
            if match is not None:
                return self._verdict(match)
        return self._default

    def matches(self, from_zone: str, to_zone: str, flow: AnyFlow) -> Iterator[Verdict]:
        """All policies that match a flow, in the order of the search, the default one last."""
        for ruleset in self._of.get((from_zone, to_zone), ()):
            yield from map(self._verdict, ruleset.matches(flow))
        yield self._default

    def _add_global(self, policies: list[Policy], zones: list[str]) -> None:
        made: dict[tuple[int, ...], Ruleset[Policy]] = {}
        for from_zone, to_zone in product(zones, zones):
            rules = [
                policy
                for policy in policies
                if (not policy.from_zones or from_zone in policy.from_zones)
                and (not policy.to_zones or to_zone in policy.to_zones)
            ]
            if rules:
                # Most pairs of zones share one.
                indices = tuple(policy.index for policy in rules)
                ruleset = made.get(indices)
                if ruleset is None:
                    ruleset = made[indices] = Ruleset(rules)
                self._of.setdefault((from_zone, to_zone), []).append(ruleset)

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
