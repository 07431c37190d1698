"""Legalised expressions have the P4 value when BMv2 computes them without bounds."""

from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.compiler import ir
from p4embed.compiler.ir import fold
from p4embed.compiler.lower.legalise import expression

FIELDS = {
    "a": ir.Bits(8),
    "b": ir.Bits(8),
    "w": ir.Bits(13),
    "s": ir.Bits(8, signed=True),
    "t": ir.Bits(8, signed=True),
    "n": ir.Bits(64),
    "p": ir.BOOL,
}


def field(name: str) -> ir.FieldRef:
    return ir.FieldRef("h", name, FIELDS[name])


def wrap(value: int, type_: ir.Bits) -> int:
    """A number in the range of its type, by the definition of two's complement."""
    value %= 1 << type_.width
    return value - (1 << type_.width) if type_.signed and value >> (type_.width - 1) else value


def p4(expr: ir.Expr, env: dict[str, int]) -> int:
    """The value that P4_16 (section 8) gives an expression."""
    type_ = expr.type
    match expr:
        case ir.Const(value):
            return value
        case ir.BoolConst(flag):
            return int(flag)
        case ir.FieldRef(_, name):
            return env[name]
        case ir.Unary("not", operand):
            return 1 - p4(operand, env)
        case ir.Unary(op, operand):
            assert isinstance(type_, ir.Bits)
            value = p4(operand, env)
            return wrap(-value if op == "-" else ~value, type_)
        case ir.Choice(condition, yes, no):
            return p4(yes if p4(condition, env) else no, env)
        case ir.Slice(operand, high, low):
            return (p4(operand, env) >> low) & ((1 << (high - low + 1)) - 1)
        case ir.Cast(operand, ir.Bits() as target):
            return wrap(p4(operand, env), target)
        case ir.Cast(operand, _):
            return int(p4(operand, env) != 0)
        case ir.Binary(op, left, right):
            a, b = p4(left, env), p4(right, env)
            match op:
                case "==":
                    return int(a == b)
                case "<":
                    return int(a < b)
                case "and":
                    return a & b
                case "or":
                    return a | b
            assert isinstance(type_, ir.Bits)
            low = -(1 << (type_.width - 1)) if type_.signed else 0
            high = (1 << (type_.width - 1)) - 1 if type_.signed else type_.mask
            match op:
                case "+":
                    return wrap(a + b, type_)
                case "-":
                    return wrap(a - b, type_)
                case "*":
                    return wrap(a * b, type_)
                case "&":
                    return wrap(a & b, type_)
                case "|":
                    return wrap(a | b, type_)
                case "^":
                    return wrap(a ^ b, type_)
                case "|+|":
                    return min(max(a + b, low), high)
                case "|-|":
                    return min(max(a - b, low), high)
                case "<<":
                    return wrap(a << b, type_) if b < type_.width else 0
                case ">>":
                    return a >> min(b, type_.width)
                case "++":
                    right_type = right.type
                    assert isinstance(right_type, ir.Bits)
                    return wrap(a << right_type.width | (b & right_type.mask), type_)
    raise AssertionError(f"no meaning for {expr}")


def bmv2(expr: ir.Expr, env: dict[str, int]) -> int:
    """The value that BMv2 computes: integers of any size, its own operators only."""
    match expr:
        case ir.Const(value):
            return value
        case ir.BoolConst(flag):
            return int(flag)
        case ir.FieldRef(_, name):
            return env[name]
        case ir.Unary(op, operand):
            value = bmv2(operand, env)
            return {"-": -value, "~": ~value, "not": 1 - value, "b2d": value}.get(
                op, int(value != 0)
            )
        case ir.Choice(condition, yes, no):
            return bmv2(yes if bmv2(condition, env) else no, env)
        case ir.Binary(op, left, right):
            assert op in ir.BMV2_OPERATORS
            a, b = bmv2(left, env), bmv2(right, env)
            match op:
                case "two_comp_mod":
                    return wrap(a, ir.Bits(b, signed=True))
                case "usat_cast":
                    return min(max(a, 0), (1 << b) - 1)
                case "sat_cast":
                    return min(max(a, -(1 << (b - 1))), (1 << (b - 1)) - 1)
                case "<<":
                    assert b < 1 << 12, "BMv2 would run out of memory"
                    return a << b
                case ">>":
                    assert b < 1 << 32, "BMv2 keeps 32 bits of the amount"
                    return a >> b
                case "&":
                    return a & b
                case "|":
                    return a | b
                case "^":
                    return a ^ b
                case "+":
                    return a + b
                case "-":
                    return a - b
                case "*":
                    return a * b
                case "==":
                    return int(a == b)
                case "<":
                    return int(a < b)
                case "and":
                    return a & b
                case "or":
                    return a | b
    raise AssertionError(f"BMv2 has nothing for {expr}")


@cache
def bits(type_: ir.Bits, depth: int) -> st.SearchStrategy[ir.Expr]:
    """Expressions of a type."""
    leaf: st.SearchStrategy[ir.Expr] = st.integers(0, type_.mask).map(
        lambda value: fold.const(value, type_)
    )
    names = [n for n, t in FIELDS.items() if t == type_]
    if names:
        leaf = leaf | st.sampled_from(names).map(field)
    if depth == 0:
        return leaf
    inner = bits(type_, depth - 1)
    other = ir.Bits(type_.width, not type_.signed)
    results = [
        leaf,
        st.tuples(st.sampled_from("-~"), inner).map(lambda t: fold.unary(*t)),
        st.tuples(st.sampled_from(["+", "-", "*", "&", "|", "^", "|+|", "|-|"]), inner, inner).map(
            lambda t: fold.binary(*t)
        ),
        st.tuples(st.sampled_from(["<<", ">>"]), inner, bits(ir.Bits(8), depth - 1)).map(
            lambda t: fold.shift(*t)
        ),
        st.tuples(st.sampled_from(["<<", ">>"]), inner, bits(ir.Bits(64), 0)).map(
            lambda t: fold.shift(*t)
        ),
        bits(other, depth - 1).map(lambda e: fold.cast(e, type_)),
        bits(ir.Bits(13, type_.signed), depth - 1).map(lambda e: fold.cast(e, type_)),
        st.tuples(booleans(depth - 1), inner, inner).map(lambda t: fold.choice(*t)),
    ]
    if not type_.signed and type_.width == 8:
        results.append(bits(ir.Bits(13), depth - 1).map(lambda e: fold.slice_bits(e, 9, 2)))
        results.append(
            bits(ir.Bits(8, signed=True), depth - 1).map(
                lambda e: fold.concat(fold.slice_bits(e, 7, 3), fold.slice_bits(e, 2, 0))
            )
        )
    return st.one_of(results)


@cache
def booleans(depth: int) -> st.SearchStrategy[ir.Expr]:
    """Conditions."""
    leaf: st.SearchStrategy[ir.Expr] = st.sampled_from([field("p"), fold.TRUE, fold.FALSE])
    if depth == 0:
        return leaf
    inner = booleans(depth - 1)
    numbers = st.sampled_from([ir.Bits(8), ir.Bits(8, signed=True)]).flatmap(
        lambda t: st.tuples(st.sampled_from(["==", "<"]), bits(t, depth - 1), bits(t, depth - 1))
    )
    return st.one_of(
        leaf,
        inner.map(fold.logical_not),
        st.tuples(inner, inner).map(lambda t: fold.logical_and(*t)),
        st.tuples(inner, inner).map(lambda t: fold.logical_or(*t)),
        numbers.map(lambda t: fold.compare(*t)),
    )


ANY = st.sampled_from([ir.Bits(8), ir.Bits(8, signed=True), ir.Bits(13)]).flatmap(
    lambda t: bits(t, 2)
)
ENVIRONMENTS = st.fixed_dictionaries(
    {
        name: st.booleans().map(int)
        if isinstance(type_, ir.Bool)
        else st.integers(0, type_.mask).map(lambda v, t=type_: wrap(v, t))
        for name, type_ in FIELDS.items()
    }
)


@settings(max_examples=150, deadline=None)
@given(ANY, ENVIRONMENTS)
def test_same_value(expr: ir.Expr, env: dict[str, int]) -> None:
    assert bmv2(expression(expr), env) == p4(expr, env)


def test_sum_is_cut_down_inside_an_expression() -> None:
    total = fold.binary("+", field("a"), field("b"))
    compared = fold.compare("<", total, field("a"))
    env = dict.fromkeys(FIELDS, 0) | {"a": 200, "b": 100}
    assert bmv2(expression(compared), env) == 1


def test_shift_by_a_huge_amount_is_decided_without_shifting() -> None:
    shifted = fold.shift("<<", field("a"), field("n"))
    env = dict.fromkeys(FIELDS, 0) | {"a": 1, "n": 1 << 60}
    assert bmv2(expression(shifted), env) == 0
