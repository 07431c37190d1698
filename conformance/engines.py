"""The two executors of p4embed as targets: no root, interface or server."""

from __future__ import annotations

from collections.abc import Sequence

from conformance import commands
from conformance.naming import Action, Match, TableEntry
from conformance.replay import Rejected, Unsupported
from p4embed.switch.engine import (
    Count,
    Engine,
    Entry,
    EntryKey,
    Op,
    Replica,
    Replicating,
    Status,
    Update,
)
from p4embed.switch.program import KeyField, MatchKind, Program

_GAP_NS = 1_000_000
"""Time between two packets."""


class EngineTarget:
    """A ``Target`` on an ``Engine``."""

    def __init__(self, program: Program, engine: Engine) -> None:
        self._program = program
        self._engine = engine
        self._sent: list[tuple[int, bytes]] = []
        self._now_ns = _GAP_NS

    def add(self, entry: TableEntry) -> None:
        """Insert an entry."""
        index = self._program.tables_by_name[entry.table]
        table = self._program.tables[index]
        fields = [_packed(key, field) for key, field in zip(entry.keys, table.key, strict=True)]
        value = b"".join(field[0] for field in fields)
        mask = b"".join(field[1] for field in fields) if table.masked else b""
        key = EntryKey(value, mask, entry.priority if table.prioritized else 0)
        made = Entry(key, entry.action.id, self._params(entry.action))
        (status,) = self._engine.write([Update(Op.INSERT, index, made)])
        if status is not Status.OK:
            raise Rejected(f"table '{entry.table}': {status.value}")

    def set_default(self, table: str, action: Action) -> None:
        """Set a default action."""
        self._engine.set_default(
            self._program.tables_by_name[table], action.id, self._params(action)
        )

    def _params(self, action: Action) -> bytes:
        declared = self._program.actions_by_id[action.id]
        packed = b""
        for param, (name, value) in zip(declared.params, action.args, strict=True):
            if value >> param.width:
                raise Rejected(f"{name} = {value:#x} does not fit {param.width} bits")
            packed += value.to_bytes((param.width + 7) // 8, "big")
        return packed

    def set_group(self, group: int, copies: Sequence[tuple[int, int]]) -> None:
        """A multicast group's copies."""
        self._replicating().set_multicast_group(group, [Replica(*copy) for copy in copies])

    def set_clone(self, session: int, copies: Sequence[tuple[int, int]]) -> None:
        """A clone session's copies."""
        self._replicating().set_clone_session(session, [Replica(*copy) for copy in copies] or None)

    def _replicating(self) -> Replicating:
        if not isinstance(self._engine, Replicating):
            raise Unsupported("the executor has no clone sessions and multicast groups")
        return self._engine

    def set_register(self, register: str, index: int | None, value: int) -> None:
        """One cell, or all."""
        names = [declared.name for declared in self._program.registers]
        at = names.index(register)
        for cell in range(self._program.registers[at].size) if index is None else (index,):
            self._engine.set_register(at, cell, value)

    def set_counter(self, counter: str, index: int, packets: int, size: int) -> None:
        """Overwrite a counter's cell."""
        self._engine.set_counter(self._counter(counter), index, Count(packets, size))

    def counter(self, counter: str, index: int) -> tuple[int, int]:
        """Packets and bytes of a counter's cell."""
        count = self._engine.counter(self._counter(counter), index)
        return count.packets, count.bytes

    def _counter(self, name: str) -> int:
        return [declared.name for declared in self._program.counters].index(name)

    def set_meter(self, meter: str, index: int | None, rates: commands.MeterRates) -> None:
        """Rates of meters, which scripts set on one target only."""
        del index, rates
        raise Unsupported(f"scripts cannot set the rates of meter '{meter}' here")

    def packet(self, port: int, frame: bytes) -> None:
        """Send a frame into a port."""
        for sent in self._engine.process(port, frame, self._now_ns):
            self._sent.append((sent.port, sent.frame))
        self._now_ns += _GAP_NS

    def sent(self) -> Sequence[tuple[int, bytes]]:
        """All that left so far."""
        return self._sent


def _packed(key: Match, field: KeyField) -> tuple[bytes, bytes]:
    """A field's value and mask as an ``EntryKey`` wants them."""
    ones = (1 << field.width) - 1
    match field.match:
        case MatchKind.TERNARY:
            mask = key.mask & ones
        case MatchKind.LPM:
            length = field.width if key.prefix < 0 else min(key.prefix, field.width)
            mask = ones ^ (ones >> length)
        case _:
            mask = ones
            if key.value > ones:
                raise Rejected(f"{key.name} = {key.value:#x} does not fit {field.width} bits")
    return (key.value & mask).to_bytes(field.size, "big"), mask.to_bytes(field.size, "big")
