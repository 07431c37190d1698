"""Where values live: header types, their instances, stacks and unions."""

from __future__ import annotations

from dataclasses import dataclass, field

from p4embed.compiler.diagnostics import Span
from p4embed.compiler.ir.expressions import Scalar


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
