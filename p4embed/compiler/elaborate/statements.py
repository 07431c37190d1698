"""Statements: assignments, calls and flow."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CallKind
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate import (
    calls,
    conversions,
    expressions,
    loops,
    lvalues,
    operators,
    tables,
)
from p4embed.compiler.elaborate.context import Context, Site
from p4embed.compiler.elaborate.values import SlicePlace, Unsupported, is_scalar
from p4embed.compiler.ir import fold, tree
from p4embed.compiler.types import ActionEnumType


def execute_block(ctx: Context, block: ast.Block) -> None:
    """The statements of a block, one after the other."""
    for item in block.statements:
        execute(ctx, item)


def execute(ctx: Context, item: ast.Statement | ast.Declaration) -> None:
    """One statement or declaration. What is not supported is reported here, and left out."""
    try:
        if isinstance(item, ast.Declaration):
            declare(ctx, item)
        else:
            _execute(ctx, item)
    except Unsupported as problem:
        ctx.world.diagnostics.error(problem.message, problem.span, *problem.notes)


def declare(ctx: Context, declaration: ast.Declaration) -> None:
    """A local declaration: variables get storage, all else is found when it is used."""
    if not isinstance(declaration, ast.VariableDeclaration):
        return
    type_ = ctx.resolve(ctx.checked.declared[declaration])
    span = declaration.span
    place = ctx.storage.allocate(type_, f"{ctx.scope.path}.{declaration.name}", span)
    if declaration.value is None:
        lvalues.invalidate(ctx, place, span)
    else:
        value = expressions.evaluate(ctx, declaration.value)
        value = conversions.convert(ctx, value, type_, declaration.value)
        lvalues.store(ctx, place, value, span)
    ctx.scope.bindings[declaration] = place


def _execute(ctx: Context, item: ast.Statement) -> None:
    match item:
        case ast.Empty():
            return
        case ast.Block():
            execute_block(ctx, item)
        case ast.Assignment():
            _assign(ctx, item)
        case ast.CallStatement(call=call):
            calls.call(ctx, call)
        case ast.If():
            _if(ctx, item)
        case ast.Switch():
            _switch(ctx, item)
        case ast.Return(value=value):
            _return(ctx, value, item.span)
        case ast.Exit():
            _exit(ctx, item.span)
        case ast.For():
            loops.run_for(ctx, item)
        case ast.ForIn():
            loops.run_for_in(ctx, item)
        case ast.Break():
            assert ctx.loop is not None
            ctx.emit(tree.Leave(ctx.loop.after))
        case ast.Continue():
            assert ctx.loop is not None
            ctx.emit(tree.Leave(ctx.loop.next_round))
        case _:
            raise Unsupported("this statement is not supported on target bmv2", item.span)


def _assign(ctx: Context, item: ast.Assignment) -> None:
    place = lvalues.lvalue(ctx, item.target)
    value = expressions.evaluate(ctx, item.value)
    if item.op != "=":
        current = place
        if isinstance(current, SlicePlace):
            current = fold.slice_bits(current.base, current.high, current.low)
        value = operators.binary(ctx, item.op[:-1], current, value, item.value)
    type_ = ctx.natural_type(item.target)
    value = conversions.convert(ctx, value, type_, item.value)
    lvalues.store(ctx, place, value, item.span)


def _branch(ctx: Context, item: ast.Statement | None) -> list[tree.Statement]:
    with ctx.collecting() as out:
        if item is not None:
            execute(ctx, item)
    return out


def _if(ctx: Context, item: ast.If) -> None:
    applied = _applied_table(ctx, item.condition)
    if applied is not None:
        call, hit = applied
        then, otherwise = _branch(ctx, item.then), _branch(ctx, item.otherwise)
        if not hit:
            then, otherwise = otherwise, then
        tables.apply(ctx, call, ctx.checked.calls[call], hit=then, miss=otherwise)
        return
    condition = expressions.scalar(ctx, item.condition)
    if isinstance(condition, ir.BoolConst):
        taken = item.then if condition.value else item.otherwise
        if taken is not None:
            execute(ctx, taken)
        return
    then, otherwise = _branch(ctx, item.then), _branch(ctx, item.otherwise)
    ctx.emit(tree.If(condition, then, otherwise, item.condition.span))


def _applied_table(ctx: Context, expr: ast.Expression) -> tuple[ast.Call, bool] | None:
    """The call and True for `t.apply().hit`, False for `.miss`, either possibly negated."""
    match expr:
        case ast.Unary(op="!", operand=operand):
            inner = _applied_table(ctx, operand)
            return None if inner is None else (inner[0], not inner[1])
        case ast.Member(base=ast.Call() as call, member=("hit" | "miss") as member):
            if ctx.checked.calls[call].kind is CallKind.TABLE_APPLY:
                return call, member == "hit"
    return None


def _return(ctx: Context, value: ast.Expression | None, span: Span) -> None:
    assert ctx.returns is not None
    if value is not None and ctx.returns.place is not None:
        lvalues.store(ctx, ctx.returns.place, expressions.evaluate(ctx, value), span)
    ctx.emit(tree.Leave(ctx.returns.label))


def _exit(ctx: Context, span: Span) -> None:
    if ctx.site not in (Site.INGRESS, Site.EGRESS):
        raise Unsupported(f"'exit' in {ctx.site.title} is not supported on target bmv2", span)
    for copies in ctx.copies:
        calls.copy_out(ctx, copies)
    ctx.emit(tree.Exit(span))


def _switch(ctx: Context, item: ast.Switch) -> None:
    subject = item.subject
    if isinstance(ctx.natural_type(subject), ActionEnumType):
        assert isinstance(subject, ast.Member)
        assert isinstance(subject.base, ast.Call)
        branches = _action_branches(ctx, item)
        call = subject.base
        tables.apply(ctx, call, ctx.checked.calls[call], switch=branches)
        return
    value = expressions.scalar(ctx, subject)
    if not fold.is_leaf(value):
        value = ctx.save(value, "switch", subject.span)
    label = tree.Label(f"{ctx.scope.path}.switch")
    with ctx.collecting() as out:
        _value_cases(ctx, item, value, label)
    ctx.emit(tree.Block(label, out))


def _action_branches(
    ctx: Context, item: ast.Switch
) -> dict[ast.ActionDeclaration | None, list[tree.Statement]]:
    """Branch of each action, None for default; a label without body shares the next one's."""
    branches: dict[ast.ActionDeclaration | None, list[tree.Statement]] = {}
    pending: list[ast.ActionDeclaration | None] = []
    for case in item.cases:
        if isinstance(case.label, ast.DefaultKeyset):
            pending.append(None)
        else:
            action = ctx.checked.names[case]
            assert isinstance(action, ast.ActionDeclaration)
            pending.append(action)
        if case.body is None:
            continue
        body = _branch(ctx, case.body)
        for label in pending:
            branches[label] = body
        pending = []
    for label in pending:
        branches[label] = []
    return branches


def _value_cases(ctx: Context, item: ast.Switch, value: ir.Expr, label: tree.Label) -> None:
    condition: ir.Expr = fold.FALSE
    default: ast.Block | None = None
    default_pending = False
    for case in item.cases:
        if isinstance(case.label, ast.DefaultKeyset):
            default_pending = True
        else:
            wanted = expressions.evaluate(ctx, case.label)
            wanted = conversions.convert(ctx, wanted, ctx.type_of(item.subject), case.label)
            assert is_scalar(wanted)
            condition = fold.logical_or(condition, fold.compare("==", value, wanted))
        if case.body is None:
            continue
        if default_pending:
            # Runs if nothing else matches, and also for the labels it is listed with.
            default, default_pending = case.body, False
        if not isinstance(condition, ir.BoolConst) or condition.value:
            with ctx.collecting() as body:
                execute(ctx, case.body)
            ctx.emit(tree.If(condition, [*body, tree.Leave(label)], [], case.span))
        condition = fold.FALSE
    if default is not None:
        execute(ctx, default)
