"""Session descriptions (RFC 8866): where an end wants its media."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from controller.flow import Address, text
from controller.gate import Endpoint

FIRST_PORT = 1024
"""Media to ports below are never let through."""
MEDIA_LIMIT = 8
"""Media streams of a description that get gates; more is nobody's telephone call."""

_MEDIA = re.compile(rb"(m=\S+[ ])(\d{1,5})((?:/\d+)?[ ].*)", re.S)
_CONNECTION = re.compile(rb"(c=IN[ ]IP[46][ ])([0-9A-Fa-f.:]+)(.*)", re.S)
_ORIGIN = re.compile(rb"(o=.*[ ]IN[ ]IP[46][ ])([0-9A-Fa-f.:]+)(.*)", re.S)
_RTCP = re.compile(rb"(a=rtcp:)(\d{1,5})((?:[ ]IN[ ]IP[46][ ])([0-9A-Fa-f.:]+))?(.*)", re.S)


@dataclass(frozen=True, slots=True)
class Media:
    """A port that an end wants media on."""

    endpoint: Endpoint
    count: int
    """2 if RTCP has the port above, otherwise 1."""
    lines: dict[int, int]
    """Where the description says so: number of the line, and how much is added to the port."""


class Description:
    """A session description: its media, and the same for the other side of a translation."""

    def __init__(self, data: bytes) -> None:
        self._lines = data.split(b"\n")
        self.media: list[Media] = []
        general: Address | None = None
        addresses: list[Address | None] = []
        found: list[tuple[int, int]] = []
        controls: dict[int, tuple[int, int]] = {}
        for number, line in enumerate(self._lines):
            if match := _CONNECTION.fullmatch(line):
                if addresses:
                    addresses[-1] = _address(match[2])
                else:
                    general = _address(match[2])
            elif match := _MEDIA.fullmatch(line):
                addresses.append(general)
                found.append((number, int(match[2])))
            elif (match := _RTCP.fullmatch(line)) and found:
                controls[len(found) - 1] = number, int(match[2])
        for index, ((number, port), address) in enumerate(zip(found, addresses, strict=True)):
            if address is None or not any(address) or not _fits(port):
                continue  # on hold, refused, or nonsense
            lines = {number: 0}
            if index not in controls:
                self.media.append(Media(Endpoint(address, port), 2, lines))
                continue
            where, control = controls[index]
            if control == port + 1:
                self.media.append(Media(Endpoint(address, port), 2, lines | {where: 1}))
                continue
            self.media.append(Media(Endpoint(address, port), 1, lines))
            if _fits(control):
                self.media.append(Media(Endpoint(address, control), 1, {where: 0}))
        del self.media[MEDIA_LIMIT:]

    def translated(
        self, holes: tuple[Endpoint, ...], old: frozenset[Address], new: Address
    ) -> bytes:
        """The description with each medium at its hole, and addresses replaced by another."""
        lines = list(self._lines)
        ports = {
            line: hole.port + offset
            for media, hole in zip(self.media, holes, strict=True)
            for line, offset in media.lines.items()
        }
        for number, line in enumerate(lines):
            if match := _CONNECTION.fullmatch(line) or _ORIGIN.fullmatch(line):
                if _address(match[2]) in old:
                    lines[number] = match[1] + text(new).encode() + match[3]
            elif number not in ports:
                continue
            elif match := _MEDIA.fullmatch(line):
                lines[number] = b"%s%d%s" % (match[1], ports[number], match[3])
            elif match := _RTCP.fullmatch(line):
                address = match[3] or b""
                if match[4] and _address(match[4]) in old:
                    address = address.replace(match[4], text(new).encode())
                lines[number] = b"%s%d%s%s" % (match[1], ports[number], address, match[5])
        return b"\n".join(lines)


def _fits(port: int) -> bool:
    return FIRST_PORT <= port <= 65535


def _address(data: bytes) -> Address | None:
    try:
        return ip_address(data.decode()).packed
    except ValueError:
        return None
