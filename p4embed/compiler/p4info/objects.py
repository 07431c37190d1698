"""What the control plane sees of a program, in the order in which P4Info lists it.

Controls that others call become part of their callers, at the place where the instance is
declared; a control that is applied by its type comes after its caller's own declarations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from p4embed.compiler import ast
from p4embed.compiler.ast.walk import walk
from p4embed.compiler.checked import CallInfo, CallKind, CheckedProgram, Instance
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate.context import control_plane_name
from p4embed.compiler.types import StructType, Type


class Kind(Enum):
    """What an object is."""

    TABLE = auto()
    ACTION = auto()
    EXTERN = auto()
    VALUE_SET = auto()
    DIGEST = auto()
    CONTROLLER_HEADER = auto()
    EXTERN_CALL = auto()


@dataclass(eq=False, slots=True)
class Found:
    """One object with its control-plane name."""

    kind: Kind
    name: str
    span: Span
    declaration: ast.Declaration | None = None
    instance: Instance | None = None
    type: Type | None = None
    path: str = ""
    """Control-plane name of the control it is declared in."""
    in_place: bool = False
    """Constructed as the value of a table's property."""
    annotations: list[ast.Annotation] = field(default_factory=list)
    properties: dict[str, Found] = field(default_factory=dict)
    """Of a table: the extern objects its properties name."""

    @property
    def hidden(self) -> bool:
        """Whether `@hidden` keeps it from the control plane."""
        return any(a.name == "hidden" for a in self.annotations)

    @property
    def instance_of(self) -> str:
        """Name of the extern type."""
        return "" if self.instance is None else self.instance.declaration.name

    def property_object(self, name: str) -> Found | None:
        """The extern object that a table's property names."""
        return self.properties.get(name)

    def action_name(self, checked: CheckedProgram, info: CallInfo) -> str:
        """Control-plane name of an action that is visible from this table."""
        declaration = info.declaration
        assert isinstance(declaration, ast.ActionDeclaration)
        return control_plane_name(
            "" if declaration in _globals(checked) else self.path, declaration
        )


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What differs between two instances of a control, if its constructor's arguments do."""

    size: int
    default_data: tuple[int, ...]
    """Data of the default action."""
    support_timeout: bool


@dataclass(frozen=True, slots=True)
class Used:
    """Control-plane names of what a program can reach."""

    tables: Mapping[str, TableFacts]
    actions: frozenset[str]
    table_actions: frozenset[str]
    """Actions that some table runs; the others are called by controls only."""


def _globals(checked: CheckedProgram) -> set[ast.Node]:
    return {d for d in checked.program.declarations if isinstance(d, ast.ActionDeclaration)}


def find_objects(checked: CheckedProgram, used: Used) -> list[Found]:
    """All objects that P4Info lists."""
    return _Finder(checked, used).run()


class _Finder:
    def __init__(self, checked: CheckedProgram, used: Used) -> None:
        self.checked = checked
        self.used = used
        self.globals = _globals(checked)
        self.actions: dict[str, Found] = {}
        self.externs: dict[str, Found] = {}
        self.others: list[Found] = []
        self.digests: dict[str, Found] = {}
        self.calls: list[Found] = []

    def run(self) -> list[Found]:
        main = self.checked.main
        assert main is not None
        for node, instance in self.checked.instances.items():
            if isinstance(instance.declaration, ast.ExternDeclaration):
                self.extern(instance, control_plane_name("", node), node.annotations)
        for block in main.constructor_arguments.values():
            if isinstance(block, Instance):
                self.block(block, block.declaration.name)
        self.controller_headers()
        return [
            *self.actions.values(),
            *self.digests.values(),
            *self.externs.values(),
            *self.others,
            *self.calls,
        ]

    # --- blocks ---

    def block(self, instance: Instance, path: str) -> None:
        declaration = instance.declaration
        if isinstance(declaration, ast.ControlDeclaration):
            for action in self.global_actions(declaration):
                self.action(action, "")
        assert isinstance(declaration, ast.ControlDeclaration | ast.ParserDeclaration)
        for local in declaration.locals:
            self.local(instance, local, path)
        for node, child in instance.children.items():
            if isinstance(node, ast.Call) and not isinstance(
                child.declaration, ast.ExternDeclaration
            ):
                self.block(child, f"{path}.{child.declaration.name}")
        if isinstance(declaration, ast.ControlDeclaration):
            self.extern_functions(declaration.body)

    def local(self, instance: Instance, local: ast.Declaration, path: str) -> None:
        match local:
            case ast.Instantiation():
                child = instance.children[local]
                name = control_plane_name(path, local)
                if isinstance(child.declaration, ast.ExternDeclaration):
                    self.extern(child, name, local.annotations)
                else:
                    self.block(child, name)
            case ast.ActionDeclaration():
                self.action(local, path)
            case ast.TableDeclaration():
                self.table(instance, local, path)
            case ast.ValueSetDeclaration():
                self.others.append(
                    Found(
                        Kind.VALUE_SET,
                        control_plane_name(path, local),
                        local.span,
                        local,
                        annotations=local.annotations,
                    )
                )

    def action(self, declaration: ast.ActionDeclaration, path: str) -> None:
        name = control_plane_name(path, declaration)
        if name in self.actions or name not in self.used.actions:
            return
        self.actions[name] = Found(
            Kind.ACTION,
            name,
            declaration.span,
            declaration,
            path=path,
            annotations=declaration.annotations,
        )
        self.extern_functions(declaration.body)

    def global_actions(self, control: ast.ControlDeclaration) -> Iterator[ast.ActionDeclaration]:
        """Top-level actions in the order in which the control names them."""
        for local in control.locals:
            if isinstance(local, ast.TableDeclaration):
                given = local.find("default_action")
                infos = [self.checked.action_calls[r] for r in local.actions or []]
                if given is not None:
                    infos.append(self.checked.action_calls[given.value])
                for info in infos:
                    if isinstance(info.declaration, ast.ActionDeclaration):
                        yield from self.if_global(info.declaration)
                if given is None:
                    yield from (
                        d
                        for d in self.globals
                        if isinstance(d, ast.ActionDeclaration) and d.name == "NoAction"
                    )
        for call in _calls(control.body):
            info = self.checked.calls[call]
            if info.kind is CallKind.ACTION and isinstance(info.declaration, ast.ActionDeclaration):
                yield from self.if_global(info.declaration)

    def if_global(self, declaration: ast.ActionDeclaration) -> Iterator[ast.ActionDeclaration]:
        if declaration in self.globals:
            yield declaration

    # --- tables and externs ---

    def table(self, instance: Instance, declaration: ast.TableDeclaration, path: str) -> None:
        name = control_plane_name(path, declaration)
        if name not in self.used.tables:
            return
        found = Found(
            Kind.TABLE,
            name,
            declaration.span,
            declaration,
            path=path,
            annotations=declaration.annotations,
        )
        self.others.append(found)
        for property_ in declaration.properties:
            if property_.name in ("counters", "meters", "implementation"):
                resource = self.property_object(instance, property_, path)
                if resource is not None:
                    found.properties[property_.name] = resource

    def property_object(
        self, instance: Instance, property_: ast.TableProperty, path: str
    ) -> Found | None:
        value = property_.value
        if isinstance(value, ast.Call):
            child = instance.children.get(value)
            if child is None:
                return None
            given = next((a for a in property_.annotations if a.name == "name"), None)
            name = property_.name if given is None else str(given.literals[0])
            found = self.extern(child, name.removeprefix("."), property_.annotations)
            found.in_place = True
            return found
        if not isinstance(value, ast.PathExpression):
            return None
        declaration = self.checked.names.get(value)
        if not isinstance(declaration, ast.Instantiation):
            return None
        local = declaration in instance.children
        return self.externs.get(control_plane_name(path if local else "", declaration))

    def extern(self, instance: Instance, name: str, annotations: list[ast.Annotation]) -> Found:
        node = instance.node
        declaration = node if isinstance(node, ast.Declaration) else None
        found = Found(Kind.EXTERN, name, node.span, declaration, instance, annotations=annotations)
        return self.externs.setdefault(name, found)

    # --- the rest ---

    def extern_functions(self, body: ast.Block, seen: frozenset[ast.Node] = frozenset()) -> None:
        """Extern functions that a body calls, itself or through what it calls."""
        for call in _calls(body):
            info = self.checked.calls[call]
            declaration = info.declaration
            if info.kind is CallKind.EXTERN_FUNCTION and info.name != "static_assert":
                self.calls.append(Found(Kind.EXTERN_CALL, info.name, call.span))
                if info.name == "digest":
                    self.digest(call, info)
            elif declaration not in seen and isinstance(
                declaration, ast.FunctionDeclaration | ast.ActionDeclaration
            ):
                self.extern_functions(declaration.body, seen | {declaration})

    def digest(self, call: ast.Call, info: CallInfo) -> None:
        type_ = info.arguments[1].type
        name = f"digest_{len(self.digests)}"
        if isinstance(type_, StructType):
            name = control_plane_name("", type_.declaration)
        self.digests.setdefault(name, Found(Kind.DIGEST, name, call.span, type=type_))

    def controller_headers(self) -> None:
        for declaration in self.checked.program.declarations:
            if (
                isinstance(declaration, ast.StructDeclaration)
                and declaration.keyword == "header"
                and any(a.name == "controller_header" for a in declaration.annotations)
            ):
                self.others.append(
                    Found(
                        Kind.CONTROLLER_HEADER,
                        control_plane_name("", declaration),
                        declaration.span,
                        declaration,
                        type=self.checked.declared[declaration],
                        annotations=declaration.annotations,
                    )
                )


def _calls(body: ast.Block) -> Iterator[ast.Call]:
    """Every call in a body, outer ones first."""
    return (node for node in walk(body) if isinstance(node, ast.Call))
