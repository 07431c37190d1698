"""SYN flood protection, the server's half: the handshake that a proved client has had already.

The session's wings stand, and its queue holds the client's acknowledgement. The server gets a SYN
with the client's own number and what is known of the client's options; its answer is taken out,
says how numbers are translated (``splice``), and lets the queue go, whose first segment is the
handshake's third. Then the client is told the server's window.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.config.schema import SECOND
from controller.flow import Direction, Nanoseconds
from controller.messages import Step
from controller.packet import ACK, RST, SYN, Packet, rewrite
from controller.payload import sequence
from controller.reasons import Close, Drop
from controller.spu.alg_path import AlgPath
from controller.spu.core import Core
from controller.spu.replies import Replies
from controller.spu.session import Queued, Session, SessionState
from controller.spu.splice import OUR_SCALE, Splice
from controller.spu.syn_guard import GuardCounts
from controller.spu.tcp_path import TcpPath
from controller.spu.tcp_window import segment_of
from controller.spu.teardown import Teardown
from controller.tcp_options import Offer, offer_of, window
from controller.tcp_segments import segment

REPEAT_AFTER: Nanoseconds = SECOND
"""First time until the server is asked again; each next one is twice as long."""
TRIES = 4

_MOD = 1 << 32


class ServerHalf:
    """Asks servers, and joins the halves."""

    def __init__(
        self,
        core: Core,
        replies: Replies,
        teardown: Teardown,
        alg: AlgPath,
        tcp: TcpPath,
        counts: GuardCounts,
        forward: Callable[[Session, Queued], None],
    ) -> None:
        """``forward`` passes a packet of an active session."""
        self._core = core
        self._counts = counts
        self._replies = replies
        self._teardown = teardown
        self._alg = alg
        self._tcp = tcp
        self._forward = forward

    def begin(self, session: Session, splice: Splice) -> None:
        """The session's wings are in effect. What the server said meanwhile is heard first."""
        waiting = [queued for queued in session.queue if queued.direction == Direction.REVERSE]
        session.queue[:] = [q for q in session.queue if q.direction == Direction.FORWARD]
        for queued in waiting:
            if session.state is SessionState.ACTIVE:
                self.take(session, splice, queued)
        if not splice.tries and session.state is SessionState.ACTIVE:
            self._ask(session, splice)

    def _ask(self, session: Session, splice: Splice) -> None:
        core = self._core
        message, packet, _ = session.queue[0]
        scale = splice.offer.window_scale or 0
        syn = segment(
            packet, splice.client, 0, SYN, min(window(packet) << scale, 0xFFFF), splice.offer
        )
        syn = self._tcp.clamped(session, Direction.FORWARD, syn)
        wing = session.wings[Direction.FORWARD]
        if not splice.tries:
            core.step(Step.SERVER_SYN, wing.key, "with the client's own number", session.id)
            self._notice(session, Direction.FORWARD, syn)
        core.syn_timers.set(session.id, core.now + (REPEAT_AFTER << splice.tries))
        splice.tries += 1
        core.forward(rewrite(syn, wing.translated, wing.hop), message, wing)

    def take(self, session: Session, splice: Splice, queued: Queued) -> None:
        """A segment before the halves are joined."""
        core = self._core
        packet = queued.packet
        if queued.direction == Direction.FORWARD:
            if packet.flags & SYN:
                return  # sent before our answer came
            if len(session.queue) >= core.queue_limit:
                detail = f"session {session.id}: the server has not answered yet"
                core.drop(Drop.QUEUE_FULL, session.wings[0].key, detail)
                return
            session.queue.append(queued)
            return
        if queued.message.session_id != session.id:
            session.packets[Direction.REVERSE] += 1
            session.bytes[Direction.REVERSE] += len(queued.message.frame)
        _, ack = sequence(packet)
        if not packet.flags & ACK or ack != (splice.client + 1) % _MOD:
            detail = f"session {session.id}: no answer to our SYN"
            core.drop(Drop.TCP_NOT_SYN, session.wings[1].key, detail)
            if packet.flags & ACK:
                # It remembers an earlier connection: a client would reset that, and ask again.
                self._replies.refuse(queued)
        elif packet.flags & RST:
            self._fail(session, Close.TCP_SERVER_RST)
        elif packet.flags & SYN:
            self._join(session, splice, queued)

    def _join(self, session: Session, splice: Splice, queued: Queued) -> None:
        core = self._core
        packet = queued.packet
        server, _ = sequence(packet)
        offer = offer_of(packet)
        splice.join(server, offer)
        core.syn_timers.cancel(session.id)
        self._counts.joined += 1
        session.last_seen = core.now
        if core.trace:
            detail = f"its numbers plus {splice.delta} for the client"
            core.step(Step.JOINED, session.wings[0].key, detail, session.id)
        # As the client was told, but for the window, which it will be.
        told = Offer(
            offer.mss,
            None if splice.offer.window_scale is None else OUR_SCALE,
            splice.offer.sack,
        )
        answer = segment(
            packet, splice.ours, (splice.client + 1) % _MOD, SYN | ACK, window(packet), told
        )
        self._notice(session, Direction.REVERSE, answer)
        queue, session.queue = session.queue, []
        for waiting in queue:
            if session.state is SessionState.ACTIVE:
                self._forward(session, waiting)
            else:
                session.queue.append(waiting)
        if session.state is SessionState.ACTIVE:
            self._open_window(session, splice, queued, packet)

    def _notice(self, session: Session, direction: Direction, syn: Packet) -> None:
        """A SYN that does not pass is seen by all who follow the connection."""
        assert session.tcp is not None
        session.tcp.observe(direction, syn.flags)
        followers = [session.tcp.windows]
        if session.gateway is not None:
            self._alg.begin(session.gateway, direction, syn)
            followers.append(session.gateway.windows)
        for windows in followers:
            if windows is not None:
                windows.take(direction, segment_of(syn))

    def _open_window(
        self, session: Session, splice: Splice, queued: Queued, packet: Packet
    ) -> None:
        core = self._core
        update = segment(
            packet,
            (splice.ours + 1) % _MOD,
            (splice.client + 1) % _MOD,
            ACK,
            splice.window_for_client(window(packet)),
        )
        wing = session.wings[Direction.REVERSE]
        core.forward(rewrite(update, wing.translated, wing.hop), queued.message, wing)

    def _fail(self, session: Session, reason: Close) -> None:
        """The server does not want, or is not there. The client thinks it is connected."""
        self._counts.failed += 1
        for queued in session.queue[:1]:
            self._replies.refuse(queued)
        session.queue.clear()
        self._teardown.begin(session, reason)

    def deadline(self, session: Session | None) -> None:
        """The server was silent for too long."""
        splice = None if session is None else session.splice
        if session is None or splice is None or splice.is_joined:
            return
        if session.state is not SessionState.ACTIVE:
            # Its wings are being written anew.
            self._core.syn_timers.set(session.id, self._core.now + REPEAT_AFTER)
        elif splice.tries < TRIES:
            self._ask(session, splice)
        else:
            core = self._core
            core.drop(Drop.NO_ANSWER, session.wings[0].key, f"{splice.tries} SYNs to the server")
            self._fail(session, Close.NO_ANSWER)
