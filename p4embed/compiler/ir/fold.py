"""Builds expressions and computes what is constant in them (P4_16, section 8).

The functions named like operations return the simplest expression of that value. They
take operands whose types already agree; results are in the range of their type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from p4embed.compiler import ir

TRUE = ir.BoolConst(True)
FALSE = ir.BoolConst(False)


def wrap(value: int, type_: ir.Bits) -> int:
    """`value` modulo the width of `type_`, in its range."""
    value &= type_.mask
    if type_.signed and type_.width and value >> (type_.width - 1):
        value -= 1 << type_.width
    return value


def const(value: int, type_: ir.Bits) -> ir.Const:
    """The number, wrapped into the type."""
    return ir.Const(wrap(value, type_), type_)


def bool_const(value: bool) -> ir.BoolConst:
    """`true` or `false`."""
    return TRUE if value else FALSE


def is_leaf(expr: ir.Expr) -> bool:
    """Whether reading it costs nothing worth a temporary."""
    return isinstance(
        expr, ir.Const | ir.BoolConst | ir.FieldRef | ir.ParamRef | ir.Valid | ir.LastField
    )


def logical_not(operand: ir.Expr) -> ir.Expr:
    """`!operand`."""
    match operand:
        case ir.BoolConst(value):
            return bool_const(not value)
        case ir.Unary("not", inner):
            return inner
    return ir.Unary("not", operand, ir.BOOL)


def unary(op: str, operand: ir.Expr) -> ir.Expr:
    """`-` or `~` of bits, `not` of a bool."""
    if op == "not":
        return logical_not(operand)
    type_ = bits_of(operand)
    if isinstance(operand, ir.Const):
        return const(-operand.value if op == "-" else ~operand.value, type_)
    return ir.Unary(op, operand, type_)


def bits_of(expr: ir.Expr) -> ir.Bits:
    """The type of an expression that is known to be bits."""
    assert isinstance(expr.type, ir.Bits), f"{expr} is not bits"
    return expr.type


def logical_and(left: ir.Expr, right: ir.Expr) -> ir.Expr:
    """`left && right`, neither having side effects."""
    if isinstance(left, ir.BoolConst):
        return right if left.value else FALSE
    if isinstance(right, ir.BoolConst):
        return left if right.value else FALSE
    return ir.Binary("and", left, right, ir.BOOL)


def logical_or(left: ir.Expr, right: ir.Expr) -> ir.Expr:
    """`left || right`, neither having side effects."""
    if isinstance(left, ir.BoolConst):
        return TRUE if left.value else right
    if isinstance(right, ir.BoolConst):
        return TRUE if right.value else left
    return ir.Binary("or", left, right, ir.BOOL)


def _compare(op: str, left: int, right: int) -> bool:
    match op:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right


def compare(op: str, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    """A comparison of two scalars of one type."""
    match left, right:
        case ir.Const(a), ir.Const(b):
            return bool_const(_compare(op, a, b))
        case (ir.BoolConst(c), other) | (other, ir.BoolConst(c)):
            return other if c == (op == "==") else logical_not(other)
    return ir.Binary(op, left, right, ir.BOOL)


def _arithmetic(op: str, a: int, b: int, type_: ir.Bits) -> int | None:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a // b if b > 0 and a >= 0 else None
        case "%":
            return a % b if b > 0 and a >= 0 else None
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "|+|" | "|-|":
            result = a + b if op == "|+|" else a - b
            low = -(1 << (type_.width - 1)) if type_.signed else 0
            high = (1 << (type_.width - 1)) - 1 if type_.signed else type_.mask
            return min(max(result, low), high)
    return None


def binary(op: str, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    """Any binary operator but `<<`, `>>` and `++`."""
    if op == "and":
        return logical_and(left, right)
    if op == "or":
        return logical_or(left, right)
    if op in ir.COMPARISONS:
        return compare(op, left, right)
    type_ = bits_of(left)
    if isinstance(left, ir.Const) and isinstance(right, ir.Const):
        value = _arithmetic(op, left.value, right.value, type_)
        if value is not None:
            return const(value, type_)
    if isinstance(right, ir.Const):
        if right.value == 0:
            if op in ("+", "-", "|", "^", "|+|", "|-|"):
                return left
            if op in ("&", "*"):
                return const(0, type_)
        if op == "&" and not type_.signed and right.value == type_.mask:
            return left
    if isinstance(left, ir.Const) and left.value == 0:
        if op in ("+", "|", "^"):
            return right
        if op in ("/", "%"):
            return left
    return ir.Binary(op, left, right, type_)


def shift(op: str, left: ir.Expr, amount: ir.Expr) -> ir.Expr:
    """`<<` or `>>`; an amount of the width or more gives 0, or the sign for `int >>`."""
    type_ = bits_of(left)
    if isinstance(amount, ir.Const):
        n = amount.value
        if n == 0:
            return left
        if n >= type_.width and (op == "<<" or not type_.signed):
            return const(0, type_)
        if isinstance(left, ir.Const):
            return const(left.value << n if op == "<<" else left.value >> n, type_)
    return ir.Binary(op, left, amount, type_)


def concat(left: ir.Expr, right: ir.Expr) -> ir.Expr:
    """`left ++ right`."""
    a, b = bits_of(left), bits_of(right)
    type_ = ir.Bits(a.width + b.width, a.signed)
    if isinstance(left, ir.Const) and isinstance(right, ir.Const):
        return const((left.value & a.mask) << b.width | (right.value & b.mask), type_)
    if a.width == 0:
        return cast(right, type_)
    if b.width == 0:
        return left
    return ir.Binary("++", left, right, type_)


def slice_bits(operand: ir.Expr, high: int, low: int) -> ir.Expr:
    """`operand[high:low]`, as unsigned bits."""
    type_ = bits_of(operand)
    if isinstance(operand, ir.Const):
        return const((operand.value & type_.mask) >> low, ir.Bits(high - low + 1))
    if low == 0 and high == type_.width - 1:
        return cast(operand, ir.Bits(type_.width))
    match operand:
        case ir.Slice(inner, _, base):
            return slice_bits(inner, base + high, base + low)
        case ir.Binary("++", left, right):
            width = bits_of(right).width
            if high < width:
                return slice_bits(right, high, low)
            if low >= width:
                return slice_bits(left, high - width, low - width)
    return ir.Slice(operand, high, low)


def cast(operand: ir.Expr, type_: ir.Bits | ir.Bool) -> ir.Expr:
    """The value converted as `(type) operand` does."""
    if operand.type == type_:
        return operand
    match operand, type_:
        case ir.Const(value), ir.Bits():
            return const(value, type_)
        case ir.Const(value), ir.Bool():
            return bool_const(value != 0)
        case ir.BoolConst(flag), ir.Bits():
            return const(int(flag), type_)
        case ir.Cast(inner, ir.Bits(middle)), ir.Bits(width) if (
            isinstance(inner.type, ir.Bits) and width <= middle <= inner.type.width
        ):
            return cast(inner, type_)
    return ir.Cast(operand, type_)


def choice(condition: ir.Expr, yes: ir.Expr, no: ir.Expr) -> ir.Expr:
    """`condition ? yes : no`, no operand having side effects."""
    if isinstance(condition, ir.BoolConst):
        return yes if condition.value else no
    if yes == no:
        return yes
    type_ = yes.type
    assert not isinstance(type_, ir.VarBits)
    return ir.Choice(condition, yes, no, type_)


def map_children(expr: ir.Expr, rewrite: Callable[[ir.Expr], ir.Expr]) -> ir.Expr:
    """The expression with each operand replaced by `rewrite(operand)`."""
    match expr:
        case ir.Unary(operand=operand) | ir.Cast(operand=operand) | ir.Slice(operand=operand):
            return replace(expr, operand=rewrite(operand))
        case ir.Binary(_, left, right):
            return replace(expr, left=rewrite(left), right=rewrite(right))
        case ir.Choice(condition, yes, no):
            return replace(expr, condition=rewrite(condition), yes=rewrite(yes), no=rewrite(no))
        case ir.ElementField(element) | ir.ElementValid(element):
            return replace(expr, element=replace(element, index=rewrite(element.index)))
    return expr
