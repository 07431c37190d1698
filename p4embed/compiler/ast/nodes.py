"""What all nodes are, annotations, and types as they are written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from p4embed.compiler.diagnostics import Span


@dataclass(slots=True, eq=False)
class Node:
    """Anything that has a place in the source."""

    span: Span


class Direction(Enum):
    """Direction of a parameter."""

    NONE = ""
    IN = "in"
    OUT = "out"
    INOUT = "inout"


@dataclass(slots=True, eq=False)
class Expression(Node):
    """Anything that has a value, and the keyset forms."""


@dataclass(slots=True, eq=False)
class Declaration(Node):
    """Anything that gives a meaning to a name."""

    name: str
    name_span: Span
    annotations: list[Annotation]


@dataclass(slots=True, eq=False)
class Statement(Node):
    """Anything that is executed. Declarations may stand among statements."""


@dataclass(slots=True, eq=False)
class KeyValue(Node):
    """`key = value` in a structured annotation."""

    key: str
    value: Expression


@dataclass(slots=True, eq=False)
class Annotation(Node):
    """`@name`, `@name(tokens)`, `@name[expressions]` or `@name[key = value, ...]`."""

    name: str
    tokens: tuple[str, ...] | None = None
    """Texts of the tokens between parentheses; None if there are none. A string token
    keeps its quotes."""
    expressions: list[Expression] | None = None
    pairs: list[KeyValue] | None = None
    literals: tuple[str | int, ...] = ()
    """The parenthesised body if it is a list of literals, as in @name("x") or @id(7);
    a lone identifier, as in @format(MAC_ADDRESS), counts as a string."""
    numbers: list[Expression] | None = None
    """The parenthesised body where it is a list of numbers known at compile time, which may be
    named: that of @field_list."""


@dataclass(slots=True, eq=False)
class TypeNode(Node):
    """A type as written."""


@dataclass(slots=True, eq=False)
class BaseType(TypeNode):
    """A built-in type by its keyword; `width` for bit<>, int<> and varbit<>."""

    keyword: str
    """bool, bit, int, varbit, error, string, match_kind or void."""
    width: Expression | None = None
    """None for `int` without width and for `bit`, which is bit<1>."""


@dataclass(slots=True, eq=False)
class TypeName(TypeNode):
    """A type by its name; `absolute` if written with a leading dot."""

    name: str
    absolute: bool = False


@dataclass(slots=True, eq=False)
class SpecializedType(TypeNode):
    """`base<arguments>`."""

    base: TypeName
    arguments: list[TypeNode]


@dataclass(slots=True, eq=False)
class HeaderStackType(TypeNode):
    """`element[size]`."""

    element: TypeNode
    size: Expression


@dataclass(slots=True, eq=False)
class TupleTypeNode(TypeNode):
    """`tuple<elements>`."""

    elements: list[TypeNode]


@dataclass(slots=True, eq=False)
class ListTypeNode(TypeNode):
    """`list<element>`."""

    element: TypeNode


@dataclass(slots=True, eq=False)
class DontCareType(TypeNode):
    """`_` as a type argument: to be inferred."""
