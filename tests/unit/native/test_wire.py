"""Writes straight from the wire: the same as the careful way, or left to it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from finsy.proto import p4r
from wire_messages import DELETE, DROP, INSERT, MODIFY, PROGRAM, entry, p4info, request

from p4embed.switch.native import NativeEngine
from p4embed.switch.p4runtime.bulk import Bulk, bulk_for
from p4embed.switch.p4runtime.errors import BatchError
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.translate import Translator
from p4embed.switch.p4runtime.write import Writer
from p4embed.switch.reference import ReferenceEngine


@pytest.fixture
def engine() -> Iterator[NativeEngine]:
    opened = NativeEngine(PROGRAM, clock=lambda: 7)
    yield opened
    opened.close()


@pytest.fixture
def bulk(engine: NativeEngine) -> Bulk:
    writer = bulk_for(Translator(p4info(), PROGRAM), engine)
    assert writer is not None
    return writer


def test_what_is_understood(bulk: Bulk, engine: NativeEngine) -> None:
    made = entry()
    made.idle_timeout_ns, made.metadata = 9, b"m" * 300
    message = request((INSERT, made), (INSERT, entry(2))).SerializeToString()
    understood = bulk.parse(message)
    assert understood is not None
    assert understood.device_id == 3
    assert understood.election_id == (1 << 64) + 2
    bulk.write(understood, message)
    found = {e.key.value[7]: e for e in engine.entries(0)}
    assert found[1].key.value == b"\x00\x01" + bytes(5) + b"\x01" + b"\x20" + bytes(15) + b"\x03"
    assert found[1].params == b"\x00\x02\x00\x05"
    assert (found[1].idle_timeout_ns, found[1].metadata) == (9, b"m" * 300)
    assert (found[2].idle_timeout_ns, found[2].metadata) == (0, b"")


def test_without_an_election_id(bulk: Bulk) -> None:
    made = request((INSERT, entry()))
    made.ClearField("election_id")
    understood = bulk.parse(made.SerializeToString())
    assert understood is not None
    assert understood.election_id is None


def change_key(made: p4r.TableEntry) -> None:
    made.match[0].exact.value = b"\x02\x00"  # 10 bits


def long_key(made: p4r.TableEntry) -> None:
    made.match[0].exact.value = b"\x00\x00\x01"


def empty_key(made: p4r.TableEntry) -> None:
    made.match[0].exact.value = b""


def missing_field(made: p4r.TableEntry) -> None:
    del made.match[2]


def double_field(made: p4r.TableEntry) -> None:
    made.match[1].field_id = 1


def ternary(made: p4r.TableEntry) -> None:
    made.match[0].ternary.value = b"\x01"


def other_table(made: p4r.TableEntry) -> None:
    made.table_id += 1


def other_action(made: p4r.TableEntry) -> None:
    made.action.action.action_id = 99


def default_only(made: p4r.TableEntry) -> None:
    made.action.action.action_id = DROP
    del made.action.action.params[:]


def missing_param(made: p4r.TableEntry) -> None:
    del made.action.action.params[1]


def no_action(made: p4r.TableEntry) -> None:
    made.ClearField("action")


def member(made: p4r.TableEntry) -> None:
    made.action.action_profile_member_id = 1


def priority(made: p4r.TableEntry) -> None:
    made.priority = 1


def default(made: p4r.TableEntry) -> None:
    made.is_default_action = True


def negative_timeout(made: p4r.TableEntry) -> None:
    made.idle_timeout_ns = -1


def counted(made: p4r.TableEntry) -> None:
    made.counter_data.packet_count = 1


@pytest.mark.parametrize(
    "change",
    [
        change_key, long_key, empty_key, missing_field, double_field, ternary, other_table,
        other_action, default_only, missing_param, no_action, member, priority, default,
        negative_timeout, counted,
    ],
)  # fmt: skip
def test_what_is_left_to_the_careful_way(
    bulk: Bulk, engine: NativeEngine, change: Callable[[p4r.TableEntry], None]
) -> None:
    made = entry()
    change(made)
    # A good update before and after must not be applied twice later.
    message = request((INSERT, entry(2)), (INSERT, made), (INSERT, entry(3)))
    assert bulk.parse(message.SerializeToString()) is None
    assert engine.entry_count(0) == 0


def test_requests_that_are_left_to_the_careful_way(bulk: Bulk) -> None:
    role = request((INSERT, entry()))
    role.role = "backup"
    atomic = request((INSERT, entry()))
    atomic.atomicity = p4r.WriteRequest.DATAPLANE_ATOMIC
    counter = request((INSERT, entry()))
    counter.updates.add(type=MODIFY).entity.counter_entry.counter_id = 1
    for made in (role, atomic, counter, request((0, entry()))):
        assert bulk.parse(made.SerializeToString()) is None


def test_broken_messages_are_left_to_the_careful_way(bulk: Bulk) -> None:
    rng = random.Random(3)
    made = entry()
    made.metadata = b"abc"
    message = request((INSERT, made), (DELETE, entry(4))).SerializeToString()
    for _ in range(3000):
        broken = bytearray(message)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.getrandbits(8)
        bulk.parse(bytes(broken[: rng.randint(0, len(broken))]))  # must not crash


def test_both_ways_do_the_same(bulk: Bulk, engine: NativeEngine) -> None:
    rng = random.Random(5)
    reference = ReferenceEngine(PROGRAM, clock=lambda: 7)
    careful = Writer(Target(Translator(p4info(), PROGRAM), reference))
    failed = 0
    for _ in range(60):
        made = request(
            *(
                (rng.choice((INSERT, INSERT, MODIFY, DELETE)), entry(rng.randint(1, 60), tag))
                for tag in range(rng.randint(1, 12))
            )
        )
        message = made.SerializeToString()
        answers = []
        understood = bulk.parse(message)
        for way in (
            lambda u=understood, m=message: bulk.write(u, m),
            lambda m=made: careful.write(m),
        ):
            try:
                way()
                answers.append([])
            except BatchError as error:
                failed += 1
                answers.append([o and (o.code, o.message) for o in error.outcomes])
        assert answers[0] == answers[1]
    assert failed > 20
    assert {e.key: e for e in engine.entries(0)} == {e.key: e for e in reference.entries(0)}
