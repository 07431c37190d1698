"""The wings of one NPU: entries of its session tables, written, read and removed.

Nothing here waits: answers come by callback, so setting a session up costs no task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from finsy.proto import p4r, rpc_code

from controller.flow import Direction, FlowKey
from controller.messages import (
    CP,
    Actor,
    InstallWing,
    Outbound,
    PurgeSpu,
    ReadWing,
    RemoveWing,
    Role,
    SpuPurged,
    WingIdle,
    WingInstalled,
    WingRead,
    WingRemoved,
)
from controller.npu.batcher import Batcher, chunks
from controller.npu.connection import WRITE_BATCH, Connection, NpuError
from controller.npu.entries import DELETE, INSERT, MODIFY, SessionEntries, update_of
from controller.npu.pipeline import Pipeline
from controller.npu.purge import SESSIONS_PER_SPU, Fences
from controller.npu.quirks import install_failure
from controller.npu.turn import Turn
from controller.reasons import Drop

READ_BATCH = 250
REMOVE_TRIES = 3


class WingCounts(NamedTuple):
    """Entries of an NPU's session tables."""

    express: int
    normal: int
    capacity: int
    """Both tables together."""


class WingState(NamedTuple):
    """What an entry of a session table counts."""

    idle: int
    """Nanoseconds since its last hit."""
    packets: int
    bytes: int


class Wings:
    """Writes, reads and removes wings; ``deliver`` gets the answers."""

    def __init__(
        self,
        pipeline: Pipeline,
        connection: Connection,
        writer: Batcher[bytes, int],
        deliver: Callable[[Outbound], None],
        turn: Turn,
    ) -> None:
        self.entries = SessionEntries(pipeline, connection.site)
        self._pipeline = pipeline
        self._connection = connection
        self._writer = writer
        self._deliver = deliver
        self._wings: dict[FlowKey, int] = {}
        """Wings that are written, or were asked to be: session id * 2 + direction. A notice of
        idleness names a key only."""
        self._fences = Fences()
        self._reader: Batcher[FlowKey, WingState | None] = Batcher(
            turn, self._begin_read, READ_BATCH
        )
        self._reading: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are installed."""
        return len(self._wings)

    async def drained(self) -> None:
        """Wait until everything that was asked for is read."""
        await self._reader.drained()

    # -- asked for ------------------------------------------------------------------------

    def install(self, message: InstallWing) -> None:
        """Write a wing, and answer when it is in effect."""
        to = Actor(Role.SPU, message.spu)
        wing = message.session_id * 2 + message.direction
        if self._fences and self._fences.is_dead(message.session_id):
            self._deliver(
                Outbound(to, WingInstalled(message.session_id, message.direction, Drop.SPU_FAILED))
            )
            return

        def answer(error: Drop | None) -> None:
            reply = WingInstalled(message.session_id, message.direction, error)
            self._deliver(Outbound(to, reply))

        def done(code: int) -> None:
            if self._fences and self._fences.is_dead(message.session_id):
                answer(Drop.SPU_FAILED)  # The purge is behind this entry, or was not needed.
            elif code == rpc_code.ALREADY_EXISTS:
                # Left over from a session that this NPU and its SPU no longer agree on; the
                # new one owns the key.
                self._writer.submit(update_of(MODIFY, entry), done)
            elif code == rpc_code.OK:
                answer(None)
            elif self._connection.is_lost:
                answer(Drop.NPU_LOST)
            else:
                if self._wings.get(message.wing.key) == wing:
                    del self._wings[message.wing.key]
                answer(install_failure(code))

        entry = self.entries.install(message)
        self._wings[message.wing.key] = wing
        self._writer.submit(update_of(INSERT, entry), done)

    def remove(self, message: RemoveWing) -> None:
        """Read a wing's counters, remove it, and answer with them."""
        self._reader.submit(message.key, lambda state: self._remove(message, state))

    def read(self, message: ReadWing) -> None:
        """Answer with a wing's counters and idle time."""
        self._reader.submit(message.key, lambda state: self._answer_read(message, state))

    def _remove(self, message: RemoveWing, state: WingState | None) -> None:
        packets, size = (0, 0) if state is None else (state.packets, state.bytes)
        to = Actor(Role.SPU, message.spu)
        if self._fences and self._fences.is_dead(message.session_id):
            # Its wings went with its SPU; what is there now is another session's.
            self._deliver(Outbound(to, WingRemoved(message.session_id, message.direction, 0, 0)))
            return
        tries = 0

        def done(code: int) -> None:
            nonlocal tries
            tries += 1
            if (
                code not in (rpc_code.OK, rpc_code.NOT_FOUND)
                and tries < REMOVE_TRIES
                and not self._connection.is_lost
            ):
                # An entry that stays behind would hold packets of a later session.
                self._writer.submit(delete, done)
                return
            self._wings.pop(message.key, None)
            reply = WingRemoved(message.session_id, message.direction, packets, size)
            self._deliver(Outbound(to, reply))

        delete = update_of(DELETE, self.entries.key(message.key))
        self._writer.submit(delete, done)

    def purge(self, message: PurgeSpu) -> None:
        """Remove all wings of an SPU that failed, and answer when the last one is gone."""
        spu = message.spu
        self._fences.put(spu, message.last_session_id)
        keys = [
            key
            for key, wing in self._wings.items()
            if wing // 2 // SESSIONS_PER_SPU == spu and self._fences.is_dead(wing >> 1)
        ]
        waiting = iter(keys)
        left = 0

        def remove(key: FlowKey, tries: int) -> None:
            delete = update_of(DELETE, self.entries.key(key))
            self._writer.submit(delete, lambda code: done(key, tries, code))

        def done(key: FlowKey, tries: int, code: int) -> None:
            nonlocal left
            gone = code in (rpc_code.OK, rpc_code.NOT_FOUND)
            if not gone and tries < REMOVE_TRIES and not self._connection.is_lost:
                remove(key, tries + 1)
                return
            left -= 1
            if not left:
                more()

        def more() -> None:
            """A Write's worth at a time, so that other packets and wings get their turn."""
            nonlocal left
            batch = list(islice(waiting, WRITE_BATCH))
            left = len(batch)
            for key in batch:
                self._wings.pop(key, None)
                remove(key, 1)
            if not batch:
                purged = SpuPurged(self._connection.site.number, spu, len(keys))
                self._deliver(Outbound(CP, purged))

        more()

    def _answer_read(self, message: ReadWing, state: WingState | None) -> None:
        idle, packets, size = (None, 0, 0) if state is None else state
        reply = WingRead(message.session_id, message.direction, idle, packets, size)
        self._deliver(Outbound(Actor(Role.SPU, message.spu), reply))

    def _begin_read(
        self, keys: list[FlowKey], answer: Callable[[Sequence[WingState | None]], None]
    ) -> None:
        async def read() -> None:
            answer(await self._read(keys))

        task = asyncio.get_running_loop().create_task(read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self, keys: list[FlowKey]) -> Sequence[WingState | None]:
        wanted = [p4r.Entity.FromString(self.entries.query(key)) for key in keys]
        found: dict[FlowKey, WingState] = {}
        try:
            async for entity in self._connection.read(wanted):
                entry = entity.table_entry
                key_read = self.entries.flow_key(entry)
                if key_read is not None:
                    data = entry.counter_data
                    idle = entry.time_since_last_hit.elapsed_ns
                    found[key_read] = WingState(idle, data.packet_count, data.byte_count)
        except NpuError:
            if len(keys) > 1 and not self._connection.is_lost:
                # A target may fail the whole of a Read for one entry that is not there.
                return [(await self._read([key]))[0] for key in keys]
        return [found.get(key) for key in keys]

    def idle(self, entry: p4r.TableEntry) -> None:
        """An NPU's notice that an entry saw no packet for its time-out."""
        key = self.entries.flow_key(entry)
        known = self._wings.get(key) if key is not None else None
        if known is None:
            return  # Removed while the notice was on its way.
        session_id, direction = known >> 1, Direction(known & 1)
        spu = session_id // SESSIONS_PER_SPU
        self._deliver(Outbound(Actor(Role.SPU, spu), WingIdle(session_id, direction)))

    # -- for operators --------------------------------------------------------------------

    async def states(self, keys: Sequence[FlowKey]) -> dict[FlowKey, WingState]:
        """The live counters of wings; those that have no entry are left out."""
        found: dict[FlowKey, WingState] = {}
        for batch in chunks(keys, READ_BATCH):
            states = await self._read(batch)
            found.update({k: s for k, s in zip(batch, states, strict=True) if s is not None})
        return found

    async def counts(self) -> WingCounts:
        """What the session tables hold, counted in the NPU itself. Raises ``NpuError``."""
        wanted = [
            p4r.Entity(table_entry=p4r.TableEntry(table_id=id_)) for id_ in self.entries.table_ids
        ]
        to_spu = self._pipeline.actions["to_spu"].id
        normal = express = 0
        async for entity in self._connection.read(wanted):
            entry = entity.table_entry
            if entry.is_default_action:
                continue
            if entry.action.action.action_id == to_spu:
                normal += 1
            else:
                express += 1
        capacity = sum(
            table.size
            for table in self._pipeline.p4info.tables
            if table.preamble.id in self.entries.table_ids
        )
        return WingCounts(express, normal, capacity)
