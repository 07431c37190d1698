"""The central point's part of holding its table against the SPUs' (see ``spu/audit.py``)."""

from __future__ import annotations

from controller.central_point.core import Core
from controller.flow import FlowKey
from controller.messages import (
    AuditMissing,
    AuditSessions,
    ConfirmSessions,
    SessionsUnknown,
)
from controller.rounds import Round


class Audit:
    """Walks the table."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.round = Round(core.sessions.by_key)
        """Says when to ``ask``, if there are sessions at all."""
        self.found = 0
        """Entries so far whose SPU had no session of them."""

    def ask(self) -> None:
        """Ask the SPUs about the next few entries."""
        core = self._core
        by_spu: dict[int, list[tuple[int, FlowKey]]] = {}
        for key in self.round.next(core.now):
            entry = core.sessions.by_key.get(key)
            # Each session once, by its forward wing; pending ones have a time-out.
            if entry is not None and entry.session_id and key == entry.forward:
                by_spu.setdefault(entry.spu, []).append((entry.session_id, entry.forward))
        for spu, sessions in by_spu.items():
            core.out.append((core.spus[spu], AuditSessions(spu, tuple(sessions))))

    def missing(self, message: AuditMissing) -> None:
        """An SPU does not have these sessions, and had said so if they had ended: forget them."""
        for session_id, flow in message.sessions:
            entry = self._core.sessions.session(flow, session_id)
            if entry is not None:
                self._core.forget(entry)
                self.found += 1

    def confirm(self, message: ConfirmSessions) -> None:
        """An SPU has these sessions: tell which of them have no entry here."""
        core = self._core
        table = core.sessions.by_key
        unknown = tuple(
            (session_id, flow)
            for session_id, flow in message.sessions
            if (entry := table.get(flow)) is None or entry.session_id != session_id
        )
        if unknown:
            answer = SessionsUnknown(message.spu, unknown)
            core.out.append((core.spus[message.spu], answer))
