"""The server around the service: addresses, TLS, and which RPC is whose.

One thread runs the event loop of all connections (``grpc_connection.py``). What takes no time is
done there; new programs, and Writes and Reads that are long or need the careful way, have threads
of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsy.proto import p4r
from google.protobuf.message import DecodeError, Message

from p4embed.switch.p4runtime.errors import (
    BatchError,
    Code,
    P4RuntimeError,
    internal,
    invalid,
)
from p4embed.switch.p4runtime.grpc_connection import Answer, Failure, GrpcConnection, Outbox
from p4embed.switch.p4runtime.service import Service
from p4embed.switch.p4runtime.stream import Stream

_WORKERS = 8
_SERVICE = "/p4.v1.P4Runtime/"
_STOP_SECONDS = 1.0
_LEAVE_SECONDS = 0.05
_SHORT = 1 << 18
"""Bytes of a message that is dealt with on the event loop, in a millisecond: some thousand
entries."""

InBulk = Callable[[bytes, bool], Sequence[bytes] | None]


class ServerError(Exception):
    """The server cannot listen: why, and what to do."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM format. With ``ca`` clients may, with ``client_required`` must, show a
    certificate that it signed."""

    certificate: Path
    key: Path
    ca: Path | None = None
    client_required: bool = False

    def context(self) -> ssl.SSLContext:
        """What the event loop needs of them. Raises ``ServerError``."""
        for path in (self.certificate, self.key, self.ca):
            if path is not None:
                try:
                    path.open("rb").close()
                except OSError as error:
                    raise ServerError(f"cannot read {path}: {error.strerror}") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        try:
            context.load_cert_chain(self.certificate, self.key)
        except ssl.SSLError:
            raise ServerError(
                f"{self.certificate} and {self.key} are no certificate with its key"
            ) from None
        if self.ca is not None:
            try:
                context.load_verify_locations(self.ca)
            except ssl.SSLError:
                raise ServerError(f"{self.ca} is no certificate") from None
            required = ssl.CERT_REQUIRED if self.client_required else ssl.CERT_OPTIONAL
            context.verify_mode = required
        return context


class _Rpcs:
    """Which RPC is whose; called on the event loop."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._workers = ThreadPoolExecutor(_WORKERS, "p4runtime")
        self._in_bulk: dict[str, InBulk] = {
            _SERVICE + "Write": service.write_in_bulk,
            _SERVICE + "Read": service.read_in_bulk,
        }
        self._careful: dict[str, tuple[Any, Callable[[Any], Iterable[Message]]]] = {
            _SERVICE + name: (request, run)
            for name, request, run in (
                ("Write", p4r.WriteRequest, _one(service.write)),
                ("Read", p4r.ReadRequest, service.read),
                (
                    "SetForwardingPipelineConfig",
                    p4r.SetForwardingPipelineConfigRequest,
                    _one(service.set_pipeline),
                ),
                (
                    "GetForwardingPipelineConfig",
                    p4r.GetForwardingPipelineConfigRequest,
                    _one(service.get_pipeline),
                ),
                ("Capabilities", p4r.CapabilitiesRequest, _one(service.capabilities)),
            )
        }

    def stop(self) -> None:
        """No more work."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def unary(self, method: str, message: bytes, answer: Answer) -> None:
        """One message, one or more back."""
        in_bulk = self._in_bulk.get(method)
        if in_bulk is not None and len(message) <= _SHORT:
            answers, failure = _tried(in_bulk, message, False)
            if answers is not None:
                answer(answers, failure)
                return
        known = self._careful.get(method)
        if known is None:
            answer((), P4RuntimeError(Code.UNIMPLEMENTED, f"there is no method {method}"))
            return
        self._workers.submit(self._work, in_bulk, *known, message, answer)

    def _work(
        self,
        in_bulk: InBulk | None,
        request: Any,
        run: Callable[[Any], Iterable[Message]],
        message: bytes,
        answer: Answer,
    ) -> None:
        """On a thread of its own."""
        answers, failure = (None, None) if in_bulk is None else _tried(in_bulk, message, True)
        if answers is None:
            answers, failure = _done(request, run, message)
        with contextlib.suppress(RuntimeError):  # The server has stopped, and nobody waits.
            self._loop.call_soon_threadsafe(answer, answers, failure)

    def opens_stream(self, method: str, peer: str, wake: Callable[[], None]) -> Stream | None:
        """``StreamChannel`` goes both ways, all else has one message."""
        return self._service.open(peer, wake) if method == _SERVICE + "StreamChannel" else None

    def received(self, outbox: Outbox, messages: bytes) -> None:
        """Messages of a stream."""
        assert isinstance(outbox, Stream)
        try:
            self._service.received(outbox, messages)
        except Exception as error:  # likewise
            outbox.end(internal(error))

    def gather(self) -> None:
        """Packets that wait in the data plane."""
        self._service.collect()

    def finished(self, outbox: Outbox) -> None:
        """The controller has said all."""
        assert isinstance(outbox, Stream)
        outbox.end()

    def closed(self, outbox: Outbox) -> None:
        """The stream is gone."""
        assert isinstance(outbox, Stream)
        self._service.closed(outbox)


def _why(error: Exception, host: str) -> str:
    """What is wrong with an address that cannot be listened on."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"there is no host '{host}'"
    if not isinstance(error, OSError):
        return "its port is no number from 0 to 65535"
    reasons = {
        errno.EADDRINUSE: "in use by another program",
        errno.EADDRNOTAVAIL: "not an address of this machine",
        errno.EACCES: "ports below 1024 need root",
    }
    return reasons.get(error.errno or 0) or str(error.strerror or error)


class Server:
    """Serves a device on an address."""

    def __init__(self, service: Service, address: str, tls: Tls | None = None) -> None:
        """Listen on ``address`` (``host:port``; port 0 picks a free one: see ``port``)."""
        context = None if tls is None else tls.context()
        self._loop = asyncio.new_event_loop()
        self._bell = service.bell()
        self._has_tls = context is not None
        self._rpcs = _Rpcs(service, self._loop)
        self._connections: set[GrpcConnection] = set()
        self._thread = threading.Thread(target=self._run, name="p4runtime", daemon=True)
        host, _, port = address.rpartition(":")
        try:
            self._server = self._loop.run_until_complete(
                self._loop.create_server(
                    lambda: GrpcConnection(self._rpcs, self._connections),
                    host.strip("[]") or None,
                    int(port),
                    ssl=context,
                    # Bound now, so that a port in use is an error now; served from start() on.
                    start_serving=False,
                )
            )
        except (OSError, ValueError, OverflowError) as error:
            self._loop.close()
            raise ServerError(
                f"cannot listen on {address}: {_why(error, host)}; choose another with "
                "--grpc-server-addr"
            ) from None
        self.port: int = self._server.sockets[0].getsockname()[1]

    def start(self) -> None:
        """Serve; clients can connect when this returns."""
        self._loop.run_until_complete(self._server.start_serving())
        if self._bell is not None:
            self._loop.add_reader(self._bell, self._rpcs.gather)
        self._thread.start()

    def stop(self) -> None:
        """Stop; connections are closed."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_STOP_SECONDS)
        else:
            self._server.close()
            self._loop.close()
        self._rpcs.stop()

    async def _take_leave(self) -> None:
        """Close connections. Those with TLS wait for the other end to do so, too; and handshakes
        under way have to fail."""
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(_LEAVE_SECONDS if self._has_tls else 0)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._server.close()
            if self._bell is not None:
                self._loop.remove_reader(self._bell)
            self._loop.run_until_complete(self._take_leave())
        finally:
            self._loop.close()


def _tried(
    in_bulk: InBulk, message: bytes, wait: bool
) -> tuple[Sequence[bytes] | None, Failure | None]:
    """What comes of a message in bulk; no answers, not even none: it needs the careful way."""
    try:
        return in_bulk(message, wait), None
    except (P4RuntimeError, BatchError) as error:
        return (), error
    except Exception as error:  # No message may end the switch.
        return (), internal(error)


def _done(
    request: Any, run: Callable[[Any], Iterable[Message]], message: bytes
) -> tuple[Sequence[bytes], Failure | None]:
    """What comes of a message the careful way."""
    answers: list[bytes] = []
    try:
        for one in run(request.FromString(message)):
            answers.append(one.SerializeToString())
    except DecodeError:
        return answers, invalid(f"not a {request.DESCRIPTOR.name}")
    except (P4RuntimeError, BatchError) as error:
        return answers, error
    except Exception as error:  # likewise
        return answers, internal(error)
    return answers, None


def _one(run: Callable[[Any], Message]) -> Callable[[Any], Iterable[Message]]:
    return lambda request: (run(request),)
