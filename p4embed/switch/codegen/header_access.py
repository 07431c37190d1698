"""Headers, stack elements and union members as C pointers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.codegen.context import Context


class HeaderAccess(ABC):
    """How an expression gets at a header that may be known only at run time."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    def index(self, expr: p.DataExpr) -> str:
        """An array index as C: 64 bits unsigned, out of any range when the integer is."""

    def header_type(self, expr: p.HeaderExpr) -> p.HeaderType:
        """The type of the header that an expression stands for."""
        program = self.context.program
        match expr:
            case p.HeaderRef(header):
                return program.headers[header].type
            case p.StackElement(stack, _) | p.LastElement(stack):
                return program.stacks[stack].type
            case p.UnionMember(union, member):
                return program.headers[self.any_union(union)[member]].type
        assert_never(expr)

    def header_pointer(self, expr: p.HeaderExpr) -> str:
        """A pointer to the header that an expression stands for; NULL if there is none."""
        names = self.context.names
        match expr:
            case p.HeaderRef(header):
                return f"(&{names.headers[header]})"
            case p.StackElement(stack, index):
                return f"element_{names.stacks[stack]}(p, {self.index(index)})"
            case p.LastElement(stack):
                name = names.stacks[stack]
                return f"element_{name}(p, (uint64_t)p->next_{name} - 1)"
            case p.UnionMember(p.UnionRef(union_index), member):
                headers = self.context.program.unions[union_index].headers
                return f"(&{names.headers[headers[member]]})"
            case p.UnionMember(union, member):
                assert not isinstance(union, p.UnionRef)
                stack, index_text = self.union_index(union)
                return f"member_{names.union_stacks[stack]}_{member}(p, {index_text})"
        assert_never(expr)

    def any_union(self, expr: p.UnionExpr) -> tuple[int, ...]:
        """The members of a union, or of one of its kind."""
        program = self.context.program
        match expr:
            case p.UnionRef(union):
                return program.unions[union].headers
            case p.UnionElement(stack, _) | p.LastUnion(stack):
                return program.unions[program.union_stacks[stack].unions[0]].headers
        assert_never(expr)

    def members(self, expr: p.UnionExpr) -> list[p.UnionMember]:
        """All members of a union."""
        return [p.UnionMember(expr, member) for member in range(len(self.any_union(expr)))]

    def union_index(self, expr: p.UnionElement | p.LastUnion) -> tuple[int, str]:
        """The stack of a union that is chosen at run time, and its index there as C."""
        match expr:
            case p.UnionElement(stack, index):
                return stack, self.index(index)
            case p.LastUnion(stack):
                name = self.context.names.union_stacks[stack]
                return stack, f"(uint64_t)p->next_union_{name} - 1"
        assert_never(expr)

    def element(self, header: p.HeaderExpr, body: str) -> str:
        """``body`` with ``e`` a pointer to the header, or NULL."""
        struct = self.context.names.struct(self.header_type(header))
        return f"({{ {struct} *e = {self.header_pointer(header)}; {body}; }})"
