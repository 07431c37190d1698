"""``show security flow cp-session``: the central point's global table."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.flow import Direction, FlowKey, WingState
from controller.operate import text
from controller.operate.commands import Options
from controller.operate.operator import Operator
from controller.operate.session_filter import flow_matches

_LEVELS = {"terse", "summary"}


@dataclass(slots=True)
class _Entry:
    """A session as the central point has it, or one that is being set up."""

    session_id: int
    spu: int
    is_pending: bool
    wings: dict[Direction, FlowKey] = field(default_factory=dict)


async def show(operator: Operator, options: Options) -> str:
    """``show security flow cp-session [filters] [terse | summary]``; fields as Juniper's command
    reference lists them, the layout of a line is our own."""
    counts = operator.runtime.central_point.counts()
    if options.keys() == {"summary"}:
        return _summary(operator, counts.active, counts.pending)
    chosen = [
        entry
        for entry in _entries(operator)
        if options.keys() <= _LEVELS or flow_matches(entry.wings[Direction.FORWARD], options)
    ]
    if "summary" in options:
        pending = sum(entry.is_pending for entry in chosen)
        return _summary(operator, len(chosen) - pending, pending)
    lines = []
    for entry in chosen:
        state = "Pending" if entry.is_pending else "Valid"
        lines.append(f"Session ID: {entry.session_id}, SPU: {entry.spu}, {state}")
        for direction, name in ((Direction.FORWARD, "In"), (Direction.REVERSE, "Out")):
            if direction in entry.wings:
                lines.append(f"  {name}: {text.flow(entry.wings[direction])}")
        lines.append("")
    lines.append(f"Total sessions: {len(chosen)}")
    return "\n".join(lines) + "\n"


def _entries(operator: Operator) -> list[_Entry]:
    found: dict[tuple[int, FlowKey | None], _Entry] = {}
    for wing in operator.runtime.central_point.wings():
        # Pending wings have no session yet, hence no id to go by.
        pending = wing.state is WingState.PENDING
        index = (wing.session_id, wing.key if pending else None)
        if index not in found:
            found[index] = _Entry(wing.session_id, wing.spu, pending)
        found[index].wings[wing.direction] = wing.key
    return list(found.values())


def _summary(operator: Operator, active: int, pending: int) -> str:
    maximum = operator.runtime.central_point.counts().maximum
    return (
        f"Valid sessions: {active}\n"
        f"Pending sessions: {pending}\n"
        "Invalidated sessions: 0\n"
        "Sessions in other states: 0\n"
        f"Total sessions: {active + pending}\n"
        f"Maximum sessions: {maximum}\n"
        f"Maximum inet6 sessions: {maximum // 2}\n"
    )
