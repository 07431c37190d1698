"""The P4Runtime service: each RPC checks who asks, takes the lock, and hands over to its module.

One lock serializes Write, Read and pipeline changes, which makes them strictly serializable as the
specification demands; it is not held while packets move.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence

import grpc
from finsy.proto import p4r, p4r_grpc

from p4embed.switch.dataplane import Dataplane
from p4embed.switch.engine import Digested, IdleEntry
from p4embed.switch.p4runtime.arbitration import Arbiter, Notice
from p4embed.switch.p4runtime.errors import (
    BatchError,
    Code,
    P4RuntimeError,
    abort,
    denied,
    internal,
    invalid,
)
from p4embed.switch.p4runtime.learner import Learner
from p4embed.switch.p4runtime.pipeline import Pipeline
from p4embed.switch.p4runtime.read import Reader
from p4embed.switch.p4runtime.stream import (
    Stream,
    Streams,
    ack_error,
    packet_out_error,
    unsupported,
)
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.writes import Writes, check_primary

log = logging.getLogger("p4embed.switch")

API_VERSION = "1.4.1"
"""P4Runtime version that ``Capabilities`` reports."""


class Service(p4r_grpc.P4RuntimeServicer):
    """P4Runtime for one device."""

    def __init__(self, device_id: int, dataplane: Dataplane) -> None:
        self.pipeline = Pipeline(dataplane)
        self._dataplane = dataplane
        self.streams = Streams()
        self._arbiter = Arbiter(device_id)
        self._arbitration = threading.Lock()
        self._state = threading.RLock()
        self._learner = Learner(self.pipeline, self._state, self.streams.send)
        self.writes = Writes(self.pipeline, self._state, self._arbiter, self._arbitration)

    # -- what the data plane tells (``Listener``) ---------------------------------------------

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

    def Write(self, request: p4r.WriteRequest, context: grpc.ServicerContext) -> p4r.WriteResponse:
        """See ``write.py``; the server asks ``writes`` instead."""
        try:
            self.writes.write(request)
        except Exception as error:
            self.writes.fail(error, context)
        return p4r.WriteResponse()

    def Read(
        self, request: p4r.ReadRequest, context: grpc.ServicerContext
    ) -> Iterator[p4r.ReadResponse]:
        """See ``read.py``."""
        try:
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
        except (P4RuntimeError, BatchError) as error:
            abort(context, error)
        except Exception as error:
            abort(context, internal(error))

    def SetForwardingPipelineConfig(
        self, request: p4r.SetForwardingPipelineConfigRequest, context: grpc.ServicerContext
    ) -> p4r.SetForwardingPipelineConfigResponse:
        """See ``pipeline.py``."""
        try:
            scope = check_primary(self._arbiter, self._arbitration, request)
            if scope is not None and not scope.can_push_pipeline:
                raise denied(f"role '{request.role}' may not change the pipeline")
            with self._state:
                self.pipeline.set(request)
        except P4RuntimeError as error:
            abort(context, error)
        except Exception as error:
            abort(context, internal(error))
        return p4r.SetForwardingPipelineConfigResponse()

    def GetForwardingPipelineConfig(
        self, request: p4r.GetForwardingPipelineConfigRequest, context: grpc.ServicerContext
    ) -> p4r.GetForwardingPipelineConfigResponse:
        """See ``pipeline.py``."""
        try:
            self._arbiter.check_device(request.device_id)
            with self._state:
                return self.pipeline.get(request.response_type)
        except P4RuntimeError as error:
            abort(context, error)
        except Exception as error:
            abort(context, internal(error))

    def Capabilities(
        self,
        request: p4r.CapabilitiesRequest,  # noqa: ARG002
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> p4r.CapabilitiesResponse:
        """The version of P4Runtime that is served."""
        return p4r.CapabilitiesResponse(p4runtime_api_version=API_VERSION)

    # -- stream -------------------------------------------------------------------------------

    def StreamChannel(
        self,
        request_iterator: Iterator[p4r.StreamMessageRequest],
        context: grpc.ServicerContext,
    ) -> Iterator[p4r.StreamMessageResponse]:
        """Arbitration, packets and notices of one controller."""
        stream = Stream(context.peer())
        if not context.add_callback(stream.end):
            return
        threading.Thread(
            target=self._receive,
            args=(stream, request_iterator),
            name=f"stream {stream.peer}",
            daemon=True,
        ).start()
        try:
            yield from stream.messages(self.pipeline, self._state)
        except P4RuntimeError as error:
            abort(context, error)
        finally:
            with self._arbitration:
                self._tell(self._arbiter.leave(stream))

    def _receive(self, stream: Stream, requests: Iterator[p4r.StreamMessageRequest]) -> None:
        """What a controller sends, until it ends the stream."""
        try:
            for request in requests:
                self._received(stream, request)
            stream.end()
        except P4RuntimeError as error:
            stream.end(error)
        except grpc.RpcError:
            stream.end()  # the connection broke
        except Exception as error:
            # A broken connection reaches a server as an exception of no type of its own.
            stream.end(None if type(error) is Exception else internal(error))

    def _received(self, stream: Stream, request: p4r.StreamMessageRequest) -> None:
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
