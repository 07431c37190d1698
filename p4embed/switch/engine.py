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


TO_MEMBER, TO_GROUP = 0xFFFE, 0xFFFF
"""``Entry.action`` where a table's action comes from an action profile: ``params`` is then the
number of a member or group, four bytes, big-endian. No action has these ids."""


class Entry(NamedTuple):
    """A table entry with all that P4Runtime wants back."""

    key: EntryKey
    action: int
    """The action's ``id`` in the BMv2 JSON; ``TO_MEMBER`` or ``TO_GROUP`` in indirect tables."""
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
class MeterConfig:
    """Rates of a two-rate three-color marker (RFC 2698), color-blind.

    Tokens are packets or bytes, as the meter counts. Both buckets are full when they are
    configured, and gain ``floor(elapsed us * rate / 10**6)`` tokens from then on, up to the burst
    size. A packet for which the peak bucket has too few tokens is red (2) and takes none; else it
    takes them there, and is yellow (1) if the committed bucket has too few; else green (0), and
    takes them there too.
    """

    cir: int
    """Committed rate: tokens a second."""
    cburst: int
    pir: int
    """Peak rate: tokens a second."""
    pburst: int


class Digested(NamedTuple):
    """A digest that a packet left at the end of ingress."""

    digest: int
    """Index into ``Program.digests``."""
    data: bytes
    """The fields' values then, packed as keys are; signed ones in two's complement."""


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

    def set_clone_session(
        self, session: int, replicas: Sequence[Replica] | None, cut: int = 0
    ) -> None:
        """Set a clone session's copies, of at most ``cut`` bytes (0: whole), or delete it."""
        ...


@runtime_checkable
class Atomic(Protocol):
    """What an engine offers that can apply many updates between two packets."""

    def write_together(self, updates: Sequence[Update]) -> list[Status]:
        """``write`` of which no packet sees some updates and not the others."""
        ...


@runtime_checkable
class Metering(Protocol):
    """What an engine offers whose meters can be configured. ``None``: every packet is green.

    ``ExecuteMeter`` out of range leaves its target as it is. A direct meter runs on a hit, before
    the action; ``INSERT`` and ``MODIFY`` of its entry leave it without configuration.
    """

    def meter(self, meter: int, index: int) -> MeterConfig | None:
        """The configuration of a cell of ``Program.meters[meter]``."""
        ...

    def set_meter(self, meter: int, index: int, config: MeterConfig | None) -> None:
        """Configure a cell; its buckets are full."""
        ...

    def direct_meter(self, table: int, key: EntryKey) -> MeterConfig | None:
        """The configuration of an entry's direct meter; ``None`` also without the entry."""
        ...

    def set_direct_meter(self, table: int, key: EntryKey, config: MeterConfig | None) -> bool:
        """Configure an entry's direct meter; whether the entry exists."""
        ...


@runtime_checkable
class Learning(Protocol):
    """What an engine offers that delivers digests."""

    def take_digests(self) -> list[Digested]:
        """Digests of the packets since the last call, oldest first."""
        ...


@runtime_checkable
class Selecting(Protocol):
    """What an engine offers that has action profiles and selectors.

    Members and groups have numbers that the caller hands out densely from 0. An entry with
    ``TO_MEMBER`` runs the member's action; one with ``TO_GROUP`` that of
    ``members[hash % len(members)]``, the hash being ``Profile.selector`` of the packet. An empty
    group hits, and runs nothing. The caller sees to it that what is referred to exists.
    """

    def set_member(self, profile: int, member: int, action: int | None, params: bytes) -> None:
        """Set a member's action, or delete the member."""
        ...

    def set_group(self, profile: int, group: int, members: Sequence[int] | None) -> None:
        """Set a group's members, repeated by weight, or delete the group."""
        ...


@runtime_checkable
class Matching(Protocol):
    """What an engine offers whose parser value sets can be written."""

    def set_value_set(self, value_set: int, members: Sequence[tuple[bytes, bytes]]) -> None:
        """Replace the members of ``Program.value_sets[value_set]``.

        Each is a value and a mask, packed like the transition keys that are matched against the
        set; the value's masked bits are zero.
        """
        ...
