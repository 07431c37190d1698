"""The checker: what is accepted, and what it finds out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p4embed.compiler import ast
from p4embed.compiler.check.evaluate import constant
from p4embed.compiler.checked import (
    CallKind,
    CheckedProgram,
    EnumValue,
    ErrorValue,
    Instance,
    InvalidHeaderValue,
    StackValue,
    StructValue,
    TupleValue,
)
from p4embed.compiler.types import BOOL, INT, BitType, TupleType

Check = Callable[[str], CheckedProgram]
Errors = Callable[[str], list[str]]


def value_of(program: CheckedProgram, name: str) -> object:
    """Value of a top-level constant."""
    for declaration in program.program.declarations:
        if isinstance(declaration, ast.ConstantDeclaration) and declaration.name == name:
            return program.constants[declaration.value]
    raise AssertionError(name)


# --- compile-time values ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "text", "expected"),
    [
        ("int", "2 + 3 * 4 - 10 / 3 % 2", 13),
        ("int", "-7 + (1 << 70 >> 68)", -3),
        ("bit<8>", "255 + 1", 0),
        ("bit<8>", "8w255 + 1", 0),
        ("bit<8>", "8w0 - 1", 255),
        ("int<8>", "8s127 + 1", -128),
        ("bit<8>", "8w250 |+| 10", 255),
        ("bit<8>", "8w5 |-| 10", 0),
        ("int<8>", "8s100 |+| 100", 127),
        ("int<8>", "-8s100 |-| 100", -128),
        ("bit<8>", "~8w0xF0", 0x0F),
        ("bit<8>", "-8w1", 255),
        ("bit<16>", "8w0xAB ++ 8w0xCD", 0xABCD),
        ("bit<12>", "4s15 ++ 8w1 == 12s0xF01 ? 12w1 : 2", 1),
        ("bit<4>", "16w0xABCD[11:8]", 0xB),
        ("bit<8>", "(bit<8>) 16w0x1234", 0x34),
        ("int<8>", "(int<8>) 8w0xFF", -1),
        ("bit<16>", "(bit<16>) (int<16>) 8s0xFF", 0xFFFF),
        ("bit<1>", "(bit<1>) true", 1),
        ("bool", "(bool) 1w0", False),
        ("bool", "true && !false || false", True),
        ("bool", "8w3 < 4 && 3 >= 3 && 1 != 2", True),
        ("bool", '"a" ++ "b" == "ab"', True),
        ("bool", "{1, 2} == {1, 2}", True),
        ("bit<8>", "E.B + 1", 3),
        ("bit<8>", "{8w1, 8w2}[1]", 2),
        ("bit<8>", "S_VALUE.b", 7),
        ("int", "H.minSizeInBits() + H.maxSizeInBytes()", 8 + 5),
        ("error", "error.Mine", ErrorValue("Mine")),
        ("bit<8>", "true ? 1 : 2", 1),
    ],
)
def test_constants(type_: str, text: str, expected: object, checked: Check) -> None:
    program = checked(
        f"""
        error {{ NoError, Mine }}
        enum bit<8> E {{ A = 1, B = A + 1 }}
        struct S {{ bool a; bit<8> b; }}
        header H {{ bit<8> f; varbit<32> v; }}
        const S S_VALUE = {{ b = 7, a = true }};
        const {type_} x = {text};
        """
    )
    assert value_of(program, "x") == expected


def test_structured_constants(checked: Check) -> None:
    program = checked(
        """
        enum F { X, Y }
        header H { bit<8> f; }
        struct S { bit<8> a; bool b; F c; }
        struct T { S s; H h; H[2] hs; tuple<bit<8>, bit<4>> t; }
        const S one = { 1, true, F.Y };
        const S rest = { a = 2, ... };
        const S dots = ...;
        const T all = { one, {#}, { {3}, ... }, {1, 2} };
        """
    )
    one, rest, dots, all_ = (value_of(program, n) for n in ("one", "rest", "dots", "all"))
    assert isinstance(one, StructValue)
    assert (one.get("a"), one.get("b")) == (1, True)
    y = one.get("c")
    assert isinstance(y, EnumValue)
    assert y.name == "Y"
    assert isinstance(rest, StructValue)
    assert (rest.get("a"), rest.get("b")) == (2, False)
    assert isinstance(dots, StructValue)
    assert dots.get("a") == 0
    assert isinstance(all_, StructValue)
    assert all_.get("s") == one
    assert isinstance(all_.get("h"), InvalidHeaderValue)
    stack = all_.get("hs")
    assert isinstance(stack, StackValue)
    assert isinstance(stack.elements[0], StructValue)
    assert isinstance(stack.elements[1], InvalidHeaderValue)
    assert all_.get("t") == TupleValue((1, 2))


def test_implicit_conversions_are_recorded(checked: Check) -> None:
    program = checked(
        """
        enum bit<8> E { A = 5 }
        control c(inout bit<8> x) { apply { x = 1; x = E.A; x = x + 2; } }
        """
    )
    body = program.program.declarations[-1]
    assert isinstance(body, ast.ControlDeclaration)
    literal, member, sum_ = (s.value for s in body.body.statements if isinstance(s, ast.Assignment))
    assert program.types[literal] == INT
    assert program.type_of(literal) == BitType(8)
    assert program.constants[member] == 5
    assert isinstance(sum_, ast.Binary)
    assert program.types[sum_] == BitType(8)
    assert program.type_of(sum_.right) == BitType(8)
    assert sum_ not in program.coercions


# --- calls and generics ------------------------------------------------------------------


def call_in(program: CheckedProgram, name: str) -> tuple[ast.Call, str]:
    """The only call of that name, and its type arguments as text."""
    found = [c for c, info in program.calls.items() if info.name == name]
    assert len(found) == 1
    arguments = program.calls[found[0]].type_arguments
    return found[0], ", ".join(f"{v.name}={t}" for v, t in arguments.items())


@pytest.mark.parametrize(
    ("declaration", "call", "name", "expected"),
    [
        ("extern void f<T>(in T a, in T b);", "f(8w1, 2)", "f", "T=bit<8>"),
        ("extern void f<T>(in T a, in T b);", "f(2, x)", "f", "T=bit<8>"),
        (
            "extern void f<T, U>(out T a, in U b);",
            "f(x, {x, true})",
            "f",
            "T=bit<8>, U=tuple<bit<8>, bool>",
        ),
        ("extern T f<T>();", "x = f<bit<8>>()", "f", "T=bit<8>"),
        ("extern void f<T>(in tuple<T, T> a);", "f({8w1, 2})", "f", "T=bit<8>"),
        (
            "struct S<T> { T a; } extern void f<T>(in S<T> a); const S<bit<4>> s = {1};",
            "f(s)",
            "f",
            "T=bit<4>",
        ),
        ("T f<T>(in T a) { return a; }", "x = f(x)", "f", "T=bit<8>"),
    ],
)
def test_type_arguments_are_inferred(
    declaration: str, call: str, name: str, expected: str, checked: Check
) -> None:
    program = checked(f"{declaration} control c(inout bit<8> x) {{ apply {{ {call}; }} }}")
    assert call_in(program, name)[1] == expected


def test_arguments_are_bound_by_name_and_default(checked: Check) -> None:
    program = checked(
        """
        extern void f(in bit<8> a, in bit<8> b = 9, @optional in bit<8> c);
        extern void f();
        control c() { apply { f(b = 1, a = 2); f(); } }
        """
    )
    by_count = {len(info.arguments): info for info in program.calls.values()}
    given = {b.parameter.name: b.value for b in by_count[3].arguments}
    assert program.constants[given["a"]] == 2  # type: ignore[index]
    assert program.constants[given["b"]] == 1  # type: ignore[index]
    assert given["c"] is None
    assert by_count[0].kind is CallKind.EXTERN_FUNCTION


def test_kinds_of_calls(checked: Check) -> None:
    program = checked(
        """
        header H { bit<8> f; }
        extern E { E(); void method(); }
        extern void external();
        void plain() { }
        action act() { }
        control inner() { apply { } }
        control c(inout H h) {
            E() e;
            inner() i;
            table t { actions = { act; } }
            apply {
                e.method(); external(); plain(); act(); i.apply(); inner.apply(); t.apply();
                h.setValid();
            }
        }
        """
    )
    kinds = {(info.name, info.kind) for info in program.calls.values()}
    assert kinds == {
        ("method", CallKind.EXTERN_METHOD),
        ("external", CallKind.EXTERN_FUNCTION),
        ("plain", CallKind.FUNCTION),
        ("act", CallKind.ACTION),
        ("apply", CallKind.CONTROL_APPLY),
        ("apply", CallKind.TABLE_APPLY),
        ("setValid", CallKind.BUILTIN),
    }


def test_generic_extern_specialises_its_methods(checked: Check) -> None:
    program = checked(
        """
        extern Reg<T> { Reg(bit<32> size); void read(out T v, in bit<32> i); }
        control c(inout bit<48> x) { Reg<bit<48>>(8) r; apply { r.read(x, 3); } }
        """
    )
    call, arguments = call_in(program, "read")
    assert arguments == "T=bit<48>"
    bound = program.calls[call].arguments
    assert [str(b.type) for b in bound] == ["bit<48>", "bit<32>"]


# --- instances ---------------------------------------------------------------------------


def test_instances_and_their_constructor_arguments(checked: Check) -> None:
    program = checked(
        """
        extern Counter { Counter(bit<32> size); void count(); }
        control leaf(inout bit<8> x)(bit<32> n, Counter shared) {
            const bit<32> twice = n * 2;
            Counter(twice + 1) own;
            apply { own.count(); shared.count(); }
        }
        control top(inout bit<8> x) {
            Counter(5) common;
            leaf(10, common) a;
            leaf(n = 20, shared = common) b;
            apply { a.apply(x); b.apply(x); }
        }
        control C(inout bit<8> x);
        package P(C c);
        P(top()) main;
        """
    )
    assert program.main is not None
    outer = program.main.constructor_arguments["c"]
    assert isinstance(outer, Instance)
    children = {i.name: i for i in outer.children.values()}
    assert list(children) == ["common", "a", "b"]
    for name, size in (("a", 21), ("b", 41)):
        leaf = children[name]
        assert leaf.constructor_arguments["shared"] is children["common"]
        (own,) = leaf.children.values()
        assert own.constructor_arguments == {"size": size}
        assert own.parent is leaf
        declaration = leaf.declaration
        assert isinstance(declaration, ast.ControlDeclaration)
        twice = declaration.locals[0]
        assert isinstance(twice, ast.ConstantDeclaration)
        assert constant(twice.value, program, leaf) == size - 1


def test_a_direct_application_makes_an_instance(checked: Check) -> None:
    program = checked(
        """
        extern E { E(); }
        control leaf() { E() e; apply { } }
        control top() { apply { leaf.apply(); leaf.apply(); } }
        control C();
        package P(C c);
        P(top()) main;
        """
    )
    assert program.main is not None
    outer = program.main.constructor_arguments["c"]
    assert isinstance(outer, Instance)
    assert [i.name for i in outer.children.values()] == ["leaf", "leaf"]
    assert [len(i.children) for i in outer.children.values()] == [1, 1]


def test_package_type_arguments(checked: Check) -> None:
    program = checked(
        """
        struct H { bit<8> a; }
        parser P<T>(out T h);
        control C<T>(inout T h);
        package S<T>(P<T> p, C<T> c);
        parser mp(out H h) { state start { transition accept; } }
        control mc(inout H h) { apply { } }
        S(mp(), mc()) main;
        """
    )
    assert program.main is not None
    assert str(program.main.type) == "S<H>"


def test_a_select_without_default_can_end_in_reject(checked: Check) -> None:
    checked("parser p(in bit<8> x) { state start { transition select(x) { 0: start; } } }")


def test_scopes_nest(checked: Check) -> None:
    program = checked(
        """
        const bit<8> x = 1;
        control c(inout bit<8> y) {
            bit<8> x = 2;
            apply { { bool x = true; if (x) { y = .x; } } y = x; }
        }
        """
    )
    used = {
        (p.name, p.absolute): program.names[p]
        for p in program.types
        if isinstance(p, ast.PathExpression) and p.name == "x"
    }
    assert isinstance(used["x", True], ast.ConstantDeclaration)
    assert isinstance(used["x", False], ast.VariableDeclaration)


def test_natural_types(checked: Check) -> None:
    program = checked("const tuple<bit<8>, bool> t = {8w1, true}; const bool b = t[1];")
    declarations = [
        d for d in program.program.declarations if isinstance(d, ast.ConstantDeclaration)
    ]
    assert program.types[declarations[0].value] == TupleType((BitType(8), BOOL))
    assert program.declared[declarations[1]] == BOOL
