"""What an expression stands for while the program is elaborated.

Scalars are `ir.Expr`; a place among them (a field) can also be stored to. Structs, tuples,
headers, stacks and unions keep their parts apart, each part a value of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeGuard

from p4embed.compiler import ir
from p4embed.compiler.checked import Instance
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.types import (
    BitType,
    BoolType,
    EnumType,
    ErrorType,
    NewType,
    StackType,
    StructType,
    Type,
    VarbitType,
)


class Unsupported(Exception):
    """Something the back end cannot do; becomes a diagnostic at `span`."""

    def __init__(self, message: str, span: Span, *notes: str) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.notes = notes


@dataclass(frozen=True, slots=True)
class IntValue:
    """A number of type `int`, known while compiling."""

    value: int


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    value: str


@dataclass(eq=False, slots=True)
class StructValue:
    """A struct or a tuple; the parts of a tuple are named `0`, `1`, ..."""

    fields: dict[str, Value]


@dataclass(frozen=True, slots=True)
class HeaderPlace:
    """A header instance."""

    instance: str
    type: StructType


@dataclass(frozen=True, slots=True)
class ElementPlace:
    """An element of a header stack by an index known only at run time."""

    element: ir.StackElement
    type: StructType


@dataclass(frozen=True, slots=True)
class UnionElement:
    """An element of a stack of header unions by an index known only at run time."""

    element: ir.StackElement
    type: StructType

    def member(self, name: str) -> ElementPlace:
        """A member of it."""
        found = self.type.find(name)
        assert found is not None
        assert isinstance(found.type, StructType)
        return ElementPlace(replace(self.element, member=name), found.type)


@dataclass(eq=False, slots=True)
class HeaderLiteral:
    """A valid header given by its fields."""

    type: StructType
    fields: dict[str, Value]


@dataclass(frozen=True, slots=True)
class InvalidHeader:
    """`{#}`."""

    type: StructType


@dataclass(frozen=True, slots=True)
class StackPlace:
    """A header stack."""

    name: str
    type: StackType
    elements: tuple[HeaderPlace | UnionPlace, ...]

    @property
    def kind(self) -> str:
        """BMv2's word for the kind of stack."""
        unions = any(isinstance(e, UnionPlace) for e in self.elements)
        return "header_union_stack" if unions else "header_stack"


@dataclass(frozen=True, slots=True)
class StackLiteral:
    """A header stack given by its elements."""

    elements: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class NextElement:
    """`stack.next` in a parser."""

    stack: StackPlace


@dataclass(frozen=True, slots=True)
class LastElement:
    """`stack.last` in a parser."""

    stack: StackPlace


@dataclass(frozen=True, slots=True)
class UnionMember:
    """A member of `stack.next` or `stack.last` in a stack of header unions."""

    element: NextElement | LastElement
    name: str
    type: StructType


def last_element(last: LastElement) -> ElementPlace:
    """`stack.last` as the element by the index of the one extracted last."""
    type_ = last.stack.type.element
    assert isinstance(type_, StructType)
    return ElementPlace(ir.StackElement(last.stack.name, ir.LastIndex(last.stack.name)), type_)


@dataclass(frozen=True, slots=True)
class UnionPlace:
    """A header union."""

    name: str
    type: StructType
    members: dict[str, HeaderPlace]


@dataclass(frozen=True, slots=True)
class SlicePlace:
    """Some bits of a place, as the target of an assignment."""

    base: ir.LValue
    high: int
    low: int


@dataclass(frozen=True, slots=True)
class PacketValue:
    """The packet, `packet_in` or `packet_out`."""


@dataclass(frozen=True, slots=True)
class InstanceValue:
    """An instance of an extern, parser or control, with the scope it was made in."""

    instance: Instance
    path: str


Value: TypeAlias = (
    ir.Expr
    | IntValue
    | Text
    | StructValue
    | HeaderPlace
    | ElementPlace
    | HeaderLiteral
    | InvalidHeader
    | StackPlace
    | StackLiteral
    | NextElement
    | LastElement
    | UnionPlace
    | UnionElement
    | UnionMember
    | PacketValue
    | InstanceValue
)

SCALARS = (
    ir.Const,
    ir.BoolConst,
    ir.FieldRef,
    ir.ParamRef,
    ir.Valid,
    ir.ElementField,
    ir.ElementValid,
    ir.LastField,
    ir.LastIndex,
    ir.Lookahead,
    ir.Unary,
    ir.Binary,
    ir.Choice,
    ir.Cast,
    ir.Slice,
)


def is_scalar(value: object) -> TypeGuard[ir.Expr]:
    """Whether the value is an `ir.Expr`."""
    return isinstance(value, SCALARS)


def scalar_type(type_: Type) -> ir.Scalar | None:
    """How a scalar P4 type is stored; None if the type is no scalar."""
    match type_:
        case BitType(width, signed):
            return ir.Bits(width, signed)
        case BoolType():
            return ir.BOOL
        case EnumType(underlying=None) | ErrorType():
            return ir.BIT32
        case EnumType(underlying=BitType(width, signed)):
            return ir.Bits(width, signed)
        case NewType(underlying=under):
            return scalar_type(under)
        case VarbitType(width):
            return ir.VarBits(width)
    return None


def underlying(type_: Type) -> Type:
    """The type behind `type` definitions."""
    while isinstance(type_, NewType):
        type_ = type_.underlying
    return type_


def leaves(value: Value) -> Iterator[Value]:
    """The scalars and headers that a value is made of, in order."""
    if isinstance(value, StructValue | HeaderLiteral):
        for part in value.fields.values():
            yield from leaves(part)
    else:
        yield value


def reads(expr: ir.Expr) -> Iterator[tuple[str, str]]:
    """The fields an expression depends on, `*` for all of an instance; stacks by name."""
    match expr:
        case ir.FieldRef(instance, name):
            yield instance, name
        case ir.Valid(instance):
            yield instance, "$valid$"
        case ir.ElementField(element) | ir.ElementValid(element):
            yield element.stack, "*"
            yield from reads(element.index)
        case ir.LastField(stack) | ir.LastIndex(stack):
            yield stack, "*"
        case ir.Unary(operand=operand) | ir.Cast(operand=operand) | ir.Slice(operand=operand):
            yield from reads(operand)
        case ir.Binary(_, left, right):
            yield from reads(left)
            yield from reads(right)
        case ir.Choice(condition, yes, no):
            yield from reads(condition)
            yield from reads(yes)
            yield from reads(no)


def touches(value: Value) -> Iterator[tuple[str, str]]:
    """The storage that a value reads, or that a place covers; as in `reads`."""
    match value:
        case HeaderPlace(instance):
            yield instance, "*"
        case ElementPlace(element) | UnionElement(element):
            yield element.stack, "*"
        case StackPlace(name, _, elements):
            yield name, "*"
            for e in elements:
                yield from touches(e)
        case StackLiteral(parts):
            for part in parts:
                yield from touches(part)
        case NextElement(stack) | LastElement(stack):
            yield from touches(stack)
        case UnionPlace(members=members):
            for m in members.values():
                yield m.instance, "*"
        case UnionMember(element):
            yield from touches(element)
        case StructValue() | HeaderLiteral():
            for leaf in leaves(value):
                yield from touches(leaf)
        case IntValue() | Text() | InvalidHeader() | PacketValue() | InstanceValue():
            return
        case _:
            yield from reads(value)


def overlap(left: set[tuple[str, str]], right: set[tuple[str, str]]) -> bool:
    """Whether two sets of storage meet. A stack and its elements `s[0]` count as one."""

    def split(items: set[tuple[str, str]]) -> tuple[set[tuple[str, str]], set[str], set[str]]:
        whole = {_root(i) for i, f in items if f == "*"}
        return {(_root(i), f) for i, f in items if f != "*"}, whole, {_root(i) for i, _ in items}

    left_fields, left_whole, left_names = split(left)
    right_fields, right_whole, right_names = split(right)
    return bool(left_fields & right_fields or left_whole & right_names or right_whole & left_names)


def _root(instance: str) -> str:
    return instance.partition("[")[0]
