"""Expressions, in three kinds: integers, booleans, and references to headers and unions.

They compute on unbounded integers; a value is cut to the width of the field, register or key that
it is stored in (two's complement where the field is signed).

Source: behavioral-model ``docs/JSON_format.md``, "The type value object".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Const:
    """A literal."""

    value: int


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of a known header instance."""

    header: int
    field: int


@dataclass(frozen=True, slots=True)
class ValidBit:
    """The hidden field ``$valid$`` of a header: 1 or 0."""

    header: int


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the enclosing action."""

    index: int


@dataclass(frozen=True, slots=True)
class RegisterCell:
    """The value of a register's cell."""

    register: int
    index: DataExpr


@dataclass(frozen=True, slots=True)
class HeaderRef:
    """A known header instance."""

    header: int


@dataclass(frozen=True, slots=True)
class StackElement:
    """A stack's element at a run-time index."""

    stack: int
    index: DataExpr


@dataclass(frozen=True, slots=True)
class LastElement:
    """A stack's last valid element (``stack.last``)."""

    stack: int


@dataclass(frozen=True, slots=True)
class UnionRef:
    """A known header union."""

    union: int


@dataclass(frozen=True, slots=True)
class UnionElement:
    """A union stack's element at a run-time index."""

    stack: int
    index: DataExpr


@dataclass(frozen=True, slots=True)
class LastUnion:
    """A union stack's last valid element."""

    stack: int


@dataclass(frozen=True, slots=True)
class UnionMember:
    """A member of a union that may be known only at run time."""

    union: UnionExpr
    member: int


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of a header that may be known only at run time."""

    header: HeaderExpr
    field: int
    width: int
    signed: bool


class DataOp(Enum):
    """Binary operators from data to data."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "/"
    MOD = "%"
    SHL = "<<"
    SHR = ">>"
    AND = "&"
    OR = "|"
    XOR = "^"


class Comparison(Enum):
    """Binary operators from data to a boolean."""

    EQ = "=="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left op right`` on unbounded integers."""

    op: DataOp
    left: DataExpr
    right: DataExpr


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus."""

    operand: DataExpr


@dataclass(frozen=True, slots=True)
class Invert:
    """``~operand`` on an unbounded integer: ``-operand - 1``."""

    operand: DataExpr


@dataclass(frozen=True, slots=True)
class TwoCompMod:
    """The signed value of ``operand``'s low ``width`` bits."""

    operand: DataExpr
    width: int


@dataclass(frozen=True, slots=True)
class Saturate:
    """``operand`` clamped to what ``width`` bits hold."""

    operand: DataExpr
    width: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Choose:
    """``cond ? left : right``."""

    cond: BoolExpr
    left: DataExpr
    right: DataExpr


@dataclass(frozen=True, slots=True)
class BoolToData:
    """1 or 0."""

    operand: BoolExpr


@dataclass(frozen=True, slots=True)
class LastStackIndex:
    """Index of a stack's last valid element; -1 (cut to 32 bits when stored) when it is empty."""

    stack: int


@dataclass(frozen=True, slots=True)
class StackSize:
    """Number of valid elements of a stack."""

    stack: int


@dataclass(frozen=True, slots=True)
class BoolConst:
    """``true`` or ``false``."""

    value: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op right`` on integers."""

    op: Comparison
    left: DataExpr
    right: DataExpr


class BoolOp(Enum):
    """Binary operators on booleans."""

    AND = "and"
    OR = "or"
    EQ = "=="
    NE = "!="


@dataclass(frozen=True, slots=True)
class Logic:
    """``left op right`` on booleans."""

    op: BoolOp
    left: BoolExpr
    right: BoolExpr


@dataclass(frozen=True, slots=True)
class Not:
    """Logical negation."""

    operand: BoolExpr


@dataclass(frozen=True, slots=True)
class DataToBool:
    """Whether the operand is not 0."""

    operand: DataExpr


@dataclass(frozen=True, slots=True)
class ChooseBool:
    """``cond ? left : right`` on booleans."""

    cond: BoolExpr
    left: BoolExpr
    right: BoolExpr


@dataclass(frozen=True, slots=True)
class Valid:
    """Whether a header is valid."""

    header: HeaderExpr


@dataclass(frozen=True, slots=True)
class UnionValid:
    """Whether any member of a union is valid."""

    union: UnionExpr


@dataclass(frozen=True, slots=True)
class SameHeader:
    """Both headers invalid, or both valid with equal fields."""

    left: HeaderExpr
    right: HeaderExpr


@dataclass(frozen=True, slots=True)
class SameUnion:
    """Both unions invalid, or the same member valid in both with equal fields."""

    left: UnionExpr
    right: UnionExpr


HeaderExpr = HeaderRef | StackElement | LastElement | UnionMember
UnionExpr = UnionRef | UnionElement | LastUnion
LValue = FieldRef | FieldOf
"""What a value can be stored in."""
DataExpr = (
    Const
    | FieldRef
    | FieldOf
    | ValidBit
    | Param
    | RegisterCell
    | Arithmetic
    | Negate
    | Invert
    | TwoCompMod
    | Saturate
    | Choose
    | BoolToData
    | LastStackIndex
    | StackSize
)
BoolExpr = (
    BoolConst
    | Compare
    | Logic
    | Not
    | DataToBool
    | ChooseBool
    | Valid
    | UnionValid
    | SameHeader
    | SameUnion
)
