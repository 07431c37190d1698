"""The P4Runtime server over loopback gRPC, on the reference data plane without interfaces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from finsy.proto import p4r

from p4embed.switch.dataplane import Options
from p4embed.switch.p4runtime import Server, ServerError, Service
from p4embed.switch.ports import ReferenceDataplane
from p4embed.switch.program import Program

from .client import (
    CPU,
    DELETE,
    DEVICE,
    INSERT,
    MODIFY,
    Client,
    Code,
    SetConfig,
    batch_errors,
    failure,
)
from .p4info import COUNTER_ID, MISS_ID, REGISTER_ID, TABLE_ID, entry, p4info, packet_out
from .programs import action, call, const, load, one_table


def program_json(**options: Any) -> bytes:
    made = one_table([("exact", "h", "kind")], counters=True, timeout=True, size=4, **options)
    made["counter_arrays"].append({"name": "c", "id": 1, "size": 3, "is_direct": False})
    made["register_arrays"] = [{"name": "r", "id": 0, "size": 2, "bitwidth": 12}]
    made["actions"].append(
        action("unused", 50, call("count", {"type": "counter_array", "value": "c"}, const(0)))
    )
    return json.dumps(made).encode()


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    """The primary, with the pipeline running."""
    made = Client(port)
    assert made.receive().arbitration.status.code == 0
    made.set_config(program_json(), cookie=99)
    yield made
    made.close()


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
    code, _ = failure(client.write, insert, atomicity=7)
    assert code is Code.INVALID_ARGUMENT


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
    client.set_config(program_json(), SetConfig.VERIFY_AND_COMMIT)
    assert client.read(p4r.TableEntry(table_id=TABLE_ID)) == []
    assert failure(client.set_config, None, SetConfig.COMMIT)[0] is Code.NOT_FOUND
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


class Picky(ReferenceDataplane):
    """One that cannot run every program."""

    def check(self, program: Program) -> None:
        if program.digests:
            raise RuntimeError("digests are too much")


def test_a_program_that_cannot_run_is_refused_and_the_old_one_goes_on() -> None:
    dataplane = Picky(Options())
    service = Service(DEVICE, dataplane)
    server = Server(service, "127.0.0.1:0")
    server.start()
    client = Client(server.port)
    client.receive()
    client.set_config(program_json())
    learning = json.loads(program_json())
    learning["learn_lists"] = [{"id": 1, "name": "d", "elements": []}]
    for how in (SetConfig.VERIFY, SetConfig.VERIFY_AND_SAVE, SetConfig.VERIFY_AND_COMMIT):
        code, text = failure(client.set_config, json.dumps(learning).encode(), how)
        assert code is Code.INVALID_ARGUMENT
        assert text == "p4_device_config cannot be realized: digests are too much"
    client.write((INSERT, entry(1, port=1)))
    client.close()
    server.stop()
    dataplane.stop()


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
        (INSERT, p4r.ExternEntry()),
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


def test_packets_direct_counters_and_time_since_hit(client: Client) -> None:
    client.write((INSERT, entry(9, port=CPU)))
    client.requests.put(packet_out(9, b"rest"))
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
    bad = packet_out(9, b"rest")
    bad.packet.metadata[0].metadata_id = 77
    client.requests.put(bad)
    error = client.receive().error
    assert error.canonical_code == Code.INVALID_ARGUMENT.value[0]
    assert error.packet_out.packet_out == bad.packet
    backup = Client(port, 5)
    backup.receive()
    backup.requests.put(packet_out(9, b"rest"))
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
    ((code, _),) = batch_errors(client.read, group)
    assert code == Code.NOT_FOUND.value[0]
    session = p4r.PacketReplicationEngineEntry()
    session.clone_session_entry.session_id = 3
    backup, negative, served = (p4r.PacketReplicationEngineEntry() for _ in range(3))
    for refused in (backup, negative, served):
        refused.CopyFrom(session)
    replica = backup.clone_session_entry.replicas.add(egress_port=1)
    replica.backup_replicas.add(port=b"\x02")
    negative.clone_session_entry.packet_length_bytes = -1
    served.clone_session_entry.class_of_service = 1
    errors = batch_errors(client.write, (INSERT, backup), (INSERT, negative), (INSERT, served))
    refused_code, invalid_code = Code.UNIMPLEMENTED.value[0], Code.INVALID_ARGUMENT.value[0]
    assert [code for code, _ in errors] == [refused_code, invalid_code, refused_code]
    session.clone_session_entry.packet_length_bytes = 64
    client.write((INSERT, session))
    assert client.read(session) == [session]


def test_reads_report_every_query(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)))
    errors = batch_errors(client.read, entry(1), p4r.TableEntry(table_id=5), p4r.ExternEntry())
    assert [c for c, _ in errors] == [0, Code.NOT_FOUND.value[0], Code.UNIMPLEMENTED.value[0]]


def test_capabilities(client: Client) -> None:
    response = client.stub.Capabilities(p4r.CapabilitiesRequest())
    assert response.p4runtime_api_version.startswith("1.4")


def test_a_port_in_use_is_refused(port: int) -> None:
    service = Service(DEVICE, ReferenceDataplane(Options()))
    with pytest.raises(ServerError, match="in use by another program"):
        Server(service, f"127.0.0.1:{port}")
