"""Tables of the native executor, through the engine's public interface."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from native_programs import table_program

from p4embed.switch.engine import Count, Entry, EntryKey, IdleEntry, Op, Status, Update
from p4embed.switch.native import NativeEngine
from p4embed.switch.program import MatchKind, Program

Open = Callable[[Program], NativeEngine]
SECOND = 1_000_000_000


def params(port: int, tag: int) -> bytes:
    return port.to_bytes(2, "big") + tag.to_bytes(2, "big")


def send(key: EntryKey, port: int, tag: int = 0, **more: object) -> Entry:
    return Entry(key, 1, params(port, tag), **more)  # type: ignore[arg-type]


def insert(engine: NativeEngine, *entries: Entry) -> list[Status]:
    return engine.write([Update(Op.INSERT, 0, entry) for entry in entries])


def tag_of(engine: NativeEngine, frame: bytes, now_ns: int = 0) -> int | None:
    """The tag of the entry that a frame hits; ``None`` for a miss."""
    sent = engine.process(1, frame, now_ns)
    assert len(sent) <= 1
    if not sent:
        return None
    assert sent[0].frame[2:] == frame
    return int.from_bytes(sent[0].frame[:2], "big")


@pytest.fixture
def open_engine() -> Iterator[Open]:
    opened: list[NativeEngine] = []

    def open_one(program: Program) -> NativeEngine:
        opened.append(NativeEngine(program, clock=lambda: 5 * SECOND))
        return opened[-1]

    yield open_one
    for engine in opened:
        engine.close()


@pytest.fixture
def exact(open_engine: Open) -> NativeEngine:
    return open_engine(table_program(MatchKind.EXACT, [32, 128, 8]))


KEY = bytes(range(21))


def test_a_hit_runs_the_action_with_the_entry_s_parameters(exact: NativeEngine) -> None:
    assert insert(exact, send(EntryKey(KEY), 7, 0xBEEF)) == [Status.OK]
    sent = exact.process(1, KEY + b"rest", 0)
    assert [(s.port, s.frame) for s in sent] == [(7, b"\xbe\xef" + KEY + b"rest")]


def test_a_miss_runs_the_default_action(exact: NativeEngine) -> None:
    assert exact.process(1, KEY, 0) == []
    exact.set_default(0, 1, params(3, 1))
    assert exact.default(0) == (1, params(3, 1))
    assert [s.port for s in exact.process(1, KEY, 0)] == [3]
    exact.set_default(0, None, b"")
    assert exact.default(0) == (2, b"")
    assert exact.process(1, KEY, 0) == []


def test_updates_say_how_they_went(exact: NativeEngine) -> None:
    key = EntryKey(KEY)
    one, other = send(key, 1), send(key, 2)
    statuses = exact.write(
        [
            Update(Op.MODIFY, 0, one),
            Update(Op.DELETE, 0, one),
            Update(Op.INSERT, 0, one),
            Update(Op.INSERT, 0, other),
            Update(Op.MODIFY, 0, other),
        ]
    )
    assert statuses == [Status.MISSING, Status.MISSING, Status.OK, Status.EXISTS, Status.OK]
    assert exact.get(0, key) == other
    assert exact.write([Update(Op.DELETE, 0, Entry(key, 0))]) == [Status.OK]
    assert exact.get(0, key) is None
    assert exact.entry_count(0) == 0


def test_a_table_takes_no_more_than_its_size(open_engine: Open) -> None:
    engine = open_engine(table_program(MatchKind.EXACT, [8], size=2))
    entries = [send(EntryKey(bytes([i])), 1) for i in range(3)]
    assert insert(engine, *entries) == [Status.OK, Status.OK, Status.FULL]
    engine.write([Update(Op.DELETE, 0, entries[0])])
    assert insert(engine, entries[2]) == [Status.OK]


def test_constant_entries_match_and_stay(open_engine: Open) -> None:
    const = send(EntryKey(b"\x07"), 4, 9, is_const=True)
    engine = open_engine(table_program(MatchKind.EXACT, [8], const=[const]))
    assert tag_of(engine, b"\x07") == 9
    assert list(engine.entries(0)) == [const]
    other = send(EntryKey(b"\x08"), 4)
    for op, entry in ((Op.INSERT, other), (Op.MODIFY, const), (Op.DELETE, const)):
        assert engine.write([Update(op, 0, entry)]) == [Status.CONST]


def test_everything_about_an_entry_comes_back(exact: NativeEngine) -> None:
    entry = send(EntryKey(KEY), 1, 2, idle_timeout_ns=7, metadata=b"\x00session\xff" * 9)
    insert(exact, entry)
    assert exact.get(0, entry.key) == entry
    assert list(exact.entries(0)) == [entry]


def test_a_key_of_the_wrong_size_is_refused(exact: NativeEngine) -> None:
    with pytest.raises(ValueError, match="'t' has 21 bytes"):
        insert(exact, send(EntryKey(b"short"), 1))
    with pytest.raises(ValueError, match="takes no action 9"):
        insert(exact, Entry(EntryKey(KEY), 9, b""))
    assert exact.get(0, EntryKey(b"short")) is None


def test_direct_counters_count_hits_and_bytes(exact: NativeEngine) -> None:
    entry = send(EntryKey(KEY), 1)
    insert(exact, entry)
    for _ in range(3):
        exact.process(1, KEY + bytes(79), 0)
    assert exact.direct_count(0, entry.key) == Count(3, 300)
    assert exact.set_direct_count(0, entry.key, Count(10, 20))
    exact.write([Update(Op.MODIFY, 0, entry)])
    exact.process(1, KEY, 0)
    assert exact.direct_count(0, entry.key) == Count(11, 41)
    missing = EntryKey(bytes(21))
    assert exact.direct_count(0, missing) is None
    assert not exact.set_direct_count(0, missing, Count(1, 1))


def test_idle_entries_are_told_once_per_time_out(exact: NativeEngine) -> None:
    entry = send(EntryKey(KEY), 1, idle_timeout_ns=2 * SECOND)
    insert(exact, entry, send(EntryKey(bytes(21)), 1))
    told = [IdleEntry(0, entry.key)]
    assert exact.idle_entries(6 * SECOND) == []
    assert exact.idle_entries(7 * SECOND) == told
    assert exact.idle_entries(8 * SECOND) == []
    assert exact.idle_entries(9 * SECOND) == told
    exact.process(1, KEY, 10 * SECOND)
    assert exact.since_last_hit(0, entry.key, 11 * SECOND) == SECOND
    assert exact.idle_entries(11 * SECOND) == []
    assert exact.idle_entries(12 * SECOND) == told


def test_the_longest_prefix_wins(open_engine: Open) -> None:
    engine = open_engine(
        table_program(MatchKind.LPM, [8, 32], kinds=[MatchKind.EXACT, MatchKind.LPM])
    )

    def prefix(first: int, value: int, length: int) -> EntryKey:
        mask = (1 << 32) - (1 << 32 - length)
        return EntryKey(
            bytes([first]) + (value & mask).to_bytes(4, "big"), b"\xff" + mask.to_bytes(4, "big")
        )

    rows = [
        send(prefix(1, 0, 0), 1, 1),
        send(prefix(1, 0x0A000000, 8), 1, 2),
        send(prefix(1, 0x0A0B0000, 16), 1, 3),
        send(prefix(1, 0x0A0B0C0D, 32), 1, 4),
        send(prefix(2, 0x0A0B0C0D, 32), 1, 5),
    ]
    insert(engine, *rows)

    def look(first: int, value: int) -> int | None:
        return tag_of(engine, bytes([first]) + value.to_bytes(4, "big"))

    assert look(1, 0x0A0B0C0D) == 4
    assert look(1, 0x0A0B0C0E) == 3
    assert look(1, 0x0A0C0000) == 2
    assert look(1, 0x0B000000) == 1
    assert look(2, 0x0A0B0C0E) is None
    engine.write([Update(Op.DELETE, 0, rows[3]), Update(Op.DELETE, 0, rows[2])])
    assert look(1, 0x0A0B0C0D) == 2
    assert engine.entry_count(0) == 3


def test_the_highest_priority_wins_and_of_equals_the_oldest(open_engine: Open) -> None:
    engine = open_engine(table_program(MatchKind.TERNARY, [16]))
    low = send(EntryKey(b"\x12\x00", b"\xff\x00", 1), 1, 1)
    high = send(EntryKey(b"\x00\x34", b"\x00\xff", 5), 1, 2)
    equal = send(EntryKey(b"\x00\x00", b"\x00\x00", 5), 1, 3)
    insert(engine, low, high, equal)
    assert tag_of(engine, b"\x12\x34") == 2
    assert tag_of(engine, b"\x12\x35") == 3
    engine.write([Update(Op.DELETE, 0, equal)])
    assert tag_of(engine, b"\x12\x35") == 1
    assert tag_of(engine, b"\x13\x35") is None
    # Priority is part of what identifies an entry.
    assert insert(engine, send(low.key._replace(priority=9), 1, 7)) == [Status.OK]
    assert tag_of(engine, b"\x12\x34") == 7


def test_ranges_include_both_ends(open_engine: Open) -> None:
    kinds = [MatchKind.EXACT, MatchKind.RANGE, MatchKind.TERNARY]
    engine = open_engine(table_program(MatchKind.RANGE, [8, 16, 8], kinds=kinds))
    insert(engine, send(EntryKey(b"\x01\x00\xff\x00", b"\xff\x01\x02\x00", 1), 1, 1))
    hits = [tag_of(engine, b"\x01" + n.to_bytes(2, "big") + b"\x77") for n in (254, 255, 258, 259)]
    assert hits == [None, 1, 1, None]
    assert tag_of(engine, b"\x02\x01\x00\x77") is None


def test_a_table_that_grows_and_shrinks_stays_right(open_engine: Open) -> None:
    engine = open_engine(table_program(MatchKind.EXACT, [32]))
    rng = random.Random(1)
    there: dict[int, Entry] = {}
    for _ in range(12):
        for number in rng.sample(range(1 << 32), 2000):
            there.setdefault(number, send(EntryKey(number.to_bytes(4, "big")), 1, number & 0xFFFF))
        fresh = [e for e in there.values() if engine.get(0, e.key) is None]
        assert set(insert(engine, *fresh)) == {Status.OK}
        for number in rng.sample(sorted(there), 900):
            gone = there.pop(number)
            assert engine.write([Update(Op.DELETE, 0, gone)]) == [Status.OK]
            assert tag_of(engine, gone.key.value) is None
    assert engine.entry_count(0) == len(there)
    assert {e.key: e for e in engine.entries(0)} == {e.key: e for e in there.values()}
    assert all(tag_of(engine, e.key.value) == n & 0xFFFF for n, e in there.items())


def test_an_entry_costs_little_memory(open_engine: Open) -> None:
    # An IPv4 session: 15 bytes of key, 36 of parameters (here 4), 40 of metadata.
    engine = open_engine(table_program(MatchKind.EXACT, [64, 56]))
    rows = [send(EntryKey(n.to_bytes(15, "big")), 1, 1, metadata=bytes(40)) for n in range(20_000)]
    insert(engine, *rows)
    assert engine.table_memory(0) / len(rows) < 200


def test_a_closed_engine_refuses(exact: NativeEngine) -> None:
    exact.close()
    exact.close()
    with pytest.raises(RuntimeError, match="closed"):
        exact.process(1, KEY, 0)
    with pytest.raises(RuntimeError, match="closed"):
        exact.entry_count(0)
