"""How the last minute went: a sample a second of each SPU's sessions and load."""

from __future__ import annotations

import asyncio
import os
import resource
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from controller.messages import CP, Actor, Role
from controller.operate.commands import CommandError, Options
from controller.operate.load import Load
from controller.reasons import Drop

if TYPE_CHECKING:
    from controller.operate.operator import Operator
    from controller.runtime import Runtime

SECONDS = 60
CREATION_SECONDS = 96
"""What creation rates are averaged over (Junos prints: "for last 96 seconds on average")."""
_PER_ROW = 6
_NO_ROOM = (Drop.SESSION_TABLE_FULL, Drop.SPU_FULL, Drop.NO_SPU)


class History:
    """Samples, newest first."""

    def __init__(self, runtime: Runtime, on_sample: Callable[[], None] = lambda: None) -> None:
        """``on_sample`` is called with each sample, about once a second."""
        self._runtime = runtime
        self._on_sample = on_sample
        self.sessions: dict[int, deque[int]] = {
            number: deque(maxlen=SECONDS) for number in sorted(runtime.chassis.spus)
        }
        self.busy: dict[int, deque[int]] = {
            number: deque(maxlen=SECONDS) for number in sorted(runtime.chassis.spus)
        }
        """Percent of the time that the controller's thread worked for each SPU."""
        self.load = Load(runtime)
        self._created: deque[Mapping[int, int]] = deque(maxlen=CREATION_SECONDS + 1)

    async def run(self) -> None:
        """Sample for ever."""
        self.load.start()
        try:
            while True:
                self.sample()
                await asyncio.sleep(1)
        finally:
            self.load.stop()

    def sample(self) -> None:
        """Take one sample."""
        self._on_sample()
        central_point = self._runtime.central_point
        for number, load in central_point.counts().by_spu.items():
            self.sessions[number].appendleft(load)
        shares = self.load.take()
        for number, samples in self.busy.items():
            samples.appendleft(shares.get(Actor(Role.SPU, number), 0))
        self._created.appendleft(
            {number: member.created for number, member in central_point.members().items()}
        )

    def creations(self, spu: int) -> float:
        """Sessions that an SPU set up, a second."""
        if len(self._created) < 2:
            return 0.0
        newest, oldest = self._created[0][spu], self._created[-1][spu]
        return (newest - oldest) / (len(self._created) - 1)


async def session(operator: Operator, options: Options) -> str:
    """``show security monitoring performance session [fpc N]``: Junos; 0 is now."""
    return _minute(_chosen(operator, options), operator.history.sessions)


async def spu(operator: Operator, options: Options) -> str:
    """``show security monitoring performance spu [fpc N]``: Junos; percent, 0 is now."""
    return _minute(_chosen(operator, options), operator.history.busy)


def _minute(chosen: Mapping[int, str], samples: Mapping[int, Iterable[int]]) -> str:
    blocks = []
    for number, slot in chosen.items():
        fpc, pic = (int(word[3:]) for word in slot.split())
        cells = [f"{n:>2}: {count:>9}" for n, count in enumerate(samples[number])]
        rows = ["  ".join(cells[at : at + _PER_ROW]) for at in range(0, len(cells), _PER_ROW)]
        blocks.append("\n".join((f"fpc {fpc:>2} pic {pic:>2}", "Last 60 seconds:", *rows)))
    return "\n\n".join(blocks) + "\n"


async def monitoring(operator: Operator, options: Options) -> str:
    """``show security monitoring [fpc N]``: a row an SPU. CPU is the time that the program's thread
    works for the SPU, memory that of the whole program, which all SPUs run in."""
    counts = operator.runtime.central_point.counts()
    chosen = _chosen(operator, options)
    if "fpc" in options:
        return _in_detail(operator, chosen)
    head = f"{'':>18}{'Flow session':>14}{'Flow session':>14}{'CP session':>14}{'CP session':>12}"
    lines = [head, f"FPC PIC CPU Mem{'current':>17}{'maximum':>14}{'current':>14}{'maximum':>12}"]
    total = 0
    memory = _memory_percent()
    for number, slot in chosen.items():
        fpc, pic = (int(word[3:]) for word in slot.split())
        site = operator.runtime.chassis.spus[number]
        load = counts.by_spu[number]
        total += load
        # The central point's table is where the central point runs: with the combo SPU, if any.
        cp = ("0", "0")
        if site.is_combo:
            cp = (str(sum(counts.by_spu.values())), str(counts.maximum))
        cpu = next(iter(operator.history.busy[number]), 0)
        lines.append(
            f"{fpc:>3}{pic:>4}{cpu:>4}{memory:>4}{load:>17}{site.max_sessions:>14}{cp[0]:>14}{cp[1]:>12}"
        )
    lines.append(f"Total Sessions: {total}")
    if not any(site.is_combo for site in operator.runtime.chassis.spus.values()):
        lines.append(f"Central point: {sum(counts.by_spu.values())} of {counts.maximum} sessions")
    lines.append(f"Pending wings: {counts.pending}, reclaimed so far: {counts.reclaimed}")
    drops = operator.runtime.observer.drops
    refused = sum(drops[CP, reason] for reason in _NO_ROOM)
    lines.append(f"First packets refused for want of room: {refused}")
    return "\n".join(lines) + "\n"


def _memory_percent() -> int:
    """What the program has of the machine's memory."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return 100 * own // (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _in_detail(operator: Operator, chosen: Mapping[int, str]) -> str:
    lines = []
    for number, slot in chosen.items():
        fpc, pic = slot.split()
        spu = operator.runtime.spus.get(number)
        keys = [] if spu is None else spu.forward_keys()
        ipv6 = sum(len(key.src) == 16 for key in keys)
        lines += [
            fpc.replace("FPC", "FPC "),
            f"  {pic.replace('PIC', 'PIC ')}",
            f"    CPU utilization          : {next(iter(operator.history.busy[number]), 0):>7} %",
            f"    Memory utilization       : {_memory_percent():>7} %",
            f"    Current flow session     : {len(keys):>7}",
            f"    Current flow session IPv4: {len(keys) - ipv6:>7}",
            f"    Current flow session IPv6: {ipv6:>7}",
            f"    Max flow session         : "
            f"{operator.runtime.chassis.spus[number].max_sessions:>7}",
            "Total Session Creation Per Second (for last 96 seconds on average): "
            f"{operator.history.creations(number):.0f}",
        ]
    return "\n".join(lines) + "\n"


def _chosen(operator: Operator, options: Options) -> Mapping[int, str]:
    if "fpc" not in options:
        return operator.slots
    found = {n: slot for n, slot in operator.slots.items() if slot.split()[0][3:] == options["fpc"]}
    if not found:
        known = ", ".join(slot.split()[0][3:] for slot in operator.slots.values())
        raise CommandError(
            f"FPC {options['fpc']} is no services card; services cards are in {known}"
        )
    return found
