"""What begins to change comes to rest: deadlines of flows that are set up, and of sessions that are
installed, moved or closed."""

from __future__ import annotations

from collections import deque

from controller.config.schema import SECOND
from controller.flow import FlowKey, Nanoseconds
from controller.simulate import inside
from controller.simulate.books import Books
from controller.simulate.violation import Rule
from controller.spu.session import SessionState

PENDING_LIMIT: Nanoseconds = 5 * SECOND
"""How long the central point keeps a pending wing (``central_point.machine.PENDING_TIMEOUT``)."""
RESOLVE_LIMIT: Nanoseconds = 3 * SECOND
"""How long a next hop that does not answer is asked for."""


class Transitions:
    """Watches what is in transition, and for how long."""

    def __init__(self, books: Books, slowest: Nanoseconds) -> None:
        """``slowest`` is the longest that a message is under way."""
        self._books = books
        self._pending_limit = PENDING_LIMIT + 4 * slowest + SECOND
        self._change_limit = 12 * slowest + RESOLVE_LIMIT + SECOND
        self._pending: deque[tuple[Nanoseconds, int, FlowKey, object]] = deque()
        self._changing: deque[tuple[Nanoseconds, int, int]] = deque()
        self._since: dict[int, Nanoseconds] = {}
        """By session: when it began to be installed, moved or closed."""

    def clear(self) -> None:
        """All machines are gone."""
        self._pending.clear()
        self._changing.clear()
        self._since.clear()

    def taken_up(self, spu: int, key: FlowKey) -> None:
        """An SPU may have begun to set a flow up."""
        books = self._books
        pending = inside.pending(books.spus[spu]).get(key)
        if pending is not None:
            self._pending.append((books.now + self._pending_limit, spu, key, pending))

    def begin(self, spu: int, session_id: int) -> None:
        """From now on a session is in transition."""
        now = self._books.now
        if self._since.get(session_id) != now:
            self._since[session_id] = now
            self._changing.append((now + self._change_limit, spu, session_id))

    def end(self, session_id: int) -> None:
        """It is no longer."""
        self._since.pop(session_id, None)

    def due(self) -> None:
        """What should have come to rest by now?"""
        books, now = self._books, self._books.now
        spus = books.spus
        while self._pending and self._pending[0][0] <= now:
            _, spu, key, pending = self._pending.popleft()
            if spu in spus and inside.pending(spus[spu]).get(key) is pending:
                books.broken(Rule.BOUNDED, f"SPU {spu} has it pending for too long", key)
        while self._changing and self._changing[0][0] <= now:
            when, spu, session_id = self._changing.popleft()
            if self._since.get(session_id) != when - self._change_limit:
                continue
            session = inside.sessions(spus[spu]).get(session_id) if spu in spus else None
            if session is not None and session.state is not SessionState.ACTIVE:
                what = f"{session.state.value.lower()} for too long at SPU {spu}"
                books.broken(Rule.BOUNDED, what, session.wings[0].key, session_id)
            del self._since[session_id]
