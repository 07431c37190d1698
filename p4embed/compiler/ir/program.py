"""What else BMv2 is told, calculations to field lists, and the program as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from p4embed.compiler.diagnostics import Span
from p4embed.compiler.ir.expressions import Const, Expr, FieldRef, StackElement
from p4embed.compiler.ir.headers import (
    HeaderInstance,
    HeaderStack,
    HeaderType,
    HeaderUnion,
    UnionStack,
    UnionType,
)
from p4embed.compiler.ir.parser import Parser, ValueSet
from p4embed.compiler.ir.pipeline import Action, Pipeline
from p4embed.compiler.ir.primitives import Ref


@dataclass(frozen=True, slots=True)
class Payload:
    """The rest of the packet as input of a calculation."""


CalculationInput: TypeAlias = FieldRef | Const | Payload


@dataclass(frozen=True, slots=True)
class Calculation:
    """A checksum or hash over its inputs, by BMv2's name of the algorithm."""

    name: str
    algorithm: str
    inputs: tuple[CalculationInput, ...]
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Checksum:
    """A field that a calculation verifies after the parser, or updates in the deparser."""

    name: str
    target: FieldRef
    calculation: str
    condition: Expr
    verify: bool
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Counter:
    """An array of counters, or (`table`) the direct counter of a table."""

    name: str
    size: int
    table: str | None = None
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Meter:
    """An array of meters, or (`table`) the direct meter of a table with its result."""

    name: str
    size: int
    unit: str
    table: str | None = None
    target: FieldRef | None = None
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """An array of registers."""

    name: str
    size: int
    width: int
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class FieldList:
    """Fields that are digested (learn list) or kept by a clone; ids count from 1."""

    id: int
    name: str
    fields: tuple[FieldRef, ...]
    source: Span | None = None


@dataclass(slots=True)
class Program:
    """Everything BMv2 is told."""

    source_name: str
    header_types: list[HeaderType] = field(default_factory=list)
    headers: list[HeaderInstance] = field(default_factory=list)
    stacks: list[HeaderStack] = field(default_factory=list)
    union_types: list[UnionType] = field(default_factory=list)
    unions: list[HeaderUnion] = field(default_factory=list)
    union_stacks: list[UnionStack] = field(default_factory=list)
    errors: list[tuple[str, int]] = field(default_factory=list)
    enums: list[tuple[str, list[tuple[str, int]]]] = field(default_factory=list)
    parser: Parser = field(default_factory=lambda: Parser("parser"))
    value_sets: list[ValueSet] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    ingress: Pipeline = field(default_factory=lambda: Pipeline("ingress"))
    egress: Pipeline = field(default_factory=lambda: Pipeline("egress"))
    deparser: list[str] = field(default_factory=list)
    deparser_source: Span | None = None
    calculations: list[Calculation] = field(default_factory=list)
    checksums: list[Checksum] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    meters: list[Meter] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    learn_lists: list[FieldList] = field(default_factory=list)
    field_lists: list[FieldList] = field(default_factory=list)

    def elements(self, element: StackElement) -> list[Ref]:
        """What an element with a variable index may be, by index: headers or header unions."""
        for stack in self.stacks:
            if stack.name == element.stack:
                return [Ref("header", name) for name in stack.members]
        found = next(s for s in self.union_stacks if s.name == element.stack)
        if element.member is None:
            return [Ref("header_union", name) for name in found.members]
        kind = next(t for t in self.union_types if t.name == found.type)
        at = [name for name, _ in kind.members].index(element.member)
        unions = {u.name: u for u in self.unions}
        return [Ref("header", unions[name].members[at]) for name in found.members]
