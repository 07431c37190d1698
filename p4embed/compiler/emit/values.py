"""Matches, transitions, inputs and data as BMv2 JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from p4embed.compiler import ir
from p4embed.compiler.emit.expressions import Json, field, hexstr, number


def table_match_type(kinds: Iterable[str]) -> str:
    """How BMv2 looks a table up, by the kinds of its keys."""
    present = set(kinds)
    if "range" in present:
        return "range"
    if "ternary" in present or "optional" in present:
        return "ternary"
    return "lpm" if "lpm" in present else "exact"


def action_data(call: ir.ActionCall) -> list[str]:
    """Data of a default action or an entry."""
    return [
        hexstr(number & ((1 << param.width) - 1), param.width)
        for number, param in zip(call.args, call.action.params, strict=True)
    ]


def match_key(match_: ir.Match) -> Json:
    """One key of a constant entry."""
    first = hexstr(match_.value, match_.width)
    match match_.kind:
        case "exact":
            return {"match_type": "exact", "key": first}
        case "lpm":
            return {"match_type": "lpm", "key": first, "prefix_length": match_.extra}
        case "range":
            return {
                "match_type": "range",
                "start": first,
                "end": hexstr(match_.extra, match_.width),
            }
        case _:
            return {
                "match_type": "ternary",
                "key": first,
                "mask": hexstr(match_.extra, match_.width),
            }


def calculation_input(item: ir.CalculationInput) -> Json:
    """One input of a checksum or hash."""
    match item:
        case ir.Const(constant, type_):
            return number(constant, type_.width) | {"bitwidth": type_.width}
        case ir.Payload():
            return {"type": "payload", "value": None}
        case ir.FieldRef():
            return field(item)
        case _:
            assert_never(item)


def width_of(type_: ir.Scalar) -> int:
    """Bits of a field; none of a varbit."""
    match type_:
        case ir.Bits(width):
            return width
        case ir.Bool():
            return 1
        case ir.VarBits():
            return 0
        case _:
            assert_never(type_)


def transition(way: ir.Transition, widths: list[int]) -> Json:
    """One way out of a parser state, `widths` being those of its key."""
    match way:
        case ir.Default(target):
            return {"type": "default", "value": None, "mask": None, "next_state": target}
        case ir.ValueSetCase(name, target):
            return {"type": "parse_vset", "value": name, "mask": None, "next_state": target}
        case ir.Case(values, masks, target):
            return {
                "type": "hexstr",
                "value": _joined(values, widths),
                "mask": None if masks is None else _joined(masks, widths),
                "next_state": target,
            }
        case _:
            assert_never(way)


def _joined(numbers: Iterable[int], widths: Iterable[int]) -> str:
    """The numbers one after the other, each in whole bytes."""
    parts = (hexstr(n, w)[2:] for n, w in zip(numbers, widths, strict=True))
    return "0x" + "".join(parts)
