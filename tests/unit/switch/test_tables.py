"""Tables: what matches, what wins, what a write reports, what is counted and what idles out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.switch.engine import Count, Entry, EntryKey, IdleEntry, Op, Status, Update
from p4embed.switch.reference import ReferenceEngine

from .programs import action, document, drop, extract, load, one_table, pipeline, run, send, state
from .programs import table as table_json

SET_PORT = 3


class Bench:
    """An engine with one table ``t``, and the time in its hands."""

    def __init__(self, key: list[tuple[str, str, str]], **options: Any) -> None:
        self.now = 0
        program = load(one_table(key, **options))
        self.engine = ReferenceEngine(program, clock=lambda: self.now)

    def write(self, op: Op, value: str, mask: str = "", *, port: int = 0, priority: int = 0,
              timeout: int = 0) -> Status:  # fmt: skip
        key = EntryKey(bytes.fromhex(value), bytes.fromhex(mask), priority)
        entry = Entry(key, SET_PORT, port.to_bytes(2, "big"), timeout)
        (status,) = self.engine.write([Update(op, 0, entry)])
        return status

    def insert(self, value: str, mask: str = "", **more: Any) -> None:
        assert self.write(Op.INSERT, value, mask, **more) is Status.OK

    def port(self, frame: str) -> int | None:
        """Where a frame leaves; ``None``: it was dropped, as the default action does."""
        sent = self.engine.process(9, bytes.fromhex(frame), self.now)
        return sent[0].port if sent else None


def test_exact() -> None:
    bench = Bench([("exact", "h", "kind"), ("exact", "h", "low")])
    bench.insert("01 02", port=5)
    assert bench.port("01 0000 20") == 5
    assert bench.port("01 0000 2f") == 5
    assert bench.port("01 0000 30") is None
    assert bench.port("02 0000 20") is None


def test_lpm_the_longest_prefix_wins() -> None:
    bench = Bench([("lpm", "h", "value"), ("exact", "h", "kind")])
    bench.insert("0000 01", "0000 ff", port=1)
    bench.insert("1200 01", "ff00 ff", port=2)
    bench.insert("1234 01", "ffff ff", port=3)
    bench.insert("1230 02", "fff0 ff", port=4)
    assert [bench.port(f"01 {v} 00") for v in ("1234", "1235", "1300")] == [3, 2, 1]
    assert bench.port("02 123f 00") == 4
    assert bench.port("02 1200 00") is None
    assert bench.write(Op.DELETE, "1234 01", "ffff ff") is Status.OK
    assert bench.port("01 1234 00") == 2


def test_ternary_the_highest_priority_wins() -> None:
    bench = Bench([("ternary", "h", "value"), ("ternary", "h", "kind")])
    bench.insert("0000 00", "0000 00", port=1, priority=1)
    bench.insert("0030 00", "00f0 00", port=2, priority=5)
    bench.insert("1200 01", "ff00 ff", port=3, priority=9)
    assert bench.port("01 1234 00") == 3
    assert bench.port("02 1234 00") == 2
    assert bench.port("02 1244 00") == 1
    assert bench.write(Op.DELETE, "1200 01", "ff00 ff", priority=9) is Status.OK
    assert bench.port("01 1234 00") == 2


def test_of_equal_priorities_the_first_inserted_wins() -> None:
    bench = Bench([("ternary", "h", "kind")])
    bench.insert("01", "01", port=1, priority=7)
    bench.insert("02", "02", port=2, priority=7)
    assert bench.port("03 0000 00") == 1


def test_range() -> None:
    bench = Bench([("range", "h", "value"), ("exact", "h", "kind")])
    bench.insert("0010 01", "0020 ff", port=1, priority=2)
    bench.insert("0018 01", "ffff ff", port=2, priority=1)
    ports = [bench.port(f"01 {v} 00") for v in ("000f", "0010", "0020", "0021", "ffff")]
    assert ports == [None, 1, 1, 2, 2]


def test_a_static_mask_is_applied_to_the_packet() -> None:
    made = one_table([("exact", "h", "value")])
    made["pipelines"][0]["tables"][0]["key"][0]["mask"] = "0x0ff0"
    engine = ReferenceEngine(load(made))
    engine.write([Update(Op.INSERT, 0, Entry(EntryKey(b"\x02\x30"), SET_PORT, b"\0\7"))])
    assert [s.port for s in engine.process(1, bytes.fromhex("00 1234 00"), 0)] == [7]


def test_fields_of_an_invalid_header_match_as_0() -> None:
    made = one_table([("exact", "h", "kind")])
    made["parsers"][0]["parse_states"][0]["parser_ops"] = []
    engine = ReferenceEngine(load(made))
    engine.write([Update(Op.INSERT, 0, Entry(EntryKey(b"\0"), SET_PORT, b"\0\7"))])
    assert [s.port for s in engine.process(1, b"\xff" * 8, 0)] == [7]


def test_write_statuses() -> None:
    bench = Bench([("exact", "h", "kind")], size=2)
    assert bench.write(Op.MODIFY, "01") is Status.MISSING
    assert bench.write(Op.DELETE, "01") is Status.MISSING
    assert bench.write(Op.INSERT, "01", port=1) is Status.OK
    assert bench.write(Op.INSERT, "01", port=2) is Status.EXISTS
    assert bench.port("01 0000 00") == 1
    assert bench.write(Op.MODIFY, "01", port=3) is Status.OK
    assert bench.port("01 0000 00") == 3
    assert bench.write(Op.INSERT, "02") is Status.OK
    assert bench.write(Op.INSERT, "03") is Status.FULL
    assert bench.write(Op.DELETE, "01") is Status.OK
    assert bench.port("01 0000 00") is None
    assert bench.write(Op.INSERT, "03") is Status.OK
    assert bench.engine.entry_count(0) == 2


def test_constant_entries_cannot_be_written() -> None:
    entry = {
        "match_key": [{"match_type": "exact", "key": "0x01"}],
        "action_entry": {"action_id": SET_PORT, "action_data": ["0x005"]},
        "priority": 1,
    }
    bench = Bench([("exact", "h", "kind")], entries=[entry])
    assert bench.port("01 0000 00") == 5
    for op in Op:
        assert bench.write(op, "01", port=6) is Status.CONST
    assert bench.port("01 0000 00") == 5
    assert [e.is_const for e in bench.engine.entries(0)] == [True]


def test_default_action() -> None:
    bench = Bench([("exact", "h", "kind")])
    assert bench.engine.default(0) == (4, b"")
    bench.engine.set_default(0, SET_PORT, b"\x00\x08")
    assert bench.port("01 0000 00") == 8
    assert bench.engine.default(0) == (SET_PORT, b"\x00\x08")
    bench.engine.set_default(0, None, b"")
    assert bench.port("01 0000 00") is None


def test_direct_counters_count_hits() -> None:
    bench = Bench([("exact", "h", "kind")], counters=True)
    bench.insert("01", port=1)
    key = EntryKey(b"\x01")
    for frame in ("01 0000 00", "01 0000 00 aabb", "02 0000 00"):
        bench.port(frame)
    assert bench.engine.direct_count(0, key) == Count(2, 10)
    bench.write(Op.MODIFY, "01", port=2)
    assert bench.engine.direct_count(0, key) == Count(2, 10)
    assert bench.engine.set_direct_count(0, key, Count(7, 70))
    bench.port("01 0000 00")
    assert bench.engine.direct_count(0, key) == Count(8, 74)
    assert bench.engine.direct_count(0, EntryKey(b"\x09")) is None
    assert not bench.engine.set_direct_count(0, EntryKey(b"\x09"), Count(0, 0))
    bench.write(Op.DELETE, "01")
    bench.insert("01", port=1)
    assert bench.engine.direct_count(0, key) == Count(0, 0)


def test_idle_entries_are_told_once_per_time_out() -> None:
    bench = Bench([("exact", "h", "kind")], timeout=True)
    idle = IdleEntry(0, EntryKey(b"\x01"))
    bench.insert("01", port=1, timeout=100)
    bench.insert("02", port=1)
    assert bench.engine.idle_entries(99) == []
    assert bench.engine.idle_entries(100) == [idle]
    assert bench.engine.idle_entries(199) == []
    assert bench.engine.idle_entries(200) == [idle]
    bench.now = 250
    bench.port("01 0000 00")
    assert bench.engine.idle_entries(349) == []
    assert bench.engine.since_last_hit(0, EntryKey(b"\x01"), 349) == 99
    assert bench.engine.idle_entries(350) == [idle]
    bench.now = 400
    bench.write(Op.MODIFY, "01", port=1, timeout=1000)
    assert bench.engine.idle_entries(1399) == []
    assert bench.engine.since_last_hit(0, EntryKey(b"\x07"), 0) is None


def test_updates_are_applied_in_order() -> None:
    bench = Bench([("exact", "h", "kind")])
    entry = Entry(EntryKey(b"\1"), SET_PORT, b"\0\1")
    ops = [Op.INSERT, Op.INSERT, Op.DELETE, Op.DELETE, Op.INSERT]
    statuses = bench.engine.write([Update(op, 0, entry) for op in ops])
    assert statuses == [Status.OK, Status.EXISTS, Status.OK, Status.MISSING, Status.OK]


def hit_or_miss(**options: Any) -> ReferenceEngine:
    """``t`` without a default action leads to port 1 on a hit, to port 2 on a miss."""
    one, two, noop = action("one", 0, send(1)), action("two", 1, send(2)), action("noop", 2)
    made = document(
        types={"h_t": [["kind", 8, False]]},
        headers={"h": "h_t"},
        states=[state("start", extract("h"))],
        order=["h"],
        actions=[one, two, noop, action("end", 3, drop())],
        ingress=pipeline(
            "ingress",
            "t",
            [table_json("t", [("exact", "h", "kind")], [noop], **options)],
            calls=[run("hit", 0), run("miss", 1), run("end", 3)],
        ),
    )
    engine = ReferenceEngine(load(made))
    engine.write([Update(Op.INSERT, 0, Entry(EntryKey(b"\1"), 2))])
    return engine


def test_what_follows_a_table() -> None:
    by_hit = hit_or_miss(by_hit=True, hit="hit", miss="miss")
    assert [by_hit.process(9, bytes([k]), 0)[0].port for k in (1, 2)] == [1, 2]
    assert by_hit.default(0) is None
    by_action = hit_or_miss(next_="hit")
    assert [by_action.process(9, bytes([k]), 0)[0].port for k in (1, 2)] == [1, 1]


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(1, 50)),
        max_size=12,
        unique_by=(lambda e: e[2], lambda e: (e[0] & e[1], e[1])),
    ),
    packet=st.integers(0, 255),
)
def test_ternary_agrees_with_its_definition(
    entries: list[tuple[int, int, int]], packet: int
) -> None:
    bench = Bench([("ternary", "h", "kind")], size=100)
    for value, mask, priority in entries:
        bench.insert(f"{value & mask:02x}", f"{mask:02x}", port=priority, priority=priority)
    matching = [p for value, mask, p in entries if packet & mask == value & mask]
    assert bench.port(f"{packet:02x} 0000 00") == (max(matching) if matching else None)


@pytest.mark.parametrize("kind", ["exact", "lpm", "ternary", "range"])
def test_a_deleted_entry_matches_no_more(kind: str) -> None:
    bench = Bench([(kind, "h", "kind")])
    priority = 1 if kind in ("ternary", "range") else 0
    mask = {"exact": "", "range": "05"}.get(kind, "ff")
    bench.insert("05", mask, port=1, priority=priority)
    assert bench.port("05 0000 00") == 1
    assert bench.write(Op.DELETE, "05", mask, priority=priority) is Status.OK
    assert bench.port("05 0000 00") is None
    assert bench.engine.entry_count(0) == 0
