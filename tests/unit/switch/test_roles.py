"""Roles with a configuration: what they write, read and hear."""

from __future__ import annotations

import json
from typing import Any

import pytest
from finsy.proto import p4r, stratum

from p4embed.switch.p4runtime.arbitration import Arbiter
from p4embed.switch.p4runtime.errors import P4RuntimeError

from .client import CPU, DEVICE, INSERT, MODIFY, Client, Code, SetConfig, batch_errors, failure
from .p4info import COUNTER_ID, DIRECT_COUNTER_ID, TABLE_ID, entry, packet_out
from .programs import one_table


def arbitration(
    election_id: int, role: str, device_id: int = DEVICE, **config: Any
) -> p4r.MasterArbitrationUpdate:
    made = p4r.MasterArbitrationUpdate(device_id=device_id)
    made.election_id.low = election_id
    made.role.name = role
    made.role.config.Pack(stratum.P4RoleConfig(**config))
    return made


def test_the_primarys_configuration_is_the_roles() -> None:
    arbiter = Arbiter(DEVICE)
    arbiter.update("a", arbitration(5, "r", shared_p4_ids=[1]))
    notices = arbiter.update("b", arbitration(4, "r", shared_p4_ids=[2]))
    config = stratum.P4RoleConfig()
    assert notices[0][1].role.config.Unpack(config)
    assert config.shared_p4_ids == [1], "a backup changes nothing"
    scope = arbiter.scope("r")
    assert scope is not None
    assert (scope.writes(1), scope.writes(2)) == (True, False)


def test_what_is_exclusive_is_nobody_elses() -> None:
    arbiter = Arbiter(DEVICE)
    arbiter.update("a", arbitration(5, "one", exclusive_p4_ids=[1], shared_p4_ids=[2]))
    arbiter.update("b", arbitration(5, "two", shared_p4_ids=[2]))
    for config in ({"exclusive_p4_ids": [1]}, {"shared_p4_ids": [1]}, {"exclusive_p4_ids": [2]}):
        with pytest.raises(P4RuntimeError, match="is exclusive to this role or to role"):
            arbiter.update("c", arbitration(5, "three", **config))


def test_what_is_no_configuration() -> None:
    for role, change in (("", None), ("r", "scheme"), ("r", "bytes")):
        update = arbitration(1, role)
        if change == "scheme":
            update.role.config.type_url = "type.googleapis.com/other.Config"
        elif change == "bytes":
            update.role.config.value = b"\xff"
        with pytest.raises(P4RuntimeError) as caught:
            Arbiter(DEVICE).update("a", update)
        assert caught.value.code is Code.INVALID_ARGUMENT


def program() -> bytes:
    made = one_table([("exact", "h", "kind")], counters=True, size=4)
    made["counter_arrays"].append({"name": "c", "id": 1, "size": 2, "is_direct": False})
    return json.dumps(made).encode()


class Limited(Client):
    """A controller whose role has a configuration."""

    def __init__(self, port: int, **config: Any) -> None:
        self.config = config
        super().__init__(port)

    def arbitrate(self, election_id: int | None, device_id: int = DEVICE) -> None:
        request = p4r.StreamMessageRequest()
        request.arbitration.CopyFrom(
            arbitration(election_id or 0, "limited", device_id, **self.config)
        )
        self.requests.put(request)


def test_a_role_writes_reads_and_hears_what_is_its_own(port: int) -> None:
    everything = Client(port)
    everything.receive()
    everything.set_config(program())
    limited = Limited(port, shared_p4_ids=[TABLE_ID], receives_packet_ins=True)
    limited.receive()
    counter = p4r.CounterEntry(counter_id=COUNTER_ID)
    errors = batch_errors(
        lambda: limited.write((INSERT, entry(1, port=CPU)), (MODIFY, counter), role="limited")
    )
    assert [code for code, _ in errors] == [0, Code.PERMISSION_DENIED.value[0]]
    request = p4r.ReadRequest(device_id=DEVICE, role="limited")
    request.entities.add().table_entry.table_id = 0
    request.entities.add().counter_entry.counter_id = 0
    (response,) = limited.stub.Read(request)
    assert [entity.WhichOneof("entity") for entity in response.entities] == ["table_entry"]
    set_config = SetConfig(device_id=DEVICE, role="limited", action=SetConfig.VERIFY)
    set_config.election_id.low = 10
    code, text = failure(limited.stub.SetForwardingPipelineConfig, set_config)
    assert (code, text) == (
        Code.PERMISSION_DENIED, "role 'limited' may not change the pipeline",
    )  # fmt: skip
    everything.requests.put(packet_out(1))
    assert everything.receive().HasField("packet")
    assert limited.receive().HasField("packet")
    assert failure(limited.read, p4r.TableEntry(table_id=DIRECT_COUNTER_ID))
    everything.close()
    limited.close()


def test_packets_in_are_filtered(port: int) -> None:
    everything = Client(port)
    everything.receive()
    everything.set_config(program())
    everything.write((INSERT, entry(1, port=CPU)), (INSERT, entry(2, port=CPU)))
    # The first metadata of a packet-in is the frame's first byte: what the table looks up.
    wanted = stratum.P4RoleConfig.PacketFilter(metadata_id=1, value=b"\0\x02")
    limited = Limited(port, receives_packet_ins=True, packet_in_filter=wanted)
    limited.receive()
    everything.requests.put(packet_out(1))
    everything.requests.put(packet_out(2))
    assert limited.receive().packet.metadata[0].value == b"\x02"
    everything.close()
    limited.close()
