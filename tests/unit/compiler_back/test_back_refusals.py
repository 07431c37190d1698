"""What the back end cannot do is refused at its place, never dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

TABLE = "table t { key = { hdr.h.a : exact; } actions = { NoAction; } }"

REFUSALS: list[tuple[str, dict[str, str], str]] = [
    (
        "table applied twice",
        {"locals": TABLE, "ingress": "t.apply(); hdr.h.a = 1; ^^t.apply();"},
        "table 'I.t' is applied in several places with different statements after it; "
        "target bmv2 can apply a table in one place only",
    ),
    (
        "resubmit in egress",
        {"egress": "^^resubmit_preserving_field_list(1);"},
        "'resubmit_preserving_field_list' is not supported on target bmv2 in the egress control",
    ),
    (
        "clone of the wrong side",
        {"ingress": "^^clone(CloneType.E2E, 3);"},
        "'CloneType.E2E' is not supported on target bmv2 in the ingress control",
    ),
    (
        "assignment among checksums",
        {"compute": "^^hdr.h.a = 1;"},
        "only calls of update_checksum and its like are supported on target bmv2 in "
        "the checksum update control",
    ),
    (
        "sum in a checksum",
        {
            "compute": "update_checksum(true, ^^{ hdr.h.a + 1, hdr.h.b }, hdr.h.c, "
            "HashAlgorithm.csum16);"
        },
        "only fields and constants can be summed up by a checksum on target bmv2",
    ),
    (
        "condition in the deparser",
        {"deparser": "^^if (hdr.h.a == 1) { packet.emit(hdr.h); }"},
        "only calls of 'emit' are supported on target bmv2 in the deparser",
    ),
    (
        "hash of a scalar",
        {"ingress": "hash(meta.y, HashAlgorithm.crc16, 16w0, ^^hdr.h.a, 16w100);"},
        "the data of 'hash' is a list or a struct",
    ),
    (
        "log message that lacks a value",
        {"ingress": '^^log_msg("{} and {}", { hdr.h.a });'},
        "the text has 2 '{}' for 1 values",
    ),
    (
        "first of several entries without priority",
        {
            "locals": """table t {
                key = { hdr.h.a : ternary; }
                actions = { NoAction; }
                entries = { ^^1 : NoAction(); priority = 10 : 2 : NoAction(); }
            }""",
            "ingress": "t.apply();",
        },
        "the first entry must have a priority, since a later one has",
    ),
    (
        "priority below 1",
        {
            "locals": """table ^^t {
                key = { hdr.h.a : ternary; }
                actions = { NoAction; }
                priority_delta = 10;
                entries = { priority = 10 : 1 : NoAction(); 2 : NoAction(); }
            }""",
            "ingress": "t.apply();",
        },
        "an entry of table 't' gets priority 0; priorities are 1 to 2147483647",
    ),
    (
        "priority of exact entries",
        {
            "locals": """table ^^t {
                key = { hdr.h.a : exact; }
                actions = { NoAction; }
                entries = { priority = 10 : 1 : NoAction(); }
            }""",
            "ingress": "t.apply();",
        },
        "entries of a table with keys of kind exact and lpm only have no priority",
    ),
    (
        "header of odd width",
        {"types": "header ^^h_t { bit<8> a; bit<8> b; bit<16> c; int<8> s; bit<7> n; }"},
        "header 'h_t' has 47 bits; target bmv2 wants headers of whole bytes",
    ),
    (
        "two tables of one name",
        {
            "locals": TABLE + '@name(".I.t") table ^^u { actions = { NoAction; } }',
            "ingress": "t.apply(); u.apply();",
        },
        "two tables have the control-plane name 'I.t'",
    ),
    (
        "two actions of one name",
        {
            "locals": 'action a() { } @name("a") action ^^b() { hdr.h.a = 1; } '
            "table t { actions = { a; b; } }",
            "ingress": "t.apply();",
        },
        "two actions have the control-plane name 'I.a'",
    ),
    (
        "meter of no table",
        {
            "locals": "direct_meter<bit<8>>(MeterType.bytes) rate;",
            "ingress": "^^rate.read(hdr.h.a);",
        },
        "direct meter 'I.rate' is read, but belongs to no table that is applied",
    ),
    (
        "counter of two tables",
        {
            "locals": "direct_counter(CounterType.bytes) hits; "
            "table t { actions = { NoAction; } counters = hits; } "
            "table u { actions = { NoAction; } counters = ^^hits; }",
            "ingress": "t.apply(); u.apply();",
        },
        "'I.hits' already belongs to table 'I.t'; a direct counter or meter has one table",
    ),
    (
        "entry that can never match",
        {
            "locals": "table t { key = { hdr.h.a : exact; } actions = { NoAction; } "
            "const entries = { 1 : NoAction(); ^^1 : NoAction(); } }",
            "ingress": "t.apply();",
        },
        "an entry before this one has the same key",
    ),
    (
        "packet length",
        {"parser": "state start { meta.y = (bit<16>)^^packet.length(); transition accept; }"},
        "'length' of a packet is not supported on target bmv2",
    ),
    (
        "loop around a table",
        {"locals": TABLE, "ingress": "for (bit<8> i = 0; i < 3; i = i + 1) { ^^t.apply(); }"},
        "a table cannot be applied here on target bmv2",
    ),
]


def at(
    parts: dict[str, str], program_text: Callable[..., str]
) -> tuple[dict[str, str], tuple[int, int]]:
    """The parts without the `^^` that marks the place, and that place."""
    marked = program_text(**parts)
    plain = {k: v.replace("^^", "") for k, v in parts.items()}
    for number, (with_mark, without) in enumerate(
        zip(marked.splitlines(), program_text(**plain).splitlines(), strict=True), start=1
    ):
        if with_mark != without:
            return plain, (number, with_mark.index("^^") + 1)
    raise AssertionError("no mark")


@pytest.mark.parametrize(
    ("parts", "message"),
    [pytest.param(p, m, id=name) for name, p, m in REFUSALS],
)
def test_refused(
    refuse: Callable[..., list[str]],
    program_text: Callable[..., str],
    parts: dict[str, str],
    message: str,
) -> None:
    plain, place = at(parts, program_text)
    assert f"{place[0]}:{place[1]}: error: {message}" in refuse(**plain)


def test_all_refusals_are_reported(refuse: Callable[..., list[str]]) -> None:
    messages = refuse(
        ingress="verify_checksum(true, {hdr.h.a}, hdr.h.c, HashAlgorithm.csum16); "
        "clone(CloneType.E2E, 3);"
    )
    assert len(messages) == 2


def test_no_main(compile_text: Callable[[str], Any], program_text: Callable[..., str]) -> None:
    text = program_text().replace("V1Switch(P(), V(), I(), E(), C(), D()) main;", "")
    result = compile_text(text)
    assert result.compiled is None
    assert any("1: error: the program has no package instance 'main'" in m for m in result.messages)
