"""One gRPC connection of the server, on an event loop: HTTP/2 by ``h2``, messages in it by us.

The ``grpc`` library's server gives each RPC, and each direction of a stream, a thread; handing
every single message over between them costs many times what is done with it. Here all messages
that a read of the socket brings are handled in one go, and all that is to be sent leaves in one
write.
(The framing: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md. Messages are never compressed.)
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Protocol, cast
from urllib.parse import quote

import h2.events as events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame

from p4embed.switch.p4runtime.errors import BatchError, P4RuntimeError, number
from p4embed.switch.p4runtime.framing import complete, framed, message_at
from p4embed.switch.p4runtime.headers import PlainEncoder, RememberingDecoder

# h2 spells out every frame for a log, read or not; that takes longer than most of what it does.
Frame.__repr__ = object.__repr__  # type: ignore[method-assign]

_STREAM_WINDOW = 1 << 24
_CONNECTION_WINDOW = 1 << 28
_MOST_STREAMS = 1000
"""RPCs that a client may have under way at a time."""
_SENT_AHEAD = 1 << 16
"""Bytes that are made ready for a stream before those ahead of them have left."""

_HEADERS = ((b":status", b"200"), (b"content-type", b"application/grpc"))


class Outbox(Protocol):
    """What a stream has to send."""

    def take(self, most: int) -> bytes:
        """Messages, framed for gRPC, about ``most`` bytes; none: there is nothing for now."""
        ...

    @property
    def ended(self) -> P4RuntimeError | bool:
        """Whether all has been taken and nothing follows; if with an error, which one."""
        ...


class Handler(Protocol):
    """What the RPCs of a connection are for."""

    def unary(self, method: str, message: bytes, answer: Answer) -> None:
        """An RPC with one message. ``answer`` may be called later, on the event loop, once."""
        ...

    def opens_stream(self, method: str, peer: str, wake: Callable[[], None]) -> Outbox | None:
        """An RPC begins; its outbox if messages go both ways in it. ``wake`` says that the outbox
        has something; it may be called on any thread."""
        ...

    def received(self, outbox: Outbox, messages: bytes) -> None:
        """Messages of a stream, in order, framed for gRPC."""
        ...

    def gather(self) -> None:
        """Something is about to be sent: what waits elsewhere for a stream may go with it."""
        ...

    def finished(self, outbox: Outbox) -> None:
        """The client sends nothing more; ``closed`` follows once the outbox is empty."""
        ...

    def closed(self, outbox: Outbox) -> None:
        """A stream is gone."""
        ...


Failure = P4RuntimeError | BatchError
Answer = Callable[[Iterable[bytes], Failure | None], None]
"""Takes the messages of an answer, and what went wrong after them."""


class _Call:
    """One RPC."""

    __slots__ = (
        "buffer", "has_headers", "is_read", "method", "outbox", "outgoing", "trailers",
    )  # fmt: skip

    def __init__(self, method: str, outbox: Outbox | None) -> None:
        self.method = method
        self.outbox = outbox
        self.buffer = bytearray()
        """What has come of messages."""
        self.outgoing: deque[bytes] = deque()
        """Framed messages that have not left; of the first, what is left of it."""
        self.has_headers = False
        """Whether the answer has begun."""
        self.is_read = False
        """Whether the client sends nothing more."""
        self.trailers: list[tuple[bytes, bytes]] | None = None
        """How it ends, once nothing follows what is outgoing."""

    def whole(self, data: bytes) -> bytes:
        """The messages that are complete now; ``P4RuntimeError`` if one is compressed."""
        if self.buffer:
            self.buffer += data
            data = bytes(self.buffer)
            self.buffer.clear()
        end = complete(data)
        if end == len(data):
            return data
        self.buffer += data[end:]
        return data[:end]

    def take(self, room: int) -> bytes:
        """The next bytes to send, ``room`` at most."""
        outgoing, pieces = self.outgoing, []
        while outgoing and room:
            piece = outgoing.popleft()
            if len(piece) > room:
                outgoing.appendleft(piece[room:])
                piece = piece[:room]
            pieces.append(piece)
            room -= len(piece)
        return b"".join(pieces)


class Http2(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, handler: Handler, connections: set[Http2]) -> None:
        """``connections``: where it is kept while it is open."""
        self._handler = handler
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._h2 = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding=None,
                # Of a request's headers three are looked at; none is handed on.
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._h2.encoder = PlainEncoder()
        self._h2.decoder = RememberingDecoder()
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_CONCURRENT_STREAMS: _MOST_STREAMS,
                SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 16,
            },
        )
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, _Call] = {}
        self._ready: dict[int, _Call] = {}
        """Those with something to send."""
        self._thread = get_ident()
        self._is_awake = False
        """Whether outboxes have to be looked at."""
        self._is_paused = False
        """Whether the kernel takes no more at the moment."""
        self._is_reading = False
        self._peer = ""

    def close(self) -> None:
        """Tell the client, and close."""
        if self._transport is None:
            return
        with contextlib.suppress(H2Error):  # It is closing already.
            self._h2.close_connection()
            self._transport.write(self._h2.data_to_send())
        self._transport.close()

    # -- the loop tells -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername", ("unknown", 0))[:2]
        self._peer = f"{host}:{port}"
        self._connections.add(self)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Handle all of it, then send all that comes of it."""
        self._is_reading = True
        try:
            self._handler.gather()
            for event in self._h2.receive_data(data):
                self._handle(event)
        except H2Error:
            self._flush()  # What HTTP/2 has to say about it.
            if self._transport is not None:
                self._transport.close()
            return
        finally:
            self._is_reading = False
        self._flush()

    def pause_writing(self) -> None:
        """The kernel takes no more."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It does again."""
        self._is_paused = False
        self._flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone, and all RPCs with it."""
        self._transport = None
        self._connections.discard(self)
        calls, self._calls = self._calls, {}
        self._ready.clear()
        for call in calls.values():
            if call.outbox is not None:
                self._handler.closed(call.outbox)

    # -- HTTP/2 -------------------------------------------------------------------------------

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.DataReceived():
                if event.flow_controlled_length:
                    length, stream_id = event.flow_controlled_length, event.stream_id
                    self._h2.acknowledge_received_data(length, stream_id)
                call = self._calls.get(event.stream_id)
                if call is not None:
                    self._data(event.stream_id, call, event.data)
            case events.RequestReceived():
                self._begin(event.stream_id, dict(event.headers))
            case events.StreamEnded():
                call = self._calls.get(event.stream_id)
                if call is not None:
                    call.is_read = True
                    if call.outbox is not None:
                        self._handler.finished(call.outbox)
            case events.StreamReset():
                self._drop(event.stream_id)
            case events.ConnectionTerminated():
                if self._transport is not None:
                    self._transport.close()
            case _:
                pass  # What h2 has dealt with; windows are looked at with each flush.

    def _begin(self, stream_id: int, headers: dict[bytes, bytes]) -> None:
        method = headers.get(b":path", b"").decode(errors="replace")
        outbox = self._handler.opens_stream(method, self._peer, self.wake)
        call = self._calls[stream_id] = _Call(method, outbox)
        if headers.get(b":method") != b"POST" or not headers.get(b"content-type", b"").startswith(
            b"application/grpc"
        ):
            self._h2.send_headers(stream_id, ((b":status", b"415"),), end_stream=True)
            self._drop(stream_id)
        elif outbox is not None:
            # A client may wait for these before it sends anything.
            self._ready[stream_id] = call

    def _data(self, stream_id: int, call: _Call, data: bytes) -> None:
        try:
            messages = call.whole(data)
        except P4RuntimeError as error:
            self._end(stream_id, call, error)
            return
        if not messages:
            return
        if call.outbox is not None:
            self._handler.received(call.outbox, messages)
            return
        # (A unary call has one message; more are of no use to anybody.)
        message, _ = message_at(messages, 0)
        self._handler.unary(call.method, message, _Answerer(self, stream_id, call))

    def answer(
        self, stream_id: int, call: _Call, messages: Iterable[bytes], failure: Failure | None
    ) -> None:
        """The answer to a unary call, on the event loop."""
        if self._calls.get(stream_id) is not call:
            return  # Nobody waits for it any more.
        call.outgoing.extend(map(framed, messages))
        self._end(stream_id, call, failure)
        if not self._is_reading:
            self._flush()

    def _end(self, stream_id: int, call: _Call, failure: Failure | None) -> None:
        """Nothing follows what is outgoing."""
        call.trailers = _trailers(failure)
        self._ready[stream_id] = call

    def _drop(self, stream_id: int) -> None:
        """A call is over."""
        self._ready.pop(stream_id, None)
        call = self._calls.pop(stream_id, None)
        if call is not None and call.outbox is not None:
            self._handler.closed(call.outbox)

    # -- sending ------------------------------------------------------------------------------

    def wake(self) -> None:
        """An outbox has something. On any thread."""
        if self._is_awake:
            return
        self._is_awake = True
        if get_ident() != self._thread:
            with contextlib.suppress(RuntimeError):  # The server has stopped.
                self._loop.call_soon_threadsafe(self._look)
        elif not self._is_reading:  # Otherwise there will be a look when all has been read.
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        if self._is_awake:
            self._flush()

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_awake:
            self._is_awake = False  # Before looking: what comes from now on wakes us again.
            for stream_id, call in self._calls.items():
                if call.outbox is not None:
                    self._ready[stream_id] = call
        if not self._is_paused:
            for stream_id, call in list(self._ready.items()):
                try:
                    self._send(stream_id, call)
                except H2Error:
                    self._drop(stream_id)  # Reset meanwhile.
        data = self._h2.data_to_send()
        if data:
            self._transport.write(data)

    def _send(self, stream_id: int, call: _Call) -> None:
        """As much as the client has room for; the rest stays ready."""
        connection = self._h2
        if not call.has_headers and (call.outbox is not None or call.outgoing):
            call.has_headers = True
            connection.send_headers(stream_id, _HEADERS)
        while call.outgoing or self._refill(call):
            window = connection.local_flow_control_window(stream_id)
            room = min(window, connection.max_outbound_frame_size)
            if room <= 0:
                return
            connection.send_data(stream_id, call.take(room))
        if call.trailers is None:
            del self._ready[stream_id]
            return
        headers = call.trailers if call.has_headers else [*_HEADERS, *call.trailers]
        connection.send_headers(stream_id, headers, end_stream=True)
        if not call.is_read:
            # Whatever else the client sends, nobody reads it.
            connection.reset_stream(stream_id, ErrorCodes.NO_ERROR)
        self._drop(stream_id)

    def _refill(self, call: _Call) -> bool:
        """Have a stream's outbox make messages; whether there are any."""
        outbox = call.outbox
        if outbox is None or call.trailers is not None:
            return False
        messages = outbox.take(_SENT_AHEAD)
        if messages:
            call.outgoing.append(messages)
            return True
        ended = outbox.ended
        if ended is not False:
            call.trailers = _trailers(None if ended is True else ended)
        return False


class _Answerer:
    """Answers a unary call."""

    __slots__ = ("_call", "_connection", "_stream_id")

    def __init__(self, connection: Http2, stream_id: int, call: _Call) -> None:
        self._connection = connection
        self._stream_id = stream_id
        self._call = call

    def __call__(self, messages: Iterable[bytes], failure: Failure | None) -> None:
        self._connection.answer(self._stream_id, self._call, messages, failure)


def _trailers(failure: Failure | None) -> list[tuple[bytes, bytes]]:
    """How an RPC ends. Source: doc/PROTOCOL-HTTP2.md, "Responses"."""
    if failure is None:
        return [(b"grpc-status", b"0")]
    if isinstance(failure, BatchError):
        status = failure.status()
        code, message = status.code, status.message
    else:
        code, message = number(failure.code), failure.message
    trailers = [
        (b"grpc-status", b"%d" % code),
        (b"grpc-message", quote(message, safe=_PRINTABLE).encode()),
    ]
    if isinstance(failure, BatchError):
        binary = base64.b64encode(status.SerializeToString()).rstrip(b"=")
        trailers.append((b"grpc-status-details-bin", binary))
    return trailers


_PRINTABLE = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")
