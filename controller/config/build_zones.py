"""Interfaces, zones, screens and routes out of the tree of statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from controller.config import screens
from controller.config.problems import Problems
from controller.config.schema import (
    Chassis,
    HostService,
    Interface,
    ScreenProfile,
    StaticRoute,
    Zone,
)
from controller.config.tree import Statement
from controller.flow import Port

MAX_ZONES = 255
_IFD = re.compile(r"ge-(\d+)/0/(\d+)")


def interface_port(name: str) -> Port:
    """The port that ``ge-<npu>/0/<n>`` names: port *n* + 1 of that NPU."""
    match = _IFD.match(name)
    if match is None:
        raise ValueError(f"{name!r} is no interface name such as ge-1/0/0")
    return Port(int(match[1]), int(match[2]) + 1)


def interface_mac(port: Port) -> bytes:
    """The MAC address of an interface: locally administered, NPU and port in the last bytes."""
    return bytes((0x02, 0, 0, port.npu, port.port >> 8, port.port & 0xFF))


class ZoneBuilder:
    """Builds ``interfaces``, ``zones`` and ``screens``; then ``routes``."""

    def __init__(self, root: Statement, problems: Problems, chassis: Chassis | None) -> None:
        self._root = root
        self._problems = problems
        self._chassis = chassis
        self.interfaces: dict[str, Interface] = {}
        self.zones: dict[str, Zone] = {}
        self.screens: dict[str, ScreenProfile] = {}
        self._zone_of: dict[str, str] = {}
        self._host_inbound_of: dict[str, frozenset[HostService]] = {}
        self._units: dict[str, Statement] = {}

    def build(self) -> None:
        """Fill the three mappings."""
        self._collect_units()
        self._build_screens()
        self._build_zones()
        self._build_interfaces()
        self._check_subnets()

    def routes(self) -> Iterator[StaticRoute]:
        """Static routes; each next hop must be on a connected network."""
        seen: dict[object, Statement] = {}
        static = list(self._root.each("routing-options", "static", "route"))
        for rib in self._root.each("routing-options", "rib"):
            static += rib.each("static", "route")
        networks = [a for i in self.interfaces.values() for a in i.addresses]
        for route in static:
            prefix = ip_network(route.key)
            first = seen.setdefault(prefix, route)
            if first is not route:
                text = f"route {prefix} is already configured at line {first.place.line}"
                self._problems.add(route.place, text)
            hops = route.words("next-hop")
            if not hops:
                self._problems.add(route.place, f"route {route.key} needs a next-hop", route.key)
                continue
            hop = ip_address(hops[0].text)
            if hop.version != prefix.version:
                text = f"next hop {hop} is IPv{hop.version} but the route IPv{prefix.version}"
                self._problems.add(hops[0].place, text)
            elif any(hop == address.ip for address in networks):
                self._problems.add(hops[0].place, f"next hop {hop} is an address of our own")
            elif not any(hop in address.network for address in networks):
                text = f"next hop {hop} is on no connected network; connected are: "
                connected = sorted({str(a.network) for a in networks})
                self._problems.add(hops[0].place, text + (", ".join(connected) or "none"))
            yield StaticRoute(prefix, hop.packed)

    # -- interfaces -----------------------------------------------------------------------

    def _collect_units(self) -> None:
        for interface in self._root.each("interfaces", ""):
            for unit in interface.each("unit"):
                self._units[f"{interface.key}.{unit.key}"] = unit
            if self._chassis is not None:
                npu = interface_port(interface.key).npu
                if npu not in self._chassis.npus:
                    has = ", ".join(map(str, sorted(self._chassis.npus)))
                    text = f"{interface.key} is on NPU {npu}, but the chassis has only NPU {has}"
                    self._problems.add(interface.place, text)

    def _build_interfaces(self) -> None:
        for parent in self._root.each("interfaces", ""):
            tagging = parent.has("vlan-tagging")
            vlans: dict[int, str] = {}
            for unit in parent.each("unit"):
                name = f"{parent.key}.{unit.key}"
                vlan = self._vlan(parent, unit, name, tagging)
                if vlan in vlans:
                    text = f"{name} has the same VLAN {vlan} as {vlans[vlan]}"
                    self._problems.add(unit.place, text)
                vlans[vlan] = name
                zone = self._zone_of.get(name, "")
                port = interface_port(parent.key)
                self.interfaces[name] = Interface(
                    name=name,
                    port=port,
                    vlan=vlan,
                    mac=interface_mac(port),
                    addresses=tuple(self._addresses(unit)),
                    zone=zone,
                    token=self.zones[zone].id if zone else 0,
                    host_inbound=self._host_inbound_of.get(name),
                )

    def _vlan(self, parent: Statement, unit: Statement, name: str, tagging: bool) -> int:
        words = unit.words("vlan-id")
        if tagging and not words:
            text = f"{name} needs a vlan-id because {parent.key} has vlan-tagging"
            self._problems.add(unit.place, text, parent.key)
        if words and not tagging:
            text = f"vlan-id without tagging; add: set interfaces {parent.key} vlan-tagging"
            self._problems.add(words[0].place, text, parent.key)
        if not tagging and unit.key != "0":
            text = f"without vlan-tagging {parent.key} has only unit 0"
            self._problems.add(unit.place, text)
        return int(words[0].text) if words else 0

    def _addresses(self, unit: Statement) -> Iterator[IPv4Interface | IPv6Interface]:
        for family in ("inet", "inet6"):
            for address in unit.each("family", family, "address"):
                value = ip_interface(address.key)
                network = value.network
                if network.prefixlen < network.max_prefixlen - 1 and value.ip in (
                    network.network_address,
                    network.broadcast_address if value.version == 4 else None,
                ):
                    text = f"{address.key} is the network or broadcast address of {network}"
                    self._problems.add(address.place, text + "; use a host address within it")
                yield value

    def _check_subnets(self) -> None:
        """No two networks may overlap: the connected route would be ambiguous."""
        known: list[tuple[IPv4Interface | IPv6Interface, str]] = []
        for name, unit in self._units.items():
            for family in ("inet", "inet6"):
                for statement in unit.each("family", family, "address"):
                    address = ip_interface(statement.key)
                    for other, owner in known:
                        if other.version == address.version and other.network.overlaps(
                            address.network
                        ):
                            text = f"{address} of {name} overlaps {other} of {owner}"
                            self._problems.add(statement.place, text)
                            break
                    known.append((address, name))

    # -- zones and screens ----------------------------------------------------------------

    def _build_screens(self) -> None:
        for option in self._root.each("security", "screen", "ids-option"):
            on = screens.configured(option)
            if not on:
                text = f"ids-option {option.key} switches no screen on"
                self._problems.add(option.place, text + "; add for example: tcp land", option.key)
            self.screens[option.key] = ScreenProfile(
                option.key,
                frozenset(on),
                option.has("alarm-without-drop"),
                {screen: value for screen, value in on.items() if screen in screens.THRESHOLDS},
            )

    def _build_zones(self) -> None:
        statements = list(self._root.each("security", "zones", "security-zone"))
        for number, zone in enumerate(statements, start=1):
            if number > MAX_ZONES:
                self._problems.add(zone.place, f"more than {MAX_ZONES} security zones")
                break
            names = []
            for member in zone.each("interfaces"):
                if member.key not in self._units:
                    self._problems.undefined(member.place, "interface", member.key, self._units)
                    continue
                owner = self._zone_of.setdefault(member.key, zone.key)
                if owner != zone.key:
                    text = f"{member.key} is already in zone {owner}; an interface has one zone"
                    self._problems.add(member.place, text)
                    continue
                names.append(member.key)
                if member.has("host-inbound-traffic"):
                    self._host_inbound_of[member.key] = _host_inbound(member)
            self.zones[zone.key] = Zone(
                name=zone.key,
                id=number,
                interfaces=tuple(names),
                screen=self._screen_name(zone),
                host_inbound=_host_inbound(zone),
            )

    def _screen_name(self, zone: Statement) -> str:
        words = zone.words("screen")
        if words and words[0].text not in self.screens:
            self._problems.undefined(words[0].place, "ids-option", words[0].text, self.screens)
            return ""
        return words[0].text if words else ""


def _host_inbound(statement: Statement) -> frozenset[HostService]:
    """What a zone, or an interface of it, lets in for the firewall itself."""
    said = list(statement.each("host-inbound-traffic", "system-services"))
    allowed = {HostService(s.key) for s in said if not s.has("except")}
    refused = {HostService(s.key) for s in said if s.has("except")}
    if refused and HostService.ALL in allowed:
        allowed |= set(HostService) - {HostService.ANY_SERVICE}
        allowed.remove(HostService.ALL)
    return frozenset(allowed - refused)
