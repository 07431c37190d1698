"""Flow of the parser: states of BMv2, without branches inside and without calls.

A state with an `if` or a call of another parser in it is cut into several. A lookahead is
read into a field of its own wherever it is not the whole of an assignment or a key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from p4embed.compiler import ir
from p4embed.compiler.ir import fold, tree
from p4embed.compiler.lower.actions import Unflattened

Labels: TypeAlias = dict[tree.Label, str]


def flatten_parser(program: ir.Program, graph: tree.ParserGraph) -> None:
    """Fill `program.parser` with the states of `graph` and of all it calls.

    Raises:
        Unflattened: a loop or another statement that BMv2's parser has nothing for.
    """
    parser = _Parser(program)
    parser.graph(graph, None)
    program.parser.states = parser.states
    if parser.needs_no_match:
        number = dict(program.errors).get("NoMatch", 2)
        state = ir.ParserState(parser.no_match)
        state.ops.append(ir.Verify(fold.FALSE, ir.Const(number, ir.BIT32)))
        state.transitions.append(ir.Default(None))
        program.parser.states.append(state)


class _Parser:
    def __init__(self, program: ir.Program) -> None:
        self.program = program
        self.states: list[ir.ParserState] = []
        self.names: set[str] = set()
        self.temporaries = 0
        self.needs_no_match = False
        self.no_match = "no_match"

    # --- building blocks ---

    def unique(self, wanted: str) -> str:
        name, number = wanted, 0
        while name in self.names:
            name = f"{wanted}_{number}"
            number += 1
        self.names.add(name)
        return name

    def new_state(self, name: str, like: ir.ParserState) -> ir.ParserState:
        state = ir.ParserState(self.unique(name), source=like.source)
        self.states.append(state)
        return state

    def temporary(self, type_: ir.Scalar) -> ir.FieldRef:
        name = f"parser.tmp_{self.temporaries}"
        self.temporaries += 1
        self.program.header_types[0].fields.append(ir.HeaderField(name, type_))
        return ir.FieldRef(self.program.headers[0].name, name, type_)

    # --- graphs ---

    def graph(self, graph: tree.ParserGraph, accept: str | None) -> None:
        for state in graph.states:
            self.names.add(state.name)
        while self.no_match in self.names:
            self.no_match += "_"
        for state in graph.states:
            self.state(state, accept)

    def target(self, target: str | None, accept: str | None) -> str | None:
        """Where a transition leads. After reject, as after accept, ingress goes on."""
        if target is None:
            return accept
        return None if target == tree.REJECT else target

    def state(self, source: tree.ParserState, accept: str | None) -> None:
        first = ir.ParserState(source.name, source=source.source)
        self.states.append(first)
        last = self.run(source.body, first, {})
        if last is None:
            return
        last.key = [self.key(last, k) for k in source.keys]
        for t in source.transitions:
            match t:
                case ir.Case(values, masks, target):
                    last.transitions.append(ir.Case(values, masks, self.target(target, accept)))
                case ir.ValueSetCase(name, target):
                    last.transitions.append(ir.ValueSetCase(name, self.target(target, accept)))
                case ir.Default(target):
                    last.transitions.append(ir.Default(self.target(target, accept)))
        if not any(isinstance(t, ir.Default) for t in last.transitions):
            self.needs_no_match = True
            last.transitions.append(ir.Default(self.no_match))

    def key(self, state: ir.ParserState, key: ir.Expr) -> ir.FieldRef | ir.LastField | ir.Lookahead:
        if isinstance(key, ir.FieldRef | ir.LastField | ir.Lookahead):
            return key
        place = self.temporary(key.type)
        state.ops.append(ir.Set(place, self.settled(state, key)))
        return place

    # --- statements ---

    def settled(self, state: ir.ParserState, expr: ir.Expr) -> ir.Expr:
        """`expr` with its lookaheads read into fields before."""
        if isinstance(expr, ir.Lookahead):
            place = self.temporary(expr.type)
            state.ops.append(ir.Set(place, expr))
            return place
        if isinstance(expr, ir.LastField) and expr.member is not None:
            raise Unflattened(
                "'.last' of a stack of header unions can only be selected on, on target bmv2",
                state.source,
            )
        return fold.map_children(expr, lambda e: self.settled(state, e))

    def run(
        self, body: list[tree.Statement], state: ir.ParserState, labels: Labels
    ) -> ir.ParserState | None:
        """Append `body` to `state`; the state that goes on after it, None if none does."""
        current: ir.ParserState | None = state
        for statement in body:
            if current is None:
                return None
            current = self.one(statement, current, labels)
        return current

    def one(
        self, statement: tree.Statement, state: ir.ParserState, labels: Labels
    ) -> ir.ParserState | None:
        match statement:
            case tree.Assign(target, value, source):
                if not isinstance(value, ir.Lookahead):
                    value = self.settled(state, value)
                if isinstance(target, ir.FieldRef) and not isinstance(target.type, ir.VarBits):
                    state.ops.append(ir.Set(target, value, source))
                else:
                    op = "assign_VL" if isinstance(target.type, ir.VarBits) else "assign"
                    state.ops.append(ir.Primitive(op, (target, value), source))
            case tree.Do(primitive):
                state.ops.append(tree.map_primitive(primitive, lambda e: self.settled(state, e)))
            case ir.Extract(length=length):
                if length is not None:
                    statement = replace(statement, length=self.settled(state, length))
                state.ops.append(statement)
            case ir.Verify(condition, error, source):
                state.ops.append(ir.Verify(self.settled(state, condition), error, source))
            case ir.Advance(bits, source):
                state.ops.append(ir.Advance(self.settled(state, bits), source))
            case tree.If(condition, then, otherwise):
                return self.branch(condition, then, otherwise, state, labels)
            case tree.Block(label, block):
                return self.block(label, block, state, labels)
            case tree.Leave(label):
                state.transitions.append(ir.Default(labels[label]))
                return None
            case tree.CallParser(graph, _):
                after = self.new_state(f"{state.name}.next", state)
                state.transitions.append(ir.Default(graph.states[0].name))
                self.graph(graph, after.name)
                return after
            case tree.Repeat(source=source):
                raise Unflattened(
                    "a loop in a parser state is not supported on target bmv2", source
                )
            case _:
                raise Unflattened("this is not supported on target bmv2 in a parser", None)
        return state

    def block(
        self,
        label: tree.Label,
        body: list[tree.Statement],
        state: ir.ParserState,
        labels: Labels,
    ) -> ir.ParserState | None:
        body = _without_last_leave(body, label)
        if not _leaves(body, label):
            return self.run(body, state, labels)
        after = self.new_state(f"{state.name}.next", state)
        last = self.run(body, state, {**labels, label: after.name})
        if last is not None:
            last.transitions.append(ir.Default(after.name))
        return after

    def branch(
        self,
        condition: ir.Expr,
        then: list[tree.Statement],
        otherwise: list[tree.Statement],
        state: ir.ParserState,
        labels: Labels,
    ) -> ir.ParserState | None:
        flag = self.temporary(ir.BOOL)
        state.ops.append(ir.Set(flag, self.settled(state, condition)))
        state.key = [flag]
        yes = self.new_state(f"{state.name}.then", state)
        no = self.new_state(f"{state.name}.else", state)
        state.transitions += [ir.Case((1,), None, yes.name), ir.Default(no.name)]
        ends = [self.run(then, yes, labels), self.run(otherwise, no, labels)]
        open_ends = [e for e in ends if e is not None]
        if not open_ends:
            return None
        after = self.new_state(f"{state.name}.next", state)
        for end in open_ends:
            end.transitions.append(ir.Default(after.name))
        return after


def _without_last_leave(body: list[tree.Statement], label: tree.Label) -> list[tree.Statement]:
    """A `Leave` of the block at its very end does nothing."""
    if body and body[-1] == tree.Leave(label):
        return body[:-1]
    return body


def _leaves(body: list[tree.Statement], label: tree.Label) -> bool:
    return any(
        s == tree.Leave(label) or any(_leaves(inner, label) for inner in tree.children(s))
        for s in body
    )
