"""FTP (RFC 959, RFC 2428): PORT and EPRT of the client, the answers to PASV and EPSV.

The client's commands come in the forward direction, the server's answers in the reverse one. Each
announces one data connection to the end that speaks.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from controller.flow import Address, Direction, text
from controller.gate import Endpoint
from controller.packet import TCP
from controller.spu.alg.base import NOTHING, Findings, Pinhole, Render, Sight, line_size

FIRST_PORT = 1024
"""Data connections to ports below are never let through: they would reach services."""

# Numbers are bounded: what comes from outside may have any number of digits.
_SIX = rb"(\d{1,3}(?:,\d{1,3}){5})(?!\d)"
_PORT = re.compile(rb"PORT\s+" + _SIX, re.IGNORECASE)
_EPRT = re.compile(rb"EPRT\s+([!-~])([12])\1([0-9A-Fa-f.:]+)\1(\d{1,5})\1", re.IGNORECASE)
_PASV_ANSWER = re.compile(rb"227[ -].*?(?<!\d)" + _SIX)
_EPSV_ANSWER = re.compile(rb"229[ -].*?\(([!-~])\1\1(\d{1,5})\1\)")
_SECURED = re.compile(rb"234[ -]")
_FAMILY = {4: 1, 16: 2}
"""Network protocol of EPRT by size of the address."""


class FtpAlg:
    """One control connection."""

    def __init__(self, sights: tuple[Sight, Sight]) -> None:
        self._sights = sights
        self._is_secret = False
        """What follows is encrypted (RFC 4217)."""

    def measure(self, _direction: Direction, data: bytes) -> int:
        """Commands and answers are lines."""
        return len(data) if self._is_secret else line_size(data)

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A line, its end included."""
        if self._is_secret:
            return NOTHING
        if direction == Direction.FORWARD:
            if match := _PORT.match(unit):
                return self._comma(direction, unit, match)
            if match := _EPRT.match(unit):
                return self._eprt(direction, unit, match)
        elif match := _PASV_ANSWER.match(unit):
            return self._comma(direction, unit, match)
        elif match := _EPSV_ANSWER.match(unit):
            own = self._sights[direction].own.address
            return self._announced(
                direction, own, int(match[2]), lambda holes: _with(unit, match, 2, _port(holes))
            )
        elif _SECURED.match(unit):
            self._is_secret = True
        return NOTHING

    def _comma(self, direction: Direction, unit: bytes, match: re.Match[bytes]) -> Findings:
        """``h1,h2,h3,h4,p1,p2``"""
        numbers = [int(number) for number in match[1].split(b",")]
        if max(numbers) > 255:
            return NOTHING
        address, port = bytes(numbers[:4]), numbers[4] << 8 | numbers[5]

        def render(holes: tuple[Endpoint, ...]) -> bytes:
            hole = holes[0]
            octets = (*hole.address, hole.port >> 8, hole.port & 255)
            return _with(unit, match, 1, ",".join(map(str, octets)))

        return self._announced(direction, address, port, render)

    def _eprt(self, direction: Direction, unit: bytes, match: re.Match[bytes]) -> Findings:
        """``|family|address|port|``"""
        try:
            address = ip_address(match[3].decode()).packed
        except ValueError:
            return NOTHING
        if _FAMILY[len(address)] != int(match[2]):
            return NOTHING

        def render(holes: tuple[Endpoint, ...]) -> bytes:
            hole, mark = holes[0], match[1].decode()
            family = _FAMILY[len(hole.address)]
            parts = ("", str(family), text(hole.address), str(hole.port), "")
            return unit[: match.start(1)] + mark.join(parts).encode() + unit[match.end() :]

        return self._announced(direction, address, int(match[4]), render)

    def _announced(
        self, direction: Direction, address: Address, port: int, render: Render
    ) -> Findings:
        sight = self._sights[direction]
        own = sight.own.address
        # A server may have been told by what address it is known. A data connection to somebody
        # else (RFC 2577, section 3) opens no gate.
        if address not in (own, sight.own_seen.address) or not FIRST_PORT <= port <= 65535:
            return NOTHING
        pinhole = Pinhole(direction, TCP, Endpoint(own, port), "junos-ftp-data")
        return Findings((pinhole,), render)


def _port(holes: tuple[Endpoint, ...]) -> str:
    return str(holes[0].port)


def _with(unit: bytes, match: re.Match[bytes], group: int, new: str) -> bytes:
    return unit[: match.start(group)] + new.encode() + unit[match.end(group) :]
