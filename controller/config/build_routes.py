"""Routing instances and static routes out of the tree of statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network

from controller.config.problems import Problems
from controller.config.schema import Interface, Network, RouteAction, StaticRoute
from controller.config.set_lines import Word
from controller.config.table_circles import circles
from controller.config.tree import Statement

MAX_INSTANCES = 255
_DEFAULT_PREFERENCE = 5


def routing_instances(
    root: Statement, problems: Problems, units: Mapping[str, object]
) -> tuple[dict[str, int], dict[str, str]]:
    """Virtual routers with their numbers from 1, and the virtual router of each interface."""
    numbers: dict[str, int] = {}
    of_interface: dict[str, str] = {}
    for number, instance in enumerate(root.each("routing-instances", ""), start=1):
        name = instance.key
        numbers[name] = number
        if number > MAX_INSTANCES:
            problems.add(instance.place, f"more than {MAX_INSTANCES} routing instances")
        if not instance.has("instance-type"):
            text = f"routing instance {name} needs an instance-type: virtual-router"
            problems.add(instance.place, text, name)
        for member in instance.each("interface"):
            if member.key not in units:
                problems.undefined(member.place, "interface", member.key, units)
                continue
            owner = of_interface.setdefault(member.key, name)
            if owner != name:
                text = f"{member.key} is already in the routing instance {owner}"
                problems.add(member.place, text)
    return numbers, of_interface


class RouteBuilder:
    """Builds the static routes of all routing instances."""

    def __init__(
        self,
        root: Statement,
        problems: Problems,
        interfaces: Mapping[str, Interface],
        instances: Mapping[str, int],
    ) -> None:
        self._root = root
        self._problems = problems
        self._interfaces = interfaces
        self._instances = instances
        self._handed_on: dict[tuple[str, Network], Word] = {}
        """The word that says where, of each route with ``next-table``."""

    def build(self) -> Iterator[StaticRoute]:
        """One for each next hop; each must be on a connected network of its instance."""
        routes = list(self._of_instance(self._root, ""))
        for instance in self._root.each("routing-instances", ""):
            routes += self._of_instance(instance, instance.key)
        for route, address, path in circles(routes, self._interfaces.values()):
            word = self._handed_on.get((route.vr, route.prefix))
            if word is None:
                continue  # it names no table
            family = "inet.0" if route.prefix.version == 4 else "inet6.0"
            tables = ", ".join(f"{vr}.{family}" if vr else family for vr in path)
            text = f"next-table {word.text} leads in a circle for {address}: {tables}"
            self._problems.add(word.place, f"{text}; give one of them a route with a next-hop")
        yield from routes

    def _of_instance(self, holder: Statement, vr: str) -> Iterator[StaticRoute]:
        static = list(holder.each("routing-options", "static", "route"))
        rib = f"{vr}.inet6.0" if vr else "inet6.0"
        for table in holder.each("routing-options", "rib"):
            if table.key != rib:
                self._problems.add(table.place, f"no table '{table.key}' here; expected {rib}")
            static += table.each("static", "route")
        seen: dict[object, Statement] = {}
        for route in static:
            prefix = ip_network(route.key)
            first = seen.setdefault(prefix, route)
            if first is not route:
                text = f"route {prefix} is already configured at line {first.place.line}"
                self._problems.add(route.place, text)
            yield from self._route(route, prefix, vr)

    def _route(self, route: Statement, prefix: Network, vr: str) -> Iterator[StaticRoute]:
        hops = [(word, self._preference(route)) for word in route.words("next-hop")]
        hops += [
            (Word(qualified.key, qualified.place), self._preference(qualified, route))
            for qualified in route.each("qualified-next-hop")
        ]
        others = [word for word in ("reject", "discard", "next-table") if route.has(word)]
        if len(others) + bool(route.words("next-hop")) > 1:
            text = f"route {route.key} has several of next-hop, reject, discard and next-table"
            self._problems.add(route.place, text)
        if not hops and not others:
            text = f"route {route.key} needs a next-hop (or reject, discard or next-table)"
            self._problems.add(route.place, text, route.key)
        for word, preference in hops:
            hop = ip_address(word.text)
            self._check(word, prefix, vr)
            yield StaticRoute(prefix, hop.packed, vr, preference)
        preference = self._preference(route)
        for other in others:
            if other == "next-table":
                table = self._next_table(route.words(other)[0], prefix, vr)
                yield StaticRoute(prefix, None, vr, preference, next_table=table)
            else:
                yield StaticRoute(prefix, None, vr, preference, RouteAction(other))

    def _preference(self, *statements: Statement) -> int:
        for statement in statements:
            text = statement.text("preference")
            if text is not None:
                return int(text)
        return _DEFAULT_PREFERENCE

    def _check(self, word: Word, prefix: Network, vr: str) -> None:
        hop = ip_address(word.text)
        networks = [a for i in self._interfaces.values() if i.vr == vr for a in i.addresses]
        if hop.version != prefix.version:
            text = f"next hop {hop} is IPv{hop.version} but the route IPv{prefix.version}"
            self._problems.add(word.place, text)
        elif any(hop == address.ip for address in networks):
            self._problems.add(word.place, f"next hop {hop} is an address of our own")
        elif not any(hop in address.network for address in networks):
            text = f"next hop {hop} is on no connected network; connected are: "
            connected = sorted({str(a.network) for a in networks})
            self._problems.add(word.place, text + (", ".join(connected) or "none"))

    def _next_table(self, word: Word, prefix: Network, vr: str) -> str:
        """The virtual router that ``NAME.inet.0`` or ``inet.0`` belongs to."""
        family = "inet.0" if prefix.version == 4 else "inet6.0"
        tables = {f"{name}.{family}": name for name in self._instances} | {family: ""}
        if word.text not in tables:
            self._problems.undefined(word.place, "table", word.text, tables)
            return ""
        self._handed_on[vr, prefix] = word
        if tables[word.text] == vr:
            text = f"next-table {word.text} of route {prefix} leads back into its own table"
            self._problems.add(word.place, text)
        return tables[word.text]
