"""Syntax tree of a P4_16 program (specification 1.2.5, appendix "P4 grammar").

Every node carries the span it was written at. Nodes compare and hash by identity,
so they serve as keys of the side tables in `checked.py`. Words the grammar leaves
optional are None or empty here; nothing is resolved yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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


# --- annotations -------------------------------------------------------------------


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


# --- types -------------------------------------------------------------------------


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


# --- expressions -------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Expression(Node):
    """Anything that has a value, and the keyset forms."""


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


# --- declarations ------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Declaration(Node):
    """Anything that gives a meaning to a name."""

    name: str
    name_span: Span
    annotations: list[Annotation]


@dataclass(slots=True, eq=False)
class TypeParameter(Declaration):
    """One of `<A, B>` after a declared name."""


@dataclass(slots=True, eq=False)
class Parameter(Declaration):
    """A parameter of anything callable or instantiable."""

    direction: Direction
    type: TypeNode
    default: Expression | None = None


@dataclass(slots=True, eq=False)
class ConstantDeclaration(Declaration):
    """`const T name = value;`"""

    type: TypeNode
    value: Expression


@dataclass(slots=True, eq=False)
class VariableDeclaration(Declaration):
    """`T name = value;`"""

    type: TypeNode
    value: Expression | None


@dataclass(slots=True, eq=False)
class Instantiation(Declaration):
    """`T(arguments) name;` with the abstract methods' bodies in `initializer`."""

    type: TypeNode
    arguments: list[Argument]
    initializer: list[Declaration] | None = None


@dataclass(slots=True, eq=False)
class TypeDeclaration(Declaration):
    """A declaration whose name is a type name."""


@dataclass(slots=True, eq=False)
class StructField(Declaration):
    """A field of a struct, header or header union."""

    type: TypeNode


@dataclass(slots=True, eq=False)
class StructDeclaration(TypeDeclaration):
    """`struct`, `header` or `header_union`, told apart by `keyword`."""

    keyword: str
    type_parameters: list[TypeParameter]
    fields: list[StructField]


@dataclass(slots=True, eq=False)
class EnumMember(Declaration):
    """A member of an enum, an error or a match_kind; `value` only if serialisable."""

    value: Expression | None = None


@dataclass(slots=True, eq=False)
class EnumDeclaration(TypeDeclaration):
    """`enum`; serialisable if there is an `underlying` type."""

    underlying: TypeNode | None
    members: list[EnumMember]


@dataclass(slots=True, eq=False)
class ErrorDeclaration(Node):
    """`error { ... }`; all of them together make the type."""

    members: list[EnumMember]


@dataclass(slots=True, eq=False)
class MatchKindDeclaration(Node):
    """`match_kind { ... }`; all of them together make the type."""

    members: list[EnumMember]


@dataclass(slots=True, eq=False)
class TypedefDeclaration(TypeDeclaration):
    """`typedef T name;`: a synonym; `type T name;` (`distinct`): a new type."""

    type: TypeNode
    distinct: bool = False


@dataclass(slots=True, eq=False)
class MethodDeclaration(Declaration):
    """A prototype: extern function, extern method, or constructor (`return_type` None)."""

    return_type: TypeNode | None
    type_parameters: list[TypeParameter]
    parameters: list[Parameter]
    abstract: bool = False


@dataclass(slots=True, eq=False)
class ExternDeclaration(TypeDeclaration):
    """An extern object with its constructors and methods."""

    type_parameters: list[TypeParameter]
    methods: list[MethodDeclaration]
    """Constructors among them: those whose `return_type` is None."""


@dataclass(slots=True, eq=False)
class FunctionDeclaration(Declaration):
    """A function with a body."""

    return_type: TypeNode
    type_parameters: list[TypeParameter]
    parameters: list[Parameter]
    body: Block


@dataclass(slots=True, eq=False)
class ActionDeclaration(Declaration):
    """An action."""

    parameters: list[Parameter]
    body: Block


@dataclass(slots=True, eq=False)
class ParserTypeDeclaration(TypeDeclaration):
    """`parser P<T>(...);`"""

    type_parameters: list[TypeParameter]
    parameters: list[Parameter]


@dataclass(slots=True, eq=False)
class ControlTypeDeclaration(TypeDeclaration):
    """`control C<T>(...);`"""

    type_parameters: list[TypeParameter]
    parameters: list[Parameter]


@dataclass(slots=True, eq=False)
class PackageDeclaration(TypeDeclaration):
    """`package P<T>(...);`"""

    type_parameters: list[TypeParameter]
    parameters: list[Parameter]


@dataclass(slots=True, eq=False)
class SelectCase(Node):
    """`keyset: state;`"""

    keyset: Expression
    state: str
    state_span: Span


@dataclass(slots=True, eq=False)
class Transition(Node):
    """`transition state;` (then `select` is None) or `transition select(...) {...}`."""

    state: str | None
    select: list[Expression] | None
    cases: list[SelectCase]
    target_span: Span
    """Of the state's name, or of the word `select`."""


@dataclass(slots=True, eq=False)
class StateDeclaration(Declaration):
    """A parser state; without `transition` it goes to reject."""

    statements: list[Statement | Declaration]
    transition: Transition | None


@dataclass(slots=True, eq=False)
class ValueSetDeclaration(Declaration):
    """`value_set<T>(size) name;`"""

    type: TypeNode
    size: Expression


@dataclass(slots=True, eq=False)
class ParserDeclaration(TypeDeclaration):
    """A parser with its states."""

    type_parameters: list[TypeParameter]
    parameters: list[Parameter]
    constructor_parameters: list[Parameter]
    locals: list[Declaration]
    states: list[StateDeclaration]


@dataclass(slots=True, eq=False)
class KeyElement(Node):
    """`expression : match_kind @annotations;`"""

    expression: Expression
    match_kind: str
    match_kind_span: Span
    annotations: list[Annotation]


@dataclass(slots=True, eq=False)
class ActionReference(Node):
    """A table's action with the arguments bound at compile time, if any."""

    name: str
    absolute: bool
    arguments: list[Argument] | None
    annotations: list[Annotation]


@dataclass(slots=True, eq=False)
class TableEntry(Node):
    """`priority = p : keyset : action;`"""

    keyset: Expression
    action: ActionReference
    annotations: list[Annotation]
    constant: bool = False
    """Whether this entry alone is marked `const` (mutable `entries` lists only)."""
    priority: Expression | None = None


@dataclass(slots=True, eq=False)
class TableEntries(Node):
    """`entries = {...}`, `constant` if marked `const`."""

    entries: list[TableEntry]
    constant: bool
    annotations: list[Annotation]


@dataclass(slots=True, eq=False)
class TableProperty(Node):
    """Any other property, `default_action`, `size` and `largest_priority_wins` included."""

    name: str
    value: Expression
    constant: bool
    annotations: list[Annotation]
    name_span: Span


@dataclass(slots=True, eq=False)
class TableDeclaration(Declaration):
    """A table; None where a property is absent."""

    key: list[KeyElement] | None
    actions: list[ActionReference] | None
    entries: TableEntries | None
    properties: list[TableProperty]

    def find(self, name: str) -> TableProperty | None:
        """The property of that name, the first if there are several."""
        return next((p for p in self.properties if p.name == name), None)


@dataclass(slots=True, eq=False)
class ControlDeclaration(TypeDeclaration):
    """A control with its local declarations and its apply block."""

    type_parameters: list[TypeParameter]
    parameters: list[Parameter]
    constructor_parameters: list[Parameter]
    locals: list[Declaration]
    body: Block


# --- statements --------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Statement(Node):
    """Anything that is executed. Declarations may stand among statements."""


@dataclass(slots=True, eq=False)
class Empty(Statement):
    """`;`"""


@dataclass(slots=True, eq=False)
class Block(Statement):
    """`{ ... }` of statements, variables and constants."""

    statements: list[Statement | Declaration]
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Assignment(Statement):
    """`target op value;`, op being `=` or one of `+=` and its kin."""

    op: str
    target: Expression
    value: Expression


@dataclass(slots=True, eq=False)
class CallStatement(Statement):
    """A call whose result is dropped; also `C.apply(...)` straight on a type."""

    call: Call


@dataclass(slots=True, eq=False)
class If(Statement):
    """`if (condition) then else otherwise`."""

    condition: Expression
    then: Statement
    otherwise: Statement | None


@dataclass(slots=True, eq=False)
class Return(Statement):
    """`return value;`"""

    value: Expression | None


@dataclass(slots=True, eq=False)
class Exit(Statement):
    """`exit;`"""


@dataclass(slots=True, eq=False)
class Break(Statement):
    """`break;`"""


@dataclass(slots=True, eq=False)
class Continue(Statement):
    """`continue;`"""


@dataclass(slots=True, eq=False)
class SwitchCase(Node):
    """`label: {body}`; body None falls through to the next; `DefaultKeyset` for default."""

    label: Expression
    body: Block | None


@dataclass(slots=True, eq=False)
class Switch(Statement):
    """`switch (subject) {...}`, on `t.apply().action_run` or on a value."""

    subject: Expression
    cases: list[SwitchCase]


@dataclass(slots=True, eq=False)
class For(Statement):
    """`for (init; condition; update) body`."""

    init: list[Statement | Declaration]
    condition: Expression
    update: list[Statement]
    body: Statement
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class ForIn(Statement):
    """`for (T name in collection) body`; `variable` declared here or named by a path."""

    variable: VariableDeclaration | PathExpression
    collection: Expression
    body: Statement
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Program(Node):
    """The whole input after preprocessing, included files first."""

    declarations: list[Declaration | ErrorDeclaration | MatchKindDeclaration]
