"""The lowered program: flat, typed, and close to what BMv2 can do.

Two layers share the expressions of this module. The passes before `flatten` work on the
structured statements of `tree.py`; what leaves `flatten` is the `Program` below: header
instances, parser states, actions of primitives, tables, conditions, each by its name.

An expression has the value that P4 gives it: `bit<W>` in 0..2^W-1, `int<W>` in
-2^(W-1)..2^(W-1)-1. BMv2 computes with integers of any size, so the pass `legalise` rewrites
each operation into ones whose unbounded result is that value; only the operators listed at
`BMV2_OPERATORS` are left then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from p4embed.compiler.diagnostics import Span

# --- types -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bits:
    """`bit<width>`, or `int<width>` if signed. Enums and errors are `bit<32>` here."""

    width: int
    signed: bool = False

    @property
    def mask(self) -> int:
        """All ones in this width."""
        return (1 << self.width) - 1

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'bit'}<{self.width}>"


@dataclass(frozen=True, slots=True)
class Bool:
    """`bool`; a field of this type is stored as one bit."""

    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True, slots=True)
class VarBits:
    """`varbit<max_width>`: only copied as a whole."""

    max_width: int

    def __str__(self) -> str:
        return f"varbit<{self.max_width}>"


Scalar: TypeAlias = Bits | Bool | VarBits
BOOL = Bool()
BIT1 = Bits(1)
BIT32 = Bits(32)

# --- expressions -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A number of type `type`, in its range."""

    value: int
    type: Bits


@dataclass(frozen=True, slots=True)
class BoolConst:
    """`true` or `false`."""

    value: bool

    @property
    def type(self) -> Bool:
        return BOOL


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of a header or metadata instance."""

    instance: str
    field: str
    type: Scalar


@dataclass(frozen=True, slots=True)
class ParamRef:
    """The action's parameter number `index`: data of the table entry."""

    index: int
    name: str
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Valid:
    """Whether the header instance is valid."""

    instance: str

    @property
    def type(self) -> Bool:
        return BOOL


@dataclass(frozen=True, slots=True)
class StackElement:
    """The element of a header stack at an index known only at run time."""

    stack: str
    index: Expr


@dataclass(frozen=True, slots=True)
class ElementField:
    """A field of such an element; `offset` is its number in the header type."""

    element: StackElement
    field: str
    offset: int
    type: Scalar


@dataclass(frozen=True, slots=True)
class ElementValid:
    """Whether such an element is valid."""

    element: StackElement

    @property
    def type(self) -> Bool:
        return BOOL


@dataclass(frozen=True, slots=True)
class LastField:
    """A field of the element of a stack that was extracted last (parser only)."""

    stack: str
    field: str
    type: Scalar


@dataclass(frozen=True, slots=True)
class LastIndex:
    """Index of the element of a stack that was extracted last (parser only)."""

    stack: str

    @property
    def type(self) -> Bits:
        return BIT32


@dataclass(frozen=True, slots=True)
class Lookahead:
    """Bits of the packet ahead of the cursor, by offset and width (parser only)."""

    offset: int
    type: Bits


@dataclass(frozen=True, slots=True)
class Unary:
    """`-`, `~` (bits) or `not` (bool)."""

    op: str
    operand: Expr
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Binary:
    """`+ - * / % & | ^ << >> |+| |-| ++`, comparisons (type bool), `and`, `or`."""

    op: str
    left: Expr
    right: Expr
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? yes : no`."""

    condition: Expr
    yes: Expr
    no: Expr
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Cast:
    """A change of width, of sign, or between `bool` and `bit<1>`."""

    operand: Expr
    type: Bits | Bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Bits `high` to `low` of the operand."""

    operand: Expr
    high: int
    low: int

    @property
    def type(self) -> Bits:
        return Bits(self.high - self.low + 1)


Expr: TypeAlias = (
    Const
    | BoolConst
    | FieldRef
    | ParamRef
    | Valid
    | ElementField
    | ElementValid
    | LastField
    | LastIndex
    | Lookahead
    | Unary
    | Binary
    | Choice
    | Cast
    | Slice
)
LValue: TypeAlias = FieldRef | ElementField

COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
BMV2_OPERATORS = frozenset(
    (
        *("+", "-", "*", "/", "%", "&", "|", "^", "~", "<<", ">>", "and", "or", "not"),
        *("two_comp_mod", "usat_cast", "sat_cast", "d2b", "b2d"),
        *COMPARISONS,
    )
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

    Kinds: `header`, `header_stack`, `header_union`, `calculation`, `counter_array`,
    `meter_array`, `register_array`, `string` (then `name` is the text itself).
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
    """Extract into a header, or the next element of a stack; `length` for a varbit field."""

    target: str
    stack: bool = False
    length: Expr | None = None
    source: Span | None = None


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
