"""The central point's part of holding its table against the SPUs' (see ``spu/audit.py``).

A few entries at a time, a round over all in about half an hour, or sooner.
"""

from __future__ import annotations

from controller.central_point.core import Core
from controller.config.schema import SECOND
from controller.flow import FlowKey, Nanoseconds
from controller.messages import (
    AuditMissing,
    AuditSessions,
    ConfirmSessions,
    SessionsUnknown,
)
from controller.rounds import Round

PERIOD: Nanoseconds = 10 * SECOND


class Audit:
    """Walks the table."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._round = Round(core.sessions.by_key)
        self.next: Nanoseconds = 0
        """When the next few are due, if there are sessions at all."""
        self.found = 0
        """Entries so far whose SPU had no session of them."""

    def due(self) -> Nanoseconds:
        """When ``ask`` is; the first time, a period from now."""
        if not self.next:
            self.next = self._core.now + PERIOD
        return self.next

    def ask(self) -> None:
        """Ask the SPUs about the next few entries."""
        core = self._core
        self.next = core.now + PERIOD
        by_spu: dict[int, list[tuple[int, FlowKey]]] = {}
        for key in self._round.next():
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
