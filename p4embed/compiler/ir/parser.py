"""The parser as BMv2 has it: states, their operations and transitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from p4embed.compiler.diagnostics import Span
from p4embed.compiler.ir.expressions import Expr, FieldRef, LastField, Lookahead
from p4embed.compiler.ir.primitives import Primitive


@dataclass(frozen=True, slots=True)
class Extract:
    """Extract into a header, or the next element of a stack; `length` for a varbit field.

    In a stack of header unions, into the `member` of the next union.
    """

    target: str
    stack: bool = False
    length: Expr | None = None
    source: Span | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """Assign to a field in a parser state."""

    target: FieldRef
    value: Expr
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Verify:
    """Stop with `error` unless `condition`."""

    condition: Expr
    error: Expr
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """Skip that many bits."""

    bits: Expr
    source: Span | None = None


ParserOp: TypeAlias = Extract | Set | Verify | Advance | Primitive


@dataclass(frozen=True, slots=True)
class Case:
    """If the key under `mask` (None: all ones) equals `value`, go to `target`.

    Value and mask have one number for each key field. `target` None accepts.
    """

    values: tuple[int, ...]
    masks: tuple[int, ...] | None
    target: str | None


@dataclass(frozen=True, slots=True)
class ValueSetCase:
    """If the key is in the value set, go to `target`."""

    value_set: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Default:
    """Go to `target` in any case."""

    target: str | None


Transition: TypeAlias = Case | ValueSetCase | Default


@dataclass(slots=True)
class ParserState:
    """What is done in a state, and where it leads by `key`."""

    name: str
    ops: list[ParserOp] = field(default_factory=list)
    key: list[FieldRef | LastField | Lookahead] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    source: Span | None = None


@dataclass(slots=True)
class Parser:
    """States by name; the first is the start."""

    name: str
    states: list[ParserState] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A set of parser keys that the control plane fills."""

    name: str
    width: int
    size: int
    source: Span | None = None
