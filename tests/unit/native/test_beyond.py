"""What the native engine offers beyond ``Engine``: meters, digests, profiles, value sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from native_programs import header_type, program, standard, table_program

from p4embed.switch import program as p
from p4embed.switch.engine import (
    TO_GROUP,
    TO_MEMBER,
    Atomic,
    Digested,
    Entry,
    EntryKey,
    Learning,
    Matching,
    MeterConfig,
    Metering,
    Op,
    Replicating,
    Selecting,
    Status,
    Update,
)
from p4embed.switch.native import NativeEngine
from p4embed.switch.program import MatchKind

Open = Callable[[p.Program], NativeEngine]
SECOND = 10**9


@pytest.fixture
def open_engine() -> Iterator[Open]:
    opened: list[NativeEngine] = []

    def open_one(built: p.Program) -> NativeEngine:
        opened.append(NativeEngine(built, clock=lambda: 0))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.close()


def test_it_offers_all_there_is(open_engine: Open) -> None:
    engine = open_engine(table_program(MatchKind.EXACT, [8]))
    for offer in (Replicating, Atomic, Metering, Learning, Selecting, Matching):
        assert isinstance(engine, offer)


def test_whole_batches(open_engine: Open) -> None:
    engine = open_engine(table_program(MatchKind.EXACT, [16]))
    rows = [
        Update(Op.INSERT, 0, Entry(EntryKey(n.to_bytes(2, "big")), 1, bytes(4))) for n in range(300)
    ]
    assert engine.write_together(rows) == [Status.OK] * 300
    assert engine.write_together(rows[:1]) == [Status.EXISTS]


# -- meters -----------------------------------------------------------------------------------

RATES = MeterConfig(cir=1000, cburst=200, pir=2000, pburst=300)


def metered(*, counts_bytes: bool) -> p.Program:
    """Meter 0 of two cells colors a packet (first byte: cell); the color leaves in front."""
    headers = [
        p.Header("h", header_type("h_t", 8), metadata=False),
        p.Header("r", header_type("r_t", 8), metadata=False),
    ]
    body: tuple[p.Primitive, ...] = (
        p.Assign(standard("egress_spec"), p.Const(1)),
        p.AddHeader(p.HeaderRef(2)),
        p.Assign(p.FieldRef(2, 0), p.Const(9)),
        p.ExecuteMeter(0, p.FieldRef(1, 0), p.FieldRef(2, 0)),
    )
    built = program(
        headers,
        extract=[1],
        actions=[p.Action("a", 1, (), body)],
        calls=[p.Call("c", 1, None)],
        start=p.CallNode(0),
        deparse=[2, 1],
    )
    return replace(built, meters=(p.Meter("m", 2, False, counts_bytes, None),))


def color(engine: NativeEngine, frame: bytes, now_ns: int) -> int:
    return engine.process(0, frame, now_ns)[0].frame[0]


def test_a_meter_marks_what_exceeds_its_rates(open_engine: Open) -> None:
    engine = open_engine(metered(counts_bytes=True))
    engine.set_meter(0, 1, RATES)
    assert engine.meter(0, 1) == RATES
    assert engine.meter(0, 0) is None
    frame = b"\x01" + bytes(99)
    # Buckets of 200 and 300 bytes: two packets green, one yellow, then red.
    assert [color(engine, frame, 0) for _ in range(5)] == [0, 0, 1, 2, 2]
    # 0.1 s later: 100 committed bytes and 200 peak ones.
    assert [color(engine, frame, SECOND // 10) for _ in range(3)] == [0, 1, 2]
    assert color(engine, bytes(100), 0) == 0, "a cell without configuration is green"
    assert color(engine, b"\x02" + bytes(99), 0) == 9, "out of range leaves the target alone"
    engine.set_meter(0, 1, None)
    assert color(engine, frame, SECOND // 10) == 0
    with pytest.raises(IndexError):
        engine.meter(0, 2)


def test_a_meter_of_packets(open_engine: Open) -> None:
    engine = open_engine(metered(counts_bytes=False))
    engine.set_meter(0, 0, MeterConfig(1, 2, 1, 4))
    assert [color(engine, bytes(1000), 0) for _ in range(5)] == [0, 0, 1, 1, 2]


def test_a_direct_meter_runs_on_a_hit(open_engine: Open) -> None:
    built = table_program(MatchKind.EXACT, [8])
    meter = p.Meter("m", 0, True, False, p.FieldRef(1, 0))
    built = replace(built, meters=(meter,), tables=(replace(built.tables[0], meter=0),))
    engine = open_engine(built)
    row = Entry(EntryKey(b"\x07"), 1, b"\x00\x01\x00\x00")
    assert not engine.set_direct_meter(0, row.key, RATES)
    engine.write([Update(Op.INSERT, 0, row)])
    assert engine.direct_meter(0, row.key) is None
    assert engine.set_direct_meter(0, row.key, MeterConfig(1, 1, 1, 2))
    assert engine.direct_meter(0, row.key) == MeterConfig(1, 1, 1, 2)
    # The color goes to the key's own field, which leaves behind the tag.
    assert [engine.process(0, b"\x07", 0)[0].frame[2] for _ in range(3)] == [0, 1, 2]
    engine.write([Update(Op.MODIFY, 0, row)])
    assert engine.direct_meter(0, row.key) is None
    assert engine.process(0, b"\x07", 0)[0].frame[2] == 0
    engine.set_direct_meter(0, row.key, RATES)
    assert engine.write([Update(Op.DELETE, 0, row)]) == [Status.OK]


# -- digests ----------------------------------------------------------------------------------


def test_digests_carry_what_ingress_left(open_engine: Open) -> None:
    headers = [p.Header("h", header_type("h_t", 4, 12, 48), metadata=False)]
    body: tuple[p.Primitive, ...] = (
        p.Digest(p.Const(1), 0),
        p.MarkToDrop(standard("egress_spec"), None),
        p.Assign(p.FieldRef(1, 0), p.Const(5)),
    )
    built = program(
        headers,
        extract=[1],
        actions=[p.Action("a", 1, (), body)],
        calls=[p.Call("c", 1, None)],
        start=p.CallNode(0),
    )
    fields = (p.FieldRef(1, 1), p.FieldRef(1, 0), standard("ingress_port"), p.FieldRef(1, 2))
    engine = open_engine(replace(built, digests=(p.DigestList("d", fields),)))
    assert engine.take_digests() == []
    for port in (3, 300):
        assert engine.process(port, b"\x1a\xbc" + b"\x01\x02\x03\x04\x05\x06", 0) == []
    tail = b"\x01\x02\x03\x04\x05\x06"
    assert engine.take_digests() == [
        Digested(0, b"\x0a\xbc\x05" + port + tail) for port in (b"\x00\x03", b"\x01\x2c")
    ]
    assert engine.take_digests() == []


# -- action profiles --------------------------------------------------------------------------


def test_members_and_groups(open_engine: Open) -> None:
    built = table_program(MatchKind.EXACT, [8, 8])
    selector = p.Calculation("s", p.Algorithm.IDENTITY, (p.FieldRef(1, 1),))
    table = replace(
        built.tables[0],
        key=built.tables[0].key[:1],
        implementation=p.Implementation.SELECTOR,
        profile=0,
        default=None,
    )
    engine = open_engine(replace(built, tables=(table,), profiles=(p.Profile("ap", 16, selector),)))

    def number(value: int) -> bytes:
        return value.to_bytes(4, "big")

    engine.set_member(0, 0, 1, b"\x00\x01\x00\xaa")
    engine.set_member(0, 100, 1, b"\x00\x02\x00\xbb")
    engine.set_member(0, 2, 2, b"")
    engine.set_group(0, 7, [0, 100, 100])
    engine.set_group(0, 8, [])
    rows = [
        Entry(EntryKey(b"\x00"), TO_MEMBER, number(100)),
        Entry(EntryKey(b"\x01"), TO_GROUP, number(7)),
        Entry(EntryKey(b"\x02"), TO_GROUP, number(8)),
        Entry(EntryKey(b"\x03"), TO_MEMBER, number(2)),
    ]
    assert set(engine.write([Update(Op.INSERT, 0, row) for row in rows])) == {Status.OK}
    assert engine.get(0, rows[1].key) == rows[1]

    def port(frame: bytes) -> int | None:
        sent = engine.process(9, frame, 0)
        return sent[0].port if sent else None

    assert port(b"\x00\x00") == 2
    assert [port(bytes([1, n])) for n in range(6)] == [1, 2, 2, 1, 2, 2]
    assert port(b"\x02\x00") == 0, "an empty group runs nothing, so egress_spec stays 0"
    assert port(b"\x03\x00") is None, "member 2 drops"
    engine.set_member(0, 100, 1, b"\x00\x05\x00\x00")
    assert port(b"\x00\x00") == 5
    engine.set_group(0, 7, [2])
    assert port(b"\x01\x01") is None
    engine.set_group(0, 7, None)
    assert port(b"\x01\x01") == 0
    with pytest.raises(ValueError, match="no action 77"):
        engine.set_member(0, 0, 77, b"")


# -- value sets -------------------------------------------------------------------------------


def test_value_sets_steer_the_parser(open_engine: Open) -> None:
    head = header_type("h_t", 12, 4)
    headers = [p.Header("h", head, metadata=False), p.Header("i", head, metadata=False)]
    built = program(
        headers,
        extract=[1],
        actions=[p.Action("a", 1, (), (p.Assign(standard("egress_spec"), p.ValidBit(2)),))],
        calls=[p.Call("c", 1, None)],
        start=p.CallNode(0),
    )
    first = p.ParseState(
        "first",
        (p.ExtractHeader(1),),
        (p.KeyPart(p.FieldRef(1, 0), 12), p.KeyPart(p.FieldRef(1, 1), 4)),
        (p.OnSet(0, b"\x0f\xff\x0f", 1),),
        None,
    )
    second = p.ParseState("second", (p.ExtractHeader(2),), (), (), None)
    engine = open_engine(
        replace(
            built,
            parser=p.Parser("parser", 0, (first, second)),
            value_sets=(p.ValueSet("vs", 16, 4),),
        )
    )

    def in_set(head_bytes: bytes) -> bool:
        return engine.process(3, head_bytes + bytes(8), 0)[0].port == 1

    assert not in_set(b"\x12\x34")
    engine.set_value_set(
        0, [(b"\x01\x23\x04", b"\x0f\xff\x0f"), (b"\x0a\x00\x00", b"\x0f\x00\x00")]
    )
    assert in_set(b"\x12\x34")
    assert not in_set(b"\x12\x35")
    assert in_set(b"\xa9\x99")
    engine.set_value_set(0, [])
    assert not in_set(b"\x12\x34")
    with pytest.raises(ValueError, match="key's size"):
        engine.set_value_set(0, [(b"\x01", b"\x01\x02")])
