"""Match-action: actions, tables with their entries, conditions, and pipelines of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from p4embed.compiler.diagnostics import Span
from p4embed.compiler.ir.expressions import Expr, FieldRef
from p4embed.compiler.ir.primitives import Primitive


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
