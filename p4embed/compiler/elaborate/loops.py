"""`for` loops (P4_16 1.2.5). A loop becomes a jump backwards inside one action."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.elaborate import conversions, expressions, lvalues, statements
from p4embed.compiler.elaborate.context import Context, LoopTarget, Site
from p4embed.compiler.elaborate.values import (
    IntValue,
    StackPlace,
    StructValue,
    Unsupported,
    Value,
    is_scalar,
)
from p4embed.compiler.ir import fold, tree


def run_for(ctx: Context, item: ast.For) -> None:
    """`for (init; condition; update) body`."""
    _check_site(ctx, item)
    for first in item.init:
        statements.execute(ctx, first)
    after = tree.Label(f"{ctx.scope.path}.break")
    next_round = tree.Label(f"{ctx.scope.path}.continue")
    before = ctx.loop
    ctx.loop = LoopTarget(after, next_round)
    with ctx.collecting() as round_:
        condition = expressions.scalar(ctx, item.condition)
        done = fold.logical_not(condition)
        ctx.emit(tree.If(done, [tree.Leave(after)], [], item.condition.span))
        with ctx.collecting() as body:
            statements.execute(ctx, item.body)
        ctx.emit(tree.Block(next_round, body))
        for step in item.update:
            statements.execute(ctx, step)
    ctx.loop = before
    ctx.emit(tree.Block(after, [tree.Repeat(round_, item.span)]))


def run_for_in(ctx: Context, item: ast.ForIn) -> None:
    """`for (x in collection) body`: a range counts, a list is written out."""
    _check_site(ctx, item)
    variable = item.variable
    statements.declare(ctx, variable)
    place = ctx.scope.find(variable)
    assert place is not None
    after = tree.Label(f"{ctx.scope.path}.break")
    before = ctx.loop
    with ctx.collecting() as out:
        if isinstance(item.collection, ast.Range):
            _count(ctx, item, item.collection, place, after)
        else:
            for value in _elements(ctx, item):
                next_round = tree.Label(f"{ctx.scope.path}.continue")
                ctx.loop = LoopTarget(after, next_round)
                with ctx.collecting() as body:
                    lvalues.store(ctx, place, value, item.span)
                    statements.execute(ctx, item.body)
                ctx.emit(tree.Block(next_round, body))
    ctx.loop = before
    ctx.emit(tree.Block(after, out))


def _elements(ctx: Context, item: ast.ForIn) -> list[Value]:
    collection = expressions.evaluate(ctx, item.collection)
    type_ = ctx.resolve(ctx.checked.locals_of[item])
    match collection:
        case StructValue(fields):
            parts = list(fields.values())
        case StackPlace(elements=elements):
            parts = list(elements)
        case _:
            raise Unsupported("this loop is not supported on target bmv2", item.collection.span)
    return [conversions.convert(ctx, p, type_, item.collection) for p in parts]


def _count(
    ctx: Context, item: ast.ForIn, range_: ast.Range, place: Value, after: tree.Label
) -> None:
    if not isinstance(place, ir.FieldRef) or not isinstance(place.type, ir.Bits):
        raise Unsupported("this loop is not supported on target bmv2", item.span)
    low, high = expressions.several(ctx, (range_.low, range_.high))
    counter_type = ir.Bits(place.type.width + 1, place.type.signed)
    # One bit more than the variable, so that counting past its largest value ends the loop.
    counter = ctx.temporary(counter_type, "counter")
    ctx.emit(tree.Assign(counter, _number(low, counter_type), range_.span))
    last = ctx.save(_number(high, counter_type), "last", range_.span)
    next_round = tree.Label(f"{ctx.scope.path}.continue")
    ctx.loop = LoopTarget(after, next_round)
    with ctx.collecting() as round_:
        ctx.emit(tree.If(fold.compare(">", counter, last), [tree.Leave(after)], [], range_.span))
        ctx.emit(tree.Assign(place, fold.cast(counter, place.type), range_.span))
        with ctx.collecting() as body:
            statements.execute(ctx, item.body)
        ctx.emit(tree.Block(next_round, body))
        one = fold.const(1, counter_type)
        ctx.emit(tree.Assign(counter, fold.binary("+", counter, one), range_.span))
    ctx.emit(tree.Repeat(round_, item.span))


def _number(value: Value, type_: ir.Bits) -> ir.Expr:
    if isinstance(value, IntValue):
        return fold.const(value.value, type_)
    assert is_scalar(value)
    return fold.cast(value, type_)


def _check_site(ctx: Context, item: ast.For | ast.ForIn) -> None:
    if ctx.site not in (Site.INGRESS, Site.EGRESS):
        raise Unsupported(f"a loop in {ctx.site.title} is not supported on target bmv2", item.span)
