"""Keysets: what a select case or a table entry matches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from p4embed.compiler import ast, ir
from p4embed.compiler.elaborate import expressions
from p4embed.compiler.elaborate.context import Context
from p4embed.compiler.elaborate.values import (
    IntValue,
    StructValue,
    Unsupported,
    Value,
)


@dataclass(frozen=True, slots=True)
class Masked:
    """Values equal to `value` under `mask`."""

    value: int
    mask: int


def _number(value: Value, width: int, expr: ast.Expression) -> int:
    match value:
        case ir.Const(number) | IntValue(number):
            return number & ((1 << width) - 1)
        case ir.BoolConst(flag):
            return int(flag)
    raise Unsupported("this must be known while compiling", expr.span)


def _width(type_: ir.Scalar) -> int:
    return type_.width if isinstance(type_, ir.Bits) else 1


def prefixes(low: int, high: int, width: int) -> list[Masked]:
    """The range as masked values, as few as possible."""
    full = (1 << width) - 1
    result: list[Masked] = []
    while low <= high:
        size = low & -low if low else 1 << width
        while size > high - low + 1:
            size >>= 1
        result.append(Masked(low, full & ~(size - 1)))
        low += size
    return result


def _ordinal(value: int, type_: ir.Scalar) -> int:
    """A signed key's bits, so ordered as the numbers are."""
    if isinstance(type_, ir.Bits) and type_.signed:
        return value ^ (1 << (type_.width - 1))
    return value


def alternatives(
    ctx: Context, expr: ast.Expression, types: list[ir.Scalar]
) -> list[tuple[Masked, ...]]:
    """All ways to match: each gives one masked value for each of `types`.

    A struct among the select expressions takes as many types as it has scalars.
    """
    if isinstance(expr, ast.DefaultKeyset | ast.DontCare):
        return [tuple(Masked(0, 0) for _ in types)]
    if len(types) != 1:
        return _several(ctx, expr, types)
    type_ = types[0]
    width = _width(type_)
    full = (1 << width) - 1
    match expr:
        case ast.TupleKeyset(elements=[single]) | ast.ListExpression(elements=[single]):
            return alternatives(ctx, single, types)
        case ast.Mask(value=value, mask=mask):
            bits = _number(expressions.evaluate(ctx, mask), width, mask)
            wanted = _number(expressions.evaluate(ctx, value), width, value)
            return [(Masked(wanted & bits, bits),)]
        case ast.Range(low=low_expr, high=high_expr):
            low = _number(expressions.evaluate(ctx, low_expr), width, low_expr)
            high = _number(expressions.evaluate(ctx, high_expr), width, high_expr)
            first, last = _ordinal(low, type_), _ordinal(high, type_)
            return [
                (Masked(_ordinal(m.value, type_) & m.mask, m.mask),)
                for m in prefixes(first, last, width)
            ]
    return [(Masked(_number(expressions.evaluate(ctx, expr), width, expr), full),)]


def _several(
    ctx: Context, expr: ast.Expression, types: list[ir.Scalar]
) -> list[tuple[Masked, ...]]:
    if isinstance(expr, ast.TupleKeyset | ast.ListExpression):
        parts = expr.elements
        if len(parts) == len(types):
            options = [alternatives(ctx, p, [t]) for p, t in zip(parts, types, strict=True)]
            return [tuple(m for group in combo for m in group) for combo in product(*options)]
    value = expressions.evaluate(ctx, expr)
    if isinstance(value, StructValue):
        leaves = expressions.scalar_leaves(ctx, value, expr)
        if len(leaves) == len(types):
            return [
                tuple(
                    Masked(_number(v, _width(t), expr), (1 << _width(t)) - 1)
                    for v, t in zip(leaves, types, strict=True)
                )
            ]
    raise Unsupported("this keyset is not supported on target bmv2", expr.span)


def key_match(ctx: Context, expr: ast.Expression, target: ir.FieldRef, kind: str) -> ir.Match:
    """One key of a table entry."""
    width = _width(target.type)
    full = (1 << width) - 1
    any_value = isinstance(expr, ast.DefaultKeyset | ast.DontCare)
    if kind == "range":
        if any_value:
            return ir.Match("range", 0, full, width)
        if isinstance(expr, ast.Range):
            low = _number(expressions.evaluate(ctx, expr.low), width, expr.low)
            high = _number(expressions.evaluate(ctx, expr.high), width, expr.high)
            return ir.Match("range", low, high, width)
        point = _number(expressions.evaluate(ctx, expr), width, expr)
        return ir.Match("range", point, point, width)
    options = alternatives(ctx, expr, [target.type])
    if len(options) != 1:
        raise Unsupported(f"a range does not fit a key of kind '{kind}'", expr.span)
    (masked,) = options[0]
    match kind:
        case "exact":
            if masked.mask != full:
                raise Unsupported("a key of kind 'exact' wants one value", expr.span)
            return ir.Match("exact", masked.value, 0, width)
        case "lpm":
            length = masked.mask.bit_count()
            if masked.mask != full & ~((1 << (width - length)) - 1):
                raise Unsupported("the mask of a key of kind 'lpm' wants its ones first", expr.span)
            return ir.Match("lpm", masked.value, length, width)
        case "ternary" | "optional":
            return ir.Match("ternary", masked.value, masked.mask, width)
    raise Unsupported(f"match kind '{kind}' is not supported on target bmv2", expr.span)
