"""The grammar, area by area: what each construct parses to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Show = Callable[..., str]
ShowAll = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8w255", "IntLiteral(255, 8)"),
        ("4s7", "IntLiteral(7, 4, True)"),
        ("true", "BoolLiteral(True)"),
        ('"a" "b"', "StringLiteral(ab)"),
        (".x", "PathExpression(x, True)"),
        ("a.b.c", "Member(Member(PathExpression(a), b), c)"),
        ("error.NoMatch", "Member(TypeExpression(BaseType(error)), NoMatch)"),
        ("a[1]", "Index(PathExpression(a), IntLiteral(1))"),
        ("a[7:0]", "Slice(PathExpression(a), IntLiteral(7), IntLiteral(0))"),
        ("a[i+:4]", "PlusSlice(PathExpression(a), PathExpression(i), IntLiteral(4))"),
        ("-a.b", "Unary(-, Member(PathExpression(a), b))"),
        ("{a, 1}", "ListExpression([PathExpression(a), IntLiteral(1)])"),
        ("{a, ...}", "ListExpression([PathExpression(a)], True)"),
        ("{...}", "ListExpression(True)"),
        ("{}", "ListExpression"),
        (
            "{x = 1, y = 2,}",
            "StructExpression([NamedExpression(x, IntLiteral(1)), "
            "NamedExpression(y, IntLiteral(2))])",
        ),
        ("{x = 1, ...}", "StructExpression([NamedExpression(x, IntLiteral(1))], True)"),
        ("{#}", "InvalidHeader"),
        ("...", "Dots"),
        ("this.f()", "Call(Member(ThisExpression, f))"),
        ("f(_)", "Call(PathExpression(f), [Argument(DontCare)])"),
        ("f(x = 1)", "Call(PathExpression(f), [Argument(x, IntLiteral(1))])"),
        ("type", "PathExpression(type)"),
        ("apply + key", "Binary(+, PathExpression(apply), PathExpression(key))"),
    ],
)
def test_expressions(text: str, expected: str, parsed_expression: Show) -> None:
    assert parsed_expression(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * c", "(a + (b * c))"),
        ("a - b - c", "((a - b) - c)"),
        ("a ++ b + c", "((a ++ b) + c)"),
        ("a |+| b |-| c", "((a |+| b) |-| c)"),
        ("a << b + c", "(a << (b + c))"),
        ("a >> b >> c", "((a >> b) >> c)"),
        ("a & b == c", "((a & b) == c)"),
        ("a | b ^ c & d", "(a | (b ^ (c & d)))"),
        ("a < b == c >= d", "((a < b) == (c >= d))"),
        ("a || b && c", "(a || (b && c))"),
        ("a > b", "(a > b)"),
        ("a | b < c", "((a | b) < c)"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a < b ? c : d", "((a < b) ? c : d)"),
        ("!a && ~b == -c", "((!a) && ((~b) == (-c)))"),
        ("(a + b)[3:0] ++ c", "((a + b)[3:0] ++ c)"),
        ("(bit<8>) a + b", "(((bit<8>)a) + b)"),
        ("(T) a", "((T)a)"),
        ("(T) (a)", "((T)a)"),
        ("(T) - a", "((T)(-a))"),
        ("(a) - b", "(a - b)"),
        ("f<bit<8>>(a) > b", "(f<bit<8>>(a) > b)"),
        ("f<G<bit<8>>>(a)", "f<G<bit<8>>>(a)"),
        ("a < b", "(a < b)"),
        ("(a < b) && (c > d)", "((a < b) && (c > d))"),
    ],
)
def test_precedence(text: str, expected: str, written: Show) -> None:
    assert written(text, "typedef bit<8> T; struct G<X> {}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bool", "BaseType(bool)"),
        ("bit", "BaseType(bit)"),
        ("bit<8>", "BaseType(bit, IntLiteral(8))"),
        ("int<(N + 1)>", "BaseType(int, Binary(+, PathExpression(N), IntLiteral(1)))"),
        ("varbit<320>", "BaseType(varbit, IntLiteral(320))"),
        ("int", "BaseType(int)"),
        (".S", "TypeName(S, True)"),
        ("S[4]", "HeaderStackType(TypeName(S), IntLiteral(4))"),
        (
            "S<bit<8>, _>",
            "SpecializedType(TypeName(S), [BaseType(bit, IntLiteral(8)), DontCareType])",
        ),
        (
            "S<S<bit<8>>>",
            "SpecializedType(TypeName(S), [SpecializedType(TypeName(S), "
            "[BaseType(bit, IntLiteral(8))])])",
        ),
        ("tuple<bool, error>", "TupleTypeNode([BaseType(bool), BaseType(error)])"),
        ("list<string>", "ListTypeNode(BaseType(string))"),
    ],
)
def test_types(text: str, expected: str, parsed: Show) -> None:
    assert parsed(f"struct S {{}} typedef {text} T;") == f"TypedefDeclaration(T, {expected})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "const bit<8> N = 1;",
            "ConstantDeclaration(N, BaseType(bit, IntLiteral(8)), IntLiteral(1))",
        ),
        ("typedef bit T;", "TypedefDeclaration(T, BaseType(bit))"),
        ("type bit<9> Port;", "TypedefDeclaration(Port, BaseType(bit, IntLiteral(9)), True)"),
        ("typedef struct S { bool b; } T;", "TypedefDeclaration(T, TypeName(S))"),
        (
            "struct S<T> { T a; }",
            "StructDeclaration(S, struct, [TypeParameter(T)], [StructField(a, TypeName(T))])",
        ),
        (
            "header h { @x(1) bit f; }",
            "StructDeclaration(h, header, [StructField(f, "
            "[Annotation(x, [1], [1])], BaseType(bit))])",
        ),
        ("header_union u { }", "StructDeclaration(u, header_union)"),
        ("enum E { A, B, }", "EnumDeclaration(E, [EnumMember(A), EnumMember(B)])"),
        (
            "enum bit<8> E { A = 1 }",
            "EnumDeclaration(E, BaseType(bit, IntLiteral(8)), [EnumMember(A, IntLiteral(1))])",
        ),
        ("error { A, B }", "ErrorDeclaration([EnumMember(A), EnumMember(B)])"),
        ("match_kind { exact, }", "MatchKindDeclaration([EnumMember(exact)])"),
        (
            "extern void f<T>(in T a, @optional out bool b);",
            "MethodDeclaration(f, BaseType(void), [TypeParameter(T)], "
            "[Parameter(a, IN, TypeName(T)), "
            "Parameter(b, [Annotation(optional)], OUT, BaseType(bool))])",
        ),
        (
            "extern E<T> { E(T x); abstract T get(); void set(in T v = 1); }",
            "ExternDeclaration(E, [TypeParameter(T)], [MethodDeclaration(E, [Parameter(x, NONE, "
            "TypeName(T))]), MethodDeclaration(get, TypeName(T), True), MethodDeclaration(set, "
            "BaseType(void), [Parameter(v, IN, TypeName(T), IntLiteral(1))])])",
        ),
        ("extern E {}", "ExternDeclaration(E)"),
        (
            "parser P<H>(packet_in b, out H h);",
            "ParserTypeDeclaration(P, [TypeParameter(H)], "
            "[Parameter(b, NONE, TypeName(packet_in)), Parameter(h, OUT, TypeName(H))])",
        ),
        (
            "control C(inout bit x);",
            "ControlTypeDeclaration(C, [Parameter(x, INOUT, BaseType(bit))])",
        ),
        (
            "package P<T>(T a, bool b = true);",
            "PackageDeclaration(P, [TypeParameter(T)], "
            "[Parameter(a, NONE, TypeName(T)), "
            "Parameter(b, NONE, BaseType(bool), BoolLiteral(True))])",
        ),
        (
            "bit f(in bit a) { return a; }",
            "FunctionDeclaration(f, BaseType(bit), [Parameter(a, IN, "
            "BaseType(bit))], Block([Return(PathExpression(a))]))",
        ),
        ("action a(bit x) { }", "ActionDeclaration(a, [Parameter(x, NONE, BaseType(bit))], Block)"),
        ("extern E { E(); } E() e;", "Instantiation(e, TypeName(E))"),
        (
            "extern E { } E(1) e = { void f() {} };",
            "Instantiation(e, TypeName(E), "
            "[Argument(IntLiteral(1))], [FunctionDeclaration(f, BaseType(void), Block)])",
        ),
        (
            "control C()(bit w) { bit x; apply { } }",
            "ControlDeclaration(C, [Parameter(w, NONE, "
            "BaseType(bit))], [VariableDeclaration(x, BaseType(bit))], Block)",
        ),
    ],
)
def test_declarations(text: str, expected: str, parsed: Show) -> None:
    assert parsed(text) == expected


def test_annotations(parsed: Show) -> None:
    shown = parsed(
        '@name("x") @id(7, -1) @hidden @format(MAC) @any(a + {b}) @list[1, "s"] @pairs[k = 1,]\n'
        "@pragma inline some words\n"
        "const bool b = true;"
    )
    assert shown == (
        'ConstantDeclaration(b, [Annotation(name, ["x"], [x]), Annotation(id, [7, ,, -, 1], '
        "[7, -1]), Annotation(hidden), Annotation(format, [MAC], [MAC]), "
        "Annotation(any, [a, +, {, b, }]), Annotation(list, [IntLiteral(1), StringLiteral(s)]), "
        "Annotation(pairs, [KeyValue(k, IntLiteral(1))]), Annotation(inline, [some, words])], "
        "BaseType(bool), BoolLiteral(True))"
    )


def test_parser(parsed: Show) -> None:
    shown = parsed(
        """
        parser P(packet_in b)(bit<8> n) {
            bit<8> x = 1;
            value_set<bit<8>>(4) vs;
            state start {
                b.extract(x);
                { x = 2; }
                transition select(x, n) {
                    (1, _): accept;
                    (2 &&& 3, 4 .. 5): next;
                    vs: next;
                    default: reject;
                }
            }
            @name("n") state next { transition accept; }
            state last { }
        }
        """
    )
    assert shown == (
        "ParserDeclaration(P, [Parameter(b, NONE, TypeName(packet_in))], "
        "[Parameter(n, NONE, BaseType(bit, IntLiteral(8)))], "
        "[VariableDeclaration(x, BaseType(bit, IntLiteral(8)), IntLiteral(1)), "
        "ValueSetDeclaration(vs, BaseType(bit, IntLiteral(8)), IntLiteral(4))], "
        "[StateDeclaration(start, [CallStatement(Call(Member(PathExpression(b), extract), "
        "[Argument(PathExpression(x))])), "
        "Block([Assignment(=, PathExpression(x), IntLiteral(2))])], "
        "Transition([PathExpression(x), PathExpression(n)], "
        "[SelectCase(TupleKeyset([IntLiteral(1), DontCare]), accept), "
        "SelectCase(TupleKeyset([Mask(IntLiteral(2), IntLiteral(3)), "
        "Range(IntLiteral(4), IntLiteral(5))]), next), "
        "SelectCase(PathExpression(vs), next), SelectCase(DefaultKeyset, reject)])), "
        'StateDeclaration(next, [Annotation(name, ["n"], [n])], Transition(accept)), '
        "StateDeclaration(last)])"
    )


def test_keysets_that_open_with_a_parenthesis(parsed: Show) -> None:
    shown = parsed(
        """
        parser P() { state start { transition select(x) {
            (1): accept;
            (1 + 2) * 3: accept;
            (1) &&& (2): accept;
            (bit<8>) 1: accept;
        } } }
        """
    )
    assert "SelectCase(IntLiteral(1), accept)" in shown
    assert "SelectCase(Binary(*, Binary(+, IntLiteral(1), IntLiteral(2)), IntLiteral(3))" in shown
    assert "SelectCase(Mask(IntLiteral(1), IntLiteral(2)), accept)" in shown
    assert "SelectCase(Cast(BaseType(bit, IntLiteral(8)), IntLiteral(1)), accept)" in shown


def test_table(parsed: Show) -> None:
    shown = parsed(
        """
        control C() {
            table t {
                key = { a.b : exact @name("x"); c[3:0] : lpm; }
                actions = { a; @defaultonly b(x); .c; }
                const default_action = a(1);
                entries = {
                    const priority = 10 : (1, _) : a(1) @note;
                    2 &&& 3 : b;
                }
                largest_priority_wins = false;
                size = 16;
                @extra mine = {1, 2};
            }
            apply { t.apply(); }
        }
        """
    )
    assert shown == (
        "ControlDeclaration(C, [TableDeclaration(t, "
        '[KeyElement(Member(PathExpression(a), b), exact, [Annotation(name, ["x"], [x])]), '
        "KeyElement(Slice(PathExpression(c), IntLiteral(3), IntLiteral(0)), lpm)], "
        "[ActionReference(a), ActionReference(b, [Argument(PathExpression(x))], "
        "[Annotation(defaultonly)]), ActionReference(c, True)], "
        "TableEntries([TableEntry(TupleKeyset([IntLiteral(1), DontCare]), "
        "ActionReference(a, [Argument(IntLiteral(1))]), [Annotation(note)], True, IntLiteral(10)), "
        "TableEntry(Mask(IntLiteral(2), IntLiteral(3)), ActionReference(b))]), "
        "[TableProperty(default_action, Call(PathExpression(a), [Argument(IntLiteral(1))]), True), "
        "TableProperty(largest_priority_wins, BoolLiteral), "
        "TableProperty(size, IntLiteral(16)), "
        "TableProperty(mine, ListExpression([IntLiteral(1), IntLiteral(2)]), "
        "[Annotation(extra)])])], "
        "Block([CallStatement(Call(Member(PathExpression(t), apply)))]))"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (";", "Empty"),
        ("x = 1;", "Assignment(=, PathExpression(x), IntLiteral(1))"),
        (
            "x[3:0] |+|= 1;",
            "Assignment(|+|=, Slice(PathExpression(x), IntLiteral(3), IntLiteral(0)), "
            "IntLiteral(1))",
        ),
        ("x >>= 1;", "Assignment(>>=, PathExpression(x), IntLiteral(1))"),
        ("x <<= 1;", "Assignment(<<=, PathExpression(x), IntLiteral(1))"),
        ("T x;", "VariableDeclaration(x, TypeName(T))"),
        (
            "G<T> x = {1};",
            "VariableDeclaration(x, SpecializedType(TypeName(G), [TypeName(T)]), "
            "ListExpression([IntLiteral(1)]))",
        ),
        ("H[2] x;", "VariableDeclaration(x, HeaderStackType(TypeName(H), IntLiteral(2)))"),
        ("bit<8> x = 1;", "VariableDeclaration(x, BaseType(bit, IntLiteral(8)), IntLiteral(1))"),
        (
            "C.apply(x);",
            "CallStatement(Call(Member(TypeExpression(TypeName(C)), apply), "
            "[Argument(PathExpression(x))]))",
        ),
        (
            "f<T>(x);",
            "CallStatement(Call(PathExpression(f), [TypeName(T)], [Argument(PathExpression(x))]))",
        ),
        ("return;", "Return"),
        ("return 1;", "Return(IntLiteral(1))"),
        ("exit;", "Exit"),
        ("@atomic { }", "Block([Annotation(atomic)])"),
        (
            "if (a) ; else if (b) { } else exit;",
            "If(PathExpression(a), Empty, If(PathExpression(b), Block, Exit))",
        ),
        (
            "switch (t.apply().action_run) { a: b: { exit; } default: { } }",
            "Switch(Member(Call(Member(PathExpression(t), apply)), action_run), "
            "[SwitchCase(PathExpression(a)), SwitchCase(PathExpression(b), Block([Exit])), "
            "SwitchCase(DefaultKeyset, Block)])",
        ),
        (
            "for (bit<8> i = 0, j = 2; i < 8; i += 1, j = 3) { break; continue; }",
            "For([VariableDeclaration(i, BaseType(bit, IntLiteral(8)), IntLiteral(0)), "
            "Assignment(=, PathExpression(j), IntLiteral(2))], "
            "Binary(<, PathExpression(i), IntLiteral(8)), "
            "[Assignment(+=, PathExpression(i), IntLiteral(1)), Assignment(=, PathExpression(j), "
            "IntLiteral(3))], Block([Break, Continue]))",
        ),
        (
            "for (bit<8> i in 1 .. 5) x = i;",
            "ForIn(VariableDeclaration(i, BaseType(bit, "
            "IntLiteral(8))), Range(IntLiteral(1), IntLiteral(5)), "
            "Assignment(=, PathExpression(x), PathExpression(i)))",
        ),
    ],
)
def test_statements(text: str, expected: str, parsed_statements: ShowAll) -> None:
    before = "typedef bit<8> T; struct G<X> {} header H {} control C(in bit x) { apply {} }"
    assert parsed_statements(text, before) == [expected]


def test_a_local_name_hides_a_type(parsed_statements: ShowAll) -> None:
    statements = parsed_statements("bit<8> T = 1; x = (T) - y;", "typedef bit<8> T;")
    assert statements[1] == (
        "Assignment(=, PathExpression(x), Binary(-, PathExpression(T), PathExpression(y)))"
    )


def test_soft_keywords_name_things(parsed: Show) -> None:
    shown = parsed("control C(in bit apply) { bit key; action actions() { } apply { key = 1; } }")
    assert "Parameter(apply, IN" in shown
    assert "ActionDeclaration(actions" in shown
