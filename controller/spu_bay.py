"""The bay that SPUs sit in: takes one out, puts a fresh one in, and says who must be told.

An SPU that raises an exception has failed: what it knows may be wrong, so it is taken out, and a
fresh one takes its place after a while. One that an operator took out stays out.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from controller.config.schema import SECOND
from controller.flow import FlowKey, Nanoseconds
from controller.messages import (
    CP,
    Actor,
    CreateRequest,
    CreateSession,
    Deliver,
    DrainSpu,
    Message,
    Outbound,
    PacketIn,
    Redirect,
    Role,
    SpuFailed,
)
from controller.reasons import Drop
from controller.spu import Spu

RESTART_DELAY: Nanoseconds = 10 * SECOND
"""How long an SPU that failed stays out. (What made it fail may come again at once.)"""


class Place(Enum):
    """What is in an SPU's place."""

    IN = "in"
    OUT = "taken out"
    FAILED = "failed"


class SpuBay:
    """All SPUs of a chassis, there or not. ``make`` makes a fresh one: number, incarnation."""

    def __init__(self, numbers: list[int], make: Callable[[int, int], Spu]) -> None:
        self._make = make
        self._incarnation = 0
        self.spus: dict[int, Spu] = {number: make(number, 0) for number in sorted(numbers)}
        self._out: dict[int, Nanoseconds | None] = {}
        """When each that is out comes back; ``None``: when an operator says so."""

    def remove(
        self,
        number: int,
        why: str,
        now: Nanoseconds,
        *,
        comes_back: bool,
        flow: FlowKey | None = None,
    ) -> list[Outbound]:
        """An SPU is gone, perhaps because of a flow; whom to tell. Of one that is out already, only
        whether it comes back changes."""
        was_in = self.spus.pop(number, None) is not None
        self._out[number] = now + RESTART_DELAY if comes_back else None
        return [(CP, SpuFailed(number, why, flow))] if was_in else []

    def insert(self, number: int) -> list[Outbound]:
        """A fresh SPU in the place of one that is out; one that is there gets flows again. (The
        fresh one speaks up by itself: its ``deadline`` has come.)"""
        if number in self.spus:
            return [(CP, DrainSpu(number, on=False))]
        self._incarnation += 1
        del self._out[number]
        self.spus[number] = self._make(number, self._incarnation)
        self.spus = dict(sorted(self.spus.items()))
        return []

    def deadline(self) -> Nanoseconds | None:
        """When the next one that failed comes back."""
        if not self._out:
            return None
        return min((at for at in self._out.values() if at is not None), default=None)

    def due(self, now: Nanoseconds) -> list[int]:
        """Those that come back now."""
        return [number for number, at in self._out.items() if at is not None and at <= now]

    def place(self, number: int) -> Place:
        """What is in a place."""
        if number in self.spus:
            return Place.IN
        return Place.OUT if self._out[number] is None else Place.FAILED


def flow_of(message: Message) -> FlowKey | None:
    """The flow that a message is about, if it is about one that another SPU may get too."""
    match message:
        case PacketIn():
            packet = message.parse()
            return None if isinstance(packet, Drop) else packet.key(message.token)
        case CreateSession() | Deliver():
            return message.flow
    return None


def stray(to: Actor, message: Message) -> Outbound | None:
    """What becomes of a message to an SPU that is not there: a packet goes to the central point,
    which knows what to do with it; anything else was for what that SPU knew."""
    assert to.role is Role.SPU
    match message:
        case PacketIn():
            return (CP, message)
        case CreateSession() | Deliver():
            return (CP, Redirect(message.flow, to.number, message.packet))
        case CreateRequest() | Redirect():
            return (CP, message)
    return None
