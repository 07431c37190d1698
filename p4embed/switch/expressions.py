"""Evaluation of expressions, one case per operator.

Integers are unbounded, as in simple_switch; only storing cuts them. Where the specification
leaves a result open (a stack index out of range, division by zero) the value is 0 and a store does
nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.packet import Packet
from p4embed.switch.state import State

SHIFT_LIMIT = 1 << 16
"""No field is wider, so a longer shift gives what this one gives."""


def _divide(left: int, right: int) -> int:
    """Towards zero; 0 when dividing by 0."""
    if right == 0:
        return 0
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _modulo(left: int, right: int) -> int:
    return left - right * _divide(left, right) if right else 0


def _shift_amount(amount: int) -> int:
    return min(max(amount, 0), SHIFT_LIMIT)


DATA_OPS: dict[p.DataOp, Callable[[int, int], int]] = {
    p.DataOp.ADD: operator.add,
    p.DataOp.SUB: operator.sub,
    p.DataOp.MUL: operator.mul,
    p.DataOp.DIV: _divide,
    p.DataOp.MOD: _modulo,
    p.DataOp.SHL: lambda value, amount: value << _shift_amount(amount),
    p.DataOp.SHR: lambda value, amount: value >> _shift_amount(amount),
    p.DataOp.AND: operator.and_,
    p.DataOp.OR: operator.or_,
    p.DataOp.XOR: operator.xor,
}

COMPARISONS: dict[p.Comparison, Callable[[int, int], bool]] = {
    p.Comparison.EQ: operator.eq,
    p.Comparison.NE: operator.ne,
    p.Comparison.GT: operator.gt,
    p.Comparison.GE: operator.ge,
    p.Comparison.LT: operator.lt,
    p.Comparison.LE: operator.le,
}


class Evaluator:
    """Evaluates in the context of a packet, the switch's state and an action's parameters."""

    __slots__ = ("packet", "params", "state")

    def __init__(self, packet: Packet, state: State, params: Sequence[int] = ()) -> None:
        self.packet = packet
        self.state = state
        self.params = params

    def data(self, expr: p.DataExpr) -> int:
        """An integer expression."""
        packet = self.packet
        match expr:
            case p.Const(value):
                return value
            case p.FieldRef(header, field):
                return packet.values[header][field]
            case p.FieldOf(header_expr, field):
                index = self.header(header_expr)
                return 0 if index is None else packet.values[index][field]
            case p.ValidBit(header):
                return int(packet.valid[header])
            case p.Param(index):
                return self.params[index]
            case p.RegisterCell(register, index_expr):
                return self.state.register(register, self.data(index_expr)) or 0
            case p.Arithmetic(op, left, right):
                return DATA_OPS[op](self.data(left), self.data(right))
            case p.Negate(operand):
                return -self.data(operand)
            case p.Invert(operand):
                return ~self.data(operand)
            case p.TwoCompMod(operand, width):
                value = self.data(operand) & ((1 << width) - 1)
                return value - (1 << width) if value >> (width - 1) else value
            case p.Saturate(operand, width, signed):
                low = -(1 << (width - 1)) if signed else 0
                high = (1 << (width - 1 if signed else width)) - 1
                return min(max(self.data(operand), low), high)
            case p.Choose(cond, left, right):
                return self.data(left) if self.truth(cond) else self.data(right)
            case p.BoolToData(bool_operand):
                return int(self.truth(bool_operand))
            case p.LastStackIndex(stack):
                return packet.next[stack] - 1
            case p.StackSize(stack):
                return packet.next[stack]
        assert_never(expr)

    def truth(self, expr: p.BoolExpr) -> bool:
        """A boolean expression. ``and``, ``or`` and ``?`` evaluate no more than they need."""
        match expr:
            case p.BoolConst(value):
                return value
            case p.Compare(op, left, right):
                return COMPARISONS[op](self.data(left), self.data(right))
            case p.Logic(p.BoolOp.AND, a, b):
                return self.truth(a) and self.truth(b)
            case p.Logic(p.BoolOp.OR, a, b):
                return self.truth(a) or self.truth(b)
            case p.Logic(op, a, b):
                return (self.truth(a) == self.truth(b)) == (op is p.BoolOp.EQ)
            case p.Not(operand):
                return not self.truth(operand)
            case p.DataToBool(data):
                return self.data(data) != 0
            case p.ChooseBool(cond, a, b):
                return self.truth(a) if self.truth(cond) else self.truth(b)
            case p.Valid(header):
                index = self.header(header)
                return index is not None and self.packet.valid[index]
            case p.UnionValid(union):
                members = self.union_headers(union)
                return members is not None and any(self.packet.valid[m] for m in members)
            case p.SameHeader(one, other):
                return self._same_headers([self.header(one)], [self.header(other)])
            case p.SameUnion(one_union, other_union):
                return self._same_headers(
                    self.union_headers(one_union), self.union_headers(other_union)
                )
        assert_never(expr)

    def _same_headers(
        self, ones: Sequence[int | None] | None, others: Sequence[int | None] | None
    ) -> bool:
        packet = self.packet
        for one, other in zip(ones or (), others or (), strict=True):
            if one is None or other is None or packet.valid[one] != packet.valid[other]:
                return False
            if packet.valid[one] and (
                packet.values[one] != packet.values[other]
                or packet.lengths[one] != packet.lengths[other]
            ):
                return False
        return ones is not None and others is not None

    def header(self, expr: p.HeaderExpr) -> int | None:
        """The instance that a header expression stands for; ``None``: there is none."""
        match expr:
            case p.HeaderRef(header):
                return header
            case p.StackElement(stack, index_expr):
                elements, index = self.packet.program.stacks[stack].headers, self.data(index_expr)
                return elements[index] if 0 <= index < len(elements) else None
            case p.LastElement(stack):
                last = self.packet.next[stack] - 1
                return self.packet.program.stacks[stack].headers[last] if last >= 0 else None
            case p.UnionMember(union, member):
                members = self.union_headers(union)
                return None if members is None else members[member]
        assert_never(expr)

    def union_headers(self, expr: p.UnionExpr) -> tuple[int, ...] | None:
        """The members of the union that an expression stands for; ``None``: there is none."""
        program = self.packet.program
        match expr:
            case p.UnionRef(union):
                return program.unions[union].headers
            case p.UnionElement(stack, index_expr):
                unions, index = program.union_stacks[stack].unions, self.data(index_expr)
                return program.unions[unions[index]].headers if 0 <= index < len(unions) else None
            case p.LastUnion(stack):
                last = self.packet.union_next[stack] - 1
                if last < 0:
                    return None
                return program.unions[program.union_stacks[stack].unions[last]].headers
        assert_never(expr)

    def store(self, target: p.LValue, value: int) -> None:
        """Assign to a field."""
        match target:
            case p.FieldRef(header, field):
                self.packet.assign(header, field, value)
            case p.FieldOf(header_expr, field):
                index = self.header(header_expr)
                if index is not None:
                    self.packet.assign(index, field, value)
            case _:
                assert_never(target)
