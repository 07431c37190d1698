"""What an SPU asks of a TCP segment before it passes, and what becomes of its session then.

Sessions on Express Path show their SPU SYNs, FINs and RSTs only, so numbers are checked where all
segments come by: ``not_express`` keeps a session on its SPU's path if something demands the check.
One thing is known of them all the same. What a side sent lies between the number of its SYN and
that plus the bytes that its wing counted; what ends a session with another number is none of its
own. So a RST (with ``fin-invalidate-session`` a FIN, too) waits until the NPU was asked, and who
guesses has to guess among four thousand million numbers. (What the NPU never saw may be missing:
then the peer's next segment has the RST sent again, with the number that the peer knows.)
"""

from __future__ import annotations

from controller.config.schema import SECOND
from controller.config.tcp import TcpSettings
from controller.flow import FORWARD, REVERSE, Direction, Nanoseconds, Path
from controller.messages import PacketIn, ReadWing, WingRead
from controller.packet import ACK, FIN, RST, SYN, Packet
from controller.payload import sequence
from controller.reasons import Close, Drop
from controller.spu.core import Core
from controller.spu.mss import clamp
from controller.spu.replies import Replies
from controller.spu.session import Queued, Session
from controller.spu.tcp import (
    ANSWERED,
    ESTABLISHED,
    HALF_CLOSED,
    OPENING,
    RESET,
    TIME_WAIT,
    TcpTracker,
    opens,
)
from controller.spu.tcp_window import Segment, Windows, segment_of
from controller.spu.teardown import Teardown

AFTER_RST: Nanoseconds = 2 * SECOND
"""From a RST to the end of its session: what is still under way passes."""

_EXPRESS, _BY_SPU = Path.EXPRESS, Path.SPU
_MOD = 1 << 32
_NEAR = 65_536
"""What may have been lost on the way to the NPU, in bytes; and what a SYN may carry."""


def inactivity(session: Session, settings: TcpSettings, gone: Nanoseconds | None) -> Nanoseconds:
    """How long a session may be silent as its connection stands; ``gone`` is how long if it has no
    route any more."""
    normal = session.service.timeout
    tcp = session.tcp
    if tcp is not None:
        state = tcp.state
        if state < ESTABLISHED:
            normal = settings.initial_timeout
        elif state is RESET:
            return AFTER_RST
        elif settings.time_wait is not None:
            if state is TIME_WAIT:
                return settings.time_wait
            if state is HALF_CLOSED and settings.half_close:
                normal = min(normal, settings.time_wait)
    return min(normal, gone) if session.without_route and gone is not None else normal


class TcpPath:
    """Checks segments, and follows their connections."""

    def __init__(self, core: Core, replies: Replies, teardown: Teardown) -> None:
        self._core = core
        self._replies = replies
        self._teardown = teardown
        self.believed: PacketIn | None = None
        """The segment in hand was in doubt, and is no more."""

    def begin(self, session: Session, tcp: TcpTracker) -> None:
        """Note what is to be checked of a connection from its first segment on, once it is clear
        which path its session takes."""
        settings, policy = self._core.config.tcp, session.verdict.policy
        tcp.strict = tcp.checked = settings.strict_syn_check
        wants = settings.sequence_check or settings.rst_sequence_check
        if policy is not None and policy.tcp is not None and policy.tcp.sequence_check:
            wants = True
        # The numbers of a connection that is met in its middle are anybody's guess.
        if not wants or tcp.state is not OPENING:
            return
        tcp.checked = True
        if session.path is _BY_SPU:
            tcp.windows = Windows.fresh()
            if session.gateway is not None:
                session.gateway.windows = Windows.fresh()

    def begins_anew(self, session: Session, tcp: TcpTracker, queued: Queued) -> bool:
        """Whether a SYN, with ACK or without, shows that the session's connection is no more, and
        that another begins: then the session ends.

        If the connection is over, any SYN does, and follows. Else the client may have forgotten
        it, and begin another; but only if the server has, too, it answers with a SYN. That goes no
        further, because the client's SYN comes again, and begins a session. (A server that
        remembers acknowledges what it knows, and the client's RST ends the session.)
        """
        packet, direction = queued.packet, queued.direction
        if tcp.state is OPENING:
            if direction == FORWARD and tcp.windows is None:
                tcp.client_isn, _ = sequence(packet)
            return False
        if tcp.again is not None and packet.flags & ACK and _answers(tcp.again, queued):
            self._out_of_place(session, direction, segment_of(packet))
            self._teardown.begin(session, Close.TCP_ANEW)
            return True
        if not opens(packet.flags):
            return False
        if tcp.state >= TIME_WAIT:
            # It waits before the end begins, which is over at once if no NPU has a wing.
            session.queue.insert(0, queued)
            self._teardown.begin(session, tcp.close_reason)
            return True
        if direction == FORWARD and _is_another(tcp, packet):
            tcp.again = segment_of(packet)
        return False

    def passes(self, session: Session, tcp: TcpTracker, queued: Queued) -> bool:
        """Whether a segment may pass; one that may not is dropped here, by name."""
        packet, direction = queued.packet, queued.direction
        if tcp.again is not None and packet.flags & RST and _answers(tcp.again, queued):
            return True  # The server wants no other connection, and knows of none before.
        if session.path is _EXPRESS:
            return self._control(session, tcp, queued)
        segment = segment_of(packet)
        if tcp.strict and not tcp.allows(direction, segment.flags, not segment.data):
            detail = f"session {session.id}: data before the handshake is complete"
            self._core.drop(Drop.TCP_STRICT_SYN, session.wings[direction].key, detail)
            return False
        windows = tcp.windows
        if windows is None:
            return True
        if session.gateway is not None and direction == REVERSE:
            windows = session.gateway.windows or windows
        exact = not segment.flags & RST or not self._core.config.tcp.rst_sequence_check
        if not exact and not windows.is_exact(direction, segment.seq):
            self._challenge(session, queued, windows.last_word(direction), segment)
            return False
        if windows.take(direction, segment) or not self._checks_sequence(session):
            return True
        self._out_of_place(session, direction, segment)
        return False

    # -- Express Path -------------------------------------------------------------------------

    def _control(self, session: Session, tcp: TcpTracker, queued: Queued) -> bool:
        """Whether a SYN, FIN or RST of a session on Express Path may pass now."""
        packet, direction = queued.packet, queued.direction
        flags = packet.flags
        ends = RST | FIN if self._core.config.tcp.fin_invalidate else RST
        if not flags & (SYN | ends) or self.believed is queued.message:
            return True
        seq, ack = sequence(packet)
        if direction == FORWARD:
            own, peer = tcp.client_isn, tcp.server_isn
        else:
            own, peer = tcp.server_isn, tcp.client_isn
        fits = bool(flags & ACK) and peer is not None and (ack - peer - 1) % _MOD < _NEAR
        if flags & SYN:
            if direction == FORWARD:
                if tcp.server_isn is None:
                    tcp.client_isn = seq
            elif fits or (own is None and not flags & ACK):
                tcp.server_isn = seq
            return True
        if own is None:
            # It refuses the peer's SYN, and has to say which; or nothing is known.
            if fits or peer is None:
                return True
        elif peer is None and flags & RST:
            # The peer did not answer its SYN, but perhaps said what it knows of an earlier
            # connection: this is about that one (RFC 9293, section 3.10.7.3).
            return True
        elif tcp.doubt is None:
            tcp.doubt = queued
            core, wing = self._core, session.wings[direction]
            read = ReadWing(session.id, direction, core.number, wing.key)
            core.send(core.npus[wing.ingress.npu], read)
            return False
        # Also what would end the session while another such segment is in doubt.
        self._out_of_place(session, direction, segment_of(packet))
        return False

    def is_believable(
        self, session: Session, tcp: TcpTracker, queued: Queued, read: WingRead
    ) -> bool:
        """Whether the segment in doubt may be its sender's own, by what its wing has counted; if
        not, it is dropped here."""
        direction = queued.direction
        first = tcp.client_isn if direction == FORWARD else tcp.server_isn
        seq, _ = sequence(queued.packet)
        counted = read.bytes + session.bytes[direction]
        if read.idle is None or first is None or (seq - first) % _MOD <= counted + _NEAR:
            return True
        self._out_of_place(session, direction, segment_of(queued.packet))
        return False

    def _out_of_place(self, session: Session, direction: Direction, segment: Segment) -> None:
        detail = f"session {session.id}: {_numbers(segment)}"
        self._core.drop(Drop.TCP_SEQUENCE, session.wings[direction].key, detail)

    # -- numbers ------------------------------------------------------------------------------

    def _checks_sequence(self, session: Session) -> bool:
        policy = session.verdict.policy
        return self._core.config.tcp.sequence_check or (
            policy is not None and policy.tcp is not None and policy.tcp.sequence_check
        )

    def _challenge(self, session: Session, queued: Queued, last: Segment, segment: Segment) -> None:
        """A RST that is not exact goes no further, but its sender may send a better one: what its
        peer said last tells it the number (RFC 5961, section 3.2)."""
        detail = f"session {session.id}: {_numbers(segment)}"
        self._core.drop(Drop.TCP_RST_SEQUENCE, session.wings[queued.direction].key, detail)
        ack, window = last.ack, last.window
        if session.splice is not None and queued.direction == Direction.REVERSE:
            ack, window = session.splice.acknowledged(ack, window)
        self._replies.acknowledge(queued, last.seq, ack, window)

    def clamped(self, session: Session, direction: Direction, packet: Packet) -> Packet:
        """A SYN as it goes on, with what it announces as its longest segment."""
        policy = session.verdict.policy
        most = None
        if policy is not None and policy.tcp is not None:
            options = policy.tcp
            most = options.initial_mss if direction == FORWARD else options.reverse_mss
        if most is None:
            most = self._core.config.tcp.mss
        return packet if most is None else clamp(packet, most)

    def changed(self, session: Session, tcp: TcpTracker) -> None:
        """A connection has come to another state: how long its session lives from now on."""
        core = self._core
        settings, state = core.config.tcp, tcp.state
        if state is RESET:
            if settings.rst_invalidate:
                self._teardown.begin(session, tcp.close_reason)
                return
        elif state >= HALF_CLOSED:
            if settings.fin_invalidate:
                self._teardown.begin(session, tcp.close_reason)
                return
        elif state is ANSWERED:
            if session.path is _EXPRESS and session.service.timeout < session.timeout:
                # It may be established without our knowing: ask in time for its own time-out.
                core.timers.set(session.id, core.now + session.service.timeout)
            return
        session.timeout = inactivity(session, settings, core.config.route_change_timeout)
        if session.timeout == session.service.timeout and session.is_installed and not tcp.is_over:
            core.timers.cancel(session.id)  # its NPUs keep this one
        else:
            core.timers.set(session.id, core.now + session.timeout)


def _is_another(tcp: TcpTracker, syn: Packet) -> bool:
    """Whether a client's SYN is not that of its connection, come again."""
    windows = tcp.windows
    first = tcp.client_isn if windows is None else windows.first(FORWARD)
    if first is None:
        # It cannot be told, but clients that were answered do not ask again.
        return tcp.state >= ESTABLISHED
    return sequence(syn)[0] != first


def _answers(again: Segment, queued: Queued) -> bool:
    """Whether a segment of the server answers this SYN of the client's."""
    packet = queued.packet
    if queued.direction == FORWARD or not packet.flags & ACK:
        return False
    _, ack = sequence(packet)
    return 0 < (ack - again.seq) % _MOD <= again.length


def _numbers(segment: Segment) -> str:
    said = f", ack {segment.ack}" if segment.flags & ACK else ""
    return f"{'RST, ' if segment.flags & RST else ''}seq {segment.seq}{said}, {segment.data} bytes"
