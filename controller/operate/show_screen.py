"""``show`` and ``clear security screen statistics``, live from the NPUs' counters."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from controller.config.screens import SCREENS
from controller.operate.commands import CommandError, Options
from controller.operate.operator import Operator
from controller.operate.show_policies import known_zone
from controller.reasons import FIRST_SCREEN, Drop

SCREENS_A_ZONE = 64
_COUNTERS = ("screen_hits", "egress_screen_hits")

_SYN_FLOOD = (
    Drop.SCREEN_SYN_FLOOD_SOURCE,
    Drop.SCREEN_SYN_FLOOD_DESTINATION,
    Drop.SCREEN_SYN_FLOOD_ATTACK,
)

_IN_ORDER: tuple[tuple[str, Drop | None], ...] = (
    ("ICMP flood", Drop.SCREEN_ICMP_FLOOD),
    ("UDP flood", Drop.SCREEN_UDP_FLOOD),
    ("TCP winnuke", Drop.SCREEN_WINNUKE),
    ("TCP port scan", Drop.SCREEN_PORT_SCAN),
    ("UDP port scan", Drop.SCREEN_UDP_PORT_SCAN),
    ("ICMP address sweep", Drop.SCREEN_IP_SWEEP),
    ("TCP sweep", Drop.SCREEN_TCP_SWEEP),
    ("UDP sweep", Drop.SCREEN_UDP_SWEEP),
    ("IP tear drop", Drop.SCREEN_TEAR_DROP),
    ("TCP SYN flood", None),
    ("IP spoofing", Drop.SCREEN_SPOOFING),
    ("ICMP ping of death", Drop.SCREEN_PING_DEATH),
    ("IP source route option", Drop.SCREEN_SOURCE_ROUTE),
    ("TCP land attack", Drop.SCREEN_LAND),
    ("TCP SYN fragment", Drop.SCREEN_SYN_FRAG),
    ("TCP no flag", Drop.SCREEN_TCP_NO_FLAG),
    ("IP unknown protocol", Drop.SCREEN_UNKNOWN_PROTOCOL),
    ("IP bad options", Drop.SCREEN_BAD_OPTION),
    ("IP record route option", Drop.SCREEN_RECORD_ROUTE),
    ("IP timestamp option", Drop.SCREEN_TIMESTAMP),
    ("IP security option", Drop.SCREEN_SECURITY),
    ("IP loose source route option", Drop.SCREEN_LOOSE_SOURCE_ROUTE),
    ("IP strict source route option", Drop.SCREEN_STRICT_SOURCE_ROUTE),
    ("IP stream option", Drop.SCREEN_STREAM),
    ("ICMP fragment", Drop.SCREEN_ICMP_FRAGMENT),
    ("ICMP large packet", Drop.SCREEN_ICMP_LARGE),
    ("TCP SYN FIN", Drop.SCREEN_SYN_FIN),
    ("TCP FIN no ACK", Drop.SCREEN_FIN_NO_ACK),
    ("Source session limit", Drop.SCREEN_SESSION_LIMIT_SOURCE),
    ("TCP SYN-ACK-ACK proxy", Drop.SYN_ACK_ACK_PROXY),
    ("IP block fragment", Drop.SCREEN_BLOCK_FRAG),
    ("Destination session limit", Drop.SCREEN_SESSION_LIMIT_DESTINATION),
)
"""In the order of Juniper's administration guide. Rows without a screen here stay zero."""


def _rows() -> dict[str, tuple[Drop, ...]]:
    """Labels and the screens whose hits they sum up; those that the guide lacks stand behind."""
    rows: dict[str, tuple[Drop, ...]] = {
        label: () if screen is None else (screen,) for label, screen in _IN_ORDER
    }
    rows["TCP SYN flood"] = _SYN_FLOOD
    known = {screen for screens in rows.values() for screen in screens}
    rows |= {s.label: (s.drop,) for s in SCREENS if s.drop not in known}
    return rows


ROWS = _rows()


def _cells(zones: Iterable[int]) -> list[int]:
    every = [screen for screens in ROWS.values() for screen in screens if _is_of_npu(screen)]
    bits = [screen - FIRST_SCREEN for screen in every]
    return [zone * SCREENS_A_ZONE + bit for zone in zones for bit in bits]


def _is_of_npu(screen: Drop) -> bool:
    return screen < FIRST_SCREEN + SCREENS_A_ZONE


def _own(operator: Operator) -> list[Counter[tuple[int, Drop]]]:
    """What the controller's own screens found."""
    runtime = operator.runtime
    guards = [spu.guard_counts().screen_hits for spu in runtime.spus.values()]
    return [runtime.central_point.screen_hits, *guards]


async def show(operator: Operator, options: Options) -> str:
    """``show security screen statistics zone Z``: of NPUs, central point and SPUs. Raises
    ``NpuError``."""
    zone = known_zone(operator, options["zone"])
    reads = [
        npu.counters.read(alias, _cells([zone]))
        for npu in operator.runtime.npus.values()
        for alias in _COUNTERS
    ]
    hits: dict[int, int] = {}
    for cells in await asyncio.gather(*reads):
        for index, count in cells.items():
            hits[index] = hits.get(index, 0) + count.packets
    lines = ["Screen statistics:", "", f"{'IDS attack type':<45}Statistics"]
    first = zone * SCREENS_A_ZONE - FIRST_SCREEN
    own = _own(operator)
    for name, screens in ROWS.items():
        found = sum(hits.get(first + screen, 0) for screen in screens if _is_of_npu(screen))
        found += sum(counts.get((zone, screen), 0) for screen in screens for counts in own)
        lines.append(f"  {name:<43}{found}")
    return "\n".join(lines) + "\n"


async def ids_option(operator: Operator, options: Options) -> str:
    """``show security screen ids-option NAME``: the screens that are on, and their thresholds."""
    profiles = operator.runtime.configuration.screens
    name = options["ids-option"]
    profile = profiles.get(name)
    if profile is None:
        raise CommandError(
            f"no ids-option '{name}'; configured are: {', '.join(profiles) or 'none'}"
        )
    lines = ["Screen object status:", "", f"{'Name':<45}Value"]
    for screen in SCREENS:
        if screen.drop in profile.screens:
            value = profile.thresholds.get(screen.drop, "enabled")
            lines.append(f"  {screen.label:<43}{value}")
    if profile.white_lists:
        lines.append(f"  {'Flood white list entries':<43}{len(profile.white_lists)}")
    if not (profile.inward and profile.outward):
        lines.append(f"  {'Match direction':<43}{'input' if profile.inward else 'output'}")
    if profile.alarm_without_drop:
        lines.append(f"  {'Alarm without drop':<43}enabled")
    return "\n".join(lines) + "\n"


async def clear(operator: Operator, options: Options) -> str:
    """``clear security screen statistics [zone Z]``. Raises ``NpuError``."""
    if "zone" in options:
        zones = [known_zone(operator, options["zone"])]
    else:
        zones = [zone.id for zone in operator.runtime.configuration.zones.values()]
    clears = [
        npu.counters.clear(alias, _cells(zones))
        for npu in operator.runtime.npus.values()
        for alias in _COUNTERS
    ]
    await asyncio.gather(*clears)
    for counts in _own(operator):
        for cell in [cell for cell in counts if cell[0] in zones]:
            del counts[cell]
    return "IDS statistics cleared\n"
