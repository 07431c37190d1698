"""Pass `flatten`: structured statements as BMv2's parser states, tables and actions."""

from __future__ import annotations

from p4embed.compiler import ir
from p4embed.compiler.diagnostics import Diagnostics
from p4embed.compiler.ir import tree
from p4embed.compiler.lower.actions import Unflattened
from p4embed.compiler.lower.controls import Names, flatten_control
from p4embed.compiler.lower.parsers import flatten_parser


def flatten(program: tree.Program, diagnostics: Diagnostics) -> ir.Program | None:
    """The lowered program; None (with `diagnostics`) if BMv2 has nothing for some flow."""
    lowered = program.lowered
    names = Names()
    names.taken.update(t.name for t in program.tables)
    try:
        flatten_parser(lowered, program.parser)
        flatten_control(lowered, lowered.ingress, program.ingress, names)
        flatten_control(lowered, lowered.egress, program.egress, names)
    except Unflattened as problem:
        diagnostics.error(problem.message, problem.span)
        return None
    for type_ in lowered.header_types:
        if any(h.metadata and h.type == type_.name for h in lowered.headers):
            _pad(type_)
    return lowered


def _pad(type_: ir.HeaderType) -> None:
    """Fill metadata up to whole bytes, as BMv2 wants it."""
    width = sum(f.type.width if isinstance(f.type, ir.Bits) else 1 for f in type_.fields)
    if width % 8:
        type_.fields.append(ir.HeaderField("_padding", ir.Bits(8 - width % 8)))
