"""Parsers, value sets, error codes and deparsers.

Source: behavioral-model ``docs/JSON_format.md``, "parsers" and "parser operations".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from p4embed.switch.program.actions import Action, Primitive
from p4embed.switch.program.expressions import BoolExpr, DataExpr, LValue
from p4embed.switch.program.headers import byte_width


@dataclass(frozen=True, slots=True)
class Lookahead:
    """``width`` bits that start ``offset`` bits after the cursor, without consuming them."""

    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class ExtractHeader:
    """Extract into a known header."""

    header: int
    length: DataExpr | None = None
    """Bits of the variable-length field."""


@dataclass(frozen=True, slots=True)
class ExtractNext:
    """Extract into a stack's ``next``; error StackOutOfBounds when it is full."""

    stack: int
    length: DataExpr | None = None


@dataclass(frozen=True, slots=True)
class ExtractNextUnion:
    """Extract into a member of a union stack's ``next``."""

    stack: int
    member: int
    length: DataExpr | None = None


@dataclass(frozen=True, slots=True)
class SetField:
    """Store a value or bits that lie ahead."""

    target: LValue
    value: DataExpr | Lookahead


@dataclass(frozen=True, slots=True)
class Verify:
    """Stop with error code ``error`` unless ``cond``."""

    cond: BoolExpr
    error: DataExpr


@dataclass(frozen=True, slots=True)
class Advance:
    """Skip so many bits (a multiple of 8); error PacketTooShort beyond the end."""

    bits: DataExpr


@dataclass(frozen=True, slots=True)
class ParserCall:
    """An action primitive within a parser state."""

    primitive: Primitive


ParserOp = ExtractHeader | ExtractNext | ExtractNextUnion | SetField | Verify | Advance | ParserCall


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A part of a transition key: its low ``width`` bits, padded to whole bytes."""

    source: DataExpr | Lookahead
    width: int


@dataclass(frozen=True, slots=True)
class OnValue:
    """Taken when ``key & mask == value`` (value is masked already; packed like the key)."""

    value: bytes
    mask: bytes
    next: int | None


@dataclass(frozen=True, slots=True)
class OnSet:
    """Taken when ``key & mask`` equals a member of the value set, masked."""

    value_set: int
    mask: bytes
    next: int | None


Transition = OnValue | OnSet


@dataclass(frozen=True)
class ParseState:
    """A state. ``next`` indices are into ``Parser.states``; ``None`` ends the parser."""

    name: str
    ops: tuple[ParserOp, ...]
    key: tuple[KeyPart, ...]
    transitions: tuple[Transition, ...]
    """Tried in order."""
    default: int | None
    """Where to go when none is taken."""

    @cached_property
    def key_size(self) -> int:
        """Bytes of the packed key."""
        return sum(byte_width(part.width) for part in self.key)


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser; it starts in ``states[start]``."""

    name: str
    start: int | None
    states: tuple[ParseState, ...]


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A parser value set; ``width`` in bits without padding."""

    name: str
    width: int
    size: int


@dataclass(frozen=True, slots=True)
class Errors:
    """The program's error codes for the core errors that the parser raises itself."""

    names: tuple[tuple[str, int], ...]
    """All declared errors, in order."""
    no_error: int
    packet_too_short: int
    stack_out_of_bounds: int
    header_too_short: int
    invalid_argument: int
    """A length that is no multiple of 8 bits."""


@dataclass(frozen=True, slots=True)
class Deparser:
    """Valid headers are emitted in this order."""

    name: str
    order: tuple[int, ...]
    statements: Action | None = None
    """Run before any header is emitted."""
