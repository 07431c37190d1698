"""Values converted: constants, implicit and explicit casts, default values."""

from __future__ import annotations

from p4embed.compiler import ast, checked, ir
from p4embed.compiler.elaborate.context import Context, enum_number, int_to
from p4embed.compiler.elaborate.values import (
    HeaderLiteral,
    IntValue,
    InvalidHeader,
    StackLiteral,
    StructValue,
    Text,
    Unsupported,
    Value,
    is_scalar,
    scalar_type,
    underlying,
)
from p4embed.compiler.ir import fold
from p4embed.compiler.types import (
    BitType,
    EnumType,
    ErrorType,
    IntType,
    NewType,
    StackType,
    StructType,
    TupleType,
    Type,
)


def as_scalar(ctx: Context, value: Value, expr: ast.Expression) -> ir.Expr:
    """The value as a scalar of the expression's type."""
    if isinstance(value, IntValue):
        return int_to(value, underlying(ctx.type_of(expr)), expr.span)
    if not is_scalar(value):
        raise Unsupported(
            f"a value of type '{ctx.type_of(expr)}' is not supported on target bmv2 here",
            expr.span,
        )
    return value


def from_constant(ctx: Context, value: checked.Value, type_: Type, expr: ast.Expression) -> Value:
    """A compile-time value as the elaborator has it."""
    match value:
        case bool():
            return fold.bool_const(value)
        case int():
            plain = scalar_type(type_)
            return fold.const(value, plain) if isinstance(plain, ir.Bits) else IntValue(value)
        case str():
            return Text(value)
        case checked.ErrorValue(name):
            return fold.const(ctx.world.error_number(name), ir.BIT32)
        case checked.EnumValue(enum, name, number):
            if enum.underlying is None:
                return fold.const(enum_number(enum, name), ir.BIT32)
            assert number is not None
            return fold.const(number, ir.Bits(enum.underlying.width, enum.underlying.signed))
        case checked.TupleValue(elements):
            types = underlying(type_)
            parts = types.elements if isinstance(types, TupleType) else ()
            named: dict[str, Value] = {}
            for i, e in enumerate(elements):
                named[str(i)] = from_constant(ctx, e, parts[i] if parts else type_, expr)
            return StructValue(named)
        case checked.StructValue(struct, fields):
            by_name = {}
            for name, v in fields:
                declared = None if struct is None else struct.find(name)
                by_name[name] = from_constant(
                    ctx, v, type_ if declared is None else declared.type, expr
                )
            if struct is not None and struct.is_header:
                return HeaderLiteral(struct, by_name)
            return StructValue(by_name)
        case checked.InvalidHeaderValue(header):
            return InvalidHeader(header)
        case checked.StackValue(stack, elements):
            return StackLiteral(tuple(from_constant(ctx, e, stack.element, expr) for e in elements))
    raise Unsupported("this constant is not supported on target bmv2", expr.span)


def convert(ctx: Context, value: Value, type_: Type, expr: ast.Expression) -> Value:
    """The value converted implicitly to `type_`."""
    type_ = underlying(type_)
    if isinstance(value, IntValue):
        return value if isinstance(type_, IntType) else int_to(value, type_, expr.span)
    target = scalar_type(type_)
    if target is not None and is_scalar(value):
        if isinstance(target, ir.VarBits):
            return value
        return fold.cast(value, target)
    if isinstance(value, StructValue):
        parts = list(value.fields.values())
        match type_:
            case StructType() if not type_.is_union:
                named = all(k in {f.name for f in type_.fields} for k in value.fields)
                fields = {
                    f.name: convert(ctx, value.fields[f.name] if named else parts[i], f.type, expr)
                    for i, f in enumerate(type_.fields)
                }
                return HeaderLiteral(type_, fields) if type_.is_header else StructValue(fields)
            case TupleType(elements):
                return StructValue(
                    {str(i): convert(ctx, parts[i], e, expr) for i, e in enumerate(elements)}
                )
            case StackType(element):
                return StackLiteral(tuple(convert(ctx, p, element, expr) for p in parts))
    return value


def default_value(type_: Type, expr: ast.Expression) -> Value:
    """What `...` gives a field of that type: 0, false, NoError, invalid."""
    target = scalar_type(type_)
    match target:
        case ir.Bits():
            return fold.const(0, target)
        case ir.Bool():
            return fold.FALSE
    match underlying(type_):
        case StructType() as struct if struct.is_header or struct.is_union:
            return InvalidHeader(struct)
        case StructType() as struct:
            return StructValue({f.name: default_value(f.type, expr) for f in struct.fields})
        case TupleType(elements):
            return StructValue({str(i): default_value(e, expr) for i, e in enumerate(elements)})
        case StackType(element, size):
            return StackLiteral(tuple(default_value(element, expr) for _ in range(size)))
    raise Unsupported(f"type '{type_}' has no default value on target bmv2", expr.span)


def explicit_cast(ctx: Context, value: Value, type_: Type, expr: ast.Expression) -> Value:
    """`(type) value`."""
    plain = underlying(type_)
    match plain:
        case IntType():
            if isinstance(value, ir.Const):
                return IntValue(value.value)
            return value
        case BitType(width, signed):
            if isinstance(value, IntValue):
                return fold.const(value.value, ir.Bits(width, signed))
            return _cast_bits(as_scalar(ctx, value, expr), ir.Bits(width, signed))
        case EnumType() | ErrorType():
            target = scalar_type(plain)
            assert isinstance(target, ir.Bits)
            if isinstance(value, IntValue):
                return fold.const(value.value, target)
            return _cast_bits(as_scalar(ctx, value, expr), target)
    if isinstance(type_, NewType) and is_scalar(value):
        target_type = scalar_type(plain)
        assert isinstance(target_type, ir.Bits | ir.Bool)
        return fold.cast(value, target_type)
    if scalar_type(plain) == ir.BOOL:
        if isinstance(value, IntValue):
            return fold.bool_const(value.value != 0)
        return fold.cast(as_scalar(ctx, value, expr), ir.BOOL)
    return convert(ctx, value, plain, expr)


def _cast_bits(value: ir.Expr, target: ir.Bits) -> ir.Expr:
    """Width first, in the sign of the source, then the sign."""
    source = value.type
    if isinstance(source, ir.Bits) and source.signed != target.signed:
        value = fold.cast(value, ir.Bits(target.width, source.signed))
    return fold.cast(value, target)
