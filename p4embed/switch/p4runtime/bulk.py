"""In bulk: plain entries of exact tables go from a message to the native engine, or back, in C.

What is anything else is not understood here, and takes the careful way (``write.py``, ``read.py``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from finsy.proto import p4r

from p4embed.switch.engine import Engine, IdleEntry, Status
from p4embed.switch.native import NativeEngine
from p4embed.switch.native.idle import PackedIdle
from p4embed.switch.native.wire import (
    Action,
    Part,
    WireRead,
    WireTranslator,
    WireWrite,
    WritableTable,
)
from p4embed.switch.p4runtime.bytestrings import Part as P4InfoPart
from p4embed.switch.p4runtime.errors import BatchError, failure
from p4embed.switch.p4runtime.translate import Translator


class Bulk:
    """Carries out Writes and Reads of one pipeline on a native engine."""

    def __init__(self, translator: Translator, engine: NativeEngine) -> None:
        self._translator = translator
        self._engine = engine
        self._wire = WireTranslator(_writable(translator))

    def parse(self, request: bytes) -> WireWrite | None:
        """A serialized ``WriteRequest``, if it is one for this way."""
        return self._wire.parse(request)

    def write(self, understood: WireWrite, request: bytes) -> None:
        """Apply it, in order; ``BatchError`` if any update failed."""
        statuses = self._engine.write_packed(understood.updates)
        if any(status is not Status.OK for status in statuses):
            updates = p4r.WriteRequest.FromString(request).updates
            tables = (self._translator.table(u.entity.table_entry.table_id) for u in updates)
            raise BatchError(
                "write",
                [
                    failure(status, table.name)
                    for status, table in zip(statuses, tables, strict=True)
                ],
            )

    def read(self, request: bytes) -> WireRead | None:
        """Answer a serialized ``ReadRequest``, if it is one for this way."""
        return self._wire.read(self._engine, request, time.monotonic_ns())

    def notice(self, idle: Sequence[IdleEntry]) -> bytes | None:
        """What a controller is told of idle entries, framed for gRPC, if there is such a way."""
        if not isinstance(idle, PackedIdle) or idle.engine is not self._engine:
            return None
        return self._wire.notice(self._engine, idle, time.time_ns())


def bulk_for(translator: Translator, engine: Engine) -> Bulk | None:
    """The way in bulk, where the engine is one for it."""
    return Bulk(translator, engine) if isinstance(engine, NativeEngine) else None


def _writable(translator: Translator) -> Iterator[WritableTable]:
    for table in translator.tables.values():
        if table.masked or table.is_const or table.profile_id or not table.parts:
            continue
        yield WritableTable(
            table.id,
            table.index,
            table.supports_timeout,
            table.has_counter,
            _parts(table.parts),
            tuple(
                Action(id_, action.json_id, _parts(action.translator.parts))
                for id_, action in table.actions.items()
                if action.in_entries
            ),
        )


def _parts(parts: tuple[P4InfoPart, ...]) -> tuple[Part, ...]:
    return tuple(Part(part.id, part.size, part.limit) for part in parts)
