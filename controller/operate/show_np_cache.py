"""``show security np-cache summary``: the wings that each NPU holds."""

from __future__ import annotations

import asyncio

from controller.operate.commands import Options
from controller.operate.operator import Operator


async def summary(operator: Operator, _: Options) -> str:
    """Counted in the NPUs' own tables, not from what was sent to them. Raises ``NpuError``.

    The original's cache has the wings of Express Path only; ours also has those that lead to an
    SPU, shown on a line of their own.
    """
    npus = operator.runtime.npus
    blocks = []
    counts = await asyncio.gather(*(npu.wing_counts() for npu in npus.values()))
    for number, count in zip(npus, counts, strict=True):
        usage = 100 * (count.express + count.normal) // max(1, count.capacity)
        blocks.append(
            f"FPC{number}:\n"
            f"NP-cache/services-offload Wings: {count.express}\n"
            f"NP-cache/normal Wings: {count.normal}\n"
            f"NP-cache Capacity: {count.capacity}\n"
            f"NP-cache Usage: {usage}%\n"
        )
    return "\n".join(blocks)
