"""Packets of sessions that stand, and their ageing.

**Time-outs.** Wings are written with the session's final inactivity time-out, so an NPU's notice
means "silent for that long". Shorter ones are deadlines of the SPU: until a TCP connection is
established, and when it is closed (``tcp_path``). A session ends only when both
wings were silent for the time-out in force. Its SPU sees each packet of a normal session and knows;
for one on Express Path it asks both NPUs, one question in flight per session. If the session turns
out to be alive it is looked at again when it could be silent long enough, and notices that come
meanwhile say nothing new: a target may repeat them every second, or never.
"""

from __future__ import annotations

from controller.flow import FORWARD, REVERSE, Direction, Path, Tuple5, Wing
from controller.fragment import fragment, fragment6, may_fragment
from controller.icmp import parse_quoted, path_mtu, rewrite_error
from controller.messages import ReadWing, Transmit, WingRead, WingsIdle
from controller.packet import SYN, UDP, Packet, rewrite
from controller.payload import contents
from controller.reasons import Close, Drop, Punt, Send
from controller.spu.alg_path import AlgPath
from controller.spu.core import Core
from controller.spu.reassembly import Reassembly, Shape
from controller.spu.replies import Replies
from controller.spu.server_half import ServerHalf
from controller.spu.session import ACTIVE, Queued, Session
from controller.spu.syn_guard import SynGuard
from controller.spu.tcp_path import TcpPath
from controller.spu.teardown import Teardown

_EGRESS, _CONTROL = Send.EGRESS, Punt.TCP_CONTROL
_DIRECTIONS = tuple(Direction)

NO_TRANSPORT = 59
"""As IPv6 has it: "no next header"."""

_SOON = 1_000_000
"""The least time between two looks at a session, in nanoseconds."""


class LivePath:
    """Forwards packets of sessions, and ends those that are over."""

    def __init__(
        self, core: Core, replies: Replies, teardown: Teardown, alg: AlgPath, guard: SynGuard
    ) -> None:
        self._core = core
        self._guard = guard
        self.reassembly = Reassembly(core, replies)
        self.tcp = TcpPath(core, replies, teardown)
        """What becomes of TCP connections."""
        self.server_half = ServerHalf(
            core, replies, teardown, alg, self.tcp, guard.counts, self.forward
        )
        """Of connections that SYN flood protection let in."""
        self._replies = replies
        self._teardown = teardown
        self._alg = alg

    def take(self, session: Session, queued: Queued) -> None:
        """A packet of a session in any state."""
        if session.state is ACTIVE:
            self.forward(session, queued)
        elif len(session.queue) < self._core.queue_limit:
            # Until it is installed; or until it is gone, and then begins anew.
            session.queue.append(queued)
        else:
            flow = session.wings[0].key
            self._core.drop(Drop.QUEUE_FULL, flow, f"session {session.id} is changing")

    def forward(self, session: Session, queued: Queued) -> None:
        """A packet of an active session: TCP checks, translation, and out."""
        core = self._core
        message, packet, direction = queued
        wing = session.wings[direction]
        if packet.ttl <= 1:
            core.drop(Drop.TTL_EXPIRED, wing.key, f"session {session.id}")
            self._replies.dropped(Drop.TTL_EXPIRED, queued)
            return
        if packet.icmp_type >= 0 and packet.is_icmp_error:
            self._forward_error(session, queued)
            return
        shape = None
        if packet.fragment:
            if core.config.force_reassembly or session.gateway is not None:
                made = self.reassembly.take(session, queued)
                if made is None:
                    return
                queued, shape = made
                message, packet, direction = queued
            elif packet.is_later_fragment:
                self._forward_fragment(session, queued)
                return
        arrived = queued
        splice = session.splice
        if splice is not None:
            if not splice.is_joined:
                self.server_half.take(session, splice, queued)
                return
            if direction == REVERSE:
                packet = splice.inward(packet)
                queued = queued._replace(packet=packet)
            elif splice.is_silent and contents(packet):
                self._guard.spoke(session, splice)
        mtu = 0
        if len(packet.frame) - packet.l3 > core.least_mtu:
            mtu = self._narrow(wing, packet)
        if (
            mtu
            and shape is None
            and (packet.version == 6 or not may_fragment(packet.frame, packet.l3))
        ):
            core.drop(Drop.TOO_BIG, wing.key, f"session {session.id}: MTU {mtu}")
            self._replies.dropped(Drop.TOO_BIG, arrived, mtu)
            return
        tcp = session.tcp
        changed = None
        if tcp is not None:
            if packet.flags & SYN and self.tcp.begins_anew(session, tcp, queued):
                return
            if tcp.checked and not self.tcp.passes(session, tcp, queued):
                return
            changed = tcp.observe(direction, packet.flags)
            if packet.flags & SYN:
                packet = self.tcp.clamped(session, direction, packet)
            if (
                message.reason is _CONTROL
                and direction == FORWARD
                and message.session_id == session.id
            ):
                tcp.forward_controls += 1
        if message.session_id != session.id:  # else its NPU's entry has counted it
            session.packets[direction] += 1
            session.bytes[direction] += len(message.frame)
        session.last_seen = core.now
        if session.gateway is not None:
            self._alg.take(session, session.gateway, Queued(message, packet, direction))
        else:
            port = wing.hop.port
            if splice is not None and direction == FORWARD:
                packet = splice.outward(packet)
            frame = rewrite(packet, wing.translated, wing.hop)
            l3 = 18 if wing.hop.vlan else 14
            origin = core.origin(message, wing)
            whole = not mtu and (shape is None or not core.config.preserve_fragment_size)
            for piece in (frame,) if whole else self._pieces(frame, l3, mtu, shape):
                sent = Transmit(port, _EGRESS, piece, message.mark, origin)
                core.out.append((core.npus[port.npu], sent))
        if tcp is not None and changed is not None:
            self.tcp.changed(session, tcp)

    def _pieces(self, frame: bytes, l3: int, mtu: int, shape: Shape | None) -> list[bytes]:
        """A packet that is too long for its way on (0: it is not), or was in fragments and is to
        be again."""
        if shape is not None and self._core.config.preserve_fragment_size:
            mtu = min(mtu or shape.largest, shape.largest)
        if frame[l3] >> 4 == 4:
            pieces = fragment(frame, l3, mtu)
        else:
            assert shape is not None, "no router cuts IPv6 packets that came whole"
            pieces = fragment6(frame, l3, mtu, shape.identification)
        if len(pieces) > 1:
            self.reassembly.counts.generated += len(pieces)
        return pieces

    def _narrow(self, wing: Wing, packet: Packet) -> int:
        """The MTU of the interface that a packet leaves by, if it is too long for it; else 0."""
        length = len(packet.frame) - packet.l3
        interface = self._core.interface(wing.hop.port, wing.hop.vlan)
        return interface.mtu if interface is not None and length > interface.mtu else 0

    def _forward_fragment(self, session: Session, queued: Queued) -> None:
        """A later fragment has no ports and no checksum: only its addresses are translated."""
        core = self._core
        message, packet, direction = queued
        wing = session.wings[direction]
        if message.session_id != session.id:
            session.packets[direction] += 1
            session.bytes[direction] += len(message.frame)
        session.last_seen = core.now
        out = wing.translated
        frame = rewrite(packet, Tuple5(out.src, out.dst, 0, 0, NO_TRANSPORT), wing.hop)
        core.forward(frame, message, wing)

    def _forward_error(self, session: Session, queued: Queued) -> None:
        """An ICMP error travels with the wing that answers the packet it quotes."""
        core = self._core
        message, packet, direction = queued
        wing = session.wings[direction]
        quoted = parse_quoted(message.frame)
        if isinstance(quoted, Drop):
            core.drop(Drop.ICMP_ERROR_UNMATCHED, wing.key, f"quoted packet: {quoted.name}")
            return
        if message.session_id != session.id:  # else its NPU's entry has counted it
            session.packets[direction] += 1
            session.bytes[direction] += len(message.frame)
        if session.splice is not None and session.splice.is_joined:
            packet = session.splice.quoted(packet, quoted, direction)
        frame = rewrite_error(packet, quoted, wing.translated, wing.hop)
        core.forward(frame, message, wing)
        if session.gateway is not None and (mtu := path_mtu(packet)):
            self._alg.narrow(session, Direction(1 - direction), quoted, mtu)
        if wing.key.protocol == UDP and packet.is_unreachable:
            # Nobody listens. (As in Junos, an ICMP error ends a UDP session.)
            self._teardown.begin(session, Close.ICMP_ERROR)

    # -- ageing -------------------------------------------------------------------------------

    def wings_idle(self, message: WingsIdle) -> None:
        """An NPU's notice. Look at the sessions, unless they are to be looked at anyway."""
        core = self._core
        sessions, timers = core.sessions, core.timers
        for session_id in message.sessions:
            session = sessions.get(session_id)
            if session is not None and session_id not in timers:
                self.look(session)

    def deadline(self, session: Session) -> None:
        """A session's own deadline has come."""
        if session.tcp is not None and session.tcp.is_over:
            self._teardown.begin(session, session.tcp.close_reason)
        else:
            self.look(session)

    def look(self, session: Session) -> None:
        """End a session that was silent for long enough; ask NPUs if they alone know."""
        if session.state is not ACTIVE or session.probe is not None:
            return
        if session.path is Path.SPU:
            self._judge(session, None)
            return
        core = self._core
        session.probe = [None, None]
        for direction in _DIRECTIONS:
            wing = session.wings[direction]
            read = ReadWing(session.id, direction, core.number, wing.key)
            core.out.append((core.npus[wing.ingress.npu], read))

    def wing_read(self, message: WingRead) -> None:
        """What an NPU knows of a wing: for a RST in doubt, and of both wings for their age."""
        core = self._core
        session = core.sessions.get(message.session_id)
        if session is None:
            return
        tcp = session.tcp
        if tcp is not None and tcp.doubt is not None and tcp.doubt.direction == message.direction:
            # No longer in doubt before it passes, or it would wait for the session's end as well.
            doubt, tcp.doubt = tcp.doubt, None
            if self.tcp.is_believable(session, tcp, doubt, message):
                self.tcp.believed = doubt.message
                self.take(session, doubt)
                self.tcp.believed = None
        if session.probe is None:
            return  # it was about that alone, or the session began to close meanwhile
        if tcp is not None and message.direction == FORWARD:
            state = tcp.forward_packets_seen(message.packets)
            if state is not None:
                self.tcp.changed(session, tcp)
        probe = session.probe
        probe[message.direction] = message
        forward, reverse = probe
        if forward is None or reverse is None:
            return
        session.probe = None
        if tcp is not None and tcp.is_over:
            return  # its deadline is set
        self._judge(session, (forward, reverse))

    def _judge(self, session: Session, read: tuple[WingRead, WingRead] | None) -> None:
        """End the session if it was silent for long enough. ``read`` is what its NPUs say."""
        core = self._core
        silent = core.now - session.last_seen
        if read is not None:
            for wing in read:
                if wing.idle is not None and wing.idle < silent:
                    silent = wing.idle
        if silent >= session.timeout:
            self._teardown.begin(session, Close.IDLE_TIMEOUT, read)
        elif core.early_ageout and silent >= core.early_ageout:
            self._teardown.begin(session, Close.EARLY_AGEOUT, read)
        else:
            core.timers.set(session.id, core.now + max(_SOON, session.timeout - silent))
