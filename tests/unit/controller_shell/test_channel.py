"""A channel's RPCs beside each other, against a server that has more to say than is heard."""

import asyncio
from typing import cast

import h2.events as events
from h2.config import H2Configuration
from h2.connection import H2Connection

from controller.npu.channel import Channel, RpcError
from controller.npu.turn import Turn

MESSAGE = bytes((0, 0, 0, 0, 95)) + bytes(95)
"""Framed for gRPC."""
BACKLOG = 1 << 22
ANSWER = ((":status", "200"), ("content-type", "application/grpc"))
STREAM, ASKED = b"/p4.v1.P4Runtime/StreamChannel", b"/p4.v1.P4Runtime/Write"


class Flooding(asyncio.Protocol):
    """Sends a backlog of messages on the first stream, as fast as it may, and answers all others
    at once."""

    def __init__(self) -> None:
        self.http2 = H2Connection(H2Configuration(client_side=False))
        self.backlog = MESSAGE * (BACKLOG // len(MESSAGE))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.http2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self.http2.receive_data(data):
            if isinstance(event, events.RequestReceived):
                self.http2.send_headers(cast(int, event.stream_id), ANSWER)
            elif isinstance(event, events.StreamEnded):
                stream = cast(int, event.stream_id)
                self.http2.send_data(stream, bytes(5))
                self.http2.send_headers(stream, (("grpc-status", "0"),), end_stream=True)
        self.flush()

    def flush(self) -> None:
        while self.backlog and 1 in self.http2.streams:
            room = min(self.http2.local_flow_control_window(1), self.http2.max_outbound_frame_size)
            if not room:
                break
            self.http2.send_data(1, self.backlog[:room])
            self.backlog = self.backlog[room:]
        self.transport.write(self.http2.data_to_send())


class Wire:
    """A transport whose far end is an HTTP/2 server in memory."""

    def __init__(self) -> None:
        self.http2 = H2Connection(H2Configuration(client_side=False))
        self.http2.initiate_connection()

    def write(self, data: bytes) -> None:
        self.http2.receive_data(data)

    def is_closing(self) -> bool:
        return False


def test_the_far_end_may_go_on_while_what_it_said_is_handled() -> None:
    """Else NPU and controller would wait for each other in turn."""

    async def run() -> None:
        turn, wire, room = Turn(), Wire(), []
        channel = Channel("npu", lambda _: None, turn)

        def handle() -> None:
            room.append(wire.http2.local_flow_control_window(1))

        channel.connection_made(cast(asyncio.Transport, wire))
        channel.open(STREAM, lambda _: room or turn.handle(handle), lambda _: None)
        channel.data_received(wire.http2.data_to_send())
        await asyncio.sleep(0)
        wire.http2.send_headers(1, ANSWER)
        window = wire.http2.local_flow_control_window(1)
        while (left := wire.http2.local_flow_control_window(1)) >= len(MESSAGE):
            size = min(left, wire.http2.max_outbound_frame_size) // len(MESSAGE)
            wire.http2.send_data(1, MESSAGE * size)
        channel.data_received(wire.http2.data_to_send())
        await asyncio.sleep(0)
        assert room[0] >= window // 2

    asyncio.run(run())


def test_an_answer_does_not_wait_behind_all_that_a_stream_has_to_say() -> None:
    """Packets-in that nobody has handled yet must not hold up Writes for those that were."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Flooding, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        channel = await Channel.connect(f"127.0.0.1:{port}", lambda _: None, Turn())
        heard, begun = 0, loop.create_future()

        def received(message: bytes) -> None:
            nonlocal heard
            heard += len(message)
            if not begun.done():
                begun.set_result(None)

        answer: asyncio.Future[tuple[list[bytes] | RpcError, int]] = loop.create_future()
        channel.open(STREAM, received, lambda _: None)
        await begun
        channel.ask(ASKED, b"", 10, lambda said: answer.set_result((said, heard)))
        before = heard
        said, after = await answer
        assert said == [b""]
        assert after - before <= BACKLOG // 16
        channel.close()
        server.close()
        await server.wait_closed()

    asyncio.run(run())
