"""Frames for the controller, collected by an event loop when the bell rings."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator, Sequence

import pytest
from native_programs import table_program

from p4embed.switch.dataplane import Collected, Options
from p4embed.switch.engine import Digested, Entry, EntryKey, IdleEntry, Op, Update
from p4embed.switch.native import NativeDataplane
from p4embed.switch.program import MatchKind

CPU = 255
KEY = b"\x12\x34"
TAG = b"\x02\x00"
LONGEST_WAIT = 5.0
"""Seconds that nothing takes unless it never comes."""


class Heard:
    """A listener that keeps what it is told, and by which thread."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.threads: set[int] = set()

    def packets_in(self, frames: Sequence[bytes]) -> None:
        self.batches.append(list(frames))
        self.threads.add(threading.get_ident())

    def idle(self, entries: Sequence[IdleEntry]) -> None:
        raise AssertionError(entries)

    def digests(self, digests: Sequence[Digested]) -> None:
        raise AssertionError(digests)


@pytest.fixture
def dataplane() -> Iterator[NativeDataplane]:
    """Without ports: what is injected comes back."""
    opened = NativeDataplane(Options(cpu_port=CPU))
    engine = opened.prepare(table_program(MatchKind.EXACT, [16]))
    params = CPU.to_bytes(2, "big") + TAG
    engine.write([Update(Op.INSERT, 0, Entry(EntryKey(KEY), 1, params))])
    opened.use(engine)
    yield opened
    opened.stop()


def rings(bell: int, wait: float = 0.0) -> bool:
    return bool(select.select([bell], [], [], wait)[0])


def test_the_bell_rings_until_all_is_collected(dataplane: NativeDataplane) -> None:
    assert isinstance(dataplane, Collected)
    heard, bell = Heard(), dataplane.bell()
    dataplane.start({}, heard)
    assert not rings(bell)
    dataplane.collect()
    assert heard.batches == []
    for turn in range(3):
        frames = [KEY + bytes([turn]) * 60 for _ in range(10)]
        dataplane.packet_out(frames)
        assert rings(bell)
        dataplane.collect()
        assert heard.batches[-1] == [TAG + frame for frame in frames]
        assert not rings(bell)
    assert heard.threads == {threading.get_ident()}


def test_a_flood_is_collected_bit_by_bit(dataplane: NativeDataplane) -> None:
    """So whoever collects gets to other work in between."""
    heard, bell = Heard(), dataplane.bell()
    dataplane.start({}, heard)
    frames = [KEY + number.to_bytes(2, "big") * 500 for number in range(1000)]
    dataplane.packet_out(frames)
    while rings(bell):
        dataplane.collect()
    assert len(heard.batches) > 5
    assert max(map(len, heard.batches)) < 200
    assert [frame for batch in heard.batches for frame in batch] == [TAG + f for f in frames]


def test_what_was_collected_without_the_bell_rings_no_more(dataplane: NativeDataplane) -> None:
    heard, bell = Heard(), dataplane.bell()
    dataplane.start({}, heard)
    dataplane.packet_out([KEY])
    dataplane.collect()
    assert not rings(bell)
    dataplane.packet_out([KEY])
    assert rings(bell)


def test_after_the_end_there_is_nothing_to_collect(dataplane: NativeDataplane) -> None:
    heard = Heard()
    dataplane.bell()
    dataplane.start({}, heard)
    dataplane.packet_out([KEY])
    dataplane.stop()
    dataplane.collect()
    assert heard.batches == []


def test_without_an_event_loop_a_thread_tells(dataplane: NativeDataplane) -> None:
    told = threading.Event()

    class Telling(Heard):
        def packets_in(self, frames: Sequence[bytes]) -> None:
            super().packets_in(frames)
            told.set()

    heard = Telling()
    dataplane.start({}, heard)
    dataplane.packet_out([KEY])
    assert told.wait(LONGEST_WAIT)
    assert heard.batches == [[TAG + KEY]]
    assert heard.threads != {threading.get_ident()}
