"""Loading BMv2 JSON: what is refused, with its place and what would be right."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from p4embed.switch import program as p
from p4embed.switch.load import LoadError, load_bytes

from .programs import (
    action,
    assign,
    boolean,
    call,
    const,
    document,
    drop,
    extract,
    field,
    header,
    load,
    one_action,
    one_table,
    op,
    param,
    state,
)

BASE = one_table([("exact", "h", "kind"), ("lpm", "h", "value")])
EXACT = one_table([("exact", "h", "kind")])


def edited(base: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    made = copy.deepcopy(base)
    edit(made)
    return made


def ingress_table(made: dict[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = made["pipelines"][0]["tables"][0]
    return table


def refusal(made: dict[str, Any]) -> str:
    with pytest.raises(LoadError) as caught:
        load(made)
    return str(caught.value)


GOLDEN: list[tuple[dict[str, Any], str]] = [
    (
        edited(BASE, lambda j: ingress_table(j)["key"][1].update(match_type="exakt")),
        "$.pipelines[0].tables[0].key[1].match_type: 'exakt';"
        " expected one of exact, lpm, ternary, range",
    ),
    (
        edited(BASE, lambda j: ingress_table(j).update(match_type="exact")),
        "$.pipelines[0].tables[0].match_type: 'exact';"
        " expected 'lpm' or 'ternary' or 'range' for this key",
    ),
    (
        edited(BASE, lambda j: ingress_table(j)["key"][0].update(target=["h", "kin"])),
        "$.pipelines[0].tables[0].key[0].target[1]: header 'h' has no field 'kin';"
        " its fields are kind, value, low, high",
    ),
    (
        edited(BASE, lambda j: ingress_table(j)["key"][0].update(target=["hh", "kind"])),
        "$.pipelines[0].tables[0].key[0].target[0]: no header 'hh' is declared; did you mean 'h'?",
    ),
    (
        edited(BASE, lambda j: ingress_table(j).update(sizes=1)),
        "$.pipelines[0].tables[0].sizes: unknown attribute; expected one of action_ids,"
        " action_profile, actions, base_default_next, default_entry, direct_meters, entries, id,"
        " key, match_type, max_size, name, next_tables, support_timeout, type, with_counters",
    ),
    (
        edited(BASE, lambda j: ingress_table(j).update(type="indirekt")),
        "$.pipelines[0].tables[0].type: 'indirekt'; expected one of simple, indirect, indirect_ws",
    ),
    (
        edited(BASE, lambda j: ingress_table(j)["next_tables"].update(set_port="u")),
        "$.pipelines[0].tables[0].next_tables.set_port:"
        " no table, conditional or action call 'u' in this pipeline",
    ),
    (
        edited(BASE, lambda j: ingress_table(j)["next_tables"].pop("miss")),
        "$.pipelines[0].tables[0].next_tables: attribute 'miss' is missing",
    ),
    (
        edited(BASE, lambda j: ingress_table(j).update(action_ids=[3, 5])),
        "$.pipelines[0].tables[0].action_ids[1]: no action has id 5",
    ),
    (
        edited(BASE, lambda j: ingress_table(j).update(with_counters=True)),
        "$.pipelines[0].tables[0].with_counters: no direct counter array is bound to 't'",
    ),
    (
        edited(BASE, lambda j: ingress_table(j)["default_entry"].update(action_data=["0x1"])),
        "$.pipelines[0].tables[0].default_entry.action_data: 1 elements; expected 0",
    ),
    (
        edited(BASE, lambda j: j["actions"][0]["runtime_data"][0].update(bitwidth=2**40)),
        "$.actions[0].runtime_data[0].bitwidth: 1099511627776; expected an integer in 1..65536",
    ),
    (
        edited(BASE, lambda j: j.pop("parsers")),
        "$: attribute 'parsers' is missing",
    ),
    (
        edited(BASE, lambda j: j["__meta__"].update(version=[3, 0])),
        "$.__meta__.version[0]: 3; expected major version 2 of the BMv2 JSON format",
    ),
    (
        edited(BASE, lambda j: j["pipelines"].pop()),
        "$.pipelines: pipeline 'egress' is missing",
    ),
    (
        edited(BASE, lambda j: j["parsers"][0].update(init_state="begin")),
        "$.parsers[0].init_state: no parser state 'begin' is declared",
    ),
    (
        edited(BASE, lambda j: j["deparsers"][0].update(order=["scalars"])),
        "$.deparsers[0].order[0]: 'scalars' is metadata; expected a packet header",
    ),
    (
        edited(
            BASE,
            lambda j: j.update(
                extern_instances=[{"name": "x", "id": 0, "type": "Thing", "attribute_values": []}]
            ),
        ),
        "$.extern_instances[0]: extern 'x' of type 'Thing' is not supported;"
        " expected the externs of v1model",
    ),
    (
        edited(
            BASE,
            lambda j: j.update(calculations=[{"name": "c", "id": 0, "algo": "crc99", "input": []}]),
        ),
        "$.calculations[0].algo: 'crc99'; expected one of crc16, crc16_custom, crc32,"
        " crc32_custom, crcCCITT, csum16, xor16, identity, random",
    ),
    (
        edited(BASE, lambda j: j["headers"].append(j["headers"][0])),
        "$.headers[3].name: header 'scalars' is declared twice",
    ),
    (
        edited(BASE, lambda j: j["header_types"][2]["fields"].append(["more", 4, False])),
        "$.parsers[0].parse_states[0].parser_ops[0].parameters[0].value:"
        " header type 'h_t' has 36 bits; expected whole bytes",
    ),
    (
        edited(BASE, lambda j: j["header_types"][0]["fields"].pop(1)),
        "$.headers: no field 'standard_metadata.egress_spec'; simple_switch needs one",
    ),
    (
        one_action(call("telepathy", const(1))),
        "$.actions[0].primitives[1].op: primitive 'telepathy' is not supported",
    ),
    (
        one_action(call("asign", const(1))),
        "$.actions[0].primitives[1].op: primitive 'asign' is not supported; did you mean 'assign'?",
    ),
    (
        one_action(assign(const(1), const(2))),
        "$.actions[0].primitives[1].parameters[0]: this is an integer;"
        " expected a field to store to",
    ),
    (
        one_action(assign(field("h", "$valid$"), const(1))),
        "$.actions[0].primitives[1].parameters[0]: this is an integer;"
        " expected a field to store to",
    ),
    (
        one_action(assign(field("h", "kind"), param(0))),
        "$.actions[0].primitives[1].parameters[1].value:"
        " parameter 0, but the action has 0 parameters",
    ),
    (
        one_action(assign(field("h", "kind"), op("+", const(1), boolean(True)))),
        "$.actions[0].primitives[1].parameters[1].value.right: this is a boolean;"
        " expected an integer expression",
    ),
    (
        one_action(assign(field("h", "kind"), op("<>", const(1), const(1)))),
        "$.actions[0].primitives[1].parameters[1].value.op: '<>'; expected an operator:"
        " + - * / % << >> & | ^ ~ == != < <= > >= and or not ? d2b b2d valid valid_union"
        " two_comp_mod usat_cast sat_cast dereference_header_stack dereference_union_stack"
        " last_stack_index size_stack access_field access_union_header",
    ),
    (
        one_action(assign(field("h", "kind"), op("/", const(1), const(0)))),
        "$.actions[0].primitives[1].parameters[1].value.right: division by zero",
    ),
    (
        one_action(call("_jump", const(9))),
        "$.actions[0].primitives[1].parameters[0]:"
        " jump to 9; expected 0..2, the length of the action",
    ),
    (
        one_action(call("mark_to_drop", header("h"))),
        "$.actions[0].primitives[1].parameters[0]:"
        " expected standard metadata, a header with a field 'egress_spec'",
    ),
    (
        one_action(call("resubmit", const(7))),
        "$.actions[0].primitives[1].parameters[0]: no field list has id 7",
    ),
    (
        one_action(states=[state("start", extract("h"), to={"0x01": None})]),
        "$.parsers[0].parse_states[0].transitions[0]:"
        " a value without a transition key; expected type 'default'",
    ),
    (
        one_action(
            states=[state("start", extract("h"), key=[field("h", "kind")], to={"0x0100": None})]
        ),
        "$.parsers[0].parse_states[0].transitions[0].value:"
        " '0x0100'; expected a value of 1 bytes, the size of the transition key",
    ),
    (
        one_action(states=[state("start", {"op": "inhale", "parameters": []})]),
        "$.parsers[0].parse_states[0].parser_ops[0].op: 'inhale';"
        " expected one of extract, extract_VL, set, verify, shift, advance, primitive",
    ),
    (
        one_table(
            [("exact", "h", "kind")],
            entries=[
                {
                    "match_key": [{"match_type": "exact", "key": "0x100"}],
                    "action_entry": {"action_id": 4, "action_data": []},
                    "priority": 1,
                }
            ],
        ),
        "$.pipelines[0].tables[0].entries[0].match_key[0].key:"
        " '0x100'; expected a value of at most 8 bits",
    ),
    (
        document(actions=[action("a", 1, drop()), action("b", 1, drop())]),
        "$.actions[1].id: action id 1 is used twice",
    ),
]


@pytest.mark.parametrize(("made", "message"), GOLDEN, ids=[m.split(";")[0] for _, m in GOLDEN])
def test_refused_with_its_place(made: dict[str, Any], message: str) -> None:
    assert refusal(made) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "$: not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{", "$: not JSON: Expecting property name enclosed in double quotes"),
        (b"[]", "$: not a BMv2 program: no object with 'pipelines'"),
        (b'{"a": 1}', "$: not a BMv2 program: no object with 'pipelines'"),
        (b"[" * 100_000, "$: not JSON: "),
        (b"\xff\xfe", "$: not JSON: "),
    ],
)
def test_what_is_no_program(text: bytes, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        load_bytes(text)
    assert str(caught.value).startswith(message)


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    mark = "the innermost"
    opening, closing = json.dumps(op("+", mark, const(1))).split(json.dumps(mark))
    nested = opening * 20_000 + json.dumps(const(1)) + closing * 20_000
    program = json.dumps(one_action(assign(field("h", "kind"), mark)))
    with pytest.raises(LoadError, match=r"nested too deeply|recursion"):
        load_bytes(program.replace(json.dumps(mark), nested).encode())


def test_every_attribute_removed_or_spoilt_is_refused_or_loads() -> None:
    """Nothing but ``LoadError`` comes out, wherever the document is damaged."""

    def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        children = (
            node.items() if isinstance(node, dict) else enumerate(node)
            if isinstance(node, list) else ()
        )  # fmt: skip
        found = [path]
        for name, child in children:
            found += places(child, (*path, name))
        return found

    base = one_table([("ternary", "h", "kind"), ("range", "h", "low")], counters=True)
    for path in places(base)[1:]:
        for spoil in ("remove", None, -1, "?", [], {}):
            made = copy.deepcopy(base)
            parent: Any = made
            for step in path[:-1]:
                parent = parent[step]
            if spoil == "remove":
                del parent[path[-1]]
            else:
                parent[path[-1]] = spoil
            with contextlib.suppress(LoadError):
                load(made)


def test_everything_is_resolved() -> None:
    program = load(BASE)
    (table,) = program.tables
    assert [f.name for f in table.key] == ["h.kind", "h.value"]
    assert table.key[1].source == p.FieldRef(program.headers_by_name["h"], 1)
    assert table.match is p.MatchKind.LPM
    assert (table.masked, table.prioritized, table.key_size) == (True, False, 3)
    assert program.ingress.start == p.TableNode(0)
    assert table.next == p.ByAction((None, None))
    assert program.actions_by_id[3].params == (p.ActionParam("port", 9),)
    assert program.actions_by_id[3].params_size == 2
    assert table.default == p.DefaultEntry(4, b"", False, False)


def test_a_boolean_field_that_p4c_writes_with_signedness_0() -> None:
    made = edited(EXACT, lambda j: j["header_types"][2]["fields"].__setitem__(0, ["kind", 8, 0]))
    assert load(made).headers[2].type.fields[0] == p.Field("kind", 8)


def test_constant_entries_are_packed_and_ranked() -> None:
    def entry(key: str, mask: str, priority: int) -> dict[str, Any]:
        return {
            "match_key": [{"match_type": "ternary", "key": key, "mask": mask}],
            "action_entry": {"action_id": 3, "action_data": ["0x5"]},
            "priority": priority,
        }

    made = one_table(
        [("ternary", "h", "value")], entries=[entry("0x12", "0x00ff", 1), entry("0", "0", 2)]
    )
    first, second = load(made).tables[0].const_entries
    assert (first.key.value, first.key.mask) == (b"\x00\x12", b"\x00\xff")
    assert first.key.priority > second.key.priority > 0
    assert (first.action, first.params, first.is_const) == (3, b"\x00\x05", True)
