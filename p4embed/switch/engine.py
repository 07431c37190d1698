"""What the two executors have in common: the seam between program state and everything else.

An ``Engine`` owns one loaded program's run-time state (entries, counters, registers, ...) and runs
packets through it. ``reference.py`` is the readable one, ``native/`` the fast one; the P4Runtime
server and the ports see only this protocol, so either can stand in for the other, and tests hold
them against each other.

Keys, masks and parameters cross the seam packed: every field padded to whole bytes on the left
(its high bits zero), big-endian, concatenated in the order of the program. One bytes object is
cheap to hash, compare and hand to C. What a Write makes thousands of is a named tuple, which is
made several times faster than a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple, Protocol, runtime_checkable


class EntryKey(NamedTuple):
    """What identifies an entry within its table."""

    value: bytes
    """The packed key. For a range field its low end; for lpm and ternary with masked bits zero."""
    mask: bytes = b""
    """Packed like ``value``: ternary and optional masks, lpm prefixes as masks, range high ends;
    all ones for exact fields. Empty for a table whose fields are all exact."""
    priority: int = 0
    """P4Runtime priority (higher wins); 0 in tables without ternary, range or optional fields."""


class Entry(NamedTuple):
    """A table entry with all that P4Runtime wants back."""

    key: EntryKey
    action: int
    """The action's ``id`` in the BMv2 JSON."""
    params: bytes = b""
    idle_timeout_ns: int = 0
    """0: never idles out."""
    metadata: bytes = b""
    """The controller's own; carried, never read."""
    is_const: bool = False


class Op(IntEnum):
    """What an update does to a table."""

    INSERT = 1
    MODIFY = 2
    DELETE = 3


class Update(NamedTuple):
    """One change to one table; for DELETE only the entry's key counts."""

    op: Op
    table: int
    """The table's index in ``Program.tables``."""
    entry: Entry


class Status(Enum):
    """How an update went."""

    OK = "ok"
    EXISTS = "entry exists"
    MISSING = "no such entry"
    FULL = "table is full"
    CONST = "table entries are constant"


@dataclass(frozen=True, slots=True)
class Count:
    """A counter's cell."""

    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet that left the pipeline."""

    port: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class Replica:
    """A copy that a multicast group or a clone session makes."""

    port: int
    instance: int
    """What ``egress_rid`` shows."""


@dataclass(frozen=True, slots=True)
class IdleEntry:
    """An entry that no packet hit for its idle time-out."""

    table: int
    key: EntryKey


class Engine(Protocol):
    """A loaded program with its state. Calls are atomic with regard to packets."""

    def write(self, updates: Sequence[Update]) -> list[Status]:
        """Apply in order, each on its own; every packet sees each update whole or not at all."""
        ...

    def get(self, table: int, key: EntryKey) -> Entry | None:
        """The entry with exactly this key."""
        ...

    def entries(self, table: int) -> Iterator[Entry]:
        """All entries of a table, constant ones included, in no particular order."""
        ...

    def entry_count(self, table: int) -> int:
        """How many entries a table holds."""
        ...

    def set_default(self, table: int, action: int | None, params: bytes) -> None:
        """Set the default action; ``None`` restores the program's own."""
        ...

    def default(self, table: int) -> tuple[int, bytes] | None:
        """The default action's id and packed parameters; ``None`` without a default action."""
        ...

    def direct_count(self, table: int, key: EntryKey) -> Count | None:
        """A direct counter's cell, or ``None`` without such an entry."""
        ...

    def set_direct_count(self, table: int, key: EntryKey, count: Count) -> bool:
        """Overwrite a direct counter's cell; whether the entry exists."""
        ...

    def since_last_hit(self, table: int, key: EntryKey, now_ns: int) -> int | None:
        """Nanoseconds since the entry was last hit (or written), or ``None`` without it."""
        ...

    def counter(self, counter: int, index: int) -> Count:
        """A cell of ``Program.counters[counter]``."""
        ...

    def set_counter(self, counter: int, index: int, count: Count) -> None:
        """Overwrite a counter's cell."""
        ...

    def register(self, register: int, index: int) -> int:
        """A cell of ``Program.registers[register]``."""
        ...

    def set_register(self, register: int, index: int, value: int) -> None:
        """Overwrite a register's cell."""
        ...

    def process(self, port: int, frame: bytes, now_ns: int) -> list[Sent]:
        """Run one packet from ``port`` to the end; what leaves, in order (CPU port included)."""
        ...

    def idle_entries(self, now_ns: int) -> list[IdleEntry]:
        """Entries idle for their time-out at ``now_ns``; each again once per further time-out."""
        ...

    def close(self) -> None:
        """Free what the engine holds. Idempotent."""
        ...


@runtime_checkable
class Replicating(Protocol):
    """What an engine offers beyond ``Engine`` if its packets can be cloned and multicast."""

    def set_multicast_group(self, group: int, replicas: Sequence[Replica] | None) -> None:
        """Set a multicast group's copies, or delete the group."""
        ...

    def set_clone_session(self, session: int, replicas: Sequence[Replica] | None) -> None:
        """Set a clone session's copies, or delete the session."""
        ...
