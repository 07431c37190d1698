"""Actions and their primitives.

Source: behavioral-model ``docs/JSON_format.md``, "actions".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from p4embed.switch.program.expressions import (
    BoolExpr,
    DataExpr,
    FieldRef,
    HeaderExpr,
    LValue,
    UnionExpr,
)
from p4embed.switch.program.headers import byte_width


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


NO_ID = -1
"""The id of what is no action of the JSON: statements of a deparser."""


@dataclass(frozen=True)
class Action:
    """An action, or the body of a control that was made into one."""

    name: str
    id: int
    """The id in the JSON: what ``Entry.action`` holds; or ``NO_ID``."""
    params: tuple[ActionParam, ...]
    body: tuple[Primitive, ...]

    @cached_property
    def params_size(self) -> int:
        """Bytes of packed parameters."""
        return sum(byte_width(param.width) for param in self.params)
