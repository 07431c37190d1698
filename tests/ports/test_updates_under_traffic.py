"""Updates while frames pour in: none is lost by them, and none sees half of a Write.

Frames leave with the tag of the entry they hit. Writers give entries ever higher tags, so the
order of tags in which frames come out tells what each of them saw.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ends import KEY, WAIT, Far, forwarding, send_to

from p4embed.switch.engine import Op, Status, Update
from p4embed.switch.native import NativeDataplane

FRAMES = 20_000
UNDER_WAY = 2_000
"""At a time: less than a port holds while others have its processor."""
FIRST, LAST = KEY, KEY[:5] + b"\x77" + KEY[6:]
"""What the frames here ask for, in turn."""
BATCH = 1000


def between(number: int) -> bytes:
    """The key of an entry that no frame asks for."""
    return b"\xee" + number.to_bytes(5, "big") + KEY[6:]


@contextmanager
def writing(write: Callable[[int], None]) -> Iterator[list[int]]:
    """Write in a thread of its own as fast as it goes; yields how often, so far."""
    stop, count, failed = threading.Event(), [0], []

    def run() -> None:
        while not stop.is_set() and count[0] < 0xFFFF:
            try:
                write(count[0] + 1)
            except BaseException as error:
                failed.append(error)
                return
            count[0] += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join(WAIT)
    if failed:
        raise failed[0]


def pour(far: dict[int, Far]) -> list[tuple[int, int]]:
    """Send all frames; tag and number of each that comes out."""
    out: list[bytes] = []

    def collect() -> None:
        while len(out) < FRAMES and (frame := far[2].receive()) is not None:
            out.append(frame)

    collector = threading.Thread(target=collect)
    collector.start()
    for number in range(FRAMES):
        while number - len(out) > UNDER_WAY and collector.is_alive():
            time.sleep(0.001)  # more at once than the port queues would be lost
        key = FIRST if number % 2 == 0 else LAST
        far[1].send(key + number.to_bytes(4, "big") + bytes(50))
    collector.join()
    return [
        (int.from_bytes(frame[:2], "big"), int.from_bytes(frame[16:20], "big")) for frame in out
    ]


def changed(key: bytes, tag: int, op: Op = Op.MODIFY) -> Update:
    return send_to(2, key, tag)._replace(op=op)


def test_updates_lose_no_frame(dataplane: NativeDataplane, far: dict[int, Far]) -> None:
    dataplane.use(dataplane.prepare(forwarding(1 << 20)))
    engine = dataplane.engine
    engine.write([changed(key, 0, Op.INSERT) for key in (FIRST, LAST)])

    def write(turn: int) -> None:
        # The table grows, shrinks and changes around the entries that frames hit.
        new = [changed(between(turn * 50 + n), 0, Op.INSERT) for n in range(50)]
        old = [update._replace(op=Op.DELETE) for update in new[:30]]
        hit = [changed(FIRST, turn), changed(LAST, turn)]
        assert set(engine.write([*new, *hit, *old])) == {Status.OK}

    with writing(write) as count:
        seen = pour(far)
    assert [number for _, number in seen] == list(range(FRAMES))
    assert count[0] >= 50, "hardly anything was written meanwhile"
    assert engine.entry_count(0) == 2 + 20 * count[0]


@pytest.mark.parametrize("atomic", [False, True])
def test_no_frame_sees_half_of_a_write(
    dataplane: NativeDataplane, far: dict[int, Far], atomic: bool
) -> None:
    dataplane.use(dataplane.prepare(forwarding(1 << 20)))
    engine = dataplane.engine
    keys = [FIRST, *(between(n) for n in range(BATCH - 2)), LAST]
    rows = [changed(key, 0, Op.INSERT) for key in keys]
    assert set(engine.write(rows)) == {Status.OK}
    middle = rows[1:-1]

    def write(turn: int) -> None:
        # What the frames hit is changed first and last, with much in between.
        batch = [changed(FIRST, turn), *(u._replace(op=Op.MODIFY) for u in middle)]
        batch.append(changed(LAST, turn))
        apply = engine.write_together if atomic else engine.write
        assert set(apply(batch)) == {Status.OK}

    with writing(write) as count:
        seen = pour(far)
    assert [number for _, number in seen] == list(range(FRAMES))
    tags = [tag for tag, _ in seen]
    assert count[0] >= 10, "hardly anything was written meanwhile"
    assert len(set(tags)) >= 5, "the frames saw hardly any of the Writes"
    # With the first changed and the last not, a frame would see an older tag after a newer one.
    assert tags == sorted(tags)
