"""Between P4Runtime's messages and the engine's packed values."""

from __future__ import annotations

from typing import Any

import pytest
from finsy.proto import p4i, p4r
from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.switch.engine import Entry, EntryKey
from p4embed.switch.p4runtime.bytestrings import canonical
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError
from p4embed.switch.p4runtime.translate import MismatchError, TableTranslator, Translator

from .p4info import MISS_ID, SET_PORT_ID, TABLE_ID, entry, p4info
from .programs import load, one_table

EXACT = [("exact", "h", "kind"), ("exact", "h", "value"), ("exact", "h", "low")]


def translator(key: list[tuple[str, str, str]], **options: Any) -> TableTranslator:
    optional = options.pop("optional", ())
    program = load(one_table(key, **options))
    return Translator(p4info(program, optional), program).table(TABLE_ID)


def refused(table: TableTranslator, message: p4r.TableEntry) -> str:
    with pytest.raises(P4RuntimeError) as caught:
        table.entry(message)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def test_entries_are_packed() -> None:
    table = translator(EXACT)
    packed = table.entry(entry(7, 0x12, 3, port=5, metadata=b"mine"))
    assert packed == Entry(EntryKey(b"\x07\x00\x12\x03"), 3, b"\x00\x05", 0, b"mine")


def test_order_and_leading_zeros_do_not_matter() -> None:
    table = translator(EXACT)
    message = entry(7, 0x12, 3, port=5)
    message.match[0].exact.value = b"\0\0\0\x07"
    message.action.action.params[0].value = b"\0\0\x05"
    message.match.append(message.match[0])
    del message.match[0]
    assert table.entry(message) == table.entry(entry(7, 0x12, 3, port=5))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (entry(7, 1, port=1), "table 't' field 'h.low' is missing; exact fields cannot be left"),
        (entry(7, 1, 2), "table 't': no action; expected 'action'"),
        (entry(0x107, 1, 2, port=1), "field 'h.kind': value 0x0107 does not fit 8 bits"),
        (entry(7, 1, 0x1F, port=1), "field 'h.low': value 0x1f does not fit 4 bits"),
        (entry(7, 1, 2, 9, port=1), "table 't' has no match field with id 4"),
        (entry(7, 1, (2, 4), port=1), "field 'h.low' has match type 'lpm'; expected 'exact'"),
        (entry(7, 1, 2, port=512), "parameter 'port': value 0x0200 does not fit 9 bits"),
        (entry(7, 1, 2, port=1, priority=1), "table 't' has no priorities"),
        (entry(7, 1, 2, port=1, idle_timeout_ns=5), "does not support idle_timeout_ns"),
    ],
)
def test_invalid_entries(message: p4r.TableEntry, text: str) -> None:
    assert text in refused(translator(EXACT), message)


def test_malformed_matches_and_actions() -> None:
    table = translator(EXACT)
    twice = entry(7, 1, 2, port=1)
    twice.match[2].field_id = 1
    assert "field 1 is given twice" in refused(table, twice)
    empty = entry(7, 1, 2, port=1)
    empty.match[1].exact.value = b""
    assert "field 'h.value': empty byte string" in refused(table, empty)
    unset = entry(7, 1, 2, port=1)
    unset.match[1].ClearField("exact")
    assert "match type 'None'; expected 'exact'" in refused(table, unset)
    unknown = entry(7, 1, 2, port=1)
    unknown.action.action.action_id = 99
    assert "table 't' has no action with id 99" in refused(table, unknown)
    missing = entry(7, 1, 2, port=1)
    del missing.action.action.params[:]
    assert "action 'set_port': parameter 'port' is missing" in refused(table, missing)
    extra = entry(7, 1, 2, port=1)
    extra.action.action.params.add(param_id=2, value=b"\1")
    assert "action 'set_port' has no parameter with id 2" in refused(table, extra)
    member = entry(7, 1, 2)
    member.action.action_profile_member_id = 1
    assert "action_profile_member_id; expected 'action'" in refused(table, member)


def test_an_action_out_of_its_scope_is_denied() -> None:
    table = translator(EXACT)
    message = entry(7, 1, 2)
    message.action.action.action_id = MISS_ID
    with pytest.raises(P4RuntimeError) as caught:
        table.entry(message)
    assert caught.value.code is Code.PERMISSION_DENIED
    assert table.action(message, default=True) == (4, b"")


MASKED = [
    ("ternary", "h", "value"), ("ternary", "h", "kind"), ("range", "h", "low"),
    ("exact", "h", "high"),
]  # fmt: skip


def test_masked_keys() -> None:
    table = translator(MASKED, optional=("h.kind",))
    full = entry({"ternary": (0x10, 0xF0)}, {"optional": 7}, {"range": (2, 5)}, 1, port=1,
                 priority=9)  # fmt: skip
    assert table.key(full) == EntryKey(b"\x00\x10\x07\x02\x01", b"\x00\xf0\xff\x05\x0f", 9)
    open_ = entry(None, None, None, 1, port=1, priority=9)
    assert table.key(open_) == EntryKey(b"\0\0\0\0\x01", b"\0\0\0\x0f\x0f", 9)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (entry(None, None, None, 1, port=1), "needs a priority above 0, not 0"),
        (entry({"ternary": (1, 0)}, None, None, 1, port=1, priority=1), "mask 0; leave the field"),
        (
            entry({"ternary": (3, 1)}, None, None, 1, port=1, priority=1),
            "bits outside the mask are set in 0x0003",
        ),
        (
            entry(None, None, {"range": (5, 2)}, 1, port=1, priority=1),
            "low end 0x05 above high end 0x02",
        ),
        (
            entry(None, None, {"range": (0, 15)}, 1, port=1, priority=1),
            "the whole range; leave the field out",
        ),
    ],
)
def test_invalid_masked_keys(message: p4r.TableEntry, text: str) -> None:
    assert text in refused(translator(MASKED, optional=("h.kind",)), message)


def test_prefixes() -> None:
    table = translator([("lpm", "h", "value")])
    assert table.key(entry((0x1200, 8))) == EntryKey(b"\x12\x00", b"\xff\x00", 0)
    assert table.key(entry(None)) == EntryKey(b"\0\0", b"\0\0", 0)
    for value, length, text in (
        (0x1234, 8, "bits beyond the prefix are set in 0x1234"),
        (0, 0, "prefix_len 0; expected 1..16"),
        (0, 17, "prefix_len 17; expected 1..16"),
    ):
        with pytest.raises(P4RuntimeError, match=text):
            table.key(entry((value, length)))


@settings(max_examples=80, deadline=None)
@given(
    value=st.integers(0, 0xFFFF),
    mask=st.integers(0, 0xFFFF),
    kind=st.one_of(st.none(), st.integers(0, 255)),
    low=st.integers(0, 15),
    high=st.integers(0, 15),
    exact=st.integers(0, 15),
    port=st.integers(0, 511),
    priority=st.integers(1, 2**31 - 1),
    metadata=st.binary(max_size=8),
)
def test_what_is_written_is_read_back(
    value: int, mask: int, kind: int | None, low: int, high: int, exact: int, port: int,
    priority: int, metadata: bytes,
) -> None:  # fmt: skip
    table = translator(MASKED, optional=("h.kind",))
    low, high = sorted((low, high))
    written = entry(
        {"ternary": (value & mask, mask)} if mask else None,
        None if kind is None else {"optional": kind},
        None if (low, high) == (0, 15) else {"range": (low, high)},
        exact,
        port=port,
        priority=priority,
        metadata=metadata,
    )
    read = p4r.TableEntry()
    table.unpack_entry(table.entry(written), read)
    assert read == written


@given(st.binary(min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_canonical_is_shortest(packed: bytes) -> None:
    short = canonical(packed)
    assert int.from_bytes(short, "big") == int.from_bytes(packed, "big")
    assert short == b"\0" or short[0] != 0


def test_controller_headers() -> None:
    program = load(one_table(EXACT))
    made = Translator(p4info(program), program)
    packet = made.packet_in.unpack(b"\x05\x81\x00rest")
    assert [(m.metadata_id, m.value) for m in packet.metadata] == [(1, b"\x05"), (2, b"\x01\x02")]
    assert packet.payload == b"rest"
    assert made.packet_in.unpack(b"\x05").payload == b"\x05"
    out = p4r.PacketOut(payload=b"rest")
    for id_, value in ((4, b"\x0a"), (1, b"\x01"), (2, b"\x02")):
        out.metadata.add(metadata_id=id_, value=value)
    assert made.packet_out.pack(out) == b"\x01\x00\x02\x0arest"
    out.metadata.add(metadata_id=9, value=b"\1")
    with pytest.raises(P4RuntimeError, match="packet_out has no metadata with id 9"):
        made.packet_out.pack(out)


def mismatch(edit: Any) -> str:
    program = load(one_table(EXACT))
    info = p4info(program)
    edit(info)
    with pytest.raises(MismatchError) as caught:
        Translator(info, program)
    return str(caught.value)


def test_p4info_must_fit_the_program() -> None:
    def rename(info: p4i.P4Info) -> None:
        info.tables[0].preamble.name = "u"

    def narrow(info: p4i.P4Info) -> None:
        info.tables[0].match_fields[0].bitwidth = 7

    def ternary(info: p4i.P4Info) -> None:
        info.tables[0].match_fields[0].match_type = p4i.MatchField.TERNARY

    def widen(info: p4i.P4Info) -> None:
        info.actions[0].params[0].bitwidth = 10

    def forget(info: p4i.P4Info) -> None:
        info.tables[0].action_refs[0].id = SET_PORT_ID + 99

    assert mismatch(rename) == "the program has no table 'u'"
    assert mismatch(narrow) == "table 't': key fields differ from the program's"
    assert mismatch(ternary) == "table 't': match types differ from the program's"
    assert mismatch(widen) == "action 'set_port': parameters differ from the program's"
    assert mismatch(forget) == f"table 't': no action has id {SET_PORT_ID + 99}"


def translated(info: p4i.P4Info, kind: str) -> None:
    """Give the key's first field and the action's parameter a translated type."""
    new_type = info.type_info.new_types["port_t"]
    new_type.translated_type.uri = ""
    if kind == "string":
        new_type.translated_type.sdn_string.SetInParent()
    else:
        new_type.translated_type.sdn_bitwidth = 32
    for field in (info.tables[0].match_fields[0], info.actions[0].params[0]):
        field.type_name.name = "port_t"
        field.bitwidth = 0 if kind == "string" else 32


def test_translated_numbers_are_the_data_planes_own() -> None:
    program = load(one_table([("exact", "h", "kind")]))
    info = p4info(program)
    translated(info, "number")
    table = Translator(info, program).table(TABLE_ID)
    written = entry(0, port=5)
    written.match[0].exact.value = b"\0\0\0\x07"
    made = table.entry(written)
    assert (made.key.value[:1], made.params) == (b"\x07", b"\0\x05")
    written.match[0].exact.value = b"\x01\0\0"
    with pytest.raises(P4RuntimeError, match="does not fit 8 bits"):
        table.entry(written)


def test_translated_strings_are_refused() -> None:
    def strings(info: p4i.P4Info) -> None:
        translated(info, "string")

    def header(info: p4i.P4Info) -> None:
        translated(info, "number")
        info.controller_packet_metadata[0].metadata[0].type_name.name = "port_t"

    assert mismatch(strings).startswith("table 't' 'h.kind': translation from strings is not")
    assert mismatch(header).startswith("packet_in metadata 'reason': translated types are not")
