"""Types and expressions of the lowered program; `ir` hands them on.

An expression has the value that P4 gives it: `bit<W>` in 0..2^W-1, `int<W>` in
-2^(W-1)..2^(W-1)-1. BMv2 computes with integers of any size, so the pass `legalise` rewrites
each operation into ones whose unbounded result is that value; only `BMV2_OPERATORS` are left
then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

# --- types -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bits:
    """`bit<width>`, or `int<width>` if signed. Enums and errors are `bit<32>` here."""

    width: int
    signed: bool = False

    @property
    def mask(self) -> int:
        """All ones in this width."""
        return (1 << self.width) - 1

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'bit'}<{self.width}>"


@dataclass(frozen=True, slots=True)
class Bool:
    """`bool`; a field of this type is stored as one bit."""

    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True, slots=True)
class VarBits:
    """`varbit<max_width>`: only copied as a whole."""

    max_width: int

    def __str__(self) -> str:
        return f"varbit<{self.max_width}>"


Scalar: TypeAlias = Bits | Bool | VarBits
BOOL = Bool()
BIT1 = Bits(1)
BIT32 = Bits(32)

# --- expressions -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A number of type `type`, in its range."""

    value: int
    type: Bits


@dataclass(frozen=True, slots=True)
class BoolConst:
    """`true` or `false`."""

    value: bool

    @property
    def type(self) -> Bool:
        return BOOL


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of a header or metadata instance."""

    instance: str
    field: str
    type: Scalar


@dataclass(frozen=True, slots=True)
class ParamRef:
    """The action's parameter number `index`: data of the table entry."""

    index: int
    name: str
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Valid:
    """Whether the header instance is valid."""

    instance: str

    @property
    def type(self) -> Bool:
        return BOOL


@dataclass(frozen=True, slots=True)
class StackElement:
    """The element of a header stack at an index known only at run time.

    In a stack of header unions, the union's `member`, or the union itself. Elements stand until
    the pass `indices`.
    """

    stack: str
    index: Expr
    member: str | None = None


@dataclass(frozen=True, slots=True)
class ElementField:
    """A field of such an element; `offset` is its number in the header type."""

    element: StackElement
    field: str
    offset: int
    type: Scalar


@dataclass(frozen=True, slots=True)
class ElementValid:
    """Whether such an element is valid."""

    element: StackElement

    @property
    def type(self) -> Bool:
        return BOOL


@dataclass(frozen=True, slots=True)
class LastField:
    """A field of the element of a stack that was extracted last (parser only).

    In a stack of header unions, of the union's `member`; only a transition can read that.
    """

    stack: str
    field: str
    type: Scalar
    member: str | None = None


@dataclass(frozen=True, slots=True)
class LastIndex:
    """Index of the element of a stack that was extracted last (parser only)."""

    stack: str

    @property
    def type(self) -> Bits:
        return BIT32


@dataclass(frozen=True, slots=True)
class Lookahead:
    """Bits of the packet ahead of the cursor, by offset and width (parser only)."""

    offset: int
    type: Bits


@dataclass(frozen=True, slots=True)
class Unary:
    """`-`, `~` (bits) or `not` (bool)."""

    op: str
    operand: Expr
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Binary:
    """`+ - * / % & | ^ << >> |+| |-| ++`, comparisons (type bool), `and`, `or`."""

    op: str
    left: Expr
    right: Expr
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? yes : no`."""

    condition: Expr
    yes: Expr
    no: Expr
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Cast:
    """A change of width, of sign, or between `bool` and `bit<1>`."""

    operand: Expr
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Bits `high` to `low` of the operand."""

    operand: Expr
    high: int
    low: int

    @property
    def type(self) -> Bits:
        return Bits(self.high - self.low + 1)


Expr: TypeAlias = (
    Const
    | BoolConst
    | FieldRef
    | ParamRef
    | Valid
    | ElementField
    | ElementValid
    | LastField
    | LastIndex
    | Lookahead
    | Unary
    | Binary
    | Choice
    | Cast
    | Slice
)
LValue: TypeAlias = FieldRef | ElementField

COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
BMV2_OPERATORS = frozenset(
    (
        *("+", "-", "*", "/", "%", "&", "|", "^", "~", "<<", ">>", "and", "or", "not"),
        *("two_comp_mod", "usat_cast", "sat_cast", "d2b", "b2d"),
        *COMPARISONS,
    )
)
