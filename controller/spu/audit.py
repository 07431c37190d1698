"""Sessions here and at the central point, held against each other a few at a time.

Both know of every session's beginning and end by messages in order, so that they agree once none
is under way. This finds what a message that was lost would leave behind. Each side asks about its
own: what the other lacks was lost there, and goes (see ``central_point/audit.py``).
"""

from __future__ import annotations

from controller.flow import FlowKey
from controller.messages import AuditMissing, AuditSessions, ConfirmSessions, SessionsUnknown
from controller.reasons import Close
from controller.rounds import Round
from controller.spu.core import Core
from controller.spu.session import SessionState
from controller.spu.teardown import Teardown


class Audit:
    """An SPU's part of it."""

    def __init__(self, core: Core, teardown: Teardown) -> None:
        self._core = core
        self._teardown = teardown
        self.round = Round(core.sessions)
        """Says when to ``ask``, if there are sessions at all."""

    def ask(self) -> None:
        """Ask about the next few."""
        core = self._core
        mine = []
        for session_id in self.round.next(core.now):
            session = core.sessions.get(session_id)
            if session is not None and session.state is SessionState.ACTIVE:
                mine.append((session_id, session.wings[0].key))
        if mine:
            core.to_cp(ConfirmSessions(core.number, tuple(mine)))

    def asked(self, message: AuditSessions) -> None:
        """The central point asks: tell what is not here."""
        sessions = self._core.sessions
        missing: tuple[tuple[int, FlowKey], ...] = tuple(
            (session_id, flow)
            for session_id, flow in message.sessions
            if (session := sessions.get(session_id)) is None or session.wings[0].key != flow
        )
        if missing:
            self._core.to_cp(AuditMissing(self._core.number, missing))

    def unknown(self, message: SessionsUnknown) -> None:
        """The central point has none of these: nobody would find them, so they end."""
        for session_id, flow in message.sessions:
            session = self._core.sessions.get(session_id)
            if session is not None and session.wings[0].key == flow:
                self._teardown.begin(session, Close.CP_LOST)
