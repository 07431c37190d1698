"""SPUs that fail, join and drain: what becomes of their sessions, and who gets new ones.

**An SPU fails.** All it knew is gone, so the central point clears up by what it knows itself:

1. The SPU gets no new flow; the NPUs' hash tables are written anew; its gates close; flows that
   were pending there are forgotten, with the ports they were granted.
2. Each NPU removes all of its wings (``PurgeSpu``). Until the last one has, its sessions' entries
   stay, so that no other SPU writes a wing over one that is still there; packets for them are
   dropped by name. What the wings had counted, and the record of their session, is read before
   (``WingsPurged``).
3. The entries go, some at a time, and with each its NAT binding and its close record. The next
   packet of such a flow is a first packet again, for another SPU.

**One joins** (again): it knows nothing and is accepted when step 3 is over. Its session ids begin
behind those of its predecessor, so whatever is still under way for old sessions meets no new one,
and NPUs can tell a late ``InstallWing`` of the one from the first of the other.

**One drains**: it gets no new flow, and keeps those it has. Children of its control sessions are
its own too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

from controller.central_point.balance import Balance
from controller.config.cards import Chassis
from controller.config.schema import SECOND
from controller.flow import FlowKey, Nanoseconds
from controller.messages import (
    OBSERVER,
    Actor,
    Distribute,
    DrainSpu,
    Message,
    PurgeSpu,
    Role,
    SpuAccepted,
    SpuChanged,
    SpuFailed,
    SpuJoined,
    SpuPurged,
    SpuState,
)

E = TypeVar("E")

QUARANTINE: Nanoseconds = 60 * SECOND
"""How long a flow that an SPU failed on is kept from other SPUs: from its client's last try,
usually, or until the ports are used for something else."""
QUARANTINED = 1024
"""Flows that are kept; the oldest goes first."""

SLICE = 2000
"""Entries looked at without a break, to forget those that go."""


@dataclass(slots=True)
class Member(Generic[E]):
    """An SPU as the central point knows it."""

    number: int
    state: SpuState = SpuState.ONLINE
    incarnation: int = 0
    last_session_id: int = 0
    """The newest that was installed."""
    why: str = ""
    """What its state is due to."""
    since: Nanoseconds = 0
    waiting_for: set[int] = field(default_factory=set)
    """NPUs that still remove its wings."""
    left: Iterator[E] | None = None
    """Entries among which its sessions are still to be found and forgotten; ``None``: all are."""
    joining: int | None = None
    """The incarnation that waits to be accepted."""
    created: int = 0
    """Sessions that it set up, ever."""
    lost: int = 0
    """Sessions and pending flows that it took with it, ever."""
    refused: int = 0
    """Flows that were its by their hash, or by the gate they came through, when there was no room
    for a session."""
    unrecorded: int = 0
    """Those of its sessions that ended without a close record: no NPU had a wing of them."""


class Fleet(Generic[E]):
    """The SPUs of a central point. ``E`` is its entry."""

    def __init__(
        self,
        chassis: Chassis,
        balance: Balance,
        *,
        now: Callable[[], Nanoseconds],
        send: Callable[[Actor, Message], None],
        surrender: Callable[[int], Iterator[E]],
        forget: Callable[[int, E], None],
        cleared: Callable[[int], None],
    ) -> None:
        """``now`` is the time of the message in hand, ``send`` answers it; ``surrender`` makes the
        central point give up an SPU's gates and pending flows and gives all its entries; ``forget``
        drops one of these if it is the SPU's and not gone already; ``cleared`` hears that none of
        an SPU's is left."""
        self.members: dict[int, Member[E]] = {n: Member(n) for n in sorted(chassis.spus)}
        self.is_whole = True
        """Whether all SPUs are online: nothing here needs to be asked then."""
        self.quarantine: dict[FlowKey, Nanoseconds] = {}
        """Flows that an SPU failed on, and until when they are kept from others."""
        self._balance = balance
        self._now = now
        self._send = send
        self._npus = [Actor(Role.NPU, number) for number in chassis.npus]
        self._surrender = surrender
        self._forget = forget
        self._forgot_all = cleared

    def is_lost(self, spu: int) -> bool:
        """Whether an SPU is not there."""
        return self.members[spu].state in (SpuState.CLEARING, SpuState.OFFLINE)

    def keeps(self, flow: FlowKey) -> bool:
        """Whether a flow is in quarantine. Only asked if any is."""
        until = self.quarantine.get(flow)
        if until is None:
            return False
        if until <= self._now():
            del self.quarantine[flow]
            return False
        return True

    # -- an SPU fails -------------------------------------------------------------------------

    def failed(self, message: SpuFailed) -> None:
        """Begin to clear up; once for each time that it was there."""
        member = self.members.get(message.spu)
        if member is None:
            return
        if message.flow is not None:
            if len(self.quarantine) >= QUARANTINED:
                del self.quarantine[next(iter(self.quarantine))]
            self.quarantine[message.flow] = self._now() + QUARANTINE
        if self.is_lost(member.number):
            # One that had not been accepted yet knew nothing.
            member.joining = None
            return
        load = self._balance.load_of(member.number)
        self._balance.set_in_service(member.number, False)
        self._change(member, SpuState.CLEARING, message.why, load)
        member.left = self._surrender(member.number)
        member.lost += load
        member.waiting_for = {npu.number for npu in self._npus}
        for npu in self._npus:
            self._send(npu, PurgeSpu(member.number, member.last_session_id))
        self._distribute()
        self._cleared(member)

    def purged(self, message: SpuPurged) -> None:
        """An NPU has none of its wings any more."""
        member = self.members.get(message.spu)
        if member is not None:
            member.waiting_for.discard(message.npu)
            self._cleared(member)

    def deadline(self) -> Nanoseconds | None:
        """When ``tick`` is due."""
        if self.is_whole:
            return None
        return self._now() if any(self._forgettable()) else None

    def tick(self) -> None:
        """Forget some of the sessions that nobody has any more."""
        for member in list(self._forgettable()):
            entries = list(islice(member.left or (), SLICE))
            for entry in entries:
                self._forget(member.number, entry)
            if len(entries) < SLICE:
                member.left = None
            self._cleared(member)

    def _forgettable(self) -> Iterable[Member[E]]:
        return (m for m in self.members.values() if m.left is not None and not m.waiting_for)

    def _cleared(self, member: Member[E]) -> None:
        if member.state is not SpuState.CLEARING or member.waiting_for or member.left is not None:
            return
        self._forgot_all(member.number)
        self._change(member, SpuState.OFFLINE, member.why, 0)
        self._accept(member)

    # -- one joins ----------------------------------------------------------------------------

    def joined(self, message: SpuJoined) -> None:
        """An SPU that knows nothing asks to take part."""
        member = self.members.get(message.spu)
        if member is None:
            return
        if not self.is_lost(member.number):
            if message.incarnation == member.incarnation:
                self._say_accepted(member)  # it did not hear
                return
            self.failed(SpuFailed(message.spu, "it began anew"))
        member.joining = message.incarnation
        self._accept(member)

    def _accept(self, member: Member[E]) -> None:
        if member.joining is None or member.state is not SpuState.OFFLINE:
            return
        member.incarnation, member.joining = member.joining, None
        self._say_accepted(member)
        self._balance.set_in_service(member.number, True)
        self._change(member, SpuState.ONLINE, "it joined", 0)
        self._distribute()

    def _say_accepted(self, member: Member[E]) -> None:
        accepted = SpuAccepted(member.number, member.incarnation, member.last_session_id)
        self._send(Actor(Role.SPU, member.number), accepted)

    # -- one drains ---------------------------------------------------------------------------

    def drain(self, message: DrainSpu) -> None:
        """No new flows for an SPU, or new flows again."""
        member = self.members.get(message.spu)
        if member is None or self.is_lost(member.number):
            return
        state = SpuState.DRAINING if message.on else SpuState.ONLINE
        if member.state is state:
            return
        self._balance.set_in_service(member.number, not message.on)
        why = "no new flows" if message.on else "new flows again"
        self._change(member, state, why, self._balance.load_of(member.number))
        self._distribute()

    def emptied(self, spu: int) -> None:
        """The last session of an SPU ended."""
        member = self.members[spu]
        if member.state is SpuState.DRAINING:
            self._change(member, SpuState.DRAINING, "drained: no session is left", 0)

    # -- telling ------------------------------------------------------------------------------

    def _distribute(self) -> None:
        """NPUs in hash-based distribution give first packets to SPUs in service only."""
        for npu in self._npus:
            self._send(npu, Distribute(self._balance.buckets))

    def _change(self, member: Member[E], state: SpuState, why: str, sessions: int) -> None:
        now = self._now()
        member.state, member.why, member.since = state, why, now
        self.is_whole = all(m.state is SpuState.ONLINE for m in self.members.values())
        changed = SpuChanged(now, member.number, state, why, sessions, member.unrecorded)
        self._send(OBSERVER, changed)
