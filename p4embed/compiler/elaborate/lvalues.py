"""Places, and storing values into them."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.elaborate import expressions
from p4embed.compiler.elaborate.context import Context
from p4embed.compiler.elaborate.values import (
    ElementPlace,
    HeaderLiteral,
    HeaderPlace,
    InvalidHeader,
    LastElement,
    SlicePlace,
    StackLiteral,
    StackPlace,
    StructValue,
    UnionElement,
    UnionMember,
    UnionPlace,
    Unsupported,
    Value,
    is_scalar,
    last_element,
    overlap,
    scalar_type,
    touches,
)
from p4embed.compiler.ir import fold, tree
from p4embed.compiler.types import StructType, Type


def header_field(
    ctx: Context,
    base: HeaderPlace | ElementPlace | LastElement | UnionMember,
    name: str,
    span: Span,
) -> Value:
    """A field of a header; a struct of fields if the header has a struct in it."""
    type_ = base.stack.type.element if isinstance(base, LastElement) else base.type
    assert isinstance(type_, StructType)
    declared = type_.find(name)
    assert declared is not None, f"no field {name}"
    return _field(ctx, base, type_, declared.type, name, span)


def _field(
    ctx: Context,
    base: HeaderPlace | ElementPlace | LastElement | UnionMember,
    header: StructType,
    type_: Type,
    path: str,
    span: Span,
) -> Value:
    if isinstance(type_, StructType):
        return StructValue(
            {
                f.name: _field(ctx, base, header, f.type, f"{path}.{f.name}", span)
                for f in type_.fields
            }
        )
    scalar = scalar_type(type_)
    assert scalar is not None
    kind = ctx.storage.header_type(header)
    match base:
        case HeaderPlace(instance):
            return ir.FieldRef(instance, path, scalar)
        case ElementPlace(element):
            return ir.ElementField(element, path, kind.offset(path), scalar)
        case LastElement(stack):
            return ir.LastField(stack.name, path, scalar)
        case UnionMember(LastElement(stack), member):
            return ir.LastField(stack.name, path, scalar, member)
        case _:
            raise Unsupported("a field of '.next' is not supported on target bmv2", span)


def lvalue(ctx: Context, expr: ast.Expression) -> Value | SlicePlace:
    """The place that an expression names."""
    if isinstance(expr, ast.Slice):
        base = lvalue(ctx, expr.base)
        high, low = expressions.number(ctx, expr.high), expressions.number(ctx, expr.low)
        if isinstance(base, SlicePlace):
            return SlicePlace(base.base, base.low + high, base.low + low)
        if isinstance(base, ir.FieldRef | ir.ElementField):
            return SlicePlace(base, high, low)
        raise Unsupported("these bits cannot be assigned to on target bmv2", expr.span)
    match expr:
        case ast.PathExpression() | ast.Member() | ast.Index():
            # A place has no natural-to-wanted conversion, so the conversion is left out.
            return _writable(ctx, expressions.natural(ctx, expr))
    raise Unsupported("this cannot be assigned to on target bmv2", expr.span)


def _writable(ctx: Context, place: Value) -> Value:
    """The place by other means, if it is one that BMv2 can only read."""
    match place:
        case LastElement():
            return last_element(place)
        case ir.LastField(stack, name, type_, None):
            header = ctx.storage.stack_element_type(stack)
            element = ir.StackElement(stack, ir.LastIndex(stack))
            return ir.ElementField(element, name, header.offset(name), type_)
    return place


def store(ctx: Context, place: Value | SlicePlace, value: Value, span: Span) -> None:
    """Assign `value` to `place`, part by part."""
    match place:
        case ir.FieldRef() | ir.ElementField():
            ctx.emit(tree.Assign(place, _as_expr(value, place, span), span))
        case SlicePlace(base, high, low):
            _store_slice(ctx, base, high, low, _as_bits(value, ir.Bits(high - low + 1), span), span)
        case StructValue(fields):
            _store_struct(ctx, fields, value, span)
        case HeaderPlace() | ElementPlace():
            _store_header(ctx, place, value, span)
        case StackPlace():
            _store_stack(ctx, place, value, span)
        case UnionPlace() | UnionElement():
            _store_union(ctx, place, value, span)
        case _:
            raise Unsupported("this cannot be assigned to on target bmv2", span)


def _as_bits(value: Value, type_: ir.Bits, span: Span) -> ir.Expr:
    if not is_scalar(value):
        raise Unsupported("this value is not supported on target bmv2 here", span)
    return fold.cast(value, type_)


def _as_expr(value: Value, place: ir.LValue, span: Span) -> ir.Expr:
    if not is_scalar(value):
        raise Unsupported("this value is not supported on target bmv2 here", span)
    if isinstance(place.type, ir.VarBits):
        return value
    return fold.cast(value, place.type)


def _store_slice(
    ctx: Context, base: ir.LValue, high: int, low: int, value: ir.Expr, span: Span
) -> None:
    whole = base.type
    assert isinstance(whole, ir.Bits)
    plain = ir.Bits(whole.width)
    old = fold.cast(base, plain)
    hole = plain.mask & ~(((1 << (high - low + 1)) - 1) << low)
    kept = fold.binary("&", old, fold.const(hole, plain))
    moved = fold.shift("<<", fold.cast(value, plain), ir.Const(low, ir.Bits(32)))
    ctx.emit(tree.Assign(base, fold.cast(fold.binary("|", kept, moved), whole), span))


def _store_struct(ctx: Context, fields: dict[str, Value], value: Value, span: Span) -> None:
    if not isinstance(value, StructValue):
        raise Unsupported("this value is not supported on target bmv2 here", span)
    parts = dict(zip(fields, value.fields.values(), strict=True))
    if all(name in value.fields for name in fields):
        parts = {name: value.fields[name] for name in fields}
    written: set[tuple[str, str]] = set()
    clash = False
    for name, target in fields.items():
        clash = clash or overlap(written, set(touches(parts[name])))
        written |= set(touches(target))
    if clash:
        parts = {name: expressions.keep(ctx, part) for name, part in parts.items()}
    for name, target in fields.items():
        store(ctx, target, parts[name], span)


def header_argument(place: HeaderPlace | ElementPlace) -> ir.Arg:
    """A header as the argument of a primitive."""
    if isinstance(place, HeaderPlace):
        return ir.Ref("header", place.instance)
    return place.element


def _store_header(
    ctx: Context, place: HeaderPlace | ElementPlace, value: Value, span: Span
) -> None:
    target = header_argument(place)
    match value:
        case HeaderPlace() | ElementPlace():
            if value != place:
                do(ctx, "assign_header", (target, header_argument(value)), span)
        case InvalidHeader():
            set_invalid(ctx, place, span)
        case HeaderLiteral(type_, fields):
            covered = set(touches(place))
            if any(overlap(covered, set(touches(v))) for v in fields.values()):
                fields = {k: expressions.keep(ctx, v) for k, v in fields.items()}
            set_valid(ctx, place, span)
            for f in type_.fields:
                store(ctx, header_field(ctx, place, f.name, span), fields[f.name], span)
        case LastElement():
            _store_header(ctx, place, last_element(value), span)
        case StructValue(fields):
            _store_header(ctx, place, HeaderLiteral(place.type, fields), span)
        case _:
            raise Unsupported("this value is not supported on target bmv2 here", span)


def set_valid(ctx: Context, place: HeaderPlace | ElementPlace, span: Span) -> None:
    """`place.setValid()`; BMv2 itself makes the other members of a union invalid."""
    do(ctx, "add_header", (header_argument(place),), span)


def set_invalid(ctx: Context, place: HeaderPlace | ElementPlace, span: Span) -> None:
    """`place.setInvalid()`."""
    do(ctx, "remove_header", (header_argument(place),), span)


def _store_stack(ctx: Context, place: StackPlace, value: Value, span: Span) -> None:
    match value:
        case StackPlace():
            if value.name != place.name:
                plain = place.kind == "header_stack"
                op = "assign_header_stack" if plain else "assign_union_stack"
                do(ctx, op, (ir.Ref(place.kind, place.name), ir.Ref(place.kind, value.name)), span)
        case StackLiteral(elements):
            for target, part in zip(place.elements, elements, strict=True):
                store(ctx, target, part, span)
        case StructValue(fields):
            for target, part in zip(place.elements, fields.values(), strict=True):
                store(ctx, target, part, span)
        case _:
            raise Unsupported("this value is not supported on target bmv2 here", span)


def _union_argument(place: UnionPlace | UnionElement) -> ir.Arg:
    """A header union as the argument of a primitive."""
    if isinstance(place, UnionPlace):
        return ir.Ref("header_union", place.name)
    return place.element


def _store_union(ctx: Context, place: UnionPlace | UnionElement, value: Value, span: Span) -> None:
    match value:
        case UnionPlace() | UnionElement():
            target, source = _union_argument(place), _union_argument(value)
            if target != source:
                do(ctx, "assign_union", (target, source), span)
        case InvalidHeader():
            for f in place.type.fields:
                name = f.name
                member = (
                    place.members[name] if isinstance(place, UnionPlace) else place.member(name)
                )
                set_invalid(ctx, member, span)
        case _:
            raise Unsupported("this value is not supported on target bmv2 here", span)


def invalidate(ctx: Context, place: Value, span: Span) -> None:
    """Make every header in `place` invalid, as at the start of its life."""
    match place:
        case HeaderPlace():
            set_invalid(ctx, place, span)
        case StackPlace(elements=elements):
            for e in elements:
                invalidate(ctx, e, span)
        case UnionPlace(members=members):
            for m in members.values():
                set_invalid(ctx, m, span)
        case StructValue(fields):
            for part in fields.values():
                invalidate(ctx, part, span)


def do(ctx: Context, op: str, args: tuple[ir.Arg, ...], span: Span) -> None:
    """Emit a primitive."""
    ctx.emit(tree.Do(ir.Primitive(op, args, span)))
