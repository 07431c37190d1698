"""Any bytes, of any length up to jumbo, through the native executor; run by test_sanitized.py.

``FUZZ_SECONDS`` says for how long, ``FUZZ_SEED`` with which seed; without one every run has its
own, which is printed. Frames are random, or real ones with parts flipped, cut, doubled or swapped;
entries are random, and take their keys from frames as often as not. There is nothing to compare
with: what must not happen is what the sanitizers see, or that the process ends.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest
from random_input import frame_along_parser, random_entry, random_params
from test_programs import copying, counting, labels, options, picky, selecting, telling

from p4embed.switch import program as p
from p4embed.switch.engine import MeterConfig, Op, Replica, Update
from p4embed.switch.native import NativeEngine

SECONDS = float(os.environ.get("FUZZ_SECONDS", "10"))
LONGEST = 16384
"""The longest frame that is taken from a port."""
PROGRAMS = (copying, counting, labels, options, picky, selecting, telling)


def lengths(rng: random.Random) -> int:
    """Short ones, where parsers end early; ordinary ones; jumbo."""
    most = rng.choice((20, 64, 128, 1518, 9216, LONGEST))
    return rng.randint(0, most)


def spoilt(frame: bytes, rng: random.Random) -> bytes:
    """A frame with a few things wrong."""
    data = bytearray(frame)
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        at = rng.randrange(len(data))
        end = min(len(data), at + rng.randint(1, 16))
        match rng.randrange(6):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at:end] = rng.randbytes(end - at)
            case 2:
                del data[at:]
            case 3:
                data[at:at] = data[at:end]
            case 4:
                data[at:end] = bytes([rng.choice((0, 0xFF))]) * (end - at)
            case _:
                data += rng.randbytes(lengths(rng))
    return bytes(data[:LONGEST])


def frames(program: p.Program, rng: random.Random) -> Iterator[bytes]:
    """Without end."""
    while True:
        match rng.randrange(4):
            case 0:
                yield rng.randbytes(lengths(rng))
            case 1:
                yield frame_along_parser(program, rng)
            case _:
                yield spoilt(frame_along_parser(program, rng), rng)


def configure(engine: NativeEngine, rng: random.Random) -> None:
    """Random entries, defaults, copies, meters and members."""
    program = engine.program
    for index, table in enumerate(program.tables):
        if not table.key or table.const_entries or rng.random() < 0.3:
            continue
        rows = []
        for _ in range(rng.randint(1, 40)):
            values = tuple(
                rng.choice((0, 1, 6, 17, rng.getrandbits(part.width))) & (1 << part.width) - 1
                for part in table.key
            )
            op = rng.choice((Op.INSERT, Op.INSERT, Op.MODIFY, Op.DELETE))
            rows.append(Update(op, index, random_entry(program, table, values, rng)))
        engine.write(rows)
        if rng.random() < 0.5:
            action = program.actions_by_id[rng.choice(table.actions)]
            engine.set_default(index, action.id, random_params(action, rng))
    for number in range(16):
        replicas = [Replica(rng.randint(0, 511), rng.randint(0, 9)) for _ in range(3)]
        engine.set_clone_session(number, replicas, rng.choice((0, 1, 64)))
        engine.set_multicast_group(number, replicas)
    for index, meter in enumerate(program.meters):
        for cell in range(0 if meter.direct else min(meter.size, 8)):
            rates = [rng.choice((0, 1, 1000, 1 << 60)) for _ in range(4)]
            engine.set_meter(index, cell, MeterConfig(*rates))


def fuzz(program: p.Program, seconds: float) -> None:
    seed = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().getrandbits(32))
    print(f"FUZZ_SEED={seed} {program.name}", flush=True)
    rng = random.Random(seed)
    engine = NativeEngine(program, seed=seed)
    source, now_ns, passed = frames(program, rng), 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or not passed:
        configure(engine, rng)
        for _ in range(20):
            now_ns += rng.randint(0, 10**9)
            burst = [next(source) for _ in range(rng.choice((1, 2, 9, 64)))]
            for sent in engine.process_burst(rng.choice((0, 1, 2, 200, 255)), burst, now_ns):
                assert len(sent.frame) < 1 << 16
            passed += len(burst)
            engine.take_digests()
        engine.idle_entries(now_ns)
        for index in range(len(program.tables)):
            for _ in engine.entries(index):
                pass
    engine.close()
    print(f"{passed} frames", flush=True)


@pytest.mark.parametrize("build", PROGRAMS)
def test_small_programs(build: object) -> None:
    assert callable(build)
    fuzz(build(), SECONDS / 2 / len(PROGRAMS))


def test_npu(npu: p.Program) -> None:
    fuzz(npu, SECONDS / 2)
