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
    """All incidents of a run whose last flow begins at ``end``."""
    dice = Dice(plan.seed, 0, 3)
    drawn = []
    for fault, least in _TIMES.items():
        if fault in plan.faults:
            times = max(least, plan.sessions // _EVERY[fault])
            drawn += [(dice.below(end + end // 8 + 1), fault) for _ in range(times)]
    drawn.sort(key=lambda pair: pair[0])
    incidents = [Incident(n, at, fault) for n, (at, fault) in enumerate(drawn, 1)]
    if plan.incidents is not None:
        incidents = [incident for incident in incidents if incident.number in plan.incidents]
    return incidents
