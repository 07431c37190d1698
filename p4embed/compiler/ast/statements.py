"""Statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p4embed.compiler.ast.nodes import Annotation, Declaration, Expression, Node, Statement

if TYPE_CHECKING:
    from p4embed.compiler.ast.declarations import VariableDeclaration
    from p4embed.compiler.ast.expressions import Call


@dataclass(slots=True, eq=False)
class Empty(Statement):
    """`;`"""


@dataclass(slots=True, eq=False)
class Block(Statement):
    """`{ ... }` of statements, variables and constants."""

    statements: list[Statement | Declaration]
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Assignment(Statement):
    """`target op value;`, op being `=` or one of `+=` and its kin."""

    op: str
    target: Expression
    value: Expression


@dataclass(slots=True, eq=False)
class CallStatement(Statement):
    """A call whose result is dropped; also `C.apply(...)` straight on a type."""

    call: Call


@dataclass(slots=True, eq=False)
class If(Statement):
    """`if (condition) then else otherwise`."""

    condition: Expression
    then: Statement
    otherwise: Statement | None


@dataclass(slots=True, eq=False)
class Return(Statement):
    """`return value;`"""

    value: Expression | None


@dataclass(slots=True, eq=False)
class Exit(Statement):
    """`exit;`"""


@dataclass(slots=True, eq=False)
class Break(Statement):
    """`break;`"""


@dataclass(slots=True, eq=False)
class Continue(Statement):
    """`continue;`"""


@dataclass(slots=True, eq=False)
class SwitchCase(Node):
    """`label: {body}`; body None falls through to the next; `DefaultKeyset` for default."""

    label: Expression
    body: Block | None


@dataclass(slots=True, eq=False)
class Switch(Statement):
    """`switch (subject) {...}`, on `t.apply().action_run` or on a value."""

    subject: Expression
    cases: list[SwitchCase]


@dataclass(slots=True, eq=False)
class For(Statement):
    """`for (init; condition; update) body`."""

    init: list[Statement | Declaration]
    condition: Expression
    update: list[Statement]
    body: Statement
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class ForIn(Statement):
    """`for (T name in collection) body`; `variable` is declared here."""

    variable: VariableDeclaration
    collection: Expression
    body: Statement
    annotations: list[Annotation] = field(default_factory=list)
