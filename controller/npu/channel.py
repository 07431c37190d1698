"""gRPC on one HTTP/2 connection, as the event loop's own: no threads, no task for an RPC.

A message of ``grpc.aio`` crosses two threads and a task, which costs more than everything that is
done for a session between its packet-in and its Write. Here the bytes of a connection are read and
written by the loop itself: all messages that a read brings are handled in one go, and all that they
cause leaves in one write. HTTP/2 is the ``h2`` library's; the framing of gRPC messages in it is
that of "gRPC over HTTP2" (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). Plaintext, uncompressed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from struct import Struct
from typing import cast
from urllib.parse import unquote

from finsy.proto import rpc_code
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from controller.npu.turn import Turn

_PREFIX = Struct("!BI")
"""Before each message: whether it is compressed, and its length."""
_STREAM_WINDOW = 1 << 24
_CONNECTION_WINDOW = 1 << 28
"""Bytes that the far end may send ahead. What bounds them is that we read no faster than we
handle: the kernel's buffers fill, and the far end waits."""
_LONGEST_HEADERS = 1 << 20
"""Errors of a Write with many updates travel in the trailers."""

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


Done = Callable[[list[bytes] | RpcError], None]


class Call:
    """One RPC: messages go out by ``send`` and come in by ``received``; ``ended`` is called once,
    with what went wrong, if anything did."""

    __slots__ = (
        "_buffer", "_channel", "_headers", "ended", "is_complete", "outgoing", "received",
        "stream_id",
    )  # fmt: skip

    def __init__(
        self,
        channel: Channel,
        stream_id: int,
        received: Received,
        ended: Callable[[RpcError | None], None],
    ) -> None:
        self.stream_id = stream_id
        self.received = received
        self.ended = ended
        self.outgoing: deque[bytes] = deque()
        """Framed messages that have not left; of the first, what is left of it."""
        self.is_complete = False
        """Whether nothing follows what is in ``outgoing``."""
        self._channel = channel
        self._buffer = bytearray()
        self._headers: dict[bytes, bytes] = {}

    def send(self, message: bytes, *, is_last: bool = False) -> None:
        """Send a message; it leaves with all else that the loop's turn in hand has to send."""
        self.outgoing.append(_PREFIX.pack(0, len(message)) + message)
        self.is_complete = is_last
        self._channel.sends(self)

    def cancel(self) -> None:
        """Hear no more of it."""
        self._channel.cancel(self)

    # -- the channel's side -------------------------------------------------------------------

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

    def headers(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Headers or trailers came."""
        self._headers.update(headers)

    def data(self, data: bytes) -> None:
        """Bytes of messages came, cut anywhere."""
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer)
            self._buffer.clear()
        at, end = 0, len(data)
        while end - at >= 5:
            compressed, length = _PREFIX.unpack_from(data, at)
            if compressed:
                self._channel.fail(self, RpcError(rpc_code.INTERNAL, "a compressed message came"))
                return
            if end - at - 5 < length:
                break
            at += 5 + length
            self.received(data[at - length : at])
        self._buffer += data[at:]

    def outcome(self) -> RpcError | None:
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
        self._h2 = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: _LONGEST_HEADERS,
            },
        )
        self._h2.decoder.max_header_list_size = _LONGEST_HEADERS
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, Call] = {}
        self._ready: dict[int, Call] = {}
        """Calls with something to send."""
        self._will_flush = False
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
        self, method: bytes, received: Received, ended: Callable[[RpcError | None], None]
    ) -> Call:
        """Begin an RPC whose messages go both ways. ``method`` is ``/package.Service/Method``.
        Raises ``RpcError`` if the connection is gone."""
        return self._begin(method, received, ended)

    def ask(self, method: bytes, message: bytes, timeout: float, done: Done) -> None:
        """One message there, some back; ``done`` gets all of them, or what went wrong. Raises
        ``RpcError`` if the connection is gone."""
        answers: list[bytes] = []

        def ended(error: RpcError | None) -> None:
            timer.cancel()
            done(answers if error is None else error)

        call = self._begin(method, answers.append, ended)
        call.send(message, is_last=True)
        late = RpcError(rpc_code.DEADLINE_EXCEEDED, f"no answer within {timeout:g} s")
        timer = self._loop.call_later(timeout, self.fail, call, late)

    async def call(self, method: bytes, message: bytes, timeout: float) -> bytes:
        """Like ``unary``; raises ``RpcError``."""
        answers = [answer async for answer in self.stream(method, message, timeout)]
        if not answers:
            raise RpcError(rpc_code.INTERNAL, "the far end gave no answer")
        return answers[0]

    async def stream(self, method: bytes, message: bytes, timeout: float) -> AsyncIterator[bytes]:
        """One message there, many back; raises ``RpcError``."""
        answers: asyncio.Queue[bytes | RpcError | None] = asyncio.Queue()
        call = self._begin(method, answers.put_nowait, answers.put_nowait)
        call.send(message, is_last=True)
        try:
            async with asyncio.timeout(timeout):
                while (answer := await answers.get()) is not None:
                    if isinstance(answer, RpcError):
                        raise answer
                    yield answer
        except TimeoutError:
            details = f"no answer within {timeout:g} s"
            raise RpcError(rpc_code.DEADLINE_EXCEEDED, details) from None
        finally:
            call.cancel()

    def close(self) -> None:
        """Close the connection; RPCs under way end. Idempotent."""
        self._end("closed by us")
        if self._transport is not None:
            self._transport.abort()

    def _begin(
        self, method: bytes, received: Received, ended: Callable[[RpcError | None], None]
    ) -> Call:
        if self._closed:
            raise RpcError(rpc_code.UNAVAILABLE, self._closed)
        try:
            stream_id = self._h2.get_next_available_stream_id()
            self._h2.send_headers(
                stream_id,
                (
                    (b":method", b"POST"),
                    (b":scheme", b"http"),
                    (b":path", method),
                    (b":authority", self._authority),
                    (b"te", b"trailers"),
                    (b"content-type", b"application/grpc"),
                    (b"user-agent", b"wingpath"),
                ),
            )
        except H2Error as error:
            raise RpcError(rpc_code.UNAVAILABLE, str(error)) from error
        call = self._calls[stream_id] = Call(self, stream_id, received, ended)
        self._flush_soon()
        return call

    # -- calls ask ----------------------------------------------------------------------------

    def sends(self, call: Call) -> None:
        """A call has something to send."""
        self._ready[call.stream_id] = call
        self._flush_soon()

    def cancel(self, call: Call) -> None:
        """A call is of no interest any more."""
        if self._calls.pop(call.stream_id, None) is None:
            return
        self._ready.pop(call.stream_id, None)
        if not self._closed:
            self._h2.reset_stream(call.stream_id, ErrorCodes.CANCEL)
            self._flush_soon()

    def fail(self, call: Call, error: RpcError) -> None:
        """Give a call up."""
        self.cancel(call)
        call.ended(error)

    # -- the connection -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has connected: begin with HTTP/2's preface."""
        self._transport = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes came: handle all of it; what comes of it is sent at the end of the turn."""
        try:
            for event in self._h2.receive_data(data):
                self._handle(event)
        except H2Error as error:
            self._end(f"it does not speak HTTP/2: {error}")
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

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.DataReceived():
                call = self._calls.get(event.stream_id)
                if call is not None:
                    call.data(event.data)
                if event.flow_controlled_length:
                    self._h2.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            case events.ResponseReceived() | events.TrailersReceived():
                call = self._calls.get(event.stream_id)
                if call is not None:
                    call.headers(event.headers)
            case events.StreamEnded():
                call = self._calls.pop(event.stream_id, None)
                if call is not None:
                    self._ready.pop(event.stream_id, None)
                    call.ended(call.outcome())
            case events.StreamReset():
                call = self._calls.pop(event.stream_id, None)
                if call is not None:
                    self._ready.pop(event.stream_id, None)
                    code = event.error_code
                    call.ended(RpcError(rpc_code.UNAVAILABLE, f"reset by the far end ({code})"))
            case events.RemoteSettingsChanged():
                if not self._settled.done():
                    self._settled.set_result(None)
            case events.ConnectionTerminated():
                self._end("it closed the connection")
            case _:
                pass  # What h2 has dealt with; windows are looked at with each flush.

    def _end(self, why: str) -> None:
        """All that is under way fails."""
        if self._closed:
            return
        self._closed = why
        if not self._settled.done():
            self._settled.set_exception(ConnectionError(why))
            return
        calls, self._calls = self._calls, {}
        self._ready.clear()
        for call in calls.values():
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
        if not self._is_paused and not self._closed:
            for call in list(self._ready.values()):
                self._send(call)
        data = self._h2.data_to_send()
        if data:
            self._transport.write(data)

    def _send(self, call: Call) -> None:
        """As much as the far end has room for; the rest stays ready."""
        h2, stream_id = self._h2, call.stream_id
        while call.outgoing:
            room = min(h2.local_flow_control_window(stream_id), h2.max_outbound_frame_size)
            if room <= 0:
                return
            data = call.take(room)
            h2.send_data(stream_id, data, end_stream=call.is_complete and not call.outgoing)
        del self._ready[stream_id]


def code_name(code: int) -> str:
    """A canonical code as documentation writes it."""
    return next((name for name, number in rpc_code.Code.items() if number == code), str(code))
