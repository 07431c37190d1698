"""The end of a session: wings off the NPUs, then central point, which frees the NAT binding with
its entry, then its record.

Also the way back from an installation that failed: the same, from as far as it got.
"""

from __future__ import annotations

from controller.flow import Direction
from controller.messages import (
    OBSERVER,
    RemoveSession,
    RemoveWing,
    SessionClosed,
    WingRead,
    WingRemoved,
)
from controller.reasons import Close, Drop
from controller.spu.core import Core
from controller.spu.session import Session, SessionState
from controller.spu.syn_guard import SynGuard

_DIRECTIONS = tuple(Direction)


class Teardown:
    """Ends sessions."""

    def __init__(self, core: Core, guard: SynGuard) -> None:
        self._core = core
        self._guard = guard

    def begin(
        self, session: Session, reason: Close, read: tuple[WingRead, WingRead] | None = None
    ) -> None:
        """End a session, unless that is under way. One that is being installed ends when it is.
        With ``read``, of both wings a moment ago, their counters are known.

        The forward wing goes first, so that no new request finds a way that answers no longer
        have.
        """
        if session.state is SessionState.CLOSING:
            return
        if session.state is SessionState.INSTALLING and reason is not Close.INSTALL_FAILED:
            session.cleared = True
            return
        core = self._core
        session.state = SessionState.CLOSING
        session.close = reason
        session.probe = None
        if session.tcp is not None and session.tcp.doubt is not None:
            session.queue.append(session.tcp.doubt)
            session.tcp.doubt = None
        core.timers.cancel(session.id)
        core.alg_timers.cancel(session.id)
        if session.splice is not None:
            core.syn_timers.cancel(session.id)
        if session.gateway is not None:
            for _ in range(session.gateway.suspended):
                core.drop(Drop.ALG_BACKLOG, session.wings[0].key, f"session {session.id} ends")
            self.end_tunnels(session)
        session.awaiting = session.installed.bit_count()
        if not session.awaiting:
            self._finish(session)
            return
        for direction in _DIRECTIONS:
            if not session.installed >> direction & 1:
                continue
            is_counted = False
            if read is not None:
                # (Nothing was there, as far as the NPU could tell: it may be there all the same.)
                counted = read[direction]
                is_counted = counted.idle is not None
                session.packets[direction] += counted.packets
                session.bytes[direction] += counted.bytes
            wing = session.wings[direction]
            remove = RemoveWing(session.id, direction, core.number, wing.key, is_counted)
            core.send(core.npus[wing.ingress.npu], remove)

    def end_tunnels(self, session: Session) -> None:
        """The calls of a control session are over: so are the tunnels that they brought."""
        gateway = session.gateway
        if gateway is None or not gateway.tunnels:
            return
        tunnels, gateway.tunnels = gateway.tunnels, []
        for session_id in tunnels:
            tunnel = self._core.sessions.get(session_id)
            if tunnel is not None:
                self.begin(tunnel, Close.PARENT_ENDED)

    def failed(self, session: Session, error: Drop, npu: int) -> None:
        """A wing could not be written: roll back, and drop what waits."""
        core = self._core
        session.failure = error
        core.failed_sessions += 1
        for _ in session.queue:
            core.drop(error, session.wings[0].key, f"NPU {npu} did not take a wing")
        session.queue.clear()
        self.begin(session, Close.INSTALL_FAILED)

    def wing_removed(self, message: WingRemoved) -> None:
        """A wing is off its NPU; these are its last counters."""
        session = self._core.sessions.get(message.session_id)
        if session is None or session.state is not SessionState.CLOSING:
            return  # said twice
        session.packets[message.direction] += message.packets
        session.bytes[message.direction] += message.bytes
        session.awaiting -= 1
        if not session.awaiting:
            self._finish(session)

    def _finish(self, session: Session) -> None:
        core = self._core
        forward, reverse = session.wings
        del core.sessions[session.id]
        core.ipv6_sessions -= len(forward.key.src) == 16
        core.unchecked.discard(forward.key)
        for wing in session.wings:
            if core.by_key.get(wing.key) is session:
                del core.by_key[wing.key]
        if session.splice is not None and session.splice.is_silent:
            self._guard.spoke(session, session.splice)
        if session.source_rule is not None or session.destination_rule is not None:
            core.end_nat(session.source_rule, session.destination_rule)
        for message, _, direction in session.queue:
            if message.session_id == session.id:
                # Its wing has counted it, but it goes on as another session's.
                session.packets[direction] -= 1
                session.bytes[direction] -= len(message.frame)
        core.add_statistics(session.verdict.index, session.packets, session.bytes)
        core.to_cp(RemoveSession(session.id, core.number, forward.key, reverse.key))
        assert session.close is not None
        core.send(
            OBSERVER,
            SessionClosed(
                core.now,
                session.id,
                session.close,
                session.verdict.name,
                forward,
                reverse,
                (session.packets[0], session.packets[1]),
                (session.bytes[0], session.bytes[1]),
                core.now - session.started,
                session.verdict.index,
                nat_rules(session),
                session.service.name,
            ),
        )
        # Packets that came meanwhile begin anew; the central point hears of the end before them.
        for queued in session.queue:
            core.redirect(queued)


def nat_rules(session: Session) -> tuple[str, str]:
    """The names of the rules that translate its source and its destination; empty: none."""
    source, destination = session.source_rule, session.destination_rule
    return "" if source is None else source.name, "" if destination is None else destination.name
