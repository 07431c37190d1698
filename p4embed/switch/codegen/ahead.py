"""How far the packets of a burst run ahead of each other.

Memory is slow but answers many questions at once. So a few packets of a burst run first, one after
the other, up to where ingress looks into a large table, and ask for what they will need there; then
each goes on to its end. Their order is kept on both stretches, but a packet's first stretch comes
before its predecessors' second. Nobody can tell, as long as no packet on its first stretch reads
or writes a register or meter that another, on its second, writes or reads: there they stop, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from p4embed.switch import program as p
from p4embed.switch.codegen.walk import walk

LARGE = 16384
"""Entries from which on a table is not expected to lie in the processor's cache."""
PACKETS = 8
"""How many run ahead: enough to wait for memory together, few enough to stay in the cache."""

State = tuple[str, int]
"""A register, a meter, or a table with a direct meter."""


@dataclass(frozen=True)
class Ahead:
    """Where the first stretch of ingress ends."""

    stops: tuple[p.Node, ...] = ()
    tables: frozenset[int] = frozenset()
    """Those of ``stops`` that are lookups to prepare, by index."""

    def stop(self, node: p.Node) -> int:
        """The number of a stop, from 1 on; 0 for any other node."""
        return self.stops.index(node) + 1 if node in self.stops else 0


def successors(program: p.Program, node: p.Node) -> list[p.Node | None]:
    """Where a control may go on after a node; ``None``: to its end."""
    match node:
        case p.TableNode(index):
            table = program.tables[index]
            match table.next:
                case p.ByHit(hit, miss):
                    return [hit, miss]
                case p.ByAction(nodes):
                    return [*nodes, table.next_without_action]
        case p.BranchNode(index):
            branch = program.branches[index]
            return [branch.if_true, branch.if_false]
        case p.CallNode(index):
            return [program.calls[index].next]


def plan(program: p.Program) -> Ahead:
    """Where packets stop; nowhere if the program has no large table that they could prepare for."""
    start = program.ingress.start
    large: set[p.Node] = {
        p.TableNode(index)
        for index, table in enumerate(program.tables)
        if table.size >= LARGE and table.key and not table.masked
    }
    touched = _Touched(program)
    before_ingress = touched.by((program.parser, program.checksums))[0]
    if start is None or before_ingress:
        return Ahead()
    stops = set(large)
    egress = _reach(program, [program.egress.start], set())
    again = any(isinstance(item, p.Resubmit | p.Recirculate) for item in walk(program.actions))
    while True:
        first = _reach(program, [start], stops)
        second = _reach(program, stops, set()) | egress
        if again:
            second |= first
        late, written = map(set, touched.by(program.deparser))
        for node in second:
            late |= touched.of(node)[0]
            written |= touched.of(node)[1]
        more = {
            node for node in first if touched.of(node)[0] & written or touched.of(node)[1] & late
        }
        if not more:
            break
        stops |= more
    # Of the stops, those that a packet comes to first.
    ends = {
        following for node in first for following in successors(program, node) if following in stops
    } | ({start} & stops)
    order = sorted(ends, key=repr)
    tables = frozenset(
        node.table for node in order if node in large and isinstance(node, p.TableNode)
    )
    return Ahead(tuple(order), tables) if tables else Ahead()


def _reach(program: p.Program, starts: Iterable[p.Node | None], stops: set[p.Node]) -> set[p.Node]:
    """Nodes that can be come to without passing a stop; stops are not among them."""
    found: set[p.Node] = set()
    left = [node for node in starts if node is not None and node not in stops]
    while left:
        node = left.pop()
        if node in found:
            continue
        found.add(node)
        left += [n for n in successors(program, node) if n is not None and n not in stops]
    return found


class _Touched:
    """State whose reads and writes must not change places, by node."""

    def __init__(self, program: p.Program) -> None:
        self._program = program
        self._known: dict[p.Node, tuple[frozenset[State], frozenset[State]]] = {}

    def of(self, node: p.Node) -> tuple[frozenset[State], frozenset[State]]:
        """What a node touches, and what of that it writes."""
        if node not in self._known:
            self._known[node] = self._look(node)
        return self._known[node]

    def _look(self, node: p.Node) -> tuple[frozenset[State], frozenset[State]]:
        program = self._program
        match node:
            case p.BranchNode(index):
                return self.by((program.branches[index].condition,))
            case p.CallNode(index):
                return self.by((program.actions_by_id[program.calls[index].action],))
            case p.TableNode(index):
                table = program.tables[index]
                ids = set(table.actions)
                if table.default is not None:
                    ids.add(table.default.action)
                touched, written = self.by(tuple(program.actions_by_id[i] for i in ids))
                own: frozenset[State] = frozenset()
                if table.meter is not None:
                    own = frozenset({("direct meter", index)})
                return touched | own, written | own

    @staticmethod
    def by(code: object) -> tuple[frozenset[State], frozenset[State]]:
        """The same of any piece of a program."""
        touched: set[State] = set()
        written: set[State] = set()
        for item in walk(code):
            match item:
                case p.RegisterRead(_, register) | p.RegisterCell(register):
                    touched.add(("register", register))
                case p.RegisterWrite(register):
                    touched.add(("register", register))
                    written.add(("register", register))
                case p.ExecuteMeter(meter):
                    touched.add(("meter", meter))
                    written.add(("meter", meter))
        return frozenset(touched), frozenset(written)
