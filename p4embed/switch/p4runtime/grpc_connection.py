"""One gRPC connection of the server, on an event loop.

The ``grpc`` library's server gives each RPC, and each direction of a stream, a thread; handing
every single message over between them costs many times what is done with it. Here all messages
that a read of the socket brings are handled in one go, and all that is to be sent leaves in one
write.
(gRPC in HTTP/2: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md. Messages are never compressed.)
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from threading import get_ident
from typing import Protocol, cast
from urllib.parse import quote

from p4embed.http2 import Header, Http2Error, ServerConnection, Stream, spelt_out
from p4embed.switch.p4runtime.errors import BatchError, P4RuntimeError, number
from p4embed.switch.p4runtime.framing import Messages, framed, message_at

_STREAM_WINDOW = 1 << 24
_CONNECTION_WINDOW = 1 << 28
_MOST_STREAMS = 1000
"""RPCs that a client may have under way at a time."""
_LONGEST_HEADERS = 1 << 16
_SENT_AHEAD = 1 << 16
"""Bytes that are made ready for a stream before those ahead of them have left."""
_READ = 1 << 18
"""Bytes that are read at a time."""

_HEADERS = ((b":status", b"200"), (b"content-type", b"application/grpc"))
_ANSWER = spelt_out(_HEADERS)
_NO_GRPC = spelt_out(((b":status", b"415"),))


class Outbox(Protocol):
    """What a stream has to send."""

    def take(self, most: int) -> bytes:
        """Messages, framed for gRPC, about ``most`` bytes; none: there is nothing for now."""
        ...

    @property
    def waits(self) -> bool:
        """Whether there is something to ``take``."""
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


class _Call(Stream):
    """One RPC."""

    __slots__ = ("_connection", "_handler", "_has_headers", "_is_asked", "_messages", "_method",
                 "_refilled", "outbox")  # fmt: skip

    def __init__(self, connection: GrpcConnection, handler: Handler) -> None:
        super().__init__()
        self._connection = connection
        self._handler = handler
        self._method: str | None = None
        """Known as soon as it is one of gRPC."""
        self.outbox: Outbox | None = None
        self._messages = Messages()
        self._has_headers = False
        """Whether the answer has begun."""
        self._is_asked = False
        """Whether somebody works on a unary call."""
        self._refilled = 0
        """The connection's flush that a stream was refilled in last."""

    # -- what comes ---------------------------------------------------------------------------

    def on_headers(self, headers: Sequence[Header]) -> None:
        """The call begins. (Trailers of a client say nothing.)"""
        if self._method is not None or self.end is not None:
            return
        self._method = _method(headers)
        connection = self._connection
        if self._method is None:
            self.end = _NO_GRPC
            connection.http.wants_to_send(self)
            return
        self.outbox = self._handler.opens_stream(self._method, connection.peer, connection.wake)
        if self.outbox is not None:
            # A client may wait for these before it sends anything.
            self._begin()
            connection.http.wants_to_send(self)

    def on_data(self, data: bytes) -> None:
        """Bytes of messages, cut anywhere."""
        if self._method is None or self.end is not None or self._is_asked:
            return
        try:
            messages = self._messages.add(data)
        except P4RuntimeError as error:
            self._finish(error)
            return
        if not messages:
            return
        if self.outbox is not None:
            self._handler.received(self.outbox, messages)
            return
        # (A unary call has one message; more are of no use to anybody.)
        self._is_asked = True
        message, _ = message_at(messages, 0)
        self._handler.unary(self._method, message, self._answer)

    def on_end(self) -> None:
        """The client sends nothing more."""
        if self.outbox is not None:
            self._handler.finished(self.outbox)

    def on_gone(self) -> None:
        """Over, one way or another."""
        if self.outbox is not None:
            self._handler.closed(self.outbox)
        if self._is_asked:
            self._connection.http.pending += 1

    # -- what leaves --------------------------------------------------------------------------

    def _answer(self, messages: Iterable[bytes], failure: Failure | None) -> None:
        """The answer to a unary call, on the event loop."""
        self._is_asked = False
        if self._connection.http.streams.get(self.id) is not self:
            self._connection.http.pending -= 1  # Nobody waits for it any more.
            return
        for message in messages:
            self._begin()
            self.outgoing.append(framed(message))
        self._finish(failure)
        self._connection.flush()

    def refill(self) -> bool:
        """Have a stream's outbox make messages; whether there are any. Once a turn of the event
        loop: others want to be heard, too."""
        outbox, connection = self.outbox, self._connection
        if outbox is None or self.end is not None:
            return False
        if self._refilled != connection.flushes:
            self._refilled = connection.flushes
            messages = outbox.take(_SENT_AHEAD)
            if messages:
                self.outgoing.append(messages)
                return True
        if outbox.waits:
            connection.wake()
            return False
        ended = outbox.ended
        if ended is not False:
            self._finish(None if ended is True else ended)
        return False

    def _begin(self) -> None:
        if not self._has_headers:
            self._has_headers = True
            self._connection.http.send_headers(self, _ANSWER)

    def _finish(self, failure: Failure | None) -> None:
        """Nothing follows what is outgoing."""
        trailers = _trailers(failure)
        self.end = spelt_out(trailers if self._has_headers else (*_HEADERS, *trailers))
        self._connection.http.wants_to_send(self)


class GrpcConnection(asyncio.BufferedProtocol):
    """A client's connection."""

    def __init__(self, handler: Handler, connections: set[GrpcConnection]) -> None:
        """``connections``: where it is kept while it is open."""
        self._handler = handler
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self.http = ServerConnection(
            lambda: _Call(self, handler),
            most_streams=_MOST_STREAMS,
            stream_window=_STREAM_WINDOW,
            connection_window=_CONNECTION_WINDOW,
            longest_headers=_LONGEST_HEADERS,
        )
        self.peer = ""
        self._read = memoryview(bytearray(_READ))
        self._transport: asyncio.Transport | None = None
        self._thread = get_ident()
        self._is_awake = False
        """Whether outboxes have to be looked at."""
        self._is_paused = False
        """Whether the kernel takes no more at the moment."""
        self._is_reading = False
        self.flushes = 0
        """How often ``flush`` looked for what there is to send."""

    def close(self) -> None:
        """Tell the client, and close."""
        if self._transport is not None:
            self.http.close()
            self._transport.write(self.http.to_send())
            self._transport.close()

    def abort(self) -> None:
        """Close, whatever was not said yet."""
        if self._transport is not None:
            self._transport.abort()

    # -- the loop tells -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername", ("unknown", 0))[:2]
        self.peer = f"{host}:{port}"
        self._connections.add(self)
        self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio only guesses
        """Where the next bytes go."""
        return self._read

    def buffer_updated(self, size: int) -> None:
        """Handle all that came, then send all that comes of it."""
        self._is_reading = True
        try:
            self.http.receive(bytes(self._read[:size]))
            self._handler.gather()
        except Http2Error as error:
            self._fail(error)
        finally:
            self._is_reading = False
        self.flush()
        if self.http.is_leaving and self._transport is not None:
            self._transport.close()

    def _fail(self, error: Http2Error) -> None:
        """The client does not keep to HTTP/2."""
        if self._transport is not None:
            self.http.close(error.code)
            self._transport.write(self.http.to_send(with_data=False))
            self._transport.close()

    def pause_writing(self) -> None:
        """The kernel takes no more: a client that does not read may not ask, either."""
        self._is_paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        self._is_paused = False
        if self._transport is not None:
            self._transport.resume_reading()
        self.flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """The connection is gone, and all RPCs with it."""
        self._transport = None
        self._connections.discard(self)
        self.http.forget_all()

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
            self.flush()

    def flush(self) -> None:
        """Send what there is, unless that is done anyway when all has been read."""
        if self._is_reading or self._transport is None or self._transport.is_closing():
            return
        if self._is_awake:
            self._is_awake = False  # Before looking: what comes from now on wakes us again.
            for call in self.http.streams.values():
                if isinstance(call, _Call) and call.outbox is not None:
                    self.http.wants_to_send(call)
        self.flushes += 1
        data = self.http.to_send(with_data=not self._is_paused)
        if data:
            self._transport.write(data)


@lru_cache(64)
def _method(headers: tuple[Header, ...]) -> str | None:
    """The method that a request is for; ``None`` if it is none of gRPC."""
    asked = dict(headers)
    if asked.get(b":method") != b"POST":
        return None
    if not asked.get(b"content-type", b"").startswith(b"application/grpc"):
        return None
    return asked.get(b":path", b"").decode(errors="replace")


def _trailers(failure: Failure | None) -> tuple[Header, ...]:
    """How an RPC ends. Source: doc/PROTOCOL-HTTP2.md, "Responses"."""
    if failure is None:
        return ((b"grpc-status", b"0"),)
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
    return tuple(trailers)


_PRINTABLE = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")
