"""Policies out of the tree of statements."""

from __future__ import annotations

from collections.abc import Mapping

from controller.config.build_addresses import AddressBuilder
from controller.config.build_applications import ApplicationBuilder
from controller.config.build_tcp import tcp_options
from controller.config.numbering import Numbers
from controller.config.problems import Problems
from controller.config.schema import (
    GLOBAL_ZONE,
    Action,
    Addresses,
    Application,
    Configuration,
    NamedAddress,
    Policy,
    Rematch,
    Zone,
)
from controller.config.set_lines import Word
from controller.config.tcp import TcpSettings
from controller.config.tree import Statement

FIRST_POLICY_INDEX = 4
"""Junos counts its built-in default policies first: the first configured one shows ``Index: 4``."""


class PolicyBuilder:
    """Builds ``applications`` and ``policies``."""

    def __init__(
        self,
        root: Statement,
        problems: Problems,
        zones: Mapping[str, Zone],
        tcp: TcpSettings,
        previous: Configuration | None = None,
    ) -> None:
        """Policies keep the indices that they have in ``previous``."""
        known = () if previous is None else previous.policies
        indices = {policy.identity: policy.index for policy in known}
        newest = max(indices.values(), default=FIRST_POLICY_INDEX - 1)
        self._indices = Numbers(indices, first=newest + 1)
        self._root = root
        self._problems = problems
        self._zones = zones
        self._tcp = tcp
        self.applications: dict[str, Application] = {}
        self.policies: list[Policy] = []
        self.application_names = ApplicationBuilder(root, problems)
        """What the names of applications mean."""
        self.address_names = AddressBuilder(root, problems, zones)
        """What the names of address books mean."""

    def build(self) -> None:
        """Fill ``applications`` and ``policies``."""
        self.applications = self.application_names.build()
        self.address_names.build()
        for origin in self._root.each("security", "policies", "from-zone"):
            self._check_zone(Word(origin.key, origin.place))
            for target in origin.each("to-zone"):
                self._check_zone(Word(target.key, target.place))
                for policy in target.each("policy"):
                    self._build_policy(origin.key, target.key, policy)
        for policy in self._root.each("security", "policies", "global", "policy"):
            self._build_policy(GLOBAL_ZONE, GLOBAL_ZONE, policy)

    def default_action(self) -> Action:
        """What happens to a flow that no policy matches."""
        text = self._root.text("security", "policies", "default-policy")
        return Action.PERMIT if text == "permit-all" else Action.DENY

    def rematch(self) -> Rematch:
        """What becomes of live sessions when policies change."""
        said = self._root.get("security", "policies", "policy-rematch")
        if said is None:
            return Rematch.OFF
        return Rematch.EXTENSIVE if said.has("extensive") else Rematch.ON

    def counts_all(self) -> bool:
        """Whether every policy counts packets and bytes."""
        words = ("security", "policies", "policy-stats", "system-wide")
        return self._root.text(*words) == "enable"

    def _check_zone(self, word: Word) -> None:
        if word.text not in self._zones:
            self._problems.undefined(word.place, "zone", word.text, self._zones)

    # -- policies -------------------------------------------------------------------------

    def _build_policy(self, origin: str, target: str, policy: Statement) -> None:
        zones = (None, None) if origin == GLOBAL_ZONE else (origin, target)
        match = {
            word: policy.words("match", word)
            for word in ("source-address", "destination-address", "application")
        }
        missing = [word for word, words in match.items() if not words]
        if missing:
            lacking = " and a ".join(f"'match {word}'" for word in missing)
            self._problems.add(policy.place, f"policy {policy.key} needs a {lacking}", policy.key)
        for word in ("from-zone", "to-zone"):
            for zone in policy.words("match", word):
                if zone.text != "any":
                    self._check_zone(zone)
        action, permit = self._action(policy)
        sources = self.address_names.resolve(match["source-address"], zones[0])
        destinations = self.address_names.resolve(match["destination-address"], zones[1])
        offload, no_offload = (
            permit is not None and permit.has(word)
            for word in ("services-offload", "no-services-offload")
        )
        if permit is not None and offload and no_offload:
            text = f"policy {policy.key} says both services-offload and no-services-offload"
            self._problems.add(permit.place, text)
        self.policies.append(
            Policy(
                name=policy.key,
                index=self._indices.of((origin, target, policy.key)),
                from_zone=origin,
                to_zone=target,
                sources=_union(sources),
                destinations=_union(destinations),
                applications=self.application_names.resolve(match["application"]),
                action=action,
                services_offload=offload,
                log_init=policy.has("then", "log", "session-init"),
                log_close=policy.has("then", "log", "session-close"),
                sources_excluded=self._excluded(policy, "source-address", sources),
                destinations_excluded=self._excluded(policy, "destination-address", destinations),
                no_services_offload=no_offload,
                count=policy.has("then", "count"),
                from_zones=_zone_list(policy, "from-zone"),
                to_zones=_zone_list(policy, "to-zone"),
                source_names=sources,
                destination_names=destinations,
                tcp=tcp_options(permit, policy.key, self._tcp, self._problems),
            )
        )

    def _action(self, policy: Statement) -> tuple[Action, Statement | None]:
        found = {action: policy.get("then", action.value) for action in Action}
        given = [(action, said) for action, said in found.items() if said is not None]
        if not given:
            text = f"policy {policy.key} needs a 'then permit', 'then deny' or 'then reject'"
            self._problems.add(policy.place, text, policy.key)
            return Action.DENY, None
        if len(given) > 1:
            words = " and ".join(f"'then {action.value}'" for action, _ in given)
            text = f"policy {policy.key} says both {words}"
            self._problems.add(max(said.place for _, said in given), text)
        return given[0][0], found[Action.PERMIT]

    def _excluded(self, policy: Statement, word: str, addresses: tuple[NamedAddress, ...]) -> bool:
        said = policy.get("match", f"{word}-excluded")
        if said is not None and any(not address.book for address in addresses):
            text = f"{word}-excluded of policy {policy.key} needs named addresses, not any"
            self._problems.add(said.place, text)
        return said is not None


def _union(names: tuple[NamedAddress, ...]) -> tuple[Addresses, ...]:
    """All addresses; empty for any."""
    if any(not name.addresses for name in names):
        return ()
    return tuple(dict.fromkeys(address for name in names for address in name.addresses))


def _zone_list(policy: Statement, word: str) -> tuple[str, ...]:
    names = tuple(zone.text for zone in policy.words("match", word))
    return () if "any" in names else names
