"""The client's end of HTTP/2, against the server of the ``h2`` library."""

from collections.abc import Sequence

import h2.events as events
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.http2 import ClientConnection, ErrorCode, Header, Http2Error, Stream, spelt_out
from p4embed.http2.frames import PREFACE

REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a.B/C"),
    (b":authority", b"host:1"),
    (b"te", b"trailers"),
)
ANSWER = ((b":status", b"200"), (b"content-type", b"application/grpc"))
TRAILERS = ((b"grpc-status", b"0"), (b"grpc-message", b"all's well"))
WINDOW, CONNECTION_WINDOW, LONGEST = 1 << 17, 1 << 18, 1 << 16


class Told(Stream):
    """Remembers what it is told."""

    __slots__ = ("data", "headers", "outcome")

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[Header] = []
        self.data = b""
        self.outcome = ""

    def on_headers(self, headers: Sequence[Header]) -> None:
        self.headers += headers

    def on_data(self, data: bytes) -> None:
        self.data += data

    def on_end(self) -> None:
        self.outcome += "end"

    def on_reset(self, code: int) -> None:
        self.outcome += f"reset {code}"


class Pair:
    """Both ends, and what the far one has seen."""

    def __init__(self, cut: int = 1 << 20, initial_window: int = 65535, streams: int = 100) -> None:
        self.settled = self.left = 0
        self.http2 = ClientConnection(
            self._settled,
            self._left,
            stream_window=WINDOW,
            connection_window=CONNECTION_WINDOW,
            longest_headers=LONGEST,
        )
        self.far = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.far.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.INITIAL_WINDOW_SIZE: initial_window,
                SettingCodes.MAX_CONCURRENT_STREAMS: streams,
            },
        )
        self.far.initiate_connection()
        self.cut = cut
        self.seen: list[events.Event] = []

    def _settled(self) -> None:
        self.settled += 1

    def _left(self) -> None:
        self.left += 1

    def carry(self) -> None:
        """Carry bytes both ways, cut anywhere, until nobody has any."""
        while True:
            there, back = self.http2.to_send(), self.far.data_to_send()
            if not there and not back:
                return
            for at in range(0, len(there), self.cut):
                self.seen += self.far.receive_data(there[at : at + self.cut])
            for at in range(0, len(back), self.cut):
                self.http2.receive(back[at : at + self.cut])

    def request(self, *data: bytes) -> Told:
        """Open a stream and send data, the last of it."""
        stream = Told()
        self.http2.open(stream, spelt_out(REQUEST))
        for place, piece in enumerate(data, start=1):
            self.http2.send(stream, piece, is_last=place == len(data))
        self.carry()
        return stream

    def received(self) -> bytes:
        """All data that the far end has seen."""
        return b"".join(e.data for e in self.seen if isinstance(e, events.DataReceived))


@settings(max_examples=25)
@given(st.integers(1, 200), st.lists(st.binary(max_size=400), min_size=1, max_size=4))
def test_requests_and_answers_pass_however_they_are_cut(cut: int, data: list[bytes]) -> None:
    pair = Pair(cut)
    for _ in range(2):  # The second time with headers that are known.
        pair.seen.clear()
        stream = pair.request(*data)
        began = [event for event in pair.seen if isinstance(event, events.RequestReceived)]
        assert [tuple(event.headers) for event in began] == [REQUEST]
        assert pair.received() == b"".join(data)
        assert [type(e) for e in pair.seen].count(events.StreamEnded) == 1
        pair.far.send_headers(stream.id, ANSWER)
        for piece in data:
            pair.far.send_data(stream.id, piece, pad_length=cut)
        pair.far.send_headers(stream.id, TRAILERS, end_stream=True)
        pair.carry()
        assert stream.headers == [*ANSWER, *TRAILERS]
        assert stream.data == b"".join(data)
        assert stream.outcome == "end"
        assert not pair.http2.streams
    assert pair.settled == 1


def test_no_more_is_sent_than_the_far_end_has_room_for() -> None:
    pair = Pair(initial_window=1000)
    pair.carry()
    sent = bytes(range(250)) * 400
    stream = pair.request(sent[:60_000], sent[60_000:])
    assert pair.received() == sent[:1000]
    pair.far.increment_flow_control_window(500, stream.id)
    pair.carry()
    assert pair.received() == sent[:1500]
    # Settings change the room of streams under way, and may take it below nothing.
    pair.far.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 400})
    pair.carry()
    pair.far.increment_flow_control_window(600, stream.id)
    pair.carry()
    assert pair.received() == sent[:1500]
    pair.far.increment_flow_control_window(1, stream.id)
    pair.carry()
    assert pair.received() == sent[:1501]
    # (What the connection as a whole has room for: 65535.)
    pair.far.increment_flow_control_window(len(sent), stream.id)
    pair.carry()
    assert pair.received() == sent[:65535]
    pair.far.increment_flow_control_window(len(sent))
    pair.carry()
    assert pair.received() == sent
    assert any(isinstance(event, events.StreamEnded) for event in pair.seen)


def test_the_far_end_is_given_room_again_for_what_was_taken() -> None:
    pair = Pair()
    stream = pair.request(b"all of it")
    pair.far.send_headers(stream.id, ANSWER)
    sent = 0
    while sent < 3 * CONNECTION_WINDOW:
        room = min(pair.far.local_flow_control_window(stream.id), pair.far.max_outbound_frame_size)
        assert room > 0
        pair.far.send_data(stream.id, bytes(room))
        sent += room
        pair.carry()
    assert len(stream.data) == sent
    # What comes for a stream that is given up counts, too.
    pair.http2.reset(stream, ErrorCode.CANCEL)
    for _ in range(3 * CONNECTION_WINDOW // (1 << 14)):
        other = pair.request(b"")
        pair.far.send_headers(other.id, ANSWER)
        pair.http2.reset(other, ErrorCode.CANCEL)
        pair.far.send_data(other.id, bytes(1 << 14), end_stream=True)
        pair.carry()
        assert other.outcome == ""


def test_a_stream_that_is_widened_takes_more_ahead() -> None:
    pair = Pair()
    stream, other = Told(), Told()
    for each in (stream, other):
        pair.http2.open(each, spelt_out(REQUEST))
        pair.http2.send(each, b"", is_last=True)
    pair.http2.widen(stream, 5 * WINDOW)
    pair.carry()
    windows = [
        pair.far._get_stream_by_id(each.id).outbound_flow_control_window for each in (stream, other)
    ]
    assert windows == [6 * WINDOW, WINDOW]


def test_long_headers_come_in_several_frames() -> None:
    pair = Pair(cut=1000)
    stream = pair.request(b"")
    long = [(b"grpc-message", b"%d" % number * 8000) for number in range(3)]
    pair.far.send_headers(stream.id, [*ANSWER, *long], end_stream=True)
    pair.carry()
    assert stream.headers == [*ANSWER, *long]
    assert stream.outcome == "end"


def test_pings_resets_and_goodbyes_are_understood() -> None:
    pair = Pair()
    stream, other = pair.request(b"1"), pair.request(b"2")
    pair.far.ping(b"12345678")
    pair.far.reset_stream(stream.id, 7)
    pair.carry()
    assert any(isinstance(event, events.PingAckReceived) for event in pair.seen)
    assert (stream.outcome, other.outcome, list(pair.http2.streams)) == ("reset 7", "", [other.id])
    pair.http2.reset(other, ErrorCode.CANCEL)
    pair.http2.reset(other, ErrorCode.CANCEL)
    pair.carry()
    resets = [event.stream_id for event in pair.seen if isinstance(event, events.StreamReset)]
    assert resets == [other.id]
    pair.far.close_connection()
    pair.carry()
    assert pair.left == 1


def test_requests_beyond_what_the_far_end_takes_are_refused() -> None:
    pair = Pair(streams=2)
    pair.carry()
    first = pair.request(b"")
    pair.request(b"")
    with pytest.raises(Http2Error, match="takes 2 requests at a time"):
        pair.request(b"")
    pair.far.send_headers(first.id, [(b":status", b"404")], end_stream=True)
    pair.carry()
    pair.request(b"")


def frame(kind: int, flags: int, content: bytes, length: int | None = None) -> bytes:
    """A frame of stream 1, or of none if it is about settings; its length may be wrong."""
    size = len(content) if length is None else length
    stream_id = 0 if kind == 4 else 1
    return size.to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + content


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (frame(0, 0, b"", 1 << 14 | 1), "a frame of 16385 bytes"),
        (frame(0, 8, b"\5abcd"), "more padding than"),
        (frame(1, 8, b""), "more padding than"),
        (frame(1, 4, b"\xff"), "headers that cannot be read"),
        (frame(1, 0, b"") + frame(0, 0, b""), "of type 0 where 9 is due"),
        (frame(9, 4, b""), "that did not begin"),
        (frame(3, 0, b"123"), "a wrong length"),
        (frame(4, 0, b"1234567"), "settings of a wrong length"),
        (frame(5, 4, b""), "a push, which nobody"),
    ],
)
def test_what_is_not_http2_is_refused_with_a_reason(data: bytes, why: str) -> None:
    pair = Pair()
    pair.request(b"")
    with pytest.raises(Http2Error, match=why):
        pair.http2.receive(data)


def test_frames_of_types_that_nobody_knows_are_passed_over() -> None:
    pair = Pair()
    stream = pair.request(b"")
    pair.http2.receive(frame(0xFA, 0xFF, b"whatever"))
    pair.far.send_headers(stream.id, ANSWER, end_stream=True)
    pair.carry()
    assert stream.outcome == "end"


def test_headers_of_answers_are_known_again_only_while_they_mean_the_same() -> None:
    """Indexed headers depend on what came before."""
    pair = Pair()
    for value in (b"1", b"1", b"1", b"2", b"2", b"1"):
        stream = pair.request(b"")
        pair.far.send_headers(stream.id, [*ANSWER, (b"which", value)], end_stream=True)
        pair.carry()
        assert stream.headers[-1] == (b"which", value)


def test_a_connection_begins_as_the_protocol_wants_it() -> None:
    begun = Pair().http2.to_send()
    settings_frame = begun[len(PREFACE) :]
    assert begun.startswith(PREFACE)
    assert settings_frame[3] == 4
