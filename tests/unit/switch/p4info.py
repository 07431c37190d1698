"""P4Info for the programs of ``programs.py``, and the protobuf messages that tests send."""

from __future__ import annotations

from typing import Any

from finsy.proto import p4i, p4r

from p4embed.switch.program import MatchKind, Program

TABLE_ID = 0x02000001
SET_PORT_ID = 0x01000001
MISS_ID = 0x01000002
COUNTER_ID = 0x12000001
DIRECT_COUNTER_ID = 0x13000001
REGISTER_ID = 0x19000001

_TYPES = {
    MatchKind.EXACT: p4i.MatchField.EXACT,
    MatchKind.LPM: p4i.MatchField.LPM,
    MatchKind.TERNARY: p4i.MatchField.TERNARY,
    MatchKind.RANGE: p4i.MatchField.RANGE,
}


def p4info(program: Program, optional: tuple[str, ...] = ()) -> p4i.P4Info:
    """What a compiler would say of a program of ``programs.one_table``."""
    info = p4i.P4Info()
    for id_, name in ((SET_PORT_ID, "set_port"), (MISS_ID, "miss")):
        action = info.actions.add()
        action.preamble.id, action.preamble.name, action.preamble.alias = id_, name, name
        if name == "set_port":
            action.params.add(id=1, name="port", bitwidth=9)
    for declared in program.tables:
        table = info.tables.add(size=declared.size)
        table.preamble.id, table.preamble.name = TABLE_ID, declared.name
        table.preamble.alias = declared.name
        for i, key in enumerate(declared.key):
            kind = p4i.MatchField.OPTIONAL if key.name in optional else _TYPES[key.match]
            table.match_fields.add(id=i + 1, name=key.name, bitwidth=key.width, match_type=kind)
        table.action_refs.add(id=SET_PORT_ID)
        table.action_refs.add(id=MISS_ID, scope=p4i.ActionRef.DEFAULT_ONLY)
        table.is_const_table = bool(declared.const_entries)
        if declared.default is not None and declared.default.action_const:
            table.const_default_action_id = MISS_ID
        if declared.support_timeout:
            table.idle_timeout_behavior = p4i.Table.NOTIFY_CONTROL
        if declared.counter is not None:
            table.direct_resource_ids.append(DIRECT_COUNTER_ID)
            counter = info.direct_counters.add(direct_table_id=TABLE_ID)
            counter.preamble.id = DIRECT_COUNTER_ID
    for declared_counter in program.counters:
        if not declared_counter.direct:
            made = info.counters.add(size=declared_counter.size)
            made.preamble.id, made.preamble.name = COUNTER_ID, declared_counter.name
    for declared_register in program.registers:
        register = info.registers.add(size=declared_register.size)
        register.preamble.id, register.preamble.name = REGISTER_ID, declared_register.name
    for id_, name, fields in (
        (0x04000001, "packet_in", (("reason", 8), ("port", 9))),
        (0x04000002, "packet_out", (("kind", 8), ("value", 16), ("low", 4), ("high", 4))),
    ):
        header = info.controller_packet_metadata.add()
        header.preamble.id, header.preamble.name = id_, name
        for i, (field, width) in enumerate(fields):
            header.metadata.add(id=i + 1, name=field, bitwidth=width)
    return info


def number(value: int) -> bytes:
    """Shortest byte string."""
    return value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big")


def entry(
    *values: Any, port: int | None = None, priority: int = 0, table: int = TABLE_ID, **more: Any
) -> p4r.TableEntry:
    """An entry of ``t``. A value is an int (exact), (value, length) lpm, {"ternary": (v, m)},
    {"range": (low, high)}, {"optional": v}, or ``None`` to leave the field out."""
    made = p4r.TableEntry(table_id=table, priority=priority, **more)
    for i, value in enumerate(values):
        if value is None:
            continue
        match = made.match.add(field_id=i + 1)
        if isinstance(value, int):
            match.exact.value = number(value)
        elif isinstance(value, tuple):
            match.lpm.value, match.lpm.prefix_len = number(value[0]), value[1]
        else:
            ((kind, content),) = value.items()
            if kind == "ternary":
                match.ternary.value, match.ternary.mask = map(number, content)
            elif kind == "range":
                match.range.low, match.range.high = map(number, content)
            else:
                match.optional.value = number(content)
    if port is not None:
        made.action.action.action_id = SET_PORT_ID
        made.action.action.params.add(param_id=1, value=number(port))
    return made
