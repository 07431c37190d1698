"""Calls: bodies take the place of calls, arguments are copied only where it can be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def ingress(result: Any) -> list[str]:
    """Statements of ingress after elaboration, without blocks around them."""
    text = result.dumps["elaborate"]
    body = text[text.index("ingress {") : text.index("\negress {")]
    lines = [line.strip() for line in body.splitlines()[1:-1]]
    return [line for line in lines if line != "}" and not line.endswith(": {")]


SUB = """
control Sub(inout bit<8> v, in bit<8> w) {
    apply { v = v + w; if (v == 3) { return; } v = 0; }
}
"""


def test_control_works_on_the_argument_itself(build: Callable[..., Any]) -> None:
    result = build(declarations=SUB, locals="Sub() sub;", ingress="sub.apply(hdr.h.a, hdr.h.b);")
    assert ingress(result)[0] == "h.a = (h.a + h.b)"


def test_arguments_that_share_storage_are_copied(build: Callable[..., Any]) -> None:
    result = build(declarations=SUB, locals="Sub() sub;", ingress="sub.apply(hdr.h.a, hdr.h.a);")
    lines = ingress(result)
    assert "h.a = (h.a + h.a)" not in lines
    assert lines[-1].startswith("h.a = scalars.")


def test_return_in_a_called_control_ends_only_that(build: Callable[..., Any]) -> None:
    result = build(
        declarations=SUB,
        locals="Sub() sub;",
        ingress="sub.apply(hdr.h.a, 1); hdr.h.c = 7;",
    )
    (node,) = result.json["pipelines"][0]["conditionals"]
    assert node["true_next"] is not None, "goes on behind the call"


def test_two_instances_have_tables_of_their_own(build: Callable[..., Any]) -> None:
    result = build(
        declarations="""
            control Sub(inout headers_t hdr)(bit<8> k) {
                action add() { hdr.h.a = hdr.h.a + k; }
                table t { key = { hdr.h.b : exact; } actions = { add; } }
                apply { t.apply(); }
            }
        """,
        locals="Sub(1) one; Sub(2) two;",
        ingress="one.apply(hdr); two.apply(hdr);",
    )
    names = [t["name"] for t in result.json["pipelines"][0]["tables"]]
    assert names == ["I.one.t", "I.two.t"]
    text = result.dumps["elaborate"]
    for name, constant in (("one", 1), ("two", 2)):
        _, _, body = text.partition(f"action I.{name}.add() {{")
        assert f"h.a = (h.a + 8w{constant})" in body.partition("\ntable")[0]


def test_instance_handed_down_keeps_its_path(build: Callable[..., Any]) -> None:
    result = build(
        declarations="""
            control Any_();
            control Leaf() { counter(4, CounterType.packets) c; apply { c.count(0); } }
            control Inner()(Any_ leaf) { apply { leaf.apply(); } }
            control Outer()(Any_ inner) { apply { inner.apply(); } }
        """,
        locals="Leaf() leaf; Inner(leaf) inner; Outer(inner) outer;",
        ingress="outer.apply();",
    )
    (counter,) = result.json["counter_arrays"]
    assert counter["name"] == "I.leaf.c"
    (count,) = (p for a in result.json["actions"] for p in a["primitives"] if p["op"] == "count")
    assert count["parameters"][0] == {"type": "counter_array", "value": "I.leaf.c"}


def test_function_result(build: Callable[..., Any]) -> None:
    result = build(
        declarations="""
            bit<8> larger(in bit<8> a, in bit<8> b) { if (a > b) { return a; } return b; }
        """,
        ingress="hdr.h.a = larger(hdr.h.a, hdr.h.b) + 1;",
    )
    lines = ingress(result)
    assert lines[-1].startswith("h.a = (scalars.I.larger.return")


def test_generic_function(build: Callable[..., Any]) -> None:
    result = build(
        declarations="T same<T>(in T v) { return v; }",
        ingress="hdr.h.c = same<bit<16>>(hdr.h.c); hdr.h.a = same<bit<8>>(hdr.h.a);",
    )
    fields = {f[0]: f[1] for f in result.json["header_types"][0]["fields"]}
    assert sorted(w for n, w in fields.items() if n.startswith("I.same.return")) == [8, 16]


def test_operands_keep_their_values_while_calls_run(build: Callable[..., Any]) -> None:
    result = build(
        declarations="bit<8> bump(inout bit<8> v) { v = v + 1; return v; }",
        ingress="hdr.h.b = hdr.h.a + bump(hdr.h.a);",
    )
    lines = ingress(result)
    saved = lines[0].partition(" = ")[0]
    assert lines[0] == f"{saved} = h.a"
    assert lines[-1] == f"h.b = ({saved} + scalars.I.bump.return)"


def test_right_operand_runs_only_if_needed(build: Callable[..., Any]) -> None:
    result = build(
        declarations="bool bump(inout bit<8> v) { v = v + 1; return v > 3; }",
        ingress="if (hdr.h.b == 0 || bump(hdr.h.a)) { hdr.h.c = 1; }",
    )
    lines = ingress(result)
    assert lines[1].startswith("if not(scalars.I.condition")
    assert lines[2] == "h.a = (h.a + 8w1)"


def test_slice_as_an_out_argument(build: Callable[..., Any]) -> None:
    result = build(
        declarations="void set(out bit<4> v) { v = 5; }",
        ingress="set(hdr.h.a[7:4]);",
    )
    assert ingress(result)[-1].startswith("h.a = ((h.a & 8w15) | (")


def test_swap_by_struct(build: Callable[..., Any]) -> None:
    result = build(
        types="struct pair_t { bit<8> a; bit<8> b; } header h_t { bit<8> a; bit<8> b; }",
        ingress="pair_t p = { hdr.h.a, hdr.h.b }; p = { p.b, p.a }; hdr.h.a = p.a;",
    )
    lines = ingress(result)
    assert lines[2].endswith("= scalars.I.p.b")
    assert lines[3].endswith("= scalars.I.p.a")
    assert lines[4] == f"scalars.I.p.a = {lines[2].partition(' = ')[0]}"


def test_header_assignment_and_validity(build: Callable[..., Any]) -> None:
    result = build(
        ingress="""
            hdr.g = hdr.h; hdr.h.setInvalid(); hdr.g.setValid();
            hdr.h = { 1, 2, 3, 4, 5 };
            hdr.g = (h_t){#};
        """
    )
    lines = ingress(result)
    assert lines[:3] == ["assign_header(g, h)", "remove_header(h)", "add_header(g)"]
    assert lines[3:5] == ["add_header(h)", "h.a = 8w1"]
    assert lines[-1] == "remove_header(g)"


def test_header_equality_needs_validity(build: Callable[..., Any]) -> None:
    result = build(ingress="if (hdr.h == hdr.g) { hdr.h.a = 1; }")
    condition = ingress(result)[0]
    assert "h.isValid()" in condition
    assert "(h.c == g.c)" in condition


def test_out_argument_header_starts_invalid(build: Callable[..., Any]) -> None:
    result = build(
        declarations="control Make(out h_t made) { apply { made.setValid(); made.a = 1; } }",
        locals="Make() make;",
        ingress="make.apply(hdr.g);",
    )
    assert ingress(result)[:2] == ["remove_header(g)", "add_header(g)"]


def test_out_argument_that_nobody_assigns_is_zero(build: Callable[..., Any]) -> None:
    result = build(
        declarations="""
            bit<8> f(out bit<8> v) { return 3; }
            bit<8> g(out bit<8> v) { v = 1; return v; }
        """,
        ingress="hdr.h.a = f(hdr.h.b); hdr.h.n = g(hdr.g.a);",
    )
    dump = result.dumps["elaborate"]
    assert "h.b = 8w0" in dump
    assert "g.a = 8w0" not in dump, "it is assigned: nothing to be done before"


def test_bound_argument_of_a_table_action(build: Callable[..., Any]) -> None:
    result = build(
        declarations="action put(inout bit<8> where, bit<8> what) { where = what; }",
        locals="table t { key = { hdr.h.a : exact; } actions = { put(hdr.h.b); } }",
        ingress="t.apply();",
    )
    found = next(a for a in result.json["actions"] if a["name"] == "put")
    assert [p["name"] for p in found["runtime_data"]] == ["what"]
    assert found["primitives"][-1]["parameters"][0] == {"type": "field", "value": ["h", "b"]}


def test_action_drops_through_its_parameter(build: Callable[..., Any]) -> None:
    result = build(
        declarations="action drop(inout standard_metadata_t s) { mark_to_drop(s); }",
        locals="table t { actions = { drop(standard_metadata); } }",
        ingress="t.apply();",
    )
    found = next(a for a in result.json["actions"] if a["name"] == "drop")
    assert [p["op"] for p in found["primitives"]] == ["mark_to_drop"]


def test_copy_of_standard_metadata_is_marked_itself(build: Callable[..., Any]) -> None:
    result = build(
        locals="""
            action drop(inout standard_metadata_t s) {
                mark_to_drop(s);
                hdr.h.c = (bit<16>)standard_metadata.egress_spec;
            }
        """,
        ingress="drop(standard_metadata);",
    )
    found = next(a for a in result.json["actions"] if a["name"] == "I.drop")
    steps = [(p["op"], p["parameters"][0]["value"]) for p in found["primitives"]]
    dropped = steps.index(("mark_to_drop", "standard_metadata"))
    real = ["standard_metadata", "egress_spec"]
    copy = ["scalars", "I.s.egress_spec"]
    later = [target for _, target in steps[dropped:]]
    assert later.index(copy) < later.index(real), "the copy gets it, the real one gets its own back"
    assert later.index(real) < later.index(["h", "c"]) < len(later)


def test_action_that_sees_its_argument_gets_a_copy(build: Callable[..., Any]) -> None:
    result = build(
        locals="action put(inout bit<8> v) { hdr.h.a = 1; v = v + 1; }",
        ingress="put(hdr.h.a);",
    )
    assert ingress(result)[0].endswith("= h.a")
    result = build(
        locals="action put(inout bit<8> v) { hdr.h.a = 1; v = v + 1; }",
        ingress="put(meta.x);",
    )
    assert ingress(result)[-1].startswith("scalars.userMetadata.x = (scalars.userMetadata.x + ")
