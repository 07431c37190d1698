"""RTSP (RFC 2326): the client names its ports in SETUP, the server's answer its own.

Media within the control connection (``interleaved``) need no gate.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from controller.flow import FORWARD, REVERSE, Direction, text
from controller.gate import Endpoint
from controller.packet import UDP
from controller.spu.alg import text_message
from controller.spu.alg.base import NOTHING, Findings, Pinhole, Sight
from controller.spu.alg.text_message import Message

FIRST_PORT = 1024
_SPECIFICATIONS = 4
"""Alternatives of a Transport field that get gates."""
_CLIENT_PORT = re.compile(rb"(client_port=)(\d{1,5})(?:-(\d{1,5}))?")
_SERVER_PORT = re.compile(rb"(server_port=)(\d{1,5})(?:-(\d{1,5}))?")
_HOST = re.compile(rb"((?:source|destination)=)([0-9A-Fa-f.:]+)")
_FRAME = b"$"
_CALL = "media"


class RtspAlg:
    """One control connection."""

    def __init__(self, sights: tuple[Sight, Sight]) -> None:
        self._sights = sights
        self._clients: dict[int, int] = {}
        """The client's ports by those that the server knows."""

    def measure(self, _direction: Direction, data: bytes) -> int:
        """Messages, and between them frames of interleaved media."""
        if data.startswith(_FRAME):
            return 4 + int.from_bytes(data[2:4], "big") if len(data) >= 4 else 0
        return text_message.size(data)

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """A request, an answer or a frame."""
        if unit.startswith(_FRAME):
            return NOTHING
        message = text_message.take_apart(unit)
        if message is None or b"RTSP/1.0" not in message.start:
            return NOTHING
        if message.start.startswith(b"TEARDOWN "):
            return Findings(ended_calls=(_CALL,))
        if direction == Direction.FORWARD and message.start.startswith(b"SETUP "):
            return self._asked(message)
        if direction == Direction.REVERSE and any(message.values(b"transport")):
            return self._answered(message)
        return NOTHING

    def _asked(self, message: Message) -> Findings:
        """The client waits for media on ``client_port``."""
        ports = [
            match
            for value in message.values(b"transport")
            for match in _CLIENT_PORT.finditer(value)
        ][:_SPECIFICATIONS]
        pinholes = [self._pinhole(Direction.FORWARD, match) for match in ports]
        if not pinholes or None in pinholes:
            return NOTHING

        def render(holes: tuple[Endpoint, ...]) -> bytes:
            ready = iter(holes)

            def replace(match: re.Match[bytes]) -> bytes:
                hole = next(ready, None)
                if hole is None:
                    return match[0]
                low, high = _range(match)
                for n in range(high - low + 1):
                    self._clients[hole.port + n] = low + n
                return _ports(match, hole.port)

            return self._transport(FORWARD, message, lambda value: _CLIENT_PORT.sub(replace, value))

        return Findings(tuple(p for p in pinholes if p is not None), render)

    def _answered(self, message: Message) -> Findings:
        """The server agrees, and names its own ports."""
        values = list(message.values(b"transport"))
        found = next((m for v in values if (m := _SERVER_PORT.search(v))), None)
        pinhole = None if found is None else self._pinhole(Direction.REVERSE, found)

        def render(holes: tuple[Endpoint, ...]) -> bytes:
            def client(match: re.Match[bytes]) -> bytes:
                port = int(match[2])
                return _ports(match, self._clients.get(port, port))

            def server(match: re.Match[bytes]) -> bytes:
                return _ports(match, holes[0].port) if holes else match[0]

            return self._transport(
                REVERSE,
                message,
                lambda value: _SERVER_PORT.sub(server, _CLIENT_PORT.sub(client, value)),
            )

        return Findings(() if pinhole is None else (pinhole,), render)

    def _transport(
        self, direction: Direction, message: Message, change: Callable[[bytes], bytes]
    ) -> bytes:
        """A message whose Transport field has ports and hosts as the other side knows them."""
        sight = self._sights[direction]
        hosts = {
            text(old.address).encode(): text(new.address).encode()
            for old, new in ((sight.own, sight.own_seen), (sight.peer, sight.peer_own))
        }

        def host(match: re.Match[bytes]) -> bytes:
            return match[1] + hosts.get(match[2], match[2])

        fields = [
            (name, _HOST.sub(host, change(v)) if name.strip().lower() == b"transport" else v)
            for name, v in message.fields
        ]
        return message._replace(fields=fields).pack()

    def _pinhole(self, side: Direction, match: re.Match[bytes]) -> Pinhole | None:
        low, high = _range(match)
        if not FIRST_PORT <= low <= high <= min(low + 1, 65535):
            return None
        listener = Endpoint(self._sights[side].own.address, low)
        return Pinhole(
            side, UDP, listener, "junos-rtsp-media", count=high - low + 1, uses=0, call=_CALL
        )


def _range(match: re.Match[bytes]) -> tuple[int, int]:
    return int(match[2]), int(match[3] or match[2])


def _ports(match: re.Match[bytes], port: int) -> bytes:
    low, high = _range(match)
    rest = b"-%d" % (port + high - low) if match[3] else b""
    return match[1] + b"%d" % port + rest
