"""What need not be cleared for a packet: metadata that is written before it is read, and stacks of
headers that are only parsed and deparsed.

What a P4 compiler makes of local variables are fields of one metadata header, hundreds of them in a
large program, of which a packet uses a few. A field that every path through a parser state, ingress
or egress writes before it reads it, and that nothing else looks at, may hold anything when a packet
arrives. Such fields live in a struct of their own, which is neither cleared nor touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from p4embed.switch import program as p
from p4embed.switch.codegen.ahead import successors
from p4embed.switch.codegen.walk import walk

Fields = frozenset[p.FieldRef]
NONE: Fields = frozenset()


def temporaries(program: p.Program) -> Fields:
    """The fields."""
    analysis = _Analysis(program)
    for state in program.parser.states:
        written = NONE
        for op in state.ops:
            written = analysis.operation(op, written)
        analysis.read((state.key,), written)
    for pipeline in (program.ingress, program.egress):
        analysis.control(pipeline)
    return _candidates(program) & analysis.used - analysis.exposed


def passing_stacks(program: p.Program) -> frozenset[int]:
    """Stacks that the parser fills from the front and the deparser emits, and nothing else names:
    of these, the count of headers extracted says which are valid."""
    found = set(range(len(program.stacks)))
    stack_of = {h: index for index, stack in enumerate(program.stacks) for h in stack.headers}
    code = (
        program.actions, program.parser, program.branches, program.checksums, program.calculations,
        program.field_lists, program.digests, program.deparser.statements, program.profiles,
        tuple(part for table in program.tables for part in table.key),
    )  # fmt: skip
    for item in walk(code):
        match item:
            case p.FieldRef(header) | p.ValidBit(header) | p.HeaderRef(header):
                found.discard(stack_of.get(header, -1))
            case p.InputHeader(header) | p.ExtractHeader(header):
                found.discard(stack_of.get(header, -1))
            case p.StackElement(stack) | p.LastElement(stack) | p.AssignStack(stack):
                found.discard(stack)
            case p.PushFront(stack) | p.PopFront(stack):
                found.discard(stack)
        if isinstance(item, p.AssignStack):
            found.discard(item.source)
    return frozenset(found)


def _candidates(program: p.Program) -> Fields:
    """Fields of metadata that only code names: not those that the switch itself keeps, that are
    carried to copies, or that stand in checksums and digests."""
    own = {item.header for item in walk(program.intrinsics) if isinstance(item, p.FieldRef)}
    kept = (program.field_lists, program.digests, program.checksums, program.deparser.statements)
    named = {item for item in walk(kept) if isinstance(item, p.FieldRef)}
    for checksum in program.checksums:
        named |= _fields(program.calculations[checksum.calculation].inputs)
    types = [header.type.name for header in program.headers]
    return frozenset(
        p.FieldRef(index, field)
        for index, header in enumerate(program.headers)
        if header.metadata and index not in own and types.count(header.type.name) == 1
        for field in range(len(header.type.fields))
        if not header.type.fields[field].variable
    ) - {*named}


def _fields(code: object) -> Fields:
    return frozenset(item for item in walk(code) if isinstance(item, p.FieldRef))


def _is_within(index: p.DataExpr, size: int) -> bool:
    """Whether there is such a cell for certain; else the target may stay as it is."""
    return isinstance(index, p.Const) and 0 <= index.value < size


class _Analysis:
    """What is read before it is written (``exposed``), and all that is named (``used``)."""

    def __init__(self, program: p.Program) -> None:
        self._program = program
        self.exposed: Fields = NONE
        self.used: Fields = NONE

    def read(self, code: object, written: Fields) -> None:
        """Code that only reads, after these fields were written."""
        fields = _fields(code)
        self.used |= fields
        self.exposed |= fields - written
        for item in walk(code):
            # A header as a whole is all of its fields.
            match item:
                case p.HeaderRef(header) | p.InputHeader(header):
                    count = len(self._program.headers[header].type.fields)
                    self.exposed |= {p.FieldRef(header, field) for field in range(count)}

    def operation(self, op: p.ParserOp, written: Fields) -> Fields:
        """A parser's operation; what is written after it."""
        match op:
            case p.SetField(target, value):
                return self._store(target, value, written)
            case p.ParserCall(primitive):
                return self._primitive(primitive, written)
        self.read(op, written)
        return written

    def control(self, pipeline: p.Pipeline) -> None:
        """Ingress or egress: nothing is taken for written when it starts."""
        if pipeline.start is None:
            return
        before: dict[p.Node, Fields] = {pipeline.start: NONE}
        try:
            order = tuple(self._order(pipeline.start))
        except CycleError:
            # Refused elsewhere, with a message; here nothing is taken for written.
            order = ()
            for node in self._reached(pipeline.start):
                self._node(node, NONE)
        for node in order:
            after = self._node(node, before[node])
            for following in successors(self._program, node):
                if following is not None:
                    known = before.get(following)
                    before[following] = after if known is None else known & after

    def _order(self, start: p.Node) -> Iterator[p.Node]:
        """Nodes so that each stands behind all from which it can be come to."""
        sorter: TopologicalSorter[p.Node] = TopologicalSorter()
        for node in self._reached(start):
            sorter.add(node)
            for following in successors(self._program, node):
                if following is not None:
                    sorter.add(following, node)
        return iter(sorter.static_order())

    def _reached(self, start: p.Node) -> list[p.Node]:
        """All nodes that can be come to."""
        found, known = [start], {start}
        for node in found:
            for following in successors(self._program, node):
                if following is not None and following not in known:
                    known.add(following)
                    found.append(following)
        return found

    def _node(self, node: p.Node, written: Fields) -> Fields:
        program = self._program
        match node:
            case p.BranchNode(index):
                self.read(program.branches[index].condition, written)
                return written
            case p.CallNode(index):
                return self._actions([program.calls[index].action], written)
            case p.TableNode(index):
                table = program.tables[index]
                self.read(table.key, written)
                if table.profile is not None:
                    selector = program.profiles[table.profile].selector
                    self.read(() if selector is None else selector.inputs, written)
                ids = {*table.actions}
                if table.default is not None:
                    ids.add(table.default.action)
                if table.fixed and table.default is not None:
                    return self._actions([table.default.action], written)
                after = self._actions(ids, written)
                # The control plane may leave it without a default action.
                return after & written if table.default is None else after

    def _actions(self, ids: Iterable[int], written: Fields) -> Fields:
        """What is written whichever of these actions runs."""
        after = None
        for id_ in ids:
            found = self._action(self._program.actions_by_id[id_].body, written)
            after = found if after is None else after & found
        return written if after is None else after

    def _action(self, body: tuple[p.Primitive, ...], written: Fields) -> Fields:
        jumps = any(isinstance(primitive, p.Jump | p.JumpIfZero) for primitive in body)
        after = written
        for primitive in body:
            found = self._primitive(primitive, after)
            if not jumps:  # else it may be jumped over
                after = found
        return after

    def _primitive(self, primitive: p.Primitive, written: Fields) -> Fields:
        program = self._program
        match primitive:
            case p.Assign(target, value):
                return self._store(target, value, written)
            case p.HashTo(target, base, calculation, size):
                inputs = program.calculations[calculation].inputs
                return self._store(target, (base, size, inputs), written)
            case p.RandomTo(target, low, high):
                return self._store(target, (low, high), written)
            case p.RegisterRead(target, register, index):
                after = self._store(target, index, written)
                return after if _is_within(index, program.registers[register].size) else written
            case p.ExecuteMeter(meter, index, target):
                after = self._store(target, index, written)
                return after if _is_within(index, program.meters[meter].size) else written
        self.read(primitive, written)
        return written

    def _store(self, target: p.LValue, value: object, written: Fields) -> Fields:
        self.read(value, written)
        if isinstance(target, p.FieldRef):
            self.used |= {target}
            return written | {target}
        self.read(target, written)
        return written
