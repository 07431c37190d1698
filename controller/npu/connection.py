"""A P4Runtime channel to one NPU: arbitration, stream, Write, Read, pipeline.

Everything fails with ``NpuError``, whose text says which NPU, where, and what happened.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import grpc
from finsy.proto import U128, p4r, p4r_grpc, rpc_code, rpc_status

from controller.config.schema import NpuSite
from controller.npu.pipeline import Pipeline

ELECTION_ID = 1 << 16
"""Ours. Tools that only look on connect with lower ones and stay backups."""

CONNECT_TIMEOUT_S = 10.0
PIPELINE_TIMEOUT_S = 60.0
RPC_TIMEOUT_S = 30.0
PACKET_OUT_LIMIT = 4096
"""Packet-outs that wait for the stream; what comes beyond is dropped and counted."""

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Errors of a Write with many updates travel in the trailing metadata.
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 1 << 20),
    ("grpc.enable_http_proxy", 0),
)


class NpuError(Exception):
    """An NPU cannot be reached, refuses, or is gone."""


class Connection:
    """The primary controller's connection to one P4Runtime server."""

    def __init__(self, site: NpuSite, election_id: int = ELECTION_ID) -> None:
        self.site = site
        self._election = U128.encode(election_id)
        self._channel: Any = None
        self._stub: Any = None
        self._stream: Any = None
        self._outgoing: deque[p4r.StreamMessageRequest] = deque()
        self._outgoing_ready = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._closing = False
        self.packets_out_dropped = 0
        """Packet-outs given up because the NPU does not take them fast enough."""

    @property
    def name(self) -> str:
        """For messages."""
        return f"NPU {self.site.number} at {self.site.address}"

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke."""
        return self._lost.done()

    async def lost(self) -> str:
        """Wait until the connection breaks; what happened."""
        return await asyncio.shield(self._lost)

    async def open(self) -> None:
        """Connect and become primary. Raises ``NpuError``."""
        self._channel = grpc.aio.insecure_channel(self.site.address, options=_OPTIONS)
        self._stub = p4r_grpc.P4RuntimeStub(self._channel)
        try:
            await asyncio.wait_for(self._channel.channel_ready(), CONNECT_TIMEOUT_S)
        except TimeoutError:
            await self.close()
            raise NpuError(
                f"{self.name} does not answer; is its switch running, and is the address in "
                "chassis.toml right?"
            ) from None
        self._stream = self._stub.StreamChannel()
        await self._arbitrate()

    async def _arbitrate(self) -> None:
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = self.site.device_id
        request.arbitration.election_id.CopyFrom(self._election)
        try:
            await self._stream.write(request)
            answer = await asyncio.wait_for(self._stream.read(), CONNECT_TIMEOUT_S)
        except TimeoutError:
            raise NpuError(f"{self.name} accepts connections but does not answer") from None
        except grpc.RpcError as error:
            raise self._refused(error) from None
        if answer is grpc.aio.EOF:
            try:
                await self._stream
            except grpc.RpcError as error:
                raise self._refused(error) from None
            raise NpuError(f"{self.name} closed the connection")
        code = answer.arbitration.status.code
        if answer.WhichOneof("update") != "arbitration" or code != rpc_code.OK:
            raise NpuError(
                f"{self.name} has another primary controller "
                f"(election id {U128.decode(answer.arbitration.election_id)}); stop that one first"
            )

    def _refused(self, error: grpc.RpcError) -> NpuError:
        if _code(error) == grpc.StatusCode.INVALID_ARGUMENT and "lection id" in _text(error):
            return NpuError(
                f"{self.name} already has a controller with our election id; stop that one first"
            )
        return self._failure("refuses us as its controller", error)

    def start(self, received: Callable[[p4r.StreamMessageResponse], None]) -> None:
        """Hand every message of the stream to ``received`` from now on, and send packet-outs."""
        self._tasks = [
            asyncio.create_task(self._receive(received)),
            asyncio.create_task(self._transmit()),
        ]

    async def close(self) -> None:
        """Close the channel. Idempotent."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
        if self._channel is not None:
            await self._channel.close()
            self._channel = None
        if not self._lost.done():
            self._lost.set_result(f"{self.name}: connection closed")

    # -- stream ---------------------------------------------------------------------------

    def transmit(self, request: p4r.StreamMessageRequest) -> None:
        """Queue a packet-out."""
        if len(self._outgoing) >= PACKET_OUT_LIMIT:
            self.packets_out_dropped += 1
            return
        self._outgoing.append(request)
        self._outgoing_ready.set()

    async def _receive(self, received: Callable[[p4r.StreamMessageResponse], None]) -> None:
        read = self._stream.read
        try:
            while (message := await read()) is not grpc.aio.EOF:
                if (
                    message.WhichOneof("update") == "arbitration"
                    and message.arbitration.status.code != rpc_code.OK
                ):
                    self._gone("another controller became its primary")
                    return
                received(message)
            self._gone("it closed the connection")
        except grpc.RpcError as error:
            self._gone(_text(error))

    async def _transmit(self) -> None:
        write = self._stream.write
        try:
            while True:
                while self._outgoing:
                    await write(self._outgoing.popleft())
                self._outgoing_ready.clear()
                await self._outgoing_ready.wait()
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            self._gone(_text(error))

    def _gone(self, why: str) -> None:
        if not self._closing and not self._lost.done():
            self._lost.set_result(f"{self.name} is gone: {why}")

    # -- pipeline -------------------------------------------------------------------------

    async def set_pipeline(self, pipeline: Pipeline) -> bool:
        """Have the NPU run a program; whether it had to be loaded (it ran another or none)."""
        request = p4r.GetForwardingPipelineConfigRequest(
            device_id=self.site.device_id,
            response_type=p4r.GetForwardingPipelineConfigRequest.COOKIE_ONLY,
        )
        try:
            answer = await self._stub.GetForwardingPipelineConfig(request, timeout=RPC_TIMEOUT_S)
            if answer.config.cookie.cookie == pipeline.cookie:
                return False
        except grpc.RpcError:
            pass  # No program yet: every target says so with a code of its own.
        config = p4r.ForwardingPipelineConfig(
            p4info=pipeline.p4info, p4_device_config=pipeline.device_config
        )
        config.cookie.cookie = pipeline.cookie
        try:
            await self._stub.SetForwardingPipelineConfig(
                p4r.SetForwardingPipelineConfigRequest(
                    device_id=self.site.device_id,
                    election_id=self._election,
                    action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
                    config=config,
                ),
                timeout=PIPELINE_TIMEOUT_S,
            )
        except grpc.RpcError as error:
            raise self._failure("refuses the program", error) from None
        return True

    # -- Write and Read -------------------------------------------------------------------

    async def write(self, updates: Sequence[p4r.Update]) -> list[int]:
        """One Write RPC; the canonical code of each update. Raises ``NpuError`` if the NPU is
        gone."""
        request = p4r.WriteRequest(
            device_id=self.site.device_id, election_id=self._election, updates=updates
        )
        try:
            await self._stub.Write(request, timeout=RPC_TIMEOUT_S)
        except grpc.RpcError as error:
            codes = update_codes(error, len(updates))
            if codes is None:
                raise self._failure("refuses a write", error) from None
            return codes
        return [rpc_code.OK] * len(updates)

    async def read(self, entities: Iterable[p4r.Entity]) -> AsyncIterator[p4r.Entity]:
        """One Read RPC. Raises ``NpuError``."""
        request = p4r.ReadRequest(device_id=self.site.device_id, entities=entities)
        try:
            async for response in self._stub.Read(request, timeout=RPC_TIMEOUT_S):
                for entity in response.entities:
                    yield entity
        except grpc.RpcError as error:
            raise self._failure("refuses a read", error) from None

    def _failure(self, what: str, error: grpc.RpcError) -> NpuError:
        if _code(error) == grpc.StatusCode.UNAVAILABLE:
            self._gone(_text(error))
            return NpuError(f"{self.name} is gone: {_text(error)}")
        return NpuError(f"{self.name} {what}: {_text(error)}")


def update_codes(error: grpc.RpcError, count: int) -> list[int] | None:
    """Each update's canonical code from a failed Write's status details, ``None`` if it has none.

    P4Runtime specification, "Error Reporting Messages": one ``p4.v1.Error`` for every update, in
    order, also for those that succeeded.
    """
    metadata = error.trailing_metadata() if isinstance(error, grpc.aio.AioRpcError) else None
    for key, value in metadata or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            status = rpc_status.Status()
            status.ParseFromString(value)
            if len(status.details) != count:
                return None
            codes = []
            for detail in status.details:
                update = p4r.Error()
                if not detail.Unpack(update):
                    return None
                codes.append(update.canonical_code)
            return codes
    return None


def code_name(code: int) -> str:
    """A canonical code as documentation writes it."""
    return next((name for name, number in rpc_code.Code.items() if number == code), str(code))


def _code(error: BaseException) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.aio.AioRpcError) else None


def _text(error: BaseException) -> str:
    """An RPC error in one line."""
    if isinstance(error, grpc.aio.AioRpcError):
        details = " ".join((error.details() or "").split())
        return f"{error.code().name}: {details}" if details else error.code().name
    return str(error) or type(error).__name__
