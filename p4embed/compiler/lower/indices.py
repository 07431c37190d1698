"""Pass `indices`: elements of header stacks by an index that is known at run time only.

`stack[i].f` becomes a choice among the elements, a write a chain of conditions. BMv2 could
look the element up itself, but ends the switch if `i` is out of bounds; in P4 that read
gives any value and that write does nothing (P4_16, section 8.18).
"""

from __future__ import annotations

from collections.abc import Callable

from p4embed.compiler import ir
from p4embed.compiler.ir import fold, tree

Make = Callable[[str], tree.Statement]


def resolve_indices(program: tree.Program) -> tree.Program:
    """Replace every `ir.StackElement`."""
    indices = _Indices(program.lowered)
    indices.graph(program.parser)
    program.ingress = indices.body(program.ingress)
    program.egress = indices.body(program.egress)
    for table in program.tables:
        for action in table.actions:
            action.body = indices.body(action.body)
    return program


class _Indices:
    def __init__(self, lowered: ir.Program) -> None:
        self.elements = lowered.elements

    def graph(self, graph: tree.ParserGraph) -> None:
        for state in graph.states:
            state.body = self.body(state.body)
            state.keys = [self.read(k) for k in state.keys]

    # --- reading ---

    def read(self, expr: ir.Expr) -> ir.Expr:
        expr = fold.map_children(expr, self.read)
        match expr:
            case ir.ElementField(element, name, _, ir.Bits() | ir.Bool() as type_):
                default: ir.Expr = fold.FALSE
                if isinstance(type_, ir.Bits):
                    default = ir.Const(0, type_)
                return self.choose(element, lambda m: ir.FieldRef(m, name, type_), default)
            case ir.ElementValid(element):
                return self.choose(element, ir.Valid, fold.FALSE)
        return expr

    def choose(
        self, element: ir.StackElement, read: Callable[[str], ir.Expr], default: ir.Expr
    ) -> ir.Expr:
        result = default
        for position, found in reversed(list(enumerate(self.elements(element)))):
            result = fold.choice(_is(element.index, position), read(found.name), result)
        return result

    # --- writing ---

    def body(self, body: list[tree.Statement]) -> list[tree.Statement]:
        return [s for statement in body for s in self.statement(statement)]

    def statement(self, statement: tree.Statement) -> list[tree.Statement]:
        match statement:
            case tree.Assign(ir.ElementField(element, name, _, type_), value, source):
                taken = self.read(value)
                return self.branch(
                    element, lambda m: tree.Assign(ir.FieldRef(m, name, type_), taken, source)
                )
            case tree.Do(primitive):
                return self.primitive(primitive)
            case tree.CallParser(graph):
                self.graph(graph)
                return [statement]
        changed = tree.map_own(statement, self.read)
        return [tree.map_bodies(changed, self.body)]

    def primitive(self, primitive: ir.Primitive) -> list[tree.Statement]:
        for position, arg in enumerate(primitive.args):
            if isinstance(arg, ir.StackElement):
                before, after = primitive.args[:position], primitive.args[position + 1 :]

                def make(found: ir.Ref) -> list[tree.Statement]:
                    args = (*before, found, *after)  # noqa: B023 used at once
                    return self.primitive(ir.Primitive(primitive.op, args, primitive.source))

                return self.branches(arg, make)
        return [tree.Do(tree.map_primitive(primitive, self.read))]

    def branch(self, element: ir.StackElement, make: Make) -> list[tree.Statement]:
        return self.branches(element, lambda found: [make(found.name)])

    def branches(
        self, element: ir.StackElement, make: Callable[[ir.Ref], list[tree.Statement]]
    ) -> list[tree.Statement]:
        result: list[tree.Statement] = []
        for position, found in reversed(list(enumerate(self.elements(element)))):
            result = [tree.If(_is(element.index, position), make(found), result)]
        return result


def _is(index: ir.Expr, position: int) -> ir.Expr:
    type_ = fold.bits_of(index)
    if position > (type_.mask >> 1 if type_.signed else type_.mask):
        return fold.FALSE
    return fold.compare("==", index, ir.Const(position, type_))
