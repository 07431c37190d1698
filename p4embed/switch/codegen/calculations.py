"""Calculations (what hash and checksum functions run over) and the checksums of v1model."""

from __future__ import annotations

from dataclasses import dataclass, field

from p4embed.switch import program as p
from p4embed.switch.codegen.bits import pack
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.expressions import Expressions
from p4embed.switch.codegen.headers import most_bytes, size_text
from p4embed.switch.codegen.values import (
    C64,
    Unsupported,
    Value,
    constant,
    container_for,
    convert,
)

_CALLS = {
    p.Algorithm.CRC16: "wp_crc16",
    p.Algorithm.CRC16_CUSTOM: "wp_crc16",
    p.Algorithm.CRC32: "wp_crc32",
    p.Algorithm.CRC32_CUSTOM: "wp_crc32",
    p.Algorithm.CRC_CCITT: "wp_crc_ccitt",
    p.Algorithm.CSUM16: "wp_csum16",
    p.Algorithm.XOR16: "wp_xor16",
    p.Algorithm.IDENTITY: "wp_identity",
}


@dataclass(slots=True)
class _Part:
    """Adjacent inputs that are there or not together."""

    header: int | None
    """The header that must be valid; ``None``: always there."""
    widths: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    block: list[str] | None = None
    """Statements that write it, whole bytes, and move ``to``: a whole header, or a field of
    variable length."""


def function(context: Context, calculation: p.Calculation, name: str) -> list[str]:
    """``calculate_<name>(p)``: the result over the packet as it is now."""
    head = [
        f"/* calculation {calculation.name}: {calculation.algorithm.value} */",
        f"static uint64_t calculate_{name}(struct packet *p)",
        "{",
    ]
    if calculation.algorithm is p.Algorithm.RANDOM:
        return [*head, "    return wp_random(p->run->engine, 0, UINT32_MAX);", "}", ""]
    parts = _parts(context, calculation)
    if all(part.block is not None or sum(part.widths) % 8 == 0 for part in parts):
        body = _by_bytes(context, parts)
    else:
        body = _by_bits(context, parts, calculation.name)
    if any(isinstance(part, p.InputPayload) for part in calculation.inputs):
        body += [
            "memcpy(to, p->frame + p->cursor, p->frame_length - p->cursor);",
            "to += p->frame_length - p->cursor;",
        ]
    return [
        *head,
        "    uint8_t *to = p->run->scratch;",
        *(f"    {line}" for line in body),
        f"    return {_CALLS[calculation.algorithm]}(p->run->scratch,"
        " (uint32_t)(to - p->run->scratch));",
        "}",
        "",
    ]


def _parts(context: Context, calculation: p.Calculation) -> list[_Part]:
    program, names = context.program, context.names
    parts: list[_Part] = []

    def add(header: int | None, width: int, text: str) -> None:
        if not parts or parts[-1].header != header or parts[-1].block is not None:
            parts.append(_Part(header))
        parts[-1].widths.append(width)
        parts[-1].texts.append(text)

    total = 0
    for part in calculation.inputs:
        match part:
            case p.FieldRef(header, _):
                declared = program.field(part)
                optional = None if program.headers[header].metadata else header
                if declared.variable:
                    bits = f"{names.headers[header]}.variable_bits"
                    copy = f"memcpy(to, {context.lvalue(part)}, {bits} / 8);"
                    parts.append(_Part(optional, block=[copy, f"to += {bits} / 8;"]))
                else:
                    add(optional, declared.width, context.lvalue(part))
                total += declared.width
            case p.InputConst(value, width):
                container = container_for(width)
                add(None, width, convert(constant(value & (1 << width) - 1), container))
                total += width
            case p.InputHeader(header):
                type_, text = program.headers[header].type, names.headers[header]
                emit = f"emit_{names.types[type_.name]}(&{text}, to);"
                move = f"to += {size_text(type_, text)};"
                parts.append(_Part(header, block=[emit, move]))
                total += 8 * most_bytes(type_)
            case p.InputPayload():
                pass
    if total > 8 * 65536:
        raise Unsupported(f"calculation '{calculation.name}': more than 64 KiB of input")
    return parts


def _by_bytes(context: Context, parts: list[_Part]) -> list[str]:
    """Every part fills whole bytes: each starts where the one before ended."""
    lines = []
    for part in parts:
        block = part.block
        if block is None:
            block = [*pack(part.widths, part.texts, "to"), f"to += {sum(part.widths) // 8};"]
        lines += _if_valid(context, part, block)
    return lines


def _by_bits(context: Context, parts: list[_Part], name: str) -> list[str]:
    """Parts end within bytes: a cursor counts bits."""
    lines = ["uint32_t bit = 0;"]
    most = sum(sum(part.widths) for part in parts) // 8 + 1
    lines.append(f"memset(to, 0, {most});")
    for part in parts:
        if part.block is not None:
            raise Unsupported(f"calculation '{name}': a header beside fields of odd widths")
        block = []
        for width, text in zip(part.widths, part.texts, strict=True):
            if width > 128:
                block.append(f"wide_put_bits(to, bit, {width}, {text});")
            elif width > 64:
                block.append(f"wp_put_bits(to, bit, {width - 64}, (uint64_t)({text} >> 64));")
                block.append(f"wp_put_bits(to, bit + {width - 64}, 64, (uint64_t){text});")
            else:
                block.append(f"wp_put_bits(to, bit, {width}, {text});")
            block.append(f"bit += {width};")
        lines += _if_valid(context, part, block)
    return [*lines, "to += (bit + 7) / 8;"]


def _if_valid(context: Context, part: _Part, block: list[str]) -> list[str]:
    if part.header is None:
        return block
    test = f"if ({context.names.headers[part.header]}.valid) {{"
    return [test, *(f"    {line}" for line in block), "}"]


def checksum_functions(context: Context) -> list[str]:
    """``verify_checksums(p)`` and ``update_checksums(p)``."""
    ex = Expressions(context)
    verify: list[str] = []
    update: list[str] = []
    for checksum in context.program.checksums:
        target = checksum.target
        header = context.program.headers[target.header]
        name = context.names.calculations[checksum.calculation]
        conditions = [ex.boolean(checksum.condition)]
        if not header.metadata:
            conditions.insert(0, f"{context.names.headers[target.header]}.valid")
        width = context.program.field(target).width
        result = Value(f"calculate_{name}(p)", C64, 0, (1 << 64) - 1)
        if checksum.verify:
            difference = f"({ex.cut(result, width)} != {context.lvalue(target)})"
            verify.append(f"    /* {checksum.name} */")
            verify.append(f"    if ({' && '.join(conditions)} && {difference})")
            verify.append("        p->checksum_error = 1;")
        if checksum.update:
            update.append(f"    /* {checksum.name} */")
            update.append(f"    if ({' && '.join(conditions)})")
            update.append(f"        {ex.store(target, result)}")
    return [
        "static void verify_checksums(struct packet *p)",
        "{",
        "    (void)p;",
        *verify,
        "}",
        "",
        "static void update_checksums(struct packet *p)",
        "{",
        "    (void)p;",
        *update,
        "}",
        "",
    ]
