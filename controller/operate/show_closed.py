"""``show security flow closed``: why sessions ended."""

from __future__ import annotations

from controller.operate.commands import Options
from controller.operate.operator import Operator
from controller.operate.session_log import CLOSE_REASONS


async def closed(operator: Operator, _: Options) -> str:
    """Sessions so far by the reason that their close records give; our own layout."""
    counts = operator.runtime.observer.closes
    rows = sorted((CLOSE_REASONS[reason], count) for reason, count in counts.items())
    lines = [f"{'Reason':<32}Sessions"]
    lines += [f"{reason:<32}{count:>8}" for reason, count in rows]
    unrecorded = sum(m.unrecorded for m in operator.runtime.central_point.members().values())
    if unrecorded:
        lines.append(f"{'SPU lost, without a record':<32}{unrecorded:>8}")
    lines.append(f"Total closed: {counts.total() + unrecorded}")
    return "\n".join(lines) + "\n"
