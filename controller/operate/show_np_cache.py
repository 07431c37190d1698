"""``show security np-cache``: the wings that each NPU holds, and why others are not there."""

from __future__ import annotations

import asyncio
from collections import Counter

from controller.operate.commands import Options
from controller.operate.operator import Operator
from controller.spu.express import NotExpress


async def reasons(operator: Operator, _: Options) -> str:
    """``show security np-cache reasons``: why sessions are not on Express Path, live ones and all
    since the controller started. ``show security flow session not-offloaded WORD`` lists them."""
    live: Counter[NotExpress | None] = Counter()
    total: Counter[NotExpress | None] = Counter()
    for spu in operator.runtime.spus.values():
        live.update(spu.express_now())
        total.update(spu.express_counts())
    lines = [f"{'Services-offload':<16} {'Sessions':>9} {'Total':>11}  Why"]
    for reason in (None, *NotExpress):
        word, why = ("yes", "") if reason is None else (reason.word, reason.value)
        lines.append(f"{word:<16} {live[reason]:>9} {total[reason]:>11}  {why}".rstrip())
    return "\n".join(lines) + "\n"


async def summary(operator: Operator, _: Options) -> str:
    """Counted in the NPUs' own tables, not from what was sent to them. Raises ``NpuError``.

    The original's cache has the wings of Express Path only; ours also has those that lead to an
    SPU, shown on a line of their own.
    """
    npus = operator.runtime.npus
    blocks = []
    counts = await asyncio.gather(*(npu.wings.counts() for npu in npus.values()))
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
