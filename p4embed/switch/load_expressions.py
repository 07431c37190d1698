"""BMv2 JSON expressions to the typed unions of ``program``.

Source: behavioral-model ``docs/JSON_format.md``, "The type value object".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from p4embed.switch import program as p
from p4embed.switch.json_reader import Json


@dataclass
class Symbols:
    """What names stand for, filled in as the loader goes."""

    headers: list[p.Header] = field(default_factory=list)
    header_names: dict[str, int] = field(default_factory=dict)
    stacks: list[p.Stack] = field(default_factory=list)
    stack_names: dict[str, int] = field(default_factory=dict)
    unions: list[p.Union] = field(default_factory=list)
    union_names: dict[str, int] = field(default_factory=dict)
    union_stacks: list[p.UnionStack] = field(default_factory=list)
    union_stack_names: dict[str, int] = field(default_factory=dict)
    union_members: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Member names of each union, by its index."""
    registers: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    meters: dict[str, int] = field(default_factory=dict)
    calculations: dict[str, int] = field(default_factory=dict)
    field_lists: dict[int, int] = field(default_factory=dict)
    digests: dict[int, int] = field(default_factory=dict)
    aliases: dict[str, p.FieldRef] = field(default_factory=dict)

    def header(self, at: Json) -> int:
        """The header instance that a string names."""
        return lookup(self.header_names, at, "header")

    def field(self, at: Json) -> p.FieldRef | p.ValidBit:
        """The field that a pair (header, field) names, or a header's ``$valid$``."""
        header_at, name_at = at.array(2)
        header, name = self.header(header_at), name_at.text()
        if name == "$valid$":
            return p.ValidBit(header)
        fields = self.headers[header].type.fields
        for index, declared in enumerate(fields):
            if declared.name == name:
                return p.FieldRef(header, index)
        known = ", ".join(f.name for f in fields) or "none: the header is empty"
        raise name_at.fail(
            f"header '{header_at.text()}' has no field '{name}'; its fields are {known}"
        )

    def plain_field(self, at: Json) -> p.FieldRef:
        """A field that can be stored to."""
        ref = self.field(at)
        if isinstance(ref, p.ValidBit):
            raise at.fail("'$valid$' is read-only; expected a field")
        return ref

    def field_of(self, header: p.HeaderExpr, type_: p.HeaderType, at: Json, name: str) -> p.FieldOf:
        """A field, by name, of a header known at run time."""
        for index, declared in enumerate(type_.fields):
            if declared.name == name:
                return p.FieldOf(header, index, declared.width, declared.signed)
        raise at.fail(f"header type '{type_.name}' has no field '{name}'")

    def type_of(self, header: p.HeaderExpr) -> p.HeaderType:
        """The type of a header expression, known even where the instance is not."""
        match header:
            case p.HeaderRef(index):
                return self.headers[index].type
            case p.StackElement(stack, _) | p.LastElement(stack):
                return self.stacks[stack].type
            case p.UnionMember(union, member):
                return self.headers[self.member_headers(union)[member]].type

    def member_headers(self, union: p.UnionExpr) -> tuple[int, ...]:
        """Headers of a union, or of a union stack's first element (all have the same types)."""
        match union:
            case p.UnionRef(index):
                return self.unions[index].headers
            case p.UnionElement(stack, _) | p.LastUnion(stack):
                return self.unions[self.union_stacks[stack].unions[0]].headers


def lookup(names: dict[str, int], at: Json, kind: str) -> int:
    """The index of a name, or an error that says what kind of thing is unknown."""
    name = at.text()
    if name not in names:
        raise at.fail(f"no {kind} '{name}' is declared{_suggest(name, names)}")
    return names[name]


def _suggest(name: str, names: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(names), 1)
    return f"; did you mean '{close[0]}'?" if close else ""


@dataclass(frozen=True)
class StackHandle:
    """A header stack as an operand."""

    stack: int


@dataclass(frozen=True)
class UnionStackHandle:
    """A union stack as an operand."""

    stack: int


Operand = (
    p.DataExpr
    | p.BoolExpr
    | p.HeaderRef
    | p.StackElement
    | p.LastElement
    | p.UnionMember
    | p.UnionRef
    | p.UnionElement
    | p.LastUnion
    | StackHandle
    | UnionStackHandle
)

_DATA_OPS = {op.value: op for op in p.DataOp}
_COMPARISONS = {op.value: op for op in p.Comparison}
_SHIFT_LIMIT = 1 << 16


class Expressions:
    """Reads expressions of one scope: ``params`` is the widths of the enclosing action's."""

    def __init__(self, symbols: Symbols, params: tuple[p.ActionParam, ...] = ()) -> None:
        self.symbols = symbols
        self.params = params

    def data(self, at: Json) -> p.DataExpr:
        """An expression that yields an integer."""
        operand = self.operand(at)
        if isinstance(operand, p.DataExpr):
            return operand
        raise at.fail(f"this is {_kind(operand)}; expected an integer expression")

    def value(self, at: Json) -> p.DataExpr:
        """What can be stored: an integer, or a boolean as 1 or 0."""
        operand = self.operand(at)
        if isinstance(operand, p.BoolExpr):
            return p.BoolToData(operand)
        return self.data(at)

    def bool(self, at: Json) -> p.BoolExpr:
        """An expression that yields a boolean."""
        operand = self.operand(at)
        if isinstance(operand, p.BoolExpr):
            return operand
        raise at.fail(f"this is {_kind(operand)}; expected a boolean expression")

    def header(self, at: Json) -> p.HeaderExpr:
        """An expression that yields a header."""
        operand = self.operand(at)
        if isinstance(operand, p.HeaderExpr):
            return operand
        raise at.fail(f"this is {_kind(operand)}; expected a header")

    def union(self, at: Json) -> p.UnionExpr:
        """An expression that yields a header union."""
        operand = self.operand(at)
        if isinstance(operand, p.UnionExpr):
            return operand
        raise at.fail(f"this is {_kind(operand)}; expected a header union")

    def lvalue(self, at: Json) -> p.LValue:
        """What a value can be stored in."""
        operand = self.operand(at)
        if isinstance(operand, (p.FieldRef, p.FieldOf)):
            return operand
        raise at.fail(f"this is {_kind(operand)}; expected a field to store to")

    def stack(self, at: Json) -> StackHandle | UnionStackHandle:
        """A header stack or union stack."""
        operand = self.operand(at)
        if isinstance(operand, (StackHandle, UnionStackHandle)):
            return operand
        raise at.fail(f"this is {_kind(operand)}; expected a header stack")

    def operand(self, at: Json) -> Operand:
        """Any expression."""
        kind = at["type"].text()
        at.keys(("type", "value"), ("bitwidth",))
        value, symbols = at["value"], self.symbols
        match kind:
            case "expression":
                if value.has("op"):
                    return self._operation(value)
                return self.operand(value)
            case "hexstr":
                return p.Const(value.hexadecimal())
            case "bool":
                return p.BoolConst(value.boolean())
            case "field":
                return symbols.field(value)
            case "local" | "runtime_data":
                index = value.integer()
                if index >= len(self.params):
                    raise value.fail(
                        f"parameter {index}, but the action has {len(self.params)} parameters"
                    )
                return p.Param(index)
            case "header":
                return p.HeaderRef(symbols.header(value))
            case "header_stack":
                if value.text() in symbols.union_stack_names:
                    return UnionStackHandle(symbols.union_stack_names[value.text()])
                return StackHandle(lookup(symbols.stack_names, value, "header stack"))
            case "header_union":
                return p.UnionRef(lookup(symbols.union_names, value, "header union"))
            case "header_union_stack":
                return UnionStackHandle(
                    lookup(symbols.union_stack_names, value, "header union stack")
                )
            case "stack_field":
                stack_at, name_at = value.array(2)
                stack = lookup(symbols.stack_names, stack_at, "header stack")
                last, name = p.LastElement(stack), name_at.text()
                type_ = symbols.type_of(last)
                if name == "last" and name not in (field.name for field in type_.fields):
                    return last  # the element as a whole
                return symbols.field_of(last, type_, name_at, name)
            case "union_stack_field":
                stack_at, member_at, name_at = value.array(3)
                header = self.union_member(stack_at, member_at)
                return symbols.field_of(header, symbols.type_of(header), name_at, name_at.text())
            case "register":
                register_at, index_at = value.array(2)
                register = lookup(symbols.registers, register_at, "register array")
                return p.RegisterCell(register, self.data(index_at))
        raise at["type"].expected(
            "one of expression, hexstr, bool, field, local, runtime_data, header, header_stack,"
            " header_union, header_union_stack, stack_field, union_stack_field, register"
        )

    def union_member(self, stack_at: Json, member_at: Json) -> p.UnionMember:
        """A member, by name, of a union stack's last valid element."""
        stack = lookup(self.symbols.union_stack_names, stack_at, "header union stack")
        return p.UnionMember(p.LastUnion(stack), self.member_index(stack, member_at))

    def member_index(self, stack: int, member_at: Json) -> int:
        """The index of a named member in a union stack's elements."""
        names = self.symbols.union_members[self.symbols.union_stacks[stack].unions[0]]
        if member_at.text() not in names:
            raise member_at.expected(f"a member of the union: {', '.join(names)}")
        return names.index(member_at.text())

    def _operation(self, at: Json) -> Operand:
        at.keys(("op", "left", "right"), ("cond",))
        op, left, right = at["op"].text(), at["left"], at["right"]
        if op in ("+", "-") and left.is_null:
            value = self.data(right)
            return p.Negate(value) if op == "-" else value
        if op in ("==", "!="):
            return self._equality(op, left, right)
        if op in _DATA_OPS:
            return self._arithmetic(_DATA_OPS[op], left, right)
        if op in _COMPARISONS:
            return p.Compare(_COMPARISONS[op], self.data(left), self.data(right))
        match op:
            case "and" | "or":
                return p.Logic(p.BoolOp(op), self.bool(left), self.bool(right))
            case "not":
                return p.Not(self.bool(right))
            case "~":
                return p.Invert(self.data(right))
            case "d2b":
                return p.DataToBool(self.data(right))
            case "b2d":
                return p.BoolToData(self.bool(right))
            case "valid":
                return p.Valid(self.header(right))
            case "valid_union":
                return p.UnionValid(self.union(right))
            case "two_comp_mod":
                return p.TwoCompMod(self.data(left), self._width(right))
            case "usat_cast" | "sat_cast":
                return p.Saturate(self.data(left), self._width(right), op == "sat_cast")
            case "?":
                return self._choice(at, left, right)
            case "dereference_header_stack" | "dereference_stack":
                stack = self.stack(left)
                if isinstance(stack, UnionStackHandle):
                    return p.UnionElement(stack.stack, self.data(right))
                return p.StackElement(stack.stack, self.data(right))
            case "dereference_union_stack":
                stack = self.stack(left)
                if isinstance(stack, StackHandle):
                    raise left.fail("this is a header stack; expected a header union stack")
                return p.UnionElement(stack.stack, self.data(right))
            case "last_stack_index" | "size_stack":
                stack = self.stack(right)
                if isinstance(stack, UnionStackHandle):
                    raise right.fail("this is a header union stack; expected a header stack")
                if op == "size_stack":
                    return p.StackSize(stack.stack)
                return p.LastStackIndex(stack.stack)
            case "access_field":
                header = self.header(left)
                type_ = self.symbols.type_of(header)
                index = right.integer(0, len(type_.fields) - 1)
                if isinstance(header, p.HeaderRef):
                    return p.FieldRef(header.header, index)
                declared = type_.fields[index]
                return p.FieldOf(header, index, declared.width, declared.signed)
            case "access_union_header":
                union = self.union(left)
                headers = self.symbols.member_headers(union)
                member = right.integer(0, len(headers) - 1)
                if isinstance(union, p.UnionRef):
                    return p.HeaderRef(headers[member])
                return p.UnionMember(union, member)
        raise at["op"].expected(
            "an operator: + - * / % << >> & | ^ ~ == != < <= > >= and or not ? d2b b2d valid"
            " valid_union two_comp_mod usat_cast sat_cast dereference_header_stack"
            " dereference_union_stack last_stack_index size_stack access_field access_union_header"
        )

    def _arithmetic(self, op: p.DataOp, left: Json, right: Json) -> p.DataExpr:
        a, b = self.data(left), self.data(right)
        if isinstance(b, p.Const):
            if op in (p.DataOp.DIV, p.DataOp.MOD) and b.value == 0:
                raise right.fail("division by zero")
            if op in (p.DataOp.SHL, p.DataOp.SHR) and not 0 <= b.value < _SHIFT_LIMIT:
                raise right.fail(f"shift by {b.value}; expected 0..{_SHIFT_LIMIT - 1}")
        return p.Arithmetic(op, a, b)

    def _equality(self, op: str, left: Json, right: Json) -> p.BoolExpr:
        a, b = self.operand(left), self.operand(right)
        result: p.BoolExpr
        if isinstance(a, p.DataExpr) and isinstance(b, p.DataExpr):
            return p.Compare(p.Comparison(op), a, b)
        if isinstance(a, p.BoolExpr) and isinstance(b, p.BoolExpr):
            return p.Logic(p.BoolOp(op), a, b)
        if isinstance(a, p.HeaderExpr) and isinstance(b, p.HeaderExpr):
            result = p.SameHeader(a, b)
        elif isinstance(a, p.UnionExpr) and isinstance(b, p.UnionExpr):
            result = p.SameUnion(a, b)
        else:
            raise right.fail(f"cannot compare {_kind(a)} with {_kind(b)}")
        return p.Not(result) if op == "!=" else result

    def _choice(self, at: Json, left: Json, right: Json) -> p.Choose | p.ChooseBool:
        cond = self.bool(at["cond"])
        a, b = self.operand(left), self.operand(right)
        if isinstance(a, p.BoolExpr) and isinstance(b, p.BoolExpr):
            return p.ChooseBool(cond, a, b)
        if isinstance(a, p.DataExpr) and isinstance(b, p.DataExpr):
            return p.Choose(cond, a, b)
        raise right.fail(f"the branches of '?' are {_kind(a)} and {_kind(b)}; expected one kind")

    def _width(self, at: Json) -> int:
        width = self.data(at)
        if not isinstance(width, p.Const) or width.value < 1:
            raise at.fail("expected a constant width of at least 1 bit")
        return width.value


def _kind(operand: Operand) -> str:
    if isinstance(operand, p.DataExpr):
        return "an integer"
    if isinstance(operand, p.BoolExpr):
        return "a boolean"
    if isinstance(operand, p.HeaderExpr):
        return "a header"
    if isinstance(operand, p.UnionExpr):
        return "a header union"
    return "a header stack"
