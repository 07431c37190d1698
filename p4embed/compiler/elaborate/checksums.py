"""The checksum controls and the deparser: lists of calls, in BMv2 as in v1model.p4."""

from __future__ import annotations

from collections.abc import Callable

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CallInfo, CallKind, EnumValue
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate import expressions, lvalues, v1model
from p4embed.compiler.elaborate.context import Context, Site
from p4embed.compiler.elaborate.values import (
    HeaderLiteral,
    HeaderPlace,
    StackPlace,
    StructValue,
    UnionPlace,
    Unsupported,
    Value,
)
from p4embed.compiler.ir import fold


def checksum_control(ctx: Context, declaration: ast.ControlDeclaration) -> None:
    """Every `verify_checksum` or `update_checksum` of the control, in order."""
    _constants_only(ctx, declaration, ctx.site.title)
    _each(ctx, declaration.body, _statement)


def _constants_only(ctx: Context, declaration: ast.ControlDeclaration, where: str) -> None:
    for local in declaration.locals:
        if not isinstance(local, ast.ConstantDeclaration):
            ctx.world.diagnostics.error(
                f"a declaration in {where} is not supported on target bmv2", local.span
            )


def _each(
    ctx: Context,
    block: ast.Block,
    take: Callable[[Context, ast.Statement | ast.Declaration], None],
) -> None:
    """Have every statement of a block taken; one that is not supported is reported."""
    for item in block.statements:
        try:
            take(ctx, item)
        except Unsupported as problem:
            ctx.world.diagnostics.error(problem.message, problem.span, *problem.notes)


def _statement(ctx: Context, item: ast.Statement | ast.Declaration) -> None:
    match item:
        case ast.Empty() | ast.ConstantDeclaration() | ast.Return():
            return
        case ast.Block():
            _each(ctx, item, _statement)
            return
        case ast.If(otherwise=None) if (
            inner := _single_call(item.then)
        ) is not None and _is_checksum(ctx, inner):
            condition = expressions.scalar(ctx, item.condition)
            _checksum(ctx, inner, ctx.checked.calls[inner], condition)
            return
        case ast.CallStatement(call=call) if _is_checksum(ctx, call):
            _checksum(ctx, call, ctx.checked.calls[call], fold.TRUE)
            return
    raise Unsupported(
        f"only calls of {'verify' if ctx.site is Site.VERIFY else 'update'}_checksum and its "
        f"like are supported on target bmv2 in {ctx.site.title}",
        item.span,
    )


def _single_call(item: ast.Statement) -> ast.Call | None:
    while isinstance(item, ast.Block) and len(item.statements) == 1:
        only = item.statements[0]
        if isinstance(only, ast.Declaration):
            return None
        item = only
    return item.call if isinstance(item, ast.CallStatement) else None


def _is_checksum(ctx: Context, call: ast.Call) -> bool:
    info = ctx.checked.calls[call]
    prefix = "verify_" if ctx.site is Site.VERIFY else "update_"
    return (
        info.kind is CallKind.EXTERN_FUNCTION
        and info.name in v1model.CHECKSUM_FUNCTIONS
        and info.name.startswith(prefix)
    )


def _checksum(ctx: Context, call: ast.Call, info: CallInfo, outer: ir.Expr) -> None:
    condition_expr, data_expr, target_expr, algorithm_expr = (a.value for a in info.arguments)
    assert condition_expr is not None
    assert data_expr is not None
    assert target_expr is not None
    assert algorithm_expr is not None
    condition = fold.logical_and(outer, expressions.scalar(ctx, condition_expr))
    data = expressions.evaluate(ctx, data_expr)
    target = lvalues.lvalue(ctx, target_expr)
    if not isinstance(target, ir.FieldRef):
        raise Unsupported("the checksum must be a field on target bmv2", target_expr.span)
    inputs = [
        i for leaf in _data_leaves(ctx, data, data_expr) for i in _inputs(leaf, data_expr.span)
    ]
    if info.name.endswith("_with_payload"):
        inputs.append(ir.Payload())
    algorithm = ctx.checked.constants.get(algorithm_expr)
    if not isinstance(algorithm, EnumValue):
        raise Unsupported("this must be known while compiling", algorithm_expr.span)
    if ctx.out:
        raise Unsupported(
            "a call among the arguments of a checksum is not supported on target bmv2", call.span
        )
    name = v1model.calculation(ctx, algorithm.name, tuple(inputs), call.span)
    program = ctx.world.program
    number = len(program.checksums)
    program.checksums.append(
        ir.Checksum(
            "cksum" if number == 0 else f"cksum_{number - 1}",
            target,
            name,
            condition,
            ctx.site is Site.VERIFY,
            call.span,
        )
    )


def _data_leaves(ctx: Context, data: Value, expr: ast.Expression) -> list[ir.Expr]:
    return expressions.scalar_leaves(ctx, data, expr)


def _inputs(leaf: ir.Expr, span: Span) -> list[ir.CalculationInput]:
    """BMv2's inputs for a scalar: itself, or the pieces of a concatenation."""
    match leaf:
        case ir.FieldRef() | ir.Const():
            return [leaf]
        case ir.BoolConst(flag):
            return [ir.Const(int(flag), ir.BIT1)]
        case ir.Binary("++", left, right):
            return [*_inputs(left, span), *_inputs(right, span)]
        case ir.Cast(operand, ir.Bits(width)) if (
            isinstance(operand.type, ir.Bits)
            and not operand.type.signed
            and operand.type.width < width
        ):
            filler = ir.Const(0, ir.Bits(width - operand.type.width))
            return [filler, *_inputs(operand, span)]
    raise Unsupported(
        "only fields and constants can be summed up by a checksum on target bmv2", span
    )


# --- deparser ----------------------------------------------------------------------


def deparser(ctx: Context, declaration: ast.ControlDeclaration) -> None:
    """The headers that the deparser emits, in order."""
    ctx.world.program.deparser_source = declaration.span
    _constants_only(ctx, declaration, "the deparser")
    _each(ctx, declaration.body, _emit)


def _emit(ctx: Context, item: ast.Statement | ast.Declaration) -> None:
    match item:
        case ast.Empty() | ast.ConstantDeclaration():
            return
        case ast.Block():
            _each(ctx, item, _emit)
            return
        case ast.If(condition=condition, then=then, otherwise=None):
            # Emitting a header already asks whether it is valid.
            inner = _single_call(then)
            test = expressions.scalar(ctx, condition)
            if inner is not None and _is_emit(ctx, inner):
                headers = _emitted(ctx, inner)
                if len(headers) == 1 and test == ir.Valid(headers[0]):
                    ctx.world.program.deparser += headers
                    return
        case ast.CallStatement(call=call) if _is_emit(ctx, call):
            ctx.world.program.deparser += _emitted(ctx, call)
            return
    raise Unsupported(
        "only calls of 'emit' are supported on target bmv2 in the deparser", item.span
    )


def _is_emit(ctx: Context, call: ast.Call) -> bool:
    info = ctx.checked.calls[call]
    return info.kind is CallKind.EXTERN_METHOD and info.name == "emit"


def _emitted(ctx: Context, call: ast.Call) -> list[str]:
    value_expr = ctx.checked.calls[call].arguments[0].value
    assert value_expr is not None
    value = expressions.evaluate(ctx, value_expr)
    return _headers(value, value_expr)


def _headers(value: Value, expr: ast.Expression) -> list[str]:
    result: list[str] = []
    parts: list[Value] = [value]
    if isinstance(value, StructValue):
        parts = list(value.fields.values())
    for part in parts:
        match part:
            case HeaderPlace(instance):
                result.append(instance)
            case StackPlace(elements=elements):
                for e in elements:
                    result += _headers(e, expr)
            case UnionPlace(members=members):
                result += [m.instance for m in members.values()]
            case StructValue():
                result += _headers(part, expr)
            case HeaderLiteral():
                raise Unsupported(
                    "emitting a header that is no variable is not supported on target bmv2",
                    expr.span,
                )
            case _:
                raise Unsupported("emitting this is not supported on target bmv2", expr.span)
    return result
