"""The checker's entry: names, types and compile-time values of a parsed program.

The work is done by a chain of classes, each in a module named for its concern and
building on the one before: `check_types`, `check_conversions`, `check_operators`,
`check_expressions`, `check_arguments`, `check_rules`, `check_calls`, `check_statements`,
`check_keysets`, `check_parsers`, `check_tables`, `check_functions`, `check_instances`,
`check_declarations`. `instantiate` then makes the tree of instances.
"""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check_declarations import DeclarationChecker
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics
from p4embed.compiler.instantiate import instantiate


def check(program: ast.Program, diagnostics: Diagnostics) -> CheckedProgram:
    """Resolve and check `program`; every violation becomes a diagnostic.

    The result is complete only if `diagnostics.failed` is False afterwards.
    """
    checked = CheckedProgram(program)
    checker = DeclarationChecker(checked, diagnostics)
    for declaration in program.declarations:
        checker.top_level(declaration)
    if not diagnostics.failed:
        instantiate(checked, diagnostics)
    return checked
