"""One NPU as the rest of the controller sees it: messages in, messages out.

``post`` takes what ``messages.py`` says goes to an NPU; what comes from it is handed to
``deliver``. Both happen on the event loop, and nothing here waits: answers come by callback, so
setting a session up costs no task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from finsy.proto import p4r, rpc_code

from controller.config.schema import Configuration, NpuSite
from controller.flow import Direction, FlowKey
from controller.messages import (
    CP,
    NEIGHBORS,
    Actor,
    InstallWing,
    Message,
    Outbound,
    PacketIn,
    ReadWing,
    RemoveWing,
    Role,
    Transmit,
    WingIdle,
    WingInstalled,
    WingRead,
    WingRemoved,
)
from controller.npu.batcher import Batcher
from controller.npu.connection import Connection, NpuError, code_name
from controller.npu.entries import (
    SessionEntries,
    entry_key,
    interface_entries,
)
from controller.npu.packets import PacketCodec
from controller.npu.pipeline import Pipeline
from controller.npu.quirks import install_failure
from controller.reasons import Drop, Punt

WRITE_BATCH = 1000
READ_BATCH = 250
REMOVE_TRIES = 3
SESSIONS_PER_SPU = 10_000_000
"""A session id's owner is the id divided by this (``SpuSite.number``)."""

T = TypeVar("T")
_NEIGHBOR_PUNTS = (Punt.ARP, Punt.ND)
_SPU_PUNTS = (Punt.SESSION, Punt.TCP_CONTROL, Punt.TTL_EXPIRED)


class Count(NamedTuple):
    """A counter's cell."""

    packets: int
    bytes: int


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


class Npu:
    """The client of one NPU. Create it within a running event loop."""

    def __init__(
        self,
        site: NpuSite,
        pipeline: Pipeline,
        deliver: Callable[[Outbound], None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.site = site
        self.connection = Connection(site)
        self._pipeline = pipeline
        self._deliver = deliver
        self._clock = clock
        self._entries = SessionEntries(pipeline, site)
        self._codec = PacketCodec(pipeline, site.number)
        self._wings: dict[FlowKey, int] = {}
        """Installed wings: session id * 2 + direction. A notice of idleness names a key only."""
        self._writer: Batcher[p4r.Update, int] = Batcher(self._write, WRITE_BATCH)
        self._reader: Batcher[FlowKey, WingState | None] = Batcher(self._read, READ_BATCH)
        self.unknown_messages = 0
        """Messages of the stream that mean nothing to us."""

    @property
    def wings(self) -> int:
        """How many wings are installed."""
        return len(self._wings)

    @property
    def write_batches(self) -> tuple[int, int]:
        """Write RPCs so far, and the updates in them."""
        return self._writer.batches, self._writer.items

    # -- life -----------------------------------------------------------------------------

    async def start(self, configuration: Configuration) -> None:
        """Connect, load the program, write the interface tables. Raises ``NpuError``."""
        await self.connection.open()
        if not await self.connection.set_pipeline(self._pipeline):
            await self._empty_tables()
        inserts = [
            _update(p4r.Update.INSERT, entry)
            for entry in interface_entries(configuration, self.site.number, self._pipeline)
        ]
        for code in await self.connection.write(inserts) if inserts else ():
            if code != rpc_code.OK:
                name = self.connection.name
                raise NpuError(f"{name} refuses its interfaces: {code_name(code)}")
        self.connection.start(self._received)

    async def reconfigure(self, old: Configuration, new: Configuration) -> None:
        """Bring the interface tables from one configuration to another. Raises ``NpuError``."""
        before, after = (
            {entry_key(e): e for e in interface_entries(c, self.site.number, self._pipeline)}
            for c in (old, new)
        )
        updates = [
            _update(p4r.Update.MODIFY if key in before else p4r.Update.INSERT, entry)
            for key, entry in after.items()
            if before.get(key) != entry
        ]
        updates += [
            _update(p4r.Update.DELETE, p4r.TableEntry(table_id=entry.table_id, match=entry.match))
            for key, entry in before.items()
            if key not in after
        ]
        for code in await self.connection.write(updates) if updates else ():
            if code != rpc_code.OK:
                name = self.connection.name
                raise NpuError(f"{name} refuses its new interfaces: {code_name(code)}")

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        if not self.connection.is_lost:
            await self._reader.drained()
            await self._writer.drained()
        await self.connection.close()

    async def _empty_tables(self) -> None:
        """Delete what an earlier controller left in an NPU that already runs the program."""
        tables = [table.id for table in self._pipeline.tables.values()]
        wanted = [p4r.Entity(table_entry=p4r.TableEntry(table_id=id_)) for id_ in tables]
        deletes = []
        async for entity in self.connection.read(wanted):
            old = entity.table_entry
            if not old.is_default_action and not old.is_const:
                entry = p4r.TableEntry(table_id=old.table_id, match=old.match)
                deletes.append(_update(p4r.Update.DELETE, entry))
        for batch in _chunks(deletes, WRITE_BATCH):
            await self.connection.write(batch)

    # -- messages to the NPU --------------------------------------------------------------

    def post(self, message: Message) -> None:
        """Do what a message to this NPU asks."""
        match message:
            case Transmit():
                self.connection.transmit(self._codec.packet_out(message))
            case InstallWing():
                self._install(message)
            case RemoveWing():
                self._reader.submit(message.key, lambda state: self._remove(message, state))
            case ReadWing():
                self._reader.submit(message.key, lambda state: self._answer_read(message, state))
            case _:
                raise TypeError(f"no message for an NPU: {message}")

    def _install(self, message: InstallWing) -> None:
        to = Actor(Role.SPU, message.spu)

        def answer(error: Drop | None) -> None:
            reply = WingInstalled(message.session_id, message.direction, error)
            self._deliver(Outbound(to, reply))

        def done(code: int) -> None:
            if code == rpc_code.ALREADY_EXISTS:
                # Left over from a session that this NPU and its SPU no longer agree on; the
                # new one owns the key.
                self._writer.submit(_update(p4r.Update.MODIFY, entry), done)
            elif code == rpc_code.OK:
                self._wings[message.wing.key] = message.session_id * 2 + message.direction
                answer(None)
            else:
                answer(Drop.NPU_LOST if self.connection.is_lost else install_failure(code))

        entry = self._entries.install(message)
        self._writer.submit(_update(p4r.Update.INSERT, entry), done)

    def _remove(self, message: RemoveWing, state: WingState | None) -> None:
        packets, size = (0, 0) if state is None else (state.packets, state.bytes)

        tries = 0

        def done(code: int) -> None:
            nonlocal tries
            tries += 1
            if (
                code not in (rpc_code.OK, rpc_code.NOT_FOUND)
                and tries < REMOVE_TRIES
                and not self.connection.is_lost
            ):
                # An entry that stays behind would hold packets of a later session.
                self._writer.submit(delete, done)
                return
            self._wings.pop(message.key, None)
            reply = WingRemoved(message.session_id, message.direction, packets, size)
            self._deliver(Outbound(Actor(Role.SPU, message.spu), reply))

        delete = _update(p4r.Update.DELETE, self._entries.key(message.key))
        self._writer.submit(delete, done)

    def _answer_read(self, message: ReadWing, state: WingState | None) -> None:
        idle, packets, size = (None, 0, 0) if state is None else state
        reply = WingRead(message.session_id, message.direction, idle, packets, size)
        self._deliver(Outbound(Actor(Role.SPU, message.spu), reply))

    async def _write(self, updates: list[p4r.Update]) -> Sequence[int]:
        try:
            return await self.connection.write(updates)
        except NpuError:
            return [rpc_code.UNAVAILABLE] * len(updates)

    async def _read(self, keys: list[FlowKey]) -> Sequence[WingState | None]:
        wanted = []
        for key in keys:
            entry = self._entries.key(key)
            # An empty message in these fields asks for their values.
            entry.counter_data.SetInParent()
            entry.time_since_last_hit.SetInParent()
            wanted.append(p4r.Entity(table_entry=entry))
        found: dict[FlowKey, WingState] = {}
        try:
            async for entity in self.connection.read(wanted):
                entry = entity.table_entry
                key_read = self._entries.flow_key(entry)
                if key_read is not None:
                    data = entry.counter_data
                    idle = entry.time_since_last_hit.elapsed_ns
                    found[key_read] = WingState(idle, data.packet_count, data.byte_count)
        except NpuError:
            if len(keys) > 1 and not self.connection.is_lost:
                # A target may fail the whole of a Read for one entry that is not there.
                return [(await self._read([key]))[0] for key in keys]
        return [found.get(key) for key in keys]

    # -- messages from the NPU ------------------------------------------------------------

    def _received(self, response: p4r.StreamMessageResponse) -> None:
        match response.WhichOneof("update"):
            case "packet":
                message = self._codec.packet_in(response.packet, self._clock())
                if message is None:
                    self.unknown_messages += 1
                else:
                    self._deliver(Outbound(_receiver(message), message))
            case "idle_timeout_notification":
                for entry in response.idle_timeout_notification.table_entry:
                    self._idle(entry)
            case "arbitration":
                pass  # Another controller came or went; we are still primary.
            case _:
                self.unknown_messages += 1

    def _idle(self, entry: p4r.TableEntry) -> None:
        key = self._entries.flow_key(entry)
        known = self._wings.get(key) if key is not None else None
        if known is None:
            return  # Removed while the notice was on its way.
        session_id, direction = known >> 1, Direction(known & 1)
        spu = session_id // SESSIONS_PER_SPU
        self._deliver(Outbound(Actor(Role.SPU, spu), WingIdle(session_id, direction)))

    # -- for operators --------------------------------------------------------------------

    async def read_wings(self, keys: Sequence[FlowKey]) -> dict[FlowKey, WingState]:
        """The live counters of wings; those that have no entry are left out."""
        found: dict[FlowKey, WingState] = {}
        for batch in _chunks(keys, READ_BATCH):
            states = await self._read(batch)
            found.update({k: s for k, s in zip(batch, states, strict=True) if s is not None})
        return found

    async def wing_counts(self) -> WingCounts:
        """What the session tables hold, counted in the NPU itself. Raises ``NpuError``."""
        wanted = [
            p4r.Entity(table_entry=p4r.TableEntry(table_id=id_)) for id_ in self._entries.table_ids
        ]
        to_spu = self._pipeline.actions["to_spu"].id
        normal = express = 0
        async for entity in self.connection.read(wanted):
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
            if table.preamble.id in self._entries.table_ids
        )
        return WingCounts(express, normal, capacity)

    async def read_counter(self, alias: str, cells: Iterable[int]) -> dict[int, Count]:
        """Cells of a counter by its P4Info alias. Raises ``NpuError``."""
        counter = self._pipeline.counters[alias]
        wanted = [
            p4r.Entity(counter_entry=p4r.CounterEntry(counter_id=counter, index=p4r.Index(index=i)))
            for i in cells
        ]
        found = {}
        async for entity in self.connection.read(wanted):
            cell = entity.counter_entry
            found[cell.index.index] = Count(cell.data.packet_count, cell.data.byte_count)
        return found

    async def clear_counter(self, alias: str, cells: Iterable[int]) -> None:
        """Set cells of a counter to zero. Raises ``NpuError``."""
        counter = self._pipeline.counters[alias]
        updates = []
        for index in cells:
            entry = p4r.CounterEntry(counter_id=counter, index=p4r.Index(index=index))
            entry.data.SetInParent()
            entity = p4r.Entity(counter_entry=entry)
            updates.append(p4r.Update(type=p4r.Update.MODIFY, entity=entity))
        for code in await self.connection.write(updates):
            if code != rpc_code.OK:
                name = self.connection.name
                raise NpuError(f"{name} refuses to clear {alias}: {code_name(code)}")


def _update(kind: p4r.Update.Type.ValueType, entry: p4r.TableEntry) -> p4r.Update:
    return p4r.Update(type=kind, entity=p4r.Entity(table_entry=entry))


def _receiver(packet: PacketIn) -> Actor:
    if packet.reason in _SPU_PUNTS:
        return Actor(Role.SPU, packet.spu)
    return NEIGHBORS if packet.reason in _NEIGHBOR_PUNTS else CP


def _chunks(items: Sequence[T], size: int) -> Iterable[list[T]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
