"""``show security flow syn-flood-protection``: what SPUs did about SYN floods."""

from __future__ import annotations

from controller.operate.commands import Options
from controller.operate.operator import Operator
from controller.spu.syn_guard import GuardCounts

_ROWS = (
    ("SYNs answered with a cookie", "cookies"),
    ("SYNs answered by proxy", "proxied"),
    ("Half-open now", "half_open"),
    ("Half-open, made room for newer ones", "evicted"),
    ("Half-open, timed out", "expired"),
    ("Clients that acknowledged", "proved"),
    ("Servers that answered", "joined"),
    ("Servers that did not", "failed"),
)


async def show(operator: Operator, _: Options) -> str:
    """The mode, then a column for each SPU."""
    runtime = operator.runtime
    counts: dict[int, GuardCounts] = {n: spu.guard_counts() for n, spu in runtime.spus.items()}
    lines = [f"SYN flood protection mode: {runtime.configuration.syn_flood_mode.value}"]
    lines.append(f"{'':<40}" + "".join(f"{f'SPU {number}':>12}" for number in counts))
    for label, field in _ROWS:
        row = "".join(f"{getattr(count, field):>12}" for count in counts.values())
        lines.append(f"{label:<40}{row}")
    return "\n".join(lines) + "\n"
