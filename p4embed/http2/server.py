"""The server's end of a connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p4embed.http2.connection import Connection
from p4embed.http2.frames import PREFACE, ErrorCode, Http2Error, Setting, reset, settings
from p4embed.http2.headers import Header
from p4embed.http2.stream import Stream


class ServerConnection(Connection):
    """Streams begin with a request's headers."""

    def __init__(
        self,
        accept: Callable[[], Stream],
        *,
        most_streams: int,
        stream_window: int,
        connection_window: int,
        longest_headers: int,
    ) -> None:
        """``accept`` makes a stream for a request; ``most_streams`` may be under way at a time."""
        super().__init__(
            stream_window=stream_window,
            connection_window=connection_window,
            longest_headers=longest_headers,
        )
        self._accept = accept
        self._most_streams = most_streams
        self._preface = PREFACE
        """What is left to come of it."""
        self.pending = 0
        """Requests that were given up while somebody works on them still; they count, lest a client
        that gives up all that it asks for has no limit."""
        told = {
            Setting.MAX_CONCURRENT_STREAMS: most_streams,
            Setting.INITIAL_WINDOW_SIZE: stream_window,
            Setting.MAX_HEADER_LIST_SIZE: longest_headers,
        }
        self._out.insert(0, settings(told))

    def receive(self, data: bytes) -> None:
        """Handle what came; see ``Connection``."""
        if self._preface:
            begun = data[: len(self._preface)]
            if not self._preface.startswith(begun):
                raise Http2Error("a client that does not speak HTTP/2")
            self._preface = self._preface[len(begun) :]
            data = data[len(begun) :]
        super().receive(data)

    def _take_headers(self, stream_id: int, headers: Sequence[Header], *, is_end: bool) -> None:
        if stream_id <= self._last:
            super()._take_headers(stream_id, headers, is_end=is_end)
            return
        if not stream_id & 1:
            raise Http2Error(f"stream {stream_id}, which is no number for a client's")
        self._last = stream_id
        if len(self.streams) + self.pending >= self._most_streams:
            self._out.append(reset(stream_id, ErrorCode.REFUSED_STREAM))
            return
        stream = self._accept()
        stream.id = stream_id
        stream.room = self._initial_room
        self.streams[stream_id] = stream
        super()._take_headers(stream_id, headers, is_end=is_end)

    def _all_sent(self, stream: Stream) -> None:
        # Whatever else the client sends, nobody reads it (section 8.1).
        self.reset(stream, ErrorCode.NO_ERROR)
