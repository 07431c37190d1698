"""Writes and Reads straight from the wire: in bulk they never become Python objects.

``WireTranslator`` understands plain entries of exact tables (see ``wire.h``) and says ``None`` to
everything else, which then takes the careful way through ``p4runtime/write.py`` and ``read.py``.
"""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from p4embed.switch.native.binding import (
    WireAction,
    WireHead,
    WirePart,
    WireTable,
    WireTables,
    runtime,
)
from p4embed.switch.native.engine import NativeEngine, Packed
from p4embed.switch.native.idle import PackedIdle

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Part:
    """A key field or a parameter, in the order of P4Info."""

    id: int
    size: int
    """Bytes."""
    limit: int
    """The most that the first byte may be."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action that entries of a table may have."""

    id: int
    """In P4Info."""
    json_id: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class WritableTable:
    """A table whose fields are all exact and whose entries are not constant."""

    id: int
    """In P4Info."""
    index: int
    supports_timeout: bool
    has_counter: bool
    parts: tuple[Part, ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class WireWrite:
    """A WriteRequest that was understood; nothing is applied yet."""

    device_id: int
    election_id: int | None
    updates: Packed


@dataclass(frozen=True, slots=True)
class WireRead:
    """The answer to a ReadRequest that was understood."""

    device_id: int
    response: bytes
    """A serialized ``ReadResponse``; empty: nothing was found."""


_NOT_UNDERSTOOD = (1 << 32) - 1
_RESPONSE_ROOM = 1 << 20
"""Bytes of a response that is made here."""


class WireTranslator:
    """Understands requests for one program. Thread-safe, but for ``read``."""

    def __init__(self, tables: Iterable[WritableTable]) -> None:
        self._c = runtime()
        self._kept: list[object] = []
        rows = [self._table(table) for table in tables]
        array = self._keep((WireTable * max(len(rows), 1))(*rows))
        self._tables = WireTables(len(rows), array)
        self._room = c.create_string_buffer(_RESPONSE_ROOM)

    def _keep(self, array: _T) -> _T:
        self._kept.append(array)
        return array

    def _parts(self, parts: Sequence[Part]) -> c.Array[WirePart]:
        rows = [WirePart(part.id, part.size, part.limit) for part in parts]
        return self._keep((WirePart * max(len(rows), 1))(*rows))

    def _table(self, table: WritableTable) -> WireTable:
        actions = [
            WireAction(action.id, action.json_id, len(action.parts), self._parts(action.parts))
            for action in table.actions
        ]
        return WireTable(
            table.id,
            table.index,
            table.supports_timeout,
            table.has_counter,
            len(table.parts),
            len(actions),
            self._parts(table.parts),
            self._keep((WireAction * max(len(actions), 1))(*actions)),
        )

    def parse(self, request: bytes) -> WireWrite | None:
        """A serialized ``WriteRequest``; ``None`` if it needs the careful translation."""
        # A record is about as long as its message; should it not fit, it is not understood.
        room = 2 * len(request) + 1024
        batch = c.create_string_buffer(room)
        head = WireHead()
        understood = self._c.wp_wire_parse(
            c.byref(self._tables), request, len(request), batch, room, c.byref(head)
        )
        if not understood:
            return None
        election = (head.election_high << 64 | head.election_low) if head.has_election else None
        return WireWrite(head.device_id, election, Packed(batch, head.updates))

    def read(self, engine: NativeEngine, request: bytes, now_ns: int) -> WireRead | None:
        """Carry out a serialized ``ReadRequest``; ``None`` if it needs the careful way. One call at
        a time."""
        head = WireHead()
        understood = self._c.wp_wire_read(
            c.byref(self._tables), engine.handle, request, len(request), now_ns,
            self._room, _RESPONSE_ROOM, c.byref(head),
        )  # fmt: skip
        if not understood:
            return None
        return WireRead(head.device_id, c.string_at(self._room, head.bytes))

    def notice(self, engine: NativeEngine, idle: PackedIdle, timestamp_ns: int) -> bytes | None:
        """What a controller is told of idle entries, behind gRPC's prefix; nothing if none of them
        exists any more; ``None`` if it needs the careful way. Not while another thread reads."""
        made = self._c.wp_wire_idle(
            c.byref(self._tables), engine.handle, idle.table, idle.packed, len(idle), timestamp_ns,
            self._room, _RESPONSE_ROOM,
        )  # fmt: skip
        return None if made == _NOT_UNDERSTOOD else c.string_at(self._room, made)
