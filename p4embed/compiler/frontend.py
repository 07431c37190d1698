"""Source file in, checked program out: what the command line calls."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check import check
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics
from p4embed.compiler.parser import parse
from p4embed.compiler.preprocess import PreprocessorOptions, preprocess


def parse_file(
    path: str, options: PreprocessorOptions, diagnostics: Diagnostics
) -> ast.Program | None:
    """Preprocess and parse; None if the file cannot be read or has syntax errors."""
    tokens = preprocess(path, options, diagnostics)
    if tokens is None:
        return None
    program = parse(tokens, diagnostics)
    return None if diagnostics.failed else program


def load(
    path: str, options: PreprocessorOptions, diagnostics: Diagnostics
) -> CheckedProgram | None:
    """Preprocess, parse and check; None (with `diagnostics` saying why) if there is any error."""
    program = parse_file(path, options, diagnostics)
    if program is None:
        return None
    checked = check(program, diagnostics)
    return None if diagnostics.failed else checked
