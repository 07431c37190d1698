"""Reads straight from the wire: the same as the careful way, or left to it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from finsy.proto import p4r
from wire_messages import INSERT, PROGRAM, entry, p4info, request

from p4embed.switch.engine import Count, Entry, IdleEntry, Op, Update
from p4embed.switch.native import NativeEngine
from p4embed.switch.native.idle import PackedIdle
from p4embed.switch.native.shape import Shape
from p4embed.switch.p4runtime.bulk import Bulk, bulk_for
from p4embed.switch.p4runtime.framing import framed
from p4embed.switch.p4runtime.read import Reader
from p4embed.switch.p4runtime.stream import idle_notices
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.translate import Translator

NOW_NS = 10**12


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """With entries 1 to 9, each with more than the one before."""
    monkeypatch.setattr(time, "monotonic_ns", lambda: NOW_NS)
    engine = NativeEngine(PROGRAM, clock=lambda: 7)
    opened = Target(Translator(p4info(), PROGRAM), engine)
    for number in range(1, 10):
        made = entry(number, tag=number << 12 & 0xFFFF)
        made.metadata = b"m" * (number - 1)
        made.idle_timeout_ns = (number - 1) << 30
        write(opened, made)
    for number, found in enumerate(sorted(engine.entries(0))):
        engine.set_direct_count(0, found.key, Count(number, number << 40))
    yield opened
    engine.close()


def write(target: Target, made: p4r.TableEntry) -> None:
    bulk, message = bulk_of(target), request((INSERT, made)).SerializeToString()
    understood = bulk.parse(message)
    assert understood is not None
    bulk.write(understood, message)


def bulk_of(target: Target) -> Bulk:
    found = bulk_for(target.translator, target.engine)
    assert found is not None
    return found


def query(number: int, *, counter: bool = False, since: bool = False) -> p4r.TableEntry:
    made = entry(number)
    made.ClearField("action")
    if counter:
        made.counter_data.SetInParent()
    if since:
        made.time_since_last_hit.SetInParent()
    return made


def asks(*queries: p4r.TableEntry) -> p4r.ReadRequest:
    made = p4r.ReadRequest(device_id=3)
    for one in queries:
        made.entities.add().table_entry.CopyFrom(one)
    return made


def both(target: Target, made: p4r.ReadRequest) -> tuple[bytes, bytes]:
    answer = bulk_of(target).read(made.SerializeToString())
    assert answer is not None
    assert answer.device_id == 3
    return answer.response, b"".join(r.SerializeToString() for r in Reader(target).read(made))


def test_both_ways_answer_the_same(target: Target) -> None:
    rng = random.Random(1)
    everything = asks(*(query(n, counter=True, since=True) for n in range(12)))
    answer, careful = both(target, everything)
    assert answer == careful
    assert len(p4r.ReadResponse.FromString(answer).entities) == 9
    for _ in range(100):
        made = asks(
            *(
                query(rng.randrange(12), counter=rng.random() < 0.5, since=rng.random() < 0.5)
                for _ in range(rng.randrange(5))
            )
        )
        answer, careful = both(target, made)
        assert answer == careful


def test_what_is_told(target: Target) -> None:
    answer, _ = both(target, asks(query(3, counter=True, since=True)))
    (entity,) = p4r.ReadResponse.FromString(answer).entities
    found = entity.table_entry
    assert [field.exact.value for field in found.match] == [
        b"\x01", b"\x03", b"\x20" + bytes(15), b"\x03"
    ]  # fmt: skip
    assert [param.value for param in found.action.action.params] == [b"\x02", b"\x30\x00"]
    assert (found.counter_data.packet_count, found.counter_data.byte_count) == (2, 2 << 40)
    assert found.time_since_last_hit.elapsed_ns == NOW_NS - 7
    assert (found.idle_timeout_ns, found.metadata) == (2 << 30, b"mm")


def all_entries(made: p4r.ReadRequest) -> None:
    del made.entities[1].table_entry.match[:]


def part_of_a_key(made: p4r.ReadRequest) -> None:
    del made.entities[1].table_entry.match[3]


def other_table(made: p4r.ReadRequest) -> None:
    made.entities[1].table_entry.table_id += 1


def all_tables(made: p4r.ReadRequest) -> None:
    made.entities[1].table_entry.ClearField("table_id")


def by_metadata(made: p4r.ReadRequest) -> None:
    made.entities[1].table_entry.metadata = b"m"


def by_action(made: p4r.ReadRequest) -> None:
    made.entities[1].table_entry.action.action.action_id = 1


def the_default(made: p4r.ReadRequest) -> None:
    made.entities[1].table_entry.is_default_action = True


def its_meter(made: p4r.ReadRequest) -> None:
    made.entities[1].table_entry.meter_config.SetInParent()


def a_register(made: p4r.ReadRequest) -> None:
    made.entities.add().register_entry.register_id = 1


def as_a_role(made: p4r.ReadRequest) -> None:
    made.role = "backup"


@pytest.mark.parametrize(
    "change",
    [
        all_entries, part_of_a_key, other_table, all_tables, by_metadata, by_action, the_default,
        its_meter, a_register, as_a_role,
    ],
)  # fmt: skip
def test_what_is_left_to_the_careful_way(
    target: Target, change: Callable[[p4r.ReadRequest], None]
) -> None:
    made = asks(query(1), query(2))
    change(made)
    assert bulk_of(target).read(made.SerializeToString()) is None


def test_more_than_one_response_is_left_to_the_careful_way(target: Target) -> None:
    assert bulk_of(target).read(asks(*[query(99)] * 1000).SerializeToString()) is not None
    assert bulk_of(target).read(asks(*[query(99)] * 1001).SerializeToString()) is None
    large = entry(10)
    large.metadata = bytes(60000)
    write(target, large)
    answer, careful = both(target, asks(query(10)))
    assert answer == careful
    assert bulk_of(target).read(asks(*[query(10)] * 20).SerializeToString()) is None


def test_broken_messages(target: Target) -> None:
    rng, bulk = random.Random(3), bulk_of(target)
    message = asks(query(1, counter=True), query(9, since=True)).SerializeToString()
    for _ in range(3000):
        broken = bytearray(message)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.getrandbits(8)
        bulk.read(bytes(broken[: rng.randint(0, len(broken))]))  # must not crash


# -- notices of idle entries ----------------------------------------------------------------------


def idle_of(target: Target, most: int = 1024) -> PackedIdle:
    """All entries that have a time-out: those from 2 on."""
    engine = target.engine
    assert isinstance(engine, NativeEngine)
    return engine.sweep(0, 1 << 60, 0, most)[0]


def told(target: Target, idle: Sequence[IdleEntry]) -> bytes | None:
    return bulk_of(target).notice(idle)


def test_notices_are_the_same_as_the_careful_ones(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_001)
    idle = idle_of(target)
    assert len(idle) == len(list(idle)) == 8
    assert list(idle[2:4]) == list(idle[-6:4])
    assert list(idle[2:4]) == [idle[2], idle[3]]
    for part in (idle, idle[:1], idle[3:7]):
        (careful,) = idle_notices(part, target)
        assert told(target, part) == framed(careful.SerializeToString())
        assert len(careful.idle_timeout_notification.table_entry) == len(part)


def test_entries_that_are_gone_are_not_told_of(target: Target) -> None:
    idle = idle_of(target)
    keys = [one.key for one in idle]
    delete = [Update(Op.DELETE, 0, Entry(key, 0)) for key in keys]
    target.engine.write(delete[1:])
    made = told(target, idle)
    assert made is not None
    response = p4r.StreamMessageResponse.FromString(made[5:])
    (entry_left,) = response.idle_timeout_notification.table_entry
    assert entry_left.metadata == b"m"
    target.engine.write(delete[:1])
    assert told(target, idle) == b""
    assert idle_notices(idle, target) == []


def test_notices_that_are_left_to_the_careful_way(target: Target) -> None:
    idle = idle_of(target)
    assert told(target, list(idle)) is None
    other = NativeEngine(PROGRAM)
    assert (
        told(target, PackedIdle(other, 0, Shape(PROGRAM.tables[0], PROGRAM), idle.packed)) is None
    )
    other.close()
    for number in range(10, 30):
        large = entry(number)
        large.metadata, large.idle_timeout_ns = bytes(60_000), 1
        write(target, large)
    idle = idle_of(target)
    assert len(idle) == 28
    assert told(target, idle) is None
    assert told(target, idle[10:18]) is not None
