"""Diagnostics exactly as a user sees them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

GOLDEN = {
    "missing semicolon": (
        "control c(inout bit<8> x) {\n    apply {\n        x = 1\n        x = 2;\n    }\n}\n",
        """\
test.p4:3:14: error: expected ';' after the statement, found 'x'
        x = 1
             ^""",
    ),
    "misspelt field": (
        "header eth_t { bit<48> src_addr; }\n"
        "control c(inout eth_t eth) { apply { eth.src_adr = 1; } }\n",
        """\
test.p4:2:42: error: header eth_t has no field 'src_adr'
control c(inout eth_t eth) { apply { eth.src_adr = 1; } }
                                         ^~~~~~~
note: did you mean 'src_addr'?""",
    ),
    "tabs keep the caret in its place": (
        "control c() {\n\tapply {\n\t\tfoo();\n\t}\n}\n",
        "test.p4:3:3: error: function 'foo' is not declared\n\t\tfoo();\n\t\t^~~",
    ),
    "widths differ": (
        "control c(in bit<8> a, out bit<16> b) { apply { b = a; } }\n",
        """\
test.p4:1:53: error: expected bit<16> as value assigned, found bit<8>
control c(in bit<8> a, out bit<16> b) { apply { b = a; } }
                                                    ^
note: a cast would be explicit: (bit<16>) ...""",
    ),
    "width and sign differ": (
        "const int<16> a = 8w1;\n",
        """\
test.p4:1:19: error: expected int<16> as value of 'a', found bit<8>
const int<16> a = 8w1;
                  ^~~
note: width and sign change one after the other: (int<16>)(bit<16>) ...""",
    ),
    "translation to a type that P4Runtime does not have": (
        '@p4runtime_translation("uri", string) type bit<9> a;\n'
        '@p4runtime_translation("uri", bit<32>) type bit<9> b;\n'
        '@p4runtime_translation("uri", bool) type bit<9> c;\n',
        """\
test.p4:3:1: error: @p4runtime_translation wants ("URI", TYPE)
@p4runtime_translation("uri", bool) type bit<9> c;
^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~
note: TYPE is string, a number of bits W, or bit<W>""",
    ),
    "structured annotation of a list": (
        "@a[1, {2, 3}] const bit<8> x = 1;\n",
        """\
test.p4:1:7: error: a structured annotation holds integers, strings and bools known at \
compile time, not tuple<int, int>
@a[1, {2, 3}] const bit<8> x = 1;
      ^~~~~~""",
    ),
    "division at run time": (
        "control c(inout bit<8> a) { apply { a = 0 / a; a = a / 4; a = a % 3; } }\n",
        """\
test.p4:1:63: error: operator '%' needs numbers known at compile time
control c(inout bit<8> a) { apply { a = 0 / a; a = a / 4; a = a % 3; } }
                                                              ^~~~~
note: at run time a value can be divided by a constant power of two""",
    ),
    "for without a type": (
        "control c(inout bit<8> a) { apply { for (a in 1 .. 3) { } } }\n",
        """\
test.p4:1:42: error: a type stands before the variable of 'for ... in'
control c(inout bit<8> a) { apply { for (a in 1 .. 3) { } } }
                                         ^""",
    ),
    "declared twice": (
        "struct s { }\nheader s { }\n",
        """\
test.p4:2:8: error: 's' is declared twice in the same scope
header s { }
       ^
test.p4:1:8: note: declared here first
struct s { }
       ^""",
    ),
    "in parameter": (
        "control c(in bit<8> a) { apply { a = 1; } }\n",
        """\
test.p4:1:34: error: cannot assign: 'a' is an 'in' parameter
control c(in bit<8> a) { apply { a = 1; } }
                                 ^""",
    ),
    "wrong number of arguments": (
        "action a(bit<8> x) { }\ncontrol c() { apply { a(); } }\n",
        """\
test.p4:2:23: error: 'a' takes 1 argument, not 0
control c() { apply { a(); } }
                      ^~~
test.p4:1:8: note: declared here
action a(bit<8> x) { }
       ^""",
    ),
    "reserved word": (
        "struct table { }\n",
        """\
test.p4:1:8: error: expected the name of the struct, but 'table' is a reserved word
struct table { }
       ^~~~~""",
    ),
    "unknown character": (
        "const bit<8> a = 'x';\n",
        """\
test.p4:1:18: error: unknown character '''
const bit<8> a = 'x';
                 ^""",
    ),
    "malformed integer": (
        "const bit<8> a = 8x5;\n",
        """\
test.p4:1:18: error: malformed integer '8x5'
const bit<8> a = 8x5;
                 ^~~
note: a width and its base are written as in 8w0xFF, 4s7, 16w0b1_0""",
    ),
    "unfinished string": (
        'const bit<8> a = 1;\n@name("abc)\n',
        """\
test.p4:2:7: error: string without its closing quote
@name("abc)
      ^""",
    ),
    "state not declared": (
        "parser p() {\n    state start { transition strat; }\n}\n",
        """\
test.p4:2:30: error: state 'strat' is not declared
    state start { transition strat; }
                             ^~~~~
note: did you mean 'start'?
test.p4:1:8: error: parser 'p' never reaches accept or reject
parser p() {
       ^""",
    ),
    "variable at the top level": (
        "bit<8> x;\n",
        """\
test.p4:1:1: error: a variable cannot be declared outside of controls, parsers and functions
bit<8> x;
^~~
note: a constant can: const type name = value;""",
    ),
    "action not in the list": (
        "control c(in bit<8> x) {\n"
        "    action one() { }\n"
        "    action two() { }\n"
        "    table t { key = { x : exact; } actions = { one; } default_action = two; }\n"
        "    apply { t.apply(); }\n"
        "}\n"
        "match_kind { exact }\n",
        """\
test.p4:4:27: error: match kind 'exact' is not declared
    table t { key = { x : exact; } actions = { one; } default_action = two; }
                          ^~~~~
test.p4:4:72: error: the default action 'two' is not among the actions of table 't'
    table t { key = { x : exact; } actions = { one; } default_action = two; }
                                                                       ^~~""",
    ),
    "value too large": (
        "const bit<4> x = 300;\npackage p(); p() main;\n",
        """\
test.p4:1:18: warning: 300 does not fit into bit<4> and becomes 12
const bit<4> x = 300;
                 ^~~""",
    ),
    "no main": (
        "#include <core.p4>\nconst bit<4> x = 3;\n",
        """\
test.p4:2:1: warning: the program has no instance 'main' of a package
const bit<4> x = 3;
^~~~~~~~~~~~~~~~~~~""",
    ),
    "parser of the wrong kind": (
        "parser P(in bit<8> x);\npackage s(P p);\n"
        "parser mine(in bit<16> x) { state start { transition accept; } }\ns(mine()) main;\n",
        """\
test.p4:4:3: error: expected P as argument 'p' of s, found mine
s(mine()) main;
  ^~~~~~
note: parameter 'x' of mine is bit<16>, but P asks for bit<8>""",
    ),
}


@pytest.mark.parametrize("name", list(GOLDEN))
def test_golden(name: str, rendered: Callable[[str], str]) -> None:
    text, expected = GOLDEN[name]
    assert rendered(text) == expected


def test_long_lines_are_cut_around_the_caret(rendered: Callable[[str], str]) -> None:
    text = "const bit<8> x = " + " + ".join(["8w1"] * 100) + " + y;"
    lines = rendered(text).splitlines()
    assert lines[0] == f"test.p4:1:{len(text) - 1}: error: name 'y' is not declared"
    assert len(lines[1]) == 160
    assert lines[1][lines[2].index("^")] == "y"


def test_all_errors_of_a_file_are_reported(errors: Callable[[str], list[str]]) -> None:
    text = """\
const bit<8> a = ;
struct s { bit<8> x bit<8> y; bit<8> z; }
control c(inout bit<8> v) {
    action b( { }
    apply { v = ; v = 1 +; if (v == 1 { } v = 2; }
}
const bit<8> e = 5 5;
"""
    lines = [message.split(":")[0] for message in errors(text)]
    assert lines == ["1", "2", "4", "5", "5", "5", "7"]


@pytest.mark.parametrize(
    ("statement", "note"),
    [
        ("x++;", "P4 has no ++: write x += 1"),
        ("x--;", "P4 has no --: write x -= 1"),
        ("a;", "a call needs parentheses: f();"),
        ("if (x = 1) { }", "equality is =="),
        ("if (true) bit<8> y = 1;", "put braces around it"),
        ("h.isValid;", "a call needs parentheses: f();"),
        ("x = h.isValid;", "it is a method: isValid()"),
        ("x = (bit<8>) 16s1;", "width and sign change one after the other: (bit<8>)(int<8>) ..."),
        ("x = 1 ++ x;", "a literal with a width is written as in 8w1"),
        ("if (true & false) { }", "for bool the operators are && and ||, not &"),
        ("E() e;", "instances are declared in a control or parser, before its statements"),
        ("x = { a = 1 };", None),
    ],
)
def test_remedies(statement: str, note: str | None, rendered: Callable[[str], str]) -> None:
    text = rendered(
        "header h_t { bit<8> f; } extern E { E(); }\n"
        "control c(inout bit<8> x, in h_t h) { action a() { }\n"
        f"apply {{ {statement} }} }}"
    )
    assert text.startswith("test.p4:3:")
    lines = text.splitlines()
    assert lines[3:] == ([] if note is None else [f"note: {note}"])


def test_forgotten_semicolons_cost_one_message_each(errors: Callable[[str], list[str]]) -> None:
    text = """\
header h { bit<8> a }
parser p(in bit<8> x) {
    state start {
        bit<8> y = x
        transition select(y) {
            1: accept
            default: reject
        }
    }
}
"""
    assert [m.split(":")[0] for m in errors(text)] == ["1", "4", "6", "7"]


def test_one_mistake_gives_one_message(errors: Callable[[str], list[str]]) -> None:
    text = """\
control c(inout bit<8> v) {
    nowhere x;
    apply { x = 1; v = x + 1; x.f = v; if (x == v) { v = x[3:0]; } v = y; v = y; }
}
"""
    assert errors(text) == [
        "2: type 'nowhere' is not declared",
        "3: name 'y' is not declared",
        "3: name 'y' is not declared",
    ]


def test_many_errors_are_counted_not_shown(rendered: Callable[[str], str]) -> None:
    text = "control c() { apply { " + "".join(f"f{i}();\n" for i in range(60)) + " } }"
    assert rendered(text).splitlines()[-1] == "error: 10 more errors not shown"
