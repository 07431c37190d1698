"""The model of a BMv2 JSON program: what ``load.py`` returns and both executors run.

Everything is resolved: names became indices into the tuples of ``Program``, hex strings became
integers, and expressions and primitives became closed unions of frozen dataclasses, so an executor
matches on types, ends with ``assert_never`` and looks nothing up by name. Names are kept for
traces, generated code and messages.

headers        types, instances, stacks, unions
expressions    integers, booleans, references
actions        actions and primitives
parser         parsers, value sets, errors, deparsers
calculations   hashes and checksums
state          counters, meters, registers, lists
pipeline       tables, branches, calls

Source: behavioral-model ``docs/JSON_format.md`` (format 2.x) and ``docs/simple_switch.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from p4embed.switch.program.actions import (
    NO_ID,
    Action,
    ActionParam,
    AddHeader,
    Assert,
    Assign,
    AssignHeader,
    AssignStack,
    AssignUnion,
    AssignUnionStack,
    AssignVariable,
    Clone,
    CountIn,
    Digest,
    ExecuteMeter,
    Exit,
    HashTo,
    Jump,
    JumpIfZero,
    LogMessage,
    MarkToDrop,
    NoOp,
    PopFront,
    PopUnions,
    Primitive,
    PushFront,
    PushUnions,
    RandomTo,
    Recirculate,
    RegisterRead,
    RegisterWrite,
    RemoveHeader,
    Resubmit,
    Truncate,
)
from p4embed.switch.program.calculations import (
    Algorithm,
    Calculation,
    CalculationInput,
    Checksum,
    InputConst,
    InputHeader,
    InputPayload,
)
from p4embed.switch.program.expressions import (
    Arithmetic,
    BoolConst,
    BoolExpr,
    BoolOp,
    BoolToData,
    Choose,
    ChooseBool,
    Compare,
    Comparison,
    Const,
    DataExpr,
    DataOp,
    DataToBool,
    FieldOf,
    FieldRef,
    HeaderExpr,
    HeaderRef,
    Invert,
    LastElement,
    LastStackIndex,
    LastUnion,
    Logic,
    LValue,
    Negate,
    Not,
    Param,
    RegisterCell,
    SameHeader,
    SameUnion,
    Saturate,
    StackElement,
    StackSize,
    TwoCompMod,
    UnionElement,
    UnionExpr,
    UnionMember,
    UnionRef,
    UnionValid,
    Valid,
    ValidBit,
)
from p4embed.switch.program.headers import (
    Field,
    Header,
    HeaderType,
    Stack,
    Union,
    UnionStack,
    byte_width,
)
from p4embed.switch.program.parser import (
    Advance,
    Deparser,
    Errors,
    ExtractHeader,
    ExtractNext,
    ExtractNextUnion,
    KeyPart,
    Lookahead,
    OnSet,
    OnValue,
    Parser,
    ParserCall,
    ParserOp,
    ParseState,
    SetField,
    Transition,
    ValueSet,
    Verify,
)
from p4embed.switch.program.pipeline import (
    Branch,
    BranchNode,
    ByAction,
    ByHit,
    Call,
    CallNode,
    DefaultEntry,
    Implementation,
    KeyField,
    MatchKind,
    Node,
    Pipeline,
    Profile,
    Table,
    TableNode,
)
from p4embed.switch.program.state import (
    Counter,
    DigestList,
    FieldList,
    Meter,
    Register,
)

__all__ = [
    "DROP_PORT",
    "NO_ID",
    "PRIORITY_QUEUES",
    "Action",
    "ActionParam",
    "AddHeader",
    "Advance",
    "Algorithm",
    "Arithmetic",
    "Assert",
    "Assign",
    "AssignHeader",
    "AssignStack",
    "AssignUnion",
    "AssignUnionStack",
    "AssignVariable",
    "BoolConst",
    "BoolExpr",
    "BoolOp",
    "BoolToData",
    "Branch",
    "BranchNode",
    "ByAction",
    "ByHit",
    "Calculation",
    "CalculationInput",
    "Call",
    "CallNode",
    "Checksum",
    "Choose",
    "ChooseBool",
    "Clone",
    "Compare",
    "Comparison",
    "Const",
    "CountIn",
    "Counter",
    "DataExpr",
    "DataOp",
    "DataToBool",
    "DefaultEntry",
    "Deparser",
    "Digest",
    "DigestList",
    "Errors",
    "ExecuteMeter",
    "Exit",
    "ExtractHeader",
    "ExtractNext",
    "ExtractNextUnion",
    "Field",
    "FieldList",
    "FieldOf",
    "FieldRef",
    "HashTo",
    "Header",
    "HeaderExpr",
    "HeaderRef",
    "HeaderType",
    "Implementation",
    "InputConst",
    "InputHeader",
    "InputPayload",
    "InstanceType",
    "Intrinsics",
    "Invert",
    "Jump",
    "JumpIfZero",
    "KeyField",
    "KeyPart",
    "LValue",
    "LastElement",
    "LastStackIndex",
    "LastUnion",
    "LogMessage",
    "Logic",
    "Lookahead",
    "MarkToDrop",
    "MatchKind",
    "Meter",
    "Negate",
    "NoOp",
    "Node",
    "Not",
    "OnSet",
    "OnValue",
    "Param",
    "ParseState",
    "Parser",
    "ParserCall",
    "ParserOp",
    "Pipeline",
    "PopFront",
    "PopUnions",
    "Primitive",
    "Profile",
    "Program",
    "PushFront",
    "PushUnions",
    "RandomTo",
    "Recirculate",
    "Register",
    "RegisterCell",
    "RegisterRead",
    "RegisterWrite",
    "RemoveHeader",
    "Resubmit",
    "SameHeader",
    "SameUnion",
    "Saturate",
    "SetField",
    "Stack",
    "StackElement",
    "StackSize",
    "Table",
    "TableNode",
    "Transition",
    "Truncate",
    "TwoCompMod",
    "Union",
    "UnionElement",
    "UnionExpr",
    "UnionMember",
    "UnionRef",
    "UnionStack",
    "UnionValid",
    "Valid",
    "ValidBit",
    "ValueSet",
    "Verify",
    "byte_width",
]


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

PRIORITY_QUEUES = 1
"""Queues of a port, as simple_switch has by default. A packet whose priority none of them has is
dropped."""


class InstanceType(IntEnum):
    """Values of ``standard_metadata.instance_type`` in simple_switch."""

    NORMAL = 0
    INGRESS_CLONE = 1
    EGRESS_CLONE = 2
    COALESCED = 3
    RECIRC = 4
    REPLICATION = 5
    RESUBMIT = 6
