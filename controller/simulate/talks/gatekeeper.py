"""H.323 with a gatekeeper: who wants to call asks where the other one is, and then calls directly.

No gateway reads what is asked (RAS, ITU-T H.225.0, aligned PER), so it comes as it was said.
"""

from __future__ import annotations

from controller.flow import Address, Tuple5
from controller.packet import TCP, Packet
from controller.payload import contents
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER
from controller.simulate.frames import TAG_SIZE
from controller.simulate.pieces import Patient
from controller.simulate.talks.h323 import H323
from controller.simulate.violation import Rule

_ADMISSION = bytes.fromhex(
    "24800000004000750073014003007400680065006d01400100750073006400020000000000000000000000000000000000"
)
_CONFIRMED = bytes.fromhex("280000000064000afffffefdfd")
"""With the address and port of who is to be called at its end."""
_REJECTED = bytes.fromhex("2c000000")
_DISENGAGE = bytes.fromhex("3c0000020075007300000000000000000000000000000000000220")
_DISENGAGED = bytes.fromhex("400000")
_SIGNALLING = 1720


def _numbered(shape: bytes, number: int) -> bytes:
    """A message with its number, which stands behind the bits that say what there is in it."""
    at = 2 if shape in (_ADMISSION, _CONFIRMED) else 1
    return shape[:at] + number.to_bytes(2, "big") + shape[at + 2 :]


class Gatekeeper(Patient):
    """Admission is asked for and granted or not; then a call, and the end of it is told."""

    __slots__ = ("called", "hears", "is_granted")
    kind = "H.323 gatekeeper"

    def begin(self) -> None:
        self.called = self._somebody()
        self.is_granted = self.dice.hits(850)
        self.hears = 0
        """Number of the request that the gatekeeper has heard last."""
        super().begin()
        self.questions = 1

    def _somebody(self) -> Address:
        """Near the gatekeeper, and not in a call."""
        network = self.there.dst[:2]
        for host in range(1 << 15):
            at = (self.number + host) % (1 << 15) + (1 << 14)
            address = network + at.to_bytes(2, "big")
            if not self.network.is_taken(address, _SIGNALLING):
                break
        return address

    def _said(self, side: int, number: int) -> bytes:
        """What a side says in a request, or in answer to it."""
        if number > 1:
            return _numbered(_DISENGAGED if side == SERVER else _DISENGAGE, number)
        if side == CLIENT:
            return _numbered(_ADMISSION, number)
        if not self.is_granted:
            return _numbered(_REJECTED, number)
        return _numbered(_CONFIRMED, number)[:-6] + self.called + _SIGNALLING.to_bytes(2, "big")

    def ask(self) -> None:
        message = self._said(CLIENT, self.asked)
        self.put(CLIENT, frames.udp(self.client, self.there, self.tag(CLIENT), message))

    def answer(self) -> None:
        message = self._said(SERVER, self.hears)
        answer = frames.udp(self.server, self.back, self.tag(SERVER), message)
        self.put(SERVER, answer, self.dice.below(1_000_000))

    def heard(self, side: int, packet: Packet, number: int, /) -> None:
        unit = contents(packet)[:-TAG_SIZE]
        asked = next((n for n in (1, 2) if unit == self._said(1 - side, n)), 0)
        if not asked:
            self.broken(Rule.CONTENTS, f"nobody said {unit.hex()}")
        if side == SERVER:
            self.hears = asked
        elif asked != self.asked or self.answered:
            return
        elif asked == 1 and self.is_granted:
            self._call(unit[-6:-2], int.from_bytes(unit[-2:], "big"))
        super().heard(side, packet, number)

    def _call(self, address: Address, port: int) -> None:
        there = self.there
        if self.network.is_taken(address, port):
            return  # somebody else was quicker
        sport = self.free_port(there.src, 40_000, 9_000)
        ahead = Tuple5(there.src, address, sport, port, TCP)
        self.announce(H323, SERVER, ahead, (address, port))
