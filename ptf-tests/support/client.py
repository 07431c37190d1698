"""A synchronous P4Runtime client: what the data-plane cases need and nothing more."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from finsy.proto import p4r, p4r_grpc

from support.names import Match, Names, Value, decode, encode

DEVICE_ID = 1
RPC_SECONDS = 30.0
"""No call takes this long on a switch that is alive."""


class NoMessage(AssertionError):
    """What was waited for did not come."""


@dataclass(frozen=True, slots=True)
class PacketIn:
    """A frame that the switch handed up, and its header by field name."""

    frame: bytes
    metadata: dict[str, int]


@dataclass(frozen=True, slots=True)
class Count:
    """Packets and bytes of a counter cell."""

    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates a second and bursts of a meter, in packets or bytes."""

    committed: int
    committed_burst: int
    peak: int
    peak_burst: int


class Client:
    """Primary controller of one switch, until closed."""

    def __init__(self, address: str, names: Names) -> None:
        self.names = names
        self.packets: queue.Queue[PacketIn] = queue.Queue()
        self.idle: queue.Queue[Any] = queue.Queue()
        self._arbitration: queue.Queue[Any] = queue.Queue()
        self._requests: queue.Queue[Any] = queue.Queue()
        # Later clients take over from earlier ones, also of an earlier run.
        self._election = p4r.Uint128(low=time.time_ns())
        self._channel = grpc.insecure_channel(
            address, options=[("grpc.max_receive_message_length", 256 << 20)]
        )
        self._stub = p4r_grpc.P4RuntimeStub(self._channel)
        self._stream = self._stub.StreamChannel(iter(self._requests.get, None))
        self._reader = threading.Thread(target=self._read_stream, daemon=True)
        self._reader.start()
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = DEVICE_ID
        request.arbitration.election_id.CopyFrom(self._election)
        self._requests.put(request)
        answer = _take(self._arbitration, RPC_SECONDS, "arbitration answer")
        if isinstance(answer, grpc.RpcError):
            raise ConnectionError(f"{address}: {answer.details()}")
        if answer.status.code != 0:
            raise ConnectionError(f"{address}: not primary: {answer.status.message}")

    def close(self) -> None:
        """Leave the switch; another client may take over."""
        self._requests.put(None)
        self._stream.cancel()
        self._channel.close()
        self._reader.join(RPC_SECONDS)

    def _read_stream(self) -> None:
        try:
            for response in self._stream:
                kind = response.WhichOneof("update")
                if kind == "arbitration":
                    self._arbitration.put(response.arbitration)
                elif kind == "packet":
                    self.packets.put(self._packet_in(response.packet))
                elif kind == "idle_timeout_notification":
                    for entry in response.idle_timeout_notification.table_entry:
                        self.idle.put(entry)
        except grpc.RpcError as error:
            self._arbitration.put(error)

    def _packet_in(self, message: Any) -> PacketIn:
        fields = {field.id: name for name, field in self.names.headers["packet_in"].items()}
        return PacketIn(
            bytes(message.payload),
            {fields[item.metadata_id]: decode(item.value) for item in message.metadata},
        )

    # -- pipeline

    def set_pipeline(self, device_config: bytes) -> None:
        """Load a compiled program."""
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=DEVICE_ID,
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
        )
        request.election_id.CopyFrom(self._election)
        request.config.p4info.CopyFrom(self.names.p4info)
        request.config.p4_device_config = device_config
        self._stub.SetForwardingPipelineConfig(request, timeout=RPC_SECONDS)

    # -- entries

    def write(self, updates: Iterable[tuple[Any, Any]]) -> None:
        """Apply (update type, table entry) pairs in one Write."""
        request = p4r.WriteRequest(device_id=DEVICE_ID)
        request.election_id.CopyFrom(self._election)
        for kind, entry in updates:
            update = request.updates.add(type=kind)
            update.entity.table_entry.CopyFrom(entry)
        if request.updates:
            self._stub.Write(request, timeout=RPC_SECONDS)

    def insert(
        self,
        table: str,
        key: Mapping[str, Match],
        action: str,
        params: dict[str, Value],
        *,
        idle_ns: int = 0,
        metadata: bytes = b"",
        priority: int = 0,
    ) -> None:
        """Add one entry; ``idle_ns`` 0: it never goes idle."""
        entry = self.names.entry(table, key, action, params, priority=priority)
        entry.idle_timeout_ns = idle_ns
        entry.metadata = metadata
        self.write([(p4r.Update.INSERT, entry)])

    def modify(
        self, table: str, key: dict[str, Value], action: str, params: dict[str, Value]
    ) -> None:
        """Give an entry another action."""
        self.write([(p4r.Update.MODIFY, self.names.entry(table, key, action, params))])

    def delete(self, table: str, key: dict[str, Value]) -> None:
        """Remove one entry."""
        self.write([(p4r.Update.DELETE, self.names.entry(table, key))])

    def set_default(self, table: str, action: str, params: dict[str, Value] | None = None) -> None:
        """Give a table another default action."""
        entry = self.names.entry(table, {}, action, params or {})
        entry.is_default_action = True
        self.write([(p4r.Update.MODIFY, entry)])

    def entries(self, table: str) -> list[Any]:
        """All entries of a table as ``TableEntry`` messages."""
        entity = p4r.Entity(table_entry=p4r.TableEntry(table_id=self.names.tables[table].id))
        return [found.table_entry for found in self._read([entity])]

    def clear(self, table: str) -> None:
        """Remove all entries of a table."""
        self.write([(p4r.Update.DELETE, entry) for entry in self.entries(table)])

    # -- meters and clone sessions

    def set_meter(self, meter: str, index: int, rates: Rates | None) -> None:
        """Give a meter's cell its rates; ``None``: it finds everything green again."""
        request = p4r.WriteRequest(device_id=DEVICE_ID)
        request.election_id.CopyFrom(self._election)
        update = request.updates.add(type=p4r.Update.MODIFY)
        cell = update.entity.meter_entry
        cell.meter_id = self.names.meters[meter].id
        cell.index.index = index
        if rates is not None:
            cell.config.cir, cell.config.cburst = rates.committed, rates.committed_burst
            cell.config.pir, cell.config.pburst = rates.peak, rates.peak_burst
        self._stub.Write(request, timeout=RPC_SECONDS)

    def replace_clone_session(self, number: int, port: int) -> None:
        """Have clones of this session leave by a port, and by no other."""
        for kind in (p4r.Update.DELETE, p4r.Update.INSERT):
            request = p4r.WriteRequest(device_id=DEVICE_ID)
            request.election_id.CopyFrom(self._election)
            update = request.updates.add(type=kind)
            session = update.entity.packet_replication_engine_entry.clone_session_entry
            session.session_id = number
            session.replicas.add(egress_port=port, instance=1)
            try:
                self._stub.Write(request, timeout=RPC_SECONDS)
            except grpc.RpcError:
                if kind == p4r.Update.INSERT:
                    raise

    # -- counters

    def direct_count(self, table: str, key: dict[str, Value]) -> Count:
        """Packets and bytes of one entry."""
        entity = p4r.Entity(
            direct_counter_entry=p4r.DirectCounterEntry(table_entry=self.names.entry(table, key))
        )
        (found,) = self._read([entity])
        data = found.direct_counter_entry.data
        return Count(data.packet_count, data.byte_count)

    def counts(self, counter: str, indexes: Iterable[int] | None = None) -> dict[int, int]:
        """Packets by index, cells that are zero left out; no indexes: every cell."""
        counter_id = self.names.counters[counter].id
        entities = []
        if indexes is None:
            entities.append(p4r.Entity(counter_entry=p4r.CounterEntry(counter_id=counter_id)))
        else:
            for index in indexes:
                cell = p4r.CounterEntry(counter_id=counter_id)
                cell.index.index = index
                entities.append(p4r.Entity(counter_entry=cell))
        return {
            found.counter_entry.index.index: found.counter_entry.data.packet_count
            for found in self._read(entities)
            if found.counter_entry.data.packet_count
        }

    def _read(self, entities: list[Any]) -> Iterator[Any]:
        request = p4r.ReadRequest(device_id=DEVICE_ID, entities=entities)
        for response in self._stub.Read(request, timeout=RPC_SECONDS):
            yield from response.entities

    # -- packets and notices

    def packet_out(self, frame: bytes, **metadata: int) -> None:
        """Have the switch transmit a frame; fields that are not given are zero."""
        request = p4r.StreamMessageRequest()
        request.packet.payload = frame
        for name, field in self.names.headers["packet_out"].items():
            request.packet.metadata.add(metadata_id=field.id, value=encode(metadata.pop(name, 0)))
        if metadata:
            raise LookupError(f"packet_out has no field {sorted(metadata)}")
        self._requests.put(request)

    def packet_in(self, seconds: float) -> PacketIn:
        """The next frame handed up."""
        return _take(self.packets, seconds, "packet-in")  # type: ignore[no-any-return]

    def copy(self, seconds: float, reason: int) -> PacketIn:
        """The next frame handed up for this reason; those for others stay where they are."""
        passed = []
        try:
            while True:
                packet = self.packet_in(seconds)
                if packet.metadata["reason"] == reason:
                    return packet
                passed.append(packet)
        finally:
            rest = []
            while not self.packets.empty():
                rest.append(self.packets.get())
            for packet in passed + rest:
                self.packets.put(packet)

    def idle_notice(self, seconds: float) -> Any:
        """The next entry reported idle, as a ``TableEntry``."""
        return _take(self.idle, seconds, "idle-timeout notification")


def _take(messages: queue.Queue[Any], seconds: float, what: str) -> Any:
    try:
        return messages.get(timeout=seconds)
    except queue.Empty:
        raise NoMessage(f"no {what} within {seconds:g} s") from None
