"""The global session table: both wings of every session, and the flows that are pending.

Pure data. What else a flow has of the chassis (load, ports, gates, limits) is its owner's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from controller.central_point.leases import Lease
from controller.flow import Direction, FlowKey, Nanoseconds, WingState
from controller.messages import Grant
from controller.timers import Timers


class Entry:
    """What the global table knows of a session; both wings' keys lead to the same entry."""

    __slots__ = ("attempt", "forward", "leases", "nat", "reverse", "session_id", "spu")

    def __init__(self, forward: FlowKey, spu: int) -> None:
        self.forward = forward
        self.spu = spu
        self.reverse: FlowKey | None = None
        """``None`` while the forward wing is pending."""
        self.session_id = 0
        """0 while pending."""
        self.attempt = 0
        """Which pending wing it is; 0 once it is a session."""
        self.nat: Grant | None = None
        """What it was granted and has not released."""
        self.leases: tuple[Lease, ...] = ()
        """Ports that it has from a gate it came through."""


@dataclass(frozen=True, slots=True)
class CpWing:
    """A wing as ``show security flow cp-session`` has it."""

    session_id: int
    """0 while pending."""
    spu: int
    direction: Direction
    state: WingState
    key: FlowKey


@dataclass(frozen=True, slots=True)
class CpCounts:
    """Sizes of the global table."""

    active: int
    """Sessions."""
    pending: int
    """Wings without a session yet."""
    maximum: int
    """Sessions that the chassis may have, if all are of IPv4."""
    by_spu: dict[int, int]
    """Sessions and pending wings of each SPU."""
    ipv6_by_spu: dict[int, int]
    """Those of them that are of IPv6, and take two places of the maximum."""
    reclaimed: int
    """Wings so far that were pending for too long."""


class SessionTable:
    """Entries by wing, and the time-outs of those that are pending."""

    def __init__(self) -> None:
        self.by_key: dict[FlowKey, Entry] = {}
        """To look things up; only the methods below change it."""
        self.pending: Timers[FlowKey] = Timers()
        """When pending forward wings have been so for too long."""
        self.active = 0
        """Sessions, pending ones apart."""
        self._attempts = 0

    def enter(self, entry: Entry, until: Nanoseconds) -> None:
        """A forward wing is pending."""
        flow = entry.forward
        self._attempts = entry.attempt = self._attempts + 1
        self.by_key[flow] = entry
        self.pending.set(flow, until)

    def activate(self, entry: Entry, reverse: FlowKey, session_id: int) -> None:
        """What was pending is a session, with a reverse wing that is nobody else's."""
        self.pending.cancel(entry.forward)
        entry.reverse = reverse
        entry.session_id = session_id
        entry.attempt = 0
        self.by_key[reverse] = entry
        self.active += 1

    def remove(self, entry: Entry) -> bool:
        """Both wings go, or the pending one; whether it was pending."""
        del self.by_key[entry.forward]
        if entry.reverse is None:
            self.pending.cancel(entry.forward)
            return True
        del self.by_key[entry.reverse]
        self.active -= 1
        return False

    def session(self, wing: FlowKey, session_id: int) -> Entry | None:
        """The session of a wing, if that is the one that is meant."""
        entry = self.by_key.get(wing)
        if entry is None or entry.reverse is None or entry.session_id != session_id:
            return None
        return entry

    def entries(self) -> Iterator[Entry]:
        """Every entry, once."""
        return (entry for key, entry in self.by_key.items() if key == entry.forward)

    def wings(self) -> Iterator[CpWing]:
        """Every wing, as it is now."""
        for key, entry in list(self.by_key.items()):
            yield CpWing(
                entry.session_id,
                entry.spu,
                Direction.FORWARD if key == entry.forward else Direction.REVERSE,
                WingState.PENDING if entry.reverse is None else WingState.ACTIVE,
                key,
            )

    def audit(self) -> list[str]:
        """What is left, in words."""
        left = [f"wing {wing}" for wing in self.wings()]
        left += [f"pending timer {flow}" for flow in self.pending]
        if self.active:
            left.append(f"{self.active} sessions counted")
        return left
