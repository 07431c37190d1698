"""The P4Runtime service: each RPC checks who asks, takes the lock, and hands over to its module.

One lock serializes Write, Read and pipeline changes, which makes them strictly serializable as the
specification demands; it is not held while packets move. RPCs fail with ``P4RuntimeError`` or
``BatchError``.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence

from finsy.proto import U128, p4r
from google.protobuf.message import DecodeError

from p4embed.switch.dataplane import Collected, Dataplane
from p4embed.switch.engine import Digested, IdleEntry
from p4embed.switch.p4runtime.arbitration import Arbiter, Notice
from p4embed.switch.p4runtime.errors import (
    BatchError,
    Code,
    P4RuntimeError,
    denied,
    invalid,
)
from p4embed.switch.p4runtime.framing import message_at
from p4embed.switch.p4runtime.learner import Learner
from p4embed.switch.p4runtime.pipeline import Pipeline
from p4embed.switch.p4runtime.read import Reader
from p4embed.switch.p4runtime.roles import Scope
from p4embed.switch.p4runtime.stream import (
    Stream,
    Streams,
    ack_error,
    packet_out_error,
    unsupported,
)
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.write import Writer

log = logging.getLogger("p4embed.switch")

API_VERSION = "1.4.1"
"""P4Runtime version that ``Capabilities`` reports."""


class Service:
    """P4Runtime for one device. Methods may be called from any thread."""

    def __init__(self, device_id: int, dataplane: Dataplane) -> None:
        self.pipeline = Pipeline(dataplane)
        self._dataplane = dataplane
        self._collected = dataplane if isinstance(dataplane, Collected) else None
        self.streams = Streams()
        self._arbiter = Arbiter(device_id)
        self._arbitration = threading.Lock()
        self._state = threading.RLock()
        self._learner = Learner(self.pipeline, self._state, self.streams.send)

    # -- what the data plane tells (``Listener``) ---------------------------------------------

    def bell(self) -> int | None:
        """A file descriptor that is readable while there is something to ``collect``, if the data
        plane has one."""
        return None if self._collected is None else self._collected.bell()

    def collect(self) -> None:
        """Have the data plane tell what it did not yet."""
        if self._collected is not None:
            self._collected.collect()

    def packets_in(self, frames: Sequence[bytes]) -> None:
        """Frames from the CPU port."""
        self.streams.packets_in(frames)

    def idle(self, entries: Sequence[IdleEntry]) -> None:
        """Idle entries."""
        self.streams.idle(entries)

    def digests(self, digests: Sequence[Digested]) -> None:
        """Digests."""
        self._learner.learn(digests)

    # -- unary RPCs ---------------------------------------------------------------------------

    def write(self, request: p4r.WriteRequest) -> p4r.WriteResponse:
        """See ``write.py``."""
        scope = self._check_primary(request)
        with self._state:
            Writer(self.pipeline.target, scope).write(request)
        return p4r.WriteResponse()

    def write_in_bulk(self, message: bytes, wait: bool) -> Sequence[bytes] | None:
        """Carry out a serialized ``WriteRequest`` if that takes little; its responses if so. With
        ``wait``, whoever has the lock is waited for."""
        bulk = self.pipeline.bulk
        understood = None if bulk is None else bulk.parse(message)
        if bulk is None or understood is None:
            return None
        with self._arbitration:
            self._arbiter.check_primary(understood.device_id, "", understood.election_id)
        if not self._state.acquire(blocking=wait):
            return None  # A Read of everything, say.
        try:
            if bulk is not self.pipeline.bulk:
                return None  # Another program was loaded, which it has to be understood for.
            bulk.write(understood, message)
        finally:
            self._state.release()
        return (b"",)

    def read_in_bulk(self, message: bytes, wait: bool) -> Sequence[bytes] | None:
        """The same for a serialized ``ReadRequest``."""
        if not self._state.acquire(blocking=wait):
            return None
        try:
            bulk = self.pipeline.bulk
            answer = None if bulk is None else bulk.read(message)
        finally:
            self._state.release()
        if answer is None:
            return None
        self._arbiter.check_device(answer.device_id)
        return (answer.response,) if answer.response else ()

    def read(self, request: p4r.ReadRequest) -> Iterator[p4r.ReadResponse]:
        """See ``read.py``."""
        self._arbiter.check_device(request.device_id)
        with self._arbitration:
            scope = self._arbiter.scope(request.role)
        failure: BatchError | None = None
        responses: list[p4r.ReadResponse] = []
        with self._state:
            try:
                for response in Reader(self.pipeline.target, scope).read(request):
                    responses.append(response)  # kept when a later query fails
            except BatchError as error:
                failure = error
        # Sent without the lock: a slow reader must not keep others from writing.
        yield from responses
        if failure is not None:
            raise failure

    def set_pipeline(
        self, request: p4r.SetForwardingPipelineConfigRequest
    ) -> p4r.SetForwardingPipelineConfigResponse:
        """See ``pipeline.py``."""
        scope = self._check_primary(request)
        if scope is not None and not scope.can_push_pipeline:
            raise denied(f"role '{request.role}' may not change the pipeline")
        with self._state:
            self.pipeline.set(request)
        return p4r.SetForwardingPipelineConfigResponse()

    def get_pipeline(
        self, request: p4r.GetForwardingPipelineConfigRequest
    ) -> p4r.GetForwardingPipelineConfigResponse:
        """See ``pipeline.py``."""
        self._arbiter.check_device(request.device_id)
        with self._state:
            return self.pipeline.get(request.response_type)

    def capabilities(self, _request: p4r.CapabilitiesRequest) -> p4r.CapabilitiesResponse:
        """The version of P4Runtime that is served."""
        return p4r.CapabilitiesResponse(p4runtime_api_version=API_VERSION)

    def _check_primary(
        self, request: p4r.WriteRequest | p4r.SetForwardingPipelineConfigRequest
    ) -> Scope | None:
        """What the primary's role may do."""
        election_id = U128.decode(request.election_id) if request.HasField("election_id") else None
        with self._arbitration:
            self._arbiter.check_primary(request.device_id, request.role, election_id)
            return self._arbiter.scope(request.role)

    # -- stream -------------------------------------------------------------------------------

    def open(self, peer: str, wake: Callable[[], None]) -> Stream:
        """A controller's stream begins: arbitration, packets and notices."""
        return Stream(peer, wake, self.pipeline, self._state)

    def received(self, stream: Stream, messages: bytes) -> None:
        """What a controller sends, in order, framed for gRPC; an error ends its stream."""
        try:
            while messages:
                messages = messages[self._packets_out(stream, messages) :]
                if messages:
                    message, behind = message_at(messages, 0)
                    self._received(stream, message)
                    messages = messages[behind:]
        except P4RuntimeError as error:
            stream.end(error)

    def closed(self, stream: Stream) -> None:
        """A controller's stream is over."""
        with self._arbitration:
            self._tell(self._arbiter.leave(stream))

    def _packets_out(self, stream: Stream, messages: bytes) -> int:
        """Send packets with which all is well, up to the first message that needs more care; how
        many bytes of the messages they were."""
        target = self.pipeline.running
        if target is None or not self._arbiter.is_primary(stream):
            return 0
        frames, used = target.packets.frames(messages)
        if frames:
            self._dataplane.packet_out(frames)
        return used

    def _received(self, stream: Stream, message: bytes) -> None:
        try:
            request = p4r.StreamMessageRequest.FromString(message)
        except DecodeError:
            raise invalid("not a StreamMessageRequest") from None
        kind = request.WhichOneof("update")
        match kind:
            case "packet":
                self._packet_out(stream, request.packet)
            case "digest_ack":
                self._digest_ack(stream, request.digest_ack)
            case "arbitration":
                with self._arbitration:
                    self._tell(self._arbiter.update(stream, request.arbitration))
            case None:
                raise invalid("empty stream message; expected arbitration or packet")
            case _:
                stream.send(unsupported(kind))

    def _tell(self, notices: list[Notice]) -> None:
        primaries = [s for s in self._arbiter.primaries() if isinstance(s, Stream)]
        for stream in primaries:
            stream.scope = self._arbiter.scope_of(stream)
        self.streams.set_primaries(primaries)
        for client, message in notices:
            assert isinstance(client, Stream)
            client.send(p4r.StreamMessageResponse(arbitration=message))

    def _packet_out(self, stream: Stream, packet: p4r.PacketOut) -> None:
        try:
            if not self._arbiter.is_primary(stream):
                raise denied("only the primary may send packets")
            frame = self._running().translator.packet_out.pack(packet)
            self._dataplane.packet_out([frame])
        except P4RuntimeError as error:
            stream.send(packet_out_error(error, packet))

    def _digest_ack(self, stream: Stream, ack: p4r.DigestListAck) -> None:
        try:
            if not self._arbiter.is_primary(stream):
                raise denied("only the primary may acknowledge digests")
            with self._state:
                self._running().digests.acknowledge(ack)
        except P4RuntimeError as error:
            stream.send(ack_error(error, ack))

    def _running(self) -> Target:
        target = self.pipeline.running
        if target is None:
            raise P4RuntimeError(Code.FAILED_PRECONDITION, "no forwarding pipeline config")
        return target
