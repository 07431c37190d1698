"""What the machines tell about their work: walks of first packets, drops, closed sessions.

Everything is bounded: the oldest goes first, counters stay.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from controller.config.schema import SECOND, Configuration
from controller.flow import FlowKey, Nanoseconds
from controller.messages import (
    Actor,
    Message,
    NatNotice,
    PacketDropped,
    RanOut,
    SessionClosed,
    SessionCreated,
    SessionDenied,
    SpuChanged,
    Step,
    StepTaken,
    TraceCopy,
    WatermarkPassed,
)
from controller.reasons import Close, Drop

WALKS = 2000
WALKS_A_SECOND = 200
"""More are not recorded: telling of every step would cost as much as setting sessions up."""
STEPS_PER_WALK = 64
RECENT_DROPS = 1000
RECENT_COPIES = 4000


@dataclass(slots=True)
class Fall:
    """Packets that fell for one reason."""

    first: PacketDropped
    packets: int = 1


@dataclass(slots=True)
class Walk:
    """The steps of a flow's first packet, in order."""

    flow: FlowKey
    session_id: int = 0
    steps: list[StepTaken] = field(default_factory=list)
    falls: dict[Drop, Fall] = field(default_factory=dict)
    """Packets of the flow that fell before the first one was released, in order."""
    is_cut: bool = False
    """Steps that followed were not recorded."""

    @property
    def is_released(self) -> bool:
        """Whether the first packet went on its way."""
        return any(taken.step is Step.RELEASE for taken in self.steps)

    @property
    def is_over(self) -> bool:
        """Whether that, or it fell; a queue that is full is the end of those behind it only."""
        return self.is_released or any(reason is not Drop.QUEUE_FULL for reason in self.falls)

    def fell(self, drop: PacketDropped) -> None:
        """A packet of the flow went no further."""
        fall = self.falls.get(drop.reason)
        if fall is not None:
            fall.packets += 1
        elif not self.is_released:
            self.falls[drop.reason] = Fall(drop)


class Observer:
    """Takes steps, drops, alarms of NAT pools, denials and records of sessions that ended."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.on_close: Callable[[SessionClosed], None] | None = None
        """Called with every session that ended."""
        self.on_create: Callable[[SessionCreated], None] | None = None
        """Called with every session that begins, if its policy logs that."""
        self.on_crowd: Callable[[], None] | None = None
        """Called when more walks begin within a second than are recorded: the machines need not
        report steps for a while."""
        self.on_deny: Callable[[SessionDenied], None] | None = None
        """Called with every flow that a policy refuses and logs."""
        self.on_nat: Callable[[NatNotice], None] | None = None
        """Called with every alarm of a source NAT pool."""
        self.nat_notices: deque[NatNotice] = deque(maxlen=RECENT_DROPS)
        """Oldest first."""
        self.walks: OrderedDict[FlowKey, Walk] = OrderedDict()
        """By the forward wing, oldest first; a flow that comes again starts anew."""
        self.drops: Counter[tuple[Actor, Drop]] = Counter()
        self.recent_drops: deque[PacketDropped] = deque(maxlen=RECENT_DROPS)
        self.copies: deque[TraceCopy] = deque(maxlen=RECENT_COPIES)
        """Of traced packets, oldest first."""
        self.on_drop: Callable[[PacketDropped], None] | None = None
        """Called with every packet that goes no further."""
        self.on_ran_out: Callable[[RanOut], None] | None = None
        """Called when something ran out and no packet fell."""
        self.ran_out: Counter[tuple[Actor, Drop]] = Counter()
        self.on_spu: Callable[[SpuChanged], None] | None = None
        """Called when an SPU comes, goes or drains."""
        self.on_watermark: Callable[[WatermarkPassed], None] | None = None
        """Called when a session table becomes too full, or is so no longer."""
        self.closes: Counter[Close] = Counter()
        """Sessions that ended, by why."""
        self._second: Nanoseconds = 0
        self._begun = 0
        """Walks since ``_second``."""

    def take(self, message: Message) -> None:
        """Note a message."""
        match message:
            case StepTaken():
                self._step(message)
            case PacketDropped():
                self.drops[message.who, message.reason] += 1
                self.recent_drops.append(message)
                if self.on_drop is not None:
                    self.on_drop(message)
                walk = self.walks.get(message.flow) if message.flow is not None else None
                if walk is not None:
                    walk.fell(message)
            case TraceCopy():
                self.copies.append(message)
            case NatNotice():
                self.nat_notices.append(message)
                if self.on_nat is not None:
                    self.on_nat(message)
            case SessionDenied():
                if self.on_deny is not None:
                    self.on_deny(message)
            case SessionCreated():
                if self.on_create is not None:
                    self.on_create(message)
            case SessionClosed():
                self.closes[message.reason] += 1
                if self.on_close is not None:
                    self.on_close(message)
            case WatermarkPassed():
                if self.on_watermark is not None:
                    self.on_watermark(message)
            case RanOut():
                self.ran_out[message.who, message.reason] += 1
                if self.on_ran_out is not None:
                    self.on_ran_out(message)
            case SpuChanged():
                if self.on_spu is not None:
                    self.on_spu(message)
            case _:
                raise TypeError(f"no message for the observer: {message}")

    def _step(self, step: StepTaken) -> None:
        walk = self.walks.get(step.flow)
        if step.step is Step.MISS:
            walk = self._begin(step)
        elif walk is None:
            return  # It began while steps were not reported.
        if len(walk.steps) < STEPS_PER_WALK and not walk.is_cut:
            walk.steps.append(step)
        walk.session_id = walk.session_id or step.session_id

    def _begin(self, step: StepTaken) -> Walk:
        walk = self.walks[step.flow] = Walk(step.flow)
        self.walks.move_to_end(step.flow)
        if len(self.walks) > WALKS:
            self.walks.popitem(last=False)
        if step.at - self._second >= SECOND:
            self._second, self._begun = step.at, 0
        self._begun += 1
        if self._begun > WALKS_A_SECOND and self.on_crowd is not None:
            # (Once for all that were reported before the machines heard of it.)
            walk.is_cut = True
            if self._begun == WALKS_A_SECOND + 1:
                self._cut()
                self.on_crowd()
        return walk

    def _cut(self) -> None:
        """No steps come for a while: walks that are not at their end will lack some."""
        for walk in islice(reversed(self.walks.values()), 2 * WALKS_A_SECOND):
            walk.is_cut = walk.is_cut or not walk.is_over
