"""Frames on the wires: from hosts to NPUs, lost, doubled or overtaken on the way; and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from controller.config.schema import Configuration
from controller.flow import Address, Nanoseconds, Port
from controller.messages import CP, NEIGHBORS, Actor, Outbound, Role
from controller.packet import Packet, parse
from controller.reasons import Drop, Punt
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.frames import Tag, is_intact, tag_of
from controller.simulate.npu import FaultyNpu
from controller.simulate.options import Fault
from controller.simulate.site import Wire, resolve, wires
from controller.simulate.violation import Rule, Violation
from controller.simulate.world import MICROSECOND, MILLISECOND, World
from controller.simulated_npu import Sent

_FRAMES = "frames"

Punted = Callable[[int, Outbound, Flow | None], None]
"""Called with a packet that an NPU, by number, hands to the controller."""


class Wires:
    """Between hosts and NPUs."""

    def __init__(
        self,
        world: World,
        config: Configuration,
        npus: Mapping[int, FaultyNpu],
        punted: Punted,
    ) -> None:
        self.by_name = wires(config)
        self._world = world
        self._npus = npus
        self._punted = punted
        self._by_port = {(w.port, w.interface.vlan): w for w in self.by_name.values()}
        self._spus: dict[int, Actor] = {}
        faults = world.plan.faults
        self._loses = Fault.LOSS in faults
        self._doubles = Fault.DUPLICATION in faults
        self._overtakes = Fault.REORDERING in faults

    # -- hosts speak --------------------------------------------------------------------------

    @property
    def now(self) -> Nanoseconds:
        """Virtual time."""
        return self._world.now

    def put(self, flow: Flow, wire: Wire, frame: bytes, after: Nanoseconds) -> None:
        """A frame goes onto a wire towards the firewall."""
        world, dice = self._world, flow.fate
        side = SERVER if wire is flow.server else CLIENT
        at = world.now + after + 5 * MICROSECOND + dice.below(20 * MICROSECOND)
        if self._loses and dice.hits(20):
            self._lose(flow)
            return
        if self._overtakes and dice.hits(30):
            world.tally.happened(Fault.REORDERING, _FRAMES)
            at += dice.below(3 * MILLISECOND)
        else:
            at = max(at, flow.wire_free[side])
            flow.wire_free[side] = at
        if self._doubles and dice.hits(20):
            world.tally.happened(Fault.DUPLICATION, _FRAMES)
            tag = tag_of(frame)
            is_its_own = tag is not None and tag.flow == flow.number
            flow.doubled(tag.packet if tag is not None and is_its_own else -1, frame)
            flow.open += 1
            world.at(at + dice.below(MILLISECOND), wire.port, frame, flow)
        flow.open += 1
        world.at(at, wire.port, frame, flow)

    def count(self, deed: str) -> None:
        """A host has noticed that something was done for it."""
        self._world.tally.deeds[deed] += 1

    def wake(self, flow: Flow, after: Nanoseconds, what: int) -> None:
        """A host wants to be woken."""
        self._world.at(self._world.now + after, None, what, flow)

    def adopt(self, flow: Flow) -> None:
        """A flow that another one announced begins."""
        self._world.live[flow.number] = flow
        self._world.tally.kinds[flow.kind] += 1
        flow.begin()

    def listen(self, flow: Flow, address: Address, port: int) -> None:
        """What comes there without a tag is the flow's."""
        self._world.listeners[address, port] = flow
        flow.listens.append((address, port))

    def is_taken(self, address: Address, port: int) -> bool:
        """Whether what comes there without a tag is a flow's."""
        return (address, port) in self._world.listeners

    def _lose(self, flow: Flow) -> None:
        world = self._world
        world.tally.happened(Fault.LOSS, _FRAMES)
        if world.tell is not None:
            world.tell("a frame is lost on a wire", flow)

    # -- frames come to an NPU ----------------------------------------------------------------

    def arrive(self, port: Port, frame: bytes, flow: Flow | None) -> None:
        """A frame comes in at a port."""
        world, npu = self._world, self._npus[port.npu]
        world.last_frame = world.now
        if world.tell is not None and flow is not None:
            world.tell(f"{_named(tag_of(frame))} comes to NPU {port.npu} port {port.port}", flow)
        outcome = None
        if npu.lost:
            world.tally.happened(Fault.NPU, "frames lost")
        else:
            outcome = npu.arrive(port.port, frame, world.now)
        if outcome is None:
            if flow is not None:
                flow.open -= 1
        elif isinstance(outcome, Sent):
            self.leave(outcome.port, outcome.frame)
        else:
            to = CP
            if outcome.reason is Punt.ARP or outcome.reason is Punt.ND:
                to = NEIGHBORS
            elif outcome.reason is Punt.SYN_PROXY:
                world.tally.deeds["SYNs above the attack threshold"] += 1
                to = self._spu(outcome.spu) if outcome.spu else CP
            elif outcome.spu and (outcome.session_id or outcome.reason is Punt.MISS):
                to = self._spu(outcome.spu)
            self._punted(port.npu, (to, outcome), flow)
        if flow is not None:
            world.settle(flow)

    def _spu(self, number: int) -> Actor:
        actor = self._spus.get(number)
        if actor is None:
            actor = self._spus[number] = Actor(Role.SPU, number)
        return actor

    # -- frames leave by an NPU ---------------------------------------------------------------

    def leave(self, port: Port, frame: bytes) -> None:
        """A frame leaves the chassis: it is looked at, and the host that it is for hears it."""
        world = self._world
        vlan = (frame[14] << 8 | frame[15]) & 0xFFF if frame[12:14] == b"\x81\x00" else 0
        wire = self._by_port.get((port, vlan))
        if wire is None:
            what = f"a frame leaves by port {port.port} of NPU {port.npu}, VLAN {vlan}"
            raise Violation(Rule.TRANSLATION, what, world.now)
        answer = resolve(wire, frame)
        if answer is not None:
            if answer:
                world.at(world.now + 30 * MICROSECOND, port, answer, None)
            return
        packet = parse(frame)
        if isinstance(packet, Drop):
            what = f"a frame leaves that is no packet: {packet.name}"
            raise Violation(Rule.TRANSLATION, what, world.now)
        tag = tag_of(frame)
        if tag is None:
            self._overheard(wire, packet)
            return
        flow = world.live.get(tag.flow)
        if flow is None:
            return
        if packet.is_icmp_error and not (flow.reports_errors and tag.packet & 1):
            return  # the firewall's own, which quotes a packet
        side = CLIENT if tag.packet & 1 or flow.is_for_us else SERVER
        self._account(flow, tag, port)
        self._look_at(flow, side, packet)
        if self._loses and flow.fate.hits(20):
            self._lose(flow)
        elif not flow.is_for_us:
            if side == SERVER:
                flow.server = wire
                flow.note(side, packet)
            flow.heard(side, packet, tag.packet)
        world.settle(flow)

    def _overheard(self, wire: Wire, packet: Packet) -> None:
        """A frame without a tag: a control connection's, or the firewall's own, such as a RST."""
        world = self._world
        flow = world.listeners.get((packet.dst, packet.dport))
        if flow is None:
            return
        side = SERVER if packet.dst == flow.door[0] else CLIENT
        if world.tell is not None:
            port = wire.port
            world.tell(f"a frame leaves by NPU {port.npu} port {port.port}", flow)
        if self._loses and flow.fate.hits(20):
            self._lose(flow)
            return
        if side == SERVER:
            flow.server = wire
        flow.heard(side, packet, -1)
        world.settle(flow)

    def _account(self, flow: Flow, tag: Tag, port: Port) -> None:
        world, number = self._world, tag.packet
        if world.tell is not None:
            world.tell(f"{_named(tag)} leaves by NPU {port.npu} port {port.port}", flow)
        if not flow.leaves(number):
            raise Violation(Rule.TWICE, f"packet {number} leaves again", world.now, flow.number)
        flow.open -= 1

    def _look_at(self, flow: Flow, side: int, packet: Packet) -> None:
        """What leaves is intact, and for the end of the flow that it is for."""
        there, now = flow.there, self._world.now
        if flow.astray:
            return
        if not is_intact(packet.frame, packet.l3):
            raise Violation(Rule.TRANSLATION, "its IP checksum is wrong", now, flow.number)
        if side == SERVER:
            right = packet.dst in flow.far and (
                flow.root is flow or packet.is_later_fragment or packet.dport == flow.door[1]
            )
        else:
            # Where the server is known by another address, an answer to a session that is gone may
            # begin one of its own, under yet another.
            right = packet.dst == there.src and (
                packet.sport == there.dport
                or packet.is_icmp_error
                or packet.is_later_fragment
                or there.dst not in flow.far
            )
        if not right:
            what = f"it leaves for {packet.dst.hex('.')}, port {packet.dport}"
            raise Violation(Rule.TRANSLATION, what, now, flow.number)


def _named(tag: Tag | None) -> str:
    return "a frame" if tag is None else f"packet {tag.packet}"
