"""gRPC on one HTTP/2 connection, as the event loop's own: no threads, no task for an RPC.

A message of ``grpc.aio`` crosses two threads and a task, which costs more than everything that is
done for a session between its packet-in and its Write. Here the bytes of a connection are read and
written by the loop itself: all messages that a read brings are handled in one go, and all that they
cause leaves in one write. The framing of gRPC messages in HTTP/2 (``p4embed/http2``) is that of
"gRPC over HTTP2" (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). Plaintext, uncompressed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable, Sequence
from struct import Struct
from typing import cast
from urllib.parse import unquote

from finsy.proto import rpc_code

from controller.npu.turn import Turn
from p4embed.http2 import ClientConnection, ErrorCode, Header, Http2Error, Stream, spelt_out

_PREFIX = Struct("!BI")
"""Before each message: whether it is compressed, and its length."""
_STREAM_WINDOW = 1 << 16
_CONNECTION_WINDOW = 1 << 28
"""Bytes that the far end may send ahead. An answer to a Write comes behind what the stream of
packets has sent already: were that all that the kernel's buffers hold, each Write would wait until
thousands of packets that came later were handled, and set-ups nearly end when more packets come
than can be handled. The rest waits in the far end, which knows how to drop."""
_LONGEST_HEADERS = 1 << 20
"""Errors of a Write with many updates travel in the trailers."""
_LATE_S = 1.0
"""How often RPCs are looked through for those whose time is over."""

Received = Callable[[bytes], None]


class RpcError(Exception):
    """An RPC that failed. ``code`` is canonical (``rpc_code``); ``status`` is a serialized
    ``google.rpc.Status``, if the far end sent one."""

    def __init__(self, code: int, details: str, status: bytes = b"") -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.status = status

    def __str__(self) -> str:
        name = code_name(self.code)
        details = " ".join(self.details.split())
        return f"{name}: {details}" if details else name


Ended = Callable[[RpcError | None], None]
Done = Callable[[list[bytes] | RpcError], None]


class Call(Stream):
    """One RPC: messages go out by ``send`` and come in by ``received``; ``ended`` is called once,
    with what went wrong, if anything did."""

    __slots__ = ("_buffer", "_channel", "_headers", "ended", "received", "until")

    def __init__(
        self, channel: Channel, received: Received, ended: Ended, until: float | None
    ) -> None:
        super().__init__()
        self.received = received
        self.ended = ended
        self.until = until
        """When it is given up, by the loop's clock."""
        self._channel = channel
        self._buffer = b""
        """The beginning of a message."""
        self._headers: dict[bytes, bytes] = {}

    def send(self, message: bytes, *, is_last: bool = False) -> None:
        """Send a message; it leaves with all else that the loop's turn in hand has to send."""
        self._channel.send(self, _PREFIX.pack(0, len(message)) + message, is_last=is_last)

    def cancel(self) -> None:
        """Hear no more of it."""
        self._channel.cancel(self)

    # -- what comes ---------------------------------------------------------------------------

    def on_headers(self, headers: Sequence[Header]) -> None:
        """Headers or trailers."""
        self._headers.update(headers)

    def on_data(self, data: bytes) -> None:
        """Bytes of messages, cut anywhere."""
        if self._buffer:
            data = self._buffer + data
        at, end = 0, len(data)
        received = self.received
        while end - at >= 5:
            compressed, length = _PREFIX.unpack_from(data, at)
            if compressed:
                self._channel.fail(self, RpcError(rpc_code.INTERNAL, "a compressed message came"))
                return
            if end - at - 5 < length:
                break
            at += 5 + length
            received(data[at - length : at])
        self._buffer = data[at:]

    def on_end(self) -> None:
        """It is over."""
        self.ended(self._outcome())

    def on_reset(self, code: int) -> None:
        """The far end gave it up."""
        self.ended(RpcError(rpc_code.UNAVAILABLE, f"reset by the far end ({code})"))

    def _outcome(self) -> RpcError | None:
        """What the trailers say."""
        status = self._headers.get(b"grpc-status")
        if status is None:
            code = self._headers.get(b":status", b"").decode()
            if code and code != "200":
                return RpcError(rpc_code.UNKNOWN, f"HTTP status {code}; is this a gRPC server?")
            return RpcError(rpc_code.UNKNOWN, "the far end gave no status")
        if status == b"0":
            return None
        details = unquote(self._headers.get(b"grpc-message", b"").decode("ascii", "replace"))
        encoded = self._headers.get(b"grpc-status-details-bin", b"")
        try:
            binary = base64.b64decode(encoded + b"=" * (-len(encoded) % 4))
            return RpcError(int(status), details, binary)
        except (ValueError, binascii.Error):
            return RpcError(rpc_code.UNKNOWN, details)


class Channel(asyncio.Protocol):
    """A connection to one server. ``connect`` makes one; ``lost`` is called when it breaks."""

    def __init__(self, authority: str, lost: Callable[[str], None], turn: Turn) -> None:
        self._authority = authority.encode()
        self._turn = turn
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._http2 = ClientConnection(
            self._far_end_settled,
            lambda: self._end("it closed the connection"),
            stream_window=_STREAM_WINDOW,
            connection_window=_CONNECTION_WINDOW,
            longest_headers=_LONGEST_HEADERS,
        )
        self._headers: dict[bytes, bytes] = {}
        """Header blocks by method."""
        self._transport: asyncio.Transport | None = None
        self._will_flush = False
        self._will_look = False
        self._is_paused = False
        """Whether the kernel takes no more at the moment."""
        self._closed = ""
        """Why it is closed."""
        self._settled: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def connect(cls, address: str, lost: Callable[[str], None], turn: Turn) -> Channel:
        """Connect to ``host:port`` and wait for the far end's settings. Raises ``OSError``."""
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_connection(
            lambda: cls(address, lost, turn), host.strip("[]"), int(port)
        )
        await channel._settled
        return channel

    # -- RPCs ---------------------------------------------------------------------------------

    def open(
        self, method: bytes, received: Received, ended: Ended, timeout: float | None = None
    ) -> Call:
        """Begin an RPC whose messages go both ways. ``method`` is ``/package.Service/Method``.
        Raises ``RpcError`` if the connection is gone."""
        if self._closed:
            raise RpcError(rpc_code.UNAVAILABLE, self._closed)
        until = None
        if timeout is not None:
            until = self._loop.time() + timeout
            self._look_for_late_calls_soon()
        call = Call(self, received, ended, until)
        try:
            self._http2.open(call, self._headers.get(method) or self._header_block(method))
        except Http2Error as error:
            raise RpcError(rpc_code.RESOURCE_EXHAUSTED, str(error)) from error
        self._flush_soon()
        return call

    def ask(self, method: bytes, message: bytes, timeout: float, done: Done, room: int = 0) -> None:
        """One message there, some back; ``done`` gets all of them, or what went wrong. Without
        ``room`` for long ones, in bytes, the far end waits on the way. Raises ``RpcError`` if the
        connection is gone."""
        answers: list[bytes] = []

        def ended(error: RpcError | None) -> None:
            done(answers if error is None else error)

        call = self.open(method, answers.append, ended, timeout)
        if room > _STREAM_WINDOW:
            self._http2.widen(call, room)
        call.send(message, is_last=True)

    async def call(self, method: bytes, message: bytes, timeout: float) -> bytes:
        """One message there, one back; raises ``RpcError``."""
        answers = [answer async for answer in self.stream(method, message, timeout)]
        if not answers:
            raise RpcError(rpc_code.INTERNAL, "the far end gave no answer")
        return answers[0]

    async def stream(self, method: bytes, message: bytes, timeout: float) -> AsyncIterator[bytes]:
        """One message there, many back; raises ``RpcError``."""
        answers: asyncio.Queue[bytes | RpcError | None] = asyncio.Queue()
        call = self.open(method, answers.put_nowait, answers.put_nowait, timeout)
        call.send(message, is_last=True)
        try:
            while (answer := await answers.get()) is not None:
                if isinstance(answer, RpcError):
                    raise answer
                yield answer
        finally:
            call.cancel()

    def close(self) -> None:
        """Close the connection; RPCs under way end. Idempotent."""
        self._end("closed by us")
        if self._transport is not None:
            self._transport.abort()

    def _header_block(self, method: bytes) -> bytes:
        block = self._headers[method] = spelt_out(
            (
                (b":method", b"POST"),
                (b":scheme", b"http"),
                (b":path", method),
                (b":authority", self._authority),
                (b"te", b"trailers"),
                (b"content-type", b"application/grpc"),
                (b"user-agent", b"wingpath"),
            )
        )
        return block

    def _look_for_late_calls_soon(self) -> None:
        if not self._will_look:
            self._will_look = True
            self._loop.call_later(_LATE_S, self._look_for_late_calls)

    def _look_for_late_calls(self) -> None:
        """(A timer for each RPC would cost more than the whole look, once a second.)"""
        self._will_look = False
        now = self._loop.time()
        for call in list(self._http2.streams.values()):
            assert isinstance(call, Call)
            if call.until is None:
                continue
            if call.until <= now:
                self.fail(call, RpcError(rpc_code.DEADLINE_EXCEEDED, "no answer in time"))
            else:
                self._look_for_late_calls_soon()

    # -- calls ask ----------------------------------------------------------------------------

    def send(self, call: Call, data: bytes, *, is_last: bool) -> None:
        """A call has something to send."""
        self._http2.send(call, data, is_last=is_last)
        if not self._will_flush:
            self._flush_soon()

    def cancel(self, call: Call) -> None:
        """A call is of no interest any more."""
        self._http2.reset(call, ErrorCode.CANCEL)
        self._flush_soon()

    def fail(self, call: Call, error: RpcError) -> None:
        """Give a call up."""
        self.cancel(call)
        call.ended(error)

    # -- the connection -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has connected: begin with HTTP/2's preface."""
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes came: handle all of it; what comes of it is sent at the end of the turn."""
        try:
            self._http2.receive(data)
        except Http2Error as error:
            self._end(f"it does not speak HTTP/2: {error}")
        if len(data) > _STREAM_WINDOW >> 1:
            self._flush()  # The far end goes on while that is handled.
        self._flush_soon()  # Windows and settings have to be acknowledged, for example.
        if self._closed and self._transport is not None:
            self._transport.close()

    def pause_writing(self) -> None:
        """The kernel takes no more."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It does again."""
        self._is_paused = False
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._end(str(error) if error else "it closed the connection")

    def _far_end_settled(self) -> None:
        if not self._settled.done():
            self._settled.set_result(None)

    def _end(self, why: str) -> None:
        """All that is under way fails."""
        if self._closed:
            return
        self._closed = why
        if not self._settled.done():
            self._settled.set_exception(ConnectionError(why))
            return
        for call in self._http2.forget_all():
            assert isinstance(call, Call)
            call.ended(RpcError(rpc_code.UNAVAILABLE, why))
        self._lost(why)

    # -- sending ------------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        """Send when the loop's turn in hand is over, and all that it brings with it."""
        if not self._will_flush:
            self._will_flush = True
            self._turn.flush(self._flush)

    def _flush(self) -> None:
        self._will_flush = False
        if self._transport is None or self._transport.is_closing():
            return
        data = self._http2.to_send(with_data=not self._is_paused and not self._closed)
        if data:
            self._transport.write(data)


def code_name(code: int) -> str:
    """A canonical code as documentation writes it."""
    return next((name for name, number in rpc_code.Code.items() if number == code), str(code))
