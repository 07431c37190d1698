"""SIP over UDP and TCP: calls, and the sound that goes both ways.

Over UDP a request is repeated until it is answered, and some come in fragments.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from controller.config.schema import SECOND
from controller.flow import Address, Tuple5, text
from controller.packet import UDP, Packet
from controller.payload import contents
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.pieces import cut
from controller.simulate.streams import FREE, MILLISECOND
from controller.simulate.talks.media import Media
from controller.simulate.talks.rtsp import message_size
from controller.simulate.talks.talk import Talk, is_alike
from controller.simulate.violation import Rule

_ADDRESS = re.compile(rb"\r\nc=IN IP4 ([\d.]+)\r\n")
_PORT = re.compile(rb"\r\nm=audio (\d+) ")
_TRIES = 4
INVITE, TAKEN, BYE, OVER = (
    b"INVITE sip:them SIP/2.0",
    b"SIP/2.0 200 OK",
    b"BYE sip:them SIP/2.0",
    b"SIP/2.0 200 Fine",
)


class Offered(NamedTuple):
    """Where an end wants sound, as the other one was told."""

    address: Address
    port: int


def message(start: bytes, own: Tuple5, call: int, media: int) -> bytes:
    """A message of an end; with a port it describes the sound that the end wants."""
    host = text(own.src).encode()
    body = b""
    if media:
        body = (
            b"v=0\r\no=- 1 1 IN IP4 %s\r\ns=call\r\nc=IN IP4 %s\r\nt=0 0\r\n"
            b"m=audio %d RTP/AVP 0\r\n" % (host, host, media)
        )
    kind = b"Content-Type: application/sdp\r\n" if media else b""
    return (
        b"%s\r\nVia: SIP/2.0 %s %s:%d\r\nFrom: <sip:us@%s>\r\nContact: <sip:us@%s:%d>\r\n"
        b"Call-ID: c%d@call\r\nCSeq: 1\r\n%sContent-Length: %d\r\n\r\n%s"
        % (
            start,
            b"UDP" if own.protocol == UDP else b"TCP",
            host,
            own.sport,
            host,
            host,
            own.sport,
            call,
            kind,
            len(body),
            body,
        )
    )


def offered(unit: bytes) -> Offered | None:
    """What a message describes."""
    address, port = _ADDRESS.search(unit), _PORT.search(unit)
    if address is None or port is None:
        return None
    return Offered(bytes(map(int, address[1].split(b"."))), int(port[1]))


class Call:
    """A call, whatever carries its messages."""

    __slots__ = ("media", "offers")

    def __init__(self) -> None:
        self.media = [0, 0]
        """By side: where it wants sound."""
        self.offers: list[Offered | None] = [None, None]
        """By side: what it has heard of the other one's wish."""

    def hear(self, flow: Flow, side: int, unit: bytes) -> tuple[bytes, int]:
        """Take note; what is to be said in answer, with the port of the sound. Nothing is said to
        what was heard before."""
        known = self.offers[side] is not None
        if unit.startswith((INVITE, TAKEN)):
            offer = offered(unit)
            if offer is None:
                flow.broken(Rule.CONTENTS, f"no sound is described any more in {unit!r}")
            if not known:
                self.offers[side] = offer
        if side == SERVER:
            if unit.startswith(INVITE):
                if not known:
                    self.media[SERVER] = 2 * flow.dice.below(10_000) + 30_000
                return TAKEN, self.media[SERVER]
            return OVER, 0
        if unit.startswith(TAKEN) and not known:
            self.sound(flow)
        return b"", 0

    def sound(self, flow: Flow) -> None:
        """Both ends know where to send to; who is first, nobody knows."""
        caller, called = self.offers[SERVER], self.offers[CLIENT]
        assert caller is not None
        assert called is not None
        there, server = flow.there, flow.back
        for n in (0, 1):
            if n and flow.dice.hits(500):
                return
            mine, yours = self.media[CLIENT] + n, self.media[SERVER] + n
            ahead = Tuple5(there.src, called.address, mine, called.port + n, UDP)
            back = Tuple5(server.src, caller.address, yours, caller.port + n, UDP)
            if flow.dice.hits(500):
                flow.announce(Media, SERVER, ahead, (there.dst, yours), back)
            else:
                flow.announce(Media, CLIENT, back, (there.src, mine), ahead)


class SipTcp(Talk):
    """A call over TCP."""

    __slots__ = ("call",)
    kind = "SIP over TCP"

    def begin(self) -> None:
        self.call = Call()
        super().begin()

    def measure(self, text: bytes) -> int:
        return message_size(text)

    def opened(self) -> None:
        self.call.media[CLIENT] = port = 2 * self.dice.below(10_000) + 10_000
        self.tell(CLIENT, message(INVITE, self.there, self.number, port))

    def hear(self, side: int, unit: bytes) -> None:
        start, media = self.call.hear(self, side, unit)
        if start:
            self.tell(SERVER, message(start, self.back, self.number, media))
        elif unit.startswith(TAKEN):
            self.wake(self.dice.below(900 * MILLISECOND), FREE)
        else:
            self.close(CLIENT)

    def rung(self, _what: int, /) -> None:
        """The client hangs up, or goes without a word."""
        if self.dice.hits(600):
            self.tell(CLIENT, message(BYE, self.there, self.number, 0))
        elif self.dice.hits(500):
            self.close(CLIENT)


class SipUdp(Flow):
    """A call over UDP."""

    __slots__ = ("answered", "asked", "call", "said", "tries")
    kind = "SIP over UDP"
    is_counted = False

    def begin(self) -> None:
        self.call = Call()
        self.said: tuple[list[bytes], list[bytes]] = ([], [])
        """By side, each different message."""
        self.listen(CLIENT, self.there.sport)
        self.listen(SERVER, self.there.dport)
        self.call.media[CLIENT] = port = 2 * self.dice.below(10_000) + 10_000
        self._ask(message(INVITE, self.there, self.number, port))

    def _ask(self, request: bytes) -> None:
        self.asked, self.answered, self.tries = request, False, 0
        self.alarm()

    def alarm(self, what: int = 0, /) -> None:
        """Repeat what is not answered; or hang up."""
        if what == FREE:
            if self.dice.hits(600):
                self._ask(message(BYE, self.there, self.number, 0))
        elif not self.answered and self.tries < _TRIES:
            self.wake((SECOND >> 1) << self.tries)
            self.tries += 1
            self._tell(CLIENT, self.asked)

    def _tell(self, side: int, unit: bytes) -> None:
        wire, ends = (self.server, self.back) if side else (self.client, self.there)
        if unit not in self.said[side]:
            self.said[side].append(unit)
        if self.dice.hits(250):
            blocks = (8 + len(unit) + 7) // 8
            cuts = [0, 2 + self.dice.below(blocks - 3), blocks]
            pieces = cut(wire, ends, self.dice.below(1 << 16), unit, cuts)
            while pieces:
                self.put(side, pieces.pop(self.dice.below(len(pieces))))
        else:
            self.put(side, frames.udp(wire, ends, b"", unit))

    def heard(self, side: int, packet: Packet, _number: int, /) -> None:
        if packet.protocol != UDP:
            return
        unit = contents(packet)
        if not any(is_alike(said, unit) for said in self.said[1 - side]):
            self.broken(Rule.CONTENTS, f"nobody said {unit!r}")
        self.note(side, packet)
        start, media = self.call.hear(self, side, unit)
        if start:
            self._tell(SERVER, message(start, self.back, self.number, media))
        elif side == CLIENT and not self.answered:
            is_taken = unit.startswith(TAKEN)
            if is_taken == self.asked.startswith(INVITE):
                self.answered = True
                if is_taken:
                    self.wake(self.dice.below(900 * MILLISECOND), FREE)

    @property
    def unmet(self) -> str:
        return "" if self.answered else "a request is not answered"
