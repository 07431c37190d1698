"""What happened to a packet, step by step: each table, key, entry, action and header change.

The reference executor tells these events to whoever asks; ``str(event)`` is a line for people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from p4embed.switch.engine import EntryKey


@dataclass(frozen=True, slots=True)
class Arrived:
    """A packet starts (or, after resubmit or recirculate, starts again)."""

    port: int
    frame: bytes
    again: str = ""
    """``resubmit`` or ``recirculate``."""

    def __str__(self) -> str:
        how = f", {self.again}" if self.again else ""
        return f"packet of {len(self.frame)} bytes on port {self.port}{how}"


@dataclass(frozen=True, slots=True)
class ParserState:
    """The parser enters a state."""

    name: str

    def __str__(self) -> str:
        return f"  parser state {self.name}"


@dataclass(frozen=True, slots=True)
class Extracted:
    """A header was extracted."""

    header: str
    fields: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"    extract {self.header}: " + ", ".join(f"{n}={v:#x}" for n, v in self.fields)


@dataclass(frozen=True, slots=True)
class ParserStopped:
    """The parser ended with an error."""

    error: str

    def __str__(self) -> str:
        return f"    parser error {self.error}"


@dataclass(frozen=True, slots=True)
class ChecksumVerified:
    """A checksum was compared."""

    field: str
    ok: bool

    def __str__(self) -> str:
        return f"  checksum {self.field} {'correct' if self.ok else 'WRONG'}"


@dataclass(frozen=True, slots=True)
class Entered:
    """A pipeline starts."""

    pipeline: str

    def __str__(self) -> str:
        return f"  {self.pipeline}:"


@dataclass(frozen=True, slots=True)
class Branched:
    """An ``if`` was decided."""

    name: str
    taken: bool

    def __str__(self) -> str:
        return f"    if {self.name}: {'true' if self.taken else 'false'}"


@dataclass(frozen=True, slots=True)
class TableApplied:
    """A table was looked up."""

    table: str
    key: tuple[tuple[str, int], ...]
    hit: bool
    action: str | None
    params: tuple[tuple[str, int], ...]
    entry: EntryKey | None = None
    """What it hit, packed."""

    def __str__(self) -> str:
        key = ", ".join(f"{name}={value:#x}" for name, value in self.key)
        params = ", ".join(f"{name}={value:#x}" for name, value in self.params)
        run = "nothing" if self.action is None else f"{self.action}({params})"
        result = "hit" if self.hit else "miss"
        if self.entry is not None and self.entry.mask:  # an exact entry is what the key is
            result += f" {self.entry.value.hex()} mask {self.entry.mask.hex()}"
            if self.entry.priority:
                result += f" priority {self.entry.priority}"
        return f"    table {self.table} [{key}]: {result}, {run}"


@dataclass(frozen=True, slots=True)
class Selected:
    """A group's member was selected by hash."""

    member: int
    size: int
    """Of the group, weights counted."""

    def __str__(self) -> str:
        return f"    member {self.member} selected, group of {self.size}"


@dataclass(frozen=True, slots=True)
class Learned:
    """A digest goes to the controller."""

    digest: str

    def __str__(self) -> str:
        return f"  digest {self.digest}"


@dataclass(frozen=True, slots=True)
class FieldSet:
    """A field changed."""

    field: str
    old: int
    new: int

    def __str__(self) -> str:
        return f"      {self.field}: {self.old:#x} -> {self.new:#x}"


@dataclass(frozen=True, slots=True)
class ValiditySet:
    """A header turned valid or invalid."""

    header: str
    valid: bool

    def __str__(self) -> str:
        return f"      {self.header} {'valid' if self.valid else 'invalid'}"


@dataclass(frozen=True, slots=True)
class Queued:
    """Ingress is done; a copy goes to egress."""

    port: int
    why: str

    def __str__(self) -> str:
        return f"  {self.why} to port {self.port}"


@dataclass(frozen=True, slots=True)
class Dropped:
    """The packet ends here."""

    where: str

    def __str__(self) -> str:
        return f"  dropped: {self.where}"


@dataclass(frozen=True, slots=True)
class Transmitted:
    """A packet leaves."""

    port: int
    frame: bytes

    def __str__(self) -> str:
        return f"  {len(self.frame)} bytes leave by port {self.port}"


@dataclass(frozen=True, slots=True)
class Logged:
    """The program's own ``log_msg``, or a complaint of the executor."""

    text: str

    def __str__(self) -> str:
        return f"      log: {self.text}"


Event = (
    Arrived
    | ParserState
    | Extracted
    | ParserStopped
    | ChecksumVerified
    | Entered
    | Branched
    | TableApplied
    | Selected
    | Learned
    | FieldSet
    | ValiditySet
    | Queued
    | Dropped
    | Transmitted
    | Logged
)

Tracer = Callable[[Event], None]
