"""Header types: a struct each, and the functions that extract, emit and compare them.

Fields are native integers; a field of more than 128 bits is ``wide``; a variable-length field is an
array of bytes with its length in bits beside it (``variable_bits``). Signed fields are kept as
their bits.
"""

from __future__ import annotations

from p4embed.switch.codegen.bits import load, pack, runs, shifts
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.values import Unsupported, c_type
from p4embed.switch.program import Field, HeaderType


def struct(context: Context, type_: HeaderType) -> list[str]:
    """The struct of a type."""
    lines = [f"/* {type_.name} */", f"{context.names.struct(type_)} {{", "    uint8_t valid;"]
    elsewhere = {
        ref.field
        for ref in context.temporaries
        if context.program.headers[ref.header].type is type_
    }
    names = context.names.fields[type_.name]
    for number, (field, name) in enumerate(zip(type_.fields, names, strict=True)):
        if field.variable:
            lines.append(f"    uint32_t variable_bits; /* of {field.name} */")
            lines.append(f"    uint8_t {name}[{(field.width + 7) // 8 or 1}];")
        elif number not in elsewhere:
            lines.append(member(context, field, name))
    return [*lines, "};", ""]


def member(context: Context, field: Field, name: str) -> str:
    """The declaration of a field."""
    if field.width > 128:
        context.need_wide(field.width + 1)
    sign = "int" if field.signed else "bit"
    return f"    {c_type(field.width)} {name}; /* {sign}<{field.width}> */"


def functions(context: Context, type_: HeaderType, compared: bool) -> list[str]:
    """``extract`` and ``emit`` of a packet header's type; ``same`` if any are ``compared``."""
    name = context.names.types[type_.name]
    pointer = f"{context.names.struct(type_)} *h"
    same = _same(context, type_) if compared else []
    if type_.fixed_width % 8 and type_.variable is None:
        # Such a header can be compared and assigned, but BMv2 cannot extract or emit it.
        return [*same]
    return [
        f"static void extract_{name}({pointer}, const uint8_t *from)",
        "{",
        *(f"    {line}" for line in _extract(context, type_)),
        "    h->valid = 1;",
        "}",
        "",
        f"static void emit_{name}(const {pointer}, uint8_t *to)",
        "{",
        *(f"    {line}" for line in _emit(context, type_)),
        "}",
        "",
        *same,
    ]


def size_text(type_: HeaderType, header: str) -> str:
    """Bytes that a header takes on the wire, as C."""
    if type_.variable is None:
        return str(type_.fixed_width // 8)
    return f"({type_.fixed_width} + {header}.variable_bits) / 8"


def most_bytes(type_: HeaderType) -> int:
    """Most bytes that a header takes on the wire."""
    return (sum(field.width for field in type_.fields) + 7) // 8


def _parts(type_: HeaderType) -> tuple[list[int], list[int]]:
    """Fixed fields before and after the variable-length one; each must fill whole bytes."""
    at = type_.variable
    every = list(range(len(type_.fields)))
    parts = (every, []) if at is None else (every[:at], every[at + 1 :])
    for part in parts:
        if sum(type_.fields[i].width for i in part) % 8:
            raise Unsupported(
                f"header type '{type_.name}': its fields do not fill whole bytes on both sides of"
                " the variable-length one"
            )
    return parts


def _extract(context: Context, type_: HeaderType) -> list[str]:
    names = context.names.fields[type_.name]
    lines: list[str] = []
    before, after = _parts(type_)
    lines += _extract_fixed(type_, before, names)
    if type_.variable is not None:
        offset = sum(type_.fields[i].width for i in before) // 8
        lines.append(f"from += {offset};")
        lines.append(f"memcpy(h->{names[type_.variable]}, from, h->variable_bits / 8);")
        lines.append("from += h->variable_bits / 8;")
        lines += _extract_fixed(type_, after, names)
    return lines or ["(void)from;"]


def _extract_fixed(type_: HeaderType, part: list[int], names: tuple[str, ...]) -> list[str]:
    widths = [type_.fields[i].width for i in part]
    lines = []
    for number, run in enumerate(runs(widths) or []):
        place = f"from + {run.offset}" if run.offset else "from"
        if len(run.members) == 1 or run.size > 16:
            bit = 8 * run.offset
            for member in run.members:
                lines.append(f"h->{names[part[member]]} = {load('from', bit, widths[member])};")
                bit += widths[member]
            continue
        kind, call = ("u128", "wp_load128") if run.size > 8 else ("uint64_t", "wp_load")
        lines.append(f"{kind} r{part[0]}_{number} = {call}({place}, {run.size});")
        for member, shift in zip(run.members, shifts(widths, run), strict=True):
            text = f"r{part[0]}_{number} >> {shift}" if shift else f"r{part[0]}_{number}"
            width = widths[member]
            if width not in (8, 16, 32, 64):
                literal = (
                    f"0x{(1 << width) - 1:x}" if width <= 64 else f"(((u128)1 << {width}) - 1)"
                )
                text = f"{text} & {literal}" if not shift else f"({text}) & {literal}"
            lines.append(f"h->{names[part[member]]} = {_cast(width)}({text});")
    return lines


def _cast(width: int) -> str:
    return f"({c_type(width)})"


def _emit(context: Context, type_: HeaderType) -> list[str]:
    names = context.names.fields[type_.name]
    lines: list[str] = []
    before, after = _parts(type_)
    lines += pack([type_.fields[i].width for i in before], [f"h->{names[i]}" for i in before], "to")
    if type_.variable is not None:
        offset = sum(type_.fields[i].width for i in before) // 8
        lines.append(f"to += {offset};")
        lines.append(f"memcpy(to, h->{names[type_.variable]}, h->variable_bits / 8);")
        lines.append("to += h->variable_bits / 8;")
        lines += pack(
            [type_.fields[i].width for i in after], [f"h->{names[i]}" for i in after], "to"
        )
    return lines or ["(void)h;", "(void)to;"]


def _same(context: Context, type_: HeaderType) -> list[str]:
    name, struct_name = context.names.types[type_.name], context.names.struct(type_)
    lines = [
        f"static int same_{name}(const {struct_name} *a, const {struct_name} *b)",
        "{",
        "    if (!a || !b || a->valid != b->valid)",
        "        return 0;",
        "    if (!a->valid)",
        "        return 1;",
    ]
    for field, member in zip(type_.fields, context.names.fields[type_.name], strict=True):
        if field.variable:
            lines.append("    if (a->variable_bits != b->variable_bits ||")
            lines.append(f"        memcmp(a->{member}, b->{member}, a->variable_bits / 8))")
        elif field.width > 128:
            lines.append(f"    if (!wide_equal(a->{member}, b->{member}))")
        else:
            lines.append(f"    if (a->{member} != b->{member})")
        lines.append("        return 0;")
    return [*lines, "    return 1;", "}", ""]
