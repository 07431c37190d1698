"""PPTP (RFC 2637): once the server accepts a call, its packets go by GRE.

The NPU knows GRE by its addresses alone (ports 0), not by call identifiers, so nothing in the
control connection has to be rewritten, and a client's address and a server's have one flow of GRE.
Behind translation to one address there is hence one client of PPTP at a time; another one is told
that no gate opens (``NAT_EXHAUSTED``).
"""

from __future__ import annotations

from controller.flow import Direction
from controller.gate import Endpoint
from controller.spu.alg.base import NOTHING, Findings, Pinhole, Sight

GRE = 47
_HEADER = 12
_COOKIE = bytes.fromhex("1a2b3c4d")
_CONTROL = b"\0\1"
_OUTGOING_CALL_REPLY = 8
_CONNECTED = 1
_OVER = frozenset((3, 4, 12, 13))
"""Stop-Control-Connection (request, reply), Call-Clear-Request, Call-Disconnect-Notify."""
_CALL = "call"


class PptpAlg:
    """One control connection."""

    def __init__(self, sights: tuple[Sight, Sight]) -> None:
        self._sights = sights

    def measure(self, _direction: Direction, data: bytes) -> int:
        """A message begins with its length."""
        if len(data) < 2:
            return 0
        length = int.from_bytes(data[:2], "big")
        return length if length >= _HEADER else 0

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A control message."""
        if unit[2:4] != _CONTROL or unit[4:8] != _COOKIE:
            return NOTHING
        kind = int.from_bytes(unit[8:10], "big")
        if kind in _OVER:
            return Findings(ended_calls=(_CALL,))
        accepted = kind == _OUTGOING_CALL_REPLY and unit[16:17] == bytes((_CONNECTED,))
        if direction != Direction.REVERSE or not accepted:
            return NOTHING
        return Findings(both_ways(self._sights, GRE, "junos-gre", _CALL))


def both_ways(
    sights: tuple[Sight, Sight], protocol: int, application: str, call: str = ""
) -> tuple[Pinhole, ...]:
    """Either end may send the first packet of a protocol without ports."""
    return tuple(
        Pinhole(side, protocol, Endpoint(sights[side].own.address, 0), application, call=call)
        for side in Direction
    )
