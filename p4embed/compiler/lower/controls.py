"""Flow of ingress and egress: a graph of tables and conditions.

Lowered from the end: each statement knows the node that comes after it, so `return` is just
another way on. Runs of statements without flow become an action of their own, run by a hidden
table without keys (as p4c does it), named after the line where they begin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import TypeAlias

from p4embed.compiler import ir
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.ir import tree
from p4embed.compiler.lower.actions import Unflattened, primitives

Labels: TypeAlias = dict[tree.Label, str | None]


class Names:
    """Names of generated nodes, each used once."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def unique(self, wanted: str) -> str:
        """`wanted`, with a number behind it if it is taken."""
        name, number = wanted, 0
        while name in self.taken:
            name = f"{wanted}_{number}"
            number += 1
        self.taken.add(name)
        return name


def flatten_control(
    program: ir.Program, pipeline: ir.Pipeline, body: list[tree.Statement], names: Names
) -> None:
    """Fill `pipeline` with the nodes that do what `body` says.

    Raises:
        Unflattened: a table is applied twice with different ways on.
    """
    _Control(program, pipeline, names).run(body)


def _is_code(statement: tree.Statement) -> bool:
    """Whether the statement is best kept inside one action."""
    match statement:
        case tree.Assign() | tree.Do():
            return True
        case tree.Block() | tree.If():
            return _has_loop([statement]) and not tree.contains_apply([statement])
    return isinstance(statement, tree.Repeat)


def _has_loop(body: list[tree.Statement]) -> bool:
    return any(
        isinstance(s, tree.Repeat) or any(_has_loop(inner) for inner in tree.children(s))
        for s in body
    )


def _place(body: list[tree.Statement]) -> Span | None:
    """Where the first statement that has a place stands."""
    for s in body:
        if isinstance(s, tree.Do):
            found = s.primitive.source
        elif isinstance(s, tree.Assign | tree.If | tree.Repeat | tree.CallAction | tree.Apply):
            found = s.source
        else:
            found = next((p for b in tree.children(s) if (p := _place(b)) is not None), None)
        if found is not None:
            return found
    return None


def _ways_out(body: list[tree.Statement], inside: frozenset[tree.Label]) -> Iterator[tree.Label]:
    """Labels that `body` leaves to, other than those of blocks in it."""
    for s in body:
        if isinstance(s, tree.Leave) and s.label not in inside:
            yield s.label
        within = inside | {s.label} if isinstance(s, tree.Block) else inside
        for inner in tree.children(s):
            yield from _ways_out(inner, within)


def _ends(statement: tree.Statement) -> bool:
    return isinstance(statement, tree.Leave | tree.Exit)


class _Control:
    def __init__(self, program: ir.Program, pipeline: ir.Pipeline, names: Names) -> None:
        self.program = program
        self.pipeline = pipeline
        self.names = names
        self.nodes: dict[str, ir.Node] = {}
        self.tables: dict[tree.Table, tuple[ir.Table, tuple[object, ...], Span | None]] = {}
        self.keys: dict[tree.Table, str] = {}
        self.shared: dict[tuple[int, str | None], str | None] = {}
        self.generated: list[str] = []
        self.named: set[str] = set()
        """Nodes whose names are the program's own."""

    def run(self, body: list[tree.Statement]) -> None:
        self.order(self.lower(body, None, {}))

    # --- statements ---

    def lower(self, body: list[tree.Statement], after: str | None, labels: Labels) -> str | None:
        """Name of the node that starts `body`; its end goes on to `after`."""
        for position, statement in enumerate(body):
            if _ends(statement):
                body = body[: position + 1]
                break
        pending: list[tree.Statement] = []
        for statement in reversed(body):
            if _is_code(statement):
                pending.insert(0, statement)
                continue
            after = self.code(pending, after, labels)
            pending = []
            after = self.one(statement, after, labels)
        return self.code(pending, after, labels)

    def one(self, statement: tree.Statement, after: str | None, labels: Labels) -> str | None:
        match statement:
            case tree.If(condition, then, otherwise, source):
                yes = self.lower(then, after, labels)
                no = self.lower(otherwise, after, labels)
                if yes == no:
                    return yes
                return self.add(ir.Conditional("node", condition, yes, no, source))
            case tree.Block(label, body):
                return self.lower(body, after, {**labels, label: after})
            case tree.Leave(label):
                return labels[label]
            case tree.Exit():
                return None
            case tree.CallAction(name, body, source):
                return self.action_node(ir.Action(name, [], primitives(body), source), after)
            case tree.Apply():
                return self.apply(statement, after, labels)
            case _:
                raise Unflattened("this is not supported on target bmv2 in a control", None)

    def code(self, body: list[tree.Statement], after: str | None, labels: Labels) -> str | None:
        """A node that runs `body`, if there is anything to run."""
        ways = list(dict.fromkeys(_ways_out(body, frozenset())))
        if ways:
            body, after = self.leaving(body, ways, after, labels)
        code = primitives(body)
        if not code:
            return after
        place = _place(body)
        name = "act" if place is None else f"{_stem(place)}{place.line}"
        return self.action_node(ir.Action(name, [], code, place), after, generated=True)

    def leaving(
        self,
        body: list[tree.Statement],
        ways: list[tree.Label],
        after: str | None,
        labels: Labels,
    ) -> tuple[list[tree.Statement], str | None]:
        """Code out of which `return` leads elsewhere than to its end, as out of a loop.

        A field keeps which way was taken; conditions behind the code look at it.
        """
        name = f"leave_{len(self.program.header_types[0].fields)}"
        self.program.header_types[0].fields.append(ir.HeaderField(name, ir.Bits(8)))
        taken = ir.FieldRef(self.program.headers[0].name, name, ir.Bits(8))
        end = tree.Label("end")
        place = _place(body)

        def number(n: int) -> ir.Const:
            return ir.Const(n, ir.Bits(8))

        numbers = {label: n for n, label in enumerate(ways, start=1)}

        def rewrite(inner: list[tree.Statement]) -> list[tree.Statement]:
            result: list[tree.Statement] = []
            for s in inner:
                if isinstance(s, tree.Leave) and s.label in numbers:
                    result += [tree.Assign(taken, number(numbers[s.label])), tree.Leave(end)]
                else:
                    result.append(tree.map_bodies(s, rewrite))
            return result

        for label, n in numbers.items():
            test = ir.Binary("==", taken, number(n), ir.BOOL)
            after = self.add(ir.Conditional("node", test, labels[label], after, place))
        start = tree.Assign(taken, number(0), place)
        return [start, tree.Block(end, rewrite(body))], after

    def action_node(self, action: ir.Action, after: str | None, generated: bool = False) -> str:
        table = ir.Table(
            f"tbl_{action.name.rpartition('.')[2]}",
            actions=[action],
            default=ir.ActionCall(action),
            default_const=True,
            action_next=[after],
            default_next=after,
            source=action.source,
        )
        name = self.add(table)
        if generated:
            self.generated.append(name)
        return name

    def add(self, node: ir.Node) -> str:
        """Keep the node under a name for now; `order` gives the final ones."""
        name = f"#{len(self.nodes)}"
        self.nodes[name] = node
        return name

    # --- tables ---

    def apply(self, statement: tree.Apply, after: str | None, labels: Labels) -> str:
        source = statement.table
        hit = miss = after
        ways: list[str | None] = [after] * len(source.actions)
        by_hit = statement.hit is not None or statement.miss is not None
        if by_hit:
            hit = self.lower(statement.hit or [], after, labels)
            miss = self.lower(statement.miss or [], after, labels)
        for i, body in (statement.by_action or {}).items():
            key = (id(body), after)
            if key not in self.shared:
                self.shared[key] = self.lower(body, after, labels)
            ways[i] = self.shared[key]
        route = (by_hit, hit, miss, *ways)
        known = self.tables.get(source)
        if known is not None:
            table, former, place = known
            if former != route:
                raise Unflattened(
                    f"table '{source.name}' is applied in several places with different "
                    "statements after it; target bmv2 can apply a table in one place only",
                    _later(place, statement.source),
                )
            return self.keys[source]
        table = self.table(source)
        table.by_hit, table.hit_next, table.miss_next = by_hit, hit, miss
        table.action_next = ways
        table.default_next = miss if by_hit else after
        self.tables[source] = (table, route, statement.source)
        self.keys[source] = self.add(table)
        self.named.add(self.keys[source])
        return self.keys[source]

    def table(self, source: tree.Table) -> ir.Table:
        actions: dict[tree.TableAction, ir.Action] = {}
        for a in source.actions:
            actions[a] = ir.Action(a.name, a.params, primitives(a.body), a.source)

        def call(given: tree.TableCall) -> ir.ActionCall:
            return ir.ActionCall(actions[given.action], given.args)

        entries = None
        if source.entries is not None:
            entries = [
                ir.Entry(e.matches, call(e.call), e.priority, e.source) for e in source.entries
            ]
        return ir.Table(
            source.name,
            keys=source.keys,
            actions=list(actions.values()),
            default=None if source.default is None else call(source.default),
            default_const=source.default_const,
            entries=entries,
            size=source.size,
            with_counters=source.with_counters,
            support_timeout=source.support_timeout,
            meter=source.meter,
            profile=source.profile,
            source=source.source,
        )

    # --- order ---

    def order(self, first: str | None) -> None:
        """List the nodes as control meets them, and name them in that order."""
        final: dict[str, str] = {}
        pending = [first]
        while pending:
            name = pending.pop()
            if name is None or name in final:
                continue
            node = self.nodes[name]
            own = name in self.named
            final[name] = node.name if own else self.names.unique(node.name)
            pending += reversed(_ways(node))
        for name, unique in final.items():
            node = self.nodes[name]
            node.name = unique
            _redirect(node, final)
            if name in self.generated and isinstance(node, ir.Table):
                node.actions[0].name = unique.removeprefix("tbl_")
            self.pipeline.nodes.append(node)
            if isinstance(node, ir.Table):
                self.program.actions += node.actions
        self.pipeline.first = None if first is None else final[first]


def _redirect(node: ir.Node, final: dict[str, str]) -> None:
    """Replace the names of the nodes that come next."""

    def moved(name: str | None) -> str | None:
        return None if name is None else final[name]

    if isinstance(node, ir.Conditional):
        node.true_next, node.false_next = moved(node.true_next), moved(node.false_next)
        return
    node.hit_next, node.miss_next = moved(node.hit_next), moved(node.miss_next)
    node.action_next = [moved(n) for n in node.action_next]
    node.default_next = moved(node.default_next)


def _later(one: Span | None, other: Span | None) -> Span | None:
    """The place that comes later in the source."""
    if one is None or other is None or one.source is not other.source:
        return one or other
    return one if one.start > other.start else other


def _ways(node: ir.Node) -> list[str | None]:
    if isinstance(node, ir.Conditional):
        return [node.true_next, node.false_next]
    if node.by_hit:
        return [node.hit_next, node.miss_next]
    return [*node.action_next, node.default_next]


def _stem(place: Span) -> str:
    """The file's name without its ending, as part of a name."""
    return re.sub(r"\W", "_", PurePath(place.file).stem) + "_"
