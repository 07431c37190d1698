"""The native executor as an ``Engine``: a program compiled to C, with its state in C."""

from __future__ import annotations

import ctypes as c
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from p4embed.switch.codegen import Unsupported, generate
from p4embed.switch.engine import (
    Count,
    Entry,
    EntryKey,
    IdleEntry,
    Op,
    Sent,
    Status,
    Update,
)
from p4embed.switch.native.binding import (
    BURST,
    END,
    ENTRY,
    NO_MEMORY,
    PACKET,
    PRIORITY,
    UPDATE,
    load_program,
    runtime,
)
from p4embed.switch.native.build import NativeError, program_library
from p4embed.switch.native.idle import PackedIdle
from p4embed.switch.native.offers import READ_ROOM, Offers
from p4embed.switch.native.packets import packed
from p4embed.switch.native.shape import Shape
from p4embed.switch.program import DROP_PORT, Program, Table

_STATUSES = (Status.OK, Status.EXISTS, Status.MISSING, Status.FULL, Status.CONST)
SWEEP = 1024
"""Entries that the idle sweep looks at before packets get their turn."""


_last: tuple[Program, str] | None = None


def generated(program: Program) -> str:
    """A program in C; ``NativeError`` where it uses what is not supported.

    The last one is kept: who has checked a program will run it.
    """
    global _last
    if _last is not None and _last[0] is program:
        return _last[1]
    try:
        source = generate(program)
    except Unsupported as error:
        raise NativeError(
            f"the native executor does not support {error}; choose the reference executor"
        ) from None
    _last = program, source
    return source


class Packed(NamedTuple):
    """Updates as the runtime takes them."""

    records: bytes | c.Array[c.c_char]
    updates: int


class NativeEngine(Offers):
    """An ``Engine`` (see ``engine.py``) and ``Replicating``. Thread-safe.

    Compiles the program if its shared object is not cached. Raises ``NativeError`` with one line
    for the user when the program uses what is not supported or no compiler works.
    """

    def __init__(
        self,
        program: Program,
        drop_port: int = DROP_PORT,
        clock: Callable[[], int] = time.monotonic_ns,
        *,
        epoch_ns: int = 0,
        seed: int | None = None,
    ) -> None:
        """``clock`` tells the time of writes; time stamps in packets count from ``epoch_ns``."""
        source = generated(program)
        self.program = program
        self._clock = clock
        self._c = runtime()
        self._library, address = load_program(program_library(source))
        seed = secrets.randbits(64) if seed is None else seed
        self._engine: int | None = self._c.wp_engine_open(address, epoch_ns, seed, drop_port)
        self._run: int | None = self._engine and self._c.wp_run_new(self._engine)
        if self._engine is None or self._run is None:
            raise NativeError(f"no memory for the state of program '{program.name}'")
        # Freed with the last reference, so that a call under way in another thread when the
        # engine is closed still has what it works on.
        weakref.finalize(self, _free, self._c, self._engine, self._run)
        self._closed = False
        self._process_lock = threading.Lock()
        self._params_size = {action.id: action.params_size for action in program.actions}
        self._shapes = [Shape(table, program) for table in program.tables]
        for index, table in enumerate(program.tables):
            self._insert_const(index, table)

    @property
    def handle(self) -> int:
        """The runtime's ``struct wp_engine``; for the data plane."""
        if self._closed or self._engine is None:
            raise RuntimeError("the engine is closed")
        return self._engine

    # -- entries ------------------------------------------------------------------------------

    def write(self, updates: Sequence[Update]) -> list[Status]:
        """Apply changes in order."""
        parts: list[bytes] = []
        for update in updates:
            self._pack(parts, update.op, update.table, update.entry, False)
        return self._write(b"".join(parts), len(updates), self._clock())

    def write_together(self, updates: Sequence[Update]) -> list[Status]:
        """Apply changes in order, all of them between two packets."""
        parts: list[bytes] = []
        for update in updates:
            self._pack(parts, update.op, update.table, update.entry, False)
        return self._write(b"".join(parts), len(updates), self._clock(), together=True)

    def write_packed(self, batch: Packed) -> list[Status]:
        """Apply updates that ``wire.py`` packed for this program."""
        return self._write(batch.records, batch.updates, self._clock())

    def _insert_const(self, index: int, table: Table) -> None:
        parts: list[bytes] = []
        for entry in table.const_entries:
            self._pack(parts, Op.INSERT, index, entry, True)
        self._write(b"".join(parts), len(table.const_entries), 0)

    def _pack(self, parts: list[bytes], op: Op, table: int, entry: Entry, const: bool) -> None:
        shape, key = self._shapes[table], entry.key
        if len(key.value) != shape.key_size or len(key.mask) != shape.mask_size:
            raise ValueError(f"a key of table '{shape.name}' has {shape.key_size} bytes")
        params, metadata = entry.params, entry.metadata
        if op is Op.DELETE:
            params = metadata = b""
        elif shape.actions.get(entry.action) != len(params) or len(metadata) >= 1 << 16:
            raise ValueError(f"table '{shape.name}' takes no action {entry.action} like this")
        parts += (
            UPDATE.pack(
                op,
                const,
                table,
                key.priority,
                entry.action,
                len(params),
                len(metadata),
                entry.idle_timeout_ns,
            ),
            key.value,
            key.mask,
            params,
            metadata,
        )

    def _write(
        self,
        batch: bytes | c.Array[c.c_char],
        count: int,
        now_ns: int,
        *,
        together: bool = False,
    ) -> list[Status]:
        results = c.create_string_buffer(count)
        self._c.wp_write(self.handle, batch, count, now_ns, together, results)
        codes = results.raw
        if NO_MEMORY in codes:
            raise MemoryError("no memory for table entries")
        return [_STATUSES[code] for code in codes]

    def get(self, table: int, key: EntryKey) -> Entry | None:
        """The entry with exactly this key."""
        record = self._record(table, key)
        return None if record is None else self._shapes[table].entry(record, 0)

    def _record(self, table: int, key: EntryKey) -> bytes | None:
        shape = self._shapes[table]
        if not self._is_key(table, key):
            return None
        room = shape.record_size + 256
        while True:
            buffer = c.create_string_buffer(room)
            size = self._c.wp_get(
                self.handle, table, key.value, key.mask, key.priority, buffer, room
            )
            if size <= room:
                return buffer.raw[:size] if size else None
            room = size

    def entries(self, table: int) -> Iterator[Entry]:
        """All entries of a table; ones that come or go meanwhile may be among them or not."""
        shape, room = self._shapes[table], READ_ROOM
        cursor = c.c_uint32(0)
        while cursor.value != END:
            buffer = c.create_string_buffer(room)
            before = cursor.value
            used = self._c.wp_entries(self.handle, table, c.byref(cursor), buffer, room)
            if not used and cursor.value == before:
                room *= 2
                continue
            records, at = c.string_at(buffer, used), 0
            while at < used:
                yield shape.entry(records, at)
                at += ENTRY.unpack_from(records, at)[0]

    def entry_count(self, table: int) -> int:
        """How many entries a table holds."""
        return int(self._c.wp_entry_count(self.handle, table))

    def set_default(self, table: int, action: int | None, params: bytes) -> None:
        """Set or restore the default action."""
        if self.program.tables[table].fixed:
            raise ValueError(f"the default action of '{self._shapes[table].name}' is constant")
        if action is None:
            default = self.program.tables[table].default
            action, params = (-1, b"") if default is None else (default.action, default.params)
        elif self._shapes[table].actions.get(action) != len(params):
            raise ValueError(f"table '{self._shapes[table].name}' takes no action {action}")
        self._c.wp_set_default(self.handle, table, action, params, len(params))

    def default(self, table: int) -> tuple[int, bytes] | None:
        """The default action and its parameters; ``None`` without one."""
        buffer = c.create_string_buffer(self._shapes[table].params_room + 1)
        action = int(self._c.wp_default(self.handle, table, buffer))
        return None if action < 0 else (action, buffer.raw[: self._shapes[table].actions[action]])

    def direct_count(self, table: int, key: EntryKey) -> Count | None:
        """A direct counter's cell."""
        record = self._record(table, key)
        return None if record is None else Count(*ENTRY.unpack_from(record)[5:7])

    def set_direct_count(self, table: int, key: EntryKey, count: Count) -> bool:
        """Overwrite a direct counter's cell."""
        return self._is_key(table, key) and bool(
            self._c.wp_set_direct_count(
                self.handle, table, key.value, key.mask, key.priority, count.packets, count.bytes
            )
        )

    def since_last_hit(self, table: int, key: EntryKey, now_ns: int) -> int | None:
        """Nanoseconds since the entry was last hit or written."""
        record = self._record(table, key)
        return None if record is None else max(now_ns - int(ENTRY.unpack_from(record)[7]), 0)

    # -- counters, registers, groups ----------------------------------------------------------

    def counter(self, counter: int, index: int) -> Count:
        """A counter's cell; ``IndexError`` out of range."""
        self._check_cell(self.program.counters[counter], index)
        packets, size = c.c_uint64(), c.c_uint64()
        self._c.wp_counter(self.handle, counter, index, c.byref(packets), c.byref(size))
        return Count(packets.value, size.value)

    def set_counter(self, counter: int, index: int, count: Count) -> None:
        """Overwrite a counter's cell; ``IndexError`` out of range."""
        self._check_cell(self.program.counters[counter], index)
        self._c.wp_set_counter(self.handle, counter, index, count.packets, count.bytes)

    def register(self, register: int, index: int) -> int:
        """A register's cell; ``IndexError`` out of range."""
        declared = self.program.registers[register]
        self._check_cell(declared, index)
        size = 8 * int(self._c.wp_register_limbs(self.handle, register))
        buffer = c.create_string_buffer(size)
        self._c.wp_register(self.handle, register, index, buffer)
        return int.from_bytes(buffer.raw, "little")

    def set_register(self, register: int, index: int, value: int) -> None:
        """Overwrite a register's cell, cut to its width; nothing out of range."""
        declared = self.program.registers[register]
        if 0 <= index < declared.size:
            size = 8 * int(self._c.wp_register_limbs(self.handle, register))
            value &= (1 << declared.width) - 1
            self._c.wp_set_register(self.handle, register, index, value.to_bytes(size, "little"))

    # -- packets ------------------------------------------------------------------------------

    def process(self, port: int, frame: bytes, now_ns: int) -> list[Sent]:
        """Run one packet to the end."""
        return self.process_burst(port, [frame], now_ns)

    def process_burst(self, port: int, frames: Sequence[bytes], now_ns: int) -> list[Sent]:
        """Run packets of one port to the end, as the data plane does: up to ``BURST`` together."""
        if len(frames) > BURST:
            raise ValueError(f"a burst has at most {BURST} frames, not {len(frames)}")
        batch = packed(frames)
        with self._process_lock:
            if self._closed:
                raise RuntimeError("the engine is closed")
            size = self._c.wp_process(self._run, port, batch, len(frames), now_ns)
            buffer = c.create_string_buffer(size)
            self._c.wp_outputs(self._run, buffer)
        raw, at, sent = buffer.raw, 0, []
        while at < size:
            egress, length = PACKET.unpack_from(raw, at)
            at += PACKET.size
            sent.append(Sent(egress, raw[at : at + length]))
            at += length
        return sent

    def idle_entries(self, now_ns: int) -> list[IdleEntry]:
        """Entries idle for their time-out."""
        found: list[IdleEntry] = []
        for index, table in enumerate(self.program.tables):
            if table.support_timeout:
                cursor = 0
                while cursor != END:
                    idle, cursor = self.sweep(index, now_ns, cursor, SWEEP)
                    found += idle
        return found

    def sweep(self, table: int, now_ns: int, cursor: int, most: int) -> tuple[PackedIdle, int]:
        """A part of ``idle_entries``: looks at ``most`` entries of a table from ``cursor`` on.

        Returns idle ones, and where to go on; ``END`` after the last.
        """
        shape = self._shapes[table]
        size = PRIORITY.size + shape.key_size + shape.mask_size
        room = size * most
        at, buffer = c.c_uint32(cursor), c.create_string_buffer(room)
        used = self._c.wp_idle(self.handle, table, now_ns, c.byref(at), most, buffer, room)
        return PackedIdle(self, table, shape, c.string_at(buffer, used)), int(at.value)

    def table_memory(self, table: int) -> int:
        """Bytes that a table's entries and index take, metadata included."""
        return int(self._c.wp_table_memory(self.handle, table))

    def close(self) -> None:
        """Refuse further calls; the state is freed with the last reference. Idempotent."""
        self._closed = True


def _free(library: c.CDLL, engine: int, run: int) -> None:
    library.wp_run_delete(run)
    library.wp_engine_close(engine)
