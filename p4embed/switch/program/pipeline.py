"""Pipelines: tables, branches and calls, and how they follow each other.

Source: behavioral-model ``docs/JSON_format.md``, "pipelines".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from p4embed.switch.engine import Entry
from p4embed.switch.program.calculations import Calculation
from p4embed.switch.program.expressions import BoolExpr, FieldRef, ValidBit
from p4embed.switch.program.headers import byte_width


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

    @cached_property
    def fixed(self) -> bool:
        """Whether it can only ever run its default action: a statement in a table's clothes."""
        default = self.default
        return (
            not self.key
            and self.profile is None
            and default is not None
            and default.action_const
            and (default.entry_const or not default.params)
        )


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
