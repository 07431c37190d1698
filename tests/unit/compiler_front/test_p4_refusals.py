"""The checker: what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Errors = Callable[[str], list[str]]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("const bit<8> a = b;", ["1: name 'b' is not declared"]),
        ("const bit<8> a = a;", ["1: name 'a' is not declared"]),
        ("struct S { S s; }", ["1: 'S' is used inside its own declaration"]),
        ("bit f(in bit x) { return f(x); }", ["1: 'f' is used inside its own declaration"]),
        (
            "bit f(in bool x) { if (x) { return 1; } }",
            ["1: function 'f' can end without returning a value of type bit<1>"],
        ),
        (
            "void f() { return 1; }",
            ["1: 'return' in a function without result cannot have a value"],
        ),
        ("bit f() { return; }", ["1: 'return' needs a value of type bit<1>"]),
        ("const bit<8> a = 1 / 0;", ["1: division by zero"]),
        ("const bit<8> a = 8w1[8:0];", ["1: bit 8 is outside of bit<8>"]),
        ("const bit<8> a = 8w1[0:4];", ["1: slice [0:4] ends before it starts"]),
        ("const bool a = 8w1 && true;", ["1: operator '&&' works on bool, not on bit<8>"]),
        ("const bool a = true & false;", ["1: operator '&' does not work on bool"]),
        ("const bit<8> a = 8w1 + 4w1;", ["1: operator '+' cannot combine bit<8> and bit<4>"]),
        ("const bool a = !1;", ["1: operator '!' works on bool, not on int"]),
        (
            "int<8> f(in int<8> x) { return x / 2; }",
            ["1: operator '/' is not defined for int<8>"],
        ),
        ("const bit<8> a = 1 ++ 8w1;", ["1: operator '++' needs a fixed width, not int"]),
        ("const bit<8> a = (bit<8>) true;", ["1: bool cannot be cast to bit<8>"]),
        (
            "extern T f<T>(); control c(out bit<8> x) { apply { x = f(); } }",
            ["1: the type argument 'T' of 'f' cannot be inferred"],
        ),
        (
            "extern void f(in bit a, @optional in bit b); extern void f(in bit c);"
            "control c() { apply { f(1); } }",
            ["1: several declarations of 'f' take these arguments"],
        ),
        (
            "extern void f<T>(in T a); control c() { apply { f(8w1); f({ 1, true }); } }",
            ["1: the width of argument 'a' of f is not known"],
        ),
        ("header H { } const H[2] a = { {} };", ["1: H[2] has 2 values, but the list has 1"]),
        ("const bit<9999> a = 0;", ["1: a width can be at most 2048, not 9999"]),
        ("const bit<(0 - 1)> a = 0;", ["1: a width cannot be negative: -1"]),
        ("header H { int x; }", ["1: a header cannot have a field of type int"]),
        ("struct S { bit<8> a; bool a; }", ["1: field 'a' is declared twice"]),
        ("enum E { A, A }", ["1: enum member 'A' is declared twice"]),
        ("enum E { A } const E e = E.B;", ["1: enum E has no member 'B'"]),
        ("enum bit<4> E { A = 1 } const E e = 1;", ["1: expected E as value of 'e', found int"]),
        (
            "struct S { bit<8> a; bool b; } const S s = { 1 };",
            ["1: S has 2 values, but the list has 1"],
        ),
        (
            "struct S { bit<8> a; bool b; } const S s = { a = 1 };",
            ["1: no value for field 'b' of S"],
        ),
        ("struct S { bit<8> a; } const S s = { aa = 1, a = 2 };", ["1: S has no field 'aa'"]),
        ("struct S<T> { T a; } const S s = { 1 };", ["1: 'S' needs 1 type argument: S<...>"]),
        ("struct S { } const S<bit> s = { };", ["1: 'S' takes no type arguments, not 1"]),
        ("type bit<9> P; const P a = 9w1;", ["1: expected P as value of 'a', found bit<9>"]),
        (
            "extern void f<T>(in T a, in T b); control c() { apply { f(8w1, true); } }",
            ["1: argument 'b' of f is bool, which contradicts the type of another argument"],
        ),
        (
            "extern void f(out bit<8> a); control c(in bit<8> x) { apply { f(x); } }",
            ["1: argument 'a' of f is 'out' and needs a variable, but 'x' is an 'in' parameter"],
        ),
        (
            "extern void f(in bit<8> a); control c() { apply { f(b = 1); } }",
            ["1: 'f' has no parameter 'b'"],
        ),
        (
            "extern E { E(bit<8> x); } control c(in bit<8> y) { E(y) e; apply { } }",
            ["1: argument 'x' of E must be known at compile time"],
        ),
        ("extern E { void f(); } E() e;", ["1: extern E has no constructor"]),
        (
            "extern E { E(); abstract void f(); } E() e;",
            ["1: 'e' does not implement the abstract method 'f'"],
        ),
        (
            "control c() { apply { } } c() d;",
            ["1: a control cannot be instantiated at the top level"],
        ),
        ("control c() { table t { } apply { } }", ["1: table 't' has no property 'actions'"]),
        ("control c() { }", ["1: control 'c' has no 'apply' block"]),
        ("control c() { apply { break; } }", ["1: 'break' outside of a loop"]),
        ("control c() { action a() { t.apply(); } apply { } }", ["1: name 't' is not declared"]),
        (
            "control c() { action x() { } table t { actions = { x; } } action a() { t.apply(); } "
            "apply { } }",
            ["1: a table cannot be applied in an action"],
        ),
        ("parser p() { state start { return; } }", ["1: 'return' cannot stand in a parser"]),
        (
            "parser p(in bit<8> x) { state start { transition select(x, x) { (_, _): start; } } }",
            ["1: parser 'p' never reaches accept or reject"],
        ),
        ("parser p() { state go { } }", ["1: parser 'p' has no state 'start'"]),
        (
            "parser p(in bit<8> x) { state start { transition select(x) { (1, 2): accept; } } }",
            ["1: 'select' has 1 value to match, but this keyset has 2"],
        ),
        (
            "parser p(in bit<8> x) { state start { transition select(x) { true: accept; } } }",
            ["1: expected bit<8> as key, found bool"],
        ),
        (
            "action a(bit<8> x, in bit<8> y) { }",
            ["1: parameter 'y' with a direction stands behind one without"],
        ),
        (
            "header H { bit<8> f; } control c(inout H[2] h) { apply { h[2].f = 1; } }",
            ["1: index 2 is outside of H[2]"],
        ),
        (
            "header H { bit<8> f; } control c(inout H[2] h) { apply { h.next.f = 1; } }",
            ["1: 'next' of a stack can be used only in a parser"],
        ),
        (
            "control c(in bit<8> x) { apply { switch (x) { 1: { } 1: { } } } }",
            ["1: this label stands twice in the 'switch'"],
        ),
        ("error { A } error { A }", ["1: error 'A' is declared twice"]),
        ("struct S { @field_list(N) bit<8> f; }", ["1: name 'N' is not declared"]),
        (
            "struct S { @field_list(true) bit<8> f; }",
            ["1: @field_list wants numbers known at compile time, not bool"],
        ),
        ("control c(in error e) { apply { } }", ["1: no error is declared yet"]),
        ("error { A } control c(in error e) { apply { } }", []),
        (
            "struct S<T> { T f; }\ntypedef S<bit<8>> A;\ntypedef S<A> B;",
            ["3: 'S' cannot be a type argument of itself"],
        ),
        (
            "extern E<T> { E(); }\nE<E<bit<8>>>() e;",
            ["2: 'E' cannot be a type argument of itself"],
        ),
        (
            "extern E { E(); }\nE() e = {\nvoid f() { }\n};",
            ["2: extern E has no abstract methods to implement"],
        ),
        (
            "header H {\nvarbit<8> a;\nvarbit<8> b;\n}",
            ["3: header 'H' has several varbit fields, which no extraction could tell apart"],
        ),
        (
            "control c() { action a() { }\ntable t {\nactions = { a; }\nentries = { _ : a; }\n}"
            " apply { t.apply(); } }",
            ["2: table 't' has entries, but no key"],
        ),
        (
            '#include <core.p4>\nconst bool b = static_assert(1 == 2, "no");',
            ["2: static_assert failed: no"],
        ),
        (
            "#include <core.p4>\n"
            "parser p(packet_in b, out bit<8> x) { state start { b.extract(x); } }",
            ["2: 'extract' fills a header, not bit<8>"],
        ),
    ],
)
def test_errors(text: str, messages: list[str], errors: Errors) -> None:
    assert errors(text) == messages
