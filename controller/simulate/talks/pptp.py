"""PPTP: a tunnel is asked for, and its packets go by GRE, either end's first."""

from __future__ import annotations

from controller.simulate.flow import CLIENT, SERVER
from controller.simulate.streams import FREE, MILLISECOND
from controller.simulate.talks.media import Tunnel, announce_tunnel
from controller.simulate.talks.talk import Talk

_GRE = 47
_START, _STARTED, _STOP, _STOPPED, _CALL, _ACCEPTED, _CLEAR = 1, 2, 3, 4, 7, 8, 12


def _message(kind: int, result: int = 0) -> bytes:
    """Length, type, magic cookie, kind; identifiers, then a result (RFC 2637, 2)."""
    body = b"\0\1" + bytes.fromhex("1a2b3c4d") + kind.to_bytes(2, "big") + bytes(6)
    body += bytes((result,)) + bytes(15)
    return (len(body) + 2).to_bytes(2, "big") + body


class Pptp(Talk):
    """A control connection, one call, and its end, if it is told."""

    __slots__ = ()
    kind = "PPTP"

    def measure(self, text: bytes) -> int:
        size = int.from_bytes(text[:2], "big")
        return size if len(text) >= max(size, 2) else 0

    def is_same(self, said: bytes, heard: bytes) -> bool:
        return said == heard

    def opened(self) -> None:
        self.tell(CLIENT, _message(_START))

    def hear(self, side: int, unit: bytes) -> None:
        kind = unit[9]
        if side == SERVER:
            if kind == _START:
                self.tell(SERVER, _message(_STARTED, 1))
            elif kind == _CALL:
                self.tell(SERVER, _message(_ACCEPTED, 1))
            elif kind == _STOP:
                self.tell(SERVER, _message(_STOPPED, 1))
        elif kind == _STARTED:
            self.tell(CLIENT, _message(_CALL))
        elif kind == _ACCEPTED:
            announce_tunnel(self, Tunnel, _GRE)
            self.wake(self.dice.below(900 * MILLISECOND), FREE)
        else:
            self.close(CLIENT)

    def rung(self, _what: int, /) -> None:
        """The client has enough, or goes without a word."""
        if self.dice.hits(600):
            self.tell(CLIENT, _message(_CLEAR))
            self.tell(CLIENT, _message(_STOP))
        elif self.dice.hits(500):
            self.close(CLIENT)
