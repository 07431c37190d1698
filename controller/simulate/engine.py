"""A run: a workload through a whole chassis under virtual time, with faults, watched step by step.

**Time** moves from event to event. Events are messages on their way, frames on wires, alarms of
flows, and incidents. Equal times are in order of creation, so a run follows from its plan alone.

**Order.** Messages between two machines arrive in the order sent, as the machines are promised.
Packets between NPU and controller have a stream of their own, as in P4Runtime, so they overtake
answers to Writes and are overtaken. What is lost, comes twice or out of order are frames on the
wires and, with ``punts``, packets between NPU and controller.

**Chance.** Each flow has its own dice, and others for the delays of what happens on its behalf.
A replay with fewer flows therefore meets much the same fate, which is what finding a small example
of a broken rule rests on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum
from heapq import heapify, heappop, heappush
from typing import Any

from controller.central_point import CentralPoint
from controller.config.schema import SECOND
from controller.flow import Nanoseconds, Port
from controller.messages import (
    CP,
    NEIGHBORS,
    OBSERVER,
    Actor,
    ClearSession,
    CreateRequest,
    CreateSession,
    Deliver,
    DrainSpu,
    Message,
    Outbound,
    PacketDropped,
    PacketIn,
    Reconfigure,
    Redirect,
    Role,
    SessionClosed,
    SpuFailed,
    Transmit,
)
from controller.packet import parse
from controller.reasons import Close, Drop, Punt, Send
from controller.routing.fib import fib_of
from controller.routing.neighbors import Neighbors
from controller.simulate import inside
from controller.simulate.dice import Dice
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.frames import is_intact, tag_of
from controller.simulate.incidents import Incident, schedule
from controller.simulate.ledger import Ledger
from controller.simulate.npu import FaultyNpu
from controller.simulate.options import Fault, Plan
from controller.simulate.site import (
    NPUS,
    VARIANTS,
    chassis,
    configuration,
    resolve,
    wires,
)
from controller.simulate.violation import Rule, Violation
from controller.simulate.workload import Workload
from controller.simulator import Sent
from controller.spu import Spu
from controller.spu_bay import stray

MICROSECOND: Nanoseconds = 1_000
MILLISECOND: Nanoseconds = 1_000_000
STALL: Nanoseconds = 2 * SECOND
"""The longest that ``delay`` holds a message back."""
AUDITS = 10
"""Full audits in the course of a run, besides those at crashes and at its end."""
LONGEST: Nanoseconds = 2 * 3600 * SECOND
"""After the last frame from outside everything has aged out by then, several times over."""

_Machine = CentralPoint | Spu | Neighbors | FaultyNpu
_MISSES = (Punt.MISS, Punt.SYN_PROXY)
_CARRY_PACKETS = (PacketIn, CreateSession, Deliver, Redirect, CreateRequest)


class Call(Enum):
    """Events of the run itself."""

    WAKE = "a machine looks at its clock"
    START = "the next flow begins"
    NOTICE = "the controller notices that an NPU is gone, and ends"
    BOOT = "a controller begins"
    JOIN = "a fresh SPU begins"
    UNDRAIN = "an SPU gets new flows again"


_WAKE, _START, _NOTICE, _BOOT, _JOIN, _UNDRAIN = Call


class Run:
    """A whole run. ``run`` it; it raises ``Violation`` if a rule is broken."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.now: Nanoseconds = 0
        self.steps = 0
        """Events handled so far."""
        self.messages = 0
        """Of them, messages to machines."""
        self.flows = 0
        """Begun so far."""
        self.closed: Counter[Close] = Counter()
        self.dropped: Counter[Drop] = Counter()
        self.lost: Counter[str] = Counter()
        """What faults took away, or added."""
        self.watch: Callable[[Actor, Message, Flow | None], None] | None = None
        """Called with every message to the observer, for the walk."""
        self.tell: Callable[[str, Flow | None], None] | None = None
        """Called with words on what the outside does: incidents, frames that come, leave, get
        lost."""
        self.hear: Callable[[Actor, Actor, Message, Flow | None], None] | None = None
        """Called with every message that sets out: who sends it, to whom."""
        self.progress: Callable[[Run], None] | None = None
        """Called now and then."""
        faults = plan.faults
        self._dice = Dice(plan.seed, 0)
        self._end: Nanoseconds = plan.sessions * SECOND // plan.rate
        """When the last flow begins."""
        self._last_frame: Nanoseconds = 0
        """When one last came from outside."""
        self._delays = Fault.DELAY in faults
        self._wire_faults = bool(faults & {Fault.LOSS, Fault.DUPLICATION, Fault.REORDERING})
        self._loses_punts = Fault.PUNTS in faults
        self._chassis = chassis(plan.spus, self._room())
        self._config = configuration(0, self._chassis)
        self._ports = range(2000, 2200) if Fault.EXHAUSTION in faults else range(1024, 65536)
        self.ledger = Ledger(STALL + 20 * MILLISECOND if self._delays else 20 * MILLISECOND)
        self._events: list[tuple[Nanoseconds, int, Any, Any, Flow | None]] = []
        self._count = 0
        self._incarnations = 0
        self._live: dict[int, Flow] = {}
        self._wires = wires(self._config)
        self._by_port = {(w.port, w.interface.vlan): w for w in self._wires.values()}
        self._workload = Workload(plan.seed, self._wires, self)
        numbers = range(1, plan.sessions + 1) if plan.flows is None else sorted(plan.flows)
        self._numbers: Iterator[int] = iter(numbers)
        self._next_flow = 0
        self.npus = {
            n: FaultyNpu(n, self._config, self._capacity(), Dice(plan.seed, -n)) for n in NPUS
        }
        self._actors: dict[int, int] = {}
        """Index of an actor by ``id`` of those objects that live as long as the run."""
        self._index: dict[Actor, int] = {CP: 0, NEIGHBORS: 1}
        for n in NPUS:
            self._index[Actor(Role.NPU, n)] = len(self._index)
        for n in self._chassis.spus:
            self._index[Actor(Role.SPU, n)] = len(self._index)
        self._names = list(self._index)
        self._machines: list[_Machine | None] = [None] * len(self._names)
        for n, npu in self.npus.items():
            self._machines[self._index[Actor(Role.NPU, n)]] = npu
        self._free: dict[int, Nanoseconds] = {}
        """By channel: when the last message in it arrives."""
        self._wakes: list[Nanoseconds | None] = [None] * len(self._names)
        self.cp: CentralPoint
        self.spus: dict[int, Spu] = {}
        self._boot()
        for incident in schedule(plan, self._end):
            self._at(incident.at, None, incident, None)
        self._draw_next()

    def _room(self) -> int:
        """Sessions that an SPU can hold."""
        if Fault.EXHAUSTION not in self.plan.faults:
            return 1_048_576
        return max(8, min(self.plan.sessions, self.plan.rate * 4) // self.plan.spus // 4)

    def _capacity(self) -> int | None:
        """Wings that an NPU can hold."""
        if Fault.REFUSAL not in self.plan.faults:
            return None
        return max(8, min(self.plan.sessions, self.plan.rate * 4) // 2)

    # -- the run ------------------------------------------------------------------------------

    def run(self) -> None:
        """Play it to its end, and look at what is left."""
        events, ledger = self._events, self.ledger
        audit_every = max(1, self.plan.sessions // AUDITS)
        next_audit, beat = audit_every, 0
        while events:
            when, _, to, what, flow = heappop(events)
            self.now = ledger.now = when
            self.steps += 1
            if to is None:
                self._outside(what, flow)
            elif to.__class__ is int:
                self._machine(to, what, flow)
            else:
                self._arrive(to, what, flow)
            beat += 1
            if beat == 1024:
                beat = 0
                ledger.due()
                if when > self._last_frame + LONGEST:
                    self._restless()
                if self.progress is not None:
                    self.progress(self)
                if self.flows >= next_audit:
                    next_audit += audit_every
                    self.audit()
        ledger.due()
        self.audit()
        self._look_back()

    def audit(self) -> None:
        """Compare everything with everything, if there is a controller."""
        if not self._is_up:
            return
        self.ledger.audit(
            what
            for _, _, to, what, _ in self._events
            if to.__class__ is int and what.__class__ is not Call
        )

    def _outside(self, what: Any, flow: Flow | None) -> None:
        """A flow's alarm, the next flow, or an incident."""
        if flow is not None:
            flow.alarms -= 1
            flow.alarm(what)
            if flow.is_over:
                self._forget(flow)
        elif what is _START:
            self._start()
        elif what is _NOTICE:
            self._notice()
        elif what is _BOOT:
            self._reboot()
        else:
            self._incident(what)

    def _machine(self, to: int, what: Any, flow: Flow | None) -> None:
        machine = self._machines[to]
        now = self.now
        if what.__class__ is Call:
            if what is _WAKE:
                self._clock(to, machine)
            elif what is _JOIN:
                self._join(to)
            else:
                self._undrain(to)
            return
        self.messages += 1
        if machine is None:
            self._unheard(to, what, flow)
            return
        kind = what.__class__
        if kind is Transmit:
            self._leave(what.port, what.frame)
            return
        name = self._names[to]
        ledger = self.ledger
        if kind in _CARRY_PACKETS and name.role is Role.SPU and flow is not None:
            self._reached_spu(what, flow)
        try:
            out = machine.handle(what, now)
        except Exception as error:
            raise self._fault(name, kind.__name__, error, flow) from error
        if name.role is Role.SPU:
            look = ledger.on_handled.get(kind)
            self._carry(to, out, flow)
            if look is not None:
                look(name.number, what)
        else:
            self._carry(to, out, flow)
            if to == 0:
                after = ledger.on_cp.get(kind)
                if after is not None:
                    after(what)
        if flow is not None and flow.is_over:
            self._forget(flow)
        self._arm(to, machine)

    def _clock(self, to: int, machine: _Machine | None) -> None:
        if self._wakes[to] != self.now or machine is None:
            return
        self._wakes[to] = None
        deadline = machine.deadline()
        if deadline is not None and deadline <= self.now:
            name = self._names[to]
            try:
                out = machine.tick(self.now)
            except Exception as error:
                raise self._fault(name, "its clock", error, None) from error
            if to == 0:
                self.ledger.expired(out)
            self._carry(to, out, None)
        self._arm(to, machine)

    def _arm(self, to: int, machine: _Machine) -> None:
        """Have a machine's clock ring when it wants to."""
        deadline = machine.deadline()
        if deadline is None:
            return
        known = self._wakes[to]
        if known is None or deadline < known:
            self._wakes[to] = at = max(deadline, self.now)
            self._at(at, to, _WAKE, None)

    def _fault(self, name: Actor, what: str, error: Exception, flow: Flow | None) -> Violation:
        if isinstance(error, Violation):
            return error
        who = f"{name.role.value} {name.number}" if name.number else name.role.value
        words = f"{who} fails on {what}: {type(error).__name__}: {error}"
        return Violation(Rule.FAULT, words, self.now, 0 if flow is None else flow.number)

    # -- messages -----------------------------------------------------------------------------

    def _at(self, when: Nanoseconds, to: Any, what: Any, flow: Flow | None) -> None:
        self._count = count = self._count + 1
        heappush(self._events, (when, count, to, what, flow))

    def _carry(self, sender: int, out: list[Outbound], flow: Flow | None) -> None:
        """Messages set out; what is for the observer is seen at once."""
        ledger = self.ledger
        on_sent = ledger.on_sent
        name = self._names[sender]
        for to, message in out:
            kind = message.__class__
            owner = flow
            if owner is None:
                owner = self._owner(message)
            look = on_sent.get(kind)
            if look is not None:
                look(name, message, owner)
            if to is OBSERVER:
                self._observe(name, message, owner)
                continue
            index = self._index[to]
            carries = kind is Transmit or kind is PacketIn
            if carries and self._loses_punts and owner is not None and owner.fate.hits(5):
                self._lose(message, owner)
                continue
            if isinstance(message, Transmit) and name.role is Role.SPU:
                self._left_spu(message)
            elif (kind is Redirect or kind is CreateRequest) and owner is not None:
                self._handed_back(message, owner)
            dice = self._dice if owner is None else owner.fate
            delay = 2 * MICROSECOND + dice.below(30 * MICROSECOND)
            if self._delays:
                chance = dice.below(20_000)
                if chance < 200:
                    delay += dice.below(STALL if not chance else 5 * MILLISECOND)
            if self.hear is not None:
                self.hear(name, to, message, owner)
            channel = sender << 9 | index << 1 | carries
            at = max(self.now + delay, self._free.get(channel, 0))
            self._free[channel] = at
            self._at(at, index, message, owner)

    def _owner(self, message: Message) -> Flow | None:
        """The flow on whose behalf a machine speaks that looked at its clock."""
        ledger = self.ledger
        session_id = getattr(message, "session_id", 0)
        if session_id:
            entry = ledger.by_session.get(session_id)
            return None if entry is None else entry.flow
        key = getattr(message, "flow", None)
        return None if key is None else ledger.flow_of.get(key)

    def _observe(self, name: Actor, message: Message, flow: Flow | None) -> None:
        if isinstance(message, PacketDropped):
            self.dropped[message.reason] += 1
        elif isinstance(message, SessionClosed):
            self.closed[message.reason] += 1
        if self.watch is not None:
            self.watch(name, message, flow)

    def _unheard(self, to: int, message: Message, flow: Flow | None) -> None:
        """A message to a machine that is down; a packet to an SPU goes to the central point."""
        if self._is_up:
            instead = stray(self._names[to], message)
            if instead is not None:
                self._carry(to, [instead], flow)
                return
        self.lost["to a machine that is down"] += 1
        if flow is not None and _carries_packet_of(flow, message):
            flow.open -= 1

    def _lose(self, message: Message, flow: Flow) -> None:
        where = "between NPU and controller"
        self.lost[where] += 1
        if _carries_packet_of(flow, message):
            flow.open -= 1
            if self.tell is not None:
                self.tell(f"a packet is lost {where}", flow)

    # -- packets ------------------------------------------------------------------------------

    def put(self, flow: Flow, wire: Any, frame: bytes, after: Nanoseconds) -> None:
        """A frame goes onto a wire towards the firewall: lost, doubled, or overtaken, maybe."""
        dice = flow.fate
        side = SERVER if wire is flow.server else CLIENT
        at = self.now + after + 5 * MICROSECOND + dice.below(20 * MICROSECOND)
        if self._wire_faults:
            faults = self.plan.faults
            if Fault.LOSS in faults and dice.hits(20):
                self.lost["on a wire"] += 1
                if self.tell is not None:
                    self.tell("a frame is lost on a wire", flow)
                return
            if Fault.REORDERING in faults and dice.hits(30):
                self.lost["overtaken on a wire"] += 1
                at += dice.below(3 * MILLISECOND)
            else:
                at = max(at, flow.wire_free[side])
                flow.wire_free[side] = at
            if Fault.DUPLICATION in faults and dice.hits(20):
                self.lost["doubled on a wire"] += 1
                tag = tag_of(frame)
                if tag is not None:
                    flow.copies[tag.packet] += 1
                flow.open += 1
                self._at(at + dice.below(MILLISECOND), wire.port, frame, flow)
        else:
            at = max(at, flow.wire_free[side])
            flow.wire_free[side] = at
        flow.open += 1
        self._at(at, wire.port, frame, flow)

    def wake(self, flow: Flow, after: Nanoseconds, what: int) -> None:
        """Call a flow's ``alarm``."""
        self._at(self.now + after, None, what, flow)

    def _arrive(self, port: Port, frame: bytes, flow: Flow | None) -> None:
        npu = self.npus[port.npu]
        self._last_frame = self.now
        if self.tell is not None and flow is not None:
            self.tell(f"{_named(frame)} comes to NPU {port.npu} port {port.port}", flow)
        if npu.lost:
            self.lost["to an NPU that is down"] += 1
            if flow is not None:
                flow.open -= 1
                if flow.is_over:
                    self._forget(flow)
            return
        outcome = npu.arrive(port.port, frame, self.now)
        index = self._index[Actor(Role.NPU, port.npu)]
        if outcome is None:
            if flow is not None:
                flow.open -= 1
        elif isinstance(outcome, Sent):
            self._leave(outcome.port, outcome.frame)
        else:
            to = CP
            if outcome.reason in (Punt.ARP, Punt.ND):
                to = NEIGHBORS
            elif outcome.spu and (outcome.session_id or outcome.reason in _MISSES):
                to = Actor(Role.SPU, outcome.spu)
            self._carry(index, [Outbound(to, outcome)], flow)
        if flow is not None and flow.is_over:
            self._forget(flow)

    def _reached_spu(self, message: Any, flow: Flow) -> None:
        frame = message.frame if message.__class__ is PacketIn else message.packet.frame
        tag = tag_of(frame)
        if tag is not None and tag.flow == flow.number:
            flow.clock += 1
            known = flow.arrived.get(tag.packet)
            if known is None:
                flow.arrived[tag.packet] = [flow.clock]
            else:
                known.append(flow.clock)

    def _handed_back(self, message: Any, flow: Flow) -> None:
        """A packet leaves an SPU for the central point, and may come again."""
        tag = tag_of(message.packet.frame)
        if tag is not None and tag.flow == flow.number:
            known = flow.arrived.get(tag.packet)
            if known:
                known.pop(0)

    def _left_spu(self, message: Transmit) -> None:
        """A packet leaves an SPU: in the order in which it came, among those of its direction."""
        tag = tag_of(message.frame)
        flow = None if tag is None else self._live.get(tag.flow)
        if tag is None or flow is None or not flow.is_counted:
            return
        known = flow.arrived.get(tag.packet)
        if not known:
            return  # an answer of the firewall's, which quotes the packet
        direction = tag.packet & 1
        last = flow.left_spu[direction]
        for at, arrival in enumerate(known):
            if arrival > last:
                del known[at]
                flow.left_spu[direction] = arrival
                return
        what = f"packet {tag.packet} reached the SPU before one that has left it already"
        raise Violation(Rule.ORDER, what, self.now, flow.number)

    def _leave(self, port: Port, frame: bytes) -> None:
        """A frame leaves the chassis, onto a wire."""
        vlan = (frame[14] << 8 | frame[15]) & 0xFFF if frame[12:14] == b"\x81\x00" else 0
        wire = self._by_port.get((port, vlan))
        if wire is None:
            what = f"a frame leaves by port {port.port} of NPU {port.npu}, VLAN {vlan}"
            raise Violation(Rule.TRANSLATION, what, self.now)
        answer = resolve(wire, frame)
        if answer is not None:
            if answer:
                self._at(self.now + 30 * MICROSECOND, port, answer, None)
            return
        packet = parse(frame)
        if isinstance(packet, Drop):
            what = f"a frame leaves that is no packet: {packet.name}"
            raise Violation(Rule.TRANSLATION, what, self.now)
        tag = tag_of(frame)
        flow = None if tag is None else self._live.get(tag.flow)
        if flow is None or tag is None:
            return  # the firewall's own, such as a RST
        number = tag.packet
        if packet.is_icmp_error and not (flow.reports_errors and number & 1):
            return  # the firewall's own, which quotes a packet
        side = SERVER if not number & 1 else CLIENT
        if flow.is_for_us:
            side = CLIENT
        left = flow.copies.get(number, 0) - 1
        if left < 0:
            raise Violation(Rule.TWICE, f"packet {number} leaves again", self.now, flow.number)
        if self.tell is not None:
            self.tell(f"{_named(frame)} leaves by NPU {port.npu} port {port.port}", flow)
        flow.copies[number] = left
        flow.open -= 1
        self._look_at(flow, side, packet)
        if flow.is_for_us:
            pass
        elif Fault.LOSS in self.plan.faults and flow.fate.hits(20):
            self.lost["on a wire"] += 1
        else:
            if side == SERVER:
                flow.server = wire
                flow.note(side, packet)
            flow.heard(side, packet, number)
        if flow.is_over:
            self._forget(flow)

    def _look_at(self, flow: Flow, side: int, packet: Any) -> None:
        """What leaves is intact, and for the end of the flow that it is for."""
        there = flow.there
        if not is_intact(packet.frame, packet.l3):
            raise Violation(Rule.TRANSLATION, "its IP checksum is wrong", self.now, flow.number)
        if side == SERVER:
            right = packet.dst == there.dst
        else:
            right = packet.dst == there.src and (
                packet.is_icmp_error or packet.is_later_fragment or packet.sport == there.dport
            )
        if not right:
            what = f"it leaves for {packet.dst.hex('.')}, port {packet.dport}"
            raise Violation(Rule.TRANSLATION, what, self.now, flow.number)

    # -- flows --------------------------------------------------------------------------------

    def _draw_next(self) -> None:
        """The next flow to begin: flow *n* at about *n* times the pause between two."""
        number = next(self._numbers, 0)
        self._next_flow = number
        if number:
            pause = SECOND // self.plan.rate
            at = number * pause + Dice(self.plan.seed, number, 1).below(pause)
            self._at(max(at, self.now), None, _START, None)

    def _start(self) -> None:
        number = self._next_flow
        flow = self._live[number] = self._workload.flow(number)
        self.flows += 1
        flow.begin()
        self._draw_next()

    def _forget(self, flow: Flow) -> None:
        """Nothing of a flow is left."""
        if self._live.pop(flow.number, None) is not None:
            flow_of = self.ledger.flow_of
            for key in flow.names:
                if flow_of.get(key) is flow:
                    del flow_of[key]

    # -- incidents ----------------------------------------------------------------------------

    def _boot(self) -> None:
        """A controller begins, with NPUs as they are."""
        config, site = self._config, self._chassis
        trace = self.plan.trace
        fib = fib_of(config)
        self.cp = CentralPoint(config, site, nat_ports=self._ports, trace=trace)
        self.spus = {n: Spu(n, config, fib, site, trace=trace) for n in site.spus}
        self._machines[0] = self.cp
        self._machines[1] = Neighbors(config)
        for n, spu in self.spus.items():
            self._machines[self._index[Actor(Role.SPU, n)]] = spu
        self.ledger.bind(self.cp, self.spus, self.npus)

    def _incident(self, incident: Incident) -> None:
        if self.tell is not None:
            self.tell(incident.text, None)
        dice = Dice(self.plan.seed, incident.number, 2)
        match incident.fault:
            case Fault.CLEAR:
                self._clear(dice)
            case Fault.RELOAD:
                self._reload(dice)
            case Fault.CONTROLLER:
                self._crash()
                self._back_after(dice)
            case Fault.NPU:
                self._lose_npu(dice)
            case Fault.SPU:
                self._lose_spu(dice)
            case _:
                raise AssertionError(f"{incident.fault} is no incident")

    def _clear(self, dice: Dice) -> None:
        """An operator clears some sessions of an SPU."""
        if not self._is_up:
            return
        number = 1 + dice.below(self.plan.spus)
        if number not in self.spus:
            return
        wanted = 1 + dice.below(10)
        for session_id, session in list(inside.sessions(self.spus[number]).items())[:wanted]:
            flow = self.ledger.flow_of.get(session.wings[0].key)
            at = self.now + 2 * MICROSECOND + dice.below(MILLISECOND)
            self._at(at, self._index[Actor(Role.SPU, number)], ClearSession(session_id), flow)

    def _reload(self, dice: Dice) -> None:
        """Another configuration; each machine hears of it when its message gets there."""
        variant = dice.below(VARIANTS)
        self._config = configuration(variant, self._chassis, self._config)
        for npu in self.npus.values():
            npu.configure(self._config)
        message = Reconfigure(self._config)
        for name, index in self._index.items():
            if name.role is not Role.NPU and self._is_up:
                self._at(self.now + 2 * MICROSECOND + dice.below(MILLISECOND), index, message, None)

    # -- crashes ------------------------------------------------------------------------------

    @property
    def _is_up(self) -> bool:
        """Whether there is a controller."""
        return self._machines[0] is not None

    def _crash(self) -> None:
        """The controller is gone, with all it knew and all that was under way to and from it.

        NPUs go on by themselves: what rides Express Path still passes.
        """
        if not self._is_up:
            return
        self._lose_events(lambda _: True)
        for spu in self.spus.values():
            self._lose_waiting(spu)
        for name, index in self._index.items():
            self._wakes[index] = None
            if name.role is not Role.NPU:
                self._machines[index] = None
        for index, machine in enumerate(self._machines):
            if machine is not None:
                self._arm(index, machine)
        self.ledger.close_books()
        for flow in [flow for flow in self._live.values() if flow.is_over]:
            self._forget(flow)

    def _back_after(self, dice: Dice) -> None:
        """Soon enough to meet what the workload still has."""
        longest = min(3 * SECOND, self._end // 6)
        self._at(self.now + MILLISECOND + dice.below(longest + 1), None, _BOOT, None)

    def _lose_spu(self, dice: Dice) -> None:
        """An SPU fails, and a fresh one joins after a while; or it gets no new flows for a while.
        The central point hears of its end behind what it sent before."""
        number = 1 + dice.below(self.plan.spus)
        index = self._index[Actor(Role.SPU, number)]
        if not self._is_up or number not in self.spus:
            return
        back = self.now + MILLISECOND + dice.below(max(SECOND, self._end // 8))
        if dice.hits(300):
            self._carry(index, [Outbound(CP, DrainSpu(number))], None)
            self._at(back, index, _UNDRAIN, None)
            return
        self._lose_waiting(self.spus.pop(number))
        self._machines[index] = None
        self._wakes[index] = None
        self._carry(index, [Outbound(CP, SpuFailed(number, "the plan has it"))], None)
        self._at(back, index, _JOIN, None)

    def _join(self, index: int) -> None:
        """A fresh SPU asks to take part."""
        number = self._names[index].number
        if not self._is_up or number in self.spus:
            return
        self._incarnations += 1
        config = self._config
        spu = Spu(
            number,
            config,
            fib_of(config),
            self._chassis,
            trace=self.plan.trace,
            incarnation=self._incarnations,
        )
        self.spus[number] = self._machines[index] = spu
        self._arm(index, spu)

    def _undrain(self, index: int) -> None:
        if self._is_up:
            number = self._names[index].number
            self._carry(index, [Outbound(CP, DrainSpu(number, on=False))], None)

    def _lose_npu(self, dice: Dice) -> None:
        """An NPU goes down. Writes to it fail, or were done and nobody knows; when the controller
        notices, it ends (docs/LIMITATIONS.md), and is started again once the NPU is back."""
        npu = self.npus[NPUS[dice.below(len(NPUS))]]
        if npu.lost or not self._is_up:
            return
        npu.lost = True
        self._at(self.now + dice.below(min(200 * MILLISECOND, self._end // 8)), None, _NOTICE, None)

    def _notice(self) -> None:
        if self._is_up and any(npu.lost for npu in self.npus.values()):
            self._crash()
            self._back_after(Dice(self.plan.seed, self.now))

    def _reboot(self) -> None:
        """A new controller empties the NPUs' tables and begins."""
        if self._is_up:
            return
        for npu in self.npus.values():
            npu.lost = False
            npu.forget()
        self._boot()

    def _lose_waiting(self, spu: Spu) -> None:
        """Packets in the queues of an SPU that is gone."""
        for message in inside.waiting(spu):
            tag = tag_of(message.frame)
            flow = None if tag is None else self._live.get(tag.flow)
            if flow is not None:
                flow.open -= 1

    def _lose_events(self, is_lost: Callable[[int], bool]) -> None:
        """Messages that are under way get lost with who would take them, by index."""
        kept = []
        for event in self._events:
            _, _, to, what, flow = event
            if to.__class__ is int and is_lost(to) and what is not _JOIN:
                if flow is not None and _carries_packet_of(flow, what):
                    flow.open -= 1
            else:
                kept.append(event)
        self._events[:] = kept
        heapify(self._events)

    # -- the end ------------------------------------------------------------------------------

    def _restless(self) -> None:
        """Somebody sends messages, or looks at the clock, for no reason any more."""
        flow = next(iter(self.ledger.entries.values())).flow if self.ledger.entries else None
        what = "something goes on for ever"
        raise Violation(Rule.BOUNDED, what, self.now, 0 if flow is None else flow.number)

    def _look_back(self) -> None:
        """Everything has aged out: nothing is left anywhere."""
        left = [f"central point: {what}" for what in self.cp.audit()]
        for number, spu in self.spus.items():
            left += [f"SPU {number}: {what}" for what in spu.audit()]
        for number, npu in self.npus.items():
            left += [f"NPU {number}: {key}" for key in npu.entries()]
        if left:
            raise Violation(Rule.ENTRIES, f"left at the end: {left[0]}", self.now)
        for flow in self._live.values():
            if flow.is_counted and flow.open:
                what = f"{flow.open} packets of it have neither left nor been dropped ({flow.kind})"
                raise Violation(Rule.VANISHED, what, self.now, flow.number)


def _carries_packet_of(flow: Flow, message: Any) -> bool:
    """Whether a packet of a flow is lost with a message; not so one that the firewall made itself,
    such as an ARP request or an error that quotes the packet."""
    if isinstance(message, Transmit):
        if message.send is not Send.EGRESS and not flow.is_for_us:
            return False
        frame = message.frame
    elif isinstance(message, PacketIn):
        frame = message.frame
    elif isinstance(message, (CreateSession, Deliver, Redirect, CreateRequest)):
        frame = message.packet.frame
    else:
        return False
    tag = tag_of(frame)
    return tag is not None and tag.flow == flow.number


def _named(frame: bytes) -> str:
    tag = tag_of(frame)
    return "a frame" if tag is None else f"packet {tag.packet}"
