"""Parsers and deparsers of BMv2 JSON.

Source: behavioral-model ``docs/JSON_format.md``, "parsers", "parser operations", "deparsers".
"""

from __future__ import annotations

from p4embed.switch import program as p
from p4embed.switch.json_reader import Json
from p4embed.switch.load_actions import read_primitive
from p4embed.switch.load_expressions import Expressions, Symbols, lookup


def read_parser(at: Json, symbols: Symbols, value_sets: dict[str, int]) -> p.Parser:
    """One element of ``parsers``."""
    at.keys(("name", "id", "init_state", "parse_states"))
    states_at = at["parse_states"].array()
    names: dict[str, int] = {}
    for index, state in enumerate(states_at):
        name = state["name"].text()
        if name in names:
            raise state["name"].fail(f"state '{name}' is declared twice")
        names[name] = index
    reader = _StateReader(symbols, names, value_sets)
    states = tuple(reader.state(state) for state in states_at)
    return p.Parser(at["name"].text(), reader.next(at["init_state"]), states)


class _StateReader:
    def __init__(
        self, symbols: Symbols, states: dict[str, int], value_sets: dict[str, int]
    ) -> None:
        self.symbols = symbols
        self.states = states
        self.value_sets = value_sets
        self.scope = Expressions(symbols)

    def next(self, at: Json) -> int | None:
        """A state's index; ``None`` where the parser ends."""
        return None if at.is_null else lookup(self.states, at, "parser state")

    def state(self, at: Json) -> p.ParseState:
        at.keys(("name", "id", "parser_ops", "transition_key", "transitions"))
        ops = tuple(self.op(op) for op in at["parser_ops"].array())
        key = tuple(self.key_part(part) for part in at["transition_key"].array())
        transitions: list[p.Transition] = []
        default: int | None = None
        for transition in at["transitions"].array():
            transition.keys(("value", "mask", "next_state"), ("type",))
            kind = transition.get("type")
            name = kind.text() if kind is not None else "hexstr"
            if name == "default" or transition["value"].value == "default":
                default = self.next(transition["next_state"])
            else:
                transitions.append(self.transition(transition, name, key))
        return p.ParseState(at["name"].text(), ops, key, tuple(transitions), default)

    def op(self, at: Json) -> p.ParserOp:
        at.keys(("op", "parameters"))
        op, args = at["op"].text(), at["parameters"]
        match op:
            case "extract":
                return self.extract(args.array(1)[0], None)
            case "extract_VL":
                target, length = args.array(2)
                return self.extract(target, self.scope.data(length))
            case "set":
                target, value = args.array(2)
                ahead = self.lookahead(value)
                return p.SetField(self.scope.lvalue(target), ahead or self.scope.value(value))
            case "verify":
                cond, error = args.array(2)
                return p.Verify(self.scope.bool(cond), self.scope.data(error))
            case "advance":
                return p.Advance(self.scope.data(args.array(1)[0]))
            case "shift":
                return p.Advance(p.Const(8 * args.array(1)[0].integer()))
            case "primitive":
                return p.ParserCall(read_primitive(args.array(1)[0], self.scope))
        raise at["op"].expected(
            "one of extract, extract_VL, set, verify, shift, advance, primitive"
        )

    def extract(self, at: Json, length: p.DataExpr | None) -> p.ParserOp:
        at.keys(("type", "value"))
        kind, value = at["type"].text(), at["value"]
        result: p.ExtractHeader | p.ExtractNext | p.ExtractNextUnion
        match kind:
            case "regular":
                header = self.symbols.header(value)
                result = p.ExtractHeader(header, length)
                type_ = self.symbols.headers[header].type
                if self.symbols.headers[header].metadata:
                    raise value.fail(f"'{value.text()}' is metadata; expected a packet header")
            case "stack":
                stack = lookup(self.symbols.stack_names, value, "header stack")
                result = p.ExtractNext(stack, length)
                type_ = self.symbols.stacks[stack].type
            case "union_stack":
                stack_at, member_at = value.array(2)
                union_stack = lookup(self.symbols.union_stack_names, stack_at, "header union stack")
                member = self.scope.member_index(union_stack, member_at)
                result = p.ExtractNextUnion(union_stack, member, length)
                type_ = self.symbols.type_of(p.UnionMember(p.LastUnion(union_stack), member))
            case _:
                raise at["type"].expected("one of regular, stack, union_stack")
        if type_.fixed_width % 8:
            raise value.fail(
                f"header type '{type_.name}' has {type_.fixed_width} bits; expected whole bytes"
            )
        if (type_.variable is None) != (length is None):
            verb = "has no" if type_.variable is None else "has a"
            op = "extract" if type_.variable is None else "extract_VL"
            raise value.fail(f"header type '{type_.name}' {verb} variable field; expected '{op}'")
        return result

    def lookahead(self, at: Json) -> p.Lookahead | None:
        """A lookahead, wrapped in ``expression`` or not; ``None`` for anything else."""
        while at["type"].value == "expression" and at["value"].has("type"):
            at = at["value"]
        if at["type"].value != "lookahead":
            return None
        offset, width = at["value"].array(2)
        return p.Lookahead(offset.integer(), width.width())

    def key_part(self, at: Json) -> p.KeyPart:
        ahead = self.lookahead(at)
        if ahead is not None:
            return p.KeyPart(ahead, ahead.width)
        source = self.scope.data(at)
        match source:
            case p.FieldRef(header, index):
                return p.KeyPart(source, self.symbols.headers[header].type.fields[index].width)
            case p.FieldOf():
                return p.KeyPart(source, source.width)
            case p.ValidBit():
                return p.KeyPart(source, 1)
        raise at.expected("a part of type field, stack_field, union_stack_field or lookahead")

    def transition(self, at: Json, kind: str, key: tuple[p.KeyPart, ...]) -> p.Transition:
        size = sum(p.byte_width(part.width) for part in key)
        if not key:
            raise at.fail("a value without a transition key; expected type 'default'")
        ones = b"\xff" * size
        mask_at = at.get("mask")
        mask = ones if mask_at is None else self.packed(mask_at, key, size)
        following = self.next(at["next_state"])
        if kind == "parse_vset":
            value_set = lookup(self.value_sets, at["value"], "parser value set")
            return p.OnSet(value_set, mask, following)
        if kind != "hexstr":
            raise at["type"].expected("one of default, hexstr, parse_vset")
        value = self.packed(at["value"], key, size)
        return p.OnValue(bytes(a & b for a, b in zip(value, mask, strict=True)), mask, following)

    def packed(self, at: Json, key: tuple[p.KeyPart, ...], size: int) -> bytes:
        """A value or mask of the key's size; a negative one stands for a signed single part."""
        number = at.hexadecimal()
        if number < 0 and len(key) == 1:
            number %= 1 << key[0].width
        if number < 0 or number.bit_length() > 8 * size:
            raise at.expected(f"a value of {size} bytes, the size of the transition key")
        return number.to_bytes(size, "big")


def read_deparser(at: Json, symbols: Symbols) -> p.Deparser:
    """One element of ``deparsers``."""
    at.keys(("name", "id", "order"), ("primitives",))
    calls = at.elements("primitives")
    name_text, statements = at["name"].text(), None
    if calls:
        scope = Expressions(symbols)
        body = tuple(read_primitive(call, scope) for call in calls)
        statements = p.Action(name_text, p.NO_ID, (), body)
    order = []
    for name in at["order"].array():
        header = symbols.header(name)
        declared = symbols.headers[header]
        if declared.metadata:
            raise name.fail(f"'{declared.name}' is metadata; expected a packet header")
        if declared.type.fixed_width % 8:
            raise name.fail(
                f"header '{declared.name}' has {declared.type.fixed_width} bits;"
                " expected whole bytes"
            )
        order.append(header)
    return p.Deparser(name_text, tuple(order), statements)
