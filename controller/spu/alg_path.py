"""Packets of control sessions on their way through an application layer gateway.

A packet that announces a flow is suspended until the central point has opened the gate: so the
gate stands before anybody can know of it. Packets behind it in the same direction wait, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from controller.config.schema import SECOND
from controller.flow import Direction, Nanoseconds
from controller.fragment import fragment, fragment6
from controller.messages import (
    CloseGates,
    GatesOpened,
    GatesRefused,
    OpenGates,
    PacketIn,
    Step,
    Transmit,
)
from controller.packet import ACK, SYN, TCP, Packet, rewrite
from controller.payload import (
    contents,
    datagram,
    is_intact,
    longest,
    segment,
    sequence,
    with_window,
)
from controller.reasons import Drop, Send
from controller.spu.alg.base import Alg, Findings, sights
from controller.spu.alg.registry import gateway as gateway_for
from controller.spu.alg.stream import Out, Relay
from controller.spu.core import Core
from controller.spu.session import QUEUE_LIMIT, Queued, Session, SessionState
from controller.spu.tcp_window import Windows, segment_of
from controller.spu.teardown import Teardown
from controller.tcp_options import offer_of, window

REPEAT_AFTER: Nanoseconds = SECOND
"""First time until what is owed is repeated (RFC 6298, section 2.1); each next one is twice as
long."""
REPEATS = 10
"""A quarter of an hour, as long as hosts try themselves."""


class Gateway:
    """What a control session has of its gateway."""

    __slots__ = ("alg", "asked", "is_fresh", "last", "relay", "repeats", "scales", "serial",
                 "tunnels", "waiting", "windows")  # fmt: skip

    def __init__(self, session: Session) -> None:
        service = session.service
        assert service.alg is not None
        both = sights(session.wings, is_shared=session.nat is not None)
        self.alg: Alg = gateway_for(service.alg, service.name, both)
        self.relay = None if session.tcp is None else Relay(self.alg)
        self.last: dict[Direction, Packet] = {}
        """A stream's newest segment per direction: the next one is made like it."""
        self.asked: dict[int, Direction] = {}
        """Questions to the central point by serial number."""
        self.serial = 0
        self.waiting: dict[Direction, deque[tuple[Queued, Findings]]] = {}
        """Datagrams that wait, the first of a direction for its gates."""
        self.tunnels: list[int] = []
        """Session ids of children that are nothing without it."""
        self.is_fresh = True
        """No datagram has left yet."""
        self.repeats = 0
        self.scales: dict[Direction, int | None] = {}
        """What the SYN of a side offered to shift its windows by."""
        self.windows: Windows | None = None
        """Of the server and what it was sent; its client and what that was sent are the session's
        own. Numbers of the two differ where text was changed."""

    def shift(self, direction: Direction) -> int:
        """By how much windows of a direction are shifted: if both sides offered that."""
        offers = self.scales.values()
        return self.scales[direction] or 0 if len(offers) == 2 and None not in offers else 0

    def scaled(self, direction: Direction, field: int) -> int:
        """The window of a side's SYN as a later segment says it. Where the other side's offer did
        not pass (the SYN was late, and its connection stands), it is scaled perhaps: then rather
        too small a window than too large a one."""
        known = len(self.scales) == 2
        return field >> (self.shift(direction) if known else self.scales[direction] or 0)

    @property
    def suspended(self) -> int:
        """Datagrams that wait. (What waits in a stream is not acknowledged, and comes again.)"""
        return sum(map(len, self.waiting.values()))


class AlgPath:
    """Passes packets of control sessions through their gateways."""

    def __init__(self, core: Core, teardown: Teardown) -> None:
        self._core = core
        self._teardown = teardown

    def take(self, session: Session, gateway: Gateway, queued: Queued) -> None:
        """A packet of an active control session; TTL and TCP state are checked."""
        packet = queued.packet
        if not is_intact(packet):
            detail = f"session {session.id}: wrong checksum"
            self._core.drop(Drop.ALG_MALFORMED, session.wings[0].key, detail)
        elif gateway.relay is None:
            self._datagram(session, gateway, queued)
        else:
            self._segment(session, gateway, gateway.relay, queued)

    def begin(self, gateway: Gateway, direction: Direction, packet: Packet) -> None:
        """A SYN of a control session that SYN flood protection asked or took out itself."""
        if gateway.relay is not None:
            gateway.last[direction] = packet
            offer = offer_of(packet)
            gateway.scales[direction] = offer.window_scale
            seq, _ = sequence(packet)
            gateway.relay.begin(direction, seq, offer.mss)

    # -- UDP ----------------------------------------------------------------------------------

    def _datagram(self, session: Session, gateway: Gateway, queued: Queued) -> None:
        direction = queued.direction
        waiting = gateway.waiting.get(direction)
        if waiting is not None and len(waiting) >= QUEUE_LIMIT:
            detail = f"{QUEUE_LIMIT} datagrams wait for a gate already"
            self._core.drop(Drop.ALG_BACKLOG, session.wings[0].key, detail)
            return
        findings = gateway.alg.take(direction, contents(queued.packet))
        if waiting is not None:
            waiting.append((queued, findings))
        elif findings.pinholes:
            gateway.waiting[direction] = deque(((queued, findings),))
            self._ask(session, gateway, direction, findings)
        else:
            self._pass(session, gateway, queued, findings, contents(queued.packet))

    def _pass(
        self,
        session: Session,
        gateway: Gateway,
        queued: Queued,
        findings: Findings,
        text: bytes,
    ) -> None:
        """A datagram leaves; ``text`` is what it says now."""
        if gateway.is_fresh:
            gateway.is_fresh = False
            if self._core.trace:
                self._core.tell_release(session, queued)
        packet = queued.packet
        unit = contents(packet)
        if not findings.pinholes:
            text = findings.text(unit)
        if len(text) > longest(packet):
            detail = f"session {session.id}: {len(text)} bytes once it is translated"
            self._core.drop(Drop.ALG_MALFORMED, session.wings[0].key, detail)
            return
        told = packet if text == unit else datagram(packet, text)
        self._transmit(session, queued.direction, told, queued.message)
        self._conclude(session, findings)

    def _drain(self, session: Session, gateway: Gateway, direction: Direction) -> None:
        """The first datagram in a direction is on its way; those behind it, up to the next that
        has to wait."""
        waiting = gateway.waiting[direction]
        waiting.popleft()
        while waiting:
            queued, findings = waiting[0]
            if findings.pinholes:
                self._ask(session, gateway, direction, findings)
                return
            waiting.popleft()
            self._pass(session, gateway, queued, findings, b"")
        del gateway.waiting[direction]

    # -- TCP ----------------------------------------------------------------------------------

    def _segment(self, session: Session, gateway: Gateway, relay: Relay, queued: Queued) -> None:
        packet, direction = queued.packet, queued.direction
        seq, ack = sequence(packet)
        gateway.last[direction] = packet
        if packet.flags & SYN:
            offer = offer_of(packet)
            if session.splice is None:  # else ``begin`` noted what the client was told
                gateway.scales[direction] = offer.window_scale
            relay.begin(direction, seq, offer.mss)
            opening = segment(packet, seq, ack if packet.flags & ACK else 0, packet.flags, b"")
            self._transmit(session, direction, opening, queued.message)
            return
        outs = relay.take(direction, seq, ack, packet.flags, contents(packet))
        self._send(session, gateway, outs)
        self._after(session, gateway, relay, (direction,))

    def _send(self, session: Session, gateway: Gateway, outs: list[Out]) -> None:
        for out in outs:
            like = gateway.last.get(out.direction)
            if like is not None and not like.flags & SYN:
                self._transmit(
                    session, out.direction, segment(like, out.seq, out.ack, out.flags, out.data)
                )
            elif like is not None:
                # The options of a SYN are for SYNs only, and its window is not scaled.
                bare = _bare(like, out)
                scaled = gateway.scaled(out.direction, window(bare))
                self._transmit(session, out.direction, with_window(bare, scaled))

    def _after(
        self, session: Session, gateway: Gateway, relay: Relay, directions: tuple[Direction, ...]
    ) -> None:
        """Ask for what waits, conclude what passed, and be woken if something is owed."""
        for direction in directions:
            findings = relay.asks(direction)
            if findings is not None and direction not in gateway.asked.values():
                self._ask(session, gateway, direction, findings)
        found, relay.findings = relay.findings, []
        for findings in found:
            self._conclude(session, findings)
        timers = self._core.alg_timers
        if not relay.owes:
            timers.cancel(session.id)
            gateway.repeats = 0
        elif session.id not in timers and gateway.repeats < REPEATS:
            timers.set(session.id, self._core.now + (REPEAT_AFTER << gateway.repeats))

    def deadline(self, session: Session) -> None:
        """Something is owed to a receiver that was silent for too long."""
        gateway = session.gateway
        if gateway is None or gateway.relay is None or session.state is not SessionState.ACTIVE:
            return
        gateway.repeats += 1
        self._send(session, gateway, gateway.relay.tick())
        self._after(session, gateway, gateway.relay, tuple(Direction))

    def narrow(self, session: Session, direction: Direction, quoted: Packet, mtu: int) -> None:
        """A router says that a segment of a direction was too long: who has the stream in its
        hands cuts it, as the end that spoke is not asked again."""
        gateway = session.gateway
        if gateway is None or gateway.relay is None or quoted.protocol != TCP:
            return
        like = gateway.last.get(direction)
        if like is None or quoted.l4 + 8 > len(quoted.frame):
            return
        headers = like.l4 - like.l3 + (like.frame[like.l4 + 12] >> 4 << 2)
        seq = int.from_bytes(quoted.frame[quoted.l4 + 4 : quoted.l4 + 8], "big")
        self._send(session, gateway, gateway.relay.narrow(direction, seq, mtu - headers))

    # -- gates --------------------------------------------------------------------------------

    def _ask(
        self, session: Session, gateway: Gateway, direction: Direction, findings: Findings
    ) -> None:
        gateway.serial += 1
        gateway.asked[gateway.serial] = direction
        orders = tuple(pinhole.order(session.wings) for pinhole in findings.pinholes)
        forward = session.wings[0].key
        core = self._core
        if core.trace:
            assert session.service.alg is not None
            wing = "In" if direction == Direction.FORWARD else "Out"
            detail = f"{session.service.alg.value}, {wing} wing"
            core.step(Step.GATE_ASK, forward, detail, session.id)
        core.to_cp(OpenGates(session.id, core.number, forward, gateway.serial, orders))

    def opened(self, message: GatesOpened) -> None:
        """The gates stand: what announced them goes on."""
        session = self._core.sessions.get(message.session_id)
        direction = self._answered(session, message.serial)
        if session is None or session.gateway is None or direction is None:
            return  # it ended, and the gates with it
        gateway = session.gateway
        self._core.step(Step.GATE_RESUME, session.wings[0].key, "", session.id)
        if gateway.relay is not None:
            self._send(session, gateway, gateway.relay.resume(direction, message.holes))
            self._after(session, gateway, gateway.relay, (direction,))
            return
        queued, findings = gateway.waiting[direction][0]
        text = findings.text(contents(queued.packet), message.holes)
        self._pass(session, gateway, queued, findings, text)
        self._drain(session, gateway, direction)

    def refused(self, message: GatesRefused) -> None:
        """No gate: what announced it goes no further, or nobody could come."""
        core = self._core
        session = core.sessions.get(message.session_id)
        direction = self._answered(session, message.serial)
        if session is None or session.gateway is None or direction is None:
            return
        gateway = session.gateway
        core.step(Step.GATE_REFUSED, session.wings[0].key, message.reason.name, session.id)
        core.drop(message.reason, session.wings[0].key, f"session {session.id}: no gate opens")
        if gateway.relay is not None:
            gateway.relay.refuse(direction)
            self._after(session, gateway, gateway.relay, ())
        else:
            self._drain(session, gateway, direction)

    def _answered(self, session: Session | None, serial: int) -> Direction | None:
        if session is None or session.gateway is None or session.state is not SessionState.ACTIVE:
            return None
        return session.gateway.asked.pop(serial, None)

    # -- out ----------------------------------------------------------------------------------

    def _conclude(self, session: Session, findings: Findings) -> None:
        for call in findings.ended_calls:
            self._core.to_cp(CloseGates(session.id, call))
            self._teardown.end_tunnels(session)
        if findings.ends_session is not None:
            self._teardown.begin(session, findings.ends_session)

    def _bounded(self, gateway: Gateway, direction: Direction, packet: Packet) -> Packet:
        """A segment whose window is not larger than what may be under way to a gateway, which
        acknowledges before the receiver does (``maximum-window``)."""
        if packet.flags & SYN:
            return packet  # its window is not scaled, and so not too large
        most = self._core.config.tcp.maximum_window >> gateway.shift(direction)
        return with_window(packet, most) if window(packet) > most else packet

    def _transmit(
        self,
        session: Session,
        direction: Direction,
        packet: Packet,
        message: PacketIn | None = None,
    ) -> None:
        """``message`` is what the packet came with, if it is not one that the gateway made."""
        wing = session.wings[direction]
        if session.tcp is not None and session.gateway is not None:
            packet = self._bounded(session.gateway, direction, packet)
        if session.tcp is not None and session.tcp.windows is not None:
            windows: Windows | None = session.tcp.windows
            if direction == Direction.FORWARD and session.gateway is not None:
                windows = session.gateway.windows
            if windows is not None:
                windows.take(direction, segment_of(packet))
        port = wing.hop.port
        if session.splice is not None and direction == Direction.FORWARD:
            packet = session.splice.outward(packet)
        frame = rewrite(packet, wing.translated, wing.hop)
        core, l3 = self._core, 18 if wing.hop.vlan else 14
        origin = core.origin(message, wing)
        interface = core.interface(port, wing.hop.vlan)
        mtu = len(frame) if interface is None else interface.mtu
        pieces: Iterable[bytes]
        if len(frame) - l3 <= mtu:
            pieces = (frame,)
        elif packet.version == 6:
            # What the gateway wrote is the firewall's own packet.
            pieces = fragment6(frame, l3, mtu, core.now >> 10 & 0xFFFFFFFF)
        else:
            # It grew here: its sender cannot know, whatever it says about fragments.
            named = bytearray(frame)
            if not any(named[l3 + 4 : l3 + 6]):
                named[l3 + 4 : l3 + 6] = (core.now >> 10 & 0xFFFF | 1).to_bytes(2, "big")
            pieces = fragment(bytes(named), l3, mtu)
        for piece in pieces:
            core.send(core.npus[port.npu], Transmit(port, Send.EGRESS, piece, origin=origin))


def _bare(like: Packet, out: Out) -> Packet:
    """A segment with the addresses of a SYN and none of its options."""
    frame = bytearray(like.frame[: like.l4 + 20])
    frame[like.l4 + 12] = 5 << 4
    stripped = Packet(
        bytes(frame), like.vlan, like.l3, like.l4, like.version, like.src, like.dst, like.sport,
        like.dport, like.protocol, like.ttl, out.flags, -1, False,
    )  # fmt: skip
    return segment(stripped, out.seq, out.ack, out.flags, out.data)
