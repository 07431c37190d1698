"""What screens put into the tables of one NPU: profiles, thresholds, white lists, routes back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from controller.config.schema import Configuration, Network, ScreenProfile, WhiteListed, Zone
from controller.npu.tables import Entry
from controller.reasons import FIRST_SCREEN, Drop
from controller.routing.fib import fib_of

Match = Mapping[str, int | tuple[int, int]]

MAIN_ROUTER = 0
"""The virtual router of interfaces that are in no routing instance."""

_ANY_PRIORITY = 1
"""Of white list entries: whichever matches says the same."""


class Side(Enum):
    """A side of an NPU, by how the names of its tables begin."""

    INGRESS = ""
    EGRESS = "egress_"


SIDES = tuple(Side)

INWARD_ONLY = frozenset((Drop.SCREEN_SESSION_LIMIT_SOURCE, Drop.SCREEN_SESSION_LIMIT_DESTINATION))
"""Screens that are not applied on the way out."""

_SCREENS = range(FIRST_SCREEN, FIRST_SCREEN + 64)
"""Screens of NPUs; others are the controller's."""
_THRESHOLDS = {
    "icmp_flood": Drop.SCREEN_ICMP_FLOOD,
    "udp_flood": Drop.SCREEN_UDP_FLOOD,
    "syn_flood_attack": Drop.SCREEN_SYN_FLOOD_ATTACK,
    "syn_flood_alarm": Drop.SCREEN_SYN_FLOOD_ALARM,
    "syn_flood_source": Drop.SCREEN_SYN_FLOOD_SOURCE,
    "syn_flood_destination": Drop.SCREEN_SYN_FLOOD_DESTINATION,
    "ip_sweep": Drop.SCREEN_IP_SWEEP,
    "tcp_sweep": Drop.SCREEN_TCP_SWEEP,
    "udp_sweep": Drop.SCREEN_UDP_SWEEP,
    "port_scan": Drop.SCREEN_PORT_SCAN,
    "udp_port_scan": Drop.SCREEN_UDP_PORT_SCAN,
}


def screen_entries(
    configuration: Configuration, profiles: Mapping[str, ScreenProfile | None]
) -> Iterator[Entry]:
    """All entries of an NPU with zones of these names, but those of its interfaces."""
    for name, profile in profiles.items():
        if profile is not None and not profile.thresholds.keys().isdisjoint(_THRESHOLDS.values()):
            yield from _counting(configuration.zones[name], profile)
    for side in SIDES:
        screens = (side_screens(p, side) for p in profiles.values() if p is not None)
        if any(Drop.SCREEN_SPOOFING in each for each in screens):
            yield from _reverse_paths(configuration, side)


def side_screens(profile: ScreenProfile, side: Side) -> frozenset[Drop]:
    """The screens of a profile that are applied on a side."""
    if side is Side.INGRESS:
        return profile.screens if profile.inward else frozenset()
    return profile.screens - INWARD_ONLY if profile.outward else frozenset()


def profile_of_side(profile: ScreenProfile | None, side: Side) -> dict[str, int]:
    """The profile as an interface has it."""
    on = 0 if profile is None else bits(side_screens(profile, side))
    return {
        "screens": on,
        "alarm_only": on if profile is not None and profile.alarm_without_drop else 0,
    }


def bits(screens: Iterable[Drop]) -> int:
    """The bit map of some screens."""
    return sum(1 << (screen - FIRST_SCREEN) for screen in screens if screen in _SCREENS)


def _counting(zone: Zone, profile: ScreenProfile) -> Iterator[Entry]:
    """White lists and thresholds of a zone, on the sides where they are asked for."""
    values = {name: profile.thresholds.get(drop, 0) for name, drop in _THRESHOLDS.items()}
    values["white_lists"] = int(bool(profile.white_lists))
    purpose = f"ids-option {profile.name}"
    for side in SIDES:
        if not side_screens(profile, side).isdisjoint(_THRESHOLDS.values()):
            yield from _white_lists(zone, profile.white_lists, side, purpose)
            table = f"{side.value}screen_thresholds"
            yield Entry(table, "set_thresholds", values, {"zone": zone.id}, purpose=purpose)


def _white_lists(
    zone: Zone, lists: Iterable[WhiteListed], side: Side, purpose: str
) -> Iterator[Entry]:
    table = f"{side.value}flood_white_list"
    # A pair of prefixes may stand in several lists.
    for each in dict.fromkeys(lists):
        match: dict[str, int | tuple[int, int]] = {"zone": zone.id, "protocol": each.protocol}
        for name, prefix in (("src_addr", each.source), ("dst_addr", each.destination)):
            if prefix is not None:
                match[name] = mapped(prefix)
        yield Entry(table, "white_listed", {}, match, _ANY_PRIORITY, purpose)


def mapped(prefix: Network) -> tuple[int, int]:
    """A prefix of either version as value and mask of 128 bits, IPv4 as ``::ffff:a.b.c.d``."""
    address, length = int(prefix.network_address), prefix.prefixlen
    if prefix.version == 4:
        address, length = 0xFFFF << 32 | address, 96 + length
    return address, (1 << 128) - (1 << (128 - length))


def _reverse_paths(configuration: Configuration, side: Side) -> Iterator[Entry]:
    fib = fib_of(configuration)
    for name, vr in {"": MAIN_ROUTER, **configuration.routing_instances}.items():
        for prefix, interface in fib.routes(name).items():
            owner = interface.zone if interface is not None else ""
            zone = configuration.zones[owner].id if owner else 0
            key: Match = {"vr": vr, "src_addr": (int(prefix.network_address), prefix.prefixlen)}
            table = f"{side.value}reverse_path_v{prefix.version}"
            yield Entry(table, "reverse_zone", {"zone": zone}, key, purpose="ip spoofing")
