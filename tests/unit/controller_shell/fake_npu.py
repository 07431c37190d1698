"""A P4Runtime server in this process that applies what it is told: tables, counters, packets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from finsy.proto import p4i, p4r, p4r_grpc, rpc_code, rpc_status

from controller.npu.contract import (
    ACTIONS,
    COUNTERS,
    KINDS,
    METERS,
    PACKET_IN,
    PACKET_OUT,
    SESSION_TABLES,
    TABLE_ACTIONS,
    TABLES,
)

Key = tuple[tuple[int, int], tuple[tuple[int, bytes], ...]]


def p4info() -> p4i.P4Info:
    """A P4Info that has all the contract names, with ids of its own and padding in headers."""
    info = p4i.P4Info()
    for number, (name, fields) in enumerate(ACTIONS.items(), start=1):
        action = info.actions.add()
        action.preamble.id, action.preamble.alias = 0x01000000 + number, name
        for id_, (field, width) in enumerate(fields.items(), start=1):
            action.params.add(id=id_, name=field, bitwidth=width)
    ids = {action.preamble.alias: action.preamble.id for action in info.actions}
    for number, (name, fields) in enumerate(TABLES.items(), start=1):
        table = info.tables.add(size=1024)
        table.preamble.id, table.preamble.alias = 0x02000000 + number, name
        for id_, (field, width) in enumerate(fields.items(), start=1):
            kind = KINDS.get(name, {}).get(field, "exact").upper()
            table.match_fields.add(
                id=id_, name=field, bitwidth=width, match_type=p4i.MatchField.MatchType.Value(kind)
            )
        for action_name in TABLE_ACTIONS[name]:
            table.action_refs.add(id=ids[action_name])
        if name in SESSION_TABLES:
            table.idle_timeout_behavior = p4i.Table.NOTIFY_CONTROL
            counter = info.direct_counters.add(direct_table_id=table.preamble.id)
            counter.spec.unit = p4i.CounterSpec.BOTH
    for number, name in enumerate(COUNTERS, start=1):
        cells = info.counters.add(size=256)
        cells.preamble.id, cells.preamble.alias = 0x12000000 + number, name
    for number, name in enumerate(METERS, start=1):
        meter = info.meters.add(size=256)
        meter.preamble.id, meter.preamble.alias = 0x14000000 + number, name
    for number, (name, fields) in enumerate(
        {"packet_in": PACKET_IN, "packet_out": PACKET_OUT}.items(), start=1
    ):
        header = info.controller_packet_metadata.add()
        header.preamble.id, header.preamble.alias = 0x04000000 + number, name
        header.metadata.add(id=1, name="pad0", bitwidth=7)
        for id_, (field, width) in enumerate(fields.items(), start=2):
            header.metadata.add(id=id_, name=field, bitwidth=width)
    return info


def entry_key(entry: p4r.TableEntry) -> Key:
    """What identifies an entry."""
    return (entry.table_id, entry.priority), tuple(
        (field.field_id, field.SerializeToString(deterministic=True)) for field in entry.match
    )


class FakeNpu(p4r_grpc.P4RuntimeServicer):
    """Create it, ``await start()``, use ``address``; what was done to it is in its attributes."""

    def __init__(self) -> None:
        self.entries: dict[Key, p4r.TableEntry] = {}
        self.meters: dict[tuple[int, int], p4r.MeterConfig] = {}
        self.clone_sessions: dict[int, list[int]] = {}
        """Ports by session."""
        self.counters: dict[tuple[int, int], tuple[int, int]] = {}
        self.packets_out: asyncio.Queue[p4r.PacketOut] = asyncio.Queue()
        self.config = p4r.ForwardingPipelineConfig()
        self.capacity = 1000
        self.primary_taken = False
        self.writes: list[int] = []
        """Updates in each Write RPC."""
        self.write_gate = asyncio.Event()
        """While clear, Write RPCs wait."""
        self.write_gate.set()
        self.fails_reads = False
        """Whether a Read fails if one of its entries is not there, as some targets' do."""
        self._server: Any = None
        self._to_controller: asyncio.Queue[p4r.StreamMessageResponse] = asyncio.Queue()
        self.address = ""

    async def start(self) -> None:
        """Serve on a port of the loopback interface."""
        self._server = grpc.aio.server()
        p4r_grpc.add_P4RuntimeServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self.address = f"127.0.0.1:{port}"

    async def stop(self) -> None:
        """Break all connections."""
        await self._server.stop(None)

    def send(self, message: p4r.StreamMessageResponse) -> None:
        """Send a message on the stream."""
        self._to_controller.put_nowait(message)

    def punt(self, payload: bytes, **header: int) -> None:
        """Send a packet-in; ``header`` by the names of the contract."""
        message = p4r.StreamMessageResponse()
        message.packet.payload = payload
        message.packet.metadata.add(metadata_id=1, value=b"\0")
        for id_, name in enumerate(PACKET_IN, start=2):
            value = header.get(name, 0)
            data = value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")
            message.packet.metadata.add(metadata_id=id_, value=data)
        self.send(message)

    # -- the service ----------------------------------------------------------------------

    async def Capabilities(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        return p4r.CapabilitiesResponse(p4runtime_api_version="1.4.1")

    async def StreamChannel(  # type: ignore[override]  # grpc.aio's other form: no generator
        self, requests: Any, context: Any
    ) -> None:
        pump = asyncio.create_task(self._pump(context))
        try:
            async for request in requests:
                if request.WhichOneof("update") == "arbitration":
                    answer = p4r.StreamMessageResponse(arbitration=request.arbitration)
                    code = rpc_code.ALREADY_EXISTS if self.primary_taken else rpc_code.OK
                    answer.arbitration.status.code = code
                    self.send(answer)
                else:
                    self.packets_out.put_nowait(request.packet)
        finally:
            pump.cancel()

    async def _pump(self, context: Any) -> None:
        while True:
            await context.write(await self._to_controller.get())

    async def SetForwardingPipelineConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        self.config = request.config
        self.entries.clear()
        return p4r.SetForwardingPipelineConfigResponse()

    async def GetForwardingPipelineConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002
        if not self.config.HasField("p4info"):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no pipeline")
        answer = p4r.GetForwardingPipelineConfigResponse()
        answer.config.cookie.CopyFrom(self.config.cookie)
        return answer

    async def Write(self, request: Any, context: Any) -> Any:
        self.writes.append(len(request.updates))
        await self.write_gate.wait()
        codes = [self._apply(update) for update in request.updates]
        if any(codes):
            status = rpc_status.Status(code=rpc_code.UNKNOWN)
            for code in codes:
                status.details.add().Pack(p4r.Error(canonical_code=code))
            context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),)
            )
            await context.abort(grpc.StatusCode.UNKNOWN, "some updates failed")
        return p4r.WriteResponse()

    def _apply(self, update: p4r.Update) -> int:
        kind = update.entity.WhichOneof("entity")
        if kind == "meter_entry":
            meter = update.entity.meter_entry
            self.meters[meter.meter_id, meter.index.index] = meter.config
            return rpc_code.OK
        if kind == "packet_replication_engine_entry":
            session = update.entity.packet_replication_engine_entry.clone_session_entry
            ports = [replica.egress_port for replica in session.replicas]
            self.clone_sessions[session.session_id] = ports
            return rpc_code.OK
        if kind == "counter_entry":
            cell = update.entity.counter_entry
            data = cell.data
            self.counters[cell.counter_id, cell.index.index] = (data.packet_count, data.byte_count)
            return rpc_code.OK
        entry = update.entity.table_entry
        key = entry_key(entry)
        exists = key in self.entries
        if entry.is_default_action:
            if update.type != p4r.Update.MODIFY:
                return rpc_code.INVALID_ARGUMENT
            self.entries[key] = entry
            return rpc_code.OK
        if update.type == p4r.Update.INSERT and exists:
            return rpc_code.ALREADY_EXISTS
        if update.type != p4r.Update.INSERT and not exists:
            return rpc_code.NOT_FOUND
        if update.type == p4r.Update.DELETE:
            del self.entries[key]
        elif not exists and len(self.entries) >= self.capacity:
            return rpc_code.RESOURCE_EXHAUSTED
        else:
            self.entries[key] = entry
        return rpc_code.OK

    async def Read(self, request: Any, context: Any) -> AsyncIterator[Any]:
        answer = p4r.ReadResponse()
        asked = [entity.table_entry for entity in request.entities]
        if self.fails_reads and any(entry_key(entry) not in self.entries for entry in asked):
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such entry")
        for entity in request.entities:
            if entity.WhichOneof("entity") == "counter_entry":
                cell = entity.counter_entry
                if not cell.HasField("index"):
                    for (counter, index), (packets, size) in self.counters.items():
                        if counter == cell.counter_id:
                            found = answer.entities.add().counter_entry
                            found.counter_id, found.index.index = counter, index
                            found.data.packet_count, found.data.byte_count = packets, size
                    continue
                packets, size = self.counters.get((cell.counter_id, cell.index.index), (0, 0))
                found = answer.entities.add().counter_entry
                found.CopyFrom(cell)
                found.data.packet_count, found.data.byte_count = packets, size
            else:
                wanted = entity.table_entry
                for key, entry in self.entries.items():
                    if key == entry_key(wanted) or (
                        not wanted.match and wanted.table_id == entry.table_id
                    ):
                        answer.entities.add().table_entry.CopyFrom(entry)
        yield answer
