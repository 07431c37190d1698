"""DNS (RFC 1035): a session is over when all that was asked is answered."""

from __future__ import annotations

from controller.flow import Direction
from controller.reasons import Close
from controller.spu.alg.base import NOTHING, Findings, Sight

HEADER = 12
_RESPONSE = 0x80
_OUTSTANDING_LIMIT = 256
"""Questions remembered; a client that asks more than that at once ends by its time-out."""


def is_reply(message: bytes) -> bool:
    """Whether a message is an answer (bit QR)."""
    return len(message) >= HEADER and bool(message[2] & _RESPONSE)


class DnsAlg:
    """One flow of questions and answers. A resolver may ask several at once from one port."""

    def __init__(self, _sights: tuple[Sight, Sight]) -> None:
        self._open: set[bytes] = set()
        """Identifiers of what is not answered yet."""
        self._asked_more = False
        """More was asked than that: nobody knows when all of it is answered."""

    def measure(self, _direction: Direction, data: bytes) -> int:
        """Not over TCP."""
        return len(data)

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A message; the answer to the last question ends the session."""
        if len(unit) < HEADER or self._asked_more:
            return NOTHING
        identifier = unit[:2]
        if direction == Direction.FORWARD:
            if is_reply(unit):
                return NOTHING
            # Asked again, it is still one question.
            self._open.add(identifier)
            if len(self._open) > _OUTSTANDING_LIMIT:
                self._open.clear()
                self._asked_more = True
        elif is_reply(unit) and identifier in self._open:
            self._open.remove(identifier)
            if not self._open:
                return Findings(ends_session=Close.RESPONSE_RECEIVED)
        return NOTHING
