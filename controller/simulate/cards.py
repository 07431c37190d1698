"""The cards of a chassis: machines that come and go, and the messages that they exchange.

**Order.** Messages between two machines arrive in the order sent, as the machines are promised.
Packets between NPU and controller have a stream of their own, as in P4Runtime, so they overtake
answers to Writes and are overtaken.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from controller.central_point import CentralPoint
from controller.flow import Nanoseconds
from controller.messages import (
    CP,
    NEIGHBORS,
    OBSERVER,
    Actor,
    CreateRequest,
    Message,
    Outbound,
    PacketIn,
    ReadWing,
    Redirect,
    Role,
    Transmit,
)
from controller.npu.program import initial_buckets
from controller.routing.fib import fib_of
from controller.routing.neighbors import Neighbors
from controller.simulate import inside
from controller.simulate.dice import Dice
from controller.simulate.flow import Flow
from controller.simulate.frames import tag_of
from controller.simulate.npu import FaultyNpu
from controller.simulate.options import Fault, Plan
from controller.simulate.site import NPUS, chassis, configuration
from controller.simulate.styles import style_of
from controller.simulate.tracking import (
    CARRIERS,
    PacketCarrier,
    carried,
    carries_packet_of,
    handed_back,
    in_doubt,
    left_spu,
    reached_spu,
)
from controller.simulate.violation import Rule, Violation
from controller.simulate.wires import Wires
from controller.simulate.world import MICROSECOND, MILLISECOND, STALL, Call, World
from controller.spu import Spu
from controller.spu_bay import stray

Machine = CentralPoint | Spu | Neighbors | FaultyNpu
CP_INDEX = 0
_MOST_KEPT = 10_000
_TRACKED = frozenset((Redirect, CreateRequest, ReadWing))
_QUICKEST: Nanoseconds = 2 * MICROSECOND
_SPREAD: Nanoseconds = 30 * MICROSECOND
"""Between the quickest message and the slowest, if none is held back."""
_ROLLS = 20_000 * _SPREAD
"""One number says both how quick a message is, and whether it is held back."""
_STALLED = 200 * _SPREAD
"""Below that it is: one in a hundred."""
_NEIGHBORS_INDEX = 1


def _few(plan: Plan) -> int:
    """Sessions that are there before long, but not at once: a quarter of a short run's; of a long
    one's, those of some seconds."""
    return min(plan.sessions // 4, plan.rate * 8)


class Cards:
    """Machines by index; ``None`` is one that is not there."""

    def __init__(self, world: World) -> None:
        plan = world.plan
        self._world = world
        self.style = style_of(plan.seed)
        self.chassis = chassis(plan.spus, self._room(), self.style, plan.faults)
        self.config = configuration(0, self.chassis, self.style)
        self.npus = {
            n: FaultyNpu(n, self.config, self._capacity(), Dice(plan.seed, -n)) for n in NPUS
        }
        self.spus: dict[int, Spu] = {}
        self.wires: Wires
        self.index: dict[Actor, int] = {CP: CP_INDEX, NEIGHBORS: _NEIGHBORS_INDEX}
        for n in NPUS:
            self.index[Actor(Role.NPU, n)] = len(self.index)
        for n in self.chassis.spus:
            self.index[Actor(Role.SPU, n)] = len(self.index)
        self.names = list(self.index)
        self._is_spu = [name.role is Role.SPU for name in self.names]
        self.machines: list[Machine | None] = [None] * len(self.names)
        for n, npu in self.npus.items():
            self.machines[self.npu_index(n)] = npu
        self._wakes: list[Nanoseconds | None] = [None] * len(self.names)
        """When each machine's clock is set to ring."""
        self._free: dict[int, Nanoseconds] = {}
        """By channel: when the last message in it arrives."""
        self._dice = Dice(plan.seed, 0)
        self._stalls = Fault.DELAY in plan.faults
        self._loses_packets = Fault.PUNTS in plan.faults
        self._nat_ports = range(1024, 65536)
        if Fault.EXHAUSTION in plan.faults:
            self._nat_ports = range(2000, 2000 + max(20, min(plan.sessions // 40, plan.rate * 2)))
        self._incarnations = 0
        self._by_object: dict[int, int] = {}
        """Indexes of actors by ``id``; ``_kept`` keeps them, so that the ids stay theirs."""
        self._kept: list[Actor] = []

    def _room(self) -> int:
        """Sessions that an SPU can hold."""
        plan = self._world.plan
        if Fault.EXHAUSTION not in plan.faults:
            return 1_048_576
        return max(8, _few(plan) // plan.spus)

    def _capacity(self) -> int | None:
        """Wings that an NPU can hold: less than there is room for sessions, if that is little."""
        plan = self._world.plan
        if Fault.REFUSAL not in plan.faults:
            return None
        few = _few(plan)
        return max(8, few * 4 // 5 if Fault.EXHAUSTION in plan.faults else few * 2)

    # -- machines that come and go ------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether there is a controller."""
        return self.machines[CP_INDEX] is not None

    def npu_index(self, number: int) -> int:
        """An NPU's index."""
        return 2 + number - NPUS[0]

    def boot(self) -> None:
        """A controller begins, with NPUs as they are."""
        world, config, site = self._world, self.config, self.chassis
        trace = world.plan.trace
        fib = fib_of(config)
        cp = CentralPoint(config, site, nat_ports=self._nat_ports, trace=trace)
        self.machines[CP_INDEX] = cp
        self.machines[_NEIGHBORS_INDEX] = Neighbors(config)
        self.spus = {n: Spu(n, config, fib, site, trace=trace) for n in site.spus}
        for npu in self.npus.values():
            npu.buckets = initial_buckets(site)
        for n, spu in self.spus.items():
            self.machines[self.index[Actor(Role.SPU, n)]] = spu
        world.ledger.bind(cp, self.spus, self.npus)

    def shut_down(self) -> None:
        """The controller is gone; NPUs are not."""
        for index, name in enumerate(self.names):
            if name.role is not Role.NPU:
                inside.empty(self.machines[index])
                self.machines[index] = None
                self._wakes[index] = None
        self.spus.clear()

    def insert(self, index: int) -> None:
        """A fresh SPU asks to take part, unless one is there."""
        number = self.names[index].number
        if not self.is_up or number in self.spus:
            return
        self._incarnations += 1
        self._world.tally.happened(Fault.SPU, "joined")
        config = self.config
        spu = Spu(
            number,
            config,
            fib_of(config),
            self.chassis,
            trace=self._world.plan.trace,
            incarnation=self._incarnations,
        )
        self.spus[number] = self.machines[index] = spu
        self._arm(index, spu)

    def remove(self, index: int) -> Spu:
        """An SPU is gone, with all it knew."""
        self.machines[index] = None
        self._wakes[index] = None
        return self.spus.pop(self.names[index].number)

    # -- messages -----------------------------------------------------------------------------

    def take(self, to: int, what: Any, flow: Flow | None) -> None:
        """A message reaches a machine."""
        world = self._world
        world.messages += 1
        machine = self.machines[to]
        if machine is None:
            self._unheard(to, what, flow)
            return
        kind = what.__class__
        if kind is Transmit:
            self.wires.leave(what.port, what.frame)
            return
        is_spu = self._is_spu[to]
        if is_spu and flow is not None and kind in CARRIERS:
            reached_spu(what, flow, self.names[to].number)
        try:
            out = machine.handle(what, world.now)
        except Exception as error:
            raise self._fault(to, kind.__name__, error, flow) from error
        if out:
            self.carry(to, out, flow)
        ledger = world.ledger
        if is_spu:
            look = ledger.on_handled.get(kind)
            if look is not None:
                look(self.names[to].number, what)
        elif to == CP_INDEX:
            after = ledger.on_cp.get(kind)
            if after is not None:
                after(what)
        if flow is not None and not flow.entries and flow.is_over:
            world.settle(flow)
        self._arm(to, machine)

    def clock(self, to: int) -> None:
        """A machine looks at its clock, if that is still what it wants."""
        world, machine = self._world, self.machines[to]
        if machine is None or self._wakes[to] != world.now:
            return
        self._wakes[to] = None
        deadline = machine.deadline()
        if deadline is not None and deadline <= world.now:
            try:
                out = machine.tick(world.now)
            except Exception as error:
                raise self._fault(to, "its clock", error, None) from error
            if to == CP_INDEX:
                world.ledger.expired(out)
            self.carry(to, out, None)
        self._arm(to, machine)

    def arm(self) -> None:
        """Set all clocks (again)."""
        for index, machine in enumerate(self.machines):
            self._wakes[index] = None
            if machine is not None:
                self._arm(index, machine)

    def _arm(self, to: int, machine: Machine) -> None:
        deadline = machine.deadline()
        if deadline is None:
            return
        known = self._wakes[to]
        if known is None or deadline < known:
            world = self._world
            self._wakes[to] = at = max(deadline, world.now)
            world.at(at, to, Call.WAKE, None)

    def _fault(self, to: int, what: str, error: Exception, flow: Flow | None) -> Violation:
        words = f"{self.names[to]} fails on {what}: {type(error).__name__}: {error}"
        number = 0 if flow is None else flow.number
        return Violation(Rule.FAULT, words, self._world.now, number)

    def carry(self, sender: int, out: Iterable[Outbound], flow: Flow | None) -> None:
        """Messages set out; what is for the observer is seen at once."""
        world, name = self._world, self.names[sender]
        on_sent = world.ledger.on_sent
        counted = world.tally.on_sent
        from_spu = self._is_spu[sender]
        for to, message in out:
            kind = message.__class__
            owner = flow
            if flow is None:
                owner = self._owner(message)
            elif kind in CARRIERS:
                owner = self._whose(message, flow)
            look = on_sent.get(kind)
            if look is not None:
                look(name, message, owner)
            count = counted.get(kind)
            if count is not None:
                count(message)
            if to is OBSERVER:
                self._observe(name, message, owner)
                continue
            is_packet = kind is Transmit or kind is PacketIn
            if is_packet and self._loses_packets and owner is not None and owner.fate.hits(5):
                self._lose(message, owner)
                continue
            if from_spu:
                if isinstance(message, Transmit):
                    left_spu(message, world.live, name.number, world.now)
                elif kind in _TRACKED and owner is not None:
                    self._track(message, owner, name.number)
            if world.hear is not None:
                world.hear(name, to, message, owner)
            known = self._by_object.get(id(to))
            index = self._find(to) if known is None else known
            dice = self._dice if owner is None else owner.fate
            roll = dice.below(_ROLLS)
            at = world.now + _QUICKEST + roll % _SPREAD
            if roll < _STALLED and self._stalls:
                at += self._stall(dice, roll // _SPREAD)
            channel = sender << 9 | index << 1 | is_packet
            free = self._free.get(channel, 0)
            if at < free:
                at = free
            self._free[channel] = at
            world.at(at, index, message, owner)

    def _track(self, message: Message, flow: Flow, spu: int) -> None:
        """What an SPU says of a packet that it does not let go yet."""
        if isinstance(message, ReadWing):
            doubt = inside.doubt(self.spus[spu], message.session_id)
            if doubt is not None:
                in_doubt(doubt, flow)
        # What comes to an SPU that is gone never was there.
        elif isinstance(message, Redirect | CreateRequest) and spu in self.spus:
            handed_back(message, flow, spu)

    def _find(self, to: Actor) -> int:
        """The index of an actor; next time without looking at what it says, if it is one of the
        few that machines keep."""
        index = self.index[to]
        if len(self._kept) < _MOST_KEPT:
            self._kept.append(to)
            self._by_object[id(to)] = index
        return index

    def _stall(self, dice: Dice, chance: int) -> Nanoseconds:
        """How long a message is held back: most of those that are not for long, one in 200 (those
        with ``chance`` 0) for longer."""
        if chance:
            self._world.tally.happened(Fault.DELAY, "messages held up to 5 ms")
            return dice.below(5 * MILLISECOND)
        self._world.tally.happened(Fault.DELAY, "up to 2 s")
        return dice.below(STALL)

    def _owner(self, message: Message) -> Flow | None:
        """The flow on whose behalf a machine speaks of its own accord."""
        world = self._world
        session_id = getattr(message, "session_id", 0)
        if session_id:
            entry = world.ledger.by_session.get(session_id)
            if entry is not None:
                return entry.flow
        key = getattr(message, "flow", None)
        flow = None if key is None else world.ledger.flow_of.get(key)
        if flow is None and isinstance(message, PacketCarrier):
            # A later fragment's key says little.
            tag = tag_of(carried(message).frame)
            flow = None if tag is None else world.live.get(tag.flow)
        return flow

    def _whose(self, message: Any, flow: Flow) -> Flow:
        """Whose packet a machine hands on while it hears of a flow: of another one, perhaps, such
        as a control connection that has come to its end with its children."""
        tag = tag_of(carried(message).frame)
        if tag is None or tag.flow == flow.number:
            return flow
        return self._world.live.get(tag.flow, flow)

    def _observe(self, name: Actor, message: Message, flow: Flow | None) -> None:
        world = self._world
        world.tally.observed(name, message)
        if world.watch is not None:
            world.watch(name, message, flow)

    def _unheard(self, to: int, message: Message, flow: Flow | None) -> None:
        """A message to a machine that is down; a packet to an SPU goes to the central point."""
        if self.is_up:
            instead = stray(self.names[to], message)
            if instead is not None:
                self.carry(to, [instead], flow)
                return
        world = self._world
        world.tally.happened(Fault.SPU if self.is_up else Fault.CONTROLLER, "messages lost")
        if flow is not None and carries_packet_of(flow, message):
            flow.open -= 1
            world.settle(flow)

    def _lose(self, message: Message, flow: Flow) -> None:
        world = self._world
        world.tally.happened(Fault.PUNTS, "packets lost")
        if carries_packet_of(flow, message):
            flow.open -= 1
            if world.tell is not None:
                world.tell("a packet is lost between NPU and controller", flow)

    # -- what is there ------------------------------------------------------------------------

    def left(self) -> list[str]:
        """What is left of sessions anywhere, in words."""
        cp = self.machines[CP_INDEX]
        left = []
        if isinstance(cp, CentralPoint):
            left += [f"central point: {what}" for what in cp.audit()]
        for number, spu in self.spus.items():
            left += [f"SPU {number}: {what}" for what in spu.audit()]
        for number, npu in self.npus.items():
            left += [f"NPU {number}: {key}" for key in npu.entries()]
        return left
