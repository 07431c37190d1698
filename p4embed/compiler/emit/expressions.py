"""Expressions and primitives as BMv2 JSON.

BMv2 tells booleans from data: a field of type bool is one bit of data, so reading it as a
condition takes `d2b` and storing a condition takes `b2d`. Both are put in here, by what the
place wants; the expressions of `ir` know only the P4 types.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from p4embed.compiler import ir
from p4embed.compiler.diagnostics import Span

Json: TypeAlias = Any
"""What json.dumps takes."""


def hexstr(value: int, width: int) -> str:
    """`value` in whole bytes of `width` bits; a negative one keeps its sign in front."""
    digits = 2 * ((width + 7) // 8)
    sign = "-" if value < 0 else ""
    return f"{sign}0x{abs(value):0{digits}x}"


def source_info(span: Span | None) -> dict[str, Json]:
    """`{"source_info": ...}` for a place in the source, or nothing."""
    if span is None:
        return {}
    fragment = " ".join(span.text.split("\n", 1)[0].split())
    return {
        "source_info": {
            "filename": span.file,
            "line": span.line,
            "column": span.column,
            "source_fragment": fragment,
        }
    }


def _op(op: str, left: Json, right: Json) -> Json:
    return {"type": "expression", "value": {"op": op, "left": left, "right": right}}


def field(ref: ir.FieldRef) -> Json:
    """A reference to a field."""
    return {"type": "field", "value": [ref.instance, ref.field]}


def number(value: int, width: int = 32) -> Json:
    """A constant."""
    return {"type": "hexstr", "value": hexstr(value, width)}


def _is_bool(expr: ir.Expr) -> bool:
    return isinstance(expr.type, ir.Bool)


def data(expr: ir.Expr) -> Json:
    """The expression where BMv2 wants data: a boolean becomes one bit."""
    match expr:
        case ir.Const(value, type_):
            return number(value, type_.width)
        case ir.BoolConst(value):
            return number(int(value), 1)
        case ir.FieldRef():
            return field(expr)
        case ir.Valid(instance):
            return {"type": "field", "value": [instance, "$valid$"]}
        case ir.ParamRef(index):
            return {"type": "local", "value": index}
        case ir.LastField(stack, name, _, None):
            return {"type": "stack_field", "value": [stack, name]}
        case ir.LastField(stack, name, _, member):
            return {"type": "union_stack_field", "value": [stack, member, name]}
        case ir.LastIndex(stack):
            stack_ref = {"type": "header_stack", "value": stack}
            return _op("last_stack_index", None, stack_ref)
        case ir.Unary("d2b", operand) if operand.type == ir.BIT1:
            return data(operand)
        case ir.Unary("b2d", operand):
            return _op("b2d", None, boolean(operand))
        case ir.Unary(op, operand) if op in ("-", "~"):
            return _op(op, None, data(operand))
        case ir.Binary(op, left, right) if not _is_bool(expr):
            return _op(op, data(left), data(right))
        case ir.Choice(condition, yes, no) if not _is_bool(expr):
            return {
                "type": "expression",
                "value": {
                    "op": "?",
                    "left": data(yes),
                    "right": data(no),
                    "cond": boolean(condition),
                },
            }
        case ir.Lookahead() | ir.Cast() | ir.Slice() | ir.ElementField() | ir.ElementValid():
            raise AssertionError(f"not legalised: {expr}")
        case _:
            return _op("b2d", None, boolean(expr))


def boolean(expr: ir.Expr) -> Json:
    """The expression where BMv2 wants a condition."""
    match expr:
        case ir.BoolConst(value):
            return {"type": "bool", "value": value}
        case ir.Unary("not", operand):
            return _op("not", None, boolean(operand))
        case ir.Unary("d2b", operand):
            return _op("d2b", None, data(operand))
        case ir.Binary(op, left, right) if op in ("and", "or"):
            return _op(op, boolean(left), boolean(right))
        case ir.Binary(op, left, right) if op in ir.COMPARISONS:
            if _is_bool(left):
                return _op(op, boolean(left), boolean(right))
            return _op(op, data(left), data(right))
        case ir.Choice(condition, yes, no):
            return {
                "type": "expression",
                "value": {
                    "op": "?",
                    "left": boolean(yes),
                    "right": boolean(no),
                    "cond": boolean(condition),
                },
            }
        case _:
            return _op("d2b", None, data(expr))


def value(expr: ir.Expr) -> Json:
    """The expression as an argument: a leaf as it is, anything else wrapped once more."""
    match expr:
        case ir.ParamRef(index):
            return {"type": "runtime_data", "value": index}
        case ir.Lookahead(offset, type_):
            return {"type": "lookahead", "value": [offset, type_.width]}
    plain = data(expr)
    if plain["type"] in ("expression", "stack_field"):
        return {"type": "expression", "value": plain}
    return plain


def _argument(arg: ir.Arg) -> Json:
    match arg:
        case ir.Ref(kind, name):
            return {"type": kind, "value": name}
        case ir.Number(number):
            return {"type": "hexstr", "value": hex(number)}
        case ir.Vector(items):
            return {"type": "parameters_vector", "value": [value(i) for i in items]}
        case ir.StackElement():
            raise AssertionError(f"not resolved: {arg}")
        case _:
            return value(arg)


def _condition_argument(arg: ir.Arg) -> Json:
    assert not isinstance(arg, ir.Ref | ir.Number | ir.Vector | ir.StackElement)
    return {"type": "expression", "value": boolean(arg)}


def primitive(step: ir.Primitive) -> Json:
    """A step of an action, or a method call in a parser."""
    argument = _argument
    if step.op in ("assert", "assume"):
        argument = _condition_argument
    parameters = [argument(a) for a in step.args]
    return {"op": step.op, "parameters": parameters} | source_info(step.source)
