"""The compiler from end to end: which passes there are, and in what order.

    preprocess, parse, check           (`syntax`, `check`; run by `frontend.load`)
    elaborate   syntax tree -> structured statements on resolved storage  (`elaborate`)
    indices     stack[i] -> a choice among the elements                   (`lower.indices`)
    legalise    P4 arithmetic -> BMv2's unbounded arithmetic              (`lower.legalise`)
    flatten     structured flow -> tables, conditions, parser states      (`lower.flatten`)
    emit        -> BMv2 JSON (`emit`), P4Info (`p4info`)

Errors are collected within a pass; a pass begins only if all before it found none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from p4embed.compiler import emit, frontend, ir
from p4embed.compiler.checked import CheckedProgram
from p4embed.compiler.diagnostics import Diagnostics
from p4embed.compiler.dump import dump_lowered, dump_tree
from p4embed.compiler.elaborate import elaborate
from p4embed.compiler.frontend import OnPass, deep_recursion
from p4embed.compiler.lower import flatten, legalise, resolve_indices
from p4embed.compiler.p4info.objects import TableFacts, Used
from p4embed.compiler.syntax.preprocess import PreprocessorOptions

if TYPE_CHECKING:
    from finsy.proto import p4i

PASSES = (*frontend.PASSES, "elaborate", "indices", "legalise", "flatten")
"""All passes in order: the names that `--dump` takes."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A program that BMv2 can run, and what its control plane must know."""

    program: ir.Program
    checked: CheckedProgram
    used: Used

    def json_text(self) -> str:
        """The BMv2 JSON file."""
        with deep_recursion():
            return emit.dumps(self.program)

    def p4info(self, diagnostics: Diagnostics) -> p4i.P4Info:
        """The P4Info message; complete only if `diagnostics` has no error then."""
        # The protobuf messages take long to import, and not every run wants them.
        from p4embed.compiler.p4info.message import build

        return build(self.checked, self.used, diagnostics)


def compile_file(
    path: str,
    options: PreprocessorOptions,
    diagnostics: Diagnostics,
    on_pass: OnPass | None = None,
) -> Compiled | None:
    """Compile a file; None, with `diagnostics` saying why, if it has errors.

    `on_pass` gets each pass's name and the program after it, as text.
    """
    checked = frontend.load(path, options, diagnostics, on_pass)
    if checked is None:
        return None
    return compile_checked(checked, PurePath(path).name, diagnostics, on_pass)


def compile_checked(
    checked: CheckedProgram,
    source_name: str,
    diagnostics: Diagnostics,
    on_pass: OnPass | None = None,
) -> Compiled | None:
    """The passes behind the front end."""
    with deep_recursion():
        return _passes(checked, source_name, diagnostics, on_pass)


def _passes(
    checked: CheckedProgram,
    source_name: str,
    diagnostics: Diagnostics,
    on_pass: OnPass | None,
) -> Compiled | None:
    structured = elaborate(checked, diagnostics, source_name)
    if structured is None:
        return None
    if on_pass is not None:
        on_pass("elaborate", dump_tree(structured))
    structured = resolve_indices(structured)
    if on_pass is not None:
        on_pass("indices", dump_tree(structured))
    structured = legalise(structured)
    if on_pass is not None:
        on_pass("legalise", dump_tree(structured))
    lowered = flatten(structured, diagnostics)
    if lowered is None:
        return None
    if on_pass is not None:
        on_pass("flatten", dump_lowered(lowered))
    used = Used(
        {
            t.name: TableFacts(t.size, t.default.args if t.default else (), t.support_timeout)
            for t in structured.tables
        },
        frozenset(structured.used_actions),
        frozenset(structured.table_actions),
    )
    return Compiled(lowered, checked, used)
