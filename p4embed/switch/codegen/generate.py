"""Puts the C file of a program together."""

from __future__ import annotations

from p4embed.switch import program as p
from p4embed.switch.codegen import calculations, controls, headers, parser, pipeline, tables
from p4embed.switch.codegen.context import Context
from p4embed.switch.codegen.names import all_actions
from p4embed.switch.codegen.packet_struct import packet_struct
from p4embed.switch.codegen.primitives import action_function
from p4embed.switch.codegen.values import container_for
from p4embed.switch.codegen.walk import walk


def generate(program: p.Program) -> str:
    """The C file for a program; ``Unsupported`` names what the native executor cannot run."""
    context = Context(program)
    types: list[str] = []
    bodies: list[str] = []
    code = (all_actions(program), program.parser, program.branches, program.checksums)
    compared = any(isinstance(item, p.SameHeader | p.SameUnion) for item in walk(code))
    packet_types = {h.type.name for h in program.headers if not h.metadata}
    for type_ in program.header_types:
        types += headers.struct(context, type_)
        if type_.name in packet_types:
            bodies += headers.functions(context, type_, compared)
    for calculation, name in zip(program.calculations, context.names.calculations, strict=True):
        bodies += calculations.function(context, calculation, name)
    for index, profile in enumerate(program.profiles):
        if profile.selector is not None:
            name = tables.selector_name(context, index)
            bodies += calculations.function(context, profile.selector, name)
    for action in all_actions(program):
        bodies += action_function(context, action)
    bodies += parser.functions(context)
    bodies += calculations.checksum_functions(context)
    for index in range(len(program.tables)):
        bodies += tables.function(context, index)
    bodies += controls.function(context, program.ingress, "ingress", context.ahead)
    bodies += controls.function(context, program.egress, "egress")
    bodies += parser.deparser(context)
    bodies += pipeline.functions(context)
    bodies += tables.definitions(context)
    bodies += _program(context)
    limbs = max(3, context.wide_bits // 64 + 1)
    lines = [
        f"/* The P4 program {_comment(program.name)}, as one C file. Generated; never edited. */",
        f"#define WP_LIMBS {limbs}",
        '#include "pipeline.h"',
        "",
        *types,
        *packet_struct(context),
        *bodies,
    ]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return ascii(text).replace("*/", "* /")


def _name(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def register_limbs(width: int) -> int:
    """64-bit limbs of a register's cell; 0: as many as a ``wide`` has."""
    return {64: 1, 128: 2}.get(container_for(width), 0)


def _program(context: Context) -> list[str]:
    program = context.program
    counters = [f"    {{{_name(c.name)}, {0 if c.direct else c.size}}}," for c in program.counters]
    registers = [
        f"    {{{_name(r.name)}, {r.size}, {register_limbs(r.width) or 'WP_LIMBS'}}},"
        for r in program.registers
    ]
    meters = [
        f"    {{{_name(m.name)}, {0 if m.direct else m.size}, {int(m.bytes)}}},"
        for m in program.meters
    ]
    return [
        "static const struct wp_counter_def counters[] = {",
        *(counters or ["    {0},"]),
        "};",
        "",
        "static const struct wp_register_def registers[] = {",
        *(registers or ["    {0},"]),
        "};",
        "",
        "static const struct wp_meter_def meters[] = {",
        *(meters or ["    {0},"]),
        "};",
        "",
        "const struct wp_program wp_program = {",
        f"    .name = {_name(program.name)},",
        f"    .headroom = {parser.headroom(context)},",
        f"    .table_count = {len(program.tables)},",
        f"    .counter_count = {len(program.counters)},",
        f"    .register_count = {len(program.registers)},",
        f"    .meter_count = {len(program.meters)},",
        f"    .profile_count = {len(program.profiles)},",
        f"    .value_set_count = {len(program.value_sets)},",
        "    .tables = tables,",
        "    .counters = counters,",
        "    .registers = registers,",
        "    .meters = meters,",
        "    .process = process,",
        "};",
    ]
