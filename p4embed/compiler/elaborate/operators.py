"""Operators on values that are known already: arithmetic and comparisons."""

from __future__ import annotations

from p4embed.compiler import ast, ir
from p4embed.compiler.elaborate import conversions, expressions
from p4embed.compiler.elaborate.context import Context
from p4embed.compiler.elaborate.values import (
    ElementPlace,
    HeaderLiteral,
    HeaderPlace,
    IntValue,
    InvalidHeader,
    LastElement,
    StackLiteral,
    StackPlace,
    StructValue,
    UnionElement,
    UnionPlace,
    Unsupported,
    Value,
    is_scalar,
    last_element,
)
from p4embed.compiler.ir import fold

_UNARY_INT = {"-": lambda a: -a, "+": lambda a: a, "~": lambda a: ~a}


def unary(ctx: Context, expr: ast.Unary) -> Value:
    operand = expressions.evaluate(ctx, expr.operand)
    if isinstance(operand, IntValue):
        return IntValue(_UNARY_INT[expr.op](operand.value))
    value = conversions.as_scalar(ctx, operand, expr.operand)
    if expr.op == "+":
        return value
    return fold.unary("not" if expr.op == "!" else expr.op, value)


def _int_binary(op: str, a: int, b: int, expr: ast.Expression) -> Value:
    match op:
        case "+":
            return IntValue(a + b)
        case "-":
            return IntValue(a - b)
        case "*":
            return IntValue(a * b)
        case "/" if b > 0:
            return IntValue(a // b)
        case "%" if b > 0:
            return IntValue(a % b)
        case "<<":
            return IntValue(a << b)
        case ">>":
            return IntValue(a >> b)
        case "&":
            return IntValue(a & b)
        case "|":
            return IntValue(a | b)
        case "^":
            return IntValue(a ^ b)
        case "==" | "!=" | "<" | "<=" | ">" | ">=":
            type_ = ir.Bits(max(a.bit_length(), b.bit_length()) + 1, signed=True)
            return fold.compare(op, ir.Const(a, type_), ir.Const(b, type_))
    raise Unsupported(f"'{op}' of these numbers is not defined", expr.span)


def binary(
    ctx: Context,
    op: str,
    left: Value,
    right: Value,
    expr: ast.Expression,
) -> Value:
    """`left op right` of values (not `&&` and `||`)."""
    if isinstance(left, IntValue) and isinstance(right, IntValue):
        return _int_binary(op, left.value, right.value, expr)
    if op in ("<<", ">>"):
        if isinstance(right, IntValue):
            right = ir.Const(right.value, ir.Bits(max(1, right.value.bit_length())))
        if not is_scalar(left) or not is_scalar(right):
            raise Unsupported(
                f"'{op}' of a number without width is not supported on target bmv2", expr.span
            )
        return fold.shift(op, left, right)
    if isinstance(left, IntValue) and is_scalar(right):
        left = fold.const(left.value, fold.bits_of(right))
    if isinstance(right, IntValue) and is_scalar(left):
        right = fold.const(right.value, fold.bits_of(left))
    if op in ("==", "!="):
        equal = equality(ctx, left, right, expr)
        return equal if op == "==" else fold.logical_not(equal)
    if not (is_scalar(left) and is_scalar(right)):
        raise Unsupported(f"'{op}' of these values is not supported on target bmv2", expr.span)
    if op == "++":
        return fold.concat(left, right)
    return fold.binary(op, left, right)


def equality(ctx: Context, left: Value, right: Value, expr: ast.Expression) -> ir.Expr:
    """`left == right` of scalars, structs, tuples, headers or stacks."""
    if is_scalar(left) and is_scalar(right):
        return fold.compare("==", left, right)
    headers = (HeaderPlace, ElementPlace, HeaderLiteral, InvalidHeader)
    if isinstance(left, headers) and isinstance(right, headers):
        return _header_equality(ctx, left, right, expr)
    parts_left, parts_right = _parts(left), _parts(right)
    if parts_left is None or parts_right is None or len(parts_left) != len(parts_right):
        raise Unsupported("this comparison is not supported on target bmv2", expr.span)
    result: ir.Expr = fold.TRUE
    for a, b in zip(parts_left, parts_right, strict=True):
        result = fold.logical_and(result, equality(ctx, a, b, expr))
    return result


def _parts(value: Value) -> list[Value] | None:
    match value:
        case StructValue(fields):
            return list(fields.values())
        case StackPlace(elements=elements):
            return list(elements)
        case StackLiteral(elements):
            return list(elements)
    return None


def _header_equality(ctx: Context, left: Value, right: Value, expr: ast.Expression) -> ir.Expr:
    valid_left, valid_right = validity(left, expr), validity(right, expr)
    same: ir.Expr = fold.TRUE
    headers = (HeaderPlace, ElementPlace, HeaderLiteral, InvalidHeader)
    assert isinstance(left, headers)
    type_ = left.type
    for f in type_.fields:
        same = fold.logical_and(
            same,
            equality(
                ctx,
                expressions.member_of(ctx, left, f.name, expr),
                expressions.member_of(ctx, right, f.name, expr),
                expr,
            ),
        )
    both_invalid = fold.logical_and(fold.logical_not(valid_left), fold.logical_not(valid_right))
    both_valid = fold.logical_and(valid_left, valid_right)
    return fold.logical_or(both_invalid, fold.logical_and(both_valid, same))


def validity(value: Value, expr: ast.Expression) -> ir.Expr:
    """`value.isValid()`."""
    match value:
        case HeaderPlace(instance):
            return ir.Valid(instance)
        case ElementPlace(element):
            return ir.ElementValid(element)
        case LastElement():
            return ir.ElementValid(last_element(value).element)
        case HeaderLiteral():
            return fold.TRUE
        case InvalidHeader():
            return fold.FALSE
        case UnionPlace(members=members):
            result: ir.Expr = fold.FALSE
            for m in members.values():
                result = fold.logical_or(result, ir.Valid(m.instance))
            return result
        case UnionElement(type=type_):
            result = fold.FALSE
            for f in type_.fields:
                result = fold.logical_or(result, validity(value.member(f.name), expr))
            return result
    raise Unsupported("'isValid' is not supported on target bmv2 here", expr.span)
