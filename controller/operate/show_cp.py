"""``show security flow cp-session``: the central point's global table."""

from __future__ import annotations

from controller.flow import Direction, FlowKey, WingState
from controller.operate import text
from controller.operate.commands import Options
from controller.operate.operator import Operator


async def show(operator: Operator, options: Options) -> str:
    """``show security flow cp-session [terse | summary]``; fields as Juniper's command reference
    lists them, the layout of a line is our own."""
    central_point = operator.runtime.central_point
    counts = central_point.counts()
    if "summary" in options:
        return (
            f"Valid sessions: {counts.active}\n"
            f"Pending sessions: {counts.pending}\n"
            "Invalidated sessions: 0\n"
            "Sessions in other states: 0\n"
            f"Total sessions: {counts.active + counts.pending}\n"
            f"Maximum sessions: {counts.maximum}\n"
            f"Maximum inet6 sessions: {counts.maximum // 2}\n"
        )
    sessions: dict[tuple[int, FlowKey | None], dict[Direction, FlowKey]] = {}
    owners = {}
    for wing in central_point.wings():
        # Pending wings have no session yet, hence no id to go by.
        pending = wing.state is WingState.PENDING
        index = (wing.session_id, wing.key if pending else None)
        sessions.setdefault(index, {})[wing.direction] = wing.key
        owners[index] = wing.spu
    lines = []
    for (session_id, flow), wings in sessions.items():
        state = "Valid" if flow is None else "Pending"
        owner = owners[session_id, flow]
        lines.append(f"Session ID: {session_id}, SPU: {owner}, {state}")
        for direction, name in ((Direction.FORWARD, "In"), (Direction.REVERSE, "Out")):
            if direction in wings:
                lines.append(f"  {name}: {text.flow(wings[direction])}")
        lines.append("")
    lines.append(f"Total sessions: {len(sessions)}")
    return "\n".join(lines) + "\n"
