"""``show`` and ``clear firewall``: counters of filters, live from the NPUs, and what terms log."""

from __future__ import annotations

import asyncio

from controller.config.stateless import Filter
from controller.messages import TraceCopy
from controller.npu.counters import Count
from controller.operate import text
from controller.operate.commands import CommandError, Options
from controller.operate.copies import Copies
from controller.operate.operator import Operator
from controller.packet import parse
from controller.reasons import Drop, Punt, Stage, Verdict

_COUNTERS = ("filter_counts", "output_filter_counts")
_POLICERS = ("policer_drops", "output_policer_drops")
"""Counters of either direction."""
_LAST_INWARD_STAGE = Stage.PUNT


async def show(operator: Operator, options: Options) -> str:
    """``show firewall [filter F]``: of all NPUs, both directions. Raises ``NpuError``."""
    filters = _chosen(operator, options)
    counted = await _read(operator, _COUNTERS, _counter_cells(filters))
    policed = await _read(operator, _POLICERS, _policer_cells(filters))
    blocks = []
    for each in filters:
        counters = {term.counter: term.count for term in each.terms if term.count}
        # A policer that several terms name polices each by itself, hence their names.
        policers = {
            f"{term.policer.name}-{term.name}": term.policer_cell
            for term in each.terms
            if term.policer is not None
        }
        lines = ["", f"Filter: {each.name}"]
        lines += _table("Counters:", counters, counted)
        lines += _table("Policers:", policers, policed)
        blocks.append("\n".join(lines))
    return "\n".join(blocks) + "\n"


def _table(title: str, cells: dict[str, int], counts: dict[int, Count]) -> list[str]:
    lines = [title, f"{'Name':<48}{'Bytes':>9}{'Packets':>21}"] if cells else []
    for name, cell in cells.items():
        count = counts.get(cell, Count(0, 0))
        lines.append(f"{name:<48}{count.bytes:>9}{count.packets:>21}")
    return lines


async def clear(operator: Operator, options: Options) -> str:
    """``clear firewall all | filter F``. Raises ``NpuError``."""
    filters = _chosen(operator, options)
    clears = [
        npu.counters.clear(alias, cells)
        for aliases, cells in (
            (_COUNTERS, _counter_cells(filters)),
            (_POLICERS, _policer_cells(filters)),
        )
        for npu in operator.runtime.npus.values()
        for alias in aliases
        if cells and alias in npu.counters
    ]
    await asyncio.gather(*clears)
    return ""


def _chosen(operator: Operator, options: Options) -> list[Filter]:
    filters = list(operator.runtime.configuration.stateless.filters)
    name = options.get("filter")
    if name is None:
        return filters
    found = [each for each in filters if each.name == name]
    if not found:
        known = ", ".join(each.name for each in filters) or "none"
        raise CommandError(f"no filter '{name}'; configured are: {known}")
    return found


def _counter_cells(filters: list[Filter]) -> list[int]:
    return sorted({term.count for each in filters for term in each.terms if term.count})


def _policer_cells(filters: list[Filter]) -> list[int]:
    return sorted({t.policer_cell for each in filters for t in each.terms if t.policer_cell})


async def _read(operator: Operator, aliases: tuple[str, str], cells: list[int]) -> dict[int, Count]:
    if not cells:
        return {}
    reads = [
        npu.counters.read(alias, cells)
        for npu in operator.runtime.npus.values()
        for alias in aliases
        if alias in npu.counters
    ]
    total: dict[int, Count] = {}
    for found in await asyncio.gather(*reads):
        for cell, count in found.items():
            old = total.get(cell, Count(0, 0))
            total[cell] = Count(old.packets + count.packets, old.bytes + count.bytes)
    return total


async def log(operator: Operator, _: Options) -> str:
    """``show firewall log``: packets that terms with ``log`` matched, newest last."""
    copies = Copies(operator)
    lines = [
        "Log :",
        f"{'Time':<10}{'Filter':<10}{'Action':<7}{'Interface':<14}{'Protocol':<16}"
        f"{'Src Addr':<33}Dest Addr",
    ]
    lines += [
        _line(copies, copy) for copy in operator.runtime.observer.copies if _is_log(copies, copy)
    ]
    return "\n".join(lines) + "\n"


def _is_log(copies: Copies, copy: TraceCopy) -> bool:
    """Beyond the interface it came in on a packet's mark does not say whose it is; so on the way
    out only interfaces count whose filter logs."""
    if copy.filter:
        return False
    if copy.stage <= _LAST_INWARD_STAGE:
        return True
    return copy.stage > Stage.PACKET_OUT and copies.logs_outward(copy)


def _line(copies: Copies, copy: TraceCopy) -> str:
    packet = parse(copy.frame)
    action = "A"
    if copy.detail in (Drop.FILTER, Drop.POLICER):
        action = "D"
    elif copy.detail in (Punt.FILTER_REJECT, Drop.FILTER_REJECT):
        action = "R"
    elif copy.verdict is Verdict.DROP:
        action = "D"
    inward = copy.stage <= _LAST_INWARD_STAGE
    interface = copies.inward(copy) if inward else copies.outward(copy)
    time = copies.time(copy.at).strftime("%H:%M:%S")
    head = f"{time:<10}{'pfe':<10}{action:<7}{interface:<14}"
    if isinstance(packet, Drop):
        return head + f"malformed ({packet.name})"
    protocol = text.protocol(packet.protocol).upper()
    return head + f"{protocol:<16}{text.address(packet.src):<33}{text.address(packet.dst)}"
