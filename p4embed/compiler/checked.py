"""What the checker hands to the back end: a program in which everything is resolved.

The syntax tree stays as it was written; what the checker found out lies beside it, in
tables keyed by node. Nodes hash by identity. Expressions inside a generic function
have types that mention its type variables: `CallInfo.type_arguments` of each call says
what they stand for there. Expressions that use constructor parameters have no entry in
`constants`: evaluate them for one instance with `evaluate.constant(expression, checked, instance)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from p4embed.compiler import ast
from p4embed.compiler.types import (
    EnumType,
    StackType,
    StructType,
    Type,
    TypeVariable,
)

# --- compile-time values -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorValue:
    """`error.name`."""

    name: str


@dataclass(frozen=True, slots=True)
class EnumValue:
    """A member of an enum; `value` is its number if the enum is serialisable."""

    type: EnumType
    name: str
    value: int | None = None


@dataclass(frozen=True, slots=True)
class MatchKindValue:
    """A match kind."""

    name: str


@dataclass(frozen=True, slots=True)
class TupleValue:
    """A tuple, or a list expression nothing has converted."""

    elements: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class StructValue:
    """A struct or a valid header, in the order of the type's fields; `type` is None for a
    `{a = 1}` nothing has converted."""

    type: StructType | None
    fields: tuple[tuple[str, Value], ...]

    def get(self, name: str) -> Value | None:
        """The value of that field."""
        return next((value for key, value in self.fields if key == name), None)


@dataclass(frozen=True, slots=True)
class InvalidHeaderValue:
    """`{#}`, converted to a header or header union."""

    type: StructType


@dataclass(frozen=True, slots=True)
class StackValue:
    """A header stack."""

    type: StackType
    elements: tuple[Value, ...]


Value = (
    int  # of int, bit<>, int<>; always in the range of the expression's type
    | bool
    | str
    | ErrorValue
    | EnumValue
    | MatchKindValue
    | TupleValue
    | StructValue
    | InvalidHeaderValue
    | StackValue
)


# --- names -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorMember:
    """What `error.name` resolves to."""

    declaration: ast.EnumMember


# --- calls -------------------------------------------------------------------------


class CallKind(Enum):
    """What is called."""

    FUNCTION = auto()  # a function with a body
    EXTERN_FUNCTION = auto()
    EXTERN_METHOD = auto()  # `receiver` is the object (or an abstract method: `this`)
    ACTION = auto()
    TABLE_APPLY = auto()  # `receiver` is a PathExpression of the table
    PARSER_APPLY = auto()  # `receiver` is a PathExpression, or a TypeExpression: `P.apply()`
    CONTROL_APPLY = auto()
    CONSTRUCTOR = auto()  # of extern, parser, control or package
    BUILTIN = auto()  # isValid, setValid, setInvalid, push_front, pop_front, minSizeInBits, ...


@dataclass(frozen=True, slots=True)
class BoundArgument:
    """One parameter and what it gets."""

    parameter: ast.Parameter
    type: Type
    """The parameter's type with type arguments put in."""
    value: ast.Expression | None
    """The argument; the default value if none was given; None if it is left to the control
    plane (directionless action parameter in a table's action list) or is optional and absent.
    A `DontCare` node for `_`."""


@dataclass(frozen=True, slots=True)
class CallInfo:
    """One resolved call."""

    kind: CallKind
    name: str
    """Of the function, method or builtin; of the type for constructors; `apply`."""
    declaration: ast.Declaration | None
    """What is called (for an apply: the table, parser or control declaration, or the parser
    or control *type* if the receiver is a constructor parameter); None for builtins."""
    receiver: ast.Expression | None
    type_arguments: Mapping[TypeVariable, Type]
    """For the callee's own type parameters and those of the receiver's type."""
    arguments: tuple[BoundArgument, ...]
    """In the order of the parameters."""
    result: Type


# --- instances ---------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Instance:
    """One instance of a package, parser, control or extern, as the program's evaluation from
    `main` and the other top-level instances makes them (specification, section 18)."""

    name: str
    """As declared; for one without a name, of the parameter it is given for."""
    node: ast.Instantiation | ast.Call
    """What made it: a declaration, a constructor call, or a call `T.apply()` on a type."""
    type: Type
    declaration: (
        ast.PackageDeclaration
        | ast.ParserDeclaration
        | ast.ControlDeclaration
        | ast.ExternDeclaration
    )
    type_arguments: dict[TypeVariable, Type]
    constructor_arguments: dict[str, Value | Instance | None] = field(default_factory=dict)
    """By parameter name; None for an optional one left out."""
    parent: Instance | None = None
    """The parser or control it is declared in; None at the top level."""
    children: dict[ast.Node, Instance] = field(default_factory=dict)
    """By the node that made them (see `node`): those declared or constructed in its body."""

    def declaration_parameters(self) -> list[ast.Parameter]:
        """Constructor parameters of a parser, control or package; none for an extern."""
        match self.declaration:
            case ast.ParserDeclaration() | ast.ControlDeclaration():
                return self.declaration.constructor_parameters
            case ast.PackageDeclaration():
                return self.declaration.parameters
        return []

    def __repr__(self) -> str:
        return f"Instance({self.name}: {self.type})"


# --- the program -------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class CheckedProgram:
    """A program without errors, and all that is known about it."""

    program: ast.Program
    types: dict[ast.Expression, Type] = field(default_factory=dict)
    """Natural type of every expression but callees (see `calls`). `TypeOfType` for
    `TypeExpression`s. An `int` literal or constant expression has `IntType` here and its
    wanted type in `coercions`."""
    coercions: dict[ast.Expression, Type] = field(default_factory=dict)
    """Type an expression is converted to implicitly by its context, if it differs from its
    natural one: int to bit<>, serialisable enum to its underlying type, `{...}` to a struct,
    header, tuple or stack, `...` to anything. Parts of a list are converted one by one, too."""
    type_nodes: dict[ast.TypeNode, Type] = field(default_factory=dict)
    """What each written type stands for."""
    declared: dict[ast.Declaration, Type] = field(default_factory=dict)
    """Type of every variable, constant, parameter, field, instance, value set (`SetType`),
    function and type declaration."""
    names: dict[ast.Node, ast.Declaration | ErrorMember] = field(default_factory=dict)
    """Declaration behind each `PathExpression`, `TypeName`, enum or error `Member`,
    `ActionReference`, `KeyElement` (its match kind), and `ast.SwitchCase` on action_run
    (the ActionDeclaration). A struct field `Member` maps to its `StructField`."""
    constants: dict[ast.Expression, Value] = field(default_factory=dict)
    """Value of every expression known at compile time, of its *coerced* type."""
    calls: dict[ast.Call, CallInfo] = field(default_factory=dict)
    """Every call, constructor calls included."""
    action_calls: dict[ast.Node, CallInfo] = field(default_factory=dict)
    """Every `ActionReference` of a table's actions or entries, and the value expression of
    each `default_action` property; directionless parameters without argument have value None."""
    constructors: dict[ast.Instantiation, CallInfo] = field(default_factory=dict)
    """Every instantiation's constructor call."""
    transitions: dict[ast.Node, ast.StateDeclaration | None] = field(default_factory=dict)
    """State that a `Transition` (without select) or `SelectCase` goes to; None for accept and
    reject (look at its name)."""
    locals_of: dict[ast.ForIn, Type] = field(default_factory=dict)
    """Element type that a for-in loop runs over."""
    errors: dict[str, ast.EnumMember] = field(default_factory=dict)
    """All error members in order of declaration; their index is their number in BMv2 JSON."""
    match_kinds: dict[str, ast.EnumMember] = field(default_factory=dict)
    """All match kinds."""
    instances: dict[ast.Instantiation, Instance] = field(default_factory=dict)
    """Top-level instances, `main` among them."""
    main: Instance | None = None
    """The package instance `main`; None if the program has none (a warning)."""

    def type_of(self, expression: ast.Expression) -> Type:
        """Type of the expression where it stands: converted if its context converts it."""
        converted = self.coercions.get(expression)
        return self.types[expression] if converted is None else converted
