"""DNS: questions that are over with their answer."""

from __future__ import annotations

from controller.packet import Packet
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER
from controller.simulate.pieces import Patient


class Dns(Patient):
    """Questions from one port, each asked until it is answered."""

    __slots__ = ("asks",)
    kind = "DNS"

    def begin(self) -> None:
        self.asks = 0
        """Identifier of the question that the server heard last."""
        super().begin()

    def _message(self, side: int, asked: int) -> bytes:
        flags = 0x8180 if side == SERVER else 0x0100
        return asked.to_bytes(2, "big") + flags.to_bytes(2, "big") + b"\0\1" + bytes(6)

    def ask(self) -> None:
        message = self._message(CLIENT, self.asked)
        self.put(CLIENT, frames.udp(self.client, self.there, self.tag(CLIENT), message))

    def heard(self, side: int, packet: Packet, number: int, /) -> None:
        self.asks = int.from_bytes(packet.frame[packet.l4 + 8 : packet.l4 + 10], "big")
        if side == SERVER or self.asks == self.asked:
            super().heard(side, packet, number)

    def answer(self) -> None:
        message = self._message(SERVER, self.asks)
        answer = frames.udp(self.server, self.back, self.tag(SERVER), message)
        self.put(SERVER, answer, self.dice.below(1_000_000))
