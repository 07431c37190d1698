"""Includes, macros and conditional groups, and the places tokens keep through them."""

from __future__ import annotations

from pathlib import Path

import pytest

from p4embed.compiler.diagnostics import Diagnostics, SourceFile
from p4embed.compiler.frontend import load
from p4embed.compiler.syntax.lexer import END, parse_int, parse_string
from p4embed.compiler.syntax.preprocess import (
    PreprocessorOptions,
    preprocess,
    preprocess_source,
    render,
)


def run(text: str, **options: tuple[str, ...]) -> tuple[str, str]:
    """The tokens' texts and the rendered diagnostics."""
    diagnostics = Diagnostics()
    tokens = preprocess_source(
        SourceFile("t.p4", text), PreprocessorOptions(**options), diagnostics
    )
    assert tokens[-1].kind == END
    return " ".join(t.text for t in tokens[:-1]), diagnostics.render()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#define N 8\nbit<N> x;", "bit < 8 > x ;"),
        ("#define F(a, b) (a + b)\nF(1, F(2, 3))", "( 1 + ( 2 + 3 ) )"),
        ("#define F() y\nF() F", "y F"),
        ("#define CAT(a, b) a##b\nCAT(x, 1) CAT(8w, 255)", "x1 8w255"),
        ('#define STR(x) #x\nSTR(a + "b")', '"a + \\"b\\""'),
        ("#define V(f, ...) f(__VA_ARGS__)\nV(g, 1, 2) V(h)", "g ( 1 , 2 ) h ( )"),
        ("#define A B\n#define B A\nA B", "A B"),
        ("#define LONG a \\\n  b\nLONG", "a b"),
        ("#define LO\\\nNG_\\\n2 a\nLONG_2", "a"),
        ("#define N 1\n#undef N\nN", "N"),
        ("#if 0\n'unlexable \"\n#else\nx\n#endif", "x"),
        ("#ifdef A\nx\n#elif defined(B) || 1\ny\n#else\nz\n#endif", "y"),
        ("#ifndef A\n#if 0\nx\n#elif 0\nx\n#endif\ny\n#endif", "y"),
        ("#if 1\na\n#elif 1 / 0\nb\n#endif", "a"),
        ("#if (2 + 3 * 4 == 14) && -1 < 0 && (1 << 3 >> 2) == 2 && !0L\nyes\n#endif", "yes"),
        ("#if UNKNOWN\nx\n#endif", ""),
        ("#define G(x) x\n#if G(1) ? 0x10 == 16 : 0\nyes\n#endif", "yes"),
        ("a /* no\n#define X */ b // c\n#line 7\n#pragma once\nd", "a b d"),
        ("x # y", "x # y"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert run(text) == (expected, "")


def test_command_line_macros() -> None:
    text = "#ifdef A\nA B\n#endif\n#ifdef C\nC\n#endif"
    assert run(text, defines=("A", "B=x y", "C"), undefines=("C",)) == ("1 x y", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#if 1", "t.p4:1:2: error: #if without its #endif"),
        ("#endif", "t.p4:1:2: error: #endif without an #if"),
        ("#else", "t.p4:1:2: error: #else without an #if"),
        ("#if 1\n#else\n#else\n#endif", "t.p4:3:2: error: #else after #else"),
        ("x\n#error no such thing", "t.p4:2:1: error: #error no such thing"),
        ("#define", "t.p4:1:2: error: #define needs the name of a macro"),
        ("#define F(a\nF", "t.p4:1:10: error: parameter list without its closing ')'"),
        ("#define F(a) a\nF(1, 2)", "t.p4:2:1: error: macro 'F' takes 1 arguments, not 2"),
        ("#define F(a) a\n x = F(1", "t.p4:2:6: error: use of macro 'F' lacks its ')'"),
        ("#if 1 / 0\n#endif", "t.p4:1:7: error: division by zero in the condition of #if"),
        ("#if (1\n#endif", "t.p4:1:2: error: expected ')' in the condition of #if"),
        ("#if 1 1\n#endif", "t.p4:1:7: error: unexpected '1' in the condition of #if"),
        ("#include x", 't.p4:1:10: error: #include needs "file" or <file>'),
    ],
)
def test_wrong_directives(text: str, message: str) -> None:
    assert run(text)[1].splitlines()[0] == message


def test_unknown_directive_suggests() -> None:
    assert run("#inlcude <core.p4>")[1] == (
        "t.p4:1:2: error: unknown preprocessor directive '#inlcude'\n"
        "#inlcude <core.p4>\n"
        " ^~~~~~~\n"
        "note: did you mean 'include'?"
    )


def test_macro_bomb_ends() -> None:
    lines = [f"#define X{i} X{i + 1} X{i + 1} X{i + 1}" for i in range(30)]
    assert "expands to too much text" in run("\n".join([*lines, "X0"]))[1]


def test_includes_are_found_and_keep_their_places(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "main.p4").write_text('#include "sub/a.p4"\n#include <b.p4>\nmain\n')
    (tmp_path / "sub" / "a.p4").write_text('#include "near.p4"\na\n')
    (tmp_path / "sub" / "near.p4").write_text("\n  near\n")
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "b.p4").write_text("b\n")
    diagnostics = Diagnostics()
    options = PreprocessorOptions(include_paths=(str(tmp_path / "path"),))
    tokens = preprocess(str(tmp_path / "main.p4"), options, diagnostics)
    assert tokens is not None
    places = [(t.text, t.span.file, t.span.line, t.span.column) for t in tokens[:-1]]
    assert places == [
        ("near", str(tmp_path / "sub" / "near.p4"), 2, 3),
        ("a", str(tmp_path / "sub" / "a.p4"), 2, 1),
        ("b", str(tmp_path / "path" / "b.p4"), 1, 1),
        ("main", str(tmp_path / "main.p4"), 3, 1),
    ]
    assert render(tokens) == "near\na\nb\nmain\n"


def test_missing_include_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "m.p4").write_text("\n#include <nowhere.p4>\n")
    diagnostics = Diagnostics()
    options = PreprocessorOptions(include_paths=("some/dir",))
    assert load(str(tmp_path / "m.p4"), options, diagnostics) is None
    lines = diagnostics.render().splitlines()
    assert lines[0] == f"{tmp_path}/m.p4:2:10: error: cannot find included file 'nowhere.p4'"
    assert lines[2] == "         ^~~~~~~~~~~~"
    assert lines[3].startswith("note: searched in some/dir, ")


def test_file_that_includes_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.p4").write_text('#include "loop.p4"\n')
    diagnostics = Diagnostics()
    preprocess(str(tmp_path / "loop.p4"), PreprocessorOptions(), diagnostics)
    assert "includes nested more than 100 deep" in diagnostics.render()


def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "x.p4"
    diagnostics = Diagnostics()
    assert load(str(path), PreprocessorOptions(), diagnostics) is None
    assert diagnostics.render() == f"error: cannot read '{path}': No such file or directory"


def test_bytes_that_are_no_text_are_harmless_in_comments(tmp_path: Path) -> None:
    path = tmp_path / "x.p4"
    path.write_bytes(b"\xef\xbb\xbf// caf\xe9\r\nconst bit<8> a = 1;\r\n\xff")
    diagnostics = Diagnostics()
    load(str(path), PreprocessorOptions(), diagnostics)
    assert diagnostics.render() == f"{path}:3:1: error: unknown character '\ufffd'\n\ufffd\n^"


def test_diagnostic_behind_a_macro_points_at_its_use() -> None:
    diagnostics = Diagnostics()
    source = SourceFile("t.p4", "#define BODY x = 1 +\n\n  BODY ;")
    tokens = preprocess_source(source, PreprocessorOptions(), diagnostics)
    assert [(t.text, str(t.span)) for t in tokens[:-1]] == [
        ("x", "t.p4:3:3"),
        ("=", "t.p4:3:3"),
        ("1", "t.p4:3:3"),
        ("+", "t.p4:3:3"),
        (";", "t.p4:3:8"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", (10, None, False)),
        ("0x_ff", (255, None, False)),
        ("0b1_0", (2, None, False)),
        ("0o17", (15, None, False)),
        ("0D19", (19, None, False)),
        ("8w255", (255, 8, False)),
        ("4s0b111", (7, 4, True)),
        ("16w0xAB_CD", (0xABCD, 16, False)),
        ("1_000", (1000, None, False)),
    ],
)
def test_integers(text: str, expected: tuple[int, int | None, bool]) -> None:
    assert parse_int(text) == expected


def test_strings() -> None:
    assert parse_string(r'"a\"b\\c\n"') == 'a"b\\c\n'
