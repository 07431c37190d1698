"""Methods of `packet_in`: extract, lookahead, advance. (`packet_out.emit`: see `checksums`.)"""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CallInfo
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate import expressions, lvalues
from p4embed.compiler.elaborate.context import Context
from p4embed.compiler.elaborate.values import (
    ElementPlace,
    HeaderPlace,
    NextElement,
    StackLiteral,
    StructValue,
    UnionMember,
    Unsupported,
    Value,
    scalar_type,
    underlying,
)
from p4embed.compiler.ir import fold, tree
from p4embed.compiler.types import StackType, StructType, TupleType, Type, width_of


def method(ctx: Context, expr: ast.Call, info: CallInfo) -> Value | None:
    """A call of one of `packet_in`'s methods in a parser."""
    match info.name:
        case "extract":
            _extract(ctx, expr, info)
            return None
        case "advance":
            value = info.arguments[0].value
            assert value is not None
            bits = expressions.scalar(ctx, value)
            ctx.emit(ir.Advance(bits, expr.span))
            return None
        case "lookahead":
            return _lookahead(ctx, ctx.resolve(info.result), expr.span)
    raise Unsupported(f"'{info.name}' of a packet is not supported on target bmv2", expr.span)


def _extract(ctx: Context, expr: ast.Call, info: CallInfo) -> None:
    target = info.arguments[0].value
    length: ir.Expr | None = None
    if len(info.arguments) > 1:
        bits = info.arguments[1].value
        assert bits is not None
        length = expressions.scalar(ctx, bits)
    place: Value
    if target is None or isinstance(target, ast.DontCare):
        type_ = underlying(ctx.resolve(info.arguments[0].type))
        place = ctx.storage.allocate(type_, f"{ctx.scope.path}.skipped", expr.span)
    else:
        place = expressions.natural(ctx, target)
    match place:
        case HeaderPlace(instance, type_):
            _check_varbit(ctx, type_, length, expr.span)
            ctx.emit(ir.Extract(instance, False, length, expr.span))
        case ElementPlace(element, type_):
            _check_varbit(ctx, type_, length, expr.span)
            _extract_element(ctx, element, length, expr.span)
        case UnionMember(NextElement(stack), member, type_):
            _check_varbit(ctx, type_, length, expr.span)
            ctx.emit(ir.Extract(stack.name, True, length, expr.span, member))
        case NextElement(stack) if stack.kind == "header_stack":
            header = stack.type.element
            assert isinstance(header, StructType)
            _check_varbit(ctx, header, length, expr.span)
            ctx.emit(ir.Extract(stack.name, True, length, expr.span))
        case _:
            raise Unsupported("extracting into this is not supported on target bmv2", expr.span)


def _extract_element(
    ctx: Context, element: ir.StackElement, length: ir.Expr | None, span: Span
) -> None:
    """Extract into an element by a variable index: a branch for each; the parser ends if it is
    out of bounds (P4_16, section 8.18)."""
    type_ = fold.bits_of(element.index)
    error = ir.Const(ctx.world.error_number("StackOutOfBounds"), ir.BIT32)
    branches: list[tree.Statement] = [ir.Verify(fold.FALSE, error, span)]
    for position, header in reversed(list(enumerate(ctx.world.program.elements(element)))):
        found = fold.compare("==", element.index, fold.const(position, type_))
        extract = ir.Extract(header.name, False, length, span)
        branches = [tree.If(found, [extract], branches, span)]
    ctx.out.extend(branches)


def _check_varbit(ctx: Context, type_: StructType, length: ir.Expr | None, span: Span) -> None:
    fields = ctx.storage.header_type(type_).fields
    has_varbit = any(isinstance(f.type, ir.VarBits) for f in fields)
    if has_varbit and length is None:
        raise Unsupported(
            f"header '{type_}' has a varbit field: its length is wanted as second argument",
            span,
        )
    if length is not None and not has_varbit:
        raise Unsupported(f"header '{type_}' has no varbit field, so it takes no length", span)


def _lookahead(ctx: Context, type_: Type, span: Span) -> Value:
    """`packet.lookahead<T>()`, all of it read at once: BMv2 compares the number of bits with
    what the packet has left, and not where they begin."""
    width = width_of(underlying(type_))
    if width is None:
        raise Unsupported(f"lookahead of type '{type_}' is not supported on target bmv2", span)
    ahead: ir.Expr = ir.Lookahead(0, ir.Bits(width))
    if scalar_type(type_) != ahead.type:
        ahead = ctx.save(ahead, "lookahead", span)
    value, _ = _peek(ctx, type_, ahead, width, span)
    return value


def _peek(ctx: Context, type_: Type, ahead: ir.Expr, left: int, span: Span) -> tuple[Value, int]:
    """The value of that type in the lowest `left` bits of `ahead`, and how many are left."""
    scalar = scalar_type(type_)
    match scalar:
        case ir.Bits(0):
            return fold.const(0, scalar), left
        case ir.Bits(width):
            return fold.cast(fold.slice_bits(ahead, left - 1, left - width), scalar), left - width
        case ir.Bool():
            return fold.cast(fold.slice_bits(ahead, left - 1, left - 1), scalar), left - 1
    plain = underlying(type_)
    if isinstance(plain, StackType):
        elements: list[Value] = []
        for _ in range(plain.size):
            value, left = _peek(ctx, plain.element, ahead, left, span)
            elements.append(value)
        return StackLiteral(tuple(elements)), left
    if not isinstance(plain, StructType | TupleType):
        raise Unsupported(f"lookahead of type '{type_}' is not supported on target bmv2", span)
    if isinstance(plain, TupleType):
        parts = [(str(i), e) for i, e in enumerate(plain.elements)]
    else:
        parts = [(f.name, f.type) for f in plain.fields]
    fields: dict[str, Value] = {}
    for name, part in parts:
        fields[name], left = _peek(ctx, part, ahead, left, span)
    if isinstance(plain, StructType) and plain.is_header:
        place = ctx.storage.header(plain, f"{ctx.scope.path}.lookahead", span)
        lvalues.set_valid(ctx, place, span)
        for name, value in fields.items():
            lvalues.store(ctx, lvalues.header_field(ctx, place, name, span), value, span)
        return place, left
    return StructValue(fields), left
