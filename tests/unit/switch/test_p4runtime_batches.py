"""Atomic batches, saved and reconciled pipelines: all or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from finsy.proto import p4r

from .client import CPU, DELETE, INSERT, MODIFY, Client, Code, SetConfig, batch_errors, failure
from .p4info import COUNTER_ID, METER_ID, REGISTER_ID, TABLE_ID, entry, packet_out
from .programs import one_table

ROLLBACK = p4r.WriteRequest.ROLLBACK_ON_ERROR
ATOMIC = p4r.WriteRequest.DATAPLANE_ATOMIC


def program(**options: Any) -> bytes:
    options = {"counters": True, "timeout": True, "size": 3, "meter": "m"} | options
    made = one_table(options.pop("key", [("exact", "h", "kind")]), **options)
    made["counter_arrays"].append({"name": "c", "id": 1, "size": 2, "is_direct": False})
    made["meter_arrays"].append(
        {"name": "n", "id": 1, "type": "bytes", "rate_count": 2, "size": 2, "is_direct": False}
    )
    made["register_arrays"] = [{"name": "r", "id": 0, "size": 2, "bitwidth": 12}]
    return json.dumps(made).encode()


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    made = Client(port)
    assert made.receive().arbitration.status.code == 0
    made.set_config(program())
    yield made
    made.close()


def entries(client: Client) -> dict[bytes, int]:
    """Ports by key."""
    return {
        e.match[0].exact.value: int.from_bytes(e.action.action.params[0].value, "big")
        for e in client.read(p4r.TableEntry(table_id=TABLE_ID))
    }


def counter(packets: int) -> p4r.CounterEntry:
    made = p4r.CounterEntry(counter_id=COUNTER_ID)
    made.index.index = 0
    made.data.packet_count = packets
    return made


def meter(rate: int | None, index: int = 0) -> p4r.MeterEntry:
    made = p4r.MeterEntry(meter_id=METER_ID)
    made.index.index = index
    if rate is not None:
        made.config.cir = made.config.pir = rate
    return made


def test_a_failure_rolls_everything_back(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)), (INSERT, entry(2, port=2)), (MODIFY, counter(5)))
    errors = batch_errors(
        lambda: client.write(
            (MODIFY, counter(7)),
            (MODIFY, meter(3)),
            (DELETE, entry(1)),
            (MODIFY, entry(2, port=9)),
            (INSERT, entry(3, port=3)),
            (INSERT, entry(2, port=4)),
            (INSERT, entry(4, port=4)),
            atomicity=ROLLBACK,
        )
    )
    assert [code for code, _ in errors] == [10, 10, 10, 10, 10, Code.ALREADY_EXISTS.value[0], 10]
    assert entries(client) == {b"\x01": 1, b"\x02": 2}
    assert client.read(counter(0))[0].data.packet_count == 5
    assert client.read(meter(None)) == [meter(None)]


def test_a_rolled_back_entry_has_its_resources_again(client: Client) -> None:
    made = entry(1, port=1, idle_timeout_ns=10**15, metadata=b"mine")
    made.counter_data.packet_count = 4
    made.meter_config.cir, made.meter_config.pir = 1, 2
    client.write((INSERT, made))
    with_all = entry(1)
    with_all.counter_data.SetInParent()
    with_all.meter_config.SetInParent()
    (before,) = client.read(with_all)
    assert before == made
    batch_errors(lambda: client.write((DELETE, entry(1)), (DELETE, entry(2)), atomicity=ROLLBACK))
    assert client.read(with_all) == [before]


def test_without_a_failure_a_rollback_batch_is_like_any(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)), (MODIFY, entry(1, port=2)), atomicity=ROLLBACK)
    assert entries(client) == {b"\x01": 2}


def test_a_default_action_is_rolled_back(client: Client) -> None:
    default = p4r.TableEntry(table_id=TABLE_ID, is_default_action=True)
    (before,) = client.read(default)
    other = entry(port=3, is_default_action=True)
    batch_errors(lambda: client.write((MODIFY, other), (DELETE, entry(2)), atomicity=ROLLBACK))
    assert client.read(default) == [before]


def test_an_atomic_batch_is_foreseen(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)))
    client.write(
        (INSERT, entry(2, port=2)),
        (MODIFY, entry(2, port=5)),
        (DELETE, entry(1)),
        (INSERT, entry(1, port=8)),
        (MODIFY, entry(1, metadata=b"m")),
        atomicity=ATOMIC,
    )
    assert entries(client) == {b"\x01": 8, b"\x02": 5}
    errors = batch_errors(
        lambda: client.write(
            (DELETE, entry(2)),
            (DELETE, entry(2)),
            (INSERT, entry(1, port=1)),
            (INSERT, entry(3, port=1)),
            (INSERT, entry(4, port=1)),
            (INSERT, entry(5, port=1)),
            atomicity=ATOMIC,
        )
    )
    aborted, missing = Code.ABORTED.value[0], Code.NOT_FOUND.value[0]
    exists, full = Code.ALREADY_EXISTS.value[0], Code.RESOURCE_EXHAUSTED.value[0]
    assert [code for code, _ in errors] == [aborted, missing, exists, aborted, aborted, full]
    assert entries(client) == {b"\x01": 8, b"\x02": 5}


def test_an_atomic_batch_of_anything_else_is_refused(client: Client) -> None:
    errors = batch_errors(
        lambda: client.write((INSERT, entry(1, port=1)), (MODIFY, counter(1)), atomicity=ATOMIC)
    )
    assert [code for code, _ in errors] == [Code.ABORTED.value[0], Code.UNIMPLEMENTED.value[0]]
    assert entries(client) == {}


# -- meters -----------------------------------------------------------------------------------


def test_meters_are_read_as_written(client: Client) -> None:
    client.write((MODIFY, meter(5, 1)))
    everything = p4r.MeterEntry()
    assert client.read(everything) == [meter(None, 0), meter(5, 1)]
    every_cell = p4r.MeterEntry(meter_id=METER_ID, config=meter(8).config)
    client.write((MODIFY, every_cell))
    assert client.read(everything) == [meter(8, 0), meter(8, 1)]
    client.write((MODIFY, meter(None, 0)))
    assert client.read(meter(None, 0)) == [meter(None, 0)]


def test_what_meters_refuse(client: Client) -> None:
    slow_peak, excess, colors = meter(1), meter(1), meter(1)
    slow_peak.config.pir = 0
    excess.config.eburst = 1
    colors.counter_data.SetInParent()
    updates = [
        (INSERT, meter(1)), (MODIFY, meter(1, 2)), (MODIFY, meter(1, -1)), (MODIFY, meter(-1)),
        (MODIFY, slow_peak), (MODIFY, excess), (MODIFY, colors),
        (MODIFY, p4r.MeterEntry(meter_id=9)),
    ]  # fmt: skip
    codes = [code for code, _ in batch_errors(client.write, *updates)]
    assert codes == [3, 11, 3, 3, 3, 3, 12, 5]


def test_direct_meters(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)))
    direct = p4r.DirectMeterEntry(table_entry=entry(1), config=meter(4).config)
    client.write((MODIFY, direct))
    assert client.read(p4r.DirectMeterEntry(table_entry=entry(1))) == [direct]
    assert client.read(p4r.DirectMeterEntry()) == [direct]
    client.write((MODIFY, entry(1, port=2)))
    (read,) = client.read(p4r.DirectMeterEntry(table_entry=entry(1)))
    assert not read.HasField("config"), "a MODIFY without meter_config resets it"
    ((code, _),) = batch_errors(client.write, (MODIFY, p4r.DirectMeterEntry(table_entry=entry(2))))
    assert code == Code.NOT_FOUND.value[0]


# -- pipelines --------------------------------------------------------------------------------


def test_a_saved_pipeline_takes_writes_until_it_is_committed(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)))
    client.set_config(program(size=9), SetConfig.VERIFY_AND_SAVE)
    assert entries(client) == {}
    client.write((INSERT, entry(7, port=7)), (MODIFY, meter(2)))
    packet = p4r.StreamMessageRequest()
    packet.packet.payload = b"\x01\0\0\0"
    assert failure(client.set_config, program(), SetConfig.COMMIT)[0] is Code.INVALID_ARGUMENT
    client.set_config(None, SetConfig.COMMIT)
    assert entries(client) == {b"\x07": 7}
    assert client.read(meter(None)) == [meter(2)]
    assert failure(client.set_config, None, SetConfig.COMMIT)[0] is Code.NOT_FOUND


def test_packets_run_through_the_old_pipeline_until_the_commit(client: Client) -> None:
    client.write((INSERT, entry(1, port=CPU)))
    client.set_config(program(default=(3, ["0x041"])), SetConfig.VERIFY_AND_SAVE)
    client.write((INSERT, entry(2, port=CPU)))
    client.requests.put(packet_out(1))
    assert client.receive().HasField("packet")
    client.set_config(None, SetConfig.COMMIT)
    client.requests.put(packet_out(2))
    assert client.receive().HasField("packet")


def test_reconciling_keeps_what_there_is(client: Client) -> None:
    made = entry(1, port=1, metadata=b"mine")
    made.counter_data.packet_count = 4
    register = p4r.RegisterEntry(register_id=REGISTER_ID)
    register.index.index = 1
    register.data.bitstring = b"\x05"
    client.write((INSERT, made), (MODIFY, counter(6)), (MODIFY, meter(2)), (MODIFY, register))
    client.set_config(program(size=5, default=(3, ["0x001"])), SetConfig.RECONCILE_AND_COMMIT)
    assert entries(client) == {b"\x01": 1}
    with_count = entry(1)
    with_count.counter_data.SetInParent()
    assert client.read(with_count) == [made]
    assert client.read(counter(0))[0].data.packet_count == 6
    assert client.read(meter(None)) == [meter(2)]
    assert client.read(register) == [register]
    default = client.read(p4r.TableEntry(table_id=TABLE_ID, is_default_action=True))[0]
    assert default.action.action.params[0].value == b"\x01", "the new program's own"


def test_what_cannot_be_kept_is_refused_and_nothing_changes(client: Client) -> None:
    client.write((INSERT, entry(1, port=1)), (INSERT, entry(2, port=2)))
    for other in (program(size=1), program(key=[("exact", "h", "value"), ("exact", "h", "kind")])):
        code, text = failure(client.set_config, other, SetConfig.RECONCILE_AND_COMMIT)
        assert code is Code.INVALID_ARGUMENT
        assert text.startswith("the forwarding state cannot be kept: ")
    assert entries(client) == {b"\x01": 1, b"\x02": 2}
