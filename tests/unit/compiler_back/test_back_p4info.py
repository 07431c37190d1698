"""P4Info: ids and names are those that p4c gives (values taken from its output)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, text_format

from p4embed.compiler.p4info import files as p4info_files
from p4embed.compiler.p4info import ids as p4info_ids
from p4embed.compiler.p4info.ids import Symbols, WrongId, field_ids, one_at_a_time


@pytest.mark.parametrize(
    ("kind", "name", "number"),
    [
        (p4info_ids.ACTION, "NoAction", 21257015),
        (p4info_ids.TABLE, "I.t", 49059515),
        (p4info_ids.TABLE, "I.sub.inner.s2t", 46946151),
        (p4info_ids.ACTION, "I.sub2.sa", 22543455),
        (p4info_ids.COUNTER, "I.c", 309948943),
        (p4info_ids.DIRECT_COUNTER, "I.sub.dc", 334316715),
        (p4info_ids.METER, "I.mm", 343201071),
        (p4info_ids.DIRECT_METER, "I.dm", 353366856),
        (p4info_ids.REGISTER, "I.rr", 380576047),
        (p4info_ids.DIGEST, "dig_t", 401249914),
        (p4info_ids.VALUE_SET, "P.vs", 61396054),
        (p4info_ids.ACTION_PROFILE, "I.sel", 290691693),
        (p4info_ids.CONTROLLER_HEADER, "pi_t", 72809026),
    ],
)
def test_id_of_a_name(kind: int, name: str, number: int) -> None:
    symbols = Symbols()
    symbols.add(kind, name)
    symbols.assign()
    assert symbols.id(kind, name) == number


def test_given_id_gets_its_prefix() -> None:
    symbols = Symbols()
    symbols.add(p4info_ids.TABLE, "a", 77)
    symbols.add(p4info_ids.TABLE, "b", 0x02000009)
    symbols.assign()
    assert symbols.id(p4info_ids.TABLE, "a") == 33554509
    assert symbols.id(p4info_ids.TABLE, "b") == 0x02000009


def test_given_id_of_another_kind() -> None:
    with pytest.raises(WrongId, match="prefix"):
        Symbols().add(p4info_ids.TABLE, "a", 0x01000001)


def test_given_id_twice() -> None:
    symbols = Symbols()
    symbols.add(p4info_ids.TABLE, "a", 5)
    with pytest.raises(WrongId, match="several"):
        symbols.add(p4info_ids.TABLE, "b", 5)


def test_collision_counts_up() -> None:
    symbols = Symbols()
    taken = one_at_a_time("a") & 0xFFFFFF
    symbols.add(p4info_ids.TABLE, "z", taken)
    symbols.add(p4info_ids.TABLE, "a")
    symbols.assign()
    assert symbols.id(p4info_ids.TABLE, "a") == p4info_ids.TABLE << 24 | (taken + 1)


def test_alias_is_the_shortest_end_of_its_own() -> None:
    symbols = Symbols()
    for name in ("I.sub.t", "I.sub2.t", "I.u", "E.v.w", "w"):
        symbols.add(p4info_ids.TABLE, name)
    assert symbols.alias("I.sub.t") == "sub.t"
    assert symbols.alias("I.u") == "u"
    assert symbols.alias("E.v.w") == "v.w"
    assert symbols.alias("w") == "w"


def test_field_ids_count_around_those_given() -> None:
    assert field_ids([None, 9, None, None]) == [1, 9, 2, 3]
    assert field_ids([None, 1, None]) == [2, 1, 3]
    with pytest.raises(WrongId):
        field_ids([3, 3])
    with pytest.raises(WrongId):
        field_ids([0])


PROGRAM: dict[str, str] = {
    "types": """
        @controller_header("packet_in")
        header in_t { bit<9> port; @padding bit<7> pad; }
        type bit<9> Port_t;
        @p4runtime_translation("example/name", string) type bit<9> Name_t;
        enum bit<8> Kind { ONE = 1, TWO = 2 }
        header h_t { bit<8> a; bit<8> b; bit<16> c; }
    """,
    "metadata": "bit<8> x; Port_t port; Name_t name; Kind kind; bool flag;",
    "declarations": """
        struct news_t { bit<8> a; Kind kind; }
        action everywhere() { }
    """,
    "locals": """
        counter(16, CounterType.packets_and_bytes) hits;
        register<bit<16>>(4) last;
        direct_counter(CounterType.bytes) wings_counter;
        @brief("Sends it on.")
        @description("Through a port.")
        action send(@format(MAC_ADDRESS) bit<48> mac, Port_t port, @id(7) bool flag) {
            digest<news_t>(1, { hdr.h.a, Kind.ONE });
        }
        action never() { }
        action called(bit<8> v) { hdr.h.b = v; }
        action miss() { }
        @id(5)
        table wings {
            key = {
                hdr.h.a : exact @format(IPV4_ADDRESS);
                hdr.h.c[7:0] : ternary;
                meta.port : optional @name("port");
                meta.name : lpm;
                hdr.h.isValid() : exact;
            }
            actions = { send; @tableonly everywhere; @defaultonly miss; }
            const default_action = miss();
            counters = wings_counter;
            support_timeout = true;
            size = 99;
        }
        table fixed {
            key = { meta.kind : exact; }
            actions = { send; NoAction; }
            default_action = send(3, (Port_t)4, true);
            const entries = { Kind.ONE : NoAction(); }
        }
        @hidden table secret { actions = { miss; } }
        table unused { actions = { never; } }
    """,
    "ingress": """
        hits.count(1); last.write(0, 1);
        wings.apply(); fixed.apply(); secret.apply(); called(3);
    """,
}


@pytest.fixture
def info(build: Callable[..., Any]) -> Any:
    """P4Info of the program above."""
    return build(**PROGRAM).p4info()


def by_alias(items: Any) -> dict[str, Any]:
    return {i.preamble.alias: i for i in items}


def test_what_is_used_is_listed(info: Any) -> None:
    assert list(by_alias(info.tables)) == ["wings", "fixed"]
    assert list(by_alias(info.actions)) == [
        "everywhere",
        "NoAction",
        "send",
        "called",
        "miss",
    ]


def test_match_fields(info: Any) -> None:
    fields = by_alias(info.tables)["wings"].match_fields
    shown = [(f.id, f.name, f.bitwidth, f.MatchType.Name(f.match_type)) for f in fields]
    assert shown == [
        (1, "hdr.h.a", 8, "EXACT"),
        (2, "hdr.h.c[7:0]", 8, "TERNARY"),
        (3, "port", 9, "OPTIONAL"),
        (4, "meta.name", 0, "LPM"),
        (5, "hdr.h.$valid$", 1, "EXACT"),
    ]
    assert list(fields[0].annotations) == ["@format(IPV4_ADDRESS)"]
    assert fields[2].type_name.name == "Port_t"


def test_table(info: Any) -> None:
    table = by_alias(info.tables)["wings"]
    actions = {a.preamble.alias: a.preamble.id for a in info.actions}
    assert table.preamble.id == 0x02000005
    assert table.size == 99
    assert table.idle_timeout_behavior == table.NOTIFY_CONTROL
    assert table.const_default_action_id == actions["miss"]
    assert [(r.id, r.Scope.Name(r.scope)) for r in table.action_refs] == [
        (actions["send"], "TABLE_AND_DEFAULT"),
        (actions["everywhere"], "TABLE_ONLY"),
        (actions["miss"], "DEFAULT_ONLY"),
    ]
    (counter,) = info.direct_counters
    assert list(table.direct_resource_ids) == [counter.preamble.id]
    assert counter.direct_table_id == table.preamble.id
    assert counter.spec.unit == counter.spec.BYTES


def test_default_action_with_data(info: Any) -> None:
    table = by_alias(info.tables)["fixed"]
    default = table.initial_default_action
    assert [(a.param_id, a.value) for a in default.arguments] == [
        (1, b"\0\0\0\0\0\3"),
        (2, b"\0\4"),
        (7, b"\1"),
    ]
    assert table.is_const_table
    assert table.has_initial_entries
    assert table.const_default_action_id == 0
    assert table.size == 1024


def test_action(info: Any) -> None:
    send = by_alias(info.actions)["send"]
    assert send.preamble.doc.brief == "Sends it on."
    assert send.preamble.doc.description == "Through a port."
    assert not send.preamble.annotations
    assert [(p.id, p.name, p.bitwidth) for p in send.params] == [
        (1, "mac", 48),
        (2, "port", 9),
        (7, "flag", 1),
    ]
    assert list(send.params[0].annotations) == ["@format(MAC_ADDRESS)"]
    assert not by_alias(info.actions)["called"].params, "its argument is given where it is called"


def test_externs(info: Any) -> None:
    (counter,) = info.counters
    assert (counter.size, counter.spec.unit) == (16, counter.spec.BOTH)
    (register,) = info.registers
    assert register.type_spec.bitstring.bit.bitwidth == 16


def test_controller_header(info: Any) -> None:
    (header,) = info.controller_packet_metadata
    assert header.preamble.name == header.preamble.alias == "packet_in"
    assert list(header.preamble.annotations) == ['@controller_header("packet_in")']
    assert [(m.id, m.name, m.bitwidth) for m in header.metadata] == [(1, "port", 9), (2, "pad", 7)]
    assert list(header.metadata[1].annotations) == ["@padding"]


def test_types(info: Any) -> None:
    types = info.type_info
    assert types.new_types["Port_t"].original_type.bitstring.bit.bitwidth == 9
    translated = types.new_types["Name_t"].translated_type
    assert (translated.uri, translated.HasField("sdn_string")) == ("example/name", True)
    (digest,) = info.digests
    assert digest.type_spec.struct.name == "news_t"
    assert [m.name for m in types.structs["news_t"].members] == ["a", "kind"]
    members = types.serializable_enums["Kind"].members
    assert [(m.name, m.value) for m in members] == [("ONE", b"\1"), ("TWO", b"\2")]


def test_annotations_keep_their_tokens(build: Callable[..., Any]) -> None:
    info = build(
        locals="""
            @refers_to(other, port) @flag @numbers[1, "two", true] @pairs[k = 3]
            table t { actions = { NoAction; } }
        """,
        ingress="t.apply();",
    ).p4info()
    preamble = info.tables[0].preamble
    assert list(preamble.annotations) == ["@refers_to(other , port)", "@flag"]
    numbers, pairs = preamble.structured_annotations
    first, second, third = numbers.expression_list.expressions
    assert (first.int64_value, second.string_value, third.bool_value) == (1, "two", True)
    assert pairs.kv_pair_list.kv_pairs[0].value.int64_value == 3


def test_structured_annotations_hold_expressions(build: Callable[..., Any]) -> None:
    result = build(
        declarations="const bit<8> WIDTH = 8; const bit<8> TWICE = 2 * WIDTH;",
        locals="""
            @computed[1 == 2, TWICE, "a" ++ "b"] @pairs[width = TWICE + 1]
            table t { actions = { NoAction; } default_action = NoAction; }
        """,
        ingress="t.apply();",
    )
    (table,) = result.p4info().tables
    listed, pairs = table.preamble.structured_annotations
    first, second, third = listed.expression_list.expressions
    assert first.WhichOneof("value") == "bool_value"
    assert not first.bool_value
    assert (second.int64_value, third.string_value) == (16, "ab")
    assert pairs.kv_pair_list.kv_pairs[0].value.int64_value == 17


def test_package(compile_text: Callable[[str], Any], program_text: Callable[..., str]) -> None:
    text = program_text().replace(
        "V1Switch(", '@pkginfo(name="npu", version="1.2") @brief("A test.") V1Switch('
    )
    package = compile_text(text).p4info().pkg_info
    assert (package.name, package.version, package.arch) == ("npu", "1.2", "v1model")
    assert package.doc.brief == "A test."
    assert not package.annotations


def test_package_of_names_that_are_no_macros(
    compile_text: Callable[[str], Any], program_text: Callable[..., str]
) -> None:
    text = program_text().replace("V1Switch(", "@pkginfo(version=VERSION) V1Switch(")
    compiled = compile_text(text)
    assert compiled.compiled is not None
    compiled.compiled.p4info(compiled.diagnostics)
    (message,) = compiled.messages
    assert message.endswith("@pkginfo wants strings and integers, not version = VERSION")


def test_key_that_is_computed_needs_a_name(refuse: Callable[..., list[str]]) -> None:
    (message,) = refuse(
        locals="table t { key = { hdr.h.a + 1 : exact; } actions = { NoAction; } }",
        ingress="t.apply();",
    )
    assert message.endswith("error: a key that is computed needs a name")


@pytest.mark.parametrize("suffix", ["txtpb", "json", "bin"])
def test_files(info: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "deep" / f"p.{suffix}"
    p4info_files.write(info, path, p4info_files.form_of(path.name))
    again = type(info)()
    if suffix == "bin":
        again.ParseFromString(path.read_bytes())
    elif suffix == "json":
        json_format.Parse(path.read_text(), again)
    else:
        assert path.read_text().startswith("# proto-file: p4/config/v1/p4info.proto\n")
        text_format.Parse(path.read_text(), again)
    assert again == info


def test_what_a_constructor_argument_decides(build: Callable[..., Any]) -> None:
    info = build(
        declarations="""
            control Sub(inout headers_t hdr)(bit<8> k, bit<32> entries) {
                action put(bit<8> v) { hdr.h.a = v; }
                counter(entries, CounterType.bytes) hits;
                table t { key = { hdr.h.b : exact; } actions = { put; }
                          default_action = put(k); size = (int)entries; }
                apply { t.apply(); hits.count(0); }
            }
        """,
        locals="Sub(7, 10) one; Sub(8, 20) two;",
        ingress="one.apply(hdr); two.apply(hdr);",
    ).p4info()
    one, two = info.tables
    assert (one.size, two.size) == (10, 20)
    assert one.initial_default_action.arguments[0].value == b"\x07"
    assert two.initial_default_action.arguments[0].value == b"\x08"
    assert [c.size for c in info.counters] == [10, 20]
