"""Sessions of an SPU that failed: what an NPU may not write any more, and how it gets rid of them.

Session ids of an SPU are given in an order that goes around, and a successor's begin behind those
of the SPU that failed. So "up to this id" tells the dead from the living, however late a message
of the dead one comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence

from finsy.proto import p4r, rpc_code

from controller.flow import Direction, FlowKey
from controller.messages import CP, Outbound, PurgedWing, PurgeSpu, SpuPurged, WingsPurged
from controller.npu.batcher import Batcher
from controller.npu.entries import DELETE, SessionEntries, update_of

REMOVE_TRIES = 3
"""An entry that stays behind would hold packets of a later session."""
_GONE = (rpc_code.OK, rpc_code.NOT_FOUND, rpc_code.UNAVAILABLE)
"""What a delete may be answered with for its entry to be gone, or its NPU."""
READ_BATCH = 250
"""Entries in one Read."""
SESSIONS_PER_SPU = 10_000_000
"""A session id's owner is the id divided by this (``SpuSite.number``)."""


class Fences:
    """The last dead session id of each SPU that ever failed."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._last)

    def put(self, spu: int, last_session_id: int) -> None:
        """Sessions of this SPU up to this id are over; 0: it had none."""
        if last_session_id:
            self._last[spu] = last_session_id

    def is_dead(self, session_id: int) -> bool:
        """Whether a session went with its SPU."""
        last = self._last.get(session_id // SESSIONS_PER_SPU)
        # At most half a round of ids is alive at a time.
        return last is not None and (last - session_id) % SESSIONS_PER_SPU < SESSIONS_PER_SPU // 2


class Purge:
    """Removes the wings of an SPU that failed from one NPU, having read what they counted."""

    def __init__(
        self,
        npu: int,
        entries: SessionEntries,
        wings: dict[FlowKey, int],
        writer: Batcher[bytes, int],
        read: Callable[[Sequence[FlowKey]], Awaitable[Mapping[FlowKey, p4r.TableEntry]]],
        deliver: Callable[[Outbound], None],
    ) -> None:
        """``wings`` is what the NPU's client knows of them: session id * 2 + direction by key;
        ``read`` gives the entries that there are."""
        self.fences = Fences()
        self._npu = npu
        self._entries = entries
        self._wings = wings
        self._writer = writer
        self._read = read
        self._deliver = deliver
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, message: PurgeSpu) -> None:
        """From now on no wing of its sessions is written; those that are there go, and the central
        point hears when the last one has."""
        spu = message.spu
        self.fences.put(spu, message.last_session_id)
        dead = [
            (key, wing)
            for key, wing in self._wings.items()
            if wing // 2 // SESSIONS_PER_SPU == spu and self.fences.is_dead(wing >> 1)
        ]
        task = asyncio.get_running_loop().create_task(self._purge(spu, dead))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Leave the rest as it is."""
        for task in self._tasks:
            task.cancel()

    async def _purge(self, spu: int, dead: Sequence[tuple[FlowKey, int]]) -> None:
        """A Read's worth at a time, so that other packets and wings get their turn."""
        for start in range(0, len(dead), READ_BATCH):
            # A session of another SPU may have come to own a key.
            batch = [
                (key, wing)
                for key, wing in dead[start : start + READ_BATCH]
                if self._wings.get(key) == wing
            ]
            found = await self._read([key for key, _ in batch])
            told = tuple(_told(wing, found[key]) for key, wing in batch if key in found)
            self._deliver((CP, WingsPurged(self._npu, spu, told)))
            await self._remove(batch)
        self._deliver((CP, SpuPurged(self._npu, spu, len(dead))))

    async def _remove(self, batch: Sequence[tuple[FlowKey, int]]) -> None:
        left = [key for key, wing in batch if self._wings.get(key) == wing]
        for key in left:
            del self._wings[key]
        for _ in range(REMOVE_TRIES):
            if not left:
                return
            deletes = [update_of(DELETE, self._entries.key(key)) for key in left]
            answers = await _Answers(self._writer, deletes)
            left = [key for key, code in zip(left, answers, strict=True) if code not in _GONE]


class _Answers:
    """Deletes under way; to be awaited for their answers, in order."""

    def __init__(self, writer: Batcher[bytes, int], deletes: Sequence[bytes]) -> None:
        self._codes = [0] * len(deletes)
        self._left = len(deletes)
        self._all: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()
        for at, delete in enumerate(deletes):
            writer.submit(delete, self._answer, at)

    def __await__(self) -> Generator[None, None, Sequence[int]]:
        return self._all.__await__()

    def _answer(self, at: int, code: int) -> None:
        self._codes[at] = code
        self._left -= 1
        if not self._left and not self._all.done():  # Else nobody waits any more.
            self._all.set_result(self._codes)


def _told(wing: int, entry: p4r.TableEntry) -> PurgedWing:
    counted = entry.counter_data
    return PurgedWing(
        wing >> 1, Direction(wing & 1), entry.metadata, counted.packet_count, counted.byte_count
    )
