"""The lowered program: flat, typed, and close to what BMv2 can do.

Two layers share the expressions of this module. The passes before `flatten` work on the
structured statements of `tree.py`; what leaves `flatten` is the `Program` below: header
instances, parser states, actions of primitives, tables, conditions, each by its name.

Types and expressions are in `ir_expressions`, and also named here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from p4embed.compiler.diagnostics import Span
from p4embed.compiler.ir_expressions import (
    BIT1 as BIT1,
)
from p4embed.compiler.ir_expressions import (
    BIT32 as BIT32,
)
from p4embed.compiler.ir_expressions import (
    BMV2_OPERATORS as BMV2_OPERATORS,
)
from p4embed.compiler.ir_expressions import (
    BOOL as BOOL,
)
from p4embed.compiler.ir_expressions import (
    COMPARISONS as COMPARISONS,
)
from p4embed.compiler.ir_expressions import (
    Binary as Binary,
)
from p4embed.compiler.ir_expressions import (
    Bits as Bits,
)
from p4embed.compiler.ir_expressions import (
    Bool as Bool,
)
from p4embed.compiler.ir_expressions import (
    BoolConst as BoolConst,
)
from p4embed.compiler.ir_expressions import (
    Cast as Cast,
)
from p4embed.compiler.ir_expressions import (
    Choice as Choice,
)
from p4embed.compiler.ir_expressions import (
    Const as Const,
)
from p4embed.compiler.ir_expressions import (
    ElementField as ElementField,
)
from p4embed.compiler.ir_expressions import (
    ElementValid as ElementValid,
)
from p4embed.compiler.ir_expressions import (
    Expr as Expr,
)
from p4embed.compiler.ir_expressions import (
    FieldRef as FieldRef,
)
from p4embed.compiler.ir_expressions import (
    LastField as LastField,
)
from p4embed.compiler.ir_expressions import (
    LastIndex as LastIndex,
)
from p4embed.compiler.ir_expressions import (
    Lookahead as Lookahead,
)
from p4embed.compiler.ir_expressions import (
    LValue as LValue,
)
from p4embed.compiler.ir_expressions import (
    ParamRef as ParamRef,
)
from p4embed.compiler.ir_expressions import (
    Scalar as Scalar,
)
from p4embed.compiler.ir_expressions import (
    Slice as Slice,
)
from p4embed.compiler.ir_expressions import (
    StackElement as StackElement,
)
from p4embed.compiler.ir_expressions import (
    Unary as Unary,
)
from p4embed.compiler.ir_expressions import (
    Valid as Valid,
)
from p4embed.compiler.ir_expressions import (
    VarBits as VarBits,
)

# --- storage -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeaderField:
    """A field of a header type. `alias` is the name that BMv2 gives a standard field."""

    name: str
    type: Scalar
    alias: str | None = None


@dataclass(slots=True)
class HeaderType:
    """The fields of a header, or of metadata, in order."""

    name: str
    fields: list[HeaderField] = field(default_factory=list)
    source: Span | None = None

    def offset(self, name: str) -> int:
        """Number of the field of that name."""
        return next(i for i, f in enumerate(self.fields) if f.name == name)


@dataclass(frozen=True, slots=True)
class HeaderInstance:
    """A header, or (`metadata`) a bag of scalars that is always valid."""

    name: str
    type: str
    metadata: bool = False
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class HeaderStack:
    """Instances `members` as a stack."""

    name: str
    type: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnionStack:
    """Header unions `members` as a stack."""

    name: str
    type: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnionType:
    """A header union type: member name and header type, in order."""

    name: str
    members: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HeaderUnion:
    """Instances `members`, of which at most one is valid."""

    name: str
    type: str
    members: tuple[str, ...]


# --- primitives --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ref:
    """An object that is named as an argument; `kind` is BMv2's word for its type.

    Kinds: `header`, `header_stack`, `header_union`, `header_union_stack`, `calculation`,
    `counter_array`, `meter_array`, `register_array`, `string` (then `name` is the text itself).
    """

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A plain number as an argument: an index, an id, an offset."""

    value: int


@dataclass(frozen=True, slots=True)
class Vector:
    """Several values as one argument."""

    items: tuple[Expr, ...]


Arg: TypeAlias = Expr | Ref | Number | Vector | StackElement


@dataclass(frozen=True, slots=True)
class Primitive:
    """One step of an action: BMv2's primitive `op` on `args`."""

    op: str
    args: tuple[Arg, ...]
    source: Span | None = None


# --- parser ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Extract:
    """Extract into a header, or the next element of a stack; `length` for a varbit field.

    In a stack of header unions, into the `member` of the next union.
    """

    target: str
    stack: bool = False
    length: Expr | None = None
    source: Span | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Set:
    """Assign to a field in a parser state."""

    target: FieldRef
    value: Expr
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Verify:
    """Stop with `error` unless `condition`."""

    condition: Expr
    error: Expr
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """Skip that many bits."""

    bits: Expr
    source: Span | None = None


ParserOp: TypeAlias = Extract | Set | Verify | Advance | Primitive


@dataclass(frozen=True, slots=True)
class Case:
    """If the key under `mask` (None: all ones) equals `value`, go to `target`.

    Value and mask have one number for each key field. `target` None accepts.
    """

    values: tuple[int, ...]
    masks: tuple[int, ...] | None
    target: str | None


@dataclass(frozen=True, slots=True)
class ValueSetCase:
    """If the key is in the value set, go to `target`."""

    value_set: str
    target: str | None


@dataclass(frozen=True, slots=True)
class Default:
    """Go to `target` in any case."""

    target: str | None


Transition: TypeAlias = Case | ValueSetCase | Default


@dataclass(slots=True)
class ParserState:
    """What is done in a state, and where it leads by `key`."""

    name: str
    ops: list[ParserOp] = field(default_factory=list)
    key: list[FieldRef | LastField | Lookahead] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    source: Span | None = None


@dataclass(slots=True)
class Parser:
    """States by name; the first is the start."""

    name: str
    states: list[ParserState] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A set of parser keys that the control plane fills."""

    name: str
    width: int
    size: int
    source: Span | None = None


# --- match-action ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of an action."""

    name: str
    width: int


@dataclass(slots=True)
class Action:
    """A list of primitives; several actions may share a name, `key` tells them apart."""

    name: str
    params: list[Param] = field(default_factory=list)
    primitives: list[Primitive] = field(default_factory=list)
    source: Span | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """One key field of a table, with the name that P4Info shows."""

    target: FieldRef
    kind: str
    name: str
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class ActionCall:
    """An action with its data, for default and constant entries."""

    action: Action
    args: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """One key field of a constant entry.

    exact: `value`; lpm: `value`, `extra` = prefix length; ternary: `value`, `extra` = mask;
    range: `value` = start, `extra` = end.
    """

    kind: str
    value: int
    extra: int
    width: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A constant entry; BMv2 takes the lowest `priority` first."""

    matches: tuple[Match, ...]
    call: ActionCall
    priority: int
    source: Span | None = None


@dataclass(slots=True)
class Table:
    """A table and where control goes from it: by hit or miss, or by action."""

    name: str
    keys: list[Key] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    default: ActionCall | None = None
    default_const: bool = False
    entries: list[Entry] | None = None
    size: int = 1024
    with_counters: bool = False
    support_timeout: bool = False
    meter: str | None = None
    profile: str | None = None
    hit_next: str | None = None
    miss_next: str | None = None
    by_hit: bool = False
    action_next: list[str | None] = field(default_factory=list)
    """One for each of `actions`, unless `by_hit`."""
    default_next: str | None = None
    source: Span | None = None


@dataclass(slots=True)
class Conditional:
    """A two-way branch."""

    name: str
    condition: Expr
    true_next: str | None = None
    false_next: str | None = None
    source: Span | None = None


Node: TypeAlias = Table | Conditional


@dataclass(frozen=True, slots=True)
class ActionProfile:
    """Members of tables with `implementation`; a selector has `algorithm` and inputs."""

    name: str
    size: int
    algorithm: str | None = None
    inputs: tuple[FieldRef, ...] = ()


@dataclass(slots=True)
class Pipeline:
    """The nodes of ingress or egress, and the first of them."""

    name: str
    first: str | None = None
    nodes: list[Node] = field(default_factory=list)
    profiles: list[ActionProfile] = field(default_factory=list)
    source: Span | None = None


# --- the rest ----------------------------------------------------------------------


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

    def header_type_of(self, instance: str) -> HeaderType:
        """The type of a header or metadata instance."""
        wanted = next(h.type for h in self.headers if h.name == instance)
        return next(t for t in self.header_types if t.name == wanted)
