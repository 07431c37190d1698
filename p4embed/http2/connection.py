"""One end of a connection: frames become calls of streams, and what streams have becomes frames.

Source: RFC 9113. Windows are opened again as soon as something was received, since it is handled at
once: what bounds memory is that nobody reads faster than is handled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hpack import HPACKError

from p4embed.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    HEAD,
    HEADERS,
    LARGEST,
    PADDED,
    PING,
    SETTINGS,
    SHORT,
    WITH_PRIORITY,
    ErrorCode,
    Http2Error,
    Setting,
    frame,
    goaway,
    number,
    reset,
    told,
    unpadded,
    window_update,
)
from p4embed.http2.headers import NO_TABLE, Header, HeaderDecoder
from p4embed.http2.stream import Stream

_HEAD_SIZE = HEAD.size
_MOST_CONTINUATIONS = 64


class Connection:
    """What both ends have in common. ``receive`` takes what came, ``to_send`` gives what leaves."""

    def __init__(self, *, stream_window: int, connection_window: int, longest_headers: int) -> None:
        """The windows are bytes that the far end may send ahead; ``longest_headers`` are bytes of
        a block."""
        self.streams: dict[int, Stream] = {}
        """Those under way."""
        self.is_leaving = False
        """Whether the far end has said that it begins nothing more."""
        self._out: list[bytes] = [window_update(0, connection_window - FIRST_WINDOW)]
        self._ready: dict[int, Stream] = {}
        """Those with something to send."""
        self._last = 0
        """The highest number of a stream so far."""
        self._stream_window = stream_window
        self._connection_window = connection_window
        self._longest_headers = longest_headers
        self._decoder = HeaderDecoder(longest_headers)
        self._has_sent_headers = False
        self._rest = b""
        """What came of a frame that is not there yet."""
        self._only: int | None = SETTINGS
        """The type that the next frame must have, if it must."""
        self._block: tuple[int, int, list[bytes]] = (0, 0, [])
        """Stream, flags and beginning of a header block that goes on in the next frame."""
        self._room = FIRST_WINDOW
        self._untold = 0
        self._handlers: tuple[Callable[[int, int, bytes], None], ...] = (
            self._on_data, self._on_headers, self._on_priority, self._on_reset,
            self._on_settings, self._on_push, self._on_ping, self._on_goaway,
            self._on_window_update, self._on_continuation,
        )  # fmt: skip
        """By type of frame."""
        # What the far end says in its settings.
        self._initial_room = FIRST_WINDOW
        self._longest_frame = SHORT

    # -- out ----------------------------------------------------------------------------------

    def send_headers(self, stream: Stream, block: bytes, *, is_end: bool = False) -> None:
        """Send a block of ``headers.spelt_out`` now, ahead of all data that waits."""
        if not self._has_sent_headers:
            self._has_sent_headers = True
            block = NO_TABLE + block
        flags = END_HEADERS | END_STREAM if is_end else END_HEADERS
        first = block[: self._longest_frame]
        if len(first) == len(block):
            self._out.append(frame(HEADERS, flags, stream.id, block))
            return
        self._out.append(frame(HEADERS, flags & ~END_HEADERS, stream.id, first))
        step = self._longest_frame
        for at in range(step, len(block), step):
            flags = END_HEADERS if at + step >= len(block) else 0
            self._out.append(frame(CONTINUATION, flags, stream.id, block[at : at + step]))

    def wants_to_send(self, stream: Stream) -> None:
        """A stream has data, or an end."""
        if self.streams.get(stream.id) is stream:
            self._ready[stream.id] = stream

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """Give a stream up."""
        if self.streams.get(stream.id) is stream:
            self._out.append(reset(stream.id, code))
            self._forget(stream)

    def close(self, code: ErrorCode = ErrorCode.NO_ERROR) -> None:
        """Say that nothing follows."""
        self._out.append(goaway(self._last, code))

    def forget_all(self) -> list[Stream]:
        """The connection is gone, and all streams with it, which are returned."""
        streams = list(self.streams.values())
        for stream in streams:
            self._forget(stream)
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
        out, stream_id, is_ended = self._out, stream.id, False
        while stream.outgoing or stream.refill():
            room = min(stream.room, self._room, self._longest_frame)
            if room <= 0:
                return
            data = stream.take(room)
            size = len(data)
            stream.room -= size
            self._room -= size
            is_ended = stream.end == b"" and not stream.outgoing
            flags = END_STREAM if is_ended else 0
            out += (HEAD.pack(size >> 8, size & 0xFF, DATA, flags, stream_id), data)
        if self._ready.pop(stream_id, None) is None or stream.end is None:
            return
        if stream.end:
            self.send_headers(stream, stream.end, is_end=True)
        elif not is_ended:
            out.append(frame(DATA, END_STREAM, stream_id))
        if stream.is_read:
            self._forget(stream)
        else:
            self._all_sent(stream)

    def _all_sent(self, stream: Stream) -> None:
        """Nothing more leaves, but the far end has not sent all yet."""

    def _all_read(self, stream: Stream) -> None:
        """Nothing more comes."""
        stream.on_end()

    # -- in -----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Handle what came. Raises ``Http2Error``, after which there is nothing but to close."""
        if self._rest:
            data = self._rest + data
        at, end, handlers = 0, len(data), self._handlers
        while end - at >= _HEAD_SIZE:
            high, low, kind, flags, stream_id = HEAD.unpack_from(data, at)
            start = at + _HEAD_SIZE
            after = start + (high << 8 | low)
            if after - start > SHORT:
                size = after - start
                raise Http2Error(f"a frame of {size} bytes", ErrorCode.FRAME_SIZE_ERROR)
            if after > end:
                break
            if self._only is not None and kind != self._only:
                raise Http2Error(f"a frame of type {kind} where {self._only} is due")
            at = after
            if kind == DATA:
                self._on_data(flags, stream_id & LARGEST, data[start:after])
            elif kind < len(handlers):  # Frames of other types are not for us (section 5.5).
                handlers[kind](flags, stream_id & LARGEST, data[start:after])
        self._rest = data[at:]

    def _stream(self, stream_id: int) -> Stream | None:
        """A stream under way; none if it is over. One that was never begun is an error."""
        if stream_id > self._last or not stream_id:
            raise Http2Error(f"a frame for stream {stream_id}, which did not begin")
        return self.streams.get(stream_id)

    def _on_data(self, flags: int, stream_id: int, data: bytes) -> None:
        size = len(data)
        self._untold += size
        if self._untold > self._connection_window >> 1:
            self._out.append(window_update(0, self._untold))
            self._untold = 0
        stream = self.streams.get(stream_id) or self._stream(stream_id)
        if stream is None:
            return  # Given up; this was on its way.
        if stream.is_read:
            self.reset(stream, ErrorCode.STREAM_CLOSED)
            return
        if flags & PADDED:
            data = unpadded(data)
        if flags & END_STREAM:
            stream.is_read = True
        else:
            stream.untold += size
            if stream.untold > self._stream_window >> 1:
                self._out.append(window_update(stream_id, stream.untold))
                stream.untold = 0
        if data:
            stream.on_data(data)
        if flags & END_STREAM and self.streams.get(stream_id) is stream:
            self._all_read(stream)

    def _on_headers(self, flags: int, stream_id: int, content: bytes) -> None:
        if flags & PADDED:
            content = unpadded(content)
        if flags & WITH_PRIORITY:
            content = content[5:]
        self._on_block(flags, stream_id, [content])

    def _on_continuation(self, flags: int, stream_id: int, content: bytes) -> None:
        begun, first, pieces = self._block
        if begun != stream_id or self._only is None:
            raise Http2Error("a header block goes on that did not begin")
        self._on_block(flags & END_HEADERS | first, stream_id, [*pieces, content])

    def _on_block(self, flags: int, stream_id: int, pieces: list[bytes]) -> None:
        if not flags & END_HEADERS:
            size = sum(map(len, pieces))
            if size > self._longest_headers or len(pieces) > _MOST_CONTINUATIONS:
                raise Http2Error(f"headers of {size} bytes", ErrorCode.ENHANCE_YOUR_CALM)
            self._only = CONTINUATION
            self._block = (stream_id, flags, pieces)
            return
        self._only = None
        try:
            headers = self._decoder.headers(b"".join(pieces))
        except HPACKError as error:
            text = f"headers that cannot be read: {error}"
            raise Http2Error(text, ErrorCode.COMPRESSION_ERROR) from None
        self._take_headers(stream_id, headers, is_end=flags & END_STREAM != 0)

    def _take_headers(self, stream_id: int, headers: Sequence[Header], *, is_end: bool) -> None:
        stream = self._stream(stream_id)
        if stream is None:
            return  # Given up; these were on their way.
        if stream.is_read:
            self.reset(stream, ErrorCode.STREAM_CLOSED)
            return
        stream.is_read = is_end
        stream.on_headers(headers)
        if is_end and self.streams.get(stream_id) is stream:
            self._all_read(stream)

    def _on_priority(self, _flags: int, _stream_id: int, content: bytes) -> None:
        if len(content) != 5:
            raise Http2Error("a priority of a wrong length", ErrorCode.FRAME_SIZE_ERROR)

    def _on_reset(self, _flags: int, stream_id: int, content: bytes) -> None:
        code = number(content)
        stream = self._stream(stream_id)
        if stream is not None:
            self._forget(stream)
            stream.on_reset(code)

    def _on_settings(self, flags: int, stream_id: int, content: bytes) -> None:
        if stream_id:
            raise Http2Error("settings of a stream")
        self._only = None
        if flags & ACK:
            if content:
                raise Http2Error("an answer to settings with content", ErrorCode.FRAME_SIZE_ERROR)
            return
        for setting, value in told(content):
            self._set(setting, value)
        self._out.append(frame(SETTINGS, ACK, 0))

    def _set(self, setting: int, value: int) -> None:
        if setting == Setting.MAX_FRAME_SIZE:
            self._longest_frame = value
        elif setting == Setting.INITIAL_WINDOW_SIZE:
            # That of streams under way changes, too, and may become negative (section 6.9.2).
            for stream in self.streams.values():
                stream.room += value - self._initial_room
                _check_window(stream.room)
            self._initial_room = value

    def _on_push(self, _flags: int, _stream_id: int, _content: bytes) -> None:
        raise Http2Error("a push, which nobody may make here")

    def _on_ping(self, flags: int, stream_id: int, content: bytes) -> None:
        if stream_id:
            raise Http2Error("a ping of a stream")
        if len(content) != 8:
            raise Http2Error("a ping of a wrong length", ErrorCode.FRAME_SIZE_ERROR)
        if not flags & ACK:
            self._out.append(frame(PING, ACK, 0, content))

    def _on_goaway(self, _flags: int, stream_id: int, _content: bytes) -> None:
        if stream_id:
            raise Http2Error("a stream that goes away")
        self.is_leaving = True

    def _on_window_update(self, _flags: int, stream_id: int, content: bytes) -> None:
        size = number(content) & LARGEST
        if not stream_id:
            if not size:
                raise Http2Error("a window that grows by nothing")
            self._room += size
            _check_window(self._room)
            return
        stream = self._stream(stream_id)
        if stream is None:
            return
        stream.room += size
        if not size or stream.room > LARGEST:
            self.reset(stream, ErrorCode.FLOW_CONTROL_ERROR if size else ErrorCode.PROTOCOL_ERROR)

    def _forget(self, stream: Stream) -> None:
        """A stream is over."""
        self._ready.pop(stream.id, None)
        if self.streams.pop(stream.id, None) is not None:
            stream.on_gone()


def _check_window(room: int) -> None:
    if room > LARGEST:
        raise Http2Error(f"a window of {room} bytes", ErrorCode.FLOW_CONTROL_ERROR)
