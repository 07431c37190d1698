"""Extern functions and objects of v1model as BMv2's primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def primitives(result: Any) -> list[dict[str, Any]]:
    return [p for a in result.json["actions"] for p in a["primitives"]]


def field(*names: str) -> dict[str, Any]:
    return {"type": "field", "value": list(names)}


@pytest.mark.parametrize(
    ("statement", "op", "parameters"),
    [
        (
            "mark_to_drop(standard_metadata);",
            "mark_to_drop",
            [{"type": "header", "value": "standard_metadata"}],
        ),
        ("truncate(32w60);", "truncate", [{"type": "hexstr", "value": "0x0000003c"}]),
        (
            "random(hdr.h.a, 1, 6);",
            "modify_field_rng_uniform",
            [
                field("h", "a"),
                {"type": "hexstr", "value": "0x01"},
                {"type": "hexstr", "value": "0x06"},
            ],
        ),
        (
            'log_msg("a is {}", {hdr.h.a});',
            "log_msg",
            [
                {"type": "string", "value": "a is {}"},
                {"type": "parameters_vector", "value": [field("h", "a")]},
            ],
        ),
        (
            'log_msg("{} of {}!", {hdr.h, meta.x});',
            "log_msg",
            [
                {"type": "string", "value": "(a:{},b:{},c:{},s:{},n:{}) of {}!"},
                {
                    "type": "parameters_vector",
                    "value": [
                        *(field("h", name) for name in "abcsn"),
                        field("scalars", "userMetadata.x"),
                    ],
                },
            ],
        ),
    ],
)
def test_function(
    build: Callable[..., Any], statement: str, op: str, parameters: list[Any]
) -> None:
    (only,) = primitives(build(ingress=statement))
    assert (only["op"], only["parameters"]) == (op, parameters)


def test_assert_takes_a_condition(build: Callable[..., Any]) -> None:
    (only,) = primitives(build(ingress="assert(hdr.h.a == 1);"))
    assert only["parameters"][0]["value"]["value"]["op"] == "=="


def test_counter_meter_register(build: Callable[..., Any]) -> None:
    result = build(
        locals="""
            counter(16, CounterType.packets) hits;
            meter(8, MeterType.bytes) rate;
            register<bit<16>>(4) last;
        """,
        ingress="""
            hits.count((bit<32>)hdr.h.a);
            rate.execute_meter(1, hdr.h.b);
            last.read(hdr.h.c, 2);
            last.write(3, hdr.h.c);
        """,
    )
    count, meter, read, write = primitives(result)
    assert count["parameters"] == [
        {"type": "counter_array", "value": "I.hits"},
        field("h", "a"),
    ]
    assert meter["op"] == "execute_meter"
    assert [p["type"] for p in meter["parameters"]] == ["meter_array", "hexstr", "field"]
    assert [p["type"] for p in read["parameters"]] == ["field", "register_array", "hexstr"]
    assert [p["type"] for p in write["parameters"]] == ["register_array", "hexstr", "field"]
    json = result.json
    assert json["counter_arrays"][0]["size"] == 16
    assert json["meter_arrays"][0]["rate_count"] == 2
    assert json["register_arrays"][0]["bitwidth"] == 16


def test_result_into_bits_of_a_field(build: Callable[..., Any]) -> None:
    result = build(locals="register<bit<4>>(4) last;", ingress="last.read(hdr.h.a[3:0], 0);")
    read, store = primitives(result)
    assert read["parameters"][0]["value"][0] == "scalars"
    assert store["parameters"][0] == field("h", "a")


def test_log_message_spells_out_headers_and_structs(build: Callable[..., Any]) -> None:
    result = build(
        types="header h_t { bit<8> a; bit<8> b; } struct in_t { bit<8> q; bool z; }",
        locals="in_t i;",
        ingress='i = { hdr.h.a, true }; log_msg("{} then {} {}", { hdr.h, i, meta.x });',
    )
    log = primitives(result)[-1]
    text, values = log["parameters"]
    assert text["value"] == "(a:{},b:{}) then (q:{},z:{}) {}"
    assert len(values["value"]) == 5


def test_counter_handed_down_two_controls(build: Callable[..., Any]) -> None:
    result = build(
        declarations="""
            control Counting(in bit<32> i);
            control leaf(in bit<32> i)(counter c) { apply { c.count(i); } }
            control middle(in bit<32> i)(Counting inner) { apply { inner.apply(i); } }
        """,
        locals="counter(16, CounterType.packets) mine; leaf(mine) l; middle(l) m;",
        ingress="m.apply(3);",
    )
    (counter,) = result.json["counter_arrays"]
    (count,) = primitives(result)
    assert counter["name"] == "I.mine"
    assert count["parameters"][0] == {"type": "counter_array", "value": "I.mine"}


def test_hash(build: Callable[..., Any]) -> None:
    result = build(
        ingress="""
            hash(meta.y, HashAlgorithm.crc16, 16w0, { hdr.h.a, 8w3, meta.x }, 16w100);
        """
    )
    # The field of a header is saved: BMv2 would leave it out of the sum of an invalid one.
    saved, hashed = primitives(result)
    (calculation,) = result.json["calculations"]
    assert calculation["algo"] == "crc16"
    assert calculation["input"] == [
        saved["parameters"][0],
        {"type": "hexstr", "value": "0x03", "bitwidth": 8},
        field("scalars", "userMetadata.x"),
    ]
    assert saved["parameters"][1] == field("h", "a")
    assert hashed["op"] == "modify_field_with_hash_based_offset"
    assert hashed["parameters"][2] == {"type": "calculation", "value": calculation["name"]}


def test_digest_takes_the_values_of_now(build: Callable[..., Any]) -> None:
    result = build(
        declarations="struct news_t { bit<8> a; bit<16> c; }",
        ingress="digest<news_t>(1, { hdr.h.a, hdr.h.c }); hdr.h.a = 0;",
    )
    (learn,) = result.json["learn_lists"]
    assert learn["name"] == "news_t"
    assert all(e["value"][0] == "scalars" for e in learn["elements"])
    ops = [p["op"] for p in primitives(result)]
    assert ops == ["assign", "assign", "generate_digest", "assign"]
    assert primitives(result)[2]["parameters"][1] == {"type": "hexstr", "value": hex(learn["id"])}


def test_clone_keeps_marked_metadata(build: Callable[..., Any]) -> None:
    result = build(
        metadata="@field_list(1) bit<8> x; @field_list(1, 2) bit<16> y; bit<8> z;",
        ingress="clone_preserving_field_list(CloneType.I2E, 5, 1); clone(CloneType.I2E, 5);",
        egress="""
            clone_preserving_field_list(CloneType.E2E, 5, 2);
            recirculate_preserving_field_list(2);
        """,
    )
    lists = {f["id"]: [e["value"][1] for e in f["elements"]] for f in result.json["field_lists"]}
    asked = [
        lists[int(p["parameters"][-1]["value"], 16)]
        for p in primitives(result)
        if p["op"] != "assign"
    ]
    both = ["userMetadata.x", "userMetadata.y"]
    assert asked == [both, [], ["userMetadata.y"], ["userMetadata.y"]]
    assert 0 not in lists, "0 means that nothing is asked for"


def test_field_lists_can_be_named(build: Callable[..., Any]) -> None:
    result = build(
        types="const bit<8> ONE = 1; enum bit<8> Lists { TWO = 2 } header h_t { bit<8> a; }",
        headers="h_t h;",
        metadata="@field_list(ONE) bit<8> x; @field_list(Lists.TWO, ONE + 2) bit<16> y;",
        ingress="clone_preserving_field_list(CloneType.I2E, 5, ONE);",
        egress="""
            clone_preserving_field_list(CloneType.E2E, 5, Lists.TWO);
            recirculate_preserving_field_list(3);
        """,
    )
    lists = [[e["value"][1] for e in f["elements"]] for f in result.json["field_lists"]]
    assert lists == [["userMetadata.x"], ["userMetadata.y"], ["userMetadata.y"]]


def test_checksums(build: Callable[..., Any]) -> None:
    result = build(
        verify="""
            verify_checksum(hdr.h.isValid() && hdr.h.a == 1, { hdr.h.a, hdr.h.b }, hdr.h.c,
                            HashAlgorithm.csum16);
        """,
        compute="""
            update_checksum_with_payload(true, { hdr.h.a, 8w0 ++ hdr.h.b }, hdr.h.c,
                                         HashAlgorithm.csum16);
        """,
    )
    verify, update = result.json["checksums"]
    assert (verify["verify"], verify["update"]) == (True, False)
    assert (update["verify"], update["update"]) == (False, True)
    assert verify["target"] == ["h", "c"]
    assert verify["if_cond"]["value"]["op"] == "and"
    assert update["if_cond"] == {"type": "bool", "value": True}
    inputs = {c["name"]: c["input"] for c in result.json["calculations"]}
    assert inputs[update["calculation"]] == [
        field("h", "a"),
        {"type": "hexstr", "value": "0x00", "bitwidth": 8},
        field("h", "b"),
        {"type": "payload", "value": None},
    ]


def test_deparser_order(build: Callable[..., Any]) -> None:
    result = build(
        headers="h_t h; h_t[2] s; h_t g;",
        deparser="packet.emit(hdr.g); packet.emit(hdr.s); packet.emit(hdr.h);",
    )
    (deparser,) = result.json["deparsers"]
    assert deparser["order"] == ["g", "s[0]", "s[1]", "h"]


def test_union(build: Callable[..., Any]) -> None:
    result = build(
        types="header h_t { bit<8> a; } header k_t { bit<16> b; } "
        "header_union u_t { h_t one; k_t two; }",
        headers="h_t h; u_t u;",
        ingress="hdr.u.two.setValid(); hdr.u.two.b = 3;",
    )
    (union,) = result.json["header_unions"]
    names = {h["id"]: h["name"] for h in result.json["headers"]}
    assert [names[i] for i in union["header_ids"]] == ["u.one", "u.two"]
    assert result.json["header_union_types"][0]["headers"] == [["one", "h_t"], ["two", "k_t"]]
