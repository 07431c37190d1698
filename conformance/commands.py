"""The commands of a script in STF (see ``stf``), as values. ``line`` is where each stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written: what its digits leave open depends on the key it is matched with."""

    value: int
    """With 0 for each ``*``."""
    digits: int
    """Bits that the written digits cover; 0 for a decimal number."""
    known: int
    """Of these bits, which ones are given: zeros where a ``*`` stands."""
    prefix: int | None = None
    """The length after a ``/``."""


@dataclass(frozen=True, slots=True)
class Call:
    """An action with its arguments by name."""

    action: str
    args: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Add:
    """Insert a table entry."""

    line: int
    table: str
    priority: int | None
    """The higher one wins."""
    keys: tuple[tuple[str, Number], ...]
    call: Call


@dataclass(frozen=True, slots=True)
class SetDefault:
    """Set a table's default action."""

    line: int
    table: str
    call: Call


@dataclass(frozen=True, slots=True)
class Packet:
    """Send a frame into a port."""

    line: int
    port: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class Expect:
    """The next packet out of a port."""

    line: int
    port: int
    pattern: str | None
    """Lower-case hex digits and ``*``; ``None``: any packet."""
    exact: bool
    """Nothing may follow the pattern."""

    def mismatch(self, frame: bytes) -> str | None:
        """How ``frame`` differs, or ``None`` if it is as expected."""
        if self.pattern is None:
            return None
        digits = frame.hex()
        if len(digits) < len(self.pattern):
            return f"{len(frame)} bytes where {(len(self.pattern) + 1) // 2} were expected"
        if self.exact and len(digits) > len(self.pattern):
            return f"{len(frame)} bytes where exactly {len(self.pattern) // 2} were expected"
        for at, (want, got) in enumerate(zip(self.pattern, digits, strict=False)):
            if want not in ("*", got):
                byte = at // 2 * 2
                return (
                    f"byte {at // 2} is {digits[byte : byte + 2]} where"
                    f" {self.pattern[byte : byte + 2]} was expected"
                )
        return None


@dataclass(frozen=True, slots=True)
class ExpectNone:
    """No packet may leave."""

    line: int


@dataclass(frozen=True, slots=True)
class CloneToPort:
    """A clone session with one copy."""

    line: int
    session: int
    port: int


@dataclass(frozen=True, slots=True)
class CloneToGroup:
    """A clone session with the copies of a multicast group."""

    line: int
    session: int
    group: int


@dataclass(frozen=True, slots=True)
class CloneDelete:
    """Delete a clone session."""

    line: int
    session: int


@dataclass(frozen=True, slots=True)
class GroupCreate:
    """Make an empty multicast group."""

    line: int
    group: int


@dataclass(frozen=True, slots=True)
class NodeCreate:
    """Make copies that share a replication id; nodes are numbered from 0 as they are made."""

    line: int
    rid: int
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NodeAssociate:
    """Put a node into a multicast group."""

    line: int
    group: int
    node: int


@dataclass(frozen=True, slots=True)
class RegisterWrite:
    """Write one cell, or with no index all of them."""

    line: int
    register: str
    index: int | None
    value: int


@dataclass(frozen=True, slots=True)
class CheckCounter:
    """Compare a counter's cell."""

    line: int
    counter: str
    index: int
    unit: str
    """``packets`` or ``bytes``."""
    relation: str
    """``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``."""
    value: int


@dataclass(frozen=True, slots=True)
class CounterWrite:
    """Write a counter's cell."""

    line: int
    counter: str
    index: int
    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class MeterRates:
    """Set a meter's rates."""

    line: int
    meter: str
    index: int | None
    rates: tuple[tuple[float, int], ...]
    """Per colour: units per microsecond, burst in units."""


@dataclass(frozen=True, slots=True)
class Note:
    """A command that changes nothing here: ``wait``, and reads whose answer is only printed."""

    line: int
    command: str


Command = (
    Add
    | SetDefault
    | Packet
    | Expect
    | ExpectNone
    | CloneToPort
    | CloneToGroup
    | CloneDelete
    | GroupCreate
    | NodeCreate
    | NodeAssociate
    | RegisterWrite
    | CheckCounter
    | CounterWrite
    | MeterRates
    | Note
)
