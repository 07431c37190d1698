"""Expressions and keysets."""

from __future__ import annotations

from dataclasses import dataclass

from p4embed.compiler.ast.nodes import Expression, Node, TypeNode
from p4embed.compiler.diagnostics import Span


@dataclass(slots=True, eq=False)
class IntLiteral(Expression):
    """`10`, `8w0xFF`, `4s7`; width None for an arbitrary-precision literal."""

    value: int
    width: int | None = None
    signed: bool = False


@dataclass(slots=True, eq=False)
class BoolLiteral(Expression):
    """`true` or `false`."""

    value: bool


@dataclass(slots=True, eq=False)
class StringLiteral(Expression):
    """A string, quotes removed and escapes resolved."""

    value: str


@dataclass(slots=True, eq=False)
class PathExpression(Expression):
    """A name used as a value; `absolute` if written with a leading dot."""

    name: str
    absolute: bool = False


@dataclass(slots=True, eq=False)
class TypeExpression(Expression):
    """A type where an expression stands: base of `E.A` and `error.X`, callee of `C()`."""

    type: TypeNode


@dataclass(slots=True, eq=False)
class ThisExpression(Expression):
    """`this` inside an abstract method's implementation."""


@dataclass(slots=True, eq=False)
class Member(Expression):
    """`base.member`."""

    base: Expression
    member: str
    member_span: Span


@dataclass(slots=True, eq=False)
class Index(Expression):
    """`base[index]`."""

    base: Expression
    index: Expression


@dataclass(slots=True, eq=False)
class Slice(Expression):
    """`base[high:low]`."""

    base: Expression
    high: Expression
    low: Expression


@dataclass(slots=True, eq=False)
class PlusSlice(Expression):
    """`base[low +: width]`."""

    base: Expression
    low: Expression
    width: Expression


@dataclass(slots=True, eq=False)
class Unary(Expression):
    """`+ - ~ !` before an operand."""

    op: str
    operand: Expression


@dataclass(slots=True, eq=False)
class Binary(Expression):
    """Arithmetic, comparison, logic, shifts, `++`, `|+|`, `|-|`."""

    op: str
    left: Expression
    right: Expression


@dataclass(slots=True, eq=False)
class Ternary(Expression):
    """`condition ? then : otherwise`."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(slots=True, eq=False)
class Cast(Expression):
    """`(type) operand`."""

    type: TypeNode
    operand: Expression


@dataclass(slots=True, eq=False)
class Argument(Node):
    """One argument of a call; `name` if given as `name = value`; `_` is a `DontCare`."""

    name: str | None
    value: Expression


@dataclass(slots=True, eq=False)
class Call(Expression):
    """`callee<type_arguments>(arguments)`; a constructor call if callee is a type."""

    callee: Expression
    type_arguments: list[TypeNode]
    arguments: list[Argument]


@dataclass(slots=True, eq=False)
class ListExpression(Expression):
    """`{a, b, ...}`; `dots` if it ends in `...` (the rest takes default values)."""

    elements: list[Expression]
    dots: bool = False


@dataclass(slots=True, eq=False)
class NamedExpression(Node):
    """`name = value` in a structure initialiser."""

    name: str
    value: Expression


@dataclass(slots=True, eq=False)
class StructExpression(Expression):
    """`{a = 1, b = 2, ...}`; `dots` as in `ListExpression`."""

    fields: list[NamedExpression]
    dots: bool = False


@dataclass(slots=True, eq=False)
class InvalidHeader(Expression):
    """`{#}`: an invalid header or header union."""


@dataclass(slots=True, eq=False)
class Dots(Expression):
    """`...` alone: the default value of the type wanted here."""


@dataclass(slots=True, eq=False)
class DontCare(Expression):
    """`_`: an ignored argument, or the keyset that matches everything."""


@dataclass(slots=True, eq=False)
class DefaultKeyset(Expression):
    """`default`: matches everything; also the default label of a switch."""


@dataclass(slots=True, eq=False)
class Mask(Expression):
    """`value &&& mask`."""

    value: Expression
    mask: Expression


@dataclass(slots=True, eq=False)
class Range(Expression):
    """`low .. high`."""

    low: Expression
    high: Expression


@dataclass(slots=True, eq=False)
class TupleKeyset(Expression):
    """`(a, b, c)` as the key of a select case or table entry."""

    elements: list[Expression]
