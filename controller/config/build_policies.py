"""Applications, address books, policies and source NAT out of the tree of statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network

from controller.config.applications import ANY_PORT, PREDEFINED
from controller.config.build_alg import application_alg
from controller.config.problems import Problems
from controller.config.schema import (
    SECOND,
    Action,
    Application,
    Network,
    Policy,
    SourceNat,
    SourceNatRule,
    Zone,
)
from controller.config.set_lines import Word
from controller.config.tree import Statement
from controller.config.values import port_range, protocol_number

FIRST_POLICY_INDEX = 4
"""Junos counts its built-in default policies first: the first configured one shows ``Index: 4``."""

_ANY_V4: Network = ip_network("0.0.0.0/0")
_ANY_V6: Network = ip_network("::/0")
_PORT_PROTOCOLS = (6, 17)


class PolicyBuilder:
    """Builds ``applications`` and ``policies``; then the source NAT rules."""

    def __init__(self, root: Statement, problems: Problems, zones: Mapping[str, Zone]) -> None:
        self._root = root
        self._problems = problems
        self._zones = zones
        self.applications: dict[str, Application] = dict(PREDEFINED)
        self.policies: list[Policy] = []
        self._application_sets: dict[str, Statement] = {}
        self._addresses: dict[str, Network] = {}
        self._address_sets: dict[str, Statement] = {}

    def build(self) -> None:
        """Fill ``applications`` and ``policies``."""
        self._build_applications()
        self._build_addresses()
        for origin in self._root.each("security", "policies", "from-zone"):
            self._check_zone(Word(origin.key, origin.place))
            for target in origin.each("to-zone"):
                self._check_zone(Word(target.key, target.place))
                for policy in target.each("policy"):
                    self._build_policy(origin.key, target.key, policy)

    def default_action(self) -> Action:
        """What happens to a flow that no policy matches."""
        text = self._root.text("security", "policies", "default-policy")
        return Action.PERMIT if text == "permit-all" else Action.DENY

    def source_nat_rules(self) -> Iterator[SourceNatRule]:
        """In the order of the file, one for each pair of zones of the rule's rule set."""
        for rule_set in self._root.each("security", "nat", "source", "rule-set"):
            origins = rule_set.words("from", "zone")
            targets = rule_set.words("to", "zone")
            for word in (*origins, *targets):
                self._check_zone(word)
            if not origins or not targets:
                text = f"rule-set {rule_set.key} needs a 'from zone' and a 'to zone'"
                self._problems.add(rule_set.place, text, rule_set.key)
            for rule in rule_set.each("rule"):
                action = self._nat_action(rule)
                sources, destinations = (
                    tuple(ip_network(word.text) for word in rule.words("match", side))
                    for side in ("source-address", "destination-address")
                )
                if not sources and not destinations:
                    text = (
                        f"rule {rule.key} needs a match, such as: match source-address 10.0.0.0/8"
                    )
                    self._problems.add(rule.place, text, rule.key)
                for origin in origins:
                    for target in targets:
                        yield SourceNatRule(
                            rule_set.key, rule.key, origin.text, target.text, sources,
                            destinations, action,
                        )  # fmt: skip

    def _nat_action(self, rule: Statement) -> SourceNat:
        interface, off = (rule.get("then", "source-nat", word) for word in ("interface", "off"))
        if interface is not None and off is not None:
            text = f"rule {rule.key} says both 'source-nat interface' and 'source-nat off'"
            self._problems.add(max(interface.place, off.place), text)
        if interface is None and off is None:
            text = f"rule {rule.key} needs a 'then source-nat interface' or 'then source-nat off'"
            self._problems.add(rule.place, text, rule.key)
        return SourceNat.OFF if off is not None else SourceNat.INTERFACE

    def _check_zone(self, word: Word) -> None:
        if word.text not in self._zones:
            self._problems.undefined(word.place, "zone", word.text, self._zones)

    # -- applications ---------------------------------------------------------------------

    def _build_applications(self) -> None:
        for statement in self._root.each("applications", "application"):
            name = statement.key
            if name in PREDEFINED or name == "any":
                self._problems.add(statement.place, f"application {name} is predefined")
                continue
            protocol = statement.text("protocol")
            ports = {side: statement.words(side) for side in ("source-port", "destination-port")}
            if protocol is None:
                self._problems.add(statement.place, f"application {name} needs a protocol", name)
                continue
            number = protocol_number(protocol)
            for side, words in ports.items():
                if words and number not in _PORT_PROTOCOLS:
                    text = f"{side} of application {name}: protocol {protocol} has no ports"
                    self._problems.add(words[0].place, text)
            timeout = statement.text("inactivity-timeout")
            source, destination = (
                port_range(words[0].text) if words else ANY_PORT for words in ports.values()
            )
            alg_words = statement.words("application-protocol")
            self.applications[name] = Application(
                name,
                number,
                source,
                destination,
                None if timeout is None else int(timeout) * SECOND,
                application_alg(alg_words, number, self._problems),
            )
        for statement in self._root.each("applications", "application-set"):
            if statement.key in self.applications:
                text = f"{statement.key} is the name of an application already"
                self._problems.add(statement.place, text)
            self._application_sets[statement.key] = statement

    def _applications(self, words: list[Word]) -> tuple[Application, ...]:
        """What a policy's words mean; empty for any."""
        found: list[Application] = []
        for word in words:
            if word.text == "any":
                return ()
            members = self._application_sets.get(word.text)
            for name in members.words("application") if members is not None else [word]:
                application = self.applications.get(name.text)
                if application is None:
                    known = (*self.applications, *self._application_sets)
                    self._problems.undefined(name.place, "application", name.text, known)
                else:
                    found.append(application)
        return tuple(found)

    # -- addresses ------------------------------------------------------------------------

    def _build_addresses(self) -> None:
        for book in self._root.each("security", "address-book"):
            for address in book.each("address"):
                if address.values:
                    self._addresses[address.key] = ip_network(address.values[0].text)
                else:
                    text = f"address {address.key} needs a prefix, such as 10.1.0.0/16"
                    self._problems.add(address.place, text, address.key)
            for group in book.each("address-set"):
                if group.key in self._addresses:
                    text = f"{group.key} is the name of an address already"
                    self._problems.add(group.place, text)
                self._address_sets[group.key] = group
        for group in self._address_sets.values():
            if not group.children:
                self._problems.add(
                    group.place, f"address-set {group.key} needs a member", group.key
                )
            self._members(group, (group.key,))

    def _members(self, group: Statement, path: tuple[str, ...]) -> list[Network]:
        """All prefixes of an address set, sets within it included."""
        found: list[Network] = []
        for word in group.words("address"):
            found += self._named(word, self._addresses)
        for word in group.words("address-set"):
            inner = self._address_sets.get(word.text)
            if inner is None:
                self._problems.undefined(word.place, "address-set", word.text, self._address_sets)
            elif word.text in path:
                self._problems.add(word.place, f"address-set {word.text} contains itself")
            else:
                found += self._members(inner, (*path, word.text))
        return found

    def _named(self, word: Word, known: Mapping[str, Network]) -> list[Network]:
        if word.text in known:
            return [known[word.text]]
        self._problems.undefined(
            word.place, "address", word.text, (*self._addresses, *self._address_sets, "any")
        )
        return []

    def _networks(self, words: list[Word]) -> tuple[Network, ...]:
        """What a policy's words mean; empty for any."""
        found: list[Network] = []
        for word in words:
            match word.text:
                case "any":
                    return ()
                case "any-ipv4":
                    found.append(_ANY_V4)
                case "any-ipv6":
                    found.append(_ANY_V6)
                case name if name in self._address_sets:
                    found += self._members(self._address_sets[name], (name,))
                case _:
                    found += self._named(word, self._addresses)
        return tuple(dict.fromkeys(found))

    # -- policies -------------------------------------------------------------------------

    def _build_policy(self, origin: str, target: str, policy: Statement) -> None:
        match = {
            word: policy.words("match", word)
            for word in ("source-address", "destination-address", "application")
        }
        missing = [word for word, words in match.items() if not words]
        if missing:
            lacking = ", ".join(f"'match {word}'" for word in missing)
            self._problems.add(policy.place, f"policy {policy.key} needs a {lacking}", policy.key)
        permit, deny = policy.get("then", "permit"), policy.get("then", "deny")
        if permit is None and deny is None:
            text = f"policy {policy.key} needs a 'then permit' or 'then deny'"
            self._problems.add(policy.place, text, policy.key)
        if permit is not None and deny is not None:
            text = f"policy {policy.key} says both 'then permit' and 'then deny'"
            self._problems.add(max(permit.place, deny.place), text)
        self.policies.append(
            Policy(
                name=policy.key,
                index=FIRST_POLICY_INDEX + len(self.policies),
                from_zone=origin,
                to_zone=target,
                sources=self._networks(match["source-address"]),
                destinations=self._networks(match["destination-address"]),
                applications=self._applications(match["application"]),
                action=Action.PERMIT if permit is not None else Action.DENY,
                services_offload=permit is not None and permit.has("services-offload"),
                log_init=policy.has("then", "log", "session-init"),
                log_close=policy.has("then", "log", "session-close"),
            )
        )
