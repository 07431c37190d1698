"""A table of exact fields, its P4Info, and messages about its entries."""

from __future__ import annotations

from finsy.proto import p4i, p4r
from native_programs import table_program

from p4embed.switch.program import MatchKind

TABLE, SEND, DROP = 0x02000001, 0x01000001, 0x01000002
PROGRAM = table_program(MatchKind.EXACT, [9, 48, 128, 7], size=40)


def p4info() -> p4i.P4Info:
    info = p4i.P4Info()
    table = info.tables.add(size=40, idle_timeout_behavior=p4i.Table.NOTIFY_CONTROL)
    table.preamble.id, table.preamble.name = TABLE, "t"
    for number, width in enumerate((9, 48, 128, 7), 1):
        table.match_fields.add(
            id=number, name=f"f{number}", bitwidth=width, match_type=p4i.MatchField.EXACT
        )
    counter = info.direct_counters.add(direct_table_id=TABLE)
    counter.preamble.name = "t_counter"
    for id_, name, scope in (
        (SEND, "send", p4i.ActionRef.TABLE_AND_DEFAULT),
        (DROP, "drop", p4i.ActionRef.DEFAULT_ONLY),
    ):
        table.action_refs.add(id=id_, scope=scope)
        action = info.actions.add()
        action.preamble.id, action.preamble.name = id_, name
    for number, (name, width) in enumerate((("port", 9), ("tag", 16)), 1):
        info.actions[0].params.add(id=number, name=name, bitwidth=width)
    return info


def entry(number: int = 1, tag: int = 5) -> p4r.TableEntry:
    made = p4r.TableEntry(table_id=TABLE)
    for field, value in (
        (1, b"\x01"),
        (2, bytes([number])),
        (3, b"\x20" + bytes(15)),
        (4, b"\x03"),
    ):
        made.match.add(field_id=field).exact.value = value
    made.action.action.action_id = SEND
    for param, value in ((1, b"\x02"), (2, tag.to_bytes(2, "big"))):
        made.action.action.params.add(param_id=param, value=value)
    return made


def request(*updates: tuple[int, p4r.TableEntry]) -> p4r.WriteRequest:
    made = p4r.WriteRequest(device_id=3)
    made.election_id.high, made.election_id.low = 1, 2
    for kind, table_entry in updates:
        made.updates.add(type=kind).entity.table_entry.CopyFrom(table_entry)  # type: ignore[arg-type]
    return made


INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE
