"""The P4Runtime server over loopback gRPC, on the reference data plane without interfaces."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from finsy.proto import p4r, p4r_grpc, rpc_status

from p4embed.switch.dataplane import Options
from p4embed.switch.p4runtime import Server, ServerError, Service
from p4embed.switch.ports import ReferenceDataplane

from .p4info import (
    COUNTER_ID,
    MISS_ID,
    REGISTER_ID,
    TABLE_ID,
    entry,
    number,
    p4info,
)
from .programs import action, call, const, load, one_table

CPU = 64
DEVICE = 7
WAIT = 5.0
"""Seconds; only a failure waits so long."""

SetConfig = p4r.SetForwardingPipelineConfigRequest
Code = grpc.StatusCode
INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE


def program_json(**options: Any) -> bytes:
    made = one_table([("exact", "h", "kind")], counters=True, timeout=True, size=4, **options)
    made["counter_arrays"].append({"name": "c", "id": 1, "size": 3, "is_direct": False})
    made["register_arrays"] = [{"name": "r", "id": 0, "size": 2, "bitwidth": 12}]
    made["actions"].append(
        action("unused", 50, call("count", {"type": "counter_array", "value": "c"}, const(0)))
    )
    return json.dumps(made).encode()


class Client:
    """A controller: the stream's answers in a queue, the RPCs as methods."""

    def __init__(self, port: int, election_id: int | None = 10) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = p4r_grpc.P4RuntimeStub(self.channel)
        self.requests: queue.Queue[Any] = queue.Queue()
        self.stream = self.stub.StreamChannel(iter(self.requests.get, None), timeout=60)
        self.election_id = election_id
        self.arbitrate(election_id)

    def arbitrate(self, election_id: int | None, device_id: int = DEVICE) -> None:
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = device_id
        if election_id is not None:
            request.arbitration.election_id.low = election_id
        self.requests.put(request)

    def receive(self) -> p4r.StreamMessageResponse:
        message: p4r.StreamMessageResponse = next(self.stream)
        return message

    def close(self) -> None:
        self.requests.put(None)
        self.stream.cancel()
        self.channel.close()

    def set_config(
        self, text: bytes | None, action: int = SetConfig.VERIFY_AND_COMMIT, cookie: int = 0
    ) -> None:
        request = SetConfig(device_id=DEVICE, action=action)
        request.election_id.low = self.election_id or 0
        if text is not None:
            request.config.p4_device_config = text
            request.config.cookie.cookie = cookie
            if text.startswith(b"{"):
                request.config.p4info.CopyFrom(p4info(load(json.loads(text))))
        self.stub.SetForwardingPipelineConfig(request, timeout=WAIT)

    def write(self, *updates: tuple[int, Any], **more: Any) -> None:
        request = p4r.WriteRequest(device_id=more.pop("device_id", DEVICE), **more)
        if "election_id" not in more and self.election_id is not None:
            request.election_id.low = self.election_id
        for type_, message in updates:
            update = request.updates.add(type=type_)
            fill(update.entity, message)
        self.stub.Write(request, timeout=WAIT)

    def read(self, *queries: Any) -> list[Any]:
        request = p4r.ReadRequest(device_id=DEVICE)
        for query in queries:
            fill(request.entities.add(), query)
        found = []
        for response in self.stub.Read(request, timeout=WAIT):
            for entity in response.entities:
                found.append(getattr(entity, entity.WhichOneof("entity")))
        return found


def fill(entity: p4r.Entity, message: Any) -> None:
    for field in entity.DESCRIPTOR.fields:
        if field.message_type is message.DESCRIPTOR:
            getattr(entity, field.name).CopyFrom(message)
            return
    raise AssertionError(type(message))


@pytest.fixture
def port() -> Iterator[int]:
    """A switch without a pipeline."""
    dataplane = ReferenceDataplane(Options(cpu_port=CPU))
    service = Service(DEVICE, dataplane)
    server = Server(service, "127.0.0.1:0")
    dataplane.start({}, service.streams)
    server.start()
    yield server.port
    server.stop()
    dataplane.stop()


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    """The primary, with the pipeline running."""
    made = Client(port)
    assert made.receive().arbitration.status.code == 0
    made.set_config(program_json(), cookie=99)
    yield made
    made.close()


def failure(call_: Any, *arguments: Any, **more: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call_(*arguments, **more)
    return caught.value.code(), caught.value.details()


def batch_errors(call_: Any, *arguments: Any) -> list[tuple[int, str]]:
    """Canonical code and message for each member of a failed batch."""
    with pytest.raises(grpc.RpcError) as caught:
        call_(*arguments)
    error = caught.value
    assert error.code() is Code.UNKNOWN
    (raw,) = [v for k, v in error.trailing_metadata() if k == "grpc-status-details-bin"]
    status = rpc_status.Status.FromString(raw)
    assert (status.code, status.message) == (Code.UNKNOWN.value[0], error.details())
    found = []
    for detail in status.details:
        one = p4r.Error()
        assert detail.Unpack(one)
        found.append((one.canonical_code, one.message))
    return found


# -- arbitration and pipeline ------------------------------------------------------------------


def test_arbitration_over_streams(port: int) -> None:
    first = Client(port, 10)
    assert first.receive().arbitration.status.code == 0
    second = Client(port, 5)
    assert second.receive().arbitration.status.code == Code.ALREADY_EXISTS.value[0]
    assert failure(second.set_config, program_json())[0] is Code.PERMISSION_DENIED
    first.close()
    assert second.receive().arbitration.status.code == Code.NOT_FOUND.value[0]
    second.arbitrate(11)
    second.election_id = 11
    assert second.receive().arbitration.status.code == 0
    second.set_config(program_json())
    second.close()


def test_a_wrong_device_ends_the_stream(port: int) -> None:
    client = Client(port)
    client.receive()
    client.arbitrate(11, device_id=8)
    code, text = failure(client.receive)
    assert (code, text) == (Code.FAILED_PRECONDITION, "device_id 8; this device has 7")
    client.close()


def test_before_a_pipeline(port: int) -> None:
    client = Client(port)
    client.receive()
    assert failure(client.write, (INSERT, entry(1, port=1)))[0] is Code.FAILED_PRECONDITION
    assert failure(client.read, p4r.TableEntry())[0] is Code.FAILED_PRECONDITION
    got = client.stub.GetForwardingPipelineConfig(
        p4r.GetForwardingPipelineConfigRequest(device_id=DEVICE)
    )
    assert not got.HasField("config")
    client.close()


def test_the_order_of_checks(client: Client) -> None:
    insert = (INSERT, entry(1, port=1))
    assert failure(client.write, insert, device_id=8)[0] is Code.NOT_FOUND
    assert failure(client.write, insert, role="x")[0] is Code.NOT_FOUND
    wrong = p4r.Uint128(low=9)
    assert failure(client.write, insert, election_id=wrong)[0] is Code.PERMISSION_DENIED
    code, _ = failure(client.write, insert, atomicity=p4r.WriteRequest.DATAPLANE_ATOMIC)
    assert code is Code.UNIMPLEMENTED


def test_get_pipeline_config(client: Client) -> None:
    Request = p4r.GetForwardingPipelineConfigRequest

    def get(response_type: int) -> p4r.ForwardingPipelineConfig:
        request = Request(device_id=DEVICE, response_type=response_type)
        config: p4r.ForwardingPipelineConfig = client.stub.GetForwardingPipelineConfig(
            request
        ).config
        assert config.cookie.cookie == 99
        return config

    everything = get(Request.ALL)
    assert everything.p4_device_config == program_json()
    assert everything.p4info == p4info(load(json.loads(program_json())))
    assert not get(Request.COOKIE_ONLY).p4_device_config
    assert not get(Request.P4INFO_AND_COOKIE).p4_device_config
    assert not get(Request.DEVICE_CONFIG_AND_COOKIE).HasField("p4info")


def test_pipeline_actions(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)))
    client.set_config(program_json(), SetConfig.VERIFY)
    assert len(client.read(p4r.TableEntry(table_id=TABLE_ID))) == 1
    client.set_config(program_json(), SetConfig.RECONCILE_AND_COMMIT)
    assert len(client.read(p4r.TableEntry(table_id=TABLE_ID))) == 1
    other = program_json(default=(3, ["0x001"]))
    code, _ = failure(client.set_config, other, SetConfig.RECONCILE_AND_COMMIT)
    assert code is Code.INVALID_ARGUMENT
    client.set_config(program_json(), SetConfig.VERIFY_AND_COMMIT)
    assert client.read(p4r.TableEntry(table_id=TABLE_ID)) == []
    assert failure(client.set_config, None, SetConfig.COMMIT)[0] is Code.NOT_FOUND
    save = failure(client.set_config, program_json(), SetConfig.VERIFY_AND_SAVE)
    assert save[0] is Code.UNIMPLEMENTED
    assert failure(client.set_config, None)[0] is Code.INVALID_ARGUMENT


def test_a_program_that_does_not_load_says_where(client: Client) -> None:
    code, text = failure(client.set_config, b"no program")
    assert code is Code.INVALID_ARGUMENT
    assert text.startswith("p4_device_config: $: not JSON")
    broken = json.loads(program_json())
    broken["pipelines"][0]["tables"][0]["match_type"] = "guess"
    request = SetConfig(device_id=DEVICE, action=SetConfig.VERIFY)
    request.election_id.low = 10
    request.config.p4_device_config = json.dumps(broken).encode()
    code, text = failure(client.stub.SetForwardingPipelineConfig, request)
    assert text.startswith("p4_device_config: $.pipelines[0].tables[0].match_type: 'guess'")
    assert len(client.read(p4r.TableEntry())) == 0


def test_a_program_that_cannot_run_is_refused_and_the_old_one_goes_on(client: Client) -> None:
    learning = json.loads(program_json())
    learning["learn_lists"] = [{"id": 1, "name": "d", "elements": []}]
    learning["actions"][0]["primitives"].append(call("generate_digest", const(0), const(1)))
    for how in (SetConfig.VERIFY, SetConfig.VERIFY_AND_COMMIT):
        code, text = failure(client.set_config, json.dumps(learning).encode(), how)
        assert code is Code.INVALID_ARGUMENT
        assert text == (
            "p4_device_config cannot be realized: action 'set_port': digests are not supported"
        )
    client.write((INSERT, entry(1, port=1)))


# -- entries ----------------------------------------------------------------------------------


def test_entries_are_written_and_read(client: Client) -> None:
    one = entry(1, port=1, metadata=b"cookie", idle_timeout_ns=10**12)
    two = entry(2, port=2)
    client.write((INSERT, one), (INSERT, two))
    by_key = lambda e: e.match[0].exact.value  # noqa: E731
    assert sorted(client.read(p4r.TableEntry()), key=by_key) == [one, two]
    assert client.read(entry(1)) == [one]
    assert client.read(p4r.TableEntry(table_id=TABLE_ID, metadata=b"cookie")) == [one]
    assert client.read(entry(3)) == []
    changed = entry(1, port=3)
    client.write((MODIFY, changed), (DELETE, two))
    assert client.read(p4r.TableEntry(table_id=TABLE_ID)) == [changed]


def test_modify_without_an_action_keeps_it(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)), (MODIFY, entry(1, metadata=b"m")))
    assert client.read(entry(1)) == [entry(1, port=1, metadata=b"m")]


def test_every_update_has_its_own_outcome(client: Client) -> None:
    updates = [
        (INSERT, entry(1, port=1)),
        (INSERT, entry(1, port=2)),
        (INSERT, entry(0x100, port=1)),
        (DELETE, entry(9)),
        (INSERT, entry(2, port=1)),
        (INSERT, entry(3, port=1)),
        (INSERT, entry(4, port=1)),
        (INSERT, entry(5, port=1)),
        (p4r.Update.UNSPECIFIED, entry(6, port=1)),
        (INSERT, entry(6, port=1, table=1)),
        (INSERT, p4r.MeterEntry()),
    ]
    errors = batch_errors(client.write, *updates)
    codes = [code for code, _ in errors]
    expected = [
        None, Code.ALREADY_EXISTS, Code.INVALID_ARGUMENT, Code.NOT_FOUND, None, None, None,
        Code.RESOURCE_EXHAUSTED, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.UNIMPLEMENTED,
    ]  # fmt: skip
    assert codes == [0 if code is None else code.value[0] for code in expected]
    assert errors[1][1] == "table 't' has an entry with this key"
    assert errors[7][1] == "table 't' is full"
    assert len(client.read(p4r.TableEntry())) == 4


def test_default_entry(client: Client) -> None:
    query = p4r.TableEntry(table_id=TABLE_ID, is_default_action=True)
    (own,) = client.read(query)
    assert own.action.action.action_id == MISS_ID
    changed = entry(port=5, is_default_action=True)
    client.write((MODIFY, changed))
    assert client.read(query) == [changed]
    client.write((MODIFY, query))
    assert client.read(query) == [own]
    for type_ in (INSERT, DELETE):
        ((code, text),) = batch_errors(client.write, (type_, changed))
        assert code == Code.INVALID_ARGUMENT.value[0]
        assert text == "the default entry can only be modified, not inserted or deleted"


def test_constant_tables_and_defaults(client: Client) -> None:
    row = {
        "match_key": [{"match_type": "exact", "key": "0x01"}],
        "action_entry": {"action_id": 3, "action_data": ["0x005"]},
        "priority": 1,
    }
    client.set_config(program_json(entries=[row], default_const=True))
    (read,) = client.read(p4r.TableEntry(table_id=TABLE_ID))
    assert read == entry(1, port=5, is_const=True)
    denied = Code.PERMISSION_DENIED.value[0]
    ((code, text),) = batch_errors(client.write, (DELETE, entry(1)))
    assert (code, text) == (denied, "table 't' has constant entries")
    default = entry(port=5, is_default_action=True)
    ((code, text),) = batch_errors(client.write, (MODIFY, default))
    assert (code, text) == (denied, "table 't' has a constant default action")


# -- counters and registers ------------------------------------------------------------------


def counter(index: int | None, packets: int | None = None, id_: int = COUNTER_ID) -> Any:
    made = p4r.CounterEntry(counter_id=id_)
    if index is not None:
        made.index.index = index
    if packets is not None:
        made.data.packet_count, made.data.byte_count = packets, packets * 10
    return made


def test_counters(client: Client) -> None:
    client.write((MODIFY, counter(1, 5)))
    assert [c.data.packet_count for c in client.read(counter(None))] == [0, 5, 0]
    assert [c.index.index for c in client.read(counter(None, id_=0))] == [0, 1, 2]
    client.write((MODIFY, counter(None, 7)))
    assert [c.data.byte_count for c in client.read(counter(2))] == [70]
    for update, code in (
        ((MODIFY, counter(3, 1)), Code.OUT_OF_RANGE),
        ((MODIFY, counter(-1, 1)), Code.INVALID_ARGUMENT),
        ((INSERT, counter(1, 1)), Code.INVALID_ARGUMENT),
        ((MODIFY, counter(1, 1, id_=5)), Code.NOT_FOUND),
    ):
        assert batch_errors(client.write, update)[0][0] == code.value[0]


def test_registers(client: Client) -> None:
    made = p4r.RegisterEntry(register_id=REGISTER_ID)
    made.index.index = 1
    made.data.bitstring = b"\x0a\xbc"
    client.write((MODIFY, made))
    values = [r.data.bitstring for r in client.read(p4r.RegisterEntry(register_id=REGISTER_ID))]
    assert values == [b"\0", b"\x0a\xbc"]
    made.data.bitstring = b"\x1a\xbc"
    ((code, text),) = batch_errors(client.write, (MODIFY, made))
    assert (code, text) == (Code.INVALID_ARGUMENT.value[0], "register 'r' cells have 12 bits")


def packet_out(kind: int) -> p4r.StreamMessageRequest:
    request = p4r.StreamMessageRequest()
    request.packet.payload = b"rest"
    for id_, value in ((1, kind), (2, 0), (3, 0), (4, 0)):
        request.packet.metadata.add(metadata_id=id_, value=number(value))
    return request


def test_packets_direct_counters_and_time_since_hit(client: Client) -> None:
    client.write((INSERT, entry(9, port=CPU)))
    client.requests.put(packet_out(9))
    packet = client.receive().packet
    # The program sends the header back: kind 9, then the first bits of a value of 0.
    assert [(m.metadata_id, m.value) for m in packet.metadata] == [(1, b"\x09"), (2, b"\0")]
    assert packet.payload == b"\0rest"
    direct = p4r.DirectCounterEntry(table_entry=entry(9))
    (read,) = client.read(direct)
    assert (read.data.packet_count, read.data.byte_count) == (1, 8)
    query = entry(9)
    query.counter_data.SetInParent()
    query.time_since_last_hit.SetInParent()
    (found,) = client.read(query)
    assert found.counter_data.packet_count == 1
    assert 0 < found.time_since_last_hit.elapsed_ns < 60 * 10**9
    direct.data.packet_count = 40
    client.write((MODIFY, direct))
    (wild,) = client.read(p4r.DirectCounterEntry(table_entry=p4r.TableEntry(table_id=TABLE_ID)))
    assert wild.data.packet_count == 40
    missing = p4r.DirectCounterEntry(table_entry=entry(8))
    assert batch_errors(client.read, missing)[0][0] == Code.NOT_FOUND.value[0]


def test_counter_data_comes_with_an_entry(client: Client) -> None:
    made = entry(1, port=1)
    made.counter_data.packet_count = 3
    client.write((INSERT, made))
    (read,) = client.read(p4r.DirectCounterEntry(table_entry=entry(1)))
    assert read.data.packet_count == 3


def test_a_packet_out_that_cannot_be_sent_is_answered(client: Client, port: int) -> None:
    bad = packet_out(9)
    bad.packet.metadata[0].metadata_id = 77
    client.requests.put(bad)
    error = client.receive().error
    assert error.canonical_code == Code.INVALID_ARGUMENT.value[0]
    assert error.packet_out.packet_out == bad.packet
    backup = Client(port, 5)
    backup.receive()
    backup.requests.put(packet_out(9))
    assert backup.receive().error.canonical_code == Code.PERMISSION_DENIED.value[0]
    backup.close()


def test_idle_entries_are_notified(client: Client) -> None:
    client.write((INSERT, entry(9, port=1, idle_timeout_ns=1, metadata=b"mine")))
    notice = client.receive().idle_timeout_notification
    expected = entry(9, idle_timeout_ns=1, metadata=b"mine")
    assert list(notice.table_entry) == [expected]
    assert notice.timestamp > 0


def test_replication_entries(client: Client) -> None:
    group = p4r.PacketReplicationEngineEntry()
    group.multicast_group_entry.multicast_group_id = 3
    group.multicast_group_entry.replicas.add(egress_port=1, instance=1)
    client.write((INSERT, group))
    every = p4r.PacketReplicationEngineEntry()
    every.multicast_group_entry.SetInParent()
    assert client.read(every) == [group]
    ((code, _),) = batch_errors(client.write, (INSERT, group))
    assert code == Code.ALREADY_EXISTS.value[0]
    client.write((DELETE, group))
    assert client.read(every) == []


def test_reads_report_every_query(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)))
    errors = batch_errors(client.read, entry(1), p4r.TableEntry(table_id=5), p4r.MeterEntry())
    assert [c for c, _ in errors] == [0, Code.NOT_FOUND.value[0], Code.UNIMPLEMENTED.value[0]]


def test_capabilities(client: Client) -> None:
    response = client.stub.Capabilities(p4r.CapabilitiesRequest())
    assert response.p4runtime_api_version.startswith("1.4")


def test_a_port_in_use_is_refused(port: int) -> None:
    service = Service(DEVICE, ReferenceDataplane(Options()))
    with pytest.raises(ServerError, match="in use or not an address of this machine"):
        Server(service, f"127.0.0.1:{port}")
