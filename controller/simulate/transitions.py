"""What begins to change comes to rest: deadlines of flows that are set up, and of sessions that are
installed, moved or closed."""

from __future__ import annotations

from collections import OrderedDict

from controller.config.schema import SECOND
from controller.flow import FlowKey, Nanoseconds
from controller.simulate import inside
from controller.simulate.books import Books
from controller.simulate.violation import Rule
from controller.spu.session import Pending, SessionState

RESOLVE_LIMIT: Nanoseconds = 3 * SECOND
"""How long a next hop that does not answer is asked for."""


class Transitions:
    """Watches what is in transition, and for how long."""

    def __init__(self, books: Books, slowest: Nanoseconds, patience: Nanoseconds) -> None:
        """``slowest`` is the longest that a message is under way; ``patience``, that the central
        point keeps a pending wing."""
        self._books = books
        self._pending_limit = patience + 4 * slowest + SECOND
        self._change_limit = 12 * slowest + RESOLVE_LIMIT + SECOND
        self._pending: OrderedDict[tuple[int, FlowKey], tuple[Nanoseconds, Pending]] = OrderedDict()
        """By SPU and flow, the first deadline first."""
        self._changing: OrderedDict[int, tuple[Nanoseconds, int]] = OrderedDict()
        """By session that is installed, moved or closed, likewise: deadline and SPU."""

    def clear(self) -> None:
        """All machines are gone."""
        self._pending.clear()
        self._changing.clear()

    def taken_up(self, spu: int, key: FlowKey) -> None:
        """An SPU may have begun to set a flow up."""
        books = self._books
        pending = inside.pending(books.spus[spu]).get(key)
        known = self._pending.get((spu, key))
        if pending is not None and (known is None or known[1] is not pending):
            self._pending[spu, key] = books.now + self._pending_limit, pending
            self._pending.move_to_end((spu, key))

    def done(self, spu: int, key: FlowKey) -> None:
        """An SPU may have come to an end with setting a flow up."""
        known = self._pending.get((spu, key))
        if known is not None and not self._is_pending(spu, key, known[1]):
            del self._pending[spu, key]

    def _is_pending(self, number: int, key: FlowKey, pending: Pending) -> bool:
        spu = self._books.spus.get(number)
        return spu is not None and inside.pending(spu).get(key) is pending

    def begin(self, spu: int, session_id: int) -> None:
        """From now on a session is in transition."""
        self._changing[session_id] = self._books.now + self._change_limit, spu
        self._changing.move_to_end(session_id)

    def end(self, session_id: int) -> None:
        """It is no longer."""
        self._changing.pop(session_id, None)

    def due(self) -> None:
        """What should have come to rest by now?"""
        books, now = self._books, self._books.now
        while self._pending:
            (spu, key), (when, pending) = next(iter(self._pending.items()))
            if when > now:
                break
            del self._pending[spu, key]
            if self._is_pending(spu, key, pending):
                books.broken(Rule.BOUNDED, f"SPU {spu} has it pending for too long", key)
        while self._changing:
            session_id, (when, spu) = next(iter(self._changing.items()))
            if when > now:
                break
            del self._changing[session_id]
            machine = books.spus.get(spu)
            session = None if machine is None else inside.sessions(machine).get(session_id)
            if session is not None and session.state is not SessionState.ACTIVE:
                what = f"{session.state.value.lower()} for too long at SPU {spu}"
                books.broken(Rule.BOUNDED, what, session.wings[0].key, session_id)
