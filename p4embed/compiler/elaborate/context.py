"""Where elaboration stands: what names mean here, where statements go, what may be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CheckedProgram, Instance
from p4embed.compiler.diagnostics import Diagnostics, Span
from p4embed.compiler.elaborate.storage import Storage, annotated_string
from p4embed.compiler.elaborate.values import IntValue, SlicePlace, Unsupported, Value
from p4embed.compiler.ir import fold, tree
from p4embed.compiler.types import BitType, EnumType, Type, TypeVariable, substitute


class Site(Enum):
    """What kind of code is elaborated: it decides what BMv2 can do there."""

    PARSER = auto()
    INGRESS = auto()
    EGRESS = auto()
    VERIFY = auto()
    COMPUTE = auto()
    DEPARSER = auto()

    @property
    def title(self) -> str:
        """As an error message says it."""
        return {
            Site.PARSER: "a parser",
            Site.INGRESS: "the ingress control",
            Site.EGRESS: "the egress control",
            Site.VERIFY: "the checksum verification control",
            Site.COMPUTE: "the checksum update control",
            Site.DEPARSER: "the deparser",
        }[self]


@dataclass(eq=False, slots=True)
class Scope:
    """What declarations stand for, looked up outwards; one for each call that is inlined."""

    parent: Scope | None
    instance: Instance | None
    path: str
    """Control-plane name of the instance we are in, as prefix of the names in it."""
    bindings: dict[ast.Declaration, Value] = field(default_factory=dict)
    types: Mapping[TypeVariable, Type] = field(default_factory=dict)

    def find(self, declaration: ast.Declaration) -> Value | None:
        """What the declaration is bound to, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.bindings.get(declaration)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def child_instance(self, node: ast.Node) -> Instance | None:
        """The instance that `node` made in the parser or control we are in."""
        scope: Scope | None = self
        while scope is not None:
            if scope.instance is not None and node in scope.instance.children:
                return scope.instance.children[node]
            scope = scope.parent
        return None


@dataclass(eq=False, slots=True)
class CopyOut:
    """After the call: store `source` into `target`."""

    target: Value | SlicePlace
    source: Value
    span: Span


@dataclass(eq=False, slots=True)
class ReturnTarget:
    """What `return` does: store into `place`, leave `label`."""

    label: tree.Label
    place: Value | None


@dataclass(eq=False, slots=True)
class LoopTarget:
    """What `break` and `continue` leave."""

    after: tree.Label
    next_round: tree.Label


@dataclass(eq=False, slots=True)
class World:
    """What there is only one of."""

    checked: CheckedProgram
    diagnostics: Diagnostics
    program: ir.Program
    storage: Storage
    standard_metadata: Value | None = None
    metadata: Value | None = None
    metadata_type: Type | None = None
    tables: dict[tuple[int, ast.TableDeclaration], tree.Table] = field(default_factory=dict)
    paths: dict[Instance, str] = field(default_factory=dict)
    """Control-plane name of every instance, however many constructors it was handed to."""
    calculations: int = 0
    names: set[str] = field(default_factory=set)
    control_plane: dict[tuple[str, str], ast.Node] = field(default_factory=dict)
    field_lists: dict[int, ir.FieldList] = field(default_factory=dict)
    digests: dict[str, ir.FieldList] = field(default_factory=dict)
    direct: dict[str, str] = field(default_factory=dict)
    """Table of each direct counter and meter."""
    meter_reads: dict[str, Span] = field(default_factory=dict)
    """Where each direct meter is read."""
    meter_results: dict[str, ir.FieldRef] = field(default_factory=dict)
    used_actions: set[str] = field(default_factory=set)
    """Control-plane names of the actions that a table or a control runs."""
    table_actions: set[str] = field(default_factory=set)
    """Of those, the ones that a table runs."""

    def unique(self, wanted: str) -> str:
        """A name for a generated object that nothing else has."""
        name, number = wanted, 0
        while name in self.names:
            number += 1
            name = f"{wanted}_{number}"
        self.names.add(name)
        return name

    def claim(self, kind: str, name: str, owner: ast.Node, span: Span) -> None:
        """Note that a control-plane name of a kind of object is `owner`'s.

        Raises:
            Unsupported: another declaration has it.
        """
        first = self.control_plane.setdefault((kind, name), owner)
        if first is not owner:
            raise Unsupported(
                f"two {kind}s have the control-plane name '{name}'",
                span,
                f"the other one is at {first.span}",
            )

    def error_number(self, name: str) -> int:
        """Number of an error in BMv2's `errors`."""
        return list(self.checked.errors).index(name)


@dataclass(eq=False, slots=True)
class Context:
    """One place of elaboration; copied, with changes, for what is inside."""

    world: World
    site: Site
    scope: Scope
    out: list[tree.Statement]
    returns: ReturnTarget | None = None
    loop: LoopTarget | None = None
    in_action: bool = False
    depth: int = 0
    copies: tuple[list[CopyOut], ...] = ()
    """What the calls we are in copy out at their end, innermost first; `exit` does it early."""

    @property
    def checked(self) -> CheckedProgram:
        """The program that is elaborated."""
        return self.world.checked

    @property
    def storage(self) -> Storage:
        """Where variables are made."""
        return self.world.storage

    def emit(self, statement: tree.Statement) -> None:
        """Append to the statements of this place."""
        self.out.append(statement)

    def type_of(self, expression: ast.Expression) -> Type:
        """Type of the expression after its context converted it."""
        return substitute(self.checked.type_of(expression), self.all_types())

    def natural_type(self, expression: ast.Expression) -> Type:
        """Type of the expression by itself."""
        return substitute(self.checked.types[expression], self.all_types())

    def resolve(self, type_: Type) -> Type:
        """`type_` with the type arguments of the calls we are in."""
        return substitute(type_, self.all_types())

    def all_types(self) -> Mapping[TypeVariable, Type]:
        """What type variables stand for here."""
        result: dict[TypeVariable, Type] = {}
        scope: Scope | None = self.scope
        while scope is not None:
            for variable, type_ in scope.types.items():
                result.setdefault(variable, type_)
            scope = scope.parent
        return result

    def temporary(self, type_: ir.Scalar, name: str = "tmp") -> ir.FieldRef:
        """A new scalar named after where we are."""
        return self.storage.temporary(type_, f"{self.scope.path}.{name}")

    def save(self, value: ir.Expr, name: str = "tmp", source: Span | None = None) -> ir.Expr:
        """The value in a temporary of its own, unless it can never change."""
        if isinstance(value, ir.Const | ir.BoolConst | ir.ParamRef):
            return value
        place = self.temporary(value.type, name)
        self.emit(tree.Assign(place, value, source))
        return place

    @contextmanager
    def collecting(self) -> Iterator[list[tree.Statement]]:
        """Statements emitted inside go to the list that is yielded."""
        before, self.out = self.out, []
        try:
            yield self.out
        finally:
            self.out = before

    def inside(self, scope: Scope, returns: ReturnTarget | None) -> Context:
        """The context of a body that is inlined here."""
        return Context(
            self.world,
            self.site,
            scope,
            self.out,
            returns,
            None,
            self.in_action,
            self.depth + 1,
            self.copies,
        )


def control_plane_name(path: str, declaration: ast.Declaration) -> str:
    """Name that the control plane knows the object by: `@name`, with the path before it.

    A name that begins with a dot is taken as it is.
    """
    name = annotated_string(declaration, "name") or declaration.name
    if name.startswith("."):
        return name[1:]
    return f"{path}.{name}" if path else name


def enum_number(type_: EnumType, name: str) -> int:
    """Number that stands for a member of an enum without underlying type."""
    return [m.name for m in type_.declaration.members].index(name)


def int_to(value: IntValue, type_: Type, span: Span) -> ir.Expr:
    """A compile-time number as a value of `type_`."""
    match type_:
        case BitType(width, signed):
            return fold.const(value.value, ir.Bits(width, signed))
    raise Unsupported(f"a value of type '{type_}' is not supported on target bmv2 here", span)
