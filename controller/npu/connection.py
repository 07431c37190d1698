"""A P4Runtime channel to one NPU: arbitration, stream, Write, Read, pipeline.

Everything fails with ``NpuError``, whose text says which NPU, where, and what happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from finsy.proto import U128, p4r, rpc_code, rpc_status
from google.protobuf.message import DecodeError, Message

from controller.config.cards import NpuSite
from controller.npu.channel import Call, Channel, RpcError
from controller.npu.pipeline import Pipeline
from controller.npu.turn import Turn
from controller.npu.wire import tag, varint

ELECTION_ID = 1 << 16
"""Ours. Tools that only look on connect with lower ones and stay backups."""

CONNECT_TIMEOUT_S = 10.0
_RETRY_S = 0.1
PIPELINE_TIMEOUT_S = 60.0
RPC_TIMEOUT_S = 30.0
WRITE_BATCH = 1000
"""Updates of a Write, at most."""
PACKET_OUT_LIMIT = 4096
"""Packet-outs that wait for the stream; what comes beyond is dropped and counted."""

_SERVICE = b"/p4.v1.P4Runtime/"
_WRITE, _READ = _SERVICE + b"Write", _SERVICE + b"Read"
_ARBITRATION = b"\x0a"
"""What a ``StreamMessageResponse`` with field 1 begins with."""
_UPDATES = tag(p4r.WriteRequest.DESCRIPTOR.fields_by_name["updates"].number)
_ENTITIES = tag(p4r.ReadRequest.DESCRIPTOR.fields_by_name["entities"].number)
_ALL_WELL = (rpc_code.OK,)
_ENTITY_ROOM = 512
"""What an answer to a Read takes for each entity, mostly less, in bytes."""


class NpuError(Exception):
    """An NPU cannot be reached, refuses, or is gone."""


class Connection:
    """The primary controller's connection to one P4Runtime server."""

    def __init__(self, site: NpuSite, turn: Turn, election_id: int = ELECTION_ID) -> None:
        self.site = site
        self._turn = turn
        self._election = U128.encode(election_id)
        # What every request begins with.
        self._write_head = p4r.WriteRequest(
            device_id=site.device_id, election_id=self._election
        ).SerializeToString()
        self._read_head = p4r.ReadRequest(device_id=site.device_id).SerializeToString()
        self._channel: Channel | None = None
        self._stream: Call | None = None
        self._received: Callable[[bytes], None] | None = None
        self._early: asyncio.Queue[bytes | RpcError | None] = asyncio.Queue()
        """What the stream brings before ``start``."""
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
        self._channel = await self._connect()
        self._stream = self._channel.open(
            _SERVICE + b"StreamChannel", self._stream_message, self._stream_ended
        )
        await self._arbitrate()

    async def _connect(self) -> Channel:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                while True:
                    try:
                        return await Channel.connect(self.site.address, self._gone, self._turn)
                    except OSError:
                        await asyncio.sleep(_RETRY_S)
        except TimeoutError:
            raise NpuError(
                f"{self.name} does not answer; is its switch running, and is the address in "
                "chassis.toml right?"
            ) from None

    async def _arbitrate(self) -> None:
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = self.site.device_id
        request.arbitration.election_id.CopyFrom(self._election)
        assert self._stream is not None
        self._stream.send(request.SerializeToString())
        try:
            message = await asyncio.wait_for(self._early.get(), CONNECT_TIMEOUT_S)
        except TimeoutError:
            raise NpuError(f"{self.name} accepts connections but does not answer") from None
        if isinstance(message, RpcError):
            raise self._refused(message) from None
        if message is None:
            raise NpuError(f"{self.name} closed the connection")
        answer = p4r.StreamMessageResponse.FromString(message)
        if answer.WhichOneof("update") != "arbitration" or answer.arbitration.status.code:
            raise NpuError(
                f"{self.name} has another primary controller "
                f"(election id {U128.decode(answer.arbitration.election_id)}); stop that one first"
            )

    def _refused(self, error: RpcError) -> NpuError:
        if error.code == rpc_code.INVALID_ARGUMENT and "lection id" in error.details:
            return NpuError(
                f"{self.name} already has a controller with our election id; stop that one first"
            )
        return self._failure("refuses us as its controller", error)

    def start(self, received: Callable[[bytes], None]) -> None:
        """Hand every message of the stream (a serialized ``StreamMessageResponse``) to ``received``
        from now on; those that came meanwhile first."""
        self._received = received
        while not self._early.empty():
            message = self._early.get_nowait()
            if isinstance(message, bytes):
                self._stream_message(message)
            else:
                self._stream_ended(message)

    async def close(self) -> None:
        """Close the channel. Idempotent."""
        self._closing = True
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if not self._lost.done():
            self._lost.set_result(f"{self.name}: connection closed")

    # -- stream ---------------------------------------------------------------------------

    def transmit(self, request: bytes) -> None:
        """Send a packet-out, a serialized ``StreamMessageRequest``, with the loop's turn."""
        stream = self._stream
        if stream is None or len(stream.outgoing) >= PACKET_OUT_LIMIT:
            self.packets_out_dropped += 1
            return
        stream.send(request)

    def _stream_message(self, message: bytes) -> None:
        if self._received is None:
            self._early.put_nowait(message)
        elif message[:1] == _ARBITRATION:
            answer = p4r.StreamMessageResponse.FromString(message)
            if answer.arbitration.status.code != rpc_code.OK:
                self._gone("another controller became its primary")
        else:
            self._received(message)

    def _stream_ended(self, error: RpcError | None) -> None:
        self._stream = None
        if self._received is None:
            self._early.put_nowait(error)
        else:
            self._gone("it closed the connection" if error is None else str(error))

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
            answer = p4r.GetForwardingPipelineConfigResponse.FromString(
                await self._call("GetForwardingPipelineConfig", request, RPC_TIMEOUT_S)
            )
            if answer.config.cookie.cookie == pipeline.cookie:
                return False
        except RpcError:
            pass  # No program yet: every target says so with a code of its own.
        config = p4r.ForwardingPipelineConfig(
            p4info=pipeline.p4info, p4_device_config=pipeline.device_config
        )
        config.cookie.cookie = pipeline.cookie
        change = p4r.SetForwardingPipelineConfigRequest(
            device_id=self.site.device_id,
            election_id=self._election,
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
            config=config,
        )
        try:
            await self._call("SetForwardingPipelineConfig", change, PIPELINE_TIMEOUT_S)
        except RpcError as error:
            raise self._failure("refuses the program", error) from None
        return True

    async def _call(self, method: str, request: Message, timeout: float) -> bytes:
        return await self._open_channel().call(
            _SERVICE + method.encode(), request.SerializeToString(), timeout
        )

    def _open_channel(self) -> Channel:
        if self._channel is None:
            raise RpcError(rpc_code.UNAVAILABLE, "the connection is closed")
        return self._channel

    # -- Write and Read -------------------------------------------------------------------

    def begin_write(
        self, updates: Sequence[bytes], done: Callable[[Sequence[int] | NpuError], None]
    ) -> None:
        """One Write RPC of serialized ``Update`` messages; ``done`` gets the canonical code of
        each, or what happened to the NPU."""
        count = len(updates)

        def answered(answer: Sequence[bytes] | RpcError) -> None:
            if not isinstance(answer, RpcError):
                done(_ALL_WELL * count)
                return
            codes = update_codes(answer, count)
            done(self._failure("refuses a write", answer) if codes is None else codes)

        pieces = [self._write_head]
        for update in updates:
            pieces += (_UPDATES, varint(len(update)), update)
        try:
            self._open_channel().ask(_WRITE, b"".join(pieces), RPC_TIMEOUT_S, answered)
        except RpcError as error:
            done(self._failure("refuses a write", error))

    async def write(self, updates: Sequence[p4r.Update]) -> Sequence[int]:
        """One Write RPC; the canonical code of each update. Raises ``NpuError`` if the NPU is
        gone."""
        future: asyncio.Future[Sequence[int] | NpuError] = (
            asyncio.get_running_loop().create_future()
        )
        self.begin_write([update.SerializeToString() for update in updates], future.set_result)
        answer = await future
        if isinstance(answer, NpuError):
            raise answer
        return answer

    def begin_read(
        self, entities: Sequence[bytes], done: Callable[[Sequence[bytes] | NpuError], None]
    ) -> None:
        """One Read RPC of serialized ``Entity`` messages; ``done`` gets the serialized
        ``ReadResponse`` messages, or what happened."""

        def answered(answer: Sequence[bytes] | RpcError) -> None:
            done(
                self._failure("refuses a read", answer) if isinstance(answer, RpcError) else answer
            )

        pieces = [self._read_head]
        for entity in entities:
            pieces += (_ENTITIES, varint(len(entity)), entity)
        try:
            room = len(entities) * _ENTITY_ROOM
            self._open_channel().ask(_READ, b"".join(pieces), RPC_TIMEOUT_S, answered, room)
        except RpcError as error:
            done(self._failure("refuses a read", error))

    async def read(self, entities: Iterable[p4r.Entity]) -> AsyncIterator[p4r.Entity]:
        """One Read RPC. Raises ``NpuError``."""
        request = p4r.ReadRequest(device_id=self.site.device_id, entities=entities)
        try:
            async for response in self._open_channel().stream(
                _READ, request.SerializeToString(), RPC_TIMEOUT_S
            ):
                for entity in p4r.ReadResponse.FromString(response).entities:
                    yield entity
        except RpcError as error:
            raise self._failure("refuses a read", error) from None

    def _failure(self, what: str, error: RpcError) -> NpuError:
        if error.code == rpc_code.UNAVAILABLE:
            self._gone(str(error))
            return NpuError(f"{self.name} is gone: {error}")
        return NpuError(f"{self.name} {what}: {error}")


def update_codes(error: RpcError, count: int) -> list[int] | None:
    """Each update's canonical code from a failed Write's status details, ``None`` if it has none.

    P4Runtime specification, "Error Reporting Messages": one ``p4.v1.Error`` for every update, in
    order, also for those that succeeded.
    """
    if not error.status:
        return None
    status = rpc_status.Status()
    try:
        status.ParseFromString(error.status)
    except DecodeError:
        return None
    if len(status.details) != count:
        return None
    codes = []
    for detail in status.details:
        update = p4r.Error()
        if not detail.Unpack(update):
            return None
        codes.append(update.canonical_code)
    return codes
