"""The real simple_switch_grpc as a target: entries by P4Runtime, packets by its data-plane channel.

``--dp-grpc-server-addr`` offers packets in and out of every port over gRPC, so this needs neither
root nor interfaces. A burst of packets is a stream: when its requests end, the switch finishes what
it has received, clones and recirculated packets too, and only then ends the answers.
"""

from __future__ import annotations

import queue
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from finsy.proto import U128, p4i, p4r, p4r_grpc
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message,
    message_factory,
    text_format,
)

from conformance import commands
from conformance.naming import Action, Match, TableEntry
from conformance.replay import Rejected, Unsupported

_START_S = 20.0
"""Seconds for the switch to listen, and to load a program."""
_BURST_S = 30.0
"""Seconds for the switch to finish a burst."""


def _packet_messages() -> tuple[type[message.Message], type[message.Message]]:
    """Messages of BMv2's ``p4.bm.DataplaneInterface``: id, device_id, port, packet."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="conformance/dataplane.proto", package="p4.bm", syntax="proto3"
    )
    for name in ("PacketStreamRequest", "PacketStreamResponse"):
        made = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(
            (
                ("id", kinds.TYPE_UINT64),
                ("device_id", kinds.TYPE_UINT64),
                ("port", kinds.TYPE_UINT32),
                ("packet", kinds.TYPE_BYTES),
            ),
            1,
        ):
            made.field.add(name=field, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    request, response = (
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"p4.bm.{name}"))
        for name in ("PacketStreamRequest", "PacketStreamResponse")
    )
    return request, response


class Bmv2Refused(Exception):
    """The switch does not load the program; its own words."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Bmv2Target:
    """A ``Target`` on a switch process of its own; a context manager that ends it."""

    def __init__(self, switch: str, json: Path, p4info: Path, log: Path) -> None:
        """Start ``switch`` and load a program. Raises ``Bmv2Refused``."""
        self._info = _Info(text_format.Parse(p4info.read_text(), p4i.P4Info()))
        self._sent: list[tuple[int, bytes]] = []
        self._burst: list[message.Message] = []
        """Sent in with the next stream."""
        self._arbitration: queue.SimpleQueue[p4r.StreamMessageRequest | None] = queue.SimpleQueue()
        control, data = _free_port(), _free_port()
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [
                    switch, "--no-p4", "--device-id", "1", "--",
                    "--grpc-server-addr", f"127.0.0.1:{control}",
                    "--dp-grpc-server-addr", f"127.0.0.1:{data}",
                ],
                stdout=said,
                stderr=said,
            )  # fmt: skip
        self._channels = [grpc.insecure_channel(f"127.0.0.1:{port}") for port in (control, data)]
        try:
            self._stub = p4r_grpc.P4RuntimeStub(self._channels[0])
            self._connect()
            self._load(json)
            self._request, response = _packet_messages()
            self._stream_packets: Callable[..., Iterator[Any]] = self._channels[1].stream_stream(
                "/p4.bm.DataplaneInterface/PacketStream",
                request_serializer=lambda packet: packet.SerializeToString(),
                response_deserializer=response.FromString,
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the switch."""
        self._arbitration.put(None)
        for channel in self._channels:
            channel.close()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    # -- starting -----------------------------------------------------------------------------

    def _connect(self) -> None:
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = 1
        request.arbitration.election_id.low = 1
        self._arbitration.put(request)
        deadline = time.monotonic() + _START_S
        for channel in self._channels:
            grpc.channel_ready_future(channel).result(timeout=deadline - time.monotonic())
        stream = self._stub.StreamChannel(iter(self._arbitration.get, None))
        next(iter(stream))
        self._stream = stream

    def _load(self, json: Path) -> None:
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=1,
            election_id=U128.encode(1),
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
        )
        request.config.p4info.CopyFrom(self._info.p4info)
        request.config.p4_device_config = json.read_bytes()
        try:
            self._stub.SetForwardingPipelineConfig(request, timeout=_START_S)
        except grpc.RpcError as error:
            raise Bmv2Refused(_details(error)) from None

    # -- packets ------------------------------------------------------------------------------

    def packet(self, port: int, frame: bytes) -> None:
        """Send a frame into a port."""
        self._burst.append(self._request(device_id=1, port=port, packet=frame))

    def sent(self) -> Sequence[tuple[int, bytes]]:
        """All that left, once the switch is silent."""
        self._settle()
        return self._sent

    def _settle(self) -> None:
        """Send what waits, and let the switch finish it."""
        if not self._burst:
            return
        burst, self._burst = self._burst, []
        deadline = time.monotonic() + _START_S
        while not self._exchange(burst):
            if time.monotonic() > deadline:
                raise RuntimeError("the switch does not get ready for packets")
            time.sleep(0.05)

    def _exchange(self, burst: Sequence[message.Message]) -> bool:
        """Whether the switch took the burst: its ports open a little after its server."""
        try:
            for packet in self._stream_packets(iter(burst), timeout=_BURST_S):
                self._sent.append((packet.port, packet.packet))
        except grpc.RpcError as error:
            how = _details(error)
            if how == "UNAVAILABLE not ready":
                return False
            status = self._process.poll()
            if status is not None:
                how = f"it died with status {status}"
            raise RuntimeError(f"the switch did not finish its packets: {how}") from None
        return True

    # -- entries ------------------------------------------------------------------------------

    def _write(self, kind: p4r.Update.Type.ValueType, entity: p4r.Entity) -> None:
        self._settle()
        request = p4r.WriteRequest(device_id=1, election_id=U128.encode(1))
        request.updates.add(type=kind, entity=entity)
        try:
            self._stub.Write(request, timeout=5)
        except grpc.RpcError as error:
            raise Rejected(_details(error)) from None

    def add(self, entry: TableEntry) -> None:
        """Insert an entry."""
        made = self._info.table_entry(entry)
        self._write(p4r.Update.INSERT, p4r.Entity(table_entry=made))

    def set_default(self, table: str, action: Action) -> None:
        """Set a default action."""
        made = p4r.TableEntry(table_id=self._info.table(table).preamble.id, is_default_action=True)
        made.action.CopyFrom(self._info.action(action))
        self._write(p4r.Update.MODIFY, p4r.Entity(table_entry=made))

    def set_group(self, group: int, copies: Sequence[tuple[int, int]]) -> None:
        """A multicast group's copies."""
        entry = p4r.MulticastGroupEntry(multicast_group_id=group, replicas=_replicas(copies))
        self._replace(
            p4r.PacketReplicationEngineEntry(multicast_group_entry=entry),
        )

    def set_clone(self, session: int, copies: Sequence[tuple[int, int]]) -> None:
        """A clone session's copies."""
        entry = p4r.CloneSessionEntry(session_id=session, replicas=_replicas(copies))
        self._replace(p4r.PacketReplicationEngineEntry(clone_session_entry=entry))

    def _replace(self, entry: p4r.PacketReplicationEngineEntry) -> None:
        entity = p4r.Entity(packet_replication_engine_entry=entry)
        try:
            self._write(p4r.Update.MODIFY, entity)
        except Rejected:
            self._write(p4r.Update.INSERT, entity)

    def set_register(self, register: str, index: int | None, value: int) -> None:
        """Registers, which the switch's P4Runtime does not write."""
        del index, value
        raise Unsupported(f"P4Runtime of simple_switch_grpc cannot write register '{register}'")

    def set_counter(self, counter: str, index: int, packets: int, size: int) -> None:
        """Overwrite a counter's cell."""
        entry = p4r.CounterEntry(counter_id=self._info.counter(counter))
        entry.index.index = index
        entry.data.packet_count, entry.data.byte_count = packets, size
        self._write(p4r.Update.MODIFY, p4r.Entity(counter_entry=entry))

    def counter(self, counter: str, index: int) -> tuple[int, int]:
        """Packets and bytes of a counter's cell."""
        self._settle()
        entry = p4r.CounterEntry(counter_id=self._info.counter(counter))
        entry.index.index = index
        request = p4r.ReadRequest(device_id=1, entities=[p4r.Entity(counter_entry=entry)])
        for response in self._stub.Read(request, timeout=5):
            for entity in response.entities:
                data = entity.counter_entry.data
                return data.packet_count, data.byte_count
        raise Rejected(f"counter '{counter}' has no cell {index}")

    def set_meter(self, meter: str, index: int | None, rates: commands.MeterRates) -> None:
        """Rates of meters, which scripts set on one target only."""
        del index, rates
        raise Unsupported(f"scripts cannot set the rates of meter '{meter}' here")


def _replicas(copies: Sequence[tuple[int, int]]) -> list[p4r.Replica]:
    return [p4r.Replica(egress_port=port, instance=instance) for port, instance in copies]


def _details(error: grpc.RpcError) -> str:
    # What a client's call raises is also the call; the library's types do not say so.
    call: Any = error
    return f"{call.code().name} {call.details()}".strip()


def _bytes(value: int, width: int) -> bytes:
    if value >> width:
        raise Rejected(f"{value:#x} does not fit {width} bits")
    return value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big")


class _Info:
    """P4Info by name."""

    def __init__(self, p4info: p4i.P4Info) -> None:
        self.p4info = p4info
        self._tables = {table.preamble.name: table for table in p4info.tables}
        self._actions = {action.preamble.name: action for action in p4info.actions}
        self._counters = {counter.preamble.name: counter for counter in p4info.counters}

    def table(self, name: str) -> p4i.Table:
        if name not in self._tables:
            raise Rejected(f"P4Info has no table '{name}'")
        return self._tables[name]

    def counter(self, name: str) -> int:
        if name not in self._counters:
            raise Rejected(f"P4Info has no counter '{name}'")
        return self._counters[name].preamble.id

    def action(self, action: Action) -> p4r.TableAction:
        if action.name not in self._actions:
            raise Rejected(f"P4Info has no action '{action.name}'")
        declared = self._actions[action.name]
        made = p4r.TableAction()
        made.action.action_id = declared.preamble.id
        for param, (_, value) in zip(declared.params, action.args, strict=True):
            made.action.params.add(param_id=param.id, value=_bytes(value, param.bitwidth))
        return made

    def table_entry(self, entry: TableEntry) -> p4r.TableEntry:
        table = self.table(entry.table)
        made = p4r.TableEntry(
            table_id=table.preamble.id, priority=entry.priority, action=self.action(entry.action)
        )
        for field, key in zip(table.match_fields, entry.keys, strict=True):
            _add_match(made, field, key)
        return made


def _add_match(entry: p4r.TableEntry, field: p4i.MatchField, key: Match) -> None:
    """A field of the key; one that matches anything is left out, as P4Runtime demands."""
    width = field.bitwidth
    ones = (1 << width) - 1
    match field.match_type:
        case p4i.MatchField.EXACT:
            entry.match.add(field_id=field.id).exact.value = _bytes(key.value, width)
        case p4i.MatchField.LPM:
            length = width if key.prefix < 0 else min(key.prefix, width)
            if length:
                value = key.value & (ones ^ (ones >> length))
                lpm = entry.match.add(field_id=field.id).lpm
                lpm.value, lpm.prefix_len = _bytes(value, width), length
        case p4i.MatchField.TERNARY:
            mask = key.mask & ones
            if mask:
                ternary = entry.match.add(field_id=field.id).ternary
                ternary.value = _bytes(key.value & mask, width)
                ternary.mask = _bytes(mask, width)
        case p4i.MatchField.OPTIONAL if key.mask & ones in (0, ones):
            if key.mask & ones:
                entry.match.add(field_id=field.id).optional.value = _bytes(key.value, width)
        case _:
            raise Rejected(f"key '{key.name}' cannot be written by P4Runtime as it is meant")
