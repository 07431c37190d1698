"""Runs from beginning to end: what came out, as values; and many seeds side by side."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from controller.flow import Nanoseconds
from controller.simulate.engine import Run
from controller.simulate.flow import root_of
from controller.simulate.options import Fault, Plan
from controller.simulate.tally import Counts
from controller.simulate.violation import Rule, Violation

EXPRESS = "EXPRESS"
_GC_EVERY = 200_000
"""Allocations between two looks for cycles: what comes and goes here has few."""
_LONG = 10_000
"""Flows from which on a run is long enough that what is there before it is set apart once."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a run has broken."""

    rule: Rule
    what: str
    at: Nanoseconds
    flow: int
    """Number of the flow concerned; 0: not known."""
    session_id: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run."""

    plan: Plan
    broken: Broken | None
    steps: int
    """Events: messages, frames on wires, alarms."""
    messages: int
    """Of them, messages to machines."""
    flows: int
    sessions: int
    """Acknowledged by the central point."""
    checks: int
    """Comparisons with what machines hold, beside the audits."""
    most_sessions: int
    """At once."""
    virtual: Nanoseconds
    seconds: float
    """Of this machine's time."""
    cpu: float
    """Seconds of a processor's time."""
    memory: int
    """The most that the process took so far, in bytes."""
    kinds: Counts = field(default_factory=dict)
    """Flows by kind."""
    deeds: Counts = field(default_factory=dict)
    """What was done about them, where that is more than to let them pass or not."""
    walks: Counts = field(default_factory=dict)
    """First packets by what they met."""
    paths: Counts = field(default_factory=dict)
    """Sessions by path: why it was not Express Path."""
    closed: Counts = field(default_factory=dict)
    dropped: Counts = field(default_factory=dict)
    faults: dict[str, Counts] = field(default_factory=dict)
    """By name: what took place, and how often. One that was asked for and is empty did not."""


def play(plan: Plan, prepare: Callable[[Run], None] | None = None) -> Outcome:
    """Run a plan; ``prepare`` may attach what wants to look on."""
    before = gc.get_threshold()
    is_long = plan.sessions >= _LONG
    if is_long:
        gc.collect()
        gc.freeze()
    # Behind that, or its first controller would stay, with all its sessions, when it is gone.
    run = Run(plan)
    if prepare is not None:
        prepare(run)
    gc.set_threshold(_GC_EVERY, 20, 50)
    began, cpu = time.perf_counter(), time.process_time()
    broken = None
    try:
        run.run()
    except Violation as violation:
        broken = Broken(
            violation.rule,
            violation.what,
            violation.at,
            root_of(violation.flow),
            violation.session_id,
        )
    finally:
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        gc.set_threshold(*before)
        if is_long:
            gc.unfreeze()
    tally = run.world.tally
    return Outcome(
        plan,
        broken,
        run.steps,
        run.world.messages,
        run.world.flows,
        run.world.ledger.sessions,
        run.world.ledger.checks,
        run.world.ledger.most,
        run.world.now,
        seconds,
        cpu,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * (1 if sys.platform == "darwin" else 1024),
        dict(tally.kinds.most_common()),
        dict(tally.deeds.most_common()),
        dict(tally.walks.most_common()),
        {EXPRESS if why is None else why.name: n for why, n in tally.paths.most_common()},
        dict(tally.closed.most_common()),
        dict(tally.dropped.most_common()),
        {fault.value: dict(tally.faults[fault]) for fault in Fault if fault in plan.faults},
    )


def play_all(plans: Iterable[Plan], jobs: int) -> Iterator[Outcome]:
    """Run plans in so many processes; outcomes in the order of the plans."""
    if jobs == 1:
        yield from map(play, plans)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(play, plans, chunksize=4)
