"""The server's end of HTTP/2, against the client of the ``h2`` library, and against bad frames."""

from __future__ import annotations

import random
from collections.abc import Sequence
from struct import pack

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes

from p4embed.http2 import ErrorCode, Header, Http2Error, ServerConnection, Stream, spelt_out
from p4embed.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)

REQUEST = [(":method", "POST"), (":path", "/x"), (":scheme", "http"), (":authority", "s")]
ANSWER = spelt_out(((b":status", b"200"),))
TRAILERS = spelt_out(((b"grpc-status", b"0"),))
BLOCK = spelt_out(tuple((name.encode(), value.encode()) for name, value in REQUEST))
LONGEST_HEADERS = 1 << 16


class Echo(Stream):
    """Sends back what it gets, and ends when the client does."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.headers: list[Sequence[Header]] = []
        self.data = b""
        self.resets: list[int] = []
        self.gone = 0

    def on_headers(self, headers: Sequence[Header]) -> None:
        self.headers.append(headers)
        if len(self.headers) == 1:
            self.server.http.send_headers(self, ANSWER)

    def on_data(self, data: bytes) -> None:
        self.data += data
        self.outgoing.append(data)
        self.server.http.wants_to_send(self)

    def on_end(self) -> None:
        self.end = TRAILERS
        self.server.http.wants_to_send(self)

    def on_reset(self, code: int) -> None:
        self.resets.append(code)

    def on_gone(self) -> None:
        self.gone += 1


class Server:
    """With all streams that it ever had."""

    def __init__(self, most_streams: int = 10, stream_window: int = 1 << 20) -> None:
        self.calls: list[Echo] = []
        self.http = ServerConnection(
            self.accept,
            most_streams=most_streams,
            stream_window=stream_window,
            connection_window=1 << 21,
            longest_headers=LONGEST_HEADERS,
        )

    def accept(self) -> Echo:
        self.calls.append(Echo(self))
        return self.calls[-1]


class Client:
    """Of ``h2``, joined to a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.events: list[Event] = []
        self.h2.initiate_connection()
        self.talk()

    def talk(self) -> None:
        """Until both have said all."""
        while True:
            there = self.h2.data_to_send()
            if there:
                self.server.http.receive(there)
            back = self.server.http.to_send()
            if back:
                self.events += self.h2.receive_data(back)
            if not there and not back:
                return

    def ask(self, *pieces: bytes, pad: int | None = None) -> int:
        """A request with data."""
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, REQUEST)
        for piece in pieces:
            self.h2.send_data(stream_id, piece, pad_length=pad)
        self.h2.end_stream(stream_id)
        self.talk()
        return stream_id

    def got(self, stream_id: int) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, DataReceived) and event.stream_id == stream_id
        )

    def kinds(self, stream_id: int) -> list[type]:
        return [
            type(event) for event in self.events if getattr(event, "stream_id", None) == stream_id
        ]


def test_requests_and_answers() -> None:
    client = Client(Server())
    for number in range(50):
        stream_id = client.ask(b"one", b"another", pad=number % 3 * 50 or None)
        assert client.got(stream_id) == b"oneanother"
        kinds = client.kinds(stream_id)
        assert kinds[0] is ResponseReceived
        assert kinds[-2:] == [TrailersReceived, StreamEnded]
    assert not client.server.http.streams
    assert all((call.gone, call.resets) == (1, []) for call in client.server.calls)


def test_many_at_once() -> None:
    client = Client(Server())
    ids = [client.h2.get_next_available_stream_id() + 2 * n for n in range(10)]
    for stream_id in ids:
        client.h2.send_headers(stream_id, REQUEST)
    for _ in range(3):
        for stream_id in ids:
            client.h2.send_data(stream_id, b"%d," % stream_id)
    client.talk()
    for stream_id in ids:
        client.h2.end_stream(stream_id)
    client.talk()
    assert [client.got(stream_id) for stream_id in ids] == [b"%d," % n * 3 for n in ids]


def test_windows_are_kept_to_and_opened_again() -> None:
    client = Client(Server(stream_window=1 << 17))
    stream_id = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream_id, REQUEST)
    sent = bytes(range(256)) * 4096
    at = 0
    while at < len(sent):
        client.talk()
        room = min(client.h2.local_flow_control_window(stream_id), 16384, len(sent) - at)
        assert room > 0  # The server opens its windows again.
        client.h2.send_data(stream_id, sent[at : at + room])
        at += room
    client.h2.end_stream(stream_id)
    client.talk()
    assert len(client.got(stream_id)) == 65535  # and does not send what the client has no room for
    while len(client.got(stream_id)) < len(sent):
        before = len(client.got(stream_id))
        client.h2.increment_flow_control_window(50000)
        client.h2.increment_flow_control_window(30000, stream_id)
        client.talk()
        assert len(client.got(stream_id)) == min(before + 30000, len(sent))
    assert client.got(stream_id) == sent
    assert client.kinds(stream_id)[-1] is StreamEnded


def test_settings_change_windows_and_frames() -> None:
    client = Client(Server())
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    client.talk()
    stream_id = client.ask(*[bytes(10000)] * 4)
    assert len(client.got(stream_id)) == 10
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 4})
    client.talk()
    client.h2.update_settings({SettingCodes.MAX_FRAME_SIZE: 20000})
    client.talk()
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 60000})
    client.talk()
    assert len(client.got(stream_id)) == 40000
    longest = max(len(event.data) for event in client.events if isinstance(event, DataReceived))
    assert 16384 < longest <= 20000


def test_long_header_blocks_both_ways() -> None:
    server = Server()
    client = Client(server)
    client.h2.send_headers(1, [*REQUEST, *((f"x-{n}", "y" * 1000) for n in range(40))])
    client.talk()
    assert len(server.calls[0].headers[0]) == 44
    server.calls[0].end = spelt_out(((b"grpc-status", b"2"), (b"long", bytes(b"z" * 50000))))
    server.http.wants_to_send(server.calls[0])
    client.talk()
    assert TrailersReceived in client.kinds(1)
    assert client.kinds(1)[-1] is StreamReset  # Nobody reads what else the client has to say.
    assert not server.http.streams


def test_either_end_may_give_up() -> None:
    server = Server()
    client = Client(server)
    client.h2.send_headers(1, REQUEST)
    client.talk()
    client.h2.reset_stream(1, ErrorCodes.CANCEL)
    client.talk()
    assert (server.calls[0].gone, server.calls[0].resets) == (1, [ErrorCode.CANCEL])
    client.h2.send_headers(3, REQUEST)
    client.talk()
    server.http.reset(server.calls[1], ErrorCode.REFUSED_STREAM)
    client.h2.send_data(3, b"on its way already")
    client.talk()
    assert client.kinds(3)[-1] is StreamReset
    assert server.calls[1].data == b""
    assert client.got(client.ask(b"and on it goes")) == b"and on it goes"


def test_more_requests_than_may_be_are_refused() -> None:
    server = Server(most_streams=3)
    client = Client(server)
    raw = b"".join(frame(HEADERS, END_HEADERS, n, BLOCK) for n in (1, 3, 5, 7))
    server.http.receive(raw)
    assert len(server.calls) == 3
    assert server.http.to_send().endswith(frame(RST_STREAM, 0, 7, pack("!L", 7)))
    # What was given up counts as long as somebody works on it.
    server.http.receive(frame(RST_STREAM, 0, 1, pack("!L", 8)))
    server.http.pending = 1
    server.http.receive(frame(HEADERS, END_HEADERS, 9, BLOCK))
    assert len(server.calls) == 3
    server.http.pending = 0
    server.http.receive(frame(HEADERS, END_HEADERS, 11, BLOCK))
    assert len(server.calls) == 4
    del client


def test_pings_and_goodbyes() -> None:
    server = Server()
    client = Client(server)
    client.h2.ping(b"12345678")
    client.talk()
    assert isinstance(client.events[-1], PingAckReceived)
    server.http.close()
    client.talk()
    assert isinstance(client.events[-1], ConnectionTerminated)
    assert not server.http.is_leaving
    server.http.receive(frame(GOAWAY, 0, 0, bytes(8)))
    assert server.http.is_leaving


def test_bytes_come_one_by_one() -> None:
    server = Server()
    raw = PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, BLOCK)
    raw += frame(200, 7, 1, b"of a type that nobody knows") + frame(PRIORITY, 0, 1, bytes(5))
    raw += frame(DATA, END_STREAM | PADDED, 1, b"\x02data\0\0")
    for at in range(len(raw)):
        server.http.receive(raw[at : at + 1])
    assert server.calls[0].data == b"data"
    assert server.http.to_send().endswith(frame(HEADERS, END_HEADERS | END_STREAM, 1, TRAILERS))


BEGUN = PREFACE + frame(SETTINGS, 0, 0)
OPEN = BEGUN + frame(HEADERS, END_HEADERS, 1, BLOCK)
P, F, S, C = (
    ErrorCode.PROTOCOL_ERROR,
    ErrorCode.FLOW_CONTROL_ERROR,
    ErrorCode.FRAME_SIZE_ERROR,
    ErrorCode.COMPRESSION_ERROR,
)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", P),
        (PREFACE + frame(PING, 0, 0, bytes(8)), P),
        (BEGUN + pack("!HBBBL", 1 << 7, 0, DATA, 0, 1), S),
        (BEGUN + frame(DATA, 0, 0, b"x"), P),
        (BEGUN + frame(DATA, 0, 1, b"x"), P),
        (OPEN + frame(DATA, PADDED, 1, b"\x05abc"), P),
        (OPEN + frame(DATA, PADDED, 1, b""), P),
        (BEGUN + frame(HEADERS, END_HEADERS, 2, BLOCK), P),
        (BEGUN + frame(HEADERS, END_HEADERS, 0, BLOCK), P),
        (BEGUN + frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff"), C),
        (BEGUN + frame(HEADERS, 0, 1, BLOCK) + frame(DATA, 0, 1, b"x"), P),
        (BEGUN + frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, 0, 3, BLOCK), P),
        (BEGUN + frame(CONTINUATION, END_HEADERS, 1, BLOCK), P),
        (OPEN + frame(CONTINUATION, END_HEADERS, 1, BLOCK), P),
        (BEGUN + frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 0, 1, b"") * 80, 11),
        (BEGUN + frame(HEADERS, 0, 1, b"") + frame(CONTINUATION, 0, 1, bytes(16384)) * 5, 11),
        (BEGUN + frame(PRIORITY, 0, 1, bytes(4)), S),
        (OPEN + frame(RST_STREAM, 0, 1, bytes(3)), S),
        (BEGUN + frame(RST_STREAM, 0, 1, bytes(4)), P),
        (BEGUN + frame(SETTINGS, 0, 1), P),
        (BEGUN + frame(SETTINGS, 0, 0, bytes(5)), S),
        (BEGUN + frame(SETTINGS, ACK, 0, bytes(6)), S),
        (BEGUN + frame(SETTINGS, 0, 0, pack("!HL", 4, 1 << 31)), F),
        (BEGUN + frame(SETTINGS, 0, 0, pack("!HL", 5, 100)), P),
        (BEGUN + frame(SETTINGS, 0, 0, pack("!HL", 2, 2)), P),
        (BEGUN + frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4) + BLOCK), P),
        (BEGUN + frame(PING, 0, 1, bytes(8)), P),
        (BEGUN + frame(PING, 0, 0, bytes(7)), S),
        (BEGUN + frame(GOAWAY, 0, 1, bytes(8)), P),
        (BEGUN + frame(WINDOW_UPDATE, 0, 0, bytes(4)), P),
        (BEGUN + frame(WINDOW_UPDATE, 0, 1, pack("!L", 1)), P),
        (BEGUN + frame(WINDOW_UPDATE, 0, 0, pack("!L", (1 << 31) - 1)), F),
        (BEGUN + frame(WINDOW_UPDATE, 0, 0, bytes(5)), S),
    ],
)
def test_what_ends_a_connection(raw: bytes, code: int) -> None:
    server = Server()
    with pytest.raises(Http2Error) as caught:
        server.http.receive(raw)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (frame(DATA, END_STREAM, 1, b"x") + frame(DATA, 0, 1, b"y"), ErrorCode.STREAM_CLOSED),
        (frame(DATA, END_STREAM, 1) + frame(HEADERS, END_HEADERS, 1, BLOCK), 5),
        (frame(WINDOW_UPDATE, 0, 1, bytes(4)), P),
        (frame(WINDOW_UPDATE, 0, 1, pack("!L", (1 << 31) - 1)), F),
    ],
)
def test_what_ends_a_stream(raw: bytes, code: int) -> None:
    server = Server()
    server.http.receive(OPEN + raw)
    assert server.calls[0].gone == 1
    assert server.http.to_send().endswith(frame(RST_STREAM, 0, 1, pack("!L", code)))
    # What is on its way yet is of no interest.
    server.http.receive(frame(DATA, 0, 1, b"y") + frame(WINDOW_UPDATE, 0, 1, pack("!L", 1)))
    server.http.receive(frame(HEADERS, END_HEADERS, 1, BLOCK) + frame(RST_STREAM, 0, 1, bytes(4)))
    assert server.http.to_send() == b""


def test_whatever_comes_ends_in_an_answer_or_an_error() -> None:
    rng = random.Random(1)
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    for stream_id in (1, 3, 5):
        client.send_headers(stream_id, REQUEST)
        client.send_data(stream_id, bytes(100), end_stream=stream_id == 3)
    client.ping(bytes(8))
    client.reset_stream(1)
    good = client.data_to_send()
    failed = 0
    for _ in range(2000):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(PREFACE), len(raw))] = rng.getrandbits(8)
        server = Server()
        try:
            for at in range(0, len(raw), 50):
                server.http.receive(bytes(raw[at : at + 50]))
                server.http.to_send()
        except Http2Error:
            failed += 1
        server.http.forget_all()
        assert all(call.gone == 1 for call in server.calls)
    assert 100 < failed < 2000


@pytest.mark.parametrize("seed", range(30))
def test_the_client_finds_nothing_to_say_against_it(seed: int) -> None:
    """Any order of what an honest client may do."""
    rng = random.Random(seed)
    client = Client(Server(stream_window=1 << 16))
    running: dict[int, bytes] = {}
    for _ in range(60):
        match rng.randrange(6):
            case 0 if len(running) < 10:
                stream_id = client.h2.get_next_available_stream_id()
                client.h2.send_headers(stream_id, REQUEST)
                running[stream_id] = b""
            case 1 | 2 if running:
                stream_id = rng.choice(list(running))
                room = client.h2.local_flow_control_window(stream_id)
                data = rng.randbytes(min(rng.choice((1, 500, 16384)), room))
                client.h2.send_data(stream_id, data)
                running[stream_id] += data
            case 3 if running:
                stream_id, data = running.popitem()
                client.h2.end_stream(stream_id)
                client.h2.increment_flow_control_window(1 << 20)
                client.h2.increment_flow_control_window(1 << 20, stream_id)
                client.talk()
                assert client.got(stream_id) == data
            case 4:
                window = rng.choice((0, 100, 1 << 20))
                client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
            case _:
                client.talk()
