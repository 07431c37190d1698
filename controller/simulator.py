"""The machines under virtual time, with NPUs that apply what they are told.

Nothing here forwards by itself: an NPU forwards a packet if and only if the wings installed on it
say so. A test sends a frame into a port and asks what left where. Messages take a delay that a
seeded generator draws per message; between any two actors they stay in order, as they do in the
running system. Time moves from event to event.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from controller.central_point import CentralPoint
from controller.config.cards import Chassis
from controller.config.nat import PORTS
from controller.config.schema import Configuration
from controller.flow import FlowKey, Nanoseconds, Port
from controller.messages import (
    CP,
    NEIGHBORS,
    OBSERVER,
    Actor,
    ClearSession,
    DrainSpu,
    Message,
    NatNotice,
    Outbound,
    PacketDropped,
    RanOut,
    Reconfigure,
    Role,
    SessionClosed,
    SessionCreated,
    SessionDenied,
    SpuChanged,
    SpuFailed,
    StepTaken,
    Transmit,
    WatermarkPassed,
)
from controller.npu.program import initial_buckets
from controller.reasons import Punt
from controller.routing.fabric import Fabric
from controller.routing.fib import fib_of
from controller.routing.neighbors import Neighbors
from controller.simulated_npu import Sent, SimulatedNpu
from controller.spu import Spu
from controller.spu_bay import stray


class Simulator:
    """A whole chassis: ``send`` frames, ``run``, and look at ``sent`` and at what was observed."""

    def __init__(
        self,
        config: Configuration,
        chassis: Chassis,
        *,
        seed: int = 0,
        delay: tuple[Nanoseconds, Nanoseconds] = (1_000, 1_000),
        nat_ports: range = PORTS,
        trace: bool = True,
    ) -> None:
        """``delay`` is the range that the delay of each message is drawn from."""
        fib = fib_of(config)
        self.fabric = Fabric(chassis)
        self.now: Nanoseconds = 0
        self.cp = CentralPoint(config, chassis, nat_ports=nat_ports, trace=trace)
        self._secret = secret = seed.to_bytes(8, "big")
        self.spus = {
            n: Spu(n, config, fib, chassis, trace=trace, cookie_seed=secret) for n in chassis.spus
        }
        self.neighbors = Neighbors(config)
        self.npus = {n: SimulatedNpu(n, config) for n in chassis.npus}
        for npu in self.npus.values():
            npu.buckets = initial_buckets(chassis)
        self.sent: list[Sent] = []
        self.steps: list[StepTaken] = []
        self.dropped: list[PacketDropped] = []
        self.closed: list[SessionClosed] = []
        self.created: list[SessionCreated] = []
        """Of policies that log it, and so for ``denied``."""
        self.denied: list[SessionDenied] = []
        self.ran_out: list[RanOut] = []
        self.notices: list[NatNotice] = []
        self.spu_changes: list[SpuChanged] = []
        self.watermarks: list[WatermarkPassed] = []
        self.carried: list[Outbound] = []
        """Every message between machines and NPUs, in the order of delivery."""
        self.on_sent: Callable[[Sent], None] | None = None
        """Called for every frame that leaves: hosts may answer with ``send``."""
        self.on_event: Callable[[], None] | None = None
        """Called after every event: the place for invariants."""
        self._random = Random(seed)
        self._delay = delay
        self._events: list[tuple[Nanoseconds, int, Actor | Port, Message | bytes]] = []
        self._count = 0
        self._last: dict[tuple[Actor, Actor], Nanoseconds] = {}
        self._incarnations = 0
        self._config = config
        self._chassis = chassis
        self._trace = trace
        self._machines: dict[Actor, CentralPoint | Spu | Neighbors | SimulatedNpu] = {
            CP: self.cp,
            NEIGHBORS: self.neighbors,
            **{Actor(Role.SPU, n): spu for n, spu in self.spus.items()},
            **{Actor(Role.NPU, n): npu for n, npu in self.npus.items()},
        }

    # -- from outside -------------------------------------------------------------------------

    def send(self, port: Port, frame: bytes, after: Nanoseconds = 0) -> None:
        """A frame arrives at a port."""
        self._at(self.now + after, port, frame)

    def clear(self, session_id: int) -> None:
        """An operator ends a session."""
        spu = Actor(Role.SPU, session_id // 10_000_000)
        self._at(self.now, spu, ClearSession(session_id))

    def reconfigure(self, config: Configuration) -> None:
        """Another configuration comes into force, everywhere at once."""
        self._config = config
        for npu in self.npus.values():
            npu.configure(config)
        for actor, machine in self._machines.items():
            if actor.role is not Role.NPU:
                self._deliver(actor, machine.handle(Reconfigure(config), self.now))

    def fail_spu(
        self, number: int, why: str = "it was told to fail", flow: FlowKey | None = None
    ) -> None:
        """An SPU is gone, with all it knew; the central point hears of it behind what the SPU sent
        before. Packets that come to it go to the central point, and all else nowhere."""
        actor = Actor(Role.SPU, number)
        if self._machines.pop(actor, None) is not None:
            del self.spus[number]
            self._deliver(actor, [(CP, SpuFailed(number, why, flow))])

    def join_spu(self, number: int) -> None:
        """A fresh SPU in the place of one that is gone; one that drains gets flows again."""
        if number in self.spus:
            self._at(self.now, CP, DrainSpu(number, on=False))
            return
        self._incarnations += 1
        spu = Spu(
            number,
            self._config,
            fib_of(self._config),
            self._chassis,
            trace=self._trace,
            incarnation=self._incarnations,
            cookie_seed=self._secret,
        )
        self.spus[number] = self._machines[Actor(Role.SPU, number)] = spu
        self._deliver(Actor(Role.SPU, number), spu.tick(self.now))

    def drain_spu(self, number: int) -> None:
        """No new flows for an SPU."""
        self._at(self.now, CP, DrainSpu(number))

    def run(self, span: Nanoseconds | None = None) -> None:
        """Let time pass: ``span``, or as far as messages and frames are under way (time-outs
        that are further off than the last of them do not come)."""
        end = None if span is None else self.now + span
        while self._events or end is not None:
            actor, deadline = self._next_deadline()
            event = self._events[0][0] if self._events else None
            if event is not None and (deadline is None or event <= deadline):
                if end is not None and event > end:
                    break
                self.now, _, to, what = heappop(self._events)
                self._happen(to, what)
            elif deadline is not None and actor is not None:
                if end is not None and deadline > end:
                    break
                self.now = max(self.now, deadline)
                self._deliver(actor, self._machines[actor].tick(self.now))
            else:
                break
            if self.on_event is not None:
                self.on_event()
        if end is not None:
            self.now = end

    # -- what there is to see -----------------------------------------------------------------

    def left(self) -> list[str]:
        """What remains of sessions anywhere, in words: nothing once all are gone."""
        left = [f"central point: {what}" for what in self.cp.audit()]
        for number, spu in self.spus.items():
            left += [f"SPU {number}: {what}" for what in spu.audit()]
        for number, npu in self.npus.items():
            left += [f"NPU {number}: {key}" for key in npu.owners]
        return left

    # -- events -------------------------------------------------------------------------------

    def _at(self, when: Nanoseconds, to: Actor | Port, what: Message | bytes) -> None:
        self._count += 1
        heappush(self._events, (when, self._count, to, what))

    def _next_deadline(self) -> tuple[Actor | None, Nanoseconds | None]:
        who: Actor | None = None
        earliest: Nanoseconds | None = None
        for actor, machine in self._machines.items():
            deadline = machine.deadline()
            if deadline is not None and (earliest is None or deadline < earliest):
                who, earliest = actor, deadline
        return who, earliest

    def _happen(self, to: Actor | Port, what: Message | bytes) -> None:
        if isinstance(to, Port):
            assert isinstance(what, bytes)
            self._arrive(to, what)
            return
        assert not isinstance(what, bytes)
        self.carried.append((to, what))
        if isinstance(what, Transmit):
            self._leave(Sent(self.now, what.port, what.frame))
        elif to.role is Role.SPU and to not in self._machines:
            instead = stray(to, what)
            if instead is not None:
                self._deliver(to, [instead])
        else:
            self._deliver(to, self._machines[to].handle(what, self.now))

    def _arrive(self, port: Port, frame: bytes) -> None:
        outcome = self.npus[port.npu].arrive(port.port, frame, self.now)
        if isinstance(outcome, Sent):
            self._leave(outcome)
        elif outcome is not None:
            to = CP
            if outcome.reason in (Punt.ARP, Punt.ND):
                to = NEIGHBORS
            elif outcome.spu:
                to = Actor(Role.SPU, outcome.spu)
            self._deliver(Actor(Role.NPU, port.npu), [(to, outcome)])

    def _leave(self, sent: Sent) -> None:
        self.sent.append(sent)
        if self.on_sent is not None:
            self.on_sent(sent)

    def _deliver(self, sender: Actor, out: list[Outbound]) -> None:
        """Under way: what is for the observer is seen at once."""
        for to, message in out:
            if to == OBSERVER:
                self._observe(message)
                continue
            at = self.now + self._random.randint(*self._delay)
            # Never before what the same sender sent to the same receiver earlier.
            at = max(at, self._last.get((sender, to), 0))
            self._last[sender, to] = at
            self._at(at, to, message)

    def _observe(self, message: Message) -> None:
        if isinstance(message, StepTaken):
            self.steps.append(message)
        elif isinstance(message, PacketDropped):
            self.dropped.append(message)
        elif isinstance(message, RanOut):
            self.ran_out.append(message)
        elif isinstance(message, SessionClosed):
            self.closed.append(message)
        elif isinstance(message, SessionCreated):
            self.created.append(message)
        elif isinstance(message, SessionDenied):
            self.denied.append(message)
        elif isinstance(message, WatermarkPassed):
            self.watermarks.append(message)
        elif isinstance(message, NatNotice):
            self.notices.append(message)
        elif isinstance(message, SpuChanged):
            self.spu_changes.append(message)
