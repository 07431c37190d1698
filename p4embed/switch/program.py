"""The model of a BMv2 JSON program: what ``load.py`` returns and both executors run.

Everything is resolved: names became indices into the tuples of ``Program``, hex strings became
integers, and expressions and primitives became closed unions of frozen dataclasses, so an executor
matches on types, ends with ``assert_never`` and looks nothing up by name. Names are kept for
traces, generated code and messages.

Source: behavioral-model ``docs/JSON_format.md`` (format 2.x) and ``docs/simple_switch.md``.

Arithmetic: expressions compute on unbounded integers; a value is cut to the width of the field,
register or key that it is stored in (two's complement where the field is signed).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from p4embed.switch.engine import Entry

# ---------------------------------------------------------------------------------------------
# Headers


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a header type."""

    name: str
    width: int
    """Bits; for a variable-length field the most it can hold."""
    signed: bool = False
    variable: bool = False


@dataclass(frozen=True)
class HeaderType:
    """The layout of a header or metadata struct."""

    name: str
    fields: tuple[Field, ...]

    @cached_property
    def fixed_width(self) -> int:
        """Bits of all fields but the variable-length one."""
        return sum(field.width for field in self.fields if not field.variable)

    @cached_property
    def variable(self) -> int | None:
        """Index of the variable-length field, if there is one."""
        return next((i for i, field in enumerate(self.fields) if field.variable), None)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Each field's first bit, as if the variable-length field were empty."""
        offsets, at = [], 0
        for field in self.fields:
            offsets.append(at)
            at += 0 if field.variable else field.width
        return tuple(offsets)


@dataclass(frozen=True, slots=True)
class Header:
    """An instance: a packet header (has a validity bit) or metadata (always valid)."""

    name: str
    type: HeaderType
    metadata: bool
    stack: int | None = None
    """The stack it is an element of."""
    union: int | None = None
    """The union it is a member of: at most one member is valid at a time."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A header stack; element 0 first."""

    name: str
    type: HeaderType
    headers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """A header union; members in the order of its type."""

    name: str
    headers: tuple[int, ...]
    stack: int | None = None
    """The union stack it is an element of."""


@dataclass(frozen=True, slots=True)
class UnionStack:
    """A stack of header unions; element 0 first."""

    name: str
    unions: tuple[int, ...]


# ---------------------------------------------------------------------------------------------
# Expressions. Three kinds of values: data (integers), booleans, and references to headers, unions
# and stacks.


@dataclass(frozen=True, slots=True)
class Const:
    """A literal."""

    value: int


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of a known header instance."""

    header: int
    field: int


@dataclass(frozen=True, slots=True)
class ValidBit:
    """The hidden field ``$valid$`` of a header: 1 or 0."""

    header: int


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the enclosing action."""

    index: int


@dataclass(frozen=True, slots=True)
class RegisterCell:
    """The value of a register's cell."""

    register: int
    index: DataExpr


@dataclass(frozen=True, slots=True)
class HeaderRef:
    """A known header instance."""

    header: int


@dataclass(frozen=True, slots=True)
class StackElement:
    """A stack's element at a run-time index."""

    stack: int
    index: DataExpr


@dataclass(frozen=True, slots=True)
class LastElement:
    """A stack's last valid element (``stack.last``)."""

    stack: int


@dataclass(frozen=True, slots=True)
class UnionRef:
    """A known header union."""

    union: int


@dataclass(frozen=True, slots=True)
class UnionElement:
    """A union stack's element at a run-time index."""

    stack: int
    index: DataExpr


@dataclass(frozen=True, slots=True)
class LastUnion:
    """A union stack's last valid element."""

    stack: int


@dataclass(frozen=True, slots=True)
class UnionMember:
    """A member of a union that may be known only at run time."""

    union: UnionExpr
    member: int


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of a header that may be known only at run time."""

    header: HeaderExpr
    field: int
    width: int
    signed: bool


class DataOp(Enum):
    """Binary operators from data to data."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "/"
    MOD = "%"
    SHL = "<<"
    SHR = ">>"
    AND = "&"
    OR = "|"
    XOR = "^"


class Comparison(Enum):
    """Binary operators from data to a boolean."""

    EQ = "=="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``left op right`` on unbounded integers."""

    op: DataOp
    left: DataExpr
    right: DataExpr


@dataclass(frozen=True, slots=True)
class Negate:
    """Unary minus."""

    operand: DataExpr


@dataclass(frozen=True, slots=True)
class Invert:
    """``~operand`` on an unbounded integer: ``-operand - 1``."""

    operand: DataExpr


@dataclass(frozen=True, slots=True)
class TwoCompMod:
    """The signed value of ``operand``'s low ``width`` bits."""

    operand: DataExpr
    width: int


@dataclass(frozen=True, slots=True)
class Saturate:
    """``operand`` clamped to what ``width`` bits hold."""

    operand: DataExpr
    width: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Choose:
    """``cond ? left : right``."""

    cond: BoolExpr
    left: DataExpr
    right: DataExpr


@dataclass(frozen=True, slots=True)
class BoolToData:
    """1 or 0."""

    operand: BoolExpr


@dataclass(frozen=True, slots=True)
class LastStackIndex:
    """Index of a stack's last valid element; -1 (cut to 32 bits when stored) when it is empty."""

    stack: int


@dataclass(frozen=True, slots=True)
class StackSize:
    """Number of valid elements of a stack."""

    stack: int


@dataclass(frozen=True, slots=True)
class BoolConst:
    """``true`` or ``false``."""

    value: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op right`` on integers."""

    op: Comparison
    left: DataExpr
    right: DataExpr


class BoolOp(Enum):
    """Binary operators on booleans."""

    AND = "and"
    OR = "or"
    EQ = "=="
    NE = "!="


@dataclass(frozen=True, slots=True)
class Logic:
    """``left op right`` on booleans."""

    op: BoolOp
    left: BoolExpr
    right: BoolExpr


@dataclass(frozen=True, slots=True)
class Not:
    """Logical negation."""

    operand: BoolExpr


@dataclass(frozen=True, slots=True)
class DataToBool:
    """Whether the operand is not 0."""

    operand: DataExpr


@dataclass(frozen=True, slots=True)
class ChooseBool:
    """``cond ? left : right`` on booleans."""

    cond: BoolExpr
    left: BoolExpr
    right: BoolExpr


@dataclass(frozen=True, slots=True)
class Valid:
    """Whether a header is valid."""

    header: HeaderExpr


@dataclass(frozen=True, slots=True)
class UnionValid:
    """Whether any member of a union is valid."""

    union: UnionExpr


@dataclass(frozen=True, slots=True)
class SameHeader:
    """Both headers invalid, or both valid with equal fields."""

    left: HeaderExpr
    right: HeaderExpr


@dataclass(frozen=True, slots=True)
class SameUnion:
    """Both unions invalid, or the same member valid in both with equal fields."""

    left: UnionExpr
    right: UnionExpr


HeaderExpr = HeaderRef | StackElement | LastElement | UnionMember
UnionExpr = UnionRef | UnionElement | LastUnion
LValue = FieldRef | FieldOf
"""What a value can be stored in."""
DataExpr = (
    Const
    | FieldRef
    | FieldOf
    | ValidBit
    | Param
    | RegisterCell
    | Arithmetic
    | Negate
    | Invert
    | TwoCompMod
    | Saturate
    | Choose
    | BoolToData
    | LastStackIndex
    | StackSize
)
BoolExpr = (
    BoolConst
    | Compare
    | Logic
    | Not
    | DataToBool
    | ChooseBool
    | Valid
    | UnionValid
    | SameHeader
    | SameUnion
)

# ---------------------------------------------------------------------------------------------
# Primitives


@dataclass(frozen=True, slots=True)
class Assign:
    """Store a value, cut to the target's width."""

    target: LValue
    value: DataExpr


@dataclass(frozen=True, slots=True)
class AssignVariable:
    """Copy a variable-length field, its current length included."""

    target: LValue
    source: LValue


@dataclass(frozen=True, slots=True)
class AssignHeader:
    """Copy fields and validity."""

    target: HeaderExpr
    source: HeaderExpr


@dataclass(frozen=True, slots=True)
class AssignUnion:
    """Copy all members."""

    target: UnionExpr
    source: UnionExpr


@dataclass(frozen=True, slots=True)
class AssignStack:
    """Copy all elements and ``next``."""

    target: int
    source: int


@dataclass(frozen=True, slots=True)
class AssignUnionStack:
    """Copy all elements and ``next``."""

    target: int
    source: int


@dataclass(frozen=True, slots=True)
class AddHeader:
    """``setValid()``: an invalid header turns valid with all fields 0; a valid one stays as it is.

    Within a union it invalidates the other members.
    """

    header: HeaderExpr


@dataclass(frozen=True, slots=True)
class RemoveHeader:
    """``setInvalid()``."""

    header: HeaderExpr


@dataclass(frozen=True, slots=True)
class PushFront:
    """Shift a stack's elements up by ``count``; the first ``count`` become invalid."""

    stack: int
    count: int


@dataclass(frozen=True, slots=True)
class PopFront:
    """Shift a stack's elements down by ``count``; the last ``count`` become invalid."""

    stack: int
    count: int


@dataclass(frozen=True, slots=True)
class PushUnions:
    """``PushFront`` of a union stack."""

    stack: int
    count: int


@dataclass(frozen=True, slots=True)
class PopUnions:
    """``PopFront`` of a union stack."""

    stack: int
    count: int


@dataclass(frozen=True, slots=True)
class MarkToDrop:
    """Set ``egress_spec`` to the drop port and ``mcast_grp`` to 0.

    Usually those of the standard metadata; a copy's, where p4c inlined a function.
    """

    egress_spec: FieldRef
    mcast_grp: FieldRef | None


@dataclass(frozen=True, slots=True)
class HashTo:
    """``target = base + hash(calculation) % max(size, 1)``."""

    target: LValue
    base: DataExpr
    calculation: int
    size: DataExpr


@dataclass(frozen=True, slots=True)
class RandomTo:
    """``target`` = uniform in ``low..high``; unchanged when ``low > high``."""

    target: LValue
    low: DataExpr
    high: DataExpr


@dataclass(frozen=True, slots=True)
class Digest:
    """Send the fields of ``Program.digests[digest]``, as ingress leaves them, to the controller."""

    receiver: DataExpr
    digest: int


@dataclass(frozen=True, slots=True)
class Clone:
    """Clone at the end of the pipeline: of the packet as received (ingress) or as is (egress)."""

    session: DataExpr
    field_list: int
    """Index into ``Program.field_lists``: metadata the clone keeps."""
    egress: bool


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Run ingress again on the packet as received."""

    field_list: int


@dataclass(frozen=True, slots=True)
class Recirculate:
    """Parse the deparsed packet again after egress."""

    field_list: int


@dataclass(frozen=True, slots=True)
class Truncate:
    """Cut the deparsed packet to so many bytes."""

    length: DataExpr


@dataclass(frozen=True, slots=True)
class ExecuteMeter:
    """Store the color (0 green, 1 yellow, 2 red) of a meter's cell in ``target``."""

    meter: int
    index: DataExpr
    target: LValue


@dataclass(frozen=True, slots=True)
class CountIn:
    """Count this packet in a counter's cell; out of range counts nowhere."""

    counter: int
    index: DataExpr


@dataclass(frozen=True, slots=True)
class RegisterRead:
    """``target`` = cell; unchanged when the index is out of range."""

    target: LValue
    register: int
    index: DataExpr


@dataclass(frozen=True, slots=True)
class RegisterWrite:
    """Cell = value, cut to the register's width; nothing when the index is out of range."""

    register: int
    index: DataExpr
    value: DataExpr


@dataclass(frozen=True, slots=True)
class Jump:
    """Go on at primitive ``to`` of this action; its length means the end."""

    to: int


@dataclass(frozen=True, slots=True)
class JumpIfZero:
    """``Jump`` when ``cond`` is 0."""

    cond: DataExpr
    to: int


@dataclass(frozen=True, slots=True)
class Exit:
    """End this pipeline after the action."""


@dataclass(frozen=True, slots=True)
class Assert:
    """``assert`` or ``assume``: the packet is dropped with a log line when ``cond`` is false.

    simple_switch aborts instead; a switch that dies on a packet serves nobody.
    """

    cond: BoolExpr
    assume: bool


@dataclass(frozen=True, slots=True)
class LogMessage:
    """Write a line to the log, each ``{}`` replaced by a value."""

    format: str
    values: tuple[DataExpr, ...]


@dataclass(frozen=True, slots=True)
class NoOp:
    """Nothing."""


Primitive = (
    Assign
    | AssignVariable
    | AssignHeader
    | AssignUnion
    | AssignStack
    | AssignUnionStack
    | AddHeader
    | RemoveHeader
    | PushFront
    | PopFront
    | PushUnions
    | PopUnions
    | MarkToDrop
    | HashTo
    | RandomTo
    | Digest
    | Clone
    | Resubmit
    | Recirculate
    | Truncate
    | ExecuteMeter
    | CountIn
    | RegisterRead
    | RegisterWrite
    | Jump
    | JumpIfZero
    | Exit
    | Assert
    | LogMessage
    | NoOp
)


@dataclass(frozen=True, slots=True)
class ActionParam:
    """A run-time parameter; ``width`` in bits."""

    name: str
    width: int


@dataclass(frozen=True)
class Action:
    """An action, or the body of a control that was made into one."""

    name: str
    id: int
    """The id in the JSON: what ``Entry.action`` holds."""
    params: tuple[ActionParam, ...]
    body: tuple[Primitive, ...]

    @cached_property
    def params_size(self) -> int:
        """Bytes of packed parameters."""
        return sum(byte_width(param.width) for param in self.params)


# ---------------------------------------------------------------------------------------------
# Parsers


@dataclass(frozen=True, slots=True)
class Lookahead:
    """``width`` bits that start ``offset`` bits after the cursor, without consuming them."""

    offset: int
    width: int


@dataclass(frozen=True, slots=True)
class ExtractHeader:
    """Extract into a known header."""

    header: int
    length: DataExpr | None = None
    """Bits of the variable-length field."""


@dataclass(frozen=True, slots=True)
class ExtractNext:
    """Extract into a stack's ``next``; error StackOutOfBounds when it is full."""

    stack: int
    length: DataExpr | None = None


@dataclass(frozen=True, slots=True)
class ExtractNextUnion:
    """Extract into a member of a union stack's ``next``."""

    stack: int
    member: int
    length: DataExpr | None = None


@dataclass(frozen=True, slots=True)
class SetField:
    """Store a value or bits that lie ahead."""

    target: LValue
    value: DataExpr | Lookahead


@dataclass(frozen=True, slots=True)
class Verify:
    """Stop with error code ``error`` unless ``cond``."""

    cond: BoolExpr
    error: DataExpr


@dataclass(frozen=True, slots=True)
class Advance:
    """Skip so many bits (a multiple of 8); error PacketTooShort beyond the end."""

    bits: DataExpr


@dataclass(frozen=True, slots=True)
class ParserCall:
    """An action primitive within a parser state."""

    primitive: Primitive


ParserOp = ExtractHeader | ExtractNext | ExtractNextUnion | SetField | Verify | Advance | ParserCall


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A part of a transition key: its low ``width`` bits, padded to whole bytes."""

    source: DataExpr | Lookahead
    width: int


@dataclass(frozen=True, slots=True)
class OnValue:
    """Taken when ``key & mask == value`` (value is masked already; packed like the key)."""

    value: bytes
    mask: bytes
    next: int | None


@dataclass(frozen=True, slots=True)
class OnSet:
    """Taken when ``key & mask`` equals a member of the value set, masked."""

    value_set: int
    mask: bytes
    next: int | None


Transition = OnValue | OnSet


@dataclass(frozen=True)
class ParseState:
    """A state. ``next`` indices are into ``Parser.states``; ``None`` ends the parser."""

    name: str
    ops: tuple[ParserOp, ...]
    key: tuple[KeyPart, ...]
    transitions: tuple[Transition, ...]
    """Tried in order."""
    default: int | None
    """Where to go when none is taken."""

    @cached_property
    def key_size(self) -> int:
        """Bytes of the packed key."""
        return sum(byte_width(part.width) for part in self.key)


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser; it starts in ``states[start]``."""

    name: str
    start: int | None
    states: tuple[ParseState, ...]


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A parser value set; ``width`` in bits without padding."""

    name: str
    width: int
    size: int


@dataclass(frozen=True, slots=True)
class Errors:
    """The program's error codes for the core errors that the parser raises itself."""

    names: tuple[tuple[str, int], ...]
    """All declared errors, in order."""
    no_error: int
    packet_too_short: int
    stack_out_of_bounds: int
    header_too_short: int
    invalid_argument: int
    """A length that is no multiple of 8 bits."""


@dataclass(frozen=True, slots=True)
class Deparser:
    """Valid headers are emitted in this order."""

    name: str
    order: tuple[int, ...]


# ---------------------------------------------------------------------------------------------
# Calculations and checksums


class Algorithm(Enum):
    """Hash algorithms of simple_switch."""

    CRC16 = "crc16"
    CRC16_CUSTOM = "crc16_custom"
    CRC32 = "crc32"
    CRC32_CUSTOM = "crc32_custom"
    CRC_CCITT = "crcCCITT"
    CSUM16 = "csum16"
    XOR16 = "xor16"
    IDENTITY = "identity"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class InputConst:
    """A constant of ``width`` bits in a calculation's input."""

    value: int
    width: int


@dataclass(frozen=True, slots=True)
class InputHeader:
    """All fields of a header in a calculation's input."""

    header: int


@dataclass(frozen=True, slots=True)
class InputPayload:
    """The payload, that is what the parser left.

    ``JSON_format.md`` also names the headers behind the last one in the input; simple_switch
    leaves them out, and so do we.
    """


CalculationInput = FieldRef | InputConst | InputHeader | InputPayload


@dataclass(frozen=True, slots=True)
class Calculation:
    """A named calculation.

    Its inputs are joined bit by bit, then padded with zeros on the right to whole bytes; fields of
    invalid headers are left out.
    """

    name: str
    algorithm: Algorithm
    inputs: tuple[CalculationInput, ...]


@dataclass(frozen=True, slots=True)
class Checksum:
    """A field that must equal, and is set to, a calculation's result.

    Nothing happens while the target's header is invalid or ``condition`` is false.
    """

    name: str
    target: FieldRef
    calculation: int
    verify: bool
    """Compared after the parser; a difference sets ``checksum_error``."""
    update: bool
    """Stored before the deparser."""
    condition: BoolExpr


# ---------------------------------------------------------------------------------------------
# State


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter array."""

    name: str
    size: int
    direct: bool
    """It counts the hits of a table's entries; ``Table.counter`` points here."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter array."""

    name: str
    size: int
    direct: bool
    bytes: bool
    """It meters bytes, not packets."""
    target: FieldRef | None
    """Where a direct meter's color goes."""


@dataclass(frozen=True, slots=True)
class Register:
    """A register array; ``width`` in bits."""

    name: str
    size: int
    width: int


@dataclass(frozen=True, slots=True)
class FieldList:
    """Metadata that clone, resubmit and recirculate keep."""

    name: str
    fields: tuple[FieldRef, ...]


@dataclass(frozen=True, slots=True)
class DigestList:
    """What a digest carries."""

    name: str
    fields: tuple[FieldRef, ...]


# ---------------------------------------------------------------------------------------------
# Pipelines


class MatchKind(Enum):
    """How a key field, or a table as a whole, matches."""

    EXACT = "exact"
    LPM = "lpm"
    TERNARY = "ternary"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class KeyField:
    """A field of a table's key."""

    name: str
    match: MatchKind
    source: FieldRef | ValidBit
    width: int
    """Bits."""
    mask: int
    """Applied to the packet's value before anything is compared; all ones as a rule."""

    @property
    def size(self) -> int:
        """Bytes in a packed key."""
        return byte_width(self.width)


class Implementation(Enum):
    """How a table finds its action."""

    SIMPLE = "simple"
    PROFILE = "indirect"
    SELECTOR = "indirect_ws"


@dataclass(frozen=True, slots=True)
class TableNode:
    """Apply ``Program.tables[table]``."""

    table: int


@dataclass(frozen=True, slots=True)
class BranchNode:
    """Evaluate ``Program.branches[branch]``."""

    branch: int


@dataclass(frozen=True, slots=True)
class CallNode:
    """Run ``Program.calls[call]``."""

    call: int


Node = TableNode | BranchNode | CallNode


@dataclass(frozen=True, slots=True)
class ByAction:
    """The node after a table, by the action that ran."""

    nodes: tuple[Node | None, ...]
    """Parallel to ``Table.actions``."""


@dataclass(frozen=True, slots=True)
class ByHit:
    """The node after a table, by whether it hit."""

    hit: Node | None
    miss: Node | None


@dataclass(frozen=True, slots=True)
class DefaultEntry:
    """What runs on a miss."""

    action: int
    """The action's id."""
    params: bytes
    """Packed."""
    action_const: bool
    """The control plane must not change the action."""
    entry_const: bool
    """The control plane must not change the parameters either."""


@dataclass(frozen=True)
class Table:
    """A match-action table."""

    name: str
    id: int
    match: MatchKind
    key: tuple[KeyField, ...]
    implementation: Implementation
    profile: int | None
    """Index into ``Program.profiles``."""
    size: int
    """Most entries it may hold."""
    counter: int | None
    """Index into ``Program.counters`` of its direct counter."""
    meter: int | None
    """Index into ``Program.meters`` of its direct meter."""
    support_timeout: bool
    actions: tuple[int, ...]
    """Ids."""
    next: ByAction | ByHit
    next_without_action: Node | None
    """After a miss while there is no default action."""
    default: DefaultEntry | None
    const_entries: tuple[Entry, ...]
    """Entries of the program, packed; while there are any, the table cannot be written."""

    @cached_property
    def key_size(self) -> int:
        """Bytes of a packed key."""
        return sum(field.size for field in self.key)

    @cached_property
    def masked(self) -> bool:
        """Whether its entries have masks: any field is not exact."""
        return any(field.match is not MatchKind.EXACT for field in self.key)

    @cached_property
    def prioritized(self) -> bool:
        """Whether its entries need a priority: any field is ternary or range."""
        return any(f.match in (MatchKind.TERNARY, MatchKind.RANGE) for f in self.key)


@dataclass(frozen=True, slots=True)
class Branch:
    """An ``if``."""

    name: str
    condition: BoolExpr
    if_true: Node | None
    if_false: Node | None


@dataclass(frozen=True, slots=True)
class Call:
    """A direct call of a parameterless action."""

    name: str
    action: int
    """The action's id."""
    next: Node | None


@dataclass(frozen=True, slots=True)
class Profile:
    """An action profile, with a selector or without."""

    name: str
    size: int
    selector: Calculation | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Ingress or egress."""

    name: str
    start: Node | None


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """Fields that simple_switch reads or writes itself; ``None`` where a program has none."""

    ingress_port: FieldRef
    packet_length: FieldRef
    instance_type: FieldRef
    egress_spec: FieldRef
    egress_port: FieldRef
    parser_error: FieldRef | None
    checksum_error: FieldRef | None
    ingress_global_timestamp: FieldRef | None
    egress_global_timestamp: FieldRef | None
    mcast_grp: FieldRef | None
    egress_rid: FieldRef | None
    enq_timestamp: FieldRef | None
    enq_qdepth: FieldRef | None
    deq_timedelta: FieldRef | None
    deq_qdepth: FieldRef | None
    qid: FieldRef | None
    priority: FieldRef | None


@dataclass(frozen=True)
class Program:
    """A loaded program."""

    name: str
    header_types: tuple[HeaderType, ...]
    headers: tuple[Header, ...]
    stacks: tuple[Stack, ...]
    unions: tuple[Union, ...]
    union_stacks: tuple[UnionStack, ...]
    errors: Errors
    value_sets: tuple[ValueSet, ...]
    parser: Parser
    deparser: Deparser
    actions: tuple[Action, ...]
    """In the order of the JSON; see ``actions_by_id``."""
    tables: tuple[Table, ...]
    """Of both pipelines, ingress first."""
    branches: tuple[Branch, ...]
    calls: tuple[Call, ...]
    profiles: tuple[Profile, ...]
    ingress: Pipeline
    egress: Pipeline
    counters: tuple[Counter, ...]
    meters: tuple[Meter, ...]
    registers: tuple[Register, ...]
    calculations: tuple[Calculation, ...]
    checksums: tuple[Checksum, ...]
    field_lists: tuple[FieldList, ...]
    digests: tuple[DigestList, ...]
    intrinsics: Intrinsics

    @cached_property
    def actions_by_id(self) -> dict[int, Action]:
        """Actions by JSON id."""
        return {action.id: action for action in self.actions}

    @cached_property
    def headers_by_name(self) -> dict[str, int]:
        """Indices of headers by name."""
        return {header.name: i for i, header in enumerate(self.headers)}

    @cached_property
    def tables_by_name(self) -> dict[str, int]:
        """Indices of tables by name."""
        return {table.name: i for i, table in enumerate(self.tables)}

    def field(self, ref: FieldRef) -> Field:
        """The declaration of a field."""
        return self.headers[ref.header].type.fields[ref.field]


DROP_PORT = 511
"""Default of ``--drop-port``: an ``egress_spec`` that drops."""


class InstanceType:
    """Values of ``standard_metadata.instance_type`` in simple_switch."""

    NORMAL = 0
    INGRESS_CLONE = 1
    EGRESS_CLONE = 2
    COALESCED = 3
    RECIRC = 4
    REPLICATION = 5
    RESUBMIT = 6


def byte_width(bits: int) -> int:
    """Whole bytes that hold so many bits."""
    return (bits + 7) // 8
