"""From a run that broke a rule to a small one that breaks it too.

Flows are taken away, then incidents, then kinds of faults, as long as the same rule is broken.
First what is most likely to do: the flow concerned alone, or with others of its time. Then halves,
quarters and so on of all others (Zeller and Hildebrandt, "Simplifying and isolating
failure-inducing input", 2002).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from controller.config.schema import SECOND
from controller.simulate.incidents import schedule
from controller.simulate.options import Plan
from controller.simulate.play import Outcome, play
from controller.simulate.violation import Rule


class Shrink:
    """Searches for a small plan; ``smallest`` is the best outcome so far."""

    def __init__(
        self,
        found: Outcome,
        seconds: float = 60.0,
        clock: Callable[[], float] = time.process_time,
    ) -> None:
        """``seconds`` (of a processor's time, unless there is another clock) bounds the search, not
        the last replay in it."""
        assert found.broken is not None
        self.smallest = found
        self.replays = 0
        self._rule: Rule = found.broken.rule
        self._clock = clock
        self._until = clock() + seconds

    def run(self) -> Outcome:
        """The smallest outcome that was found."""
        plan = self.smallest.plan
        broken = self.smallest.broken
        assert broken is not None
        # What begins after the end changes nothing.
        begun = sorted(plan.flows) if plan.flows is not None else range(1, plan.sessions + 1)
        flows = list(begun)[: self.smallest.flows]
        end = plan.sessions * SECOND // plan.rate
        incidents = [one.number for one in schedule(plan, end) if one.at <= broken.at]
        for few in self._likely(flows, broken.flow):
            if self._breaks(few, []):
                flows, incidents = few, []
                break
            if self._breaks(few, incidents):
                flows = few
                break
        if len(flows) > 1:
            flows = self._fewer(flows, lambda some: self._breaks(some, incidents))
        if incidents:
            keep = flows
            incidents = self._fewer(incidents, lambda some: self._breaks(keep, some), True)
        self._fewer_faults()
        if len(flows) > 1:
            # Some were only needed for what is gone now.
            self._fewer(flows, lambda some: self._breaks(some, incidents))
        return self.smallest

    def _likely(self, flows: list[int], number: int) -> Iterator[list[int]]:
        """The flow concerned alone; then with more and more of those that began around it, and
        of the last ones, whose messages may have held up its own."""
        at = flows.index(number) if number in flows else None
        for reach in (0, 10, 100, 1000, 10_000):
            few = set(flows[-reach:]) if reach else set()
            if at is not None:
                few.update(flows[max(0, at - reach) : at + reach + 1])
            if len(few) == len(flows):
                return
            if few:
                yield sorted(few)

    def _fewer_faults(self) -> None:
        for fault in sorted(self.smallest.plan.faults, key=lambda fault: fault.value):
            plan = self.smallest.plan
            self._try(replace(plan, faults=plan.faults - {fault}))

    def _breaks(self, flows: Sequence[int], incidents: Sequence[int]) -> bool:
        plan = self.smallest.plan
        return self._try(replace(plan, flows=frozenset(flows), incidents=frozenset(incidents)))

    def _try(self, plan: Plan) -> bool:
        if self._clock() > self._until:
            return False
        self.replays += 1
        outcome = play(plan)
        if outcome.broken is None or outcome.broken.rule is not self._rule:
            return False
        self.smallest = outcome
        return True

    def _fewer(
        self, items: list[int], breaks: Callable[[list[int]], bool], may_be_none: bool = False
    ) -> list[int]:
        """A part of the items that still breaks the rule, of which none can be spared."""
        if may_be_none and items and breaks([]):
            return []
        parts = 2
        while len(items) > 1:
            size = -(-len(items) // parts)
            for start in range(0, len(items), size):
                rest = items[:start] + items[start + size :]
                if rest and breaks(rest):
                    items = rest
                    parts = max(2, parts - 1)
                    break
            else:
                if size == 1:
                    break
                parts = min(len(items), parts * 2)
            if self._clock() > self._until:
                break
        return items
