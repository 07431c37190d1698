"""The checker's entry: names, types and compile-time values of a parsed program."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics


def check(program: ast.Program, diagnostics: Diagnostics) -> CheckedProgram:
    """Resolve and check `program`; every violation becomes a diagnostic.

    The result is complete only if `diagnostics.failed` is False afterwards.
    """
    checked = CheckedProgram(program)
    return checked
