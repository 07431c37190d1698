"""P4 expressions as C expressions. See ``values`` for how unbounded integers become C ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.header_access import HeaderAccess
from p4embed.switch.codegen.names import unique
from p4embed.switch.codegen.values import (
    C64,
    C128,
    WIDE,
    Unsupported,
    Value,
    bits_of,
    c_type,
    constant,
    container_for,
    container_of,
    convert,
    mask_text,
    range_of,
)

_INFIX = {
    p.DataOp.ADD: "+",
    p.DataOp.SUB: "-",
    p.DataOp.MUL: "*",
    p.DataOp.AND: "&",
    p.DataOp.OR: "|",
    p.DataOp.XOR: "^",
}
_WIDE_CALL = {
    p.DataOp.ADD: "wide_add",
    p.DataOp.SUB: "wide_sub",
    p.DataOp.MUL: "wide_mul",
    p.DataOp.AND: "wide_and",
    p.DataOp.OR: "wide_or",
    p.DataOp.XOR: "wide_xor",
}
_UNKNOWN = 1 << C128 + 1
"""Bound of a value of which only low bits are known: no container but ``wide`` holds it."""


class Expressions(HeaderAccess):
    """Translates expressions within one action or other piece of code."""

    def __init__(self, context: Context, params: Sequence[p.ActionParam] = ()) -> None:
        super().__init__(context)
        self.params = params
        self.param_names = param_names(params)

    # -- data ---------------------------------------------------------------------------------

    def data(self, expr: p.DataExpr, demand: int | None = None) -> Value:
        """An integer expression.

        With ``demand`` only the low ``demand`` bits need to be right; without, all of it.
        """
        value = self._data(expr, demand)
        if value.container == WIDE:
            self.context.need_wide(demand or bits_of(value.low, value.high) + 1)
        return value

    def index(self, expr: p.DataExpr) -> str:
        """An array index as C: 64 bits unsigned, out of any range when the integer is."""
        value = self.data(expr)
        if value.container == C64:
            return value.text
        if value.container == WIDE:
            raise Unsupported("an index of more than 128 bits")
        return f"wp_index({value.text})"

    def _data(self, expr: p.DataExpr, demand: int | None) -> Value:
        context = self.context
        match expr:
            case p.Const(value):
                return constant(value)
            case p.FieldRef():
                field = context.program.field(expr)
                if field.variable:
                    raise Unsupported(f"variable-length field '{field.name}' in an expression")
                return self._loaded(context.lvalue(expr), field.width, field.signed)
            case p.FieldOf(header, field_index, width, signed):
                type_ = self.header_type(header)
                name = context.names.fields[type_.name][field_index]
                zero = convert(constant(0), container_for(width))
                text = self.element(header, f"e ? e->{name} : ({c_type(width)}){zero}")
                if container_for(width) == WIDE:
                    text = self.element(header, f"e ? e->{name} : {zero}")
                return self._loaded(text, width, signed)
            case p.ValidBit(header_index):
                return Value(f"(uint64_t){context.names.headers[header_index]}.valid", C64, 0, 1)
            case p.Param(index):
                width = self.params[index].width
                return self._loaded(self.param_names[index], width, False)
            case p.RegisterCell(register, cell):
                return self.register_cell(register, cell)
            case p.Arithmetic(op, left, right):
                return self._arithmetic(op, left, right, demand)
            case p.Negate(operand):
                return self._arithmetic(p.DataOp.SUB, p.Const(0), operand, demand)
            case p.Invert(operand):
                inner = self.data(operand, demand)
                low, high = -inner.high - 1, -inner.low - 1
                container = self._ring(demand, low, high)
                text = convert(inner, container)
                text = f"wide_not({text})" if container == WIDE else f"(~{text})"
                return Value(text, container, low, high)
            case p.TwoCompMod(operand, width):
                return self._signed(self.data(operand, width), width)
            case p.Saturate(operand, width, signed):
                low = -(1 << (width - 1)) if signed else 0
                high = (1 << (width - 1 if signed else width)) - 1
                return self._clamp(self.data(operand), low, high)
            case p.Choose(cond, left, right):
                one, other = self.data(left, demand), self.data(right, demand)
                low, high = min(one.low, other.low), max(one.high, other.high)
                container = self._ring(demand, low, high)
                text = f"({self.boolean(cond)} ? {convert(one, container)}"
                return Value(f"{text} : {convert(other, container)})", container, low, high)
            case p.BoolToData(operand_bool):
                return Value(f"(uint64_t){self.boolean(operand_bool)}", C64, 0, 1)
            case p.LastStackIndex(stack):
                text = f"((uint64_t)p->next_{context.names.stacks[stack]} - 1)"
                return Value(text, C64, -1, len(context.program.stacks[stack].headers) - 1)
            case p.StackSize(stack):
                text = f"(uint64_t)p->next_{context.names.stacks[stack]}"
                return Value(text, C64, 0, len(context.program.stacks[stack].headers))
        assert_never(expr)

    def _loaded(self, text: str, width: int, signed: bool) -> Value:
        """The integer in a C variable that holds ``width`` bits."""
        container = container_for(width)
        if container == WIDE:
            self.context.need_wide(width + 1)
        elif c_type(width) not in ("uint64_t", "u128"):
            text = f"(uint64_t){text}"
        value = Value(text, container, 0, (1 << width) - 1)
        return self._signed(value, width) if signed else value

    def _signed(self, value: Value, width: int) -> Value:
        """The signed integer in a value's low ``width`` bits."""
        container = container_for(width)
        text = convert(value, container)
        if container == WIDE:
            self.context.need_wide(width + 1)
            text = f"wide_sign({text}, {width})"
        else:
            text = f"wp_sign{container}({text}, {width})"
        return Value(text, container, -(1 << (width - 1)), (1 << (width - 1)) - 1)

    def _ring(self, demand: int | None, low: int, high: int) -> int:
        """The container for an operator whose low result bits depend on low operand bits only."""
        container = container_of(low, high)
        if demand is not None:
            container = min(container, container_for(demand))
        if container == WIDE:
            self.context.need_wide(demand or bits_of(low, high) + 1)
        return container

    def _arithmetic(
        self, op: p.DataOp, left: p.DataExpr, right: p.DataExpr, demand: int | None
    ) -> Value:
        match op:
            case p.DataOp.SHL:
                return self._shift_left(left, right, demand)
            case p.DataOp.SHR:
                return self._shift_right(left, right, demand)
            case p.DataOp.DIV | p.DataOp.MOD:
                return self._divide(op, left, right)
            case p.DataOp.AND:
                for one, other in ((left, right), (right, left)):
                    if isinstance(one, p.Const) and one.value >= 0:
                        return self._mask(other, one.value, demand)
            case _:
                pass
        a, b = self.data(left, demand), self.data(right, demand)
        low, high = range_of(op, a, b)
        container = self._ring(demand, low, high)
        x, y = convert(a, container), convert(b, container)
        if container == WIDE:
            return Value(f"{_WIDE_CALL[op]}({x}, {y})", container, low, high)
        return Value(f"({x} {_INFIX[op]} {y})", container, low, high)

    def _mask(self, expr: p.DataExpr, mask: int, demand: int | None) -> Value:
        """``expr & mask``: no more than the mask's bits matter, whatever the operand's range."""
        bits = mask.bit_length() if demand is None else min(mask.bit_length(), demand)
        if mask == 0 or bits == 0:
            return constant(0)
        inner = self.data(expr, bits)
        if mask == (1 << mask.bit_length()) - 1 and inner.low >= 0 and inner.high <= mask:
            return inner
        container = container_for(bits)
        kept = mask & (1 << bits) - 1
        text = convert(inner, container)
        if container == WIDE:
            self.context.need_wide(bits + 1)
            literal = convert(constant(kept), WIDE)
            return Value(f"wide_and({text}, {literal})", container, 0, kept)
        return Value(f"({text} & {convert(constant(kept), container)})", container, 0, kept)

    def _shift_left(self, left: p.DataExpr, right: p.DataExpr, demand: int | None) -> Value:
        amount = self.data(right)
        value = self.data(left, demand)
        most = max(amount.high, 0)
        if demand is None and most > 4096:
            raise Unsupported("a left shift by an unbounded distance, whose result is not masked")
        most = min(most, 1 << 13)
        low, high = min(value.low << most, value.low), max(value.high << most, value.high)
        container = self._ring(demand, low, high)
        text, by = convert(value, container), self._distance(amount)
        if isinstance(right, p.Const) and 0 <= right.value < container and container != WIDE:
            return Value(f"({text} << {right.value})", container, low, high)
        call = "wide_shl" if container == WIDE else f"wp_shl{container}"
        return Value(f"{call}({text}, {by})", container, low, high)

    def _shift_right(self, left: p.DataExpr, right: p.DataExpr, demand: int | None) -> Value:
        amount = self.data(right)
        by = self._distance(amount)
        fixed = isinstance(right, p.Const) and right.value >= 0
        if fixed and demand is not None:
            value = self.data(left, demand + min(amount.high, 1 << 13))
        else:
            value = self.data(left)
        least = max(amount.low, 0)
        if value.container == WIDE:
            text = f"wide_shr({value.text}, {by})"
        elif value.negative and value.exact:
            signed = "int64_t" if value.container == C64 else "i128"
            unsigned = "uint64_t" if value.container == C64 else "u128"
            text = f"({unsigned})wp_sar{value.container}(({signed}){value.text}, {by})"
        elif fixed and amount.high < value.container:
            text = f"({value.text} >> {amount.high})"
        else:
            text = f"wp_shr{value.container}({value.text}, {by})"
        if not value.exact:
            return Value(text, value.container, -_UNKNOWN, _UNKNOWN)
        low = min(value.low >> least, 0)
        return Value(text, value.container, low, max(value.high >> least, low))

    def _distance(self, amount: Value) -> str:
        """A shift distance as 64 bits; negative ones count as 0, as in the reference."""
        if amount.container == WIDE:
            raise Unsupported("a shift distance of more than 128 bits")
        text = amount.text if amount.container == C64 else f"wp_index({amount.text})"
        return f"wp_not_negative({text})" if amount.negative else text

    def _divide(self, op: p.DataOp, left: p.DataExpr, right: p.DataExpr) -> Value:
        a, b = self.data(left), self.data(right)
        if a.negative or b.negative or WIDE in (a.container, b.container):
            raise Unsupported(f"'{op.value}' of negative integers or of more than 128 bits")
        container = max(a.container, b.container)
        high = a.high if op is p.DataOp.DIV else min(a.high, max(b.high - 1, 0))
        name = "div" if op is p.DataOp.DIV else "mod"
        text = f"wp_{name}{container}({convert(a, container)}, {convert(b, container)})"
        return Value(text, container, 0, high)

    def _clamp(self, value: Value, low: int, high: int) -> Value:
        if value.low >= low and value.high <= high:
            return value
        below = self._compare_text(p.Comparison.LT, value, constant(low))
        above = self._compare_text(p.Comparison.GT, value, constant(high))
        container = container_of(low, high)
        text = (
            f"({below} ? {convert(constant(low), container)}"
            f" : {above} ? {convert(constant(high), container)} : {convert(value, container)})"
        )
        return Value(text, container, low, high)

    def register_cell(self, register: int, index: p.DataExpr) -> Value:
        """A register's cell; 0 out of range."""
        declared = self.context.program.registers[register]
        container = container_for(declared.width)
        if container == WIDE:
            self.context.need_wide(declared.width + 1)
        call = {C64: "wp_cell64", C128: "wp_cell128", WIDE: "wp_cell_wide"}[container]
        text = f"{call}(p->run->engine, {register}, {self.index(index)})"
        return Value(text, container, 0, (1 << declared.width) - 1)

    # -- booleans -----------------------------------------------------------------------------

    def boolean(self, expr: p.BoolExpr) -> str:
        """A boolean expression as a C int."""
        match expr:
            case p.BoolConst(value):
                return "1" if value else "0"
            case p.Compare(op, p.FieldRef() as left, p.FieldRef() as right) if self._variable(
                left
            ) and self._variable(right):
                return self._compare_variable(op, left, right)
            case p.Compare(op, left, right):
                return self._compare_text(op, self.data(left), self.data(right))
            case p.Logic(p.BoolOp.AND, a, b):
                return f"({self.boolean(a)} && {self.boolean(b)})"
            case p.Logic(p.BoolOp.OR, a, b):
                return f"({self.boolean(a)} || {self.boolean(b)})"
            case p.Logic(op, a, b):
                return f"(!{self.boolean(a)} {op.value} !{self.boolean(b)})"
            case p.Not(operand):
                return f"(!{self.boolean(operand)})"
            case p.DataToBool(data):
                return self._compare_text(p.Comparison.NE, self.data(data), constant(0))
            case p.ChooseBool(cond, a, b):
                return f"({self.boolean(cond)} ? {self.boolean(a)} : {self.boolean(b)})"
            case p.Valid(header):
                if isinstance(header, p.HeaderRef):
                    return f"{self.context.names.headers[header.header]}.valid"
                return self.element(header, "e && e->valid")
            case p.UnionValid(union):
                members = [p.Valid(member) for member in self.members(union)]
                return "(" + " || ".join(self.boolean(member) for member in members) + ")"
            case p.SameHeader(one, other):
                name = self.context.names.types[self.header_type(one).name]
                return f"same_{name}({self.header_pointer(one)}, {self.header_pointer(other)})"
            case p.SameUnion(one_union, other_union):
                pairs = zip(self.members(one_union), self.members(other_union), strict=True)
                parts = [self.boolean(p.SameHeader(a, b)) for a, b in pairs]
                return "(" + " && ".join(parts) + ")"
        assert_never(expr)

    def _variable(self, ref: p.FieldRef) -> bool:
        return self.context.program.field(ref).variable

    def _compare_variable(self, op: p.Comparison, a: p.FieldRef, b: p.FieldRef) -> str:
        """Variable-length fields, as the numbers that they are."""
        if op not in (p.Comparison.EQ, p.Comparison.NE):
            raise Unsupported(f"'{op.value}' of variable-length fields")
        headers = self.context.names.headers
        sides = ", ".join(
            f"{self.context.lvalue(ref)}, {headers[ref.header]}.variable_bits / 8" for ref in (a, b)
        )
        negation = "!" if op is p.Comparison.NE else ""
        return f"({negation}wp_same_number({sides}))"

    def _compare_text(self, op: p.Comparison, a: Value, b: Value) -> str:
        low, high = min(a.low, b.low), max(a.high, b.high)
        container = container_of(low, high)
        x, y = convert(a, container), convert(b, container)
        if container == WIDE:
            self.context.need_wide(bits_of(low, high) + 1)
            less, greater = f"wide_less({x}, {y})", f"wide_less({y}, {x})"
            return {
                p.Comparison.EQ: f"wide_equal({x}, {y})",
                p.Comparison.NE: f"(!wide_equal({x}, {y}))",
                p.Comparison.LT: less,
                p.Comparison.GT: greater,
                p.Comparison.LE: f"(!{greater})",
                p.Comparison.GE: f"(!{less})",
            }[op]
        if low < 0 and op not in (p.Comparison.EQ, p.Comparison.NE):
            cast = "int64_t" if container == C64 else "i128"
            x, y = f"({cast}){x}", f"({cast}){y}"
        return f"({x} {op.value} {y})"

    # -- stores -------------------------------------------------------------------------------

    def store(self, target: p.LValue, value: Value) -> str:
        """A statement that stores a value, cut to the target's width."""
        match target:
            case p.FieldRef():
                field = self.context.program.field(target)
                place, prefix, width = self.context.lvalue(target), "", field.width
            case p.FieldOf(header, field_index, width, _):
                type_ = self.header_type(header)
                name = self.context.names.fields[type_.name][field_index]
                struct = self.context.names.struct(type_)
                prefix = f"{{ {struct} *e = {self.header_pointer(header)}; if (e) "
                place = f"e->{name}"
            case _:
                assert_never(target)
        container = container_for(width)
        if container != WIDE and width in (8, 16, 32, 64, 128):
            text = convert(value, container)  # the field's own type cuts it
        else:
            text = self.cut(value, width)
        return f"{prefix}{place} = {text}{'; }' if prefix else ';'}"

    def cut(self, value: Value, width: int) -> str:
        """A value cut to ``width`` bits, in the container that they need."""
        container = container_for(width)
        text = convert(value, container)
        if value.exact and value.low >= 0 and value.high < 1 << width:
            return text
        return mask_text(text, container, width)

    def assigned(self, target: p.LValue) -> int:
        """The width of what a value is stored in."""
        if isinstance(target, p.FieldRef):
            return self.context.program.field(target).width
        return target.width


def param_names(params: Sequence[p.ActionParam]) -> tuple[str, ...]:
    """The C parameters of an action."""
    return unique(f"arg_{param.name}" for param in params)
