"""Parsers: operations, transitions, calls of other parsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from p4embed.switch.load import load_bytes
from p4embed.switch.reference import ReferenceEngine


def states(result: Any) -> dict[str, dict[str, Any]]:
    (parser,) = result.json["parsers"]
    return {s["name"]: s for s in parser["parse_states"]}


def select(build: Callable[..., Any], key: str, cases: str) -> dict[str, Any]:
    result = build(
        parser=f"""
            state start {{
                packet.extract(hdr.h);
                transition select({key}) {{ {cases} }}
            }}
            state more {{ packet.extract(hdr.g); transition accept; }}
        """
    )
    return states(result)["start"]


def values(state: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    return [
        (t["value"], t["mask"], t["next_state"])
        for t in state["transitions"]
        if t["type"] == "hexstr"
    ]


def test_values_are_padded_to_bytes_each(build: Callable[..., Any]) -> None:
    start = select(
        build, "hdr.h.c[11:0], hdr.h.a", "(0xaba, 3): more; (_, 4): more; default: accept;"
    )
    assert values(start) == [("0x0aba03", None, "more"), ("0x000004", "0x0000ff", "more")]
    assert start["transitions"][-1]["type"] == "default"
    assert start["transitions"][-1]["next_state"] is None


def test_slice_is_stored_before_it_is_selected_on(build: Callable[..., Any]) -> None:
    start = select(build, "hdr.h.c[11:4]", "1: more; default: accept;")
    assert [op["op"] for op in start["parser_ops"]] == ["extract", "set"]
    assert start["transition_key"][0]["value"][0] == "scalars"


def test_masks_and_ranges(build: Callable[..., Any]) -> None:
    start = select(build, "hdr.h.a", "0x10 &&& 0xf0: more; 3 .. 8: more; default: accept;")
    assert values(start) == [
        ("0x10", "0xf0", "more"),
        ("0x03", None, "more"),
        ("0x04", "0xfc", "more"),
        ("0x08", None, "more"),
    ]


def test_range_of_a_signed_key(build: Callable[..., Any]) -> None:
    start = select(build, "hdr.h.s", "-2 .. 1: more; default: accept;")
    assert values(start) == [("0xfe", "0xfe", "more"), ("0x00", "0xfe", "more")]


def test_cases_behind_default_are_left_out(build: Callable[..., Any]) -> None:
    start = select(build, "hdr.h.a", "1: more; _: accept; 2: more;")
    assert len(start["transitions"]) == 2


def test_no_match_is_an_error(build: Callable[..., Any]) -> None:
    result = build(
        parser="""
            state start { packet.extract(hdr.h); transition select(hdr.h.a) { 1: more; } }
            state more { packet.extract(hdr.g); transition accept; }
        """
    )
    found = states(result)
    last = found["start"]["transitions"][-1]
    (verify,) = found[last["next_state"]]["parser_ops"]
    assert verify["op"] == "verify"
    number = dict(result.json["errors"])["NoMatch"]
    assert int(verify["parameters"][1]["value"], 16) == number


def test_lookahead(build: Callable[..., Any]) -> None:
    result = build(
        parser="""
            state start {
                bit<16> ahead = packet.lookahead<bit<16>>();
                meta.x = packet.lookahead<bit<8>>() + 1;
                transition select(packet.lookahead<bit<8>>()[3:0]) {
                    1: more; default: accept;
                }
            }
            state more { hdr.g = packet.lookahead<h_t>(); packet.advance(8); transition accept; }
        """
    )
    start = states(result)["start"]
    first, second, third, *_, whole = start["parser_ops"]
    assert first["parameters"][1] == {"type": "lookahead", "value": [0, 16]}
    assert second["parameters"][1] == {"type": "lookahead", "value": [0, 8]}
    assert third["parameters"][1]["type"] == "expression"
    assert whole["parameters"][1]["type"] == "expression"
    assert start["transition_key"] == [whole["parameters"][0]]
    more = states(result)["more"]["parser_ops"]
    ahead = [p["value"] for op in more for p in op["parameters"] if p.get("type") == "lookahead"]
    assert ahead == [[0, 48]], "BMv2 compares the width with what is left, not the offset"
    assert more[-1]["op"] == "advance"


def test_extraction_beyond_the_stack_ends_the_parser(build: Callable[..., Any]) -> None:
    result = build(
        headers="h_t h; h_t g; h_t[2] s;",
        parser="""
            state start { packet.extract(hdr.h); transition more; }
            state more {
                packet.extract(hdr.s[hdr.h.a]);
                transition select(hdr.h.b) { 0: accept; default: more; }
            }
        """,
    )
    number = dict(result.json["errors"])["StackOutOfBounds"]
    verified = [
        op["parameters"][1]["value"]
        for state in states(result).values()
        for op in state["parser_ops"]
        if op["op"] == "verify"
    ]
    assert [int(v, 16) for v in verified] == [number]


def test_varbits_can_be_compared(build: Callable[..., Any]) -> None:
    result = build(
        types="header h_t { bit<8> a; varbit<64> rest; }",
        parser="state start { transition accept; }",
        ingress="if (hdr.h.rest == hdr.g.rest) { hdr.h.a = 1; }",
    )
    (conditional,) = result.json["pipelines"][0]["conditionals"]
    sides = conditional["expression"]["value"]
    assert sides["op"] == "=="
    assert sides["left"] == {"type": "field", "value": ["h", "rest"]}


def test_stack(build: Callable[..., Any]) -> None:
    result = build(
        headers="h_t[3] s;",
        parser="""
            state start {
                packet.extract(hdr.s.next);
                transition select(hdr.s.last.a) { 1: start; default: accept; }
            }
        """,
    )
    start = states(result)["start"]
    assert start["parser_ops"][0]["parameters"] == [{"type": "stack", "value": "s"}]
    assert start["transition_key"] == [{"type": "stack_field", "value": ["s", "a"]}]


def test_varbit(build: Callable[..., Any]) -> None:
    result = build(
        types="header h_t { bit<8> a; } header v_t { bit<8> n; varbit<64> rest; }",
        headers="h_t h; v_t v;",
        parser="""
            state start {
                packet.extract(hdr.h);
                packet.extract(hdr.v, (bit<32>)hdr.h.a << 3);
                transition accept;
            }
        """,
    )
    extract = states(result)["start"]["parser_ops"][1]
    assert extract["op"] == "extract_VL"
    assert extract["parameters"][0] == {"type": "regular", "value": "v"}
    assert extract["parameters"][1]["type"] == "expression"
    header = next(t for t in result.json["header_types"] if t["name"] == "v_t")
    assert header["fields"][1] == ["rest", "*"]
    assert header["max_length"] == 9


def test_verify(build: Callable[..., Any]) -> None:
    result = build(
        declarations="error { TooSmall }",
        parser="""
            state start {
                packet.extract(hdr.h); verify(hdr.h.a > 4, error.TooSmall); transition accept;
            }
        """,
    )
    verify = states(result)["start"]["parser_ops"][1]
    assert verify["parameters"][0]["value"]["op"] == ">"
    number = dict(result.json["errors"])["TooSmall"]
    assert int(verify["parameters"][1]["value"], 16) == number


def test_branch_inside_a_state(build: Callable[..., Any]) -> None:
    result = build(
        parser="""
            state start {
                packet.extract(hdr.h);
                if (hdr.h.a == 1) { packet.extract(hdr.g); }
                meta.x = 3;
                transition accept;
            }
        """
    )
    found = states(result)
    then = found[found["start"]["transitions"][0]["next_state"]]
    otherwise = found[found["start"]["transitions"][1]["next_state"]]
    assert then["parser_ops"][0]["op"] == "extract"
    assert then["transitions"][0]["next_state"] == otherwise["transitions"][0]["next_state"]
    after = found[then["transitions"][0]["next_state"]]
    assert [op["op"] for op in after["parser_ops"]] == ["set"]


def test_called_parser_comes_back(build: Callable[..., Any]) -> None:
    result = build(
        declarations="""
            parser Inner(packet_in packet, out h_t which) {
                state start { packet.extract(which); transition accept; }
            }
        """,
        parser="""
            Inner() inner;
            state start {
                packet.extract(hdr.h); inner.apply(packet, hdr.g); meta.x = 1; transition accept;
            }
        """,
    )
    found = states(result)
    inner = found[found["start"]["transitions"][0]["next_state"]]
    # In a parser that begins, the header it is to fill is not valid.
    assert [op["op"] for op in inner["parser_ops"]] == ["extract"]
    after = found[inner["transitions"][0]["next_state"]]
    assert after["parser_ops"][-1]["op"] == "set"


def test_locals_are_set_once(build: Callable[..., Any]) -> None:
    result = build(
        parser="""
            bit<8> count = 3;
            state start {
                packet.extract(hdr.h);
                count = count - 1;
                transition select(count) { 0: accept; default: start; }
            }
        """
    )
    (parser,) = result.json["parsers"]
    assert parser["init_state"] != "start"
    first = states(result)[parser["init_state"]]
    assert first["transitions"][0]["next_state"] == "start"


def test_value_set(build: Callable[..., Any]) -> None:
    result = build(
        parser="""
            value_set<bit<16>>(4) types;
            state start {
                packet.extract(hdr.h);
                transition select(hdr.h.c) { types: more; default: accept; }
            }
            state more { packet.extract(hdr.g); transition accept; }
        """
    )
    (value_set,) = result.json["parse_vsets"]
    assert (value_set["name"], value_set["compressed_bitwidth"]) == ("P.types", 16)
    assert states(result)["start"]["transitions"][0]["type"] == "parse_vset"


def test_extract_by_a_variable_index(build: Callable[..., Any]) -> None:
    result = build(
        headers="h_t h; h_t[2] s;",
        parser="""
            state start {
                packet.extract(hdr.h); packet.extract(hdr.s[hdr.h.a]); transition accept;
            }
        """,
    )
    extracted = {
        op["parameters"][0]["value"]
        for s in states(result).values()
        for op in s["parser_ops"]
        if op["op"] == "extract"
    }
    assert extracted == {"h", "s[0]", "s[1]"}


def test_union_stack(build: Callable[..., Any]) -> None:
    result = build(
        types="header h_t { bit<8> a; } header k_t { bit<16> b; } "
        "header_union u_t { h_t one; k_t two; }",
        headers="u_t[2] u;",
        parser="""
            state start {
                packet.extract(hdr.u.next.one);
                transition select(hdr.u.last.one.a) { 1: start; default: accept; }
            }
        """,
        ingress="hdr.u.pop_front(1); hdr.u[0].two.setValid();",
    )
    start = states(result)["start"]
    assert start["parser_ops"][0]["parameters"] == [{"type": "union_stack", "value": ["u", "one"]}]
    assert start["transition_key"] == [{"type": "union_stack_field", "value": ["u", "one", "a"]}]
    (stack,) = result.json["header_union_stacks"]
    assert stack["header_union_ids"] == [0, 1]
    pop, add = result.json["actions"][0]["primitives"]
    assert pop["parameters"][0] == {"type": "header_union_stack", "value": "u"}
    assert add["parameters"] == [{"type": "header", "value": "u[0].two"}]


def test_varbit_variable_has_a_header_of_its_own(build: Callable[..., Any]) -> None:
    result = build(
        types="header h_t { bit<8> a; varbit<64> rest; }",
        parser="state start { packet.extract(hdr.h, 8); transition accept; }",
        ingress="varbit<64> kept = hdr.h.rest; hdr.g.rest = kept;",
    )
    keep, give = result.json["actions"][0]["primitives"]
    assert keep["op"] == give["op"] == "assign_VL"
    assert keep["parameters"][0] == give["parameters"][1]


def test_a_field_of_a_stack_may_be_named_last(build: Callable[..., Any]) -> None:
    result = build(
        types="header h_t { bit<7> a; bit<1> last; }",
        headers="h_t[3] h;",
        parser="""
            state start {
                packet.extract(hdr.h.next);
                transition select(hdr.h.last.last) { 1: accept; default: start; }
            }
        """,
        ingress="standard_metadata.egress_spec = (bit<9>)hdr.h[1].a;",
    )
    engine = ReferenceEngine(load_bytes(result.compiled.json_text().encode()))
    (sent,) = engine.process(1, b"\x02\x05\xff", 0)
    assert sent.port == 2, "the second element, the last one, was extracted"
