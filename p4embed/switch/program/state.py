"""What a program keeps or sends: counters, meters, registers, field lists, digests."""

from __future__ import annotations

from dataclasses import dataclass

from p4embed.switch.program.expressions import FieldRef


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter array."""

    name: str
    size: int
    direct: bool
    """It counts the hits of a table's entries; ``Table.counter`` points here."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter array."""

    name: str
    size: int
    direct: bool
    bytes: bool
    """It meters bytes, not packets."""
    target: FieldRef | None
    """Where a direct meter's color goes."""


@dataclass(frozen=True, slots=True)
class Register:
    """A register array; ``width`` in bits."""

    name: str
    size: int
    width: int


@dataclass(frozen=True, slots=True)
class FieldList:
    """Metadata that clone, resubmit and recirculate keep."""

    name: str
    fields: tuple[FieldRef, ...]


@dataclass(frozen=True, slots=True)
class DigestList:
    """What a digest carries."""

    name: str
    fields: tuple[FieldRef, ...]
