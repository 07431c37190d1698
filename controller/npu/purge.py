"""Which SPU's sessions are over: what an NPU may not write any more.

Session ids of an SPU are given in an order that goes around, and a successor's begin behind those
of the SPU that failed. So "up to this id" tells the dead from the living, however late a message
of the dead one comes.
"""

from __future__ import annotations

SESSIONS_PER_SPU = 10_000_000
"""A session id's owner is the id divided by this (``SpuSite.number``)."""


class Fences:
    """The last dead session id of each SPU that ever failed."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._last)

    def put(self, spu: int, last_session_id: int) -> None:
        """Sessions of this SPU up to this id are over; 0: it had none."""
        if last_session_id:
            self._last[spu] = last_session_id

    def is_dead(self, session_id: int) -> bool:
        """Whether a session went with its SPU."""
        last = self._last.get(session_id // SESSIONS_PER_SPU)
        # At most half a round of ids is alive at a time.
        return last is not None and (last - session_id) % SESSIONS_PER_SPU < SESSIONS_PER_SPU // 2
