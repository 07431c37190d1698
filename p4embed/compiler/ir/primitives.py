"""Actions' steps: BMv2's primitives and their arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from p4embed.compiler.diagnostics import Span
from p4embed.compiler.ir.expressions import Expr, StackElement


@dataclass(frozen=True, slots=True)
class Ref:
    """An object that is named as an argument; `kind` is BMv2's word for its type.

    Kinds: `header`, `header_stack`, `header_union`, `header_union_stack`, `calculation`,
    `counter_array`, `meter_array`, `register_array`, `string` (then `name` is the text itself).
    """

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A plain number as an argument: an index, an id, an offset."""

    value: int


@dataclass(frozen=True, slots=True)
class Vector:
    """Several values as one argument."""

    items: tuple[Expr, ...]


Arg: TypeAlias = Expr | Ref | Number | Vector | StackElement


@dataclass(frozen=True, slots=True)
class Primitive:
    """One step of an action: BMv2's primitive `op` on `args`."""

    op: str
    args: tuple[Arg, ...]
    source: Span | None = None
