"""Nothing leaks over a million packets.

What the C library has handed out is counted after each of several like rounds: packets that are
forwarded, cloned, sent round again, cut, and told to the controller; entries that come, change and
go, with metadata within and beside them, meters, members, groups and value sets.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from malloc import in_use
from random_input import frame_along_parser, random_entry
from test_programs import copying, counting, labels, selecting, telling

from p4embed.switch import program as p
from p4embed.switch.engine import Entry, EntryKey, MeterConfig, Op, Replica, Update
from p4embed.switch.native import NativeEngine

ROUNDS = 6
PACKETS = 40_000
"""Of each program in each round; five programs and six rounds make more than a million."""
BURST = 64
ALLOWED = 4096
"""Bytes that Python may hold more or less at the end of a round."""


def churn(engine: NativeEngine, rng: random.Random) -> None:
    """Everything that can be configured, set, changed and taken away."""
    program = engine.program
    for index, table in enumerate(program.tables):
        if not table.key or table.const_entries:
            continue
        entries: dict[EntryKey, Entry] = {}
        for _ in range(300):
            values = tuple(rng.getrandbits(part.width) for part in table.key)
            entry = random_entry(program, table, values, rng)
            entries[entry.key] = entry._replace(metadata=rng.randbytes(rng.choice((0, 40, 3000))))
        rows = list(entries.values())
        for op in (Op.INSERT, Op.MODIFY):
            rng.shuffle(rows)
            engine.write([Update(op, index, row) for row in rows])
            for row in rows if table.meter is not None else ():
                engine.set_direct_meter(index, row.key, MeterConfig(1, 2, 3, 4))
        engine.write([Update(Op.DELETE, index, row) for row in rows])
        assert engine.entry_count(index) == 0
    for session in range(8):
        engine.set_clone_session(session, [Replica(session, 1)] * rng.randint(1, 3))
        engine.set_multicast_group(session, [Replica(session, 1)] * rng.randint(1, 3))
    for index, meter in enumerate(program.meters):
        for cell in range(0 if meter.direct else min(meter.size, 8)):
            engine.set_meter(index, cell, MeterConfig(1, 2, 3, 4))
            engine.set_meter(index, cell, None)
    for index, profile in enumerate(program.profiles):
        action = program.actions_by_id[
            next(a for t in program.tables if t.profile == index for a in t.actions)
        ]
        for row in range(8):
            engine.set_member(index, row, action.id, bytes(action.params_size))
            if profile.selector is not None:
                engine.set_group(index, row, [row] * rng.randint(1, 4))
                engine.set_group(index, row, None)
            engine.set_member(index, row, None, b"")
    for index in range(len(program.value_sets)):
        engine.set_value_set(index, [(b"\x01\x02", b"\xff\xff")] * rng.randint(1, 4))
        engine.set_value_set(index, [])


def traffic(program: p.Program, rng: random.Random) -> Iterator[list[bytes]]:
    """Bursts, ``PACKETS`` in all."""
    frames = [frame_along_parser(program, rng) for _ in range(200)]
    frames += [rng.randbytes(rng.choice((0, 1, 60, 1500, 9216))) for _ in range(20)]
    for _ in range(0, PACKETS, BURST):
        yield rng.choices(frames, k=BURST)


@pytest.mark.parametrize("build", [copying, counting, labels, selecting, telling])
def test_over_packets_and_updates(build: object) -> None:
    assert callable(build)
    program: p.Program = build()
    engine = NativeEngine(program, seed=1)
    left: list[int] = []
    for _ in range(ROUNDS):
        rng = random.Random(4)  # the same in every round
        for number, burst in enumerate(traffic(program, rng)):
            engine.process_burst(rng.randint(0, 3), burst, number)
            engine.take_digests()
        churn(engine, rng)
        left.append(in_use())
    engine.close()
    # The first rounds find room for the largest burst, and Python its own.
    assert left[-1] - left[2] < ALLOWED, f"bytes in use after each round: {left}"


def test_with_the_engine_itself() -> None:
    program = copying()
    left = []
    for _ in range(ROUNDS):
        for _ in range(5):
            engine = NativeEngine(program)
            churn(engine, random.Random(1))
            engine.process_burst(1, [bytes(100)] * BURST, 0)
            engine.close()
            del engine
        left.append(in_use())
    assert left[-1] - left[2] < ALLOWED, f"bytes in use after each round: {left}"
