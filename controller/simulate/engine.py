"""A run: a workload through a whole chassis under virtual time, with faults, watched step by step.

Time moves from event to event: messages on their way (``cards``), frames on wires (``wires``),
alarms of flows, incidents (``trouble``). Equal times are in order of creation, so a run follows
from its plan alone.

Each flow has its own dice, and others for the delays and losses of what happens on its behalf. A
replay with fewer flows therefore meets much the same fate, which is what finding a small example
of a broken rule rests on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop
from typing import Any

from controller.config.schema import SECOND
from controller.flow import Nanoseconds
from controller.messages import Outbound
from controller.simulate.audit import audit
from controller.simulate.cards import Cards
from controller.simulate.dice import Dice
from controller.simulate.flow import Flow
from controller.simulate.incidents import schedule
from controller.simulate.options import Plan
from controller.simulate.trouble import Trouble
from controller.simulate.violation import Rule, Violation
from controller.simulate.wires import Wires
from controller.simulate.workload import Workload
from controller.simulate.world import Call, World

AUDITS = 10
"""Full audits while flows begin, besides those while all of it ages, and the one at the end."""
AGEING: Nanoseconds = 20 * SECOND
"""Least time between two of those."""
LONGEST: Nanoseconds = 2 * 3600 * SECOND
"""After the last frame from outside everything has aged out by then, several times over."""
_BEAT = 1024
"""Steps between two looks at what is overdue, if no second passes meanwhile."""


class Run:
    """A whole run. ``run`` it; it raises ``Violation`` if a rule is broken."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.steps = 0
        """Events so far."""
        self.progress: Callable[[Run], None] | None = None
        """Called now and then."""
        self.world = world = World(plan)
        self._cards = cards = Cards(world)
        self._wires = cards.wires = Wires(world, cards.config, cards.npus, self._punted)
        self._trouble = Trouble(world, cards)
        self._workload = Workload(plan.seed, self._wires.by_name, self._wires)
        numbers = range(1, plan.sessions + 1) if plan.flows is None else sorted(plan.flows)
        self._numbers: Iterator[int] = iter(numbers)
        self._next_flow = 0
        cards.boot()
        for incident in schedule(plan, world.end):
            world.at(incident.at, None, incident, None)
        self._draw_next()

    def _punted(self, npu: int, packet: Outbound, flow: Flow | None) -> None:
        self._cards.carry(self._cards.npu_index(npu), (packet,), flow)

    def run(self) -> None:
        """Play it to its end, and look at what is left."""
        world, cards = self.world, self._cards
        events, ledger = world.events, world.ledger
        take, arrive = cards.take, self._wires.arrive
        audit_every = max(1, world.end // AUDITS)
        next_audit, beat, pulse = audit_every, 0, 0
        while events:
            if next_audit <= events[0][0]:
                next_audit += audit_every
                if next_audit > world.end:
                    # Later and later: what has an end is seen to end.
                    next_audit = events[0][0] + max(AGEING, events[0][0] - world.end)
                self.audit()
            when, _, to, what, flow = heappop(events)
            world.now = ledger.now = when
            self.steps += 1
            if to.__class__ is int:
                if what.__class__ is Call:
                    self._call(to, what)
                else:
                    take(to, what, flow)
            elif to is None:
                self._outside(what, flow)
            else:
                arrive(to, what, flow)
            beat += 1
            if beat == _BEAT or when >= pulse:
                beat, pulse = 0, when + SECOND
                ledger.due()
                if when > world.last_frame + LONGEST:
                    self._restless()
                if self.progress is not None:
                    self.progress(self)
        ledger.due()
        self.audit()
        self._look_back()

    def audit(self) -> None:
        """Compare everything with everything, if there is a controller."""
        if self._cards.is_up:
            events = self.world.events
            audit(
                self.world.ledger,
                (
                    what
                    for _, _, to, what, _ in events
                    if to.__class__ is int and what.__class__ is not Call
                ),
            )
        for flow in list(self.world.live.values()):
            # What was last heard of some was no event of their own.
            self.world.settle(flow)

    def _call(self, to: int, what: Call) -> None:
        """Something about a machine that is no message."""
        if what is Call.WAKE:
            self._cards.clock(to)
        elif what is Call.JOIN:
            self._cards.insert(to)
        else:
            self._trouble.undrain(to)

    def _outside(self, what: Any, flow: Flow | None) -> None:
        """A flow's alarm, the next flow, or an incident."""
        if flow is not None:
            flow.alarms -= 1
            flow.alarm(what)
            self.world.settle(flow)
        elif what is Call.START:
            self._start()
        elif what is Call.NOTICE:
            self._trouble.notice()
        elif what is Call.BOOT:
            self._trouble.boot()
        else:
            self._trouble.happen(what)

    # -- flows --------------------------------------------------------------------------------

    def _draw_next(self) -> None:
        """The next flow to begin: flow *n* at about *n* times the pause between two."""
        number = next(self._numbers, 0)
        self._next_flow = number
        if number:
            pause = SECOND // self.plan.rate
            at = number * pause + Dice(self.plan.seed, number, 1).below(pause)
            self.world.at(max(at, self.world.now), None, Call.START, None)

    def _start(self) -> None:
        number = self._next_flow
        flow = self.world.live[number] = self._workload.flow(number)
        self.world.flows += 1
        self.world.tally.kinds[flow.kind] += 1
        flow.begin()
        self._draw_next()

    # -- the end ------------------------------------------------------------------------------

    def _restless(self) -> None:
        """Somebody sends messages, or looks at the clock, for no reason any more."""
        entries = self.world.ledger.entries
        flow = next(iter(entries.values())).flow if entries else None
        number = 0 if flow is None else flow.number
        raise Violation(Rule.BOUNDED, "something goes on for ever", self.world.now, number)

    def _look_back(self) -> None:
        """Everything has aged out: nothing is left anywhere."""
        now = self.world.now
        left = self._cards.left()
        if left:
            raise Violation(Rule.ENTRIES, f"left at the end: {left[0]}", now)
        given_up = self.world.ledger.waited_in_vain
        for flow in self.world.live.values():
            if flow.is_counted and flow.open and flow.comes_in_fragments:
                given_up -= flow.open
            if flow.is_counted and flow.open and (given_up < 0 or not flow.comes_in_fragments):
                what = f"{flow.open} packets of it have neither left nor been dropped ({flow.kind})"
                raise Violation(Rule.VANISHED, what, now, flow.number)
