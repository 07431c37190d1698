"""The checker on tables: actions, entries and properties."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p4embed.compiler import ast
from p4embed.compiler.checked import CheckedProgram

Check = Callable[[str], CheckedProgram]
Errors = Callable[[str], list[str]]


TABLE = """
match_kind {{ exact, ternary, lpm, range }}
action listed(inout bit<8> d, bit<8> p) {{ d = p; }}
action other() {{ }}
control c(inout bit<8> x, in bit<16> y) {{
    table t {{
        key = {{ x : exact; y : {kind}; }}
        actions = {{ listed(x); other; }}
        {properties}
    }}
    apply {{ if (t.apply().hit) {{ }} switch (t.apply().action_run) {{ listed: {{ }} }} }}
}}
"""


def test_table_actions_and_entries(checked: Check) -> None:
    program = checked(
        TABLE.format(
            kind="ternary",
            properties="default_action = listed(x, 3); size = 4;"
            "const entries = { (1, 2 &&& 0xFF) : listed(x, 4); (2, _) : other; }",
        )
    )
    shown = set()
    for info in program.action_calls.values():
        values = [program.constants.get(b.value) if b.value else None for b in info.arguments]
        shown.add((info.name, tuple(values)))
    assert shown == {
        ("listed", (None, None)),
        ("other", ()),
        ("listed", (None, 3)),
        ("listed", (None, 4)),
    }
    cases = [d for n, d in program.names.items() if isinstance(n, ast.SwitchCase)]
    assert [d.name for d in cases if isinstance(d, ast.ActionDeclaration)] == ["listed"]
    assert len(cases) == 1


@pytest.mark.parametrize(
    ("kind", "properties", "message"),
    [
        ("exact", "size = x;", "the size of a table must be known at compile time"),
        ("exact", "size = true;", "the size of a table is an integer, not bool"),
        ("exact", "default_action = nothing();", "action 'nothing' is not declared"),
        ("exact", "default_action = listed(x);", "'listed' takes 2 arguments, not 1"),
        (
            "exact",
            "default_action = listed(x, y[7:0]);",
            "argument 'p' must be known at compile time",
        ),
        (
            "exact",
            "default_action = listed(x, _);",
            "'_' can stand only for 'out' parameters; 'p' is none",
        ),
        (
            "exact",
            "const entries = { (1, 2, 3) : other; }",
            "table 't' has 2 values to match, but this keyset has 3",
        ),
        (
            "exact",
            "const entries = { 1 : other; }",
            "table 't' has 2 values to match, but this keyset has 1",
        ),
        (
            "exact",
            "const entries = { (1, 1 &&& 2) : other; }",
            "a key of match kind 'exact' cannot have a mask",
        ),
        (
            "lpm",
            "const entries = { (1, 1 &&& 2) : other; }",
            "the mask of a key of match kind 'lpm' has ones only at its start",
        ),
        (
            "ternary",
            "const entries = { (1, 1 .. 2) : other; }",
            "a key of match kind 'ternary' cannot be a range",
        ),
        ("exact", "const entries = { (true, 1) : other; }", "expected bit<8> as key, found bool"),
        (
            "exact",
            "const entries = { (x, 1) : other; }",
            "the key of an entry must be known at compile time",
        ),
        ("exakt", "", "match kind 'exakt' is not declared"),
        ("exact", "size = 1; size = 2;", "table 't' has 'size' twice"),
    ],
)
def test_wrong_tables(kind: str, properties: str, message: str, errors: Errors) -> None:
    found = errors(TABLE.format(kind=kind, properties=properties))
    assert [m.split(": ", 1)[1] for m in found] == [message]
