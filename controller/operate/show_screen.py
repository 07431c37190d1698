"""``show`` and ``clear security screen statistics``, live from the NPUs' counters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from controller.operate.commands import Options
from controller.operate.operator import Operator
from controller.operate.show_policies import known_zone
from controller.reasons import FIRST_SCREEN, Drop

SCREENS_A_ZONE = 64
_COUNTERS = ("screen_hits", "egress_screen_hits")

ROWS: tuple[tuple[str, Drop | None], ...] = (
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
    ("TCP SYN-ACK-ACK proxy", None),
    ("IP block fragment", Drop.SCREEN_BLOCK_FRAG),
    ("Destination session limit", Drop.SCREEN_SESSION_LIMIT_DESTINATION),
)
"""In the order of Juniper's administration guide. Rows without a screen here stay zero."""


def _cells(zones: Iterable[int]) -> list[int]:
    bits = [screen - FIRST_SCREEN for _, screen in ROWS if screen is not None]
    return [zone * SCREENS_A_ZONE + bit for zone in zones for bit in bits]


async def show(operator: Operator, options: Options) -> str:
    """``show security screen statistics zone Z``: of all NPUs. Raises ``NpuError``."""
    zone = known_zone(operator, options["zone"])
    reads = [
        npu.read_counter(alias, _cells([zone]))
        for npu in operator.runtime.npus.values()
        for alias in _COUNTERS
    ]
    hits: dict[int, int] = {}
    for cells in await asyncio.gather(*reads):
        for index, count in cells.items():
            hits[index] = hits.get(index, 0) + count.packets
    lines = ["Screen statistics:", "", f"{'IDS attack type':<45}Statistics"]
    for name, screen in ROWS:
        index = -1 if screen is None else zone * SCREENS_A_ZONE + screen - FIRST_SCREEN
        lines.append(f"  {name:<43}{hits.get(index, 0)}")
    return "\n".join(lines) + "\n"


async def clear(operator: Operator, options: Options) -> str:
    """``clear security screen statistics [zone Z]``. Raises ``NpuError``."""
    if "zone" in options:
        zones = [known_zone(operator, options["zone"])]
    else:
        zones = [zone.id for zone in operator.runtime.configuration.zones.values()]
    clears = [
        npu.clear_counter(alias, _cells(zones))
        for npu in operator.runtime.npus.values()
        for alias in _COUNTERS
    ]
    await asyncio.gather(*clears)
    return "IDS statistics cleared\n"
