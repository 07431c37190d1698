"""What took place in a run, counted: faults, and the paths that first packets took.

So that whoever reads "all rules held" sees what they were held against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from controller.messages import (
    CP,
    AbandonSession,
    Actor,
    CreateRequest,
    CreateSession,
    GatesOpened,
    GatesRefused,
    InstallAck,
    InstallRefused,
    NatGranted,
    PacketDropped,
    PendingExpired,
    SessionClosed,
    WingInstalled,
)
from controller.reasons import Drop
from controller.simulate.options import Fault
from controller.spu.express import NotExpress

Counts = dict[str, int]

_REFUSED_BY = {Drop.NPU_TABLE_FULL: Fault.REFUSAL, Drop.NPU_LOST: Fault.NPU}


class Tally:
    """Counters, by what a person calls them."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        """Flows that have begun."""
        self.deeds: Counter[str] = Counter()
        """What was done about them, where that is more than to let them pass or not."""
        self.walks: Counter[str] = Counter()
        """What first packets met at the central point, and then at their SPUs."""
        self.paths: Counter[NotExpress | None] = Counter()
        """Sessions by why their packets were to go through their SPU; ``None``: they were not."""
        self.closed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.faults: dict[Fault, Counter[str]] = {fault: Counter() for fault in Fault}
        self.on_sent: dict[type, Callable[[Any], None]] = {
            CreateSession: self._create,
            AbandonSession: self._abandon,
            InstallAck: self._acknowledge,
            InstallRefused: self._refuse,
            PendingExpired: self._expire,
            NatGranted: self._grant,
            WingInstalled: self._write,
            CreateRequest: self._deed("flows given to SPUs by hash"),
            GatesOpened: self._deed("gates opened"),
            GatesRefused: self._deed("gates refused"),
        }
        """What to count among the messages that a machine has sent."""

    # -- walks --------------------------------------------------------------------------------

    def _create(self, message: CreateSession) -> None:
        self.walks["pending"] += 1
        if message.passage is not None:
            self.walks["through a gate"] += 1
        if message.called is not None:
            self.walks["by persistent NAT"] += 1

    def _grant(self, _: NatGranted) -> None:
        self.walks["suspended for NAT"] += 1

    def _acknowledge(self, _: InstallAck) -> None:
        self.walks["installed"] += 1

    def _deed(self, what: str) -> Callable[[Any], None]:
        def count(_: Any) -> None:
            self.deeds[what] += 1

        return count

    def _abandon(self, message: AbandonSession) -> None:
        reason = message.reason
        self.walks["answered or begun anew" if reason is Drop.NONE else reason.name] += 1

    def _refuse(self, message: InstallRefused) -> None:
        reason = message.reason
        self.walks["the answer was first" if reason is Drop.NONE else reason.name] += 1

    def _expire(self, _: PendingExpired) -> None:
        self.walks[Drop.PENDING_TIMEOUT.name] += 1

    # -- ends ---------------------------------------------------------------------------------

    def observed(self, name: Actor, message: object) -> None:
        """A message to the observer."""
        if isinstance(message, PacketDropped):
            reason = message.reason.name
            self.dropped[reason] += 1
            if name is CP:
                self.walks[reason] += 1
            if message.reason in (Drop.SESSION_TABLE_FULL, Drop.SPU_FULL, Drop.NAT_EXHAUSTED):
                self.faults[Fault.EXHAUSTION][reason] += 1
        elif isinstance(message, SessionClosed):
            self.closed[message.reason.name] += 1

    def _write(self, message: WingInstalled) -> None:
        if message.error is not None:
            fault = _REFUSED_BY.get(message.error, Fault.SPU)
            self.faults[fault][f"wings refused: {message.error.name}"] += 1

    def happened(self, fault: Fault, what: str, times: int = 1) -> None:
        """A fault took place."""
        self.faults[fault][what] += times
