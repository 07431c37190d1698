"""Header types, instances, stacks and unions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a header type."""

    name: str
    width: int
    """Bits; for a variable-length field the most it can hold."""
    signed: bool = False
    variable: bool = False


@dataclass(frozen=True)
class HeaderType:
    """The layout of a header or metadata struct."""

    name: str
    fields: tuple[Field, ...]

    @cached_property
    def fixed_width(self) -> int:
        """Bits of all fields but the variable-length one."""
        return sum(field.width for field in self.fields if not field.variable)

    @cached_property
    def variable(self) -> int | None:
        """Index of the variable-length field, if there is one."""
        return next((i for i, field in enumerate(self.fields) if field.variable), None)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Each field's first bit, as if the variable-length field were empty."""
        offsets, at = [], 0
        for field in self.fields:
            offsets.append(at)
            at += 0 if field.variable else field.width
        return tuple(offsets)


@dataclass(frozen=True, slots=True)
class Header:
    """An instance: a packet header (has a validity bit) or metadata (always valid)."""

    name: str
    type: HeaderType
    metadata: bool
    stack: int | None = None
    """The stack it is an element of."""
    union: int | None = None
    """The union it is a member of: at most one member is valid at a time."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A header stack; element 0 first."""

    name: str
    type: HeaderType
    headers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """A header union; members in the order of its type."""

    name: str
    headers: tuple[int, ...]
    stack: int | None = None
    """The union stack it is an element of."""


@dataclass(frozen=True, slots=True)
class UnionStack:
    """A stack of header unions; element 0 first."""

    name: str
    unions: tuple[int, ...]


def byte_width(bits: int) -> int:
    """Whole bytes that hold so many bits."""
    return (bits + 7) // 8
