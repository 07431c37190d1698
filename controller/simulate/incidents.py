"""When which incident happens: what an operator does, and who crashes."""

from __future__ import annotations

from typing import NamedTuple

from controller.flow import Nanoseconds
from controller.simulate.dice import Dice
from controller.simulate.options import Fault, Plan

_TIMES = {Fault.CLEAR: 8, Fault.RELOAD: 4, Fault.SPU: 3, Fault.NPU: 1, Fault.CONTROLLER: 1}
"""How often in a run at least."""
_EVERY = {
    Fault.CLEAR: 2000,
    Fault.RELOAD: 20_000,
    Fault.SPU: 20_000,
    Fault.NPU: 200_000,
    Fault.CONTROLLER: 200_000,
}
"""In long runs: once in so many flows."""


class Incident(NamedTuple):
    """Something that happens from outside, once."""

    number: int
    """From 1; a replay may name those that it wants."""
    at: Nanoseconds
    fault: Fault


def schedule(plan: Plan, end: Nanoseconds) -> list[Incident]:
    """All incidents of a run whose last flow begins at ``end``. Numbers and times of those of one
    kind do not depend on which other kinds there are."""
    dice = Dice(plan.seed, 0, 3)
    drawn = []
    for fault, least in _TIMES.items():
        times = max(least, plan.sessions // _EVERY[fault])
        drawn += [(dice.below(end + end // 8 + 1), fault) for _ in range(times)]
    drawn.sort(key=lambda pair: pair[0])
    return [
        Incident(number, at, fault)
        for number, (at, fault) in enumerate(drawn, 1)
        if fault in plan.faults and (plan.incidents is None or number in plan.incidents)
    ]
