"""A program's run-time state: entries, defaults, counters, registers, clone and multicast groups.

The part of the ``Engine`` protocol that runs no packets. Not thread-safe by itself: the engine
holds a lock around each call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from p4embed.switch.engine import (
    TO_GROUP,
    TO_MEMBER,
    Count,
    Entry,
    EntryKey,
    IdleEntry,
    MeterConfig,
    Op,
    Replica,
    Status,
    Update,
)
from p4embed.switch.matching import Row, matcher_for
from p4embed.switch.meter import Meter
from p4embed.switch.program import Action, DefaultEntry, Program, Table, byte_width


def unpack_params(action: Action, packed: bytes) -> tuple[int, ...]:
    """Packed parameters as integers."""
    values, at = [], 0
    for param in action.params:
        size = byte_width(param.width)
        values.append(int.from_bytes(packed[at : at + size], "big"))
        at += size
    return tuple(values)


@dataclass(slots=True)
class Default:
    """What a table runs on a miss."""

    action: int
    params: bytes
    values: tuple[int, ...]


class CloneSession(NamedTuple):
    """Where clones go, and how much of them."""

    replicas: tuple[Replica, ...]
    cut: int
    """Most bytes of a clone; 0: all."""


class Choice(NamedTuple):
    """An action to run, with its parameters."""

    action: int
    params: tuple[int, ...]


class TableState:
    """The entries of one table."""

    def __init__(self, table: Table, program: Program) -> None:
        self.table = table
        self._actions = program.actions_by_id
        self.rows: dict[EntryKey, Row] = {}
        self.matcher = matcher_for(table)
        self.default: Default | None = None
        self.reset_default()
        for entry in table.const_entries:
            self._insert(entry, 0)

    def reset_default(self) -> None:
        """Back to the program's own default action."""
        declared: DefaultEntry | None = self.table.default
        if declared is None:
            self.default = None
        else:
            self.set_default(declared.action, declared.params)

    def set_default(self, action: int, params: bytes) -> None:
        """Another default action."""
        self.default = Default(action, params, unpack_params(self._actions[action], params))

    def _insert(self, entry: Entry, now_ns: int) -> None:
        row = Row(entry, self._params(entry), last_hit_ns=now_ns)
        self.rows[entry.key] = row
        self.matcher.insert(row)

    def _params(self, entry: Entry) -> tuple[int, ...]:
        if entry.action in (TO_MEMBER, TO_GROUP):
            return (int.from_bytes(entry.params, "big"),)
        return unpack_params(self._actions[entry.action], entry.params)

    def update(self, op: Op, entry: Entry, now_ns: int) -> Status:
        """Apply one change."""
        if self.table.const_entries:
            return Status.CONST
        row = self.rows.get(entry.key)
        if op is Op.INSERT:
            if row is not None:
                return Status.EXISTS
            if len(self.rows) >= self.table.size:
                return Status.FULL
            self._insert(entry, now_ns)
            return Status.OK
        if row is None:
            return Status.MISSING
        if op is Op.MODIFY:
            row.entry = entry
            row.params = self._params(entry)
            row.last_hit_ns, row.notices = now_ns, 0
            row.meter = None
        else:
            del self.rows[entry.key]
            self.matcher.remove(row)
        return Status.OK

    def idle(self, now_ns: int) -> Iterator[EntryKey]:
        """Entries that were not hit for a time-out; again for each further one that passes."""
        for key, row in self.rows.items():
            timeout = row.entry.idle_timeout_ns
            passed = (now_ns - row.last_hit_ns) // timeout if timeout else 0
            if passed > row.notices:
                row.notices = passed
                yield key


class State:
    """All state of one program."""

    def __init__(self, program: Program, drop_port: int) -> None:
        self.program = program
        self.drop_port = drop_port
        self.tables = [TableState(table, program) for table in program.tables]
        self.counters: list[dict[int, Count]] = [{} for _ in program.counters]
        self.meters: list[dict[int, Meter]] = [{} for _ in program.meters]
        self.registers: list[dict[int, int]] = [{} for _ in program.registers]
        self.value_sets: list[tuple[tuple[int, int], ...]] = [() for _ in program.value_sets]
        """Values and masks."""
        self.members: list[dict[int, Choice]] = [{} for _ in program.profiles]
        self.groups: list[dict[int, tuple[int, ...]]] = [{} for _ in program.profiles]
        self.clone_sessions: dict[int, CloneSession] = {}
        self.multicast_groups: dict[int, tuple[Replica, ...]] = {}

    def write(self, updates: Sequence[Update], now_ns: int) -> list[Status]:
        """Apply changes in order."""
        tables = self.tables
        return [tables[u.table].update(u.op, u.entry, now_ns) for u in updates]

    def counter(self, counter: int, index: int) -> Count:
        """A counter's cell."""
        return self.counters[counter].get(index, _ZERO)

    def count(self, counter: int, index: int, size: int) -> None:
        """Count a packet of so many bytes; nothing when the index is out of range."""
        if 0 <= index < self.program.counters[counter].size:
            old = self.counter(counter, index)
            self.counters[counter][index] = Count(old.packets + 1, old.bytes + size)

    def set_counter(self, counter: int, index: int, count: Count) -> None:
        """Overwrite a counter's cell."""
        self.counters[counter][index] = count

    def color(self, meter: int, index: int, size: int, now_ns: int) -> int | None:
        """The color of a packet of so many bytes; ``None`` when the index is out of range."""
        declared = self.program.meters[meter]
        if not 0 <= index < declared.size:
            return None
        cell = self.meters[meter].get(index)
        return 0 if cell is None else cell.color(size if declared.bytes else 1, now_ns)

    def meter(self, meter: int, index: int) -> MeterConfig | None:
        """A meter cell's configuration."""
        cell = self.meters[meter].get(index)
        return None if cell is None else cell.config

    def set_meter(self, meter: int, index: int, config: MeterConfig | None, now_ns: int) -> None:
        """Configure a meter's cell."""
        if config is None:
            self.meters[meter].pop(index, None)
        else:
            self.meters[meter][index] = Meter(config, now_ns)

    def set_direct_meter(
        self, table: int, key: EntryKey, config: MeterConfig | None, now_ns: int
    ) -> bool:
        """Configure an entry's direct meter."""
        row = self.tables[table].rows.get(key)
        if row is None:
            return False
        row.meter = None if config is None else Meter(config, now_ns)
        return True

    def register(self, register: int, index: int) -> int | None:
        """A register's cell; ``None`` out of range."""
        if not 0 <= index < self.program.registers[register].size:
            return None
        return self.registers[register].get(index, 0)

    def set_register(self, register: int, index: int, value: int) -> None:
        """Overwrite a register's cell; nothing out of range."""
        declared = self.program.registers[register]
        if 0 <= index < declared.size:
            self.registers[register][index] = value & ((1 << declared.width) - 1)

    def set_direct_count(self, table: int, key: EntryKey, count: Count) -> bool:
        """Overwrite a direct counter's cell."""
        row = self.tables[table].rows.get(key)
        if row is None:
            return False
        row.hits, row.hit_bytes = count.packets, count.bytes
        return True

    def set_member(self, profile: int, member: int, action: int | None, params: bytes) -> None:
        """Set or delete a member."""
        if action is None:
            self.members[profile].pop(member, None)
        else:
            values = unpack_params(self.program.actions_by_id[action], params)
            self.members[profile][member] = Choice(action, values)

    def set_group(self, profile: int, group: int, members: Sequence[int] | None) -> None:
        """Set or delete a group."""
        if members is None:
            self.groups[profile].pop(group, None)
        else:
            self.groups[profile][group] = tuple(members)

    def set_value_set(self, value_set: int, members: Sequence[tuple[bytes, bytes]]) -> None:
        """Replace a value set's members."""
        self.value_sets[value_set] = tuple(
            (int.from_bytes(value, "big"), int.from_bytes(mask, "big")) for value, mask in members
        )

    def idle_entries(self, now_ns: int) -> list[IdleEntry]:
        """Idle entries of all tables that support a time-out."""
        return [
            IdleEntry(index, key)
            for index, state in enumerate(self.tables)
            if state.table.support_timeout
            for key in state.idle(now_ns)
        ]


_ZERO = Count(0, 0)
