"""The parser, a function per state, and the deparser."""

from __future__ import annotations

from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.codegen.bits import load
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.expressions import Expressions
from p4embed.switch.codegen.headers import most_bytes, size_text
from p4embed.switch.codegen.primitives import invalidate_siblings, primitive
from p4embed.switch.codegen.values import WIDE, Unsupported, Value, constant, container_for, convert

ACCEPT = -1
"""What a state returns when the parser is done, by success or error."""


def functions(context: Context) -> list[str]:
    """A function per state, and ``parse(p)``."""
    parser = context.program.parser
    lines: list[str] = []
    for index, state in enumerate(parser.states):
        try:
            lines += _state(context, index, state)
        except Unsupported as error:
            raise Unsupported(f"parser state '{state.name}': {error}") from None
    cases = [
        f"        case {index}: state = state_{name}(p); break;"
        for index, name in enumerate(context.names.states)
    ]
    start = ACCEPT if parser.start is None else parser.start
    return [
        *lines,
        f"/* parser {parser.name} */",
        "static void parse(struct packet *p)",
        "{",
        f"    int state = {start};",
        "    for (uint32_t i = 0; i < WP_STATES_MAX && state >= 0; i++) {",
        "        switch (state) {",
        *cases,
        "        }",
        "    }",
        "}",
        "",
    ]


def _state(context: Context, index: int, state: p.ParseState) -> list[str]:
    ex = Expressions(context)
    body: list[str] = []
    for op in state.ops:
        body += _op(ex, op)
    body += _select(ex, state)
    return [
        f"/* parser state {state.name} */",
        f"static int state_{context.names.states[index]}(struct packet *p)",
        "{",
        *(f"    {line}" for line in body),
        "}",
        "",
    ]


def _fail(code: str) -> str:
    return f"{{ p->error = {code}; return {ACCEPT}; }}"


def _op(ex: Expressions, op: p.ParserOp) -> list[str]:
    context = ex.context
    program, names = context.program, context.names
    errors = program.errors
    match op:
        case p.ExtractHeader(header, length):
            type_ = program.headers[header].type
            siblings = invalidate_siblings(ex, p.HeaderRef(header)).strip()
            return _extract(ex, type_, names.headers[header], length) + (
                [siblings] if siblings else []
            )
        case p.ExtractNext(stack, length):
            name, declared = names.stacks[stack], program.stacks[stack]
            full = f"if (p->next_{name} >= {len(declared.headers)})"
            element = f"p->stack_{name}[p->next_{name}]"
            return [
                f"{full} {_fail(str(errors.stack_out_of_bounds))}",
                *_extract(ex, declared.type, element, length),
                f"p->next_{name}++;",
            ]
        case p.ExtractNextUnion(stack, member, length):
            name, unions = names.union_stacks[stack], program.union_stacks[stack].unions
            type_ = program.headers[program.unions[unions[0]].headers[member]].type
            following = f"p->next_union_{name}"
            extract = _extract(ex, type_, "(*e)", length)
            return [
                f"if ({following} >= {len(unions)}) {_fail(str(errors.stack_out_of_bounds))}",
                "{",
                f"    {names.struct(type_)} *e = member_{name}_{member}(p, {following});",
                *(f"    {line}" for line in extract),
                f"    others_{name}(p, {following}++, e);",
                "}",
            ]
        case p.SetField(target, p.Lookahead() as ahead):
            lines, value = _lookahead(ex, ahead)
            return [*lines, ex.store(target, value)]
        case p.SetField(target, source):
            assert not isinstance(source, p.Lookahead)
            store = ex.store(target, ex.data(source, ex.assigned(target)))
            return [*_check_last(ex, source), store]
        case p.Verify(cond, error):
            code = ex.data(error)
            return [f"if (!{ex.boolean(cond)}) {_fail(convert(code, 64))}"]
        case p.Advance(bits):
            left = "8ull * (p->frame_length - p->cursor)"
            return [
                "{",
                f"    uint64_t skip = {ex.index(bits)};",
                # BMv2 knows no position within a byte.
                f"    if (skip % 8) {_fail(str(errors.invalid_argument))}",
                f"    if (skip > {left}) {_fail(str(errors.packet_too_short))}",
                "    p->cursor += (uint32_t)(skip / 8);",
                "}",
            ]
        case p.ParserCall(call):
            return primitive(ex, call)
        case _:
            assert_never(op)


def _extract(
    ex: Expressions, type_: p.HeaderType, header: str, length: p.DataExpr | None
) -> list[str]:
    errors = ex.context.program.errors
    lines: list[str] = []
    if type_.variable is not None:
        most = type_.fields[type_.variable].width
        bits = "0" if length is None else ex.index(length)
        lines += [
            "{",
            f"    uint64_t bits = {bits};",
            f"    if (bits % 8) {_fail(str(errors.invalid_argument))}",
            f"    if (bits > {most}) {_fail(str(errors.header_too_short))}",
            f"    if (8ull * (p->frame_length - p->cursor) < {type_.fixed_width} + bits)",
            f"        {_fail(str(errors.packet_too_short))}",
            f"    {header}.variable_bits = (uint32_t)bits;",
            "}",
        ]
    elif type_.fixed_width % 8:
        raise Unsupported(
            f"extraction of '{type_.name}', whose {type_.fixed_width} bits are no whole bytes"
        )
    else:
        size = type_.fixed_width // 8
        short = f"p->frame_length - p->cursor < {size}"
        lines.append(f"if ({short}) {_fail(str(errors.packet_too_short))}")
    name = ex.context.names.types[type_.name]
    return [
        *lines,
        f"extract_{name}(&{header}, p->frame + p->cursor);",
        f"p->cursor += {size_text(type_, header)};",
    ]


def _lookahead(ex: Expressions, ahead: p.Lookahead) -> tuple[list[str], Value]:
    """The check that the bits are there, and their value."""
    code = str(ex.context.program.errors.packet_too_short)
    size = (ahead.offset + ahead.width + 7) // 8
    check = f"if (p->frame_length - p->cursor < {size}) {_fail(code)}"
    text = load("p->frame + p->cursor", ahead.offset, ahead.width)
    container = container_for(ahead.width)
    if container == WIDE:
        ex.context.need_wide(ahead.width + 1)
    return [check], Value(text, container, 0, (1 << ahead.width) - 1)


def _check_last(ex: Expressions, source: p.DataExpr) -> list[str]:
    """``stack.last`` of an empty stack is an error."""
    if isinstance(source, p.FieldOf) and isinstance(source.header, p.LastElement):
        name = ex.context.names.stacks[source.header.stack]
        code = str(ex.context.program.errors.stack_out_of_bounds)
        return [f"if (!p->next_{name}) {_fail(code)}"]
    return []


def _select(ex: Expressions, state: p.ParseState) -> list[str]:
    """The transition: compare the key part by part."""
    names = ex.context.names
    default = _go(names.states, state.default)
    if not state.key:
        return [default]
    lines: list[str] = []
    for number, part in enumerate(state.key):
        if isinstance(part.source, p.Lookahead):
            check, value = _lookahead(ex, part.source)
        else:
            check, value = _check_last(ex, part.source), ex.data(part.source, part.width)
        container = container_for(part.width)
        kind = {64: "uint64_t", 128: "u128"}.get(container, "wide")
        lines += [*check, f"{kind} k{number} = {ex.cut(value, part.width)};"]
        lines.append(f"(void)k{number};")
    lines += _packed_key(state)
    for number, transition in enumerate(state.transitions):
        match transition:
            case p.OnValue(value=wanted, mask=mask, next=following):
                test = _test(state, wanted, mask)
                lines.append(f"if ({test}) {_go(names.states, following)}")
            case p.OnSet(value_set=value_set, mask=mask, next=following):
                literal = ", ".join(str(byte) for byte in mask)
                lines.append(f"static const uint8_t mask{number}[] = {{{literal}}};")
                found = (
                    f"wp_in_value_set(p->run->engine, {value_set}, key, mask{number}, {len(mask)})"
                )
                name = ex.context.program.value_sets[value_set].name
                lines.append(f"if ({found}) {_go(names.states, following)} /* in {name} */")
            case _:
                assert_never(transition)
    return [*lines, default]


def _packed_key(state: p.ParseState) -> list[str]:
    """The whole key as bytes, where a value set is asked."""
    if not any(isinstance(transition, p.OnSet) for transition in state.transitions):
        return []
    lines, at = [f"uint8_t key[{state.key_size}];"], 0
    for number, part in enumerate(state.key):
        size = p.byte_width(part.width)
        container = container_for(part.width)
        call = {64: "wp_store", 128: "wp_store128"}.get(container, "wide_store")
        lines.append(f"{call}(key + {at}, {size}, k{number});")
        at += size
    return lines


def _test(state: p.ParseState, wanted: bytes, mask: bytes) -> str:
    tests, at = [], 0
    for number, part in enumerate(state.key):
        size = p.byte_width(part.width)
        value = int.from_bytes(wanted[at : at + size], "big")
        bits = int.from_bytes(mask[at : at + size], "big") & (1 << part.width) - 1
        at += size
        container, full = container_for(part.width), (1 << part.width) - 1
        literal = convert(constant(value), container)
        if container == WIDE:
            masked = f"wide_and(k{number}, {convert(constant(bits), WIDE)})"
            tests.append(f"wide_equal({masked}, {literal})")
        elif bits == full:
            tests.append(f"k{number} == {literal}")
        elif bits or value:
            tests.append(f"(k{number} & {convert(constant(bits), container)}) == {literal}")
    return " && ".join(tests) or "1"


def _go(states: tuple[str, ...], following: int | None) -> str:
    if following is None:
        return f"return {ACCEPT};"
    return f"return {following}; /* {states[following]} */"


def deparser(context: Context) -> list[str]:
    """``deparse(p)``: valid headers in front of the payload; frame and length become the result."""
    emits: list[str] = []
    # From the last to the first, so that no sum of sizes is needed before.
    for header in reversed(context.program.deparser.order):
        type_ = context.program.headers[header].type
        name, text = context.names.types[type_.name], context.names.headers[header]
        if type_.variable is None and type_.fixed_width % 8:
            raise Unsupported(
                f"deparsing '{type_.name}', whose {type_.fixed_width} bits are no whole bytes"
            )
        emits += [
            f"    if ({_valid(context, header)}) {{",
            f"        to -= {size_text(type_, text)};",
            f"        emit_{name}(&{text}, to);",
            "    }",
        ]
    return [
        f"/* deparser {context.program.deparser.name} */",
        "static void deparse(struct packet *p)",
        "{",
        "    uint8_t *to = p->frame + p->cursor;",
        *emits,
        "    p->frame_length -= (uint32_t)(to - p->frame);",
        "    p->frame = to;",
        "    if (p->truncate < p->frame_length)",
        "        p->frame_length = (uint32_t)p->truncate;",
        "}",
        "",
    ]


def _valid(context: Context, header: int) -> str:
    """Whether a header is to be emitted."""
    for index in context.passing_stacks:
        headers = context.program.stacks[index].headers
        if header in headers:
            return f"p->next_{context.names.stacks[index]} > {headers.index(header)}"
    return f"{context.names.headers[header]}.valid"


def headroom(context: Context) -> int:
    """Most bytes that the deparser may write in front of what the parser consumed."""
    headers = context.program.headers
    return sum(most_bytes(headers[header].type) for header in context.program.deparser.order)
