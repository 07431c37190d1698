"""The Unix socket by which operators reach a running controller."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from pathlib import Path

from controller.npu.connection import NpuError
from controller.operate.commands import CommandError, complete, parse
from controller.operate.operator import Operator
from controller.operate.protocol import LINE_LIMIT
from controller.operate.table import ROOT

LOGGER = logging.getLogger(__name__)


class SocketError(Exception):
    """The socket cannot be made."""


class OperatorServer:
    """Serves commands. ``start`` raises ``SocketError``; ``close`` removes the socket."""

    def __init__(self, operator: Operator, path: Path) -> None:
        self._operator = operator
        self._path = path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. A socket that nobody listens on any more is replaced."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.is_socket():
                if _answers(self._path):
                    raise SocketError(
                        f"another wingpath is running at {self._path}; stop it, or choose another "
                        "socket with --socket"
                    )
                self._path.unlink()
            self._server = await asyncio.start_unix_server(
                self._serve, str(self._path), limit=LINE_LIMIT
            )
            self._path.chmod(0o600)
        except OSError as error:
            raise SocketError(
                f"cannot listen at {self._path}: {error.strerror or error}; choose another path "
                "with --socket"
            ) from error

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = await self.answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # It hung up, sent an endless line, or we are closing.
        finally:
            writer.close()

    async def answer(self, line: bytes) -> dict[str, object]:
        """The answer to one request line."""
        try:
            request = json.loads(line)
        except ValueError:
            return {"error": "the request is no JSON"}
        match request:
            case {"command": str(command)}:
                return await self._run(command)
            case {"complete": str(start)}:
                configuration = self._operator.runtime.configuration
                return {"words": [list(item) for item in complete(ROOT, start, configuration)]}
            case {"hello": _}:
                return {"text": self._operator.runtime.configuration.host_name}
            case _:
                return {"error": "the request is neither a command, a completion nor a hello"}

    async def _run(self, command: str) -> dict[str, object]:
        if not self._operator.runtime.is_ready:
            return {"error": "wingpath is starting; try again in a moment"}
        try:
            invocation = parse(ROOT, command)
            assert invocation.command.run is not None
            return {"text": await invocation.command.run(self._operator, invocation.options)}
        except (CommandError, NpuError) as error:
            return {"error": str(error)}
        except Exception:
            LOGGER.exception("command %r failed", command)
            return {"error": "this command failed within wingpath; its log says where"}


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
