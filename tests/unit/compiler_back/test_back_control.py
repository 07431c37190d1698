"""Ingress and egress: what becomes a table, a condition, an action, and where control goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def pipeline(result: Any, name: str = "ingress") -> dict[str, Any]:
    return next(p for p in result.json["pipelines"] if p["name"] == name)


def table(result: Any, name: str, control: str = "ingress") -> dict[str, Any]:
    return next(t for t in pipeline(result, control)["tables"] if t["name"] == name)


def action(result: Any, name: str) -> dict[str, Any]:
    return next(a for a in result.json["actions"] if a["name"] == name)


def ops(result: Any, name: str) -> list[str]:
    return [p["op"] for p in action(result, name)["primitives"]]


TABLE = """
    action set_a(bit<8> value) { hdr.h.a = value; }
    action other() { hdr.h.b = 1; }
    table t { key = { hdr.h.c : exact; } actions = { set_a; other; } }
"""


def test_statements_in_a_row_are_one_hidden_table(build: Callable[..., Any]) -> None:
    result = build(ingress="hdr.h.a = 1; hdr.h.b = 2;")
    (only,) = pipeline(result)["tables"]
    assert only["key"] == []
    assert only["default_entry"]["action_const"] is True
    assert pipeline(result)["init_table"] == only["name"]
    assert ops(result, only["actions"][0]) == ["assign", "assign"]


def test_empty_control_has_no_node(build: Callable[..., Any]) -> None:
    assert pipeline(build())["init_table"] is None


def test_condition_joins_again(build: Callable[..., Any]) -> None:
    result = build(ingress="if (hdr.h.a > 3) { hdr.h.b = 1; } else { hdr.h.b = 2; } hdr.h.c = 3;")
    (node,) = pipeline(result)["conditionals"]
    tables = {t["name"]: t for t in pipeline(result)["tables"]}
    then, otherwise = tables[node["true_next"]], tables[node["false_next"]]
    assert then["base_default_next"] == otherwise["base_default_next"]
    assert tables[then["base_default_next"]]["base_default_next"] is None


def test_constant_condition_leaves_one_branch(build: Callable[..., Any]) -> None:
    result = build(locals=TABLE, ingress="if (1 == 1) { hdr.h.a = 1; } else { t.apply(); }")
    assert not pipeline(result)["conditionals"]
    assert [t["name"] for t in pipeline(result)["tables"]] != ["I.t"]


def test_table_by_action_name(build: Callable[..., Any]) -> None:
    found = table(build(locals=TABLE, ingress="t.apply();"), "I.t")
    assert found["actions"] == ["I.set_a", "I.other", "NoAction"]
    assert found["next_tables"] == {"I.set_a": None, "I.other": None, "NoAction": None}
    assert found["default_entry"]["action_const"] is False
    assert found["key"] == [
        {"match_type": "exact", "name": "hdr.h.c", "target": ["h", "c"], "mask": None}
    ]
    assert found["max_size"] == 1024


def test_action_data(build: Callable[..., Any]) -> None:
    found = action(build(locals=TABLE, ingress="t.apply();"), "I.set_a")
    assert found["runtime_data"] == [{"name": "value", "bitwidth": 8}]
    (assign,) = found["primitives"]
    assert assign["parameters"] == [
        {"type": "field", "value": ["h", "a"]},
        {"type": "runtime_data", "value": 0},
    ]


@pytest.mark.parametrize(
    ("condition", "on_hit"),
    [("t.apply().hit", True), ("!t.apply().hit", False), ("t.apply().miss", False)],
)
def test_hit_and_miss(build: Callable[..., Any], condition: str, on_hit: bool) -> None:
    result = build(locals=TABLE, ingress=f"if ({condition}) {{ hdr.g.setValid(); }}")
    ways = table(result, "I.t")["next_tables"]
    taken, skipped = ("__HIT__", "__MISS__") if on_hit else ("__MISS__", "__HIT__")
    assert ways[taken] is not None
    assert ways[skipped] is None


def test_hit_as_a_value(build: Callable[..., Any]) -> None:
    result = build(locals=TABLE, ingress="meta.flag = hdr.h.a == 1 && t.apply().hit;")
    ways = table(result, "I.t")["next_tables"]
    assert ways["__HIT__"] != ways["__MISS__"]
    # The table is not applied if the left operand is false.
    assert len(pipeline(result)["conditionals"]) == 1


def test_switch_by_action(build: Callable[..., Any]) -> None:
    result = build(
        locals=TABLE,
        ingress="switch (t.apply().action_run) { set_a: { hdr.h.b = 9; } default: { exit; } }",
    )
    ways = table(result, "I.t")["next_tables"]
    assert ways["I.set_a"] is not None
    assert ways["I.other"] is None
    assert ways["NoAction"] is None


def test_switch_labels_share_a_body(build: Callable[..., Any]) -> None:
    result = build(
        locals=TABLE,
        ingress="switch (t.apply().action_run) { set_a: other: { hdr.h.b = 9; } }",
    )
    ways = table(result, "I.t")["next_tables"]
    assert ways["I.set_a"] == ways["I.other"] != ways["NoAction"]


def test_return_skips_the_rest(build: Callable[..., Any]) -> None:
    result = build(ingress="if (hdr.h.a == 1) { return; } hdr.h.b = 1;")
    (node,) = pipeline(result)["conditionals"]
    assert node["true_next"] is None
    assert node["false_next"] is not None


def test_if_in_an_action_jumps(build: Callable[..., Any]) -> None:
    result = build(
        locals="""
            action a() {
                if (hdr.h.a == 1) { hdr.h.b = 1; } else { hdr.h.b = 2; }
                hdr.h.c = 3;
            }
            table t { actions = { a; } }
        """,
        ingress="t.apply();",
    )
    primitives = action(result, "I.a")["primitives"]
    assert [p["op"] for p in primitives] == ["_jump_if_zero", "assign", "_jump", "assign", "assign"]
    assert primitives[0]["parameters"][1] == {"type": "hexstr", "value": "0x3"}
    assert primitives[2]["parameters"][0] == {"type": "hexstr", "value": "0x4"}


def test_exit_in_an_action_ends_it(build: Callable[..., Any]) -> None:
    result = build(
        locals="""
            action a() { if (hdr.h.a == 1) { exit; } hdr.h.b = 1; }
            table t { actions = { a; } }
        """,
        ingress="t.apply();",
    )
    primitives = action(result, "I.a")["primitives"]
    assert [p["op"] for p in primitives] == ["_jump_if_zero", "exit", "_jump", "assign"]
    assert primitives[2]["parameters"][0] == {"type": "hexstr", "value": "0x4"}


def test_exit_copies_out_first(build: Callable[..., Any]) -> None:
    result = build(
        locals="action a(inout bit<8> v) { v = 7; exit; }",
        ingress="a(hdr.h.a);",
    )
    *_, copied, last = action(result, "I.a")["primitives"]
    assert last["op"] == "exit"
    assert copied["parameters"][0] == {"type": "field", "value": ["h", "a"]}


def test_called_action_keeps_its_name(build: Callable[..., Any]) -> None:
    result = build(locals="action mark() { hdr.h.a = 1; }", ingress="mark();")
    assert ops(result, "I.mark") == ["assign"]


def test_loop_jumps_back(build: Callable[..., Any]) -> None:
    result = build(ingress="for (bit<8> i = 0; i < 4; i = i + 1) { hdr.h.a = hdr.h.a + i; }")
    (only,) = pipeline(result)["tables"]
    jumps = [p for p in action(result, only["actions"][0])["primitives"] if p["op"] == "_jump"]
    assert any(int(p["parameters"][0]["value"], 16) < 4 for p in jumps)


def test_key_that_is_computed_is_stored_first(build: Callable[..., Any]) -> None:
    result = build(
        locals="""table t { key = { hdr.h.a + 1 : exact @name("sum"); hdr.h.isValid() : exact;
                                    hdr.h.c[3:0] : ternary; }
                           actions = { NoAction; } }""",
        ingress="t.apply();",
    )
    keys = table(result, "I.t")["key"]
    assert [k["name"] for k in keys] == ["sum", "hdr.h.$valid$", "hdr.h.c[3:0]"]
    assert keys[0]["target"][0] == "scalars"
    assert keys[1]["target"] == ["h", "$valid$"]
    before = pipeline(result)["init_table"]
    assert table(result, before)["base_default_next"] == "I.t"
    assert table(result, "I.t")["match_type"] == "ternary"


def test_constant_entries(build: Callable[..., Any]) -> None:
    result = build(
        locals="""
            action set_a(bit<8> value) { hdr.h.a = value; }
            table t {
                key = { hdr.h.c : lpm; hdr.h.a : ternary; hdr.h.b : range; }
                actions = { set_a; NoAction; }
                const default_action = set_a(5);
                const entries = {
                    (0x1200 &&& 0xff00, _, 3 .. 5) : set_a(1);
                    (16w7, 1 &&& 3, _) : NoAction();
                }
            }
        """,
        ingress="t.apply();",
    )
    found = table(result, "I.t")
    assert found["match_type"] == "range"
    assert found["default_entry"]["action_data"] == ["0x05"]
    assert found["default_entry"]["action_entry_const"] is True
    first, second = found["entries"]
    assert first["match_key"] == [
        {"match_type": "lpm", "key": "0x1200", "prefix_length": 8},
        {"match_type": "ternary", "key": "0x00", "mask": "0x00"},
        {"match_type": "range", "start": "0x03", "end": "0x05"},
    ]
    assert first["action_entry"]["action_data"] == ["0x01"]
    assert (first["priority"], second["priority"]) == (1, 2)
    assert second["match_key"][0]["prefix_length"] == 16


def test_priorities_of_entries(build: Callable[..., Any]) -> None:
    result = build(
        locals="""
            action set_a(bit<8> value) { hdr.h.a = value; }
            table t {
                key = { hdr.h.a : ternary; }
                actions = { set_a; }
                entries = { priority = 10 : 1 : set_a(1); priority = 20 : 1 &&& 1 : set_a(2); }
            }
        """,
        ingress="t.apply();",
    )
    low, high = table(result, "I.t")["entries"]
    assert high["priority"] < low["priority"], "in BMv2 the lowest number wins"


def test_direct_resources_and_ageing(build: Callable[..., Any]) -> None:
    result = build(
        locals="""
            direct_counter(CounterType.packets) hits;
            direct_meter<bit<2>>(MeterType.bytes) rate;
            table t { key = { hdr.h.a : exact; } actions = { NoAction; }
                      counters = hits; meters = rate; support_timeout = true; size = 7; }
        """,
        ingress="t.apply(); rate.read(hdr.h.a[1:0]);",
    )
    found = table(result, "I.t")
    assert found["with_counters"] is True
    assert found["support_timeout"] is True
    assert found["max_size"] == 7
    assert found["direct_meters"] == "I.rate"
    (counter,) = result.json["counter_arrays"]
    assert counter["is_direct"] is True
    assert counter["binding"] == "I.t"
    (meter,) = result.json["meter_arrays"]
    assert meter["type"] == "bytes"
    assert meter["result_target"][0] == "scalars"


def test_action_selector(build: Callable[..., Any]) -> None:
    result = build(
        locals="""
            action_selector(HashAlgorithm.crc16, 32w64, 32w10) members;
            table t { key = { hdr.h.a : exact; hdr.h.c : selector; } actions = { NoAction; }
                      implementation = members; }
        """,
        ingress="t.apply();",
    )
    found = table(result, "I.t")
    assert found["type"] == "indirect_ws"
    assert found["action_profile"] == "I.members"
    assert "default_entry" not in found
    assert len(found["key"]) == 1
    (profile,) = pipeline(result)["action_profiles"]
    assert profile["selector"] == {
        "algo": "crc16",
        "input": [{"type": "field", "value": ["h", "c"]}],
    }


def test_egress_has_tables_of_its_own(build: Callable[..., Any]) -> None:
    result = build(
        egress_locals="table t { key = { hdr.h.a : exact; } actions = { NoAction; } }",
        egress="t.apply();",
    )
    assert pipeline(result, "egress")["init_table"] == "E.t"
    assert pipeline(result)["tables"] == []


def test_return_out_of_a_loop(build: Callable[..., Any]) -> None:
    result = build(
        locals=TABLE,
        ingress="""
            for (bit<8> i = 0; i < 4; i = i + 1) {
                if (hdr.h.a == i) { return; }
                hdr.h.b = hdr.h.b + 1;
            }
            t.apply();
        """,
    )
    (node,) = pipeline(result)["conditionals"]
    assert node["true_next"] is None, "returned"
    assert node["false_next"] == "I.t"
    loop = pipeline(result)["init_table"]
    assert table(result, loop)["base_default_next"] == node["name"]


def test_generated_names_give_way(build: Callable[..., Any]) -> None:
    result = build(
        locals="""@name(".tbl_mark") table t { actions = { NoAction; } }
                  action mark() { hdr.h.a = 1; }""",
        ingress="mark(); t.apply();",
    )
    assert [t["name"] for t in pipeline(result)["tables"]] == ["tbl_mark_0", "tbl_mark"]
