"""A fresh SPU asks to take part, and until it may does nothing else.

It knows no session. What still comes for an earlier SPU with its number is either of no more use,
or a packet: that goes to the central point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.config.schema import SECOND
from controller.flow import Nanoseconds
from controller.messages import (
    CreateSession,
    Deliver,
    Message,
    PacketIn,
    Reconfigure,
    Redirect,
    SpuAccepted,
    SpuJoined,
)
from controller.reasons import Drop
from controller.spu.core import Core

REPEAT: Nanoseconds = SECOND
"""How often it asks."""


class Joining:
    """Takes an SPU's messages until the central point accepts it."""

    def __init__(self, core: Core, incarnation: int, accepted: Callable[[], None]) -> None:
        self._core = core
        self._incarnation = incarnation
        self._accepted = accepted
        self.next_ask: Nanoseconds = 0

    def ask(self) -> None:
        """Ask (again)."""
        core = self._core
        self.next_ask = core.now + REPEAT
        core.to_cp(SpuJoined(core.number, self._incarnation))

    def take(self, message: Message) -> None:
        """Any message."""
        match message:
            case SpuAccepted():
                if message.incarnation == self._incarnation:
                    self._core.begin_ids_behind(message.last_session_id)
                    self._accepted()
            case Reconfigure():
                self._core.configure(message.configuration)
            case PacketIn():
                self._pass_on(message)
            case CreateSession() | Deliver():
                core = self._core
                core.to_cp(Redirect(message.flow, core.number, message.packet))

    def _pass_on(self, message: PacketIn) -> None:
        core = self._core
        packet = message.parse()
        if isinstance(packet, Drop):
            core.drop(packet, None, f"malformed packet of session {message.session_id}")
        else:
            core.to_cp(Redirect(packet.key(message.token), core.number, message))


class Closed(dict[type, Callable[[Any], None]]):
    """Handlers of a machine that takes every message in the same way."""

    def __init__(self, take: Callable[[Any], None]) -> None:
        super().__init__()
        self._take = take

    def __missing__(self, _: type) -> Callable[[Any], None]:
        return self._take
