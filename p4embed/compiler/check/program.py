"""The checker's entry: a parsed program, declaration by declaration, then its instances."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.declarations import DeclarationChecker
from p4embed.compiler.check.instantiate import instantiate
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics


def check(program: ast.Program, diagnostics: Diagnostics) -> CheckedProgram:
    """Resolve and check `program`; every violation becomes a diagnostic.

    The result is complete only if `diagnostics.failed` is False afterwards.
    """
    checked = CheckedProgram(program)
    checker = DeclarationChecker(checked, diagnostics)
    for declaration in program.declarations:
        checker.top_level(declaration)
    for annotation in program.structured:
        checker.structured_annotation(annotation)
    if not diagnostics.failed:
        instantiate(checked, diagnostics)
    return checked
