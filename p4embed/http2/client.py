"""The client's end of a connection."""

from __future__ import annotations

from collections.abc import Callable

from p4embed.http2.connection import Connection
from p4embed.http2.frames import (
    ACK,
    LARGEST,
    PREFACE,
    ErrorCode,
    Http2Error,
    Setting,
    settings,
    window_update,
)
from p4embed.http2.stream import Stream


class ClientConnection(Connection):
    """Streams are opened by ``open``. Their ``on_end`` says that the answer is complete; they are
    over then."""

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
        more requests."""
        super().__init__(
            stream_window=stream_window,
            connection_window=connection_window,
            longest_headers=longest_headers,
        )
        self._settled = settled
        self._left = left
        self._most_streams = LARGEST
        told = {
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: stream_window,
            Setting.MAX_HEADER_LIST_SIZE: longest_headers,
        }
        self._out[:0] = (PREFACE, settings(told))

    def open(self, stream: Stream, headers: bytes) -> None:
        """Begin a request. ``headers`` is a block of ``spelt_out``. Raises ``Http2Error``."""
        if len(self.streams) >= self._most_streams:
            raise Http2Error(f"the far end takes {self._most_streams} requests at a time")
        stream.id = self._last + 2 if self._last else 1
        if stream.id > LARGEST:
            raise Http2Error("the connection has no numbers left for requests")
        stream.room = self._initial_room
        self._last = stream.id
        self.streams[stream.id] = stream
        self.send_headers(stream, headers)

    def widen(self, stream: Stream, room: int) -> None:
        """Let the far end send so many bytes more ahead than on other streams."""
        self._out.append(window_update(stream.id, room))

    def send(self, stream: Stream, data: bytes, *, is_last: bool) -> None:
        """Send data, as soon as there is room."""
        stream.outgoing.append(data)
        if is_last:
            stream.end = b""
        self.wants_to_send(stream)

    def _all_read(self, stream: Stream) -> None:
        # (To what a server answers early, it does not listen.)
        if stream.outgoing or stream.end is None:
            self.reset(stream, ErrorCode.CANCEL)
        else:
            self._forget(stream)
        stream.on_end()

    def _set(self, setting: int, value: int) -> None:
        if setting == Setting.MAX_CONCURRENT_STREAMS:
            self._most_streams = value
        super()._set(setting, value)

    def _on_settings(self, flags: int, stream_id: int, content: bytes) -> None:
        super()._on_settings(flags, stream_id, content)
        if not flags & ACK:
            self._settled()

    def _on_goaway(self, flags: int, stream_id: int, content: bytes) -> None:
        super()._on_goaway(flags, stream_id, content)
        self._left()
