"""The package `V1Switch`: its six blocks share headers, metadata and the packet."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CheckedProgram, Instance
from p4embed.compiler.diagnostics import Diagnostics
from p4embed.compiler.elaborate import blocks, checksums, externs, parsers
from p4embed.compiler.elaborate.context import (
    Context,
    Scope,
    Site,
    World,
    control_plane_name,
)
from p4embed.compiler.elaborate.storage import Storage
from p4embed.compiler.elaborate.values import (
    PacketValue,
    StructValue,
    Unsupported,
    Value,
)
from p4embed.compiler.ir import tree
from p4embed.compiler.types import BlockType, StructType, Type, substitute

USER_METADATA = "userMetadata"
ROLES = ("parser", "verify", "ingress", "egress", "compute", "deparser")
"""V1Switch's parameters in their order."""


def elaborate(
    checked: CheckedProgram, diagnostics: Diagnostics, source_name: str
) -> tree.Program | None:
    """Everything of the program in one piece; None (with `diagnostics`) if that cannot be."""
    main = checked.main
    if main is None:
        diagnostics.error(
            "the program has no package instance 'main'",
            checked.program.last,
            "a program for v1model ends with V1Switch(...) main;",
        )
        return None
    given = [a for a in main.constructor_arguments.values() if isinstance(a, Instance)]
    if main.declaration.name != "V1Switch" or len(given) != len(ROLES):
        diagnostics.error(
            f"package '{main.declaration.name}' is not supported: "
            "architecture v1model wants 'main' to be a V1Switch",
            main.node.span,
        )
        return None
    lowered = ir.Program(source_name)
    world = World(checked, diagnostics, lowered, Storage(lowered))
    program = tree.Program(lowered)
    try:
        _Elaboration(world, program, dict(zip(ROLES, given, strict=True))).run()
    except Unsupported as problem:
        diagnostics.error(problem.message, problem.span, *problem.notes)
    if diagnostics.failed:
        return None
    program.tables = list(world.tables.values())
    program.used_actions = world.used_actions
    program.table_actions = world.table_actions
    lowered.errors = [(name, i) for i, name in enumerate(checked.errors)]
    lowered.enums = _enums(checked)
    return program


def _enums(checked: CheckedProgram) -> list[tuple[str, list[tuple[str, int]]]]:
    return [
        (d.name, [(m.name, i) for i, m in enumerate(d.members)])
        for d in checked.program.declarations
        if isinstance(d, ast.EnumDeclaration) and d.underlying is None and not d.span.source.system
    ]


class _Elaboration:
    def __init__(
        self, world: World, program: tree.Program, blocks_by_role: dict[str, Instance]
    ) -> None:
        self.world = world
        self.program = program
        self.instances = blocks_by_role
        self.headers: Value | None = None

    def run(self) -> None:
        self.make_storage()
        self.make_externs()
        graph = self.parser()
        self.program.parser = graph
        self.checksum(Site.VERIFY, "verify")
        self.program.ingress = self.control(Site.INGRESS, "ingress")
        self.program.egress = self.control(Site.EGRESS, "egress")
        self.checksum(Site.COMPUTE, "compute")
        ctx, declaration = self.enter(Site.DEPARSER, "deparser", [])
        checksums.deparser(ctx, declaration)
        externs.check_direct_meters(self.world)

    # --- what the blocks share ---

    def parameter_types(self, role: str) -> list[Type]:
        instance = self.instances[role]
        type_ = instance.type
        assert isinstance(type_, BlockType)
        return [substitute(p.type, instance.type_arguments) for p in type_.parameters]

    def make_storage(self) -> None:
        _, headers, metadata, standard = self.parameter_types("parser")
        world = self.world
        assert isinstance(standard, StructType)
        world.standard_metadata = world.storage.standard_metadata(standard)
        span = self.instances["parser"].node.span
        if not isinstance(headers, StructType) or not headers.is_struct:
            raise Unsupported("the headers must be a struct on target bmv2", span)
        self.headers = StructValue(
            {
                f.name: world.storage.allocate(f.type, f.name, f.declaration.span)
                for f in headers.fields
            }
        )
        world.metadata = world.storage.allocate(metadata, USER_METADATA, span)
        world.metadata_type = metadata

    def make_externs(self) -> None:
        for node, instance in self.world.checked.instances.items():
            name = control_plane_name("", node)
            self.world.paths[instance] = name
            if isinstance(instance.declaration, ast.ExternDeclaration):
                self.extern(instance, name)
        for role in ROLES:
            instance = self.instances[role]
            self.world.paths[instance] = instance.declaration.name
            self.nested(instance, instance.declaration.name)

    def nested(self, instance: Instance, path: str) -> None:
        """Externs declared in a block, and in the blocks it instantiates."""
        for node, child in instance.children.items():
            if isinstance(node, ast.Declaration):
                name = control_plane_name(path, node)
            else:
                name = f"{path}.{child.declaration.name}"
            self.world.paths[child] = name
            if isinstance(child.declaration, ast.ExternDeclaration):
                self.extern(child, name)
            else:
                self.nested(child, name)

    def extern(self, instance: Instance, path: str) -> None:
        try:
            self.world.claim("extern instance", path, instance.node, instance.node.span)
            externs.create(self.world, instance, path)
        except Unsupported as problem:
            self.world.diagnostics.error(problem.message, problem.span, *problem.notes)

    # --- the blocks ---

    def enter(
        self, site: Site, role: str, out: list[tree.Statement]
    ) -> tuple[Context, ast.ControlDeclaration]:
        """The context of a control, its parameters bound to what all blocks share."""
        instance = self.instances[role]
        declaration = instance.declaration
        assert isinstance(declaration, ast.ControlDeclaration)
        ctx, scope = self.context(site, instance, out)
        if site is Site.DEPARSER:
            shared: list[Value | None] = [PacketValue(), self.headers]
        else:
            shared = [self.headers, self.world.metadata, self.world.standard_metadata]
        for parameter, value in zip(declaration.parameters, shared, strict=False):
            assert value is not None
            scope.bindings[parameter] = value
        return ctx, declaration

    def context(
        self, site: Site, instance: Instance, out: list[tree.Statement]
    ) -> tuple[Context, Scope]:
        path = instance.declaration.name
        base = Scope(None, None, "")
        outer = Context(self.world, site, base, out)
        scope = blocks.instance_scope(outer, instance, path)
        return Context(self.world, site, scope, out), scope

    def parser(self) -> tree.ParserGraph:
        instance = self.instances["parser"]
        declaration = instance.declaration
        assert isinstance(declaration, ast.ParserDeclaration)
        ctx, scope = self.context(Site.PARSER, instance, [])
        shared = (
            PacketValue(),
            self.headers,
            self.world.metadata,
            self.world.standard_metadata,
        )
        for parameter, value in zip(declaration.parameters, shared, strict=True):
            assert value is not None
            scope.bindings[parameter] = value
        return parsers.build(ctx, scope, declaration, "")

    def control(self, site: Site, role: str) -> list[tree.Statement]:
        out: list[tree.Statement] = []
        ctx, declaration = self.enter(site, role, out)
        pipeline = self.world.program.ingress
        if site is Site.EGRESS:
            pipeline = self.world.program.egress
        pipeline.source = declaration.span
        blocks.run_control(ctx, ctx.scope, declaration, [])
        return out

    def checksum(self, site: Site, role: str) -> None:
        ctx, declaration = self.enter(site, role, [])
        checksums.checksum_control(ctx, declaration)
