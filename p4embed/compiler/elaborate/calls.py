"""What a call stands for, and how arguments meet parameters."""

from __future__ import annotations

from collections.abc import Sequence

from p4embed.compiler import ast, ir
from p4embed.compiler.ast import Direction
from p4embed.compiler.ast.walk import walk
from p4embed.compiler.checked import BoundArgument, CallInfo, CallKind
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate import (
    blocks,
    conversions,
    expressions,
    lvalues,
    operators,
    packet,
    parsers,
    tables,
    v1model,
)
from p4embed.compiler.elaborate.context import Context, CopyOut, Scope
from p4embed.compiler.elaborate.values import (
    ElementPlace,
    HeaderPlace,
    InstanceValue,
    IntValue,
    PacketValue,
    SlicePlace,
    StackPlace,
    Text,
    Unsupported,
    Value,
    is_scalar,
    overlap,
    scalar_type,
    touches,
)
from p4embed.compiler.ir import fold, tree


def call(ctx: Context, expr: ast.Call) -> Value | None:
    """Emit a call's statements; its result, None for void."""
    info = ctx.checked.calls[expr]
    match info.kind:
        case CallKind.FUNCTION:
            return blocks.call_function(ctx, expr, info)
        case CallKind.ACTION:
            blocks.call_action(ctx, expr, info)
            return None
        case CallKind.CONTROL_APPLY:
            blocks.call_control(ctx, expr, info)
            return None
        case CallKind.PARSER_APPLY:
            parsers.call_parser(ctx, expr, info)
            return None
        case CallKind.TABLE_APPLY:
            tables.apply(ctx, expr, info)
            return None
        case CallKind.EXTERN_FUNCTION:
            return v1model.function(ctx, expr, info)
        case CallKind.EXTERN_METHOD:
            return _method(ctx, expr, info)
        case CallKind.BUILTIN:
            return _builtin(ctx, expr, info)
        case _:
            raise Unsupported("constructing here is not supported on target bmv2", expr.span)


def apply_result(ctx: Context, expr: ast.Call, hit: bool) -> ir.Expr:
    """`table.apply().hit` or `.miss` as a value."""
    result = ctx.temporary(ir.BOOL, "hit" if hit else "miss")
    info = ctx.checked.calls[expr]
    tables.apply(
        ctx,
        expr,
        info,
        hit=[tree.Assign(result, fold.bool_const(hit), expr.span)],
        miss=[tree.Assign(result, fold.bool_const(not hit), expr.span)],
    )
    return result


def _method(ctx: Context, expr: ast.Call, info: CallInfo) -> Value | None:
    assert info.receiver is not None
    receiver = expressions.natural(ctx, info.receiver)
    match receiver:
        case PacketValue():
            return packet.method(ctx, expr, info)
        case InstanceValue():
            return v1model.method(ctx, receiver, expr, info)
    raise Unsupported(f"'{info.name}' is not supported on target bmv2 here", expr.span)


def _builtin(ctx: Context, expr: ast.Call, info: CallInfo) -> Value | None:
    assert info.receiver is not None
    receiver = expressions.natural(ctx, info.receiver)
    match info.name, receiver:
        case "isValid", _:
            return operators.validity(receiver, expr)
        case "setValid", HeaderPlace() | ElementPlace():
            lvalues.set_valid(ctx, receiver, expr.span)
            return None
        case "setInvalid", HeaderPlace() | ElementPlace():
            lvalues.set_invalid(ctx, receiver, expr.span)
            return None
        case (("push_front" | "pop_front"), StackPlace(name)):
            count = min(expressions.number(ctx, expr.arguments[0].value), receiver.type.size)
            op = "push" if info.name == "push_front" else "pop"
            lvalues.do(ctx, op, (ir.Ref(receiver.kind, name), ir.Number(count)), expr.span)
            return None
    raise Unsupported(f"'{info.name}' is not supported on target bmv2 here", expr.span)


# --- arguments ---------------------------------------------------------------------


def bind(
    ctx: Context,
    arguments: Sequence[BoundArgument],
    scope: Scope,
    span: Span,
    *,
    body: object = None,
    sees: set[tuple[str, str]] | None = None,
) -> list[CopyOut]:
    """Bind a call's arguments in the callee's scope; what is to be copied out afterwards.

    P4 copies arguments in and out. Where nobody can tell the difference, the parameter
    simply stands for the argument: headers are then never copied. The difference can be told if
    two arguments share storage and one is written, or if the callee reaches an argument by
    another name: an action `sees` the variables of its control. An `out` parameter that the
    callee's `body` never names hands back 0, as with p4c; P4 allows any value.
    """
    seen = sees or set()
    given: list[Value | SlicePlace] = []
    for argument in arguments:
        mark = len(ctx.out)
        value = _argument(ctx, argument, span)
        late = ctx.out[mark:]
        if late and given:
            del ctx.out[mark:]
            given = [
                v if isinstance(v, SlicePlace) or _is_written(a) else expressions.keep(ctx, v)
                for v, a in zip(given, arguments, strict=False)
            ]
            ctx.out.extend(late)
        given.append(value)

    copies: list[CopyOut] = []
    for i, (argument, value) in enumerate(zip(arguments, given, strict=True)):
        parameter = argument.parameter
        written = _is_written(argument)
        if isinstance(value, SlicePlace):
            alias = True
        else:
            mine = set(touches(value))
            alias = overlap(mine, seen) or any(
                j != i and (written or _is_written(other)) and _meets(mine, v)
                for j, (other, v) in enumerate(zip(arguments, given, strict=True))
            )
        if not written:
            scope.bindings[parameter] = _bind_in(ctx, argument, value, alias)
            continue
        if not alias:
            assert not isinstance(value, SlicePlace)
            scope.bindings[parameter] = value
            if parameter.direction is Direction.OUT:
                _start_out(ctx, argument, value, body, span)
            continue
        copy = ctx.storage.allocate(argument.type, f"{scope.path}.{parameter.name}", span)
        if parameter.direction is Direction.INOUT:
            lvalues.store(ctx, copy, _current(value), span)
        else:
            _start_out(ctx, argument, copy, body, span)
        scope.bindings[parameter] = copy
        copies.append(CopyOut(value, copy, span))
    return copies


def _start_out(
    ctx: Context, argument: BoundArgument, place: Value, body: object, span: Span
) -> None:
    """What an `out` parameter is when the call begins."""
    lvalues.invalidate(ctx, place, span)
    type_ = ctx.resolve(argument.type)
    if body is None or isinstance(scalar_type(type_), ir.VarBits):
        return
    names = (node for node in walk(body) if isinstance(node, ast.PathExpression))
    if all(ctx.checked.names.get(name) is not argument.parameter for name in names):
        nothing = conversions.default_value(type_, ast.BoolLiteral(span, False))
        lvalues.store(ctx, place, nothing, span)


def _is_written(argument: BoundArgument) -> bool:
    return argument.parameter.direction in (Direction.OUT, Direction.INOUT)


def _meets(mine: set[tuple[str, str]], other: Value | SlicePlace) -> bool:
    theirs = other.base if isinstance(other, SlicePlace) else other
    return overlap(mine, set(touches(theirs)))


def _current(place: Value | SlicePlace) -> Value:
    if isinstance(place, SlicePlace):
        return fold.slice_bits(place.base, place.high, place.low)
    return place


def _argument(ctx: Context, argument: BoundArgument, span: Span) -> Value | SlicePlace:
    value = argument.value
    if _is_written(argument):
        if value is None or isinstance(value, ast.DontCare):
            return ctx.storage.allocate(
                ctx.resolve(argument.type), f"{ctx.scope.path}.{argument.parameter.name}", span
            )
        return lvalues.lvalue(ctx, value)
    if value is None:
        raise Unsupported(f"no value for parameter '{argument.parameter.name}' is known here", span)
    result = expressions.evaluate(ctx, value)
    return conversions.convert(ctx, result, ctx.resolve(argument.type), value)


def _bind_in(
    ctx: Context, argument: BoundArgument, value: Value | SlicePlace, alias: bool
) -> Value:
    assert not isinstance(value, SlicePlace)
    if isinstance(value, IntValue | Text | InstanceValue | PacketValue | ir.Const | ir.BoolConst):
        return value
    if is_scalar(value):
        if isinstance(value, ir.ParamRef) or (fold.is_leaf(value) and not alias):
            return value
        return ctx.save(value, argument.parameter.name)
    return expressions.keep(ctx, value) if alias else value


def copy_out(ctx: Context, copies: list[CopyOut]) -> None:
    """Emit what `bind` left for after the call."""
    for copy in copies:
        lvalues.store(ctx, copy.target, copy.source, copy.span)
