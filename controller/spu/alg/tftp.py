"""TFTP (RFC 1350): the server answers a request from another port."""

from __future__ import annotations

from controller.flow import Direction
from controller.packet import UDP
from controller.spu.alg.base import NOTHING, Findings, Pinhole, Sight

_READ, _WRITE = b"\0\1", b"\0\2"


class TftpAlg:
    """The flow that a client's requests go by."""

    def __init__(self, sights: tuple[Sight, Sight]) -> None:
        self._sights = sights

    def measure(self, _direction: Direction, data: bytes) -> int:
        """Not over TCP."""
        return len(data)

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A read or write request lets the server come, from any port, to where the request
        came from."""
        if direction != Direction.FORWARD or unit[:2] not in (_READ, _WRITE):
            return NOTHING
        own = self._sights[direction].own
        return Findings((Pinhole(direction, UDP, own, "junos-tftp-data", shares_port=True),))
