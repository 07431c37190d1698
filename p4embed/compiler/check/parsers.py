"""Parsers: states, transitions and value sets (specification, section 13)."""

from __future__ import annotations

from p4embed.compiler import ast
from p4embed.compiler.check.keysets import KeysetChecker
from p4embed.compiler.diagnostics import Note, did_you_mean
from p4embed.compiler.types import (
    BOOL,
    ERROR,
    INT,
    BitType,
    EnumType,
    NewType,
    SetType,
    TupleType,
    Type,
    TypeVariable,
    UnknownType,
)

_FINAL = ("accept", "reject")


class ParserChecker(KeysetChecker):
    """Checks what is particular to parsers."""

    def value_set(self, node: ast.ValueSetDeclaration) -> None:
        """`value_set<T>(size) name;`"""
        type_ = self.value_type(node.type, "value set")
        size = self.infer(node.size)
        if not isinstance(size, BitType | UnknownType) and size != INT:
            self.error(f"the size of a value set is an integer, not {size}", node.size)
        elif not isinstance(size, UnknownType) and not self.is_static(node.size):
            self.error("the size of a value set must be known at compile time", node.size)
        self.checked.declared[node] = SetType(type_)
        self.declare(node)

    def states(self, parser: ast.ParserDeclaration) -> None:
        """All states; they may refer to each other in any order."""
        states: dict[str, ast.StateDeclaration] = {}
        for state in parser.states:
            if state.name in _FINAL:
                self.error(f"state '{state.name}' is predefined", state.name_span)
            elif state.name in states:
                self.error(
                    f"state '{state.name}' is declared twice",
                    state.name_span,
                    Note("declared here first", states[state.name].name_span),
                )
            states.setdefault(state.name, state)
        if "start" not in states:
            near = did_you_mean("start", states)
            self.error(f"parser '{parser.name}' has no state 'start'", parser.name_span, *near)
        for state in parser.states:
            with self.scope():
                self.statements(state.statements)
                if state.transition is not None:
                    self._transition(state.transition, states)
        self._reach(parser, states)

    def _transition(self, node: ast.Transition, states: dict[str, ast.StateDeclaration]) -> None:
        if node.select is None:
            assert node.state is not None
            self._target(node, node.state, states)
            return
        types = [self._subject(e) for e in node.select]
        if not types and any(not isinstance(c.keyset, ast.DefaultKeyset) for c in node.cases):
            self.error("'select' has nothing to select by", node.target_span)
        default: ast.SelectCase | None = None
        for case in node.cases:
            if types:
                self.keyset(case.keyset, types, "'select'")
            if default is not None:
                self.warning(
                    "this case is never reached", case, Note("matches everything", default.span)
                )
                default = None
            if isinstance(case.keyset, ast.DefaultKeyset | ast.DontCare):
                default = case
            self._target(case, case.state, states)

    def _subject(self, expression: ast.Expression) -> Type:
        type_ = self.infer(expression)
        if not _selectable(type_):
            notes = ["a literal with a width is written as in 8w1"] if type_ == INT else []
            self.error(f"'select' cannot match {type_}", expression, *notes)
        return type_

    def _target(
        self,
        node: ast.Transition | ast.SelectCase,
        name: str,
        states: dict[str, ast.StateDeclaration],
    ) -> None:
        span = node.target_span if isinstance(node, ast.Transition) else node.state_span
        if name in states:
            self.checked.transitions[node] = states[name]
        elif name in _FINAL:
            self.checked.transitions[node] = None
        else:
            near = did_you_mean(name, [*states, *_FINAL])
            self.error(f"state '{name}' is not declared", span, *near)

    def _reach(
        self, parser: ast.ParserDeclaration, states: dict[str, ast.StateDeclaration]
    ) -> None:
        """Every parser comes to an end; states that are never reached are suspicious."""
        reached: set[str] = set()
        ends = False
        todo = ["start"]
        while todo:
            name = todo.pop()
            if name in reached:
                continue
            reached.add(name)
            if name not in states:
                continue
            transition = states[name].transition
            if transition is None:
                ends = True  # goes to reject
                continue
            if transition.state is not None:
                todo.append(transition.state)
            todo.extend(case.state for case in transition.cases)
            if transition.select is not None and not any(map(_matches_all, transition.cases)):
                ends = True  # no match goes to reject, too
        ends = ends or not reached.isdisjoint(_FINAL)
        if not ends and "start" in states:
            self.error(f"parser '{parser.name}' never reaches accept or reject", parser.name_span)
        for state in parser.states:
            if state.name not in reached and "start" in states:
                self.warning(f"state '{state.name}' is never reached", state.name_span)


def _matches_all(case: ast.SelectCase) -> bool:
    """Whether the case is plainly taken by every value."""
    keyset = case.keyset
    parts = keyset.elements if isinstance(keyset, ast.TupleKeyset) else [keyset]
    return all(isinstance(part, ast.DefaultKeyset | ast.DontCare) for part in parts)


def _selectable(type_: Type) -> bool:
    """Whether `select` can match values of this type."""
    match type_:
        case NewType(underlying=under):
            return _selectable(under)
        case TupleType(elements=elements):
            return all(_selectable(e) for e in elements)
        case BitType() | EnumType() | UnknownType() | TypeVariable():
            return True
    return type_ in (BOOL, ERROR)
