"""HTTP/2 (RFC 9113) as far as a client of gRPC needs it, without I/O: bytes in, bytes out.

A packet or a wing is a few hundred bytes, and each takes a frame or shares one. The general
library for HTTP/2 makes objects of frames, states and events, some 25 us for each frame, which is
as much as the SPU takes for a packet. Of all that HTTP/2 has, gRPC uses requests with headers, data
and trailers; there are no pushes, priorities or upgrades. Header compression is the ``hpack``
library's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from struct import Struct

from controller.npu.headers import NO_TABLE, Header, HeaderDecoder, HeaderError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = Struct("!HBBBL")
"""Of a frame: length (upper 16 bits, lower 8), type, flags, stream (section 4.1)."""
_SETTING = Struct("!HL")
_NUMBER = Struct("!L")

_END_STREAM = _ACK = 0x1
_END_HEADERS = 0x4
_PADDED = 0x8
_PRIORITY = 0x20

_FRAME = 1 << 14
"""Bytes of the longest frame that everybody takes, and that we take."""
_WINDOW = (1 << 16) - 1
"""Bytes that may be sent ahead before anybody says otherwise (section 6.9.2)."""
_LARGEST_WINDOW = (1 << 31) - 1
_LAST_STREAM = (1 << 31) - 1


class _Type(IntEnum):
    """Frames (section 6)."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class _Setting(IntEnum):
    """Settings (section 6.5.2)."""

    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


_DATA = int(_Type.DATA)
_CANCEL = 8
"""Error code of a stream that is of no interest any more (section 7)."""


class Http2Error(Exception):
    """The far end does not keep to HTTP/2, or has no room for a request; the text says what."""


class Stream:
    """One request and its answer. What comes is told by the ``on_`` methods."""

    __slots__ = ("id", "is_complete", "outgoing", "room", "untold")

    def __init__(self) -> None:
        self.id = 0
        """Once it is opened."""
        self.outgoing: deque[bytes] = deque()
        """What has not left; of the first piece, what is left of it."""
        self.is_complete = False
        """Whether nothing follows what is in ``outgoing``."""
        self.room = 0
        """Bytes that the far end takes."""
        self.untold = 0
        """Bytes taken from it that it has not been given room for again."""

    def on_headers(self, headers: Sequence[Header]) -> None:
        """Headers or trailers came."""
        raise NotImplementedError

    def on_data(self, data: bytes) -> None:
        """Data came."""
        raise NotImplementedError

    def on_end(self) -> None:
        """Nothing more comes."""
        raise NotImplementedError

    def on_reset(self, code: int) -> None:
        """The far end gave it up."""
        raise NotImplementedError

    def _take(self, room: int) -> bytes:
        """The next bytes to send, ``room`` at most."""
        outgoing = self.outgoing
        if len(outgoing) == 1 and len(outgoing[0]) <= room:
            return outgoing.popleft()
        pieces = []
        while outgoing and room:
            piece = outgoing.popleft()
            if len(piece) > room:
                outgoing.appendleft(piece[room:])
                piece = piece[:room]
            pieces.append(piece)
            room -= len(piece)
        return b"".join(pieces)


class Http2:
    """The client's end of a connection."""

    def __init__(
        self,
        settled: Callable[[], None],
        left: Callable[[], None],
        *,
        stream_window: int,
        connection_window: int,
        longest_headers: int,
    ) -> None:
        """``settled`` is called when the far end has told its settings, ``left`` when it takes no
        more requests. The windows are bytes that it may send ahead."""
        self._settled = settled
        self._left = left
        self._stream_window = stream_window
        self._connection_window = connection_window
        self.streams: dict[int, Stream] = {}
        """Those under way."""
        self._ready: dict[int, Stream] = {}
        """Those with something to send."""
        self._next_id = 1
        self._decoder = HeaderDecoder(longest_headers)
        self._longest_headers = longest_headers
        self._rest = b""
        """What came of a frame that is not there yet."""
        self._block: tuple[int, int, bytes] | None = None
        """Stream, flags and beginning of a header block that goes on in the next frame."""
        self._room = _WINDOW
        self._untold = 0
        # What the far end says in its settings.
        self._most_streams = _LARGEST_WINDOW
        self._initial_room = _WINDOW
        self._frame = _FRAME
        settings = {
            _Setting.ENABLE_PUSH: 0,
            _Setting.INITIAL_WINDOW_SIZE: stream_window,
            _Setting.MAX_HEADER_LIST_SIZE: longest_headers,
        }
        self._out = [
            PREFACE,
            _frame(
                _Type.SETTINGS, 0, 0, b"".join(_SETTING.pack(*item) for item in settings.items())
            ),
            _frame(_Type.WINDOW_UPDATE, 0, 0, _NUMBER.pack(connection_window - _WINDOW)),
        ]

    # -- out ----------------------------------------------------------------------------------

    def open(self, stream: Stream, headers: bytes) -> None:
        """Begin a request. ``headers`` is a block of ``header_block``. Raises ``Http2Error``."""
        if len(self.streams) >= self._most_streams:
            raise Http2Error(f"the far end takes {self._most_streams} requests at a time")
        if self._next_id > _LAST_STREAM:
            raise Http2Error("the connection has no numbers left for requests")
        if self._next_id == 1:
            headers = NO_TABLE + headers
        stream.id = self._next_id
        stream.room = self._initial_room
        self._next_id += 2
        self.streams[stream.id] = stream
        self._out.append(_frame(_Type.HEADERS, _END_HEADERS, stream.id, headers))

    def send(self, stream: Stream, data: bytes, *, is_last: bool) -> None:
        """Send data, as soon as there is room."""
        stream.outgoing.append(data)
        stream.is_complete = is_last
        self._ready[stream.id] = stream

    def reset(self, stream: Stream) -> None:
        """Give a stream up, unless it is over."""
        if self._forget(stream.id):
            self._out.append(_frame(_Type.RST_STREAM, 0, stream.id, _NUMBER.pack(_CANCEL)))

    def forget_all(self) -> list[Stream]:
        """Those under way, which are over now: the connection is."""
        streams = list(self.streams.values())
        self.streams.clear()
        self._ready.clear()
        return streams

    def to_send(self, *, with_data: bool = True) -> bytes:
        """What has to be written; without data if the kernel has enough of it."""
        if self._ready and with_data:
            for stream in list(self._ready.values()):
                self._send(stream)
        if not self._out:
            return b""
        out, self._out = self._out, []
        return b"".join(out)

    def _send(self, stream: Stream) -> None:
        """As much as the far end has room for; the rest stays ready."""
        while stream.outgoing:
            room = min(stream.room, self._room, self._frame)
            if room <= 0:
                return
            data = stream._take(room)
            size = len(data)
            stream.room -= size
            self._room -= size
            flags = _END_STREAM if stream.is_complete and not stream.outgoing else 0
            self._out += (_HEAD.pack(size >> 8, size & 0xFF, _DATA, flags, stream.id), data)
        del self._ready[stream.id]

    # -- in -----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Handle what came. Raises ``Http2Error``; the connection is of no use then."""
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while end - at >= 9:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(data, at)
            start = at + 9
            after = start + (high << 8 | low)
            if after - start > _FRAME:
                raise Http2Error(f"a frame of {after - start} bytes; {_FRAME} at most were agreed")
            if after > end:
                break
            at = after
            if self._block is not None and kind != _Type.CONTINUATION:
                raise Http2Error("a header block is interrupted")
            if kind == _DATA:
                self._on_data(flags, stream_id, data[start:after])
            else:
                handle = _HANDLERS.get(kind)
                if handle is not None:  # Frames of other types are not for us (section 5.5).
                    handle(self, flags, stream_id & _LAST_STREAM, data[start:after])
        self._rest = data[at:]

    def _on_data(self, flags: int, stream_id: int, data: bytes) -> None:
        size = len(data)
        self._untold += size
        if self._untold > self._connection_window >> 1:
            self._give_room(0, self._untold)
            self._untold = 0
        stream = self.streams.get(stream_id)
        if stream is None:
            return  # Given up; this was on its way.
        stream.untold += size
        if flags:
            if flags & _PADDED:
                data = _unpadded(data)
            if flags & _END_STREAM:
                stream.on_data(data)
                self._end(stream_id)
                return
        if stream.untold > self._stream_window >> 1:
            self._give_room(stream_id, stream.untold)
            stream.untold = 0
        stream.on_data(data)

    def _give_room(self, stream_id: int, size: int) -> None:
        self._out.append(_frame(_Type.WINDOW_UPDATE, 0, stream_id, _NUMBER.pack(size)))

    def _on_headers(self, flags: int, stream_id: int, data: bytes) -> None:
        if flags & _PADDED:
            data = _unpadded(data)
        if flags & _PRIORITY:
            data = data[5:]
        self._on_block(flags, stream_id, data)

    def _on_continuation(self, flags: int, stream_id: int, data: bytes) -> None:
        if self._block is None or self._block[0] != stream_id:
            raise Http2Error("a header block goes on that did not begin")
        _, first, begun = self._block
        self._on_block(flags & _END_HEADERS | first, stream_id, begun + data)

    def _on_block(self, flags: int, stream_id: int, data: bytes) -> None:
        if not flags & _END_HEADERS:
            if len(data) > self._longest_headers:
                raise Http2Error(f"headers longer than {self._longest_headers} bytes")
            self._block = (stream_id, flags, data)
            return
        self._block = None
        try:
            headers = self._decoder.headers(data)
        except HeaderError as error:
            raise Http2Error(str(error)) from error
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.on_headers(headers)
            if flags & _END_STREAM:
                self._end(stream_id)

    def _on_reset(self, _flags: int, stream_id: int, data: bytes) -> None:
        code = _number(data)
        stream = self._forget(stream_id)
        if stream is not None:
            stream.on_reset(code)

    def _on_settings(self, flags: int, _stream_id: int, data: bytes) -> None:
        if flags & _ACK:
            return
        if len(data) % _SETTING.size:
            raise Http2Error("settings of a wrong length")
        for setting, value in _SETTING.iter_unpack(data):
            if setting == _Setting.MAX_CONCURRENT_STREAMS:
                self._most_streams = value
            elif setting == _Setting.MAX_FRAME_SIZE:
                self._frame = value
            elif setting == _Setting.INITIAL_WINDOW_SIZE:
                # That of streams under way changes, too, and may become negative (section 6.9.2).
                for stream in self.streams.values():
                    stream.room += value - self._initial_room
                self._initial_room = value
        self._out.append(_frame(_Type.SETTINGS, _ACK, 0, b""))
        self._settled()

    def _on_push(self, _flags: int, _stream_id: int, _data: bytes) -> None:
        raise Http2Error("it pushes, which we have told it not to")

    def _on_ping(self, flags: int, _stream_id: int, data: bytes) -> None:
        if not flags & _ACK:
            self._out.append(_frame(_Type.PING, _ACK, 0, data))

    def _on_goaway(self, _flags: int, _stream_id: int, _data: bytes) -> None:
        self._left()

    def _on_window_update(self, _flags: int, stream_id: int, data: bytes) -> None:
        size = _number(data) & _LARGEST_WINDOW
        if not stream_id:
            self._room += size
            return
        stream = self.streams.get(stream_id)
        if stream is not None:
            stream.room += size

    def _end(self, stream_id: int) -> None:
        """The answer is complete. (To what a server answers early, it does not listen.)"""
        stream = self._forget(stream_id)
        if stream is not None:
            if stream.outgoing or not stream.is_complete:
                self._out.append(_frame(_Type.RST_STREAM, 0, stream_id, _NUMBER.pack(_CANCEL)))
            stream.on_end()

    def _forget(self, stream_id: int) -> Stream | None:
        self._ready.pop(stream_id, None)
        return self.streams.pop(stream_id, None)


_HANDLERS: dict[int, Callable[[Http2, int, int, bytes], None]] = {
    _Type.HEADERS: Http2._on_headers,
    _Type.RST_STREAM: Http2._on_reset,
    _Type.SETTINGS: Http2._on_settings,
    _Type.PUSH_PROMISE: Http2._on_push,
    _Type.PING: Http2._on_ping,
    _Type.GOAWAY: Http2._on_goaway,
    _Type.WINDOW_UPDATE: Http2._on_window_update,
    _Type.CONTINUATION: Http2._on_continuation,
}


def _frame(kind: _Type, flags: int, stream_id: int, content: bytes) -> bytes:
    size = len(content)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + content


def _unpadded(data: bytes) -> bytes:
    """What is between the length of the padding and the padding."""
    if not data or data[0] >= len(data):
        raise Http2Error("more padding than there is in a frame")
    return data[1 : len(data) - data[0]]


def _number(data: bytes) -> int:
    if len(data) != _NUMBER.size:
        raise Http2Error("a frame of a wrong length")
    number: int = _NUMBER.unpack(data)[0]
    return number
