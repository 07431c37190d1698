"""Our own: the walk of a flow's first packet, and drops by reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from operator import itemgetter

from controller.messages import Actor
from controller.operate import text
from controller.operate.commands import CommandError, Options
from controller.operate.drop_words import why
from controller.operate.observer import Walk
from controller.operate.operator import Operator
from controller.operate.session_filter import flow_matches
from controller.operate.walk_lines import drop_line, step_line, who
from controller.reasons import Drop

DATA_PLANE_REASONS = 128
"""Drop reasons from here up are the control plane's and are not counted by NPUs."""


async def walks(operator: Operator, options: Options) -> str:
    """``show security flow walk [filters] [last N]``: newest last, times relative to the miss."""
    found = [walk for walk in operator.runtime.observer.walks.values() if _matches(walk, options)]
    if not found:
        raise CommandError("no walk of a first packet is known that matches")
    last = int(options.get("last", "0")) or len(found)
    return "\n".join(_walk(walk) for walk in found[-last:])


def _matches(walk: Walk, options: Options) -> bool:
    number = options.get("session-identifier")
    return number in (None, str(walk.session_id)) and flow_matches(walk.flow, options)


def _walk(walk: Walk) -> str:
    start = walk.steps[0].at
    session = f", session {walk.session_id}" if walk.session_id else ""
    lines = [f"First packet of {text.flow(walk.flow)}, token {walk.flow.token:#x}{session}:"]
    told = [(step.at, step_line(step, start)) for step in walk.steps]
    told += [(f.first.at, drop_line(f.first, start, f.packets)) for f in walk.falls.values()]
    lines += [line for _, line in sorted(told, key=itemgetter(0))]
    if walk.is_cut:
        lines.append("(what followed was not recorded: too many first packets a second)")
    return "\n".join(lines) + "\n"


async def drops(operator: Operator, _: Options) -> str:
    """``show security flow drops``: where, why, how many. Raises ``NpuError``."""
    lines = [f"{'Where':<18}{'Reason':<33}{'Packets':>9}  Why"]
    rows = [row async for row in _npu_drops(operator)]
    for number, npu in operator.runtime.npus.items():
        if npu.connection.packets_out_dropped:
            # They wait for the stream to the NPU, which takes them too slowly.
            waited = npu.connection.packets_out_dropped
            rows.append((f"NPU {number} packet-out", Drop.QUEUE_FULL, waited))
    for (actor, reason), count in sorted(operator.runtime.observer.drops.items(), key=_by_place):
        rows.append((who(actor), reason, count))
    lines += [_drop_row(where, reason, count, why(reason)) for where, reason, count in rows]
    for (actor, reason), count in sorted(operator.runtime.observer.ran_out.items(), key=_by_place):
        lines.append(_drop_row(who(actor), reason, count, "wings left out, nothing dropped"))
    faults = operator.runtime.faults
    if faults.undeliverable or faults.failed:
        lines.append(f"Messages undeliverable: {faults.undeliverable}, failed: {faults.failed}")
    lines.append(f"Total drops: {sum(count for _, _, count in rows)}")
    return "\n".join(lines) + "\n"


def _drop_row(where: str, reason: Drop, count: int, what: str) -> str:
    return f"{where:<18}{reason.name:<33}{count:>9}  {what}"


async def _npu_drops(operator: Operator) -> AsyncIterator[tuple[str, Drop, int]]:
    reasons = [reason for reason in Drop if reason < DATA_PLANE_REASONS]
    for number, npu in operator.runtime.npus.items():
        for alias, side in (("drops", "ingress"), ("egress_drops", "egress")):
            cells = await npu.counters.read(alias, reasons)
            for reason in reasons:
                if reason in cells and cells[reason].packets:
                    yield f"NPU {number} {side}", reason, cells[reason].packets


def _by_place(item: tuple[tuple[Actor, Drop], int]) -> tuple[str, int, int]:
    (actor, reason), _ = item
    return actor.role.value, actor.number, reason
