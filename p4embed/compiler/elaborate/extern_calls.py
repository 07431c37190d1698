"""A call of an extern function or method: its arguments, evaluated as they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from p4embed.compiler import ast, ir
from p4embed.compiler.checked import CallInfo, EnumValue
from p4embed.compiler.elaborate import conversions, expressions, lvalues
from p4embed.compiler.elaborate.context import Context
from p4embed.compiler.elaborate.values import (
    IntValue,
    SlicePlace,
    Unsupported,
    Value,
    is_scalar,
)

Make: TypeAlias = Callable[[ir.FieldRef], tuple[str, tuple[ir.Arg, ...]]]
"""The primitive that writes the field it is given: name and arguments."""


class ExternCall:
    """One call and what is made of its arguments."""

    def __init__(self, ctx: Context, expr: ast.Call, info: CallInfo) -> None:
        self.ctx = ctx
        self.expr = expr
        self.info = info

    def expression(self, index: int) -> ast.Expression:
        value = self.info.arguments[index].value
        assert value is not None
        return value

    def value(self, index: int) -> Value:
        argument = self.info.arguments[index]
        expr = self.expression(index)
        value = expressions.evaluate(self.ctx, expr)
        return conversions.convert(self.ctx, value, self.ctx.resolve(argument.type), expr)

    def leaves(self, data: Value, index: int) -> list[ir.Expr]:
        """The scalars that `data`, the value of an argument, is made of."""
        return expressions.scalar_leaves(self.ctx, data, self.expression(index))

    def scalar(self, index: int) -> ir.Expr:
        return conversions.as_scalar(self.ctx, self.value(index), self.expression(index))

    def scalars(self, *indices: int) -> tuple[ir.Expr, ...]:
        exprs = [self.expression(i) for i in indices]
        values = expressions.several(self.ctx, exprs)
        result = []
        for i, value, expr in zip(indices, values, exprs, strict=True):
            type_ = self.ctx.resolve(self.info.arguments[i].type)
            converted = conversions.convert(self.ctx, value, type_, expr)
            result.append(conversions.as_scalar(self.ctx, converted, expr))
        return tuple(result)

    def number(self, index: int) -> int:
        value = self.value(index)
        match value:
            case ir.Const(number) | IntValue(number):
                return number
        raise Unsupported("this must be known while compiling", self.expression(index).span)

    def enum(self, index: int) -> str:
        """The member of an enum given by name."""
        known = self.ctx.checked.constants.get(self.expression(index))
        if isinstance(known, EnumValue):
            return known.name
        raise Unsupported("this must be known while compiling", self.expression(index).span)

    def do(self, op: str, *args: ir.Arg) -> None:
        lvalues.do(self.ctx, op, args, self.expr.span)

    def into(self, index: int, make: Make) -> None:
        """A primitive that writes a field: into the argument, or a temporary copied there."""
        place = lvalues.lvalue(self.ctx, self.expression(index))
        if isinstance(place, ir.FieldRef) and isinstance(place.type, ir.Bits):
            self.do(*_flat(make(place)))
            return
        if isinstance(place, SlicePlace):
            type_: ir.Scalar = ir.Bits(place.high - place.low + 1)
        elif is_scalar(place):
            type_ = place.type
        else:
            raise Unsupported(
                "this result is not supported on target bmv2", self.expression(index).span
            )
        target = self.ctx.temporary(type_, "result")
        self.do(*_flat(make(target)))
        lvalues.store(self.ctx, place, target, self.expr.span)


def _flat(made: tuple[str, tuple[ir.Arg, ...]]) -> tuple[str, *tuple[ir.Arg, ...]]:
    return made[0], *made[1]
