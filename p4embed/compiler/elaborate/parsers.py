"""Parsers: states with their statements and transitions, calls of other parsers."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import BoundArgument, CallInfo
from p4embed.compiler.elaborate import blocks, calls, expressions, statements
from p4embed.compiler.elaborate.context import Context, ReturnTarget, Scope, control_plane_name
from p4embed.compiler.elaborate.keysets import alternatives
from p4embed.compiler.elaborate.values import Unsupported, scalar_type
from p4embed.compiler.ir import tree
from p4embed.compiler.types import SetType, StructType, width_of


def call_parser(ctx: Context, expr: ast.Call, info: CallInfo) -> None:
    """`parser.apply(...)` in a state of another parser."""
    target = blocks.receiver_instance(ctx, expr, info)
    declaration = target.instance.declaration
    assert isinstance(declaration, ast.ParserDeclaration)
    scope = blocks.instance_scope(ctx, target.instance, target.path)
    bound = [
        BoundArgument(parameter, argument.type, argument.value)
        for parameter, argument in zip(declaration.parameters, info.arguments, strict=True)
    ]
    copies = calls.bind(ctx, bound, scope, expr.span)
    graph = build(ctx, scope, declaration, target.path)
    ctx.emit(tree.CallParser(graph, expr.span))
    calls.copy_out(ctx, copies)


def build(
    ctx: Context, scope: Scope, declaration: ast.ParserDeclaration, prefix: str
) -> tree.ParserGraph:
    """The states of a parser that can be reached from `start`.

    State names get `prefix` in front, so that each call of a parser has states of its own.
    """
    return _Builder(ctx, scope, declaration, prefix).build()


class _Builder:
    def __init__(
        self, ctx: Context, scope: Scope, declaration: ast.ParserDeclaration, prefix: str
    ) -> None:
        self.ctx = ctx
        self.scope = scope
        self.declaration = declaration
        self.prefix = prefix
        self.states = {s.name: s for s in declaration.states}
        self.names: dict[str, str] = {}
        self.pending: list[str] = []

    def build(self) -> tree.ParserGraph:
        graph = tree.ParserGraph()
        inner = self.ctx.inside(self.scope, None)
        with inner.collecting() as prelude:
            for local in self.declaration.locals:
                statements.declare(inner, local)
        if prelude:
            name = self.ctx.world.unique(f"{self.prefix}.locals".lstrip("."))
            first = tree.ParserState(name, prelude, source=self.declaration.span)
            graph.states.append(first)
            first.transitions.append(ir.Default(self.name_of("start")))
        else:
            self.name_of("start")
        while self.pending:
            state = self.states[self.pending.pop(0)]
            try:
                graph.states.append(self.state(state))
            except Unsupported as problem:
                self.ctx.world.diagnostics.error(problem.message, problem.span, *problem.notes)
        return graph

    def name_of(self, state: str) -> str:
        """The unique name of a state; one that is new is visited later."""
        known = self.names.get(state)
        if known is None:
            wanted = f"{self.prefix}.{state}" if self.prefix else state
            known = self.names[state] = self.ctx.world.unique(wanted)
            self.pending.append(state)
        return known

    def target(self, node: ast.Node, name: str) -> str | None:
        state = self.ctx.checked.transitions[node]
        if state is not None:
            return self.name_of(state.name)
        return None if name == "accept" else tree.REJECT

    def state(self, declaration: ast.StateDeclaration) -> tree.ParserState:
        state = tree.ParserState(self.names[declaration.name], source=declaration.span)
        scope = Scope(self.scope, None, self.scope.path)
        label = tree.Label(f"{state.name}.return")
        inner = self.ctx.inside(scope, ReturnTarget(label, None))
        inner.out = state.body
        for item in declaration.statements:
            statements.execute(inner, item)
        transition = declaration.transition
        if transition is None:
            state.transitions.append(ir.Default(tree.REJECT))
        elif transition.select is None:
            assert transition.state is not None
            state.transitions.append(ir.Default(self.target(transition, transition.state)))
        else:
            self.select(inner, state, transition)
        return state

    def select(self, ctx: Context, state: tree.ParserState, transition: ast.Transition) -> None:
        assert transition.select is not None
        values = expressions.several(ctx, transition.select)
        types: list[ir.Scalar] = []
        for value, expr in zip(values, transition.select, strict=True):
            for leaf in expressions.scalar_leaves(ctx, value, expr):
                key = _key(ctx, leaf, expr)
                state.keys.append(key)
                types.append(key.type)
        for case in transition.cases:
            target = self.target(case, case.state)
            if isinstance(case.keyset, ast.DefaultKeyset | ast.DontCare):
                state.transitions.append(ir.Default(target))
                return
            value_set = self.value_set(ctx, case.keyset)
            if value_set is not None:
                state.transitions.append(ir.ValueSetCase(value_set, target))
                continue
            for option in alternatives(ctx, case.keyset, types):
                if all(m.mask == 0 for m in option):
                    state.transitions.append(ir.Default(target))
                    return
                full = all(
                    m.mask == (t.mask if isinstance(t, ir.Bits) else 1)
                    for m, t in zip(option, types, strict=True)
                )
                state.transitions.append(
                    ir.Case(
                        tuple(m.value for m in option),
                        None if full else tuple(m.mask for m in option),
                        target,
                    )
                )

    def value_set(self, ctx: Context, keyset: ast.Expression) -> str | None:
        """Name of the value set that a keyset is, if it is one."""
        if not isinstance(keyset, ast.PathExpression):
            return None
        declaration = ctx.checked.names.get(keyset)
        if not isinstance(declaration, ast.ValueSetDeclaration):
            return None
        name = control_plane_name(self.scope.path, declaration)
        program = ctx.world.program
        if all(v.name != name for v in program.value_sets):
            set_type = ctx.resolve(ctx.checked.declared[declaration])
            assert isinstance(set_type, SetType)
            element = set_type.element
            width = width_of(element)
            if width is None or not (
                scalar_type(element) is not None or isinstance(element, StructType)
            ):
                raise Unsupported(
                    f"a value set of type '{element}' is not supported on target bmv2",
                    declaration.span,
                )
            size = expressions.number(ctx, declaration.size)
            program.value_sets.append(ir.ValueSet(name, width, size, declaration.span))
        return name


def _key(ctx: Context, value: ir.Expr, expr: ast.Expression) -> ir.Expr:
    """The value in a form that BMv2 can select on: a field, or bits ahead."""
    match value:
        case ir.FieldRef(type=ir.Bits() | ir.Bool()) | ir.LastField() | ir.Lookahead():
            return value
    if isinstance(value.type, ir.VarBits):
        raise Unsupported("selecting on a varbit is not supported on target bmv2", expr.span)
    place = ctx.temporary(value.type, "select")
    ctx.emit(tree.Assign(place, value, expr.span))
    return place
