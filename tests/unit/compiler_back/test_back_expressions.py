"""Expressions on their way from P4 to BMv2 JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def assigned(result: Any, dump: str = "elaborate") -> str:
    """Right-hand side of the last assignment in ingress."""
    text = result.dumps[dump]
    body = text[text.index("ingress {") : text.index("\negress {")]
    last = [line for line in body.splitlines() if " = " in line][-1]
    return last.strip().partition(" = ")[2]


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("hdr.h.c = (bit<16>)hdr.h.a;", "(bit<16>)(h.a)"),
        ("hdr.h.a = hdr.h.c[11:4];", "h.c[11:4]"),
        ("hdr.h.c = hdr.h.a ++ 8w0;", "(h.a ++ 8w0)"),
        ("hdr.h.a = hdr.h.a |+| 8w5;", "(h.a |+| 8w5)"),
        ("hdr.h.a = (bit<8>)(bit<1>)meta.flag;", "(bit<8>)((bit<1>)(scalars.userMetadata.flag))"),
        ("hdr.h.a = 8w3 + 8w254;", "8w1"),
        ("hdr.h.s = -8s128;", "8s-128"),
        ("hdr.h.s = (int<8>)hdr.h.a;", "(int<8>)(h.a)"),
        ("hdr.h.a = meta.flag ? hdr.h.a : 1;", "(scalars.userMetadata.flag ? h.a : 8w1)"),
        ("hdr.h.a = hdr.h.a + 0;", "h.a"),
        ("meta.flag = !(hdr.h.a == 1);", "not((h.a == 8w1))"),
        ("hdr.h.a = ~hdr.h.a;", "~(h.a)"),
        ("hdr.h.a = hdr.h.a << 9;", "8w0"),
        ("hdr.h.a = 0 / hdr.h.b;", "8w0"),
    ],
)
def test_elaborated(build: Callable[..., Any], statement: str, value: str) -> None:
    assert assigned(build(ingress=statement)) == value


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("hdr.h.a = hdr.h.a + hdr.h.b;", "((h.a + h.b) & 8w255)"),
        ("hdr.h.s = hdr.h.s + meta.z;", "((h.s + scalars.userMetadata.z) two_comp_mod 32w8)"),
        ("hdr.h.a = hdr.h.a |-| hdr.h.b;", "((h.a - h.b) usat_cast 32w8)"),
        ("hdr.h.s = hdr.h.s |+| meta.z;", "((h.s + scalars.userMetadata.z) sat_cast 32w8)"),
        ("hdr.h.a = hdr.h.c[15:8];", "(h.c >> 32w8)"),
        ("hdr.h.a = hdr.h.c[11:4];", "((h.c >> 32w4) & 8w255)"),
        ("hdr.h.c = hdr.h.a ++ hdr.h.b;", "((h.a << 32w8) | h.b)"),
        ("hdr.h.a = (bit<8>)hdr.h.s;", "(h.s & 8w255)"),
        ("hdr.h.c = (bit<16>)hdr.h.a;", "h.a"),
        ("meta.flag = (bool)hdr.h.a[0:0];", "d2b((h.a & 1w1))"),
    ],
)
def test_legalised(build: Callable[..., Any], statement: str, value: str) -> None:
    assert assigned(build(ingress=statement), "legalise") == value


def test_slice_assignment(build: Callable[..., Any]) -> None:
    result = build(ingress="hdr.h.c[11:4] = hdr.h.a;")
    assert assigned(result) == "((h.c & 16w61455) | ((bit<16>)(h.a) << 32w4))"


def test_compound_assignment(build: Callable[..., Any]) -> None:
    assert assigned(build(ingress="hdr.h.a += hdr.h.b;")) == "(h.a + h.b)"


def test_stack_element_by_a_variable_index(build: Callable[..., Any]) -> None:
    result = build(headers="h_t h; h_t[2] s;", ingress="hdr.s[hdr.h.a].b = hdr.s[hdr.h.b].a;")
    text = result.dumps["indices"]
    choice = "((h.b == 8w0) ? s[0].a : ((h.b == 8w1) ? s[1].a : 8w0))"
    lines = [line.strip() for line in text.splitlines()]
    first = lines.index("if (h.a == 8w0) {")
    assert lines[first + 1] == f"s[0].b = {choice}"
    # An index out of bounds writes nothing.
    assert lines[first + 2 : first + 5] == ["} else {", "if (h.a == 8w1) {", f"s[1].b = {choice}"]


def test_stack_operations(build: Callable[..., Any]) -> None:
    result = build(headers="h_t h; h_t[3] s;", ingress="hdr.s.push_front(1); hdr.s[1] = hdr.s[0];")
    text = result.dumps["elaborate"]
    assert "push(s, 1)" in text
    assert "assign_header(s[1], s[0])" in text
    (stack,) = result.json["header_stacks"]
    assert stack["header_ids"] == [3, 4, 5]


def test_enums_and_errors_are_numbers(build: Callable[..., Any]) -> None:
    result = build(
        declarations="enum Colour { RED, GREEN } enum bit<8> Kind { ONE = 1, NINE = 9 }",
        ingress="""
            Colour c = Colour.GREEN; Kind k = Kind.NINE;
            if (c == Colour.GREEN && standard_metadata.parser_error != error.NoMatch) {
                hdr.h.a = (bit<8>)k;
            }
        """,
    )
    text = result.dumps["elaborate"]
    assert "scalars.I.c = 32w1" in text
    assert "scalars.I.k = 8w9" in text
    number = dict(result.json["errors"])["NoMatch"]
    assert f"(standard_metadata.parser_error == 32w{number})" in text
    assert result.json["enums"] == [{"name": "Colour", "entries": [["RED", 0], ["GREEN", 1]]}]


def test_booleans_and_data_in_json(build: Callable[..., Any]) -> None:
    result = build(ingress="meta.flag = hdr.h.isValid() && meta.flag;")
    (action,) = result.json["actions"]
    value = action["primitives"][0]["parameters"][1]["value"]["value"]
    assert value["op"] == "b2d"
    both = value["right"]["value"]
    assert both["op"] == "and"
    assert both["left"]["value"] == {
        "op": "d2b",
        "left": None,
        "right": {"type": "field", "value": ["h", "$valid$"]},
    }


def test_metadata_fills_whole_bytes(build: Callable[..., Any]) -> None:
    for name in ("scalars_0", "standard_metadata"):
        types = {t["name"]: t for t in build().json["header_types"]}
        assert sum(f[1] for f in types[name]["fields"]) % 8 == 0


def test_field_aliases_name_what_bmv2_looks_for(build: Callable[..., Any]) -> None:
    aliases = dict(build().json["field_aliases"])
    assert aliases["intrinsic_metadata.mcast_grp"] == ["standard_metadata", "mcast_grp"]
    assert aliases["queueing_metadata.enq_qdepth"] == ["standard_metadata", "enq_qdepth"]


def test_bit_as_bool_is_stored_as_the_bit(build: Callable[..., Any]) -> None:
    result = build(metadata="bit<1> one; bool flag;", ingress="meta.flag = (bool)meta.one;")
    (action,) = result.json["actions"]
    source = action["primitives"][0]["parameters"][1]
    assert source == {"type": "field", "value": ["scalars", "userMetadata.one"]}
