"""The wings of one NPU: entries of its session tables, written, read and removed.

Nothing here waits: answers come by callback, so setting a session up costs no task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple

from finsy.proto import p4r, rpc_code
from google.protobuf.message import DecodeError

from controller.flow import FlowKey
from controller.messages import (
    SPUS,
    InstallWing,
    Outbound,
    PurgeSpu,
    ReadWing,
    RemoveWing,
    WingInstalled,
    WingRead,
    WingRemoved,
    WingsIdle,
)
from controller.npu.batcher import Batcher, chunks
from controller.npu.connection import Connection, NpuError
from controller.npu.entries import DELETE, INSERT, MODIFY, SessionEntries, query_of, update_of
from controller.npu.pipeline import Pipeline
from controller.npu.purge import REMOVE_TRIES, SESSIONS_PER_SPU, Purge
from controller.npu.quirks import install_failure
from controller.npu.readings import States, WingState, states
from controller.npu.turn import Turn
from controller.reasons import Drop
from controller.record import session_of

READ_BATCH = 1000
"""Wings asked for in one Read: as many as leave in one Write, or sessions could not end as fast as
others begin."""
_GONE = (rpc_code.OK, rpc_code.NOT_FOUND)


class WingCounts(NamedTuple):
    """Entries of an NPU's session tables."""

    express: int
    normal: int
    capacity: int
    """Both tables together."""


class _Removal(NamedTuple):
    """A wing that is read and now to be deleted."""

    message: RemoveWing
    state: WingState | None
    update: bytes
    tries: int


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
        self._reader: Batcher[bytes, WingState | None] = Batcher(turn, self._begin_read, READ_BATCH)
        self._purge = Purge(
            connection.site.number, self.entries, self._wings, writer, self._entries_of, deliver
        )
        self._fences = self._purge.fences

    def __len__(self) -> int:
        """How many are installed."""
        return len(self._wings)

    def stop(self) -> None:
        """Leave purges as they are."""
        self._purge.stop()

    async def drained(self) -> None:
        """Wait until everything that was asked for is read."""
        await self._reader.drained()

    # -- asked for ------------------------------------------------------------------------

    def install(self, message: InstallWing) -> None:
        """Write a wing, and answer when it is in effect."""
        if self._fences and self._fences.is_dead(message.session_id):
            self._answer_install(message, Drop.SPU_FAILED)
            return
        self._wings[message.wing.key] = message.session_id << 1 | message.direction
        self._writer.submit(
            update_of(INSERT, self.entries.install(message)), self._installed, message
        )

    def _installed(self, message: InstallWing, code: int) -> None:
        if self._fences and self._fences.is_dead(message.session_id):
            error: Drop | None = Drop.SPU_FAILED  # The purge is behind it, or was not needed.
        elif code == rpc_code.OK:
            error = None
        elif code == rpc_code.ALREADY_EXISTS:
            # Left over from a session that this NPU and its SPU no longer agree on; the new one
            # owns the key.
            update = update_of(MODIFY, self.entries.install(message))
            self._writer.submit(update, self._installed, message)
            return
        elif self._connection.is_lost:
            error = Drop.NPU_LOST
        else:
            key = message.wing.key
            if self._wings.get(key) == message.session_id << 1 | message.direction:
                del self._wings[key]
            error = install_failure(code)
        self._answer_install(message, error)

    def _answer_install(self, message: InstallWing, error: Drop | None) -> None:
        if message.is_renewal:
            return
        reply = WingInstalled(message.session_id, message.direction, error)
        self._deliver((SPUS[message.spu], reply))

    def remove(self, message: RemoveWing) -> None:
        """Read a wing's counters, unless they are known; remove it, and answer with them."""
        entry = self.entries.key(message.key)
        if message.is_counted:
            self._remove((message, entry), None)
        else:
            self._reader.submit(entry, self._remove, (message, entry))

    def _remove(self, about: tuple[RemoveWing, bytes], state: WingState | None) -> None:
        message, entry = about
        if self._fences and self._fences.is_dead(message.session_id):
            # Its wings went with its SPU; what is there now is another session's.
            self._answer_remove(message, None)
            return
        removal = _Removal(message, state, update_of(DELETE, entry), 1)
        self._writer.submit(removal.update, self._removed, removal)

    def _removed(self, removal: _Removal, code: int) -> None:
        message, state, update, tries = removal
        if code not in _GONE and tries < REMOVE_TRIES and not self._connection.is_lost:
            # An entry that stays behind would hold packets of a later session.
            again = _Removal(message, state, update, tries + 1)
            self._writer.submit(update, self._removed, again)
            return
        self._wings.pop(message.key, None)
        self._answer_remove(message, state)

    def _answer_remove(self, message: RemoveWing, state: WingState | None) -> None:
        packets, size = (0, 0) if state is None else (state.packets, state.bytes)
        reply = WingRemoved(message.session_id, message.direction, packets, size)
        self._deliver((SPUS[message.spu], reply))

    def read(self, message: ReadWing) -> None:
        """Answer with a wing's counters and idle time."""
        self._reader.submit(self.entries.key(message.key), self._answer_read, message)

    def _answer_read(self, message: ReadWing, state: WingState | None) -> None:
        idle, packets, size = (None, 0, 0) if state is None else state
        reply = WingRead(message.session_id, message.direction, idle, packets, size)
        self._deliver((SPUS[message.spu], reply))

    def _begin_read(self, keys: list[bytes], answer: Callable[[States], None]) -> None:
        """One Read RPC. Wings of which nothing can be learnt have no state."""

        def done(answers: Sequence[bytes]) -> None:
            found: States = [None] * len(keys)
            with suppress(DecodeError):
                found = states(self.entries, keys, answers)
            answer(found)

        self._ask(keys, done)

    def _ask(self, keys: Sequence[bytes], done: Callable[[Sequence[bytes]], None]) -> None:
        """``done`` gets what the NPU says of entries, as serialized ``ReadResponse`` messages."""

        def answered(answers: Sequence[bytes] | NpuError) -> None:
            if not isinstance(answers, NpuError):
                done(answers)
            elif len(keys) == 1 or self._connection.is_lost:
                done(())
            else:
                # A target may fail the whole of a Read for one entry that is not there.
                self._ask_each(keys, 0, [], done)

        self._connection.begin_read([query_of(key) for key in keys], answered)

    def _ask_each(
        self,
        keys: Sequence[bytes],
        number: int,
        answers: list[bytes],
        done: Callable[[Sequence[bytes]], None],
    ) -> None:
        """For each entry from this number on a Read RPC of its own, one after the other."""

        def answered(more: Sequence[bytes]) -> None:
            answers.extend(more)
            if number + 1 == len(keys) or self._connection.is_lost:
                done(answers)
            else:
                self._ask_each(keys, number + 1, answers, done)

        self._ask(keys[number : number + 1], answered)

    def purge(self, message: PurgeSpu) -> None:
        """Remove all wings of an SPU that failed, and answer when the last one is gone."""
        self._purge.begin(message)

    def idle(self, entries: Iterable[p4r.TableEntry]) -> None:
        """An NPU's notice that entries saw no packet for their time-outs."""
        found: dict[int, list[int]] = {}
        for entry in entries:
            # (Where targets leave the record out, the key says which session it is.)
            session_id = session_of(entry.metadata) or self._session(entry)
            if session_id:
                found.setdefault(session_id // SESSIONS_PER_SPU, []).append(session_id)
        for spu, sessions in found.items():
            self._deliver((SPUS[spu], WingsIdle(tuple(sessions))))

    def _session(self, entry: p4r.TableEntry) -> int:
        key = self.entries.flow_key(entry)
        known = self._wings.get(key) if key is not None else None
        return 0 if known is None else known >> 1  # Removed while the notice was on its way.

    # -- for operators --------------------------------------------------------------------

    async def states(self, keys: Sequence[FlowKey]) -> dict[FlowKey, WingState]:
        """The live counters of wings; those that have no entry are left out."""
        found: dict[FlowKey, WingState] = {}
        for batch in chunks(keys, READ_BATCH):
            future: asyncio.Future[States] = asyncio.get_running_loop().create_future()
            self._begin_read([self.entries.key(key) for key in batch], future.set_result)
            answers = zip(batch, await future, strict=True)
            found.update({key: state for key, state in answers if state is not None})
        return found

    async def _entries_of(self, keys: Sequence[FlowKey]) -> dict[FlowKey, p4r.TableEntry]:
        """Those of these wings that there are."""
        future: asyncio.Future[Sequence[bytes]] = asyncio.get_running_loop().create_future()
        self._ask([self.entries.key(key) for key in keys], future.set_result)
        found = {}
        with suppress(DecodeError):
            for answer in await future:
                for entity in p4r.ReadResponse.FromString(answer).entities:
                    key = self.entries.flow_key(entity.table_entry)
                    if key is not None:
                        found[key] = entity.table_entry
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
