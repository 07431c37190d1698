"""The program between elaboration and flattening: structured statements, places resolved.

Every name has become storage (`ir.FieldRef` and kin), every call of a function, action,
parser or control has been replaced by its body. What is still structured is the flow:
`Block` and `Leave` carry `return`, `break` and `continue`; the pass `flatten` turns flow
into BMv2's tables, conditions and parser states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from p4embed.compiler import ir
from p4embed.compiler.diagnostics import Span


@dataclass(eq=False, slots=True)
class Label:
    """A place to leave to: the end of the `Block` that carries it."""

    name: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Store a value."""

    target: ir.LValue
    value: ir.Expr
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Do:
    """Run one of BMv2's primitives."""

    primitive: ir.Primitive


@dataclass(frozen=True, slots=True)
class If:
    """Run one branch or the other."""

    condition: ir.Expr
    then: list[Statement]
    otherwise: list[Statement]
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Run `body`; a `Leave` of the label inside jumps behind it."""

    label: Label
    body: list[Statement]


@dataclass(frozen=True, slots=True)
class Leave:
    """Jump behind the enclosing block of that label."""

    label: Label


@dataclass(frozen=True, slots=True)
class Repeat:
    """Run `body` again and again until it leaves an enclosing block."""

    body: list[Statement]
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """End ingress or egress processing."""

    source: Span | None = None


@dataclass(frozen=True, slots=True)
class CallAction:
    """Run an action's body under the action's name."""

    name: str
    body: list[Statement]
    source: Span | None = None


@dataclass(eq=False, slots=True)
class TableAction:
    """An action as one table uses it."""

    name: str
    params: list[ir.Param]
    body: list[Statement]
    source: Span | None = None


@dataclass(eq=False, slots=True)
class TableCall:
    """A default action or an entry's action with its data."""

    action: TableAction
    args: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A constant entry, see `ir.Entry`."""

    matches: tuple[ir.Match, ...]
    call: TableCall
    priority: int
    source: Span | None = None


@dataclass(eq=False, slots=True)
class Table:
    """A table with the actions it can run."""

    name: str
    keys: list[ir.Key]
    actions: list[TableAction]
    default: TableCall | None = None
    default_const: bool = False
    entries: list[TableEntry] | None = None
    size: int = 1024
    with_counters: bool = False
    support_timeout: bool = False
    meter: str | None = None
    profile: str | None = None
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply a table, then go on by hit or miss, or by the action that ran, or neither."""

    table: Table
    hit: list[Statement] | None = None
    miss: list[Statement] | None = None
    by_action: dict[int, list[Statement]] | None = None
    """By the action's place in `table.actions`; those absent run nothing."""
    source: Span | None = None


@dataclass(eq=False, slots=True)
class ParserState:
    """A state's statements and where it leads. Targets: a state, None (accept) or REJECT."""

    name: str
    body: list[Statement] = field(default_factory=list)
    keys: list[ir.Expr] = field(default_factory=list)
    transitions: list[ir.Transition] = field(default_factory=list)
    source: Span | None = None


REJECT = "reject"
"""Name of the state that ends parsing with an error."""


@dataclass(eq=False, slots=True)
class ParserGraph:
    """States of one parser instance, the first is where it starts."""

    states: list[ParserState] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CallParser:
    """Run another parser; its accept comes back here."""

    graph: ParserGraph
    source: Span | None = None


ParserOp: TypeAlias = ir.Extract | ir.Verify | ir.Advance
Statement: TypeAlias = (
    Assign | Do | If | Block | Leave | Repeat | Exit | CallAction | Apply | CallParser | ParserOp
)


@dataclass(slots=True)
class Program:
    """An elaborated program: `lowered` has what needs no flow (storage, externs, checksums)."""

    lowered: ir.Program
    parser: ParserGraph = field(default_factory=ParserGraph)
    ingress: list[Statement] = field(default_factory=list)
    egress: list[Statement] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    used_actions: set[str] = field(default_factory=set)
    """Control-plane names of the actions that a table or a control runs."""
    table_actions: set[str] = field(default_factory=set)
    """Of those, the ones that a table runs."""


# --- walking -----------------------------------------------------------------------

Rewrite: TypeAlias = Callable[[ir.Expr], ir.Expr]
RewriteBody: TypeAlias = Callable[[list[Statement]], list[Statement]]


def map_statements(body: list[Statement], rewrite: Rewrite) -> list[Statement]:
    """The statements with `rewrite` applied to every whole expression in them."""
    return [_map(s, rewrite) for s in body]


def _lvalue(target: ir.LValue, rewrite: Rewrite) -> ir.LValue:
    if isinstance(target, ir.ElementField):
        element = target.element
        return replace(target, element=replace(element, index=rewrite(element.index)))
    return target


def map_primitive(primitive: ir.Primitive, rewrite: Rewrite) -> ir.Primitive:
    """The primitive with `rewrite` applied to its arguments that are expressions."""

    def argument(arg: ir.Arg) -> ir.Arg:
        match arg:
            case ir.Ref() | ir.Number():
                return arg
            case ir.Vector(items):
                return ir.Vector(tuple(rewrite(i) for i in items))
            case ir.StackElement():
                return replace(arg, index=rewrite(arg.index))
            case _:
                return rewrite(arg)

    return replace(primitive, args=tuple(argument(a) for a in primitive.args))


def map_own(statement: Statement, rewrite: Rewrite) -> Statement:
    """The statement with `rewrite` applied to its own expressions, not to those inside."""
    match statement:
        case Assign(target, value):
            return replace(statement, target=_lvalue(target, rewrite), value=rewrite(value))
        case Do(primitive):
            return Do(map_primitive(primitive, rewrite))
        case If(condition):
            return replace(statement, condition=rewrite(condition))
        case ir.Extract(length=length):
            return replace(statement, length=None if length is None else rewrite(length))
        case ir.Verify(condition, error):
            return replace(statement, condition=rewrite(condition), error=rewrite(error))
        case ir.Advance(bits):
            return replace(statement, bits=rewrite(bits))
    return statement


def map_bodies(statement: Statement, rewrite: RewriteBody) -> Statement:
    """The statement with `rewrite` applied to the statement lists in it (see `children`)."""
    match statement:
        case If(_, then, otherwise):
            return replace(statement, then=rewrite(then), otherwise=rewrite(otherwise))
        case Block(_, body) | Repeat(body) | CallAction(body=body):
            return replace(statement, body=rewrite(body))
        case Apply(_, hit, miss, by_action):
            return replace(
                statement,
                hit=None if hit is None else rewrite(hit),
                miss=None if miss is None else rewrite(miss),
                by_action=None if by_action is None else _map_branches(by_action, rewrite),
            )
    return statement


def _map(statement: Statement, rewrite: Rewrite) -> Statement:
    if isinstance(statement, CallParser):
        map_graph(statement.graph, rewrite)
        return statement
    return map_bodies(map_own(statement, rewrite), lambda body: map_statements(body, rewrite))


def _map_branches(
    branches: dict[int, list[Statement]], rewrite: RewriteBody
) -> dict[int, list[Statement]]:
    """The branches rewritten; what several actions share stays shared."""
    done: dict[int, list[Statement]] = {}
    for body in branches.values():
        if id(body) not in done:
            done[id(body)] = rewrite(body)
    return {k: done[id(body)] for k, body in branches.items()}


def map_graph(graph: ParserGraph, rewrite: Rewrite) -> None:
    """Apply `rewrite` to every expression of a parser, in place."""
    for state in graph.states:
        state.body = map_statements(state.body, rewrite)
        state.keys = [rewrite(k) for k in state.keys]


def children(statement: Statement) -> Iterator[list[Statement]]:
    """The statement lists inside a statement, the bodies of table actions excepted."""
    match statement:
        case If(_, then, otherwise):
            yield then
            yield otherwise
        case Block(_, body) | Repeat(body) | CallAction(body=body):
            yield body
        case Apply(_, hit, miss, by_action):
            yield from (b for b in (hit, miss) if b is not None)
            yield from (by_action or {}).values()
        case _:
            return


def contains_apply(body: list[Statement]) -> bool:
    """Whether a table is applied anywhere in the statements."""
    return any(
        isinstance(s, Apply) or any(contains_apply(inner) for inner in children(s)) for s in body
    )
