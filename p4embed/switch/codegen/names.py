"""C identifiers for everything that a program names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from p4embed.switch.program import Action, HeaderType, Program

_KEYWORDS = frozenset(
    keyword
    for line in (
        "auto break case char const continue default do double else enum extern float for goto if",
        "inline int long register restrict return short signed sizeof static struct switch typedef",
        "union unsigned void volatile while asm typeof valid wide u128 i128 variable_bits",
        "unix linux",
    )
    for keyword in line.split()
)


def identifier(name: str) -> str:
    """A name with everything that C does not allow replaced by ``_``."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII)
    if text.isupper():
        return f"{text}_"  # it might be one of C's many macros
    return f"_{text}" if text in _KEYWORDS or not text or text[0].isdigit() else text


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Identifiers for names of one scope; the second of two that collide gets a number."""
    taken: set[str] = set()
    result = []
    for name in names:
        base = identifier(name)
        candidate, number = base, 2
        while candidate in taken:
            candidate, number = f"{base}_{number}", number + 1
        taken.add(candidate)
        result.append(candidate)
    return tuple(result)


def all_actions(program: Program) -> tuple[Action, ...]:
    """The program's actions, and the statements of its deparser."""
    statements = program.deparser.statements
    return program.actions if statements is None else (*program.actions, statements)


class Names:
    """The identifiers of a program. Tuples run parallel to those of ``Program``."""

    def __init__(self, program: Program) -> None:
        self.types: dict[str, str] = dict(
            zip(
                (t.name for t in program.header_types),
                unique(t.name for t in program.header_types),
                strict=True,
            )
        )
        self.fields: dict[str, tuple[str, ...]] = {
            t.name: unique(field.name for field in t.fields) for t in program.header_types
        }
        self.stacks = unique(stack.name for stack in program.stacks)
        self.union_stacks = unique(stack.name for stack in program.union_stacks)
        self.headers = self._headers(program)
        actions = all_actions(program)
        self.actions: dict[int, str] = dict(
            zip(
                (action.id for action in actions),
                unique(action.name for action in actions),
                strict=True,
            )
        )
        self.tables = unique(table.name for table in program.tables)
        self.branches = unique(branch.name for branch in program.branches)
        self.calls = unique(call.name for call in program.calls)
        self.states = unique(state.name for state in program.parser.states)
        self.calculations = unique(calculation.name for calculation in program.calculations)

    def _headers(self, program: Program) -> tuple[str, ...]:
        """Lvalues of header instances: elements of a stack lie in an array."""
        plain = unique(header.name for header in program.headers)
        result = [f"p->h.{name}" for name in plain]
        for stack, name in zip(program.stacks, self.stacks, strict=True):
            for position, header in enumerate(stack.headers):
                result[header] = f"p->stack_{name}[{position}]"
        return tuple(result)

    def struct(self, header_type: HeaderType) -> str:
        """The struct of a header type."""
        return f"struct header_{self.types[header_type.name]}"
