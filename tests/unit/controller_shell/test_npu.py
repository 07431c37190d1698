"""The P4Runtime client of an NPU, against a server that applies what it is told."""

import asyncio
from dataclasses import replace

import pytest
from finsy.proto import p4r

from controller.flow import Direction, Path, Port
from controller.messages import (
    CP,
    HOST,
    NEIGHBORS,
    Actor,
    LimitSessions,
    Mark,
    Origin,
    PacketIn,
    ReadWing,
    RemoveWing,
    Role,
    Transmit,
    WingInstalled,
    WingRead,
    WingRemoved,
    WingsIdle,
)
from controller.npu.connection import PACKET_OUT_LIMIT
from controller.npu.counters import Count
from controller.reasons import Drop, Punt, Send
from controller.record import SessionRecord, encode
from controller_shell.npu_bench import (
    KEY,
    KEY6,
    PIPELINE,
    SESSION,
    SPU1,
    WING,
    Bench,
    install,
    interface_entries,
    values,
    with_npu,
)

RECORD = SessionRecord(SESSION, 1, Path.SPU, WING, WING, False, "", -1, "", 0, 0)


def test_interfaces_with_a_zone_are_in_both_tables_with_their_screens() -> None:
    one = interface_entries(1)
    assert len(one) == 4
    egress, ingress = interface_entries(2)
    common = {
        "zone": 2, "screens": 0b1011, "alarm_only": 0, "extension_limit": 0, "vr": 0,
        "features": 0,
    }  # fmt: skip
    own = {"token": 2, "mac": 0x020000020001, "epoch": 1}
    assert values(ingress) == common | own
    assert values(egress) == common
    vlan = next(e for e in one if e.match[0].exact.value == b"\2")
    assert vlan.match[1].exact.value == b"\x0a"


def test_a_wing_that_is_written_again_is_not_answered() -> None:
    async def test(bench: Bench) -> None:
        bench.npu.post(install())
        await bench.next()
        bench.npu.post(replace(install(), is_renewal=True))
        bench.npu.post(ReadWing(SESSION, Direction.FORWARD, 1, KEY))
        assert isinstance((await bench.next())[1], WingRead)

    with_npu(test)


def test_a_wing_is_written_read_and_removed_with_its_final_counters() -> None:
    async def test(bench: Bench) -> None:
        bench.npu.post(install())
        reply = WingInstalled(SESSION, Direction.FORWARD, None)
        assert await bench.next() == (SPU1, reply)
        (entry,) = bench.session_entries()
        assert entry.idle_timeout_ns == 30_000_000_000
        assert entry.metadata == b"record"
        assert values(entry) == {"session_id": SESSION, "wing": 0, "spu": 1, "epoch": 1}
        # Canonical byte strings: 0.0.113.9 loses its leading zeros.
        assert entry.match[1].exact.value == bytes([113, 9])

        entry.counter_data.packet_count, entry.counter_data.byte_count = 3, 300
        entry.time_since_last_hit.elapsed_ns = 5
        bench.npu.post(ReadWing(SESSION, Direction.FORWARD, 1, KEY))
        assert (await bench.next())[1] == WingRead(SESSION, Direction.FORWARD, 5, 3, 300)
        bench.npu.post(RemoveWing(SESSION, Direction.FORWARD, 1, KEY))
        assert (await bench.next())[1] == WingRemoved(SESSION, Direction.FORWARD, 3, 300)
        assert bench.session_entries() == []
        assert len(bench.npu.wings) == 0
        bench.npu.post(ReadWing(SESSION, Direction.FORWARD, 1, KEY))
        assert (await bench.next())[1] == WingRead(SESSION, Direction.FORWARD, None, 0, 0)

    with_npu(test)


@pytest.mark.parametrize("fails_reads", [False, True])
def test_wings_that_are_gone_do_not_hide_the_counters_of_others(fails_reads: bool) -> None:
    async def test(bench: Bench) -> None:
        bench.fake.fails_reads = fails_reads
        wings = [replace(WING, key=KEY._replace(sport=port)) for port in range(1, 5)]
        for wing in (wings[1], wings[3]):
            bench.npu.post(install(wing))
            await bench.next()
        for entry in bench.session_entries():
            entry.counter_data.packet_count = entry.match[2].exact.value[0]
        for n, wing in enumerate(wings):
            bench.npu.post(RemoveWing(SESSION + n, Direction.FORWARD, 1, wing.key))
        found = [(await bench.next())[1] for _ in wings]
        assert found == [
            WingRemoved(SESSION + n, Direction.FORWARD, packets, 0)
            for n, packets in enumerate((0, 2, 0, 4))
        ]
        assert bench.session_entries() == []

    with_npu(test)


def test_express_wing_leaves_by_the_fabric_or_by_an_own_port() -> None:
    async def test(bench: Bench) -> None:
        bench.npu.post(install(path=Path.EXPRESS))
        await bench.next()
        (entry,) = bench.session_entries()
        assert values(entry) == {
            "session_id": SESSION, "wing": 0, "spu": 1, "epoch": 1,
            "src_addr": 0xCB007101, "dst_addr": 0x7109, "src_port": 20000, "dst_port": 80,
            "src_mac": 0x020000020001, "dst_mac": 0x00AABBCCDDEE, "vlan": 0,
            "port": 200, "remote_port": 1,
        }  # fmt: skip
        bench.fake.entries.clear()
        hop = replace(WING.hop, port=Port(1, 3), vlan=7)
        wing6 = replace(WING, key=KEY6, translated=KEY6.tuple5, hop=hop)
        bench.npu.post(install(wing6, Path.EXPRESS))
        await bench.next()
        (entry,) = bench.session_entries()
        assert entry.table_id == PIPELINE.tables["session_v6"].id
        assert (values(entry)["port"], values(entry)["remote_port"]) == (3, 0)
        assert values(entry)["vlan"] == 7
        assert "src_port" not in values(entry)

    with_npu(test)


def test_updates_share_a_write_only_while_another_is_under_way() -> None:
    async def test(bench: Bench) -> None:
        bench.fake.writes.clear()
        bench.fake.write_gate.clear()
        wings = [replace(WING, key=KEY._replace(sport=port)) for port in range(1, 8)]
        bench.npu.post(install(wings[0]))
        while not bench.fake.writes:
            await asyncio.sleep(0)
        for wing in wings[1:]:
            bench.npu.post(install(wing))
        bench.fake.write_gate.set()
        for _ in wings:
            await bench.next()
        assert bench.fake.writes == [1, 6]

    with_npu(test)


def test_a_full_table_fails_only_the_updates_that_do_not_fit() -> None:
    async def test(bench: Bench) -> None:
        bench.fake.capacity = len(bench.fake.entries) + 1
        for port in (1, 2):
            wing = replace(WING, key=KEY._replace(sport=port))
            bench.npu.post(install(wing, session=SESSION + port))
        errors = {}
        for _ in range(2):
            message = (await bench.next())[1]
            assert isinstance(message, WingInstalled)
            errors[message.session_id - SESSION] = message.error
        assert errors == {1: None, 2: Drop.NPU_TABLE_FULL}

    with_npu(test)


def test_an_entry_left_over_under_the_same_key_is_replaced() -> None:
    async def test(bench: Bench) -> None:
        for session in (SESSION, SESSION + 1):
            bench.npu.post(install(session=session))
            reply = WingInstalled(session, Direction.FORWARD, None)
            assert (await bench.next())[1] == reply
        (entry,) = bench.session_entries()
        assert values(entry)["session_id"] == SESSION + 1

    with_npu(test)


def test_an_address_at_its_session_limit_is_listed_and_what_was_said_last_holds() -> None:
    """One update under way per address, however fast it comes and goes."""

    async def test(bench: Bench) -> None:
        address = bytes([10, 1, 0, 2])
        table = PIPELINE.tables["session_limit_source"].id

        def say(at_limit: bool) -> None:
            screen = Drop.SCREEN_SESSION_LIMIT_SOURCE
            bench.npu.post(LimitSessions(screen, 3, address, at_limit))

        def listed() -> list[bytes]:
            return [
                field.exact.value
                for entry in bench.fake.entries.values()
                if entry.table_id == table
                for field in entry.match
            ]

        say(True)
        await bench.npu._writer.drained()
        assert listed() == [b"\3", b"\xff\xff" + address]
        for at_limit in (False, True, False):
            say(at_limit)
        await bench.npu._writer.drained()
        assert listed() == []
        for at_limit in (True, False, True):
            say(at_limit)
        await bench.npu._writer.drained()
        assert len(listed()) == 2

    with_npu(test)


def test_idle_notice_names_the_session_of_the_key() -> None:
    async def test(bench: Bench) -> None:
        bench.npu.post(install())
        await bench.next()
        (entry,) = bench.session_entries()
        notice = p4r.StreamMessageResponse()
        idle = notice.idle_timeout_notification.table_entry.add()
        idle.table_id = entry.table_id
        # Targets may pad values to their full width.
        for field in entry.match:
            value = field.exact.value.rjust(4, b"\0")
            idle.match.add(field_id=field.field_id, exact=p4r.FieldMatch.Exact(value=value))
        bench.fake.send(notice)
        assert await bench.next() == (SPU1, WingsIdle((SESSION,)))

    with_npu(test)


def test_idle_notice_may_name_the_session_by_its_record() -> None:
    async def test(bench: Bench) -> None:
        notice = p4r.StreamMessageResponse()
        for session in (SESSION, 20_000_001, SESSION + 1):
            record = replace(RECORD, session_id=session)
            notice.idle_timeout_notification.table_entry.add(metadata=encode(record))
        for unknown in (b"", b"\2", b"\1" * 40):
            notice.idle_timeout_notification.table_entry.add(metadata=unknown)
        bench.fake.send(notice)
        assert await bench.next() == (SPU1, WingsIdle((SESSION, SESSION + 1)))
        assert await bench.next() == (Actor(Role.SPU, 2), WingsIdle((20_000_001,)))

    with_npu(test)


def test_while_packets_come_in_hundreds_so_do_idle_notices() -> None:
    """Or more sessions would begin than end."""

    async def test(bench: Bench) -> None:
        turn = bench.npu._turn
        notice = p4r.StreamMessageResponse()
        for n in range(1000):
            record = encode(replace(RECORD, session_id=SESSION + n))
            notice.idle_timeout_notification.table_entry.add(metadata=record)
        bench.npu._received(notice.SerializeToString())
        turn.packets = 400
        told = []
        for _ in range(3):
            _, notice = await bench.next()
            assert isinstance(notice, WingsIdle)
            told.append(len(notice.sessions))
        assert told[0] == 400
        assert told[1] == told[2] < 100

    with_npu(test)


def test_a_wing_whose_counters_are_known_is_not_read_again() -> None:
    async def test(bench: Bench) -> None:
        bench.npu.post(install())
        await bench.next()
        (entry,) = bench.session_entries()
        entry.counter_data.packet_count = 3
        bench.npu.post(RemoveWing(SESSION, Direction.FORWARD, 1, KEY, is_counted=True))
        assert (await bench.next())[1] == WingRemoved(SESSION, Direction.FORWARD, 0, 0)
        assert bench.session_entries() == []
        assert len(bench.npu.wings) == 0

    with_npu(test)


def test_of_many_idle_wings_a_few_are_looked_at_in_each_turn_of_the_event_loop() -> None:
    """Or packets would wait for all of them."""
    notices = 600

    async def test(bench: Bench) -> None:
        bench.npu.post(install())
        await bench.next()
        notice = p4r.StreamMessageResponse()
        for entry in bench.session_entries() * notices:
            idle = notice.idle_timeout_notification.table_entry.add(table_id=entry.table_id)
            idle.match.extend(entry.match)
        bench.fake.send(notice)
        told = most = 0
        async with asyncio.timeout(5):
            while told < notices:
                await asyncio.sleep(0)
                before = told
                while not bench.delivered.empty():
                    told += len(bench.delivered.get_nowait()[1].sessions)
                most = max(most, told - before)
        assert told == notices
        assert most <= notices // 10

    with_npu(test)


@pytest.mark.parametrize(
    ("reason", "spu", "receiver"),
    [
        (Punt.MISS, 0, CP),
        (Punt.SYN_PROXY, 0, CP),
        (Punt.FRAGMENT, 0, CP),
        (Punt.ICMP_ERROR, 0, CP),
        (Punt.FILTER_REJECT, 0, HOST),
        (Punt.MISS, 3, Actor(Role.SPU, 3)),
        (Punt.FRAGMENT, 3, Actor(Role.SPU, 3)),
        (Punt.ICMP_ERROR, 3, Actor(Role.SPU, 3)),
        (Punt.SESSION, 3, Actor(Role.SPU, 3)),
        (Punt.TCP_CONTROL, 3, Actor(Role.SPU, 3)),
        (Punt.TTL_EXPIRED, 3, Actor(Role.SPU, 3)),
        (Punt.STALE, 3, Actor(Role.SPU, 3)),
        (Punt.ARP, 0, NEIGHBORS),
        (Punt.ND, 0, NEIGHBORS),
    ],
)
def test_a_punted_packet_goes_where_its_reason_says(
    reason: Punt, spu: int, receiver: Actor
) -> None:
    async def test(bench: Bench) -> None:
        bench.fake.punt(
            b"frame", reason=reason, ingress_port=300, token=2, session_id=SESSION, wing=1,
            spu=spu, trace=1, forwarding_class=5, loss_priority=2,
        )  # fmt: skip
        packet = PacketIn(
            Port(1, 300), reason, 2, SESSION, Direction.REVERSE, spu, b"frame", 42,
            Mark(True, 5, 2),
        )  # fmt: skip
        assert await bench.next() == (receiver, packet)

    with_npu(test)


def test_a_frame_is_sent_with_header_and_padding() -> None:
    async def test(bench: Bench) -> None:
        mark, origin = Mark(True, 5, 2), Origin(3, True)
        bench.npu.post(Transmit(Port(1, 7), Send.EGRESS, b"frame", mark, origin))
        packet = await asyncio.wait_for(bench.fake.packets_out.get(), 5)
        assert packet.payload == b"frame"
        header = {m.metadata_id: m.value for m in packet.metadata}
        # Padding, then send, trace, forwarding class, loss priority, first, port and zone.
        assert header == dict(
            enumerate((b"\0", b"\1", b"\1", b"\5", b"\2", b"\1", b"\7", b"\3"), 1)
        )

    with_npu(test)


def test_counters_are_read_and_cleared() -> None:
    async def test(bench: Bench) -> None:
        counter = PIPELINE.counters["drops"]
        bench.fake.counters[counter, 32] = (5, 500)
        assert await bench.npu.counters.read("drops", [3, 32]) == {
            3: Count(0, 0),
            32: Count(5, 500),
        }
        await bench.npu.counters.clear("drops", [32])
        assert await bench.npu.counters.read("drops", [32]) == {32: Count(0, 0)}

    with_npu(test)


def test_packets_beyond_the_queue_are_dropped_and_counted() -> None:
    async def test(bench: Bench) -> None:
        for n in range(PACKET_OUT_LIMIT + 3):
            bench.npu.post(Transmit(Port(1, 1), Send.RAW, n.to_bytes(4, "big")))
        assert bench.npu.connection.packets_out_dropped == 3
        last = b""
        for _ in range(PACKET_OUT_LIMIT):
            last = (await asyncio.wait_for(bench.fake.packets_out.get(), 5)).payload
        assert int.from_bytes(last, "big") == PACKET_OUT_LIMIT - 1

    with_npu(test)
