"""The gRPC server around the service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
from finsy.proto import p4r_grpc

from p4embed.switch.p4runtime.arbitration import MAX_CLIENTS
from p4embed.switch.p4runtime.prompt import PromptBehaviour, PromptPool
from p4embed.switch.p4runtime.service import Service

_WORKERS = MAX_CLIENTS + 8
"""A stream holds a thread; the rest serve unary RPCs."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the same port is an error, not a lottery
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


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

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC needs of them."""

        def read(path: Path) -> bytes:
            try:
                return path.read_bytes()
            except OSError as error:
                raise ServerError(f"cannot read {path}: {error.strerror}") from None

        return grpc.ssl_server_credentials(
            [(read(self.key), read(self.certificate))],
            None if self.ca is None else read(self.ca),
            self.client_required,
        )


class _Handlers:
    """Stands in for a server, to learn which handlers the generated code would register."""

    def __init__(self) -> None:
        self.service = ""
        self.by_method: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, _handlers: object) -> None:
        """The same handlers, for servers that know no registered methods."""

    def add_registered_method_handlers(
        self, service: str, handlers: dict[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """What the server would be given."""
        self.service, self.by_method = service, handlers


class Server:
    """Serves a device on an address."""

    def __init__(self, service: Service, address: str, tls: Tls | None = None) -> None:
        """Listen on ``address`` (``host:port``; port 0 picks a free one: see ``port``)."""
        workers = ThreadPoolExecutor(_WORKERS, "p4runtime")
        self._server = grpc.server(workers, options=_OPTIONS)
        handlers = _Handlers()
        p4r_grpc.add_P4RuntimeServicer_to_server(service, cast(grpc.Server, handlers))
        writes = service.writes
        handlers.by_method["Write"] = grpc.unary_unary_rpc_method_handler(
            PromptBehaviour(writes, PromptPool(workers, writes)), None, None
        )
        self._server.add_registered_method_handlers(handlers.service, handlers.by_method)
        try:
            if tls is None:
                self.port = self._server.add_insecure_port(address)
            else:
                self.port = self._server.add_secure_port(address, tls.credentials())
        except RuntimeError:
            self.port = 0
        if not self.port:
            reason = "in use or not an address of this machine; choose another with"
            reason += " --grpc-server-addr"
            if tls is not None:
                reason += f" (or {tls.certificate} and {tls.key} are no certificate with its key)"
            raise ServerError(f"cannot listen on {address}: {reason}")

    def start(self) -> None:
        """Serve."""
        self._server.start()

    def stop(self) -> None:
        """Stop; waits briefly for RPCs to end."""
        self._server.stop(0.2).wait(1.0)
