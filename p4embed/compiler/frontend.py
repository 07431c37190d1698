"""Source file in, checked program out: what the command line calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from p4embed.compiler import ast
from p4embed.compiler.check import check
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics, SourceFile
from p4embed.compiler.dump import dump_checked, dump_syntax
from p4embed.compiler.syntax.lexer import Token
from p4embed.compiler.syntax.parser import parse
from p4embed.compiler.syntax.preprocess import (
    PreprocessorOptions,
    preprocess,
    preprocess_source,
    render,
)

PASSES = ("preprocess", "parse", "check")
"""Passes of the front end in order: names that `--dump` takes."""

OnPass: TypeAlias = Callable[[str, str], None]
"""Gets the name of a pass and the program after it, as text."""

RECURSION_LIMIT = 50_000
"""Frames: the longest chain of operators within the deepest nesting."""


def load(
    path: str,
    options: PreprocessorOptions,
    diagnostics: Diagnostics,
    on_pass: OnPass | None = None,
) -> CheckedProgram | None:
    """Preprocess, parse and check; None (with `diagnostics` saying why) if there is any error.

    `on_pass` is called after each of these passes that went well (see `PASSES`).
    """
    tokens = preprocess(path, options, diagnostics)
    return None if tokens is None else _check(tokens, diagnostics, on_pass)


def load_source(
    source: SourceFile, options: PreprocessorOptions, diagnostics: Diagnostics
) -> CheckedProgram | None:
    """As `load`, for text that is already read."""
    return _check(preprocess_source(source, options, diagnostics), diagnostics)


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Let functions call each other as deeply as MAX_NESTING and MAX_CHAIN allow programs to
    nest; Python's own limit is lower, and holds again afterwards."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _parse(tokens: list[Token], diagnostics: Diagnostics) -> ast.Program | None:
    with deep_recursion():
        program = parse(tokens, diagnostics)
    return None if diagnostics.failed else program


def _check(
    tokens: list[Token], diagnostics: Diagnostics, on_pass: OnPass | None = None
) -> CheckedProgram | None:
    with deep_recursion():
        if on_pass is not None:
            on_pass("preprocess", render(tokens))
        program = _parse(tokens, diagnostics)
        if program is None:
            return None
        if on_pass is not None:
            on_pass("parse", dump_syntax(program))
        checked = check(program, diagnostics)
        if diagnostics.failed:
            return None
        if on_pass is not None:
            on_pass("check", dump_checked(checked))
    return checked
