"""A P4Runtime target under measurement, driven synchronously: the least a client can add."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from finsy.proto import U128, p4r, p4r_grpc

from controller.config.cards import NpuSite
from controller.flow import Direction, FlowKey, Hop, Path, Port, Wing
from controller.messages import InstallWing, Transmit
from controller.npu.connection import ELECTION_ID
from controller.npu.contract import ACTIONS
from controller.npu.entries import DELETE, INSERT, SessionEntries, update_of
from controller.npu.packets import PacketCodec
from controller.npu.pipeline import Pipeline
from controller.npu.tables import Entry, table_entry
from controller.reasons import Send

TOKEN = 1
PORT_MAC = bytes.fromhex("020000010001")
_NOWHERE = Hop(Port(1, 1), 0, PORT_MAC, PORT_MAC)


class TargetError(Exception):
    """The target cannot be measured; the text says why and what would help."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A probe that came back: which one, and whether it found an entry."""

    sequence: int
    session_id: int


class Target:
    """The primary controller of one target."""

    def __init__(self, address: str, device_id: int, pipeline: Pipeline) -> None:
        self.address = address
        self._device_id = device_id
        self._pipeline = pipeline
        self._election = U128.encode(ELECTION_ID)
        self._entries = SessionEntries(pipeline, NpuSite(1, address, device_id, {}))
        self._codec = PacketCodec(pipeline, 1)
        self._channel = grpc.insecure_channel(
            address,
            options=(
                ("grpc.max_receive_message_length", -1),
                ("grpc.enable_http_proxy", 0),
                ("grpc.max_metadata_size", 1 << 20),
            ),
        )
        self._stub: Any = p4r_grpc.P4RuntimeStub(self._channel)
        self._requests: queue.SimpleQueue[p4r.StreamMessageRequest | None] = queue.SimpleQueue()
        self._arbitrated: queue.SimpleQueue[int | str] = queue.SimpleQueue()
        self.hits: queue.SimpleQueue[Hit] = queue.SimpleQueue()
        """Probes that came back, in order."""

    # -- life -----------------------------------------------------------------------------

    def open(self) -> None:
        """Connect, become primary, load the program. Raises ``TargetError``."""
        try:
            grpc.channel_ready_future(self._channel).result(timeout=10)
        except grpc.FutureTimeoutError:
            raise TargetError(f"no P4Runtime server answers at {self.address}") from None
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = self._device_id
        request.arbitration.election_id.CopyFrom(self._election)
        self._requests.put(request)
        threading.Thread(target=self._receive, daemon=True).start()
        answer = self._arbitrated.get(timeout=10)
        if answer != 0:
            raise TargetError(
                f"{self.address} does not take us as its primary controller ({answer}); "
                "stop the controller that it has"
            )
        config = p4r.ForwardingPipelineConfig(
            p4info=self._pipeline.p4info, p4_device_config=self._pipeline.device_config
        )
        config.cookie.cookie = self._pipeline.cookie
        try:
            self._stub.SetForwardingPipelineConfig(
                p4r.SetForwardingPipelineConfigRequest(
                    device_id=self._device_id,
                    election_id=self._election,
                    action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
                    config=config,
                ),
                timeout=60,
            )
        except grpc.RpcError as error:
            raise TargetError(f"{self.address} refuses the program: {error.details()}") from None

    def close(self) -> None:
        """Disconnect."""
        self._requests.put(None)
        self._channel.close()

    def _receive(self) -> None:
        pipeline = self._pipeline
        session_field = pipeline.packet_in.fields["session_id"]
        try:
            for response in self._stub.StreamChannel(iter(self._requests.get, None)):
                kind = response.WhichOneof("update")
                if kind == "arbitration":
                    self._arbitrated.put(response.arbitration.status.code)
                elif kind == "packet":
                    sequence = sequence_of(response.packet.payload)
                    if sequence is not None:
                        session = next(
                            int.from_bytes(m.value, "big")
                            for m in response.packet.metadata
                            if m.metadata_id == session_field
                        )
                        self.hits.put(Hit(sequence, session))
        except grpc.RpcError as error:
            self._arbitrated.put(error.details() or str(error.code()))

    # -- entries --------------------------------------------------------------------------

    def set_interface(self, port: int) -> None:
        """Make ``port`` an interface, so that probes get as far as the session table."""
        ours = {"token": TOKEN, "zone": 1, "mac": int.from_bytes(PORT_MAC, "big")}
        messages = []
        for side in ("ingress", "egress"):
            action = f"set_{side}_interface"
            values = {name: ours.get(name, 0) for name in ACTIONS[action]}
            entry = Entry(f"{side}_interface", action, values, {"port": port, "vlan": 0})
            messages.append(table_entry(self._pipeline, entry))
        self.write([p4r.Update(type=INSERT, entity=p4r.Entity(table_entry=m)) for m in messages])

    def forward(self, key: FlowKey, port: int) -> None:
        """Have the target forward a flow by itself, out of ``port``."""
        hop = Hop(Port(1, port), 0, PORT_MAC, PORT_MAC)
        wing = Wing(key, Port(1, port), key.tuple5, hop)
        message = InstallWing(1, Direction.FORWARD, 1, wing, Path.EXPRESS, 0, b"")
        self.write([p4r.Update.FromString(update_of(INSERT, self._entries.install(message)))])

    def packet_out(self, port: int, frame: bytes) -> None:
        """Send a frame out of a port."""
        request = self._codec.packet_out(Transmit(Port(1, port), Send.RAW, frame))
        self._requests.put(p4r.StreamMessageRequest.FromString(request))

    def updates(self, keys: Iterable[FlowKey], first_session: int) -> list[p4r.Update]:
        """INSERTs of one wing each, sessions numbered from ``first_session``."""
        updates = []
        for session, key in enumerate(keys, start=first_session):
            wing = Wing(key, Port(1, 1), key.tuple5, _NOWHERE)
            message = InstallWing(session, Direction.FORWARD, 1, wing, Path.SPU, 0, b"")
            updates.append(p4r.Update.FromString(update_of(INSERT, self._entries.install(message))))
        return updates

    def deletes(self, keys: Iterable[FlowKey]) -> list[p4r.Update]:
        """The DELETEs of wings."""
        return [p4r.Update.FromString(update_of(DELETE, self._entries.key(key))) for key in keys]

    def write(self, updates: Sequence[p4r.Update]) -> tuple[int, int]:
        """One Write; when it began and when it returned (monotonic ns). Building the request is
        not part of it. Raises ``TargetError``."""
        request = p4r.WriteRequest(
            device_id=self._device_id, election_id=self._election, updates=updates
        )
        call = self._stub.Write
        began = time.monotonic_ns()
        try:
            call(request, timeout=60)
        except grpc.RpcError as error:
            raise TargetError(f"{self.address} refuses a Write: {error.details()}") from None
        return began, time.monotonic_ns()


# -- probes ---------------------------------------------------------------------------------

_MARK = b"wingpath-probe:"


def probe(key: FlowKey, sequence: int) -> bytes:
    """A UDP frame of flow ``key`` that can be recognised when it is punted."""
    payload = _MARK + sequence.to_bytes(8, "big")
    head = bytes((0x45, 0)) + (28 + len(payload)).to_bytes(2, "big") + bytes(4) + bytes((64, 17))
    addresses = key.src + key.dst
    total = 0
    for offset in range(0, 10, 2):
        total += int.from_bytes(head[offset : offset + 2], "big")
    for offset in range(0, 8, 2):
        total += int.from_bytes(addresses[offset : offset + 2], "big")
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ((total & 0xFFFF) + (total >> 16)) ^ 0xFFFF
    udp = b"".join(v.to_bytes(2, "big") for v in (key.sport, key.dport, 8 + len(payload), 0))
    ethernet = PORT_MAC + bytes.fromhex("0200000000fe0800")
    return ethernet + head + checksum.to_bytes(2, "big") + addresses + udp + payload


def sequence_of(frame: bytes) -> int | None:
    """The number of a probe, ``None`` for any other frame."""
    at = frame.find(_MARK)
    if at < 0 or len(frame) < at + len(_MARK) + 8:
        return None
    return int.from_bytes(frame[at + len(_MARK) : at + len(_MARK) + 8], "big")
