"""``security nat`` out of the tree of statements: rule sets and their rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from controller.config.build_addresses import AddressBuilder
from controller.config.build_applications import ApplicationBuilder
from controller.config.build_nat_matches import WITH_PORTS, MatchBuilder, port_spans, spans
from controller.config.build_nat_pools import NatPoolBuilder
from controller.config.nat import (
    ALL_PORTS,
    ANYWHERE,
    INTERFACE_POOL,
    PERSISTENT_SESSIONS,
    PERSISTENT_TIMEOUT,
    AddressBlock,
    DestinationNatRule,
    DestinationPool,
    Nat,
    NatRule,
    Persistence,
    PortUse,
    Proxy,
    Reach,
    Scope,
    ScopeKind,
    SourceNat,
    SourceNatRule,
    SourcePool,
    StaticNatRule,
)
from controller.config.nat_overlaps import Claim, check_static
from controller.config.numbering import Numbers
from controller.config.problems import Problems
from controller.config.schema import SECOND, Application, Configuration, Interface, Zone
from controller.config.tree import Statement


class NatBuilder:
    """Builds a ``Nat``."""

    def __init__(
        self,
        root: Statement,
        problems: Problems,
        zones: Mapping[str, Zone],
        interfaces: Mapping[str, Interface],
        instances: Mapping[str, int],
        addresses: AddressBuilder,
        applications: ApplicationBuilder,
        previous: Configuration | None = None,
    ) -> None:
        """Rules and pools keep the numbers that they have in ``previous``."""
        self._root = root
        self._problems = problems
        self._known = {
            ScopeKind.ZONE: list(zones),
            ScopeKind.INTERFACE: list(interfaces),
            ScopeKind.INSTANCE: ["default", *instances],
        }
        self._interfaces = interfaces
        self._matches = MatchBuilder(problems, addresses, applications)
        before = Nat() if previous is None else previous.nat
        self._pools = NatPoolBuilder(root, problems, instances, before)
        self._ids = Numbers[tuple[type[NatRule], str, str]](
            {
                (type(rule), rule.rule_set, rule.name): rule.id
                for rules in (before.source, before.destination, before.static)
                for rule in rules
            }
        )
        self._contexts: dict[str, list[tuple[str, Scope, Scope]]] = {}
        """What rule sets there are of a kind so far, and where they hold."""

    def build(self) -> Nat:
        """All of it. What is wrong is noted."""
        self._pools.build()
        claims = list(self._static())
        static = tuple(claim.owner for claim in claims)
        check_static(claims, self._pools.claims, self._interfaces, self._problems)
        factor = self._root.text(
            "security", "nat", "source", "interface", "port-overloading-factor"
        )
        return Nat(
            source=tuple(self._source()),
            destination=tuple(self._destination()),
            static=static,
            source_pools=self._pools.source,
            destination_pools=self._pools.destination,
            proxies=(*self._proxies("proxy-arp", 4), *self._proxies("proxy-ndp", 6)),
            address_persistent=self._root.has("security", "nat", "source", "address-persistent"),
            interface_overloading=int(factor or 1),
        )

    # -- source -------------------------------------------------------------------------------

    def _source(self) -> Iterator[SourceNatRule]:
        for rule_set, rule, base in self._rules("source", SourceNatRule):
            action, pool, persistence = self._source_action(rule)
            family = 0
            if action is SourceNat.POOL and pool in self._pools.source:
                found = self._pools.source[pool]
                family = 4 if found.blocks and found.blocks[0].size == 4 else 6
                self._check_instance(rule, base, found)
            sources, destinations = self._matches.of_family(rule, base, family)
            if not rule.has("match"):
                text = f"rule {rule.key} needs a match, such as: match source-address 10.0.0.0/8"
                self._problems.add(rule.place, text, rule.key)
            yield SourceNatRule(
                rule_set.key, rule.key, base.origin, base.target, sources, destinations,
                base.applications, base.id, action=action, pool=pool, persistence=persistence,
            )  # fmt: skip

    def _check_instance(self, rule: Statement, base: NatRule, pool: SourcePool) -> None:
        """Where flows leave, answers to the pool's addresses come in."""
        if pool.instance is None:
            return
        for interface in self._interfaces.values():
            if base.target.holds(interface) and interface.vr != pool.instance:
                text = f"flows of rule {rule.key} leave by {interface.name} in the routing "
                text += f"instance {interface.vr or 'default'}, but its pool {pool.name} is in "
                self._problems.add(rule.place, text + (pool.instance or "default"))
                return

    def _source_action(self, rule: Statement) -> tuple[SourceNat, str, Persistence | None]:
        then = rule.get("then", "source-nat")
        said = {} if then is None else {a: then.get(a.value) for a in SourceNat}
        given = {action: statement for action, statement in said.items() if statement is not None}
        if not given:
            text = f"rule {rule.key} needs a 'then source-nat interface', 'then source-nat pool "
            self._problems.add(rule.place, text + "NAME' or 'then source-nat off'", rule.key)
            return SourceNat.OFF, INTERFACE_POOL, None
        if len(given) > 1:
            words = " and ".join(f"'source-nat {action.value}'" for action in given)
            places = (statement.place for statement in given.values())
            self._problems.add(max(places), f"rule {rule.key} says both {words}")
        action, statement = next(iter(given.items()))
        pool = INTERFACE_POOL
        holders = [statement]
        if action is SourceNat.POOL:
            names = list(statement.each(""))
            holders += names
            if len(names) != 1:
                text = f"rule {rule.key} needs one 'then source-nat pool NAME'"
                self._problems.add(statement.place, text, rule.key)
                return action, INTERFACE_POOL, None
            pool = names[0].key
            if pool not in self._pools.source:
                self._problems.undefined(names[0].place, "source pool", pool, self._pools.source)
        for holder in holders:
            found = holder.get("persistent-nat")
            if found is not None:
                return action, pool, self._persistence(rule, found, pool)
        return action, pool, None

    def _persistence(self, rule: Statement, said: Statement, pool: str) -> Persistence | None:
        permit = said.text("permit")
        if permit is None:
            text = f"persistent-nat of rule {rule.key} needs a permit: any-remote-host, "
            self._problems.add(said.place, text + "target-host or target-host-port", rule.key)
            return None
        of = self._pools.source.get(pool)
        if of is not None and (of.port_use is PortUse.KEEP or of.overloading > 1):
            what = "overloads ports" if of.overloading > 1 else "does not translate ports"
            text = f"persistent-nat of rule {rule.key}: pool {pool} {what}; use a pool with "
            self._problems.add(said.place, text + "port translation and no overloading")
        return Persistence(
            Reach(permit),
            int(said.text("inactivity-timeout") or PERSISTENT_TIMEOUT) * SECOND,
            int(said.text("max-session-number") or PERSISTENT_SESSIONS),
        )

    # -- destination --------------------------------------------------------------------------

    def _destination(self) -> Iterator[DestinationNatRule]:
        for rule_set, rule, base in self._rules("destination", DestinationNatRule):
            off = rule.has("then", "destination-nat", "off")
            names = rule.words("then", "destination-nat", "pool")
            pool: DestinationPool | None = None
            if off is bool(names):
                text = f"rule {rule.key} needs either a 'then destination-nat pool NAME' or a "
                self._problems.add(rule.place, text + "'then destination-nat off'", rule.key)
            elif names:
                pool = self._pools.destination.get(names[0].text)
                if pool is None:
                    known = self._pools.destination
                    place = names[0].place
                    self._problems.undefined(place, "destination pool", names[0].text, known)
            if not base.destinations:
                text = f"rule {rule.key} needs a 'match destination-address' or "
                self._problems.add(rule.place, text + "'match destination-address-name'", rule.key)
            family = 0 if pool is None else 4 if pool.block.size == 4 else 6
            sources, destinations = self._matches.of_family(rule, base, family)
            applications = base.applications
            if pool is not None and pool.port and not applications:
                # A port is only mapped where there are ports.
                applications = tuple(_any_port(protocol) for protocol in WITH_PORTS)
            yield DestinationNatRule(
                rule_set.key, rule.key, base.origin, base.target, sources, destinations,
                applications, base.id, pool=pool,
            )  # fmt: skip

    # -- static -------------------------------------------------------------------------------

    def _static(self) -> Iterator[Claim[StaticNatRule]]:
        for rule_set, rule, base in self._rules("static", StaticNatRule):
            outside = self._one_block(rule, base)
            plain = list(rule.each("then", "static-nat", "prefix"))
            prefixes = list(rule.each("then", "static-nat", "nptv6-prefix"))
            found = plain + prefixes
            if len(found) != 1:
                text = f"rule {rule.key} needs one 'then static-nat prefix PREFIX' or "
                text += "'then static-nat nptv6-prefix PREFIX'"
                self._problems.add(rule.place, text, rule.key)
            if outside is None or len(found) != 1:
                continue
            inside = AddressBlock.of(ip_network(found[0].key))
            if (inside.size, inside.count) != (outside.size, outside.count):
                many = "address" if outside.count == 1 else "addresses"
                text = f"rule {rule.key} translates {outside.count} {many} to {inside.count}, "
                text += "or to another family; prefixes of one length are needed"
                self._problems.add(found[0].place, text)
                continue
            ports = self._static_ports(rule, found[0])
            if ports is None or (prefixes and not self._is_prefix(rule, found[0], outside)):
                continue
            made = StaticNatRule(
                rule_set.key, rule.key, base.origin, base.target, base.sources, (), (), base.id,
                outside=outside, inside=inside, is_prefix=bool(prefixes),
                outside_ports=ports[0], inside_ports=ports[1],
                instance=self._pools.instance(found[0]),
            )  # fmt: skip
            yield Claim(made, outside, rule.place)

    def _is_prefix(self, rule: Statement, said: Statement, outside: AddressBlock) -> bool:
        length = outside.size * 8 - (outside.count - 1).bit_length()
        if outside.size == 16 and length <= 64:
            return True
        text = f"rule {rule.key}: nptv6-prefix takes IPv6 prefixes of at most 64 bits"
        self._problems.add(said.place, text)
        return False

    def _one_block(self, rule: Statement, base: NatRule) -> AddressBlock | None:
        networks = [n for n in base.destinations if isinstance(n, IPv4Network | IPv6Network)]
        if len(networks) != 1 or len(base.destinations) != 1:
            text = f"rule {rule.key} needs one prefix to match: match destination-address PREFIX"
            self._problems.add(rule.place, text, rule.key)
            return None
        return AddressBlock.of(networks[0])

    def _static_ports(self, rule: Statement, prefix: Statement) -> tuple[range, range] | None:
        ports = list(port_spans(rule, "destination-port", self._problems))
        mapped = list(spans(prefix.each("mapped-port"), self._problems))
        if rule.has("match") and list(rule.each("match", "source-port")):
            text = f"rule {rule.key}: static NAT holds both ways and matches no source port"
            self._problems.add(rule.place, text)
            return None
        if not ports and not mapped:
            return ALL_PORTS, ALL_PORTS
        if len(ports) != 1 or len(mapped) != 1 or len(ports[0]) != len(mapped[0]):
            text = f"rule {rule.key} needs one 'match destination-port' and one 'mapped-port', "
            self._problems.add(rule.place, text + "with as many ports each", rule.key)
            return None
        return ports[0], mapped[0]

    # -- what all have ------------------------------------------------------------------------

    def _rules(
        self, kind: str, made: type[NatRule]
    ) -> Iterator[tuple[Statement, Statement, NatRule]]:
        for rule_set in self._root.each("security", "nat", kind, "rule-set"):
            origin = self._scope(rule_set, "from")
            target = self._scope(rule_set, "to") if kind == "source" else ANYWHERE
            self._check_rule_set(kind, rule_set, origin, target)
            for rule in rule_set.each("rule"):
                identity = made, rule_set.key, rule.key
                yield rule_set, rule, NatRule(
                    rule_set.key, rule.key, origin, target,
                    self._matches.addresses(rule, "source"),
                    self._matches.addresses(rule, "destination"),
                    self._matches.services(rule), self._ids.of(identity),
                )  # fmt: skip

    def _check_rule_set(self, kind: str, rule_set: Statement, origin: Scope, target: Scope) -> None:
        """It has rules, and is the only one for a place (Junos, "Understanding Source NAT Rules":
        no same ``from`` and ``to`` contexts for different rule sets)."""
        if not rule_set.has_any("rule"):
            text = f"rule-set {rule_set.key} has no rule; add one, or remove the rule-set"
            self._problems.add(rule_set.place, text, rule_set.key)
        if ANYWHERE in (origin, target if kind == "source" else origin):
            return  # complained of already
        for name, known, other in self._contexts.setdefault(kind, []):
            if known.meets(origin) and other.meets(target):
                to = f" to {target}" if kind == "source" else ""
                text = f"rule-set {rule_set.key} is for flows from {origin}{to}, which rule-set "
                text += f"{name} is for; put the rules into one of both"
                self._problems.add(rule_set.place, text)
        self._contexts[kind].append((rule_set.key, origin, target))

    def _scope(self, rule_set: Statement, side: str) -> Scope:
        found = []
        for kind in ScopeKind:
            words = rule_set.words(side, kind.word)
            if words:
                found.append((kind, words))
            for word in words:
                if word.text not in self._known[kind]:
                    what = kind.word.replace("-", " ")
                    self._problems.undefined(word.place, what, word.text, self._known[kind])
        if not found:
            text = f"rule-set {rule_set.key} needs a '{side} zone', '{side} interface' or "
            self._problems.add(rule_set.place, text + f"'{side} routing-instance'", rule_set.key)
            return ANYWHERE
        if len(found) > 1:
            text = f"rule-set {rule_set.key} says '{side}' in several ways; keep one"
            self._problems.add(max(words[0].place for _, words in found), text)
        kind, words = found[0]
        names = tuple(word.text for word in words)
        if kind is ScopeKind.INSTANCE:
            names = tuple("" if name == "default" else name for name in names)
        return Scope(kind, names)

    # -- proxies ------------------------------------------------------------------------------

    def _proxies(self, word: str, family: int) -> Iterator[Proxy]:
        for statement in self._root.each("security", "nat", word, "interface"):
            interface = self._interfaces.get(statement.key)
            if interface is None:
                known = self._interfaces
                self._problems.undefined(statement.place, "interface", statement.key, known)
                continue
            if not statement.has_any("address"):
                text = f"{word} interface {statement.key} needs an address"
                self._problems.add(statement.place, text, statement.key)
            for address in statement.each("address"):
                block = self._pools.block(address)
                if block is None:
                    continue
                if block.size != (4 if family == 4 else 16):
                    text = f"{address.key} is not IPv{family}, which {word} is for"
                    self._problems.add(address.place, text)
                    continue
                for own in interface.addresses:
                    if own.packed in block:
                        text = f"{own.ip} is {statement.key}'s own address; no proxy is needed"
                        self._problems.add(address.place, text)
                yield Proxy(statement.key, block)


def _any_port(protocol: int) -> Application:
    return Application("", protocol, ALL_PORTS, ALL_PORTS)
