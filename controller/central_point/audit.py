"""The central point's part of holding its table against the SPUs' (see ``spu/audit.py``).

A few entries at a time, a round over all in about half an hour, or sooner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from controller.config.schema import SECOND
from controller.flow import FlowKey, Nanoseconds
from controller.messages import Actor, AuditSessions, Outbound, Role
from controller.rounds import Round

PERIOD: Nanoseconds = 10 * SECOND


class Entry(Protocol):
    """What the audit needs of an entry of the global table."""

    forward: FlowKey
    session_id: int
    """0 while pending."""
    spu: int


class Audit:
    """Walks the table."""

    def __init__(self, table: Mapping[FlowKey, Entry]) -> None:
        self._table = table
        self._round = Round(table)
        self.next: Nanoseconds = 0
        """When the next few are due, if there are sessions at all."""
        self.found = 0
        """Entries so far whose SPU had no session of them."""

    def due(self, now: Nanoseconds) -> Nanoseconds:
        """When ``ask`` is; the first time, a period from now."""
        if not self.next:
            self.next = now + PERIOD
        return self.next

    def ask(self, now: Nanoseconds) -> list[Outbound]:
        """Questions about the next few entries."""
        self.next = now + PERIOD
        by_spu: dict[int, list[tuple[int, FlowKey]]] = {}
        for key in self._round.next():
            entry = self._table.get(key)
            # Each session once, by its forward wing; pending ones have a time-out.
            if entry is not None and entry.session_id and key == entry.forward:
                by_spu.setdefault(entry.spu, []).append((entry.session_id, entry.forward))
        return [
            Outbound(Actor(Role.SPU, spu), AuditSessions(spu, tuple(sessions)))
            for spu, sessions in by_spu.items()
        ]
