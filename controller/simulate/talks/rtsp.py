"""RTSP: films that a client asks for, a track at a time, and the ports they come to."""

from __future__ import annotations

import re

from controller.flow import Tuple5
from controller.packet import UDP
from controller.simulate.flow import CLIENT, SERVER
from controller.simulate.streams import FREE, MILLISECOND
from controller.simulate.talks.media import Media
from controller.simulate.talks.talk import Talk
from controller.simulate.violation import Rule

_CLIENT = re.compile(rb"client_port=(\d+)-(\d+)")
_SERVER = re.compile(rb"server_port=(\d+)-(\d+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_END = b"\r\n\r\n"


def message_size(text: bytes) -> int:
    """Size of the first message of RTSP or SIP; 0: it is not complete."""
    end = text.find(_END)
    if end < 0:
        return 0
    length = _LENGTH.search(text, 0, end)
    size = end + len(_END) + (int(length[1]) if length else 0)
    return size if size <= len(text) else 0


class Rtsp(Talk):
    """A control connection: some tracks are set up, and often torn down."""

    __slots__ = ("ports", "tracks")
    kind = "RTSP"

    def begin(self) -> None:
        self.tracks = 1 + self.dice.below(2)
        self.ports = [0, 0]
        """By side: the first of two that it wants to hear on."""
        super().begin()

    def measure(self, text: bytes) -> int:
        return message_size(text)

    def opened(self) -> None:
        self.rung(FREE)

    def rung(self, _what: int, /) -> None:
        """The client's next request."""
        if not self.tracks:
            if self.dice.hits(700):
                self.tell(CLIENT, b"TEARDOWN rtsp://film RTSP/1.0\r\nCSeq: 9\r\n\r\n")
            else:
                self.close(CLIENT)
            return
        self.tracks -= 1
        self.ports[CLIENT] = port = 2 * self.dice.below(10_000) + 10_000
        transport = b"RTP/AVP;unicast;client_port=%d-%d" % (port, port + 1)
        self.tell(
            CLIENT,
            b"SETUP rtsp://film/%d RTSP/1.0\r\nCSeq: %d\r\nTransport: %s\r\n\r\n"
            % (self.tracks, self.tracks, transport),
        )

    def hear(self, side: int, unit: bytes) -> None:
        asked = _CLIENT.search(unit)
        agreed = _SERVER.search(unit)
        if side == SERVER:
            if asked is None:
                self.tell(SERVER, b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n")
                return
            self.ports[SERVER] = port = 2 * self.dice.below(10_000) + 30_000
            transport = b"RTP/AVP;unicast;%s;server_port=%d-%d" % (asked[0], port, port + 1)
            answer = b"RTSP/1.0 200 OK\r\nCSeq: %d\r\nTransport: %s\r\n\r\n"
            self.tell(SERVER, answer % (self.tracks, transport))
            self._film(port, int(asked[1]))
        elif asked is not None and agreed is not None:
            port = int(asked[1])
            if port != self.ports[CLIENT]:
                what = f"the client is told that it listens on port {port}"
                self.broken(Rule.CONTENTS, f"{what}, not {self.ports[CLIENT]}")
            self._report(port + 1, int(agreed[2]))
            self.wake(self.dice.below(300 * MILLISECOND), FREE)
        else:
            self.close(CLIENT)

    def _film(self, sport: int, hole: int) -> None:
        """The server sends to where the client can be reached."""
        client = self.back
        ahead = Tuple5(client.src, client.dst, sport, hole, UDP)
        self.announce(Media, CLIENT, ahead, (self.there.src, self.ports[CLIENT]))

    def _report(self, sport: int, hole: int) -> None:
        """The client says how it likes the film."""
        there = self.there
        ahead = Tuple5(there.src, there.dst, sport, hole, UDP)
        self.announce(Media, SERVER, ahead, (there.dst, self.ports[SERVER] + 1))
