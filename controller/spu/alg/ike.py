"""IKE (RFC 2409, RFC 7296) and the ESP that it arranges, passing through.

What ends agree on is encrypted. But an answer in an exchange that makes security associations says
that there will be ESP between the two; ESP has no ports, so one pair of addresses has one flow of
it, as with PPTP. Ends that find a translation between them use UDP port 4500 instead of ESP.
"""

from __future__ import annotations

from controller.flow import Direction
from controller.spu.alg.base import NOTHING, Findings, Sight
from controller.spu.alg.pptp import both_ways

ESP = 50
_HEADER = 28
_QUICK_MODE, _IKE_AUTH, _CREATE_CHILD = 32, 35, 36


class IkeAlg:
    """The exchanges between two ends."""

    def __init__(self, sights: tuple[Sight, Sight]) -> None:
        self._sights = sights

    def measure(self, _direction: Direction, data: bytes) -> int:
        """Not over TCP."""
        return len(data)

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A message; its exchange type is in clear."""
        if len(unit) < _HEADER or direction != Direction.REVERSE:
            return NOTHING
        if unit[18] not in (_QUICK_MODE, _IKE_AUTH, _CREATE_CHILD):
            return NOTHING
        return Findings(both_ways(self._sights, ESP, "junos-esp"))
