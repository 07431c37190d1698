"""Straight-line code: an action's statements as primitives with jumps.

BMv2 runs an action's primitives by number; `_jump` and `_jump_if_zero` name the number to go
on with. So `if` becomes jumps over branches, and a loop a jump backwards.
"""

from __future__ import annotations

from dataclasses import replace

from p4embed.compiler import ir
from p4embed.compiler.diagnostics import Span
from p4embed.compiler.ir import tree


class Unflattened(Exception):
    """Flow that BMv2 has nothing for, at `span`."""

    def __init__(self, message: str, span: Span | None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


def primitives(body: list[tree.Statement]) -> list[ir.Primitive]:
    """The primitives that do what `body` says.

    Raises:
        Unflattened: a table is applied, or a parser called.
    """
    return _Code().assemble(body)


class _Code:
    def __init__(self) -> None:
        self.code: list[ir.Primitive] = []
        self.ends: dict[tree.Label, int] = {}
        self.jumps: dict[int, tree.Label] = {}

    def assemble(self, body: list[tree.Statement]) -> list[ir.Primitive]:
        end = tree.Label("end")
        self.exit_label = end
        self.block(end, body)
        while (last := len(self.code) - 1) in self.jumps and self.code[last].op == "_jump":
            if self.ends[self.jumps[last]] <= last:
                break
            # A jump from the end to the end.
            del self.code[last], self.jumps[last]
        for at, label in self.jumps.items():
            target = ir.Number(min(self.ends[label], len(self.code)))
            self.code[at] = replace(self.code[at], args=(*self.code[at].args[:-1], target))
        return self.code

    def jump(self, label: tree.Label, condition: ir.Expr | None = None) -> None:
        """A jump to where `label` will be; taken if `condition` (if any) is false."""
        self.jumps[len(self.code)] = label
        if condition is None:
            self.code.append(ir.Primitive("_jump", (ir.Number(0),)))
        else:
            self.code.append(ir.Primitive("_jump_if_zero", (condition, ir.Number(0))))

    def block(self, label: tree.Label, body: list[tree.Statement]) -> bool:
        """Append a labelled block; False if what is behind it is never reached."""
        reached = self.run(body, label)
        self.ends[label] = len(self.code)
        return reached or any(target is label for target in self.jumps.values())

    def run(self, body: list[tree.Statement], falls_to: tree.Label | None) -> bool:
        """Append `body`, at whose end `falls_to` stands; False if its end is never reached."""
        for position, statement in enumerate(body):
            last = position == len(body) - 1
            if not self.one(statement, falls_to if last else None):
                return False
        return True

    def one(self, statement: tree.Statement, falls_to: tree.Label | None) -> bool:
        match statement:
            case tree.Assign(target, value, source):
                op = "assign_VL" if isinstance(target.type, ir.VarBits) else "assign"
                self.code.append(ir.Primitive(op, (target, value), source))
            case tree.Do(primitive):
                self.code.append(primitive)
            case tree.If(condition, then, otherwise):
                return self.branch(condition, then, otherwise, falls_to)
            case tree.Block(label, body):
                return self.block(label, body)
            case tree.CallAction(body=body):
                return self.run(body, falls_to)
            case tree.Repeat(body):
                start = tree.Label("repeat")
                self.ends[start] = len(self.code)
                self.run(body, None)
                self.jump(start)
                return False
            case tree.Leave(label):
                if label is falls_to:
                    return True
                self.jump(label)
                return False
            case tree.Exit(source):
                self.code.append(ir.Primitive("exit", (), source))
                if falls_to is not self.exit_label:
                    self.jump(self.exit_label)
                return False
            case tree.Apply(source=source):
                raise Unflattened("a table cannot be applied here on target bmv2", source)
            case _:
                raise Unflattened("this is not supported on target bmv2 in an action", None)
        return True

    def branch(
        self,
        condition: ir.Expr,
        then: list[tree.Statement],
        otherwise: list[tree.Statement],
        falls_to: tree.Label | None,
    ) -> bool:
        if not then and not otherwise:
            return True
        after = tree.Label("after")
        reached = True
        if not otherwise:
            self.jump(after, condition)
            self.run(then, falls_to or after)
        else:
            alternative = tree.Label("else")
            self.jump(alternative, condition)
            reached = self.run(then, None)
            if reached:
                self.jump(after)
            self.ends[alternative] = len(self.code)
            reached = self.run(otherwise, falls_to or after) or reached
        self.ends[after] = len(self.code)
        return reached
