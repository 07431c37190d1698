"""Declarations, and what they consist of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p4embed.compiler.ast.nodes import (
    Annotation,
    Declaration,
    Direction,
    Expression,
    Node,
    Statement,
    TypeNode,
)
from p4embed.compiler.diagnostics import Span

if TYPE_CHECKING:
    from p4embed.compiler.ast.expressions import Argument
    from p4embed.compiler.ast.statements import Block


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


@dataclass(slots=True, eq=False)
class Program(Node):
    """The whole input after preprocessing, included files first."""

    declarations: list[Declaration | ErrorDeclaration | MatchKindDeclaration]

    structured: list[Annotation] = field(default_factory=list)
    """Every structured annotation, wherever it stands."""

    @property
    def last(self) -> Span:
        """Where the user's own text ends: the last declaration that no include of ours made."""
        own = [each.span for each in self.declarations if not each.span.source.system]
        return own[-1] if own else self.span
