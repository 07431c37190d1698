"""The lookup structures behind tables: one per kind of match.

Entries are found by a packet's packed key. Priorities are P4Runtime's: the higher wins; of equal
ones, the entry that was inserted first.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from p4embed.switch.engine import Count, Entry, EntryKey
from p4embed.switch.meter import Meter
from p4embed.switch.program import KeyField, MatchKind, Table


@dataclass(slots=True, eq=False)
class Row:
    """An entry in a table with what changes as packets hit it."""

    entry: Entry
    params: tuple[int, ...]
    last_hit_ns: int
    notices: int = 0
    """Time-outs since its last hit that were reported."""
    hits: int = 0
    hit_bytes: int = 0
    meter: Meter | None = None
    """Its direct meter, if configured."""
    order: int = field(default_factory=count().__next__)

    @property
    def counted(self) -> Count:
        """Its direct counter's cell."""
        return Count(self.hits, self.hit_bytes)


class Matcher(Protocol):
    """Finds a packet's row. ``insert`` and ``remove`` follow the table's own dictionary."""

    def insert(self, row: Row) -> None: ...
    def remove(self, row: Row) -> None: ...
    def find(self, key: bytes) -> Row | None: ...


class ExactMatcher:
    """All fields exact: a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[bytes, Row] = {}

    def insert(self, row: Row) -> None:
        self._rows[row.entry.key.value] = row

    def remove(self, row: Row) -> None:
        del self._rows[row.entry.key.value]

    def find(self, key: bytes) -> Row | None:
        return self._rows.get(key)


class PrefixMatcher:
    """One lpm field, the rest exact: a dictionary per prefix length, the longest first."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[int, Row]] = {}
        self._masks: list[int] = []

    def insert(self, row: Row) -> None:
        mask = int.from_bytes(row.entry.key.mask, "big")
        if mask not in self._rows:
            self._rows[mask] = {}
            insort(self._masks, mask, key=lambda m: -m.bit_count())
        self._rows[mask][int.from_bytes(row.entry.key.value, "big")] = row

    def remove(self, row: Row) -> None:
        mask = int.from_bytes(row.entry.key.mask, "big")
        rows = self._rows[mask]
        del rows[int.from_bytes(row.entry.key.value, "big")]
        if not rows:
            del self._rows[mask]
            self._masks.remove(mask)

    def find(self, key: bytes) -> Row | None:
        number = int.from_bytes(key, "big")
        for mask in self._masks:
            row = self._rows[mask].get(number & mask)
            if row is not None:
                return row
        return None


class PriorityMatcher:
    """Ternary, optional and range fields: rows in order of priority, tried one by one."""

    def __init__(self, fields: tuple[KeyField, ...]) -> None:
        self._rows: list[Row] = []
        self._spans: list[tuple[int, int, bool]] = []
        at = 0
        for part in fields:
            self._spans.append((at, at + part.size, part.match is MatchKind.RANGE))
            at += part.size

    @staticmethod
    def _rank(row: Row) -> tuple[int, int]:
        return (-row.entry.key.priority, row.order)

    def insert(self, row: Row) -> None:
        insort(self._rows, row, key=self._rank)

    def remove(self, row: Row) -> None:
        self._rows.remove(row)

    def find(self, key: bytes) -> Row | None:
        return next((row for row in self._rows if self._matches(row.entry.key, key)), None)

    def _matches(self, entry: EntryKey, key: bytes) -> bool:
        for start, end, is_range in self._spans:
            part, value, mask = key[start:end], entry.value[start:end], entry.mask[start:end]
            if is_range:
                if not value <= part <= mask:
                    return False
            elif int.from_bytes(part, "big") & int.from_bytes(mask, "big") != int.from_bytes(
                value, "big"
            ):
                return False
        return True


def matcher_for(table: Table) -> Matcher:
    """The structure that fits a table's key."""
    if table.prioritized:
        return PriorityMatcher(table.key)
    if table.masked:
        return PrefixMatcher()
    return ExactMatcher()
