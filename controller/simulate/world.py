"""What all parts of a run share: its plan, the time, events to come, flows, and what is counted."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from heapq import heappush
from typing import Any

from controller.config.schema import SECOND
from controller.flow import Address, Nanoseconds
from controller.messages import Actor, Message
from controller.simulate.flow import Flow
from controller.simulate.ledger import Ledger
from controller.simulate.options import Fault, Plan
from controller.simulate.styles import style_of
from controller.simulate.tally import Tally
from controller.simulate.violation import Rule, Violation

MICROSECOND: Nanoseconds = 1_000
MILLISECOND: Nanoseconds = 1_000_000
STALL: Nanoseconds = 2 * SECOND
"""The longest that ``delay`` holds a message back."""
SLOWEST: Nanoseconds = 20 * MILLISECOND
"""The longest that a message is under way without that."""


class Call(Enum):
    """Events of the run itself; where one concerns a machine, it is addressed to that."""

    WAKE = "a machine looks at its clock"
    START = "the next flow begins"
    NOTICE = "the controller notices that an NPU is gone, and ends"
    BOOT = "a controller begins"
    JOIN = "a fresh SPU begins"
    UNDRAIN = "an SPU gets new flows again"


Event = tuple[Nanoseconds, int, Any, Any, Flow | None]
"""When; a count that keeps equal times in order; to whom: a machine's index, a port, or nobody;
what: a message, a frame, an alarm's number or a ``Call``; on whose behalf."""


class World:
    """A run's common ground."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.is_peaceful = not plan.faults
        """Nothing goes wrong."""
        self.now: Nanoseconds = 0
        self.end: Nanoseconds = plan.sessions * SECOND // plan.rate
        """When the last flow begins."""
        self.events: list[Event] = []
        self.live: dict[int, Flow] = {}
        """Flows of which anything is left, by number."""
        self.listeners: dict[tuple[Address, int], Flow] = {}
        """Who hears what comes to an address and port without a tag."""
        self.tally = Tally()
        """What took place so far."""
        slowest = SLOWEST + (STALL if Fault.DELAY in plan.faults else 0)
        self.ledger = Ledger(slowest, style_of(plan.seed).pending_timeout, self.tally)
        self.last_frame: Nanoseconds = 0
        """When one last came from outside."""
        self.messages = 0
        """Handled by machines so far."""
        self.flows = 0
        """Begun so far."""
        self.watch: Callable[[Actor, Message, Flow | None], None] | None = None
        """Called with every message to the observer, for the walk."""
        self.tell: Callable[[str, Flow | None], None] | None = None
        """Called with words on what the outside does: incidents, frames that come, leave, get
        lost."""
        self.hear: Callable[[Actor, Actor, Message, Flow | None], None] | None = None
        """Called with every message that sets out: who sends it, to whom."""
        self._count = 0

    def at(self, when: Nanoseconds, to: Any, what: Any, flow: Flow | None) -> None:
        """Something will happen."""
        self._count = count = self._count + 1
        heappush(self.events, (when, count, to, what, flow))

    def settle(self, flow: Flow) -> None:
        """Forget a flow of which nothing is left."""
        if not flow.is_over:
            return
        if self.is_peaceful and not flow.fallen and flow.unmet:
            raise Violation(Rule.ANSWERED, f"{flow.unmet} ({flow.kind})", self.now, flow.number)
        if self.live.get(flow.number) is flow:
            del self.live[flow.number]
        flow_of = self.ledger.flow_of
        for key in flow.names:
            if flow_of.get(key) is flow:
                del flow_of[key]
        flow.names.clear()
        for place in flow.listens:
            if self.listeners.get(place) is flow:
                del self.listeners[place]
        flow.listens.clear()
