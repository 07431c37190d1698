"""IKE: security associations are agreed on, and ESP goes either way, by whichever end is first."""

from __future__ import annotations

from controller.packet import Packet
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER
from controller.simulate.pieces import Patient
from controller.simulate.talks.media import Esp, announce_tunnel
from controller.spu.alg.ike import ESP

_INIT, _AUTH, _CHILD, _INFORM = 34, 35, 36, 37
_IKE2 = 0x20
_AT = 16
"""Where next payload, version, kind, flags and number stand."""


class Ike(Patient):
    """Two exchanges that set it up, and sometimes a third; each asked until it is answered."""

    __slots__ = ("heard_last", "is_agreed")
    kind = "IKE"

    def begin(self) -> None:
        self.heard_last = _INIT, 0
        """Kind and number of the request that the responder has heard last."""
        self.is_agreed = False
        """There is ESP."""
        super().begin()
        self.questions = 1 + self.dice.below(2)

    def _request(self) -> tuple[int, int]:
        if self.asked < 3:
            return (_INIT, _AUTH)[self.asked - 1], self.asked - 1
        return (_CHILD if self.number & 1 else _INFORM), self.asked - 1

    def _message(self, side: int, kind: int, number: int) -> bytes:
        flags = 0x20 if side == SERVER else 0x08
        body = self.number.to_bytes(8, "big") + bytes((0xAB,)) * 8
        body += bytes((0, _IKE2, kind, flags)) + number.to_bytes(4, "big")
        return body + (28 + frames.TAG_SIZE).to_bytes(4, "big")

    def ask(self) -> None:
        message = self._message(CLIENT, *self._request())
        self.put(CLIENT, frames.udp(self.client, self.there, self.tag(CLIENT), message))

    def answer(self) -> None:
        message = self._message(SERVER, *self.heard_last)
        answer = frames.udp(self.server, self.back, self.tag(SERVER), message)
        self.put(SERVER, answer, self.dice.below(1_000_000))

    def heard(self, side: int, packet: Packet, number: int, /) -> None:
        at = packet.l4 + 8 + _AT
        head = packet.frame[at : at + 8]
        kind, count = head[2], int.from_bytes(head[4:], "big")
        if side == SERVER:
            self.heard_last = kind, count
        elif (kind, count) != self._request() or self.answered:
            return
        elif kind in (_AUTH, _CHILD):
            self._agree()
        super().heard(side, packet, number)

    def _agree(self) -> None:
        """ESP between the two, once: it has no ports to tell one from another."""
        if self.is_agreed:
            return
        self.is_agreed = True
        announce_tunnel(self, Esp, ESP)
