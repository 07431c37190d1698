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
METER_ID = 0x14000001
DIRECT_METER_ID = 0x15000001
PROFILE_ID = 0x11000001
VALUE_SET_ID = 0x03000001
DIGEST_ID = 0x17000001

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
        if declared.meter is not None:
            table.direct_resource_ids.append(DIRECT_METER_ID)
            meter = info.direct_meters.add(direct_table_id=TABLE_ID)
            meter.preamble.id = DIRECT_METER_ID
        if declared.profile is not None:
            made_of = program.profiles[declared.profile]
            table.implementation_id = PROFILE_ID
            profile = info.action_profiles.add(size=made_of.size, table_ids=[TABLE_ID])
            profile.preamble.id, profile.preamble.name = PROFILE_ID, made_of.name
            profile.with_selector = made_of.selector is not None
    for declared_counter in program.counters:
        if not declared_counter.direct:
            made = info.counters.add(size=declared_counter.size)
            made.preamble.id, made.preamble.name = COUNTER_ID, declared_counter.name
    for declared_register in program.registers:
        register = info.registers.add(size=declared_register.size)
        register.preamble.id, register.preamble.name = REGISTER_ID, declared_register.name
    for declared_meter in program.meters:
        if not declared_meter.direct:
            array = info.meters.add(size=declared_meter.size)
            array.preamble.id, array.preamble.name = METER_ID, declared_meter.name
    for declared_set in program.value_sets:
        value_set = info.value_sets.add(size=declared_set.size)
        value_set.preamble.id, value_set.preamble.name = VALUE_SET_ID, declared_set.name
        value_set.match.add(
            id=1, name="v", bitwidth=declared_set.width, match_type=p4i.MatchField.TERNARY
        )
    for declared_digest in program.digests:
        digest = info.digests.add()
        digest.preamble.id, digest.preamble.name = DIGEST_ID, declared_digest.name
        digest.type_spec.struct.name = declared_digest.name
        members = info.type_info.structs[declared_digest.name].members
        for ref in declared_digest.fields:
            member = members.add(name=program.field(ref).name)
            member.type_spec.bitstring.bit.bitwidth = program.field(ref).width
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


def packet_out(kind: int, payload: bytes = b"") -> p4r.StreamMessageRequest:
    """A packet for the program; ``kind`` is its header's first field."""
    request = p4r.StreamMessageRequest()
    request.packet.payload = payload
    for id_, value in ((1, kind), (2, 0), (3, 0), (4, 0)):
        request.packet.metadata.add(metadata_id=id_, value=number(value))
    return request
