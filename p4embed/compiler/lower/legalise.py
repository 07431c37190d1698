"""Pass `legalise`: P4 arithmetic as BMv2's arithmetic on integers of any size.

BMv2 computes without bounds and cuts a value down only when it is stored. So wherever a
result could leave the range of its P4 type, it is brought back: `& mask` for unsigned,
`two_comp_mod` for signed values. Slices, concatenations, casts and saturating operators
become shifts, masks and BMv2's `usat_cast` and `sat_cast`.
"""

from __future__ import annotations

from p4embed.compiler import ir
from p4embed.compiler.ir import fold, tree


def legalise(program: tree.Program) -> tree.Program:
    """Rewrite every expression of the program."""
    tree.map_graph(program.parser, expression)
    program.ingress = tree.map_statements(program.ingress, expression)
    program.egress = tree.map_statements(program.egress, expression)
    for table in program.tables:
        for action in table.actions:
            action.body = tree.map_statements(action.body, expression)
    lowered = program.lowered
    lowered.checksums = [
        ir.Checksum(c.name, c.target, c.calculation, expression(c.condition), c.verify, c.source)
        for c in lowered.checksums
    ]
    return program


def expression(expr: ir.Expr) -> ir.Expr:
    """The expression with BMv2's operators only, bottom up."""
    expr = fold.map_children(expr, expression)
    match expr:
        case ir.Unary(op, operand, ir.Bits() as type_) if op in ("-", "~"):
            return _wrapped(ir.Unary(op, operand, type_), type_)
        case ir.Binary(op, left, right, ir.Bits() as type_):
            return _binary(op, left, right, type_)
        case ir.Cast(operand, type_):
            return _cast(operand, type_)
        case ir.Slice(operand, high, low):
            return _slice(operand, high, low)
    return expr


def _number(value: int, width: int) -> ir.Const:
    """A constant that BMv2 shall see as it is, even where it fits no P4 type."""
    return ir.Const(value, ir.Bits(max(width, value.bit_length(), 1)))


def _masked(expr: ir.Expr, width: int) -> ir.Expr:
    mask = (1 << width) - 1
    return ir.Binary("&", expr, _number(mask, width), ir.Bits(width))


def _signed(expr: ir.Expr, width: int) -> ir.Expr:
    return ir.Binary("two_comp_mod", expr, _number(width, 32), ir.Bits(width, True))


def _wrapped(expr: ir.Expr, type_: ir.Bits) -> ir.Expr:
    """`expr`, any integer, brought into the range of its type."""
    return _signed(expr, type_.width) if type_.signed else _masked(expr, type_.width)


def _unsigned(expr: ir.Expr) -> ir.Expr:
    """The same bits as an unsigned number."""
    type_ = fold.bits_of(expr)
    if not type_.signed:
        return expr
    if isinstance(expr, ir.Const):
        return fold.const(expr.value, ir.Bits(type_.width))
    return _masked(expr, type_.width)


def _binary(op: str, left: ir.Expr, right: ir.Expr, type_: ir.Bits) -> ir.Expr:
    match op:
        case "+" | "-" | "*":
            return _wrapped(ir.Binary(op, left, right, type_), type_)
        case "&" | "|" | "^" if type_.signed:
            return _signed(
                ir.Binary(op, _unsigned(left), _unsigned(right), ir.Bits(type_.width)),
                type_.width,
            )
        case "|+|" | "|-|":
            exact = ir.Binary(op.strip("|"), left, right, type_)
            cast = "sat_cast" if type_.signed else "usat_cast"
            return ir.Binary(cast, exact, _number(type_.width, 32), type_)
        case "<<":
            return _guarded_shift(op, left, right, type_)
        case ">>":
            return _guarded_shift(op, left, right, type_)
        case "++":
            low = fold.bits_of(right).width
            shifted = ir.Binary("<<", _unsigned(left), _number(low, 32), ir.Bits(type_.width))
            joined = ir.Binary("|", shifted, _unsigned(right), ir.Bits(type_.width))
            return _signed(joined, type_.width) if type_.signed else joined
    return ir.Binary(op, left, right, type_)


LARGEST_FREE_SHIFT = 1 << 12
"""A shift by this many bits at most is left to BMv2; a larger one could exhaust its memory
(`<<`) or lose bits of the amount (`>>`), so it is decided here."""


def _guarded_shift(op: str, left: ir.Expr, amount: ir.Expr, type_: ir.Bits) -> ir.Expr:
    shifted: ir.Expr = ir.Binary(op, left, amount, type_)
    if op == "<<":
        shifted = _wrapped(shifted, type_)
    largest = amount.value if isinstance(amount, ir.Const) else fold.bits_of(amount).mask
    if largest < LARGEST_FREE_SHIFT:
        return shifted
    limit = ir.Const(type_.width, fold.bits_of(amount))
    beyond: ir.Expr = ir.Const(0, type_)
    if type_.signed and op == ">>":
        negative = ir.Binary("<", left, ir.Const(0, type_), ir.BOOL)
        beyond = ir.Choice(negative, ir.Const(-1, type_), ir.Const(0, type_), type_)
    if isinstance(amount, ir.Const):
        return beyond
    return ir.Choice(ir.Binary("<", amount, limit, ir.BOOL), shifted, beyond, type_)


def _cast(operand: ir.Expr, type_: ir.Bits | ir.Bool) -> ir.Expr:
    source = operand.type
    if isinstance(type_, ir.Bool):
        return ir.Unary("d2b", operand, ir.BOOL)
    if isinstance(source, ir.Bool):
        return ir.Unary("b2d", operand, type_)
    assert isinstance(source, ir.Bits)
    fits = source.width <= type_.width and (
        source.signed == type_.signed or (type_.signed and source.width < type_.width)
    )
    if fits:
        # The number is the same; only the type that later operations see is new.
        return _retyped(operand, type_)
    return _wrapped(operand, type_)


def _retyped(operand: ir.Expr, type_: ir.Bits) -> ir.Expr:
    match operand:
        case ir.Const(value):
            return ir.Const(value, type_)
        case ir.FieldRef(instance, name):
            return ir.FieldRef(instance, name, type_)
        case ir.ParamRef(index, name):
            return ir.ParamRef(index, name, type_)
        case ir.Unary(op, inner):
            return ir.Unary(op, inner, type_)
        case ir.Binary(op, left, right):
            return ir.Binary(op, left, right, type_)
        case ir.Choice(condition, yes, no):
            return ir.Choice(condition, yes, no, type_)
        case ir.ElementField(element, name, offset):
            return ir.ElementField(element, name, offset, type_)
        case ir.LastField(stack, name):
            return ir.LastField(stack, name, type_)
    return _wrapped(operand, type_)


def _slice(operand: ir.Expr, high: int, low: int) -> ir.Expr:
    width = high - low + 1
    plain = _unsigned(operand)
    if low:
        plain = ir.Binary(">>", plain, _number(low, 32), fold.bits_of(plain))
    if high == fold.bits_of(operand).width - 1:
        # What is left of an unsigned value after the shift is no longer than the slice.
        return _retyped(plain, ir.Bits(width))
    return _masked(plain, width)
