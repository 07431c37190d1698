"""``show security np-cache summary``: how full the NPUs' session tables are, read from them."""

from __future__ import annotations

import asyncio

from controller.operate.commands import Options
from controller.operate.operator import Operator


async def summary(operator: Operator, _options: Options) -> str:
    """A block for each NPU. Raises ``NpuError``."""
    npus = sorted(operator.runtime.npus.items())
    tables = await asyncio.gather(*(npu.session_entries() for _, npu in npus))
    blocks = []
    for (number, npu), entries in zip(npus, tables, strict=True):
        wings, capacity = len(entries), npu.capacity
        blocks.append(
            f"FPC{number}:\n"
            f"NP-cache Wings: {wings}\n"
            f"NP-cache Capacity: {capacity}\n"
            f"NP-cache Usage: {100 * wings // capacity}%\n"
        )
    return "\n".join(blocks)
