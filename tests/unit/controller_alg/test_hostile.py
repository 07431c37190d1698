"""What comes from outside may be anything: gateways never raise, and streams stay whole."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.flow import Direction
from controller.gate import Endpoint
from controller.packet import ACK, FIN, PSH
from controller.spu.alg import stream
from controller.spu.alg.base import Alg, Findings, Sight
from controller.spu.alg.ftp import FtpAlg
from controller.spu.alg.registry import GATEWAYS
from controller.spu.alg.stream import Out, Relay

CLIENT, SERVER, HIDDEN = b"\x0a\0\1\2", b"\x0a\0\2\2", b"\x0a\0\2\1"
SIGHTS = (
    Sight(Endpoint(CLIENT, 5060), Endpoint(HIDDEN, 41_000), Endpoint(SERVER, 21),
          Endpoint(SERVER, 21)),
    Sight(Endpoint(SERVER, 21), Endpoint(SERVER, 21), Endpoint(HIDDEN, 41_000),
          Endpoint(CLIENT, 5060)),
)  # fmt: skip
HOLE = Endpoint(HIDDEN, 60_001)

SEEDS = (
    b"PORT 10,0,1,2,4,1\r\n",
    b"EPRT |1|10.0.1.2|5000|\r\n",
    b"227 ok (10,0,2,2,40,1)\r\n",
    b"229 ok (|||6000|)\r\n",
    b"\0\1file\0octet\0",
    b"\0\7\1\0\0\1\0\0\0\0\0\0",
    b"SETUP rtsp://x RTSP/1.0\r\nTransport: RTP/AVP;client_port=5000-5001,RTP/AVP;client_port=7"
    b"\r\n\r\n",
    b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;client_port=60001;server_port=9000-9001\r\n\r\n",
    b"INVITE sip:b@10.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.2;rport=5060\r\nCall-ID: 1@x\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: 76\r\n\r\n"
    b"o=u 1 1 IN IP4 10.0.1.2\r\nc=IN IP4 10.0.1.2\r\nm=audio 6000 RTP/AVP 0\r\na=rtcp:6001\r\n",
    b"INVITE sip:10.0.2.2 SIP/2.0\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n--x\r\n"
    b"Content-Type: application/sdp\r\n\r\nc=IN IP4 10.0.1.2\r\nm=audio 6000 RTP/AVP 0\r\n--x--",
    b"\0\x20\0\1\x1a\x2b\x3c\x4d\0\x08\0\0\0\5\0\6\1\0" + bytes(14),
    bytes(18) + b"\x23" + bytes(9),
    bytes.fromhex(
        "030000840802000105047e0000790520c0060008914a0004000a0001020fa0000000000000000000000000000"
        "000000000dd1c00000007000a0001029c401100000000000000000000000000000000003202120000000c6013"
        "800a040001000a00010217711d400001060401004c60138011140001000a0001021770000a00010217710100"
        "010010800100"
    ),
)


@st.composite
def units(draw: st.DrawFn) -> bytes:
    """Anything, or something sensible with a few bytes changed, cut out or put in."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    unit = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(unit)))
        end = at + draw(st.integers(0, 3))
        unit[at:end] = draw(st.binary(max_size=4) | st.sampled_from((b"999999", b"-1", b"\r\n")))
    return bytes(unit)


@pytest.mark.parametrize("name", GATEWAYS)
@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Direction), units()), max_size=4))
def test_gateway_reads_anything(name: object, said: list[tuple[Direction, bytes]]) -> None:
    alg = GATEWAYS[name]((SIGHTS[0], SIGHTS[1]))  # type: ignore[index]
    for direction, unit in said:
        size = alg.measure(direction, unit)
        assert size >= 0
        findings = alg.take(direction, unit)
        for pinhole in findings.pinholes:
            port = pinhole.listener.port
            assert port == 0 or 1024 <= port < port + pinhole.count <= 65537 or pinhole.shares_port
        holes = tuple(HOLE for _ in findings.pinholes)
        assert isinstance(findings.text(unit, holes), bytes)


class Louder:
    """A gateway whose units are lines, each with another length on the other side."""

    def measure(self, _direction: Direction, data: bytes) -> int:
        return data.find(b"\n") + 1

    def take(self, _direction: Direction, unit: bytes) -> Findings:
        if unit.startswith(b"a"):
            return Findings(render=lambda _: unit * 3)
        if unit.startswith(b"b"):
            return Findings(render=lambda _: b"")
        return Findings()


def spoken(alg: Alg, text: bytes) -> bytes:
    """What should come out of a stream."""
    out = b""
    while text:
        size = alg.measure(Direction.FORWARD, text) or len(text)
        out += alg.take(Direction.FORWARD, text[:size]).text(text[:size])
        text = text[size:]
    return out


class Wire:
    """A sender and a receiver at either end of a relay; what is lost is said again."""

    def __init__(self, relay: Relay, text: bytes, draw: Callable[[int], int]) -> None:
        self.relay, self.text, self.draw = relay, text, draw
        self.base, self.back = 2**32 - 7, 500
        self.acked = self.base
        self.heard = b""
        self.expected = self.base
        self.saw_fin = False
        relay.begin(Direction.FORWARD, self.base - 1, 40)
        relay.begin(Direction.REVERSE, self.back - 1, 40)

    def carry(self, outs: list[Out]) -> None:
        """Deliver what the relay sends, but for what is lost."""
        answers = []
        for out in outs:
            if self.draw(4) == 0:
                continue
            if out.direction == Direction.REVERSE:
                ahead = (out.ack - self.acked) % 2**32
                if ahead < 2**31:
                    self.acked = out.ack
                continue
            offset = (self.expected - out.seq) % 2**32
            if offset <= len(out.data) and (out.data or out.flags & FIN):
                self.heard += out.data[offset:]
                self.expected += len(out.data) - offset
                if out.flags & FIN and not self.saw_fin:
                    self.expected += 1
                    self.saw_fin = True
                self.expected %= 2**32
            answers.append(self.expected)
        for ack in answers:
            if self.draw(4):
                self.carry(self.relay.take(Direction.REVERSE, self.back, ack, ACK, b""))

    def send(self, start: int, end: int) -> None:
        """The sender says a part, the end of the connection with the last one."""
        last = end >= len(self.text)
        flags = ACK | PSH | (FIN if last else 0)
        seq = (self.base + start) % 2**32
        part = self.text[start:end]
        self.carry(self.relay.take(Direction.FORWARD, seq, self.back, flags, part))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from((b"aha\n", b"bye\n", b"c", b"cold\n")), max_size=12), st.data())
def test_stream_is_whole_however_segments_come(lines: list[bytes], data: st.DataObject) -> None:
    """Lost, repeated, overlapping and out of order: the receiver hears each line once, changed as
    the gateway says, and the sender gets all acknowledged."""
    text = b"".join(lines)
    wire = Wire(Relay(Louder()), text, lambda n: data.draw(st.integers(0, n)))
    with patch.object(stream, "LEAST_SIZE", 1):
        for _ in range(data.draw(st.integers(0, 12))):
            start = data.draw(st.integers(0, max(0, len(text) - 1)))
            wire.send(start, start + data.draw(st.integers(1, 9)))
            if data.draw(st.booleans()):
                # A router says that what was sent last is too long.
                wire.carry(wire.relay.narrow(Direction.FORWARD, wire.expected, wire.draw(9) + 1))
    # From now on nothing is lost: what is still open is said again.
    wire.draw = lambda _: 1
    for _ in range(200):
        done = (wire.acked - wire.base) % 2**32
        if done == len(text) + 1:
            break
        wire.send(min(done, len(text)), min(done, len(text)) + 9)
        wire.carry(wire.relay.tick())
    assert wire.heard == spoken(Louder(), text)
    assert wire.saw_fin
    assert not wire.relay.owes


def test_endless_line_passes_unread_and_bounded() -> None:
    relay = Relay(FtpAlg((SIGHTS[0], SIGHTS[1])))
    relay.begin(Direction.FORWARD, 99, 1460)
    relay.begin(Direction.REVERSE, 499, 1460)
    sent = 0
    for n in range(40):
        outs = relay.take(Direction.FORWARD, 100 + n * 1000, 500, ACK, b"x" * 1000)
        sent += sum(len(out.data) for out in outs)
    assert 40_000 - sent <= 16_384


@pytest.mark.parametrize(
    ("direction", "begin", "end"),
    [
        (Direction.FORWARD, b"PORT ", b",0,1,2,4,1\r\n"),
        (Direction.FORWARD, b"EPRT |1|10.0.1.2|", b"|\r\n"),
        (Direction.REVERSE, b"227 ok (", b",0,2,2,40,1)\r\n"),
        (Direction.REVERSE, b"227 ok (", b")\r\n"),
        (Direction.REVERSE, b"229 ok (|||", b"|)\r\n"),
    ],
)
def test_a_number_without_end_is_none_and_costs_nothing(
    direction: Direction, begin: bytes, end: bytes
) -> None:
    alg = FtpAlg((SIGHTS[0], SIGHTS[1]))
    started = process_time()
    assert not alg.take(direction, begin + b"1" * 16_000 + end).pinholes
    assert process_time() - started < 0.3
