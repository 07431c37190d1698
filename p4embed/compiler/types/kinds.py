"""Semantic types of P4_16 (specification, section 7).

Types are immutable and compare by value; those that a declaration introduces compare
by that declaration and their type arguments, so two structs with equal fields differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from p4embed.compiler import ast


@dataclass(frozen=True, slots=True)
class Type:
    """Base of all types; `str()` gives it as a user would write it."""


@dataclass(frozen=True, slots=True)
class UnknownType(Type):
    """Of an expression in error: fits everything, so one mistake gives one message."""

    def __str__(self) -> str:
        return "<unknown>"


@dataclass(frozen=True, slots=True)
class VoidType(Type):
    def __str__(self) -> str:
        return "void"


@dataclass(frozen=True, slots=True)
class BoolType(Type):
    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True, slots=True)
class StringType(Type):
    def __str__(self) -> str:
        return "string"


@dataclass(frozen=True, slots=True)
class ErrorType(Type):
    def __str__(self) -> str:
        return "error"


@dataclass(frozen=True, slots=True)
class MatchKindType(Type):
    def __str__(self) -> str:
        return "match_kind"


@dataclass(frozen=True, slots=True)
class IntType(Type):
    """`int`: arbitrary precision, known at compile time only."""

    def __str__(self) -> str:
        return "int"


@dataclass(frozen=True, slots=True)
class BitType(Type):
    """`bit<width>`, or `int<width>` if `signed`."""

    width: int
    signed: bool = False

    def wrap(self, value: int) -> int:
        """`value` modulo 2**width, as this type represents it."""
        value &= (1 << self.width) - 1
        if self.signed and self.width and value >> (self.width - 1):
            value -= 1 << self.width
        return value

    @property
    def minimum(self) -> int:
        """Smallest value."""
        return -(1 << (self.width - 1)) if self.signed and self.width else 0

    @property
    def maximum(self) -> int:
        """Largest value."""
        return (1 << (self.width - 1 if self.signed and self.width else self.width)) - 1

    def __str__(self) -> str:
        return f"int<{self.width}>" if self.signed else f"bit<{self.width}>"


@dataclass(frozen=True, slots=True)
class VarbitType(Type):
    """`varbit<width>`; `width` is the maximum."""

    width: int

    def __str__(self) -> str:
        return f"varbit<{self.width}>"


@dataclass(frozen=True, slots=True)
class TypeVariable(Type):
    """A type parameter, by its declaration."""

    declaration: ast.TypeParameter

    @property
    def name(self) -> str:
        """The name it was declared with."""
        return self.declaration.name

    def __str__(self) -> str:
        return self.declaration.name


@dataclass(frozen=True, slots=True)
class EnumType(Type):
    """An enum; `underlying` is None unless it is serialisable."""

    declaration: ast.EnumDeclaration
    underlying: BitType | None = None

    @property
    def name(self) -> str:
        """The declared name."""
        return self.declaration.name

    def __str__(self) -> str:
        return self.declaration.name


@dataclass(frozen=True, slots=True)
class NewType(Type):
    """`type underlying name;`"""

    declaration: ast.TypedefDeclaration
    underlying: Type

    @property
    def name(self) -> str:
        """The declared name."""
        return self.declaration.name

    def __str__(self) -> str:
        return self.declaration.name


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a structured type, its type already specialised."""

    name: str
    type: Type
    declaration: ast.StructField


@dataclass(frozen=True, slots=True)
class StructType(Type):
    """A struct, header or header union (see `declaration.keyword`)."""

    declaration: ast.StructDeclaration
    arguments: tuple[Type, ...] = ()
    fields: tuple[Field, ...] = field(default=(), compare=False, repr=False)

    @property
    def name(self) -> str:
        """The declared name."""
        return self.declaration.name

    @property
    def is_header(self) -> bool:
        """Whether it is a header (not a union)."""
        return self.declaration.keyword == "header"

    @property
    def is_union(self) -> bool:
        """Whether it is a header union."""
        return self.declaration.keyword == "header_union"

    @property
    def is_struct(self) -> bool:
        """Whether it is a plain struct."""
        return self.declaration.keyword == "struct"

    def find(self, name: str) -> Field | None:
        """The field of that name."""
        return next((f for f in self.fields if f.name == name), None)

    def __str__(self) -> str:
        return self.declaration.name + _arguments(self.arguments)


@dataclass(frozen=True, slots=True)
class StackType(Type):
    """A stack of `size` headers or header unions."""

    element: Type
    size: int

    def __str__(self) -> str:
        return f"{self.element}[{self.size}]"


@dataclass(frozen=True, slots=True)
class TupleType(Type):
    """`tuple<...>`; also the natural type of a list expression `{a, b}`."""

    elements: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple{_arguments(self.elements) or '<>'}"


@dataclass(frozen=True, slots=True)
class RecordType(Type):
    """The natural type of `{a = 1, b = 2}` before a struct or header is wanted."""

    fields: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return "{" + ", ".join(f"{name}: {type_}" for name, type_ in self.fields) + "}"


@dataclass(frozen=True, slots=True)
class ListType(Type):
    """`list<element>`: any number of elements, at compile time only."""

    element: Type

    def __str__(self) -> str:
        return f"list<{self.element}>"


@dataclass(frozen=True, slots=True)
class DefaultsType(Type):
    """Of `...`, `{#}` and the empty rest of `{a, ...}` until the wanted type is known."""

    text: str = "..."

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class SetType(Type):
    """Of keysets: masks, ranges, `default`, `_`; and of value sets."""

    element: Type

    def __str__(self) -> str:
        return f"set<{self.element}>"


@dataclass(frozen=True, slots=True)
class ParameterType:
    """A parameter with its type resolved (and specialised, in specialised callables)."""

    declaration: ast.Parameter
    type: Type

    @property
    def name(self) -> str:
        """The declared name."""
        return self.declaration.name

    @property
    def direction(self) -> ast.Direction:
        """The declared direction."""
        return self.declaration.direction


@dataclass(frozen=True, slots=True)
class FunctionType(Type):
    """A function, extern function, method or action (their return type is void)."""

    declaration: ast.MethodDeclaration | ast.FunctionDeclaration | ast.ActionDeclaration
    result: Type
    parameters: tuple[ParameterType, ...]
    type_parameters: tuple[TypeVariable, ...] = ()

    def __str__(self) -> str:
        kind = "action" if isinstance(self.declaration, ast.ActionDeclaration) else "function"
        return f"{kind} {self.declaration.name}"


@dataclass(frozen=True, slots=True)
class BlockType(Type):
    """A parser or control: of a type declaration (`parser P<H>(...);`) or of one with a body."""

    declaration: (
        ast.ParserTypeDeclaration
        | ast.ControlTypeDeclaration
        | ast.ParserDeclaration
        | ast.ControlDeclaration
    )
    arguments: tuple[Type, ...] = ()
    parameters: tuple[ParameterType, ...] = field(default=(), compare=False, repr=False)
    """Of `apply`."""
    constructor_parameters: tuple[ParameterType, ...] = field(default=(), compare=False, repr=False)

    @property
    def is_parser(self) -> bool:
        """Whether it is a parser; a control otherwise."""
        return isinstance(self.declaration, ast.ParserDeclaration | ast.ParserTypeDeclaration)

    def __str__(self) -> str:
        return self.declaration.name + _arguments(self.arguments)


@dataclass(frozen=True, slots=True)
class PackageType(Type):
    """A package."""

    declaration: ast.PackageDeclaration
    arguments: tuple[Type, ...] = ()
    constructor_parameters: tuple[ParameterType, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return self.declaration.name + _arguments(self.arguments)


@dataclass(frozen=True, slots=True)
class ExternType(Type):
    """An extern object's type, specialised by `arguments`."""

    declaration: ast.ExternDeclaration
    arguments: tuple[Type, ...] = ()

    @property
    def name(self) -> str:
        """The declared name."""
        return self.declaration.name

    def __str__(self) -> str:
        return self.declaration.name + _arguments(self.arguments)


@dataclass(frozen=True, slots=True)
class TableType(Type):
    """A table."""

    declaration: ast.TableDeclaration

    def __str__(self) -> str:
        return f"table {self.declaration.name}"


@dataclass(frozen=True, slots=True)
class ApplyResultType(Type):
    """What `table.apply()` returns: `hit`, `miss`, `action_run`."""

    declaration: ast.TableDeclaration

    def __str__(self) -> str:
        return f"result of applying table {self.declaration.name}"


@dataclass(frozen=True, slots=True)
class ActionEnumType(Type):
    """Of `table.apply().action_run`."""

    declaration: ast.TableDeclaration

    def __str__(self) -> str:
        return f"action_run of table {self.declaration.name}"


@dataclass(frozen=True, slots=True)
class StateType(Type):
    """A parser state, named in a transition."""

    def __str__(self) -> str:
        return "state"


@dataclass(frozen=True, slots=True)
class TypeOfType(Type):
    """Of a `TypeExpression`: base of `E.A`, or the callee of a constructor call."""

    type: Type

    def __str__(self) -> str:
        return f"type {self.type}"


UNKNOWN = UnknownType()
VOID = VoidType()
BOOL = BoolType()
STRING = StringType()
ERROR = ErrorType()
MATCH_KIND = MatchKindType()
INT = IntType()
BIT32 = BitType(32)
STATE = StateType()


def _arguments(types: tuple[Type, ...]) -> str:
    return f"<{', '.join(map(str, types))}>" if types else ""
