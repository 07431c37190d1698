"""The close records of sessions whose SPU failed.

What such a session was, its SPU alone knew; but each of its wings has a record beside it on an NPU
(``controller/record.py``) and a counter. NPUs read both before they remove the wings. What the SPU
itself had counted, the packets that came before the wings were written, is lost with it.
"""

from __future__ import annotations

from controller.central_point.sessions import Entry
from controller.flow import Nanoseconds
from controller.messages import SessionClosed, WingsPurged
from controller.reasons import Close
from controller.record import RecordError, decode


class _Remains:
    """What is left of a session."""

    __slots__ = ("bytes", "packets", "record", "wings")

    def __init__(self) -> None:
        self.record = b""
        self.packets = [0, 0]
        self.bytes = [0, 0]
        """Forward, reverse."""
        self.wings = 0
        """A bit for each direction that its NPU has told of."""


class LostSessions:
    """Collects what NPUs tell until the entry of a session goes."""

    def __init__(self) -> None:
        self._remains: dict[int, dict[int, _Remains]] = {}
        """By SPU and session id."""

    def take(self, message: WingsPurged) -> None:
        """Wings that an NPU has removed; each counts once."""
        mine = self._remains.setdefault(message.spu, {})
        for wing in message.wings:
            remains = mine.get(wing.session_id)
            if remains is None:
                remains = mine[wing.session_id] = _Remains()
            if remains.wings >> wing.direction & 1:
                continue
            remains.wings |= 1 << wing.direction
            remains.record = remains.record or wing.record
            remains.packets[wing.direction] = wing.packets
            remains.bytes[wing.direction] = wing.bytes

    def close(self, entry: Entry, now: Nanoseconds) -> SessionClosed | None:
        """The close record of a session; ``None``: no NPU had any of it."""
        remains = self._remains.get(entry.spu, {}).pop(entry.session_id, None)
        if remains is None:
            return None
        try:
            record = decode(remains.record)
        except RecordError:
            return None
        return SessionClosed(
            now,
            entry.session_id,
            Close.SPU_LOST,
            record.policy,
            record.forward,
            record.reverse,
            (remains.packets[0], remains.packets[1]),
            (remains.bytes[0], remains.bytes[1]),
            now - record.started,
            record.policy_index,
            record.nat_rules,
            record.application,
        )

    def forget(self, spu: int) -> None:
        """All sessions of an SPU are gone; what is left is of some that ended just before it."""
        self._remains.pop(spu, None)
