"""Interfaces, zones and screens out of the tree of statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from itertools import count

from controller.config import screens
from controller.config.build_routes import routing_instances
from controller.config.cards import Chassis
from controller.config.host_services import HostService, build_host_inbound
from controller.config.numbering import Numbers
from controller.config.problems import Problems
from controller.config.schema import GLOBAL_ZONE, Configuration, Interface, ScreenProfile, Zone
from controller.config.tree import Statement
from controller.config.white_lists import white_listed
from controller.flow import Port
from controller.reasons import Drop

MAX_ZONES = 255
RESERVED_ZONES = ("any", GLOBAL_ZONE, "junos-host")
"""Names that mean something else in a policy."""
LIMITS = frozenset((Drop.SCREEN_SESSION_LIMIT_SOURCE, Drop.SCREEN_SESSION_LIMIT_DESTINATION))
DEFAULT_MTU = 1514
ETHERNET_HEADER = 14
"""Junos counts it in ``mtu``; a VLAN tag comes on top."""
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
    """Builds ``interfaces``, ``zones``, ``screens`` and ``routing_instances``."""

    def __init__(
        self,
        root: Statement,
        problems: Problems,
        chassis: Chassis | None,
        previous: Configuration | None = None,
    ) -> None:
        """Zones and tokens keep the numbers that they have in ``previous``."""
        self._root = root
        self._previous = previous
        self._problems = problems
        self._chassis = chassis
        self.interfaces: dict[str, Interface] = {}
        self.zones: dict[str, Zone] = {}
        self.screens: dict[str, ScreenProfile] = {}
        self.routing_instances: dict[str, int] = {}
        self._zone_of: dict[str, str] = {}
        self._host_inbound_of: dict[str, frozenset[HostService]] = {}
        self._units: dict[str, Statement] = {}
        self._vr_of: dict[str, str] = {}
        before = {} if previous is None else previous.interfaces
        self._tokens = Numbers(
            {(i.zone, i.vr): i.token for i in before.values() if i.zone and i.vr},
            first=MAX_ZONES + 1,
        )

    def build(self) -> None:
        """Fill the four mappings."""
        self._collect_units()
        self.routing_instances, self._vr_of = routing_instances(
            self._root, self._problems, self._units
        )
        self._build_screens()
        self._build_zones()
        self._build_interfaces()
        self._check_subnets()

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
                    token=self._token(zone, self._vr_of.get(name, "")),
                    host_inbound=self._host_inbound_of.get(name),
                    vr=self._vr_of.get(name, ""),
                    enabled=not (parent.has("disable") or unit.has("disable")),
                    mtu=int(parent.text("mtu") or DEFAULT_MTU) - ETHERNET_HEADER,
                )

    def _token(self, zone: str, vr: str) -> int:
        """What stands for a zone and virtual router; the zone's number where there is but one."""
        if not zone or not vr:
            return self.zones[zone].id if zone else 0
        return self._tokens.of((zone, vr))

    def _zone_numbers(self, names: list[str]) -> dict[str, int]:
        """In the order of the file; those that had a number keep it."""
        known = {} if self._previous is None else self._previous.zones
        numbers = {name: known[name].id for name in names if name in known}
        used = set(numbers.values()) | {zone.id for zone in known.values()}
        if len(used) + len(names) > MAX_ZONES:
            used = set(numbers.values())
        free = (number for number in count(1) if number not in used)
        for name in names:
            if name not in numbers:
                numbers[name] = next(free)
        return numbers

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
        every: dict[str, list[tuple[IPv4Interface | IPv6Interface, str]]] = {}
        for name, unit in self._units.items():
            known = every.setdefault(self._vr_of.get(name, ""), [])
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
            direction = option.text("match-direction") or "input-output"
            if direction == "output" and not LIMITS.isdisjoint(on):
                text = "limit-session counts sessions from a zone: not with match-direction output"
                self._problems.add(option.place, text, option.key)
            self.screens[option.key] = ScreenProfile(
                option.key,
                frozenset(on),
                option.has("alarm-without-drop"),
                {screen: value for screen, value in on.items() if screen in screens.THRESHOLDS},
                screens.syn_flood_timeout(option),
                white_listed(option, self._root, self._problems),
                direction != "output",
                direction != "input",
            )

    def _build_zones(self) -> None:
        statements = list(self._root.each("security", "zones", "security-zone"))
        numbers = self._zone_numbers([zone.key for zone in statements])
        for zone in statements:
            number = numbers[zone.key]
            if number > MAX_ZONES:
                self._problems.add(zone.place, f"more than {MAX_ZONES} security zones")
                break
            if zone.key in RESERVED_ZONES:
                text = f"'{zone.key}' is no name of a security zone: it has a meaning of its own"
                self._problems.add(zone.place, text)
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
                    self._host_inbound_of[member.key] = build_host_inbound(member, self._problems)
            self.zones[zone.key] = Zone(
                name=zone.key,
                id=number,
                interfaces=tuple(names),
                screen=self._screen_name(zone),
                host_inbound=build_host_inbound(zone, self._problems),
                tcp_rst=zone.has("tcp-rst"),
            )

    def _screen_name(self, zone: Statement) -> str:
        words = zone.words("screen")
        if words and words[0].text not in self.screens:
            self._problems.undefined(words[0].place, "ids-option", words[0].text, self.screens)
            return ""
        return words[0].text if words else ""
