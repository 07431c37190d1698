"""One NPU as the rest of the controller sees it: messages in, messages out.

``post`` takes what ``messages`` says goes to an NPU; what comes from it is handed to
``deliver``. Both happen on the event loop, and nothing here waits: answers come by callback, so
setting a session up costs no task.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from finsy.proto import p4r, rpc_code

from controller.config.schema import Chassis, Configuration, NpuSite
from controller.flow import Direction, FlowKey
from controller.messages import (
    CP,
    HOST,
    NEIGHBORS,
    OBSERVER,
    Actor,
    Distribute,
    InstallWing,
    LimitSessions,
    Message,
    Outbound,
    PacketIn,
    PurgeSpu,
    ReadWing,
    RemoveWing,
    Role,
    TraceCopy,
    Transmit,
    WingIdle,
    WingInstalled,
    WingRead,
    WingRemoved,
)
from controller.npu.batcher import Batcher
from controller.npu.channel import code_name
from controller.npu.connection import Connection, NpuError
from controller.npu.entries import DELETE, INSERT, MODIFY, SessionEntries, update_of
from controller.npu.limits import LimitEntries
from controller.npu.packets import PacketCodec
from controller.npu.pipeline import Pipeline
from controller.npu.program import bucket_entry, entries, needs_copies, rates
from controller.npu.purge import BATCH, REMOVE_TRIES, SESSIONS_PER_SPU, Purge
from controller.npu.quirks import install_failure
from controller.npu.tables import MissingStage, meter_entry, table_entry
from controller.npu.turn import Turn
from controller.reasons import Drop, Punt

LOGGER = logging.getLogger(__name__)

WRITE_BATCH = 1000
EPOCHS = 255
"""Session epochs run from 1 to this."""
TRACE_SESSION = 1
CPU_PORT = 255
"""As in ``p4src/ids.p4``."""
_PACKET = bytes((p4r.StreamMessageResponse.DESCRIPTOR.fields_by_name["packet"].number << 3 | 2,))
"""What a ``StreamMessageResponse`` with a packet-in begins with."""

T = TypeVar("T")
_NEIGHBOR_PUNTS = (Punt.ARP, Punt.ND)
_MISSES = (Punt.MISS, Punt.SYN_PROXY)


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
        turn: Turn | None = None,
    ) -> None:
        """``turn`` is shared by all NPUs of an event loop."""
        turn = turn or Turn()
        self.site = site
        self.connection = Connection(site, turn)
        self._pipeline = pipeline
        self._deliver = deliver
        self._clock = clock
        self._entries = SessionEntries(pipeline, site)
        self._codec = PacketCodec(pipeline, site.number)
        self._wings: dict[FlowKey, int] = {}
        """Wings that are written, or were asked to be: session id * 2 + direction. A notice of
        idleness names a key only."""
        self._buckets = b""
        """The SPU of each bucket in hash-based distribution, once the central point says."""
        self._installed: dict[bytes, p4r.Entity] = {}
        """What the configuration put there, by what identifies it."""
        self._writer: Batcher[bytes, int] = Batcher(turn, self._write, WRITE_BATCH)
        self._reader: Batcher[FlowKey, WingState | None] = Batcher(turn, self._begin_read, BATCH)
        self._purge = Purge(
            site.number, self._entries, self._wings, self._writer, self._read_entries, deliver
        )
        self._fences = self._purge.fences
        self._reading: set[asyncio.Task[None]] = set()
        self._limits = LimitEntries(pipeline, self._writer)
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

    async def start(self, configuration: Configuration, chassis: Chassis) -> None:
        """Connect, load the program, write all that the configuration says. Raises
        ``NpuError``."""
        await self.connection.open()
        if not await self.connection.set_pipeline(self._pipeline):
            await self._empty_tables()
        # Never that of a wing which an earlier controller wrote.
        has_epoch = "epoch" in self._pipeline.actions["set_ingress_interface"].fields
        self._entries.epoch = self._entries.epoch % EPOCHS + 1 if has_epoch else 0
        self._installed = {}
        await self.apply(configuration, chassis)
        self.connection.start(self._received)

    async def apply(self, configuration: Configuration, chassis: Chassis) -> None:
        """Bring tables and meters, sessions aside, to what a configuration says; only what
        differs from the one before is written. Raises ``NpuError``."""
        number, name = self.site.number, self.connection.name
        wanted = {}
        try:
            epoch = self._entries.epoch
            for entry in entries(configuration, chassis, number, epoch, self._buckets):
                if entry.purpose or entry.table in self._pipeline.tables:
                    message = table_entry(self._pipeline, entry)
                    wanted[_identity(message)] = (p4r.Entity(table_entry=message), entry.purpose)
            for rate in rates(configuration, chassis, number):
                if rate.purpose or rate.meter in self._pipeline.meters:
                    cell = meter_entry(self._pipeline, rate)
                    key = b"%d %d" % (cell.meter_id, cell.index.index)
                    wanted[key] = (p4r.Entity(meter_entry=cell), rate.purpose)
        except MissingStage as missing:
            raise NpuError(f"{name} runs a program without it: {missing}") from None
        await self._clone_session(needs_copies(configuration))
        updates = []
        for key, (entity, purpose) in wanted.items():
            old = self._installed.get(key)
            if old != entity:
                kind = p4r.Update.INSERT if old is None else p4r.Update.MODIFY
                if entity.HasField("meter_entry") or entity.table_entry.is_default_action:
                    kind = p4r.Update.MODIFY
                updates.append((key, p4r.Update(type=kind, entity=entity), purpose))
        for key in self._installed.keys() - wanted.keys():
            updates.append((key, _undo(self._installed[key]), "what was configured before"))
        refused = ""
        for batch in _chunks(updates, WRITE_BATCH):
            codes = await self.connection.write([update for _, update, _ in batch])
            for code, (key, update, purpose) in zip(codes, batch, strict=True):
                if code == rpc_code.OK or (code == rpc_code.UNIMPLEMENTED and not purpose):
                    # (A target without meters, say, and nobody configured one.)
                    if key in wanted:
                        self._installed[key] = wanted[key][0]
                    else:
                        del self._installed[key]
                elif not refused:
                    what = purpose or update.entity.WhichOneof("entity")
                    refused = f"{name} refuses {what}: {code_name(code)}"
        if refused:
            raise NpuError(refused)

    async def _clone_session(self, purpose: str) -> None:
        """Have copies of packets sent to us. A target may refuse as long as nothing needs them."""
        entry = p4r.PacketReplicationEngineEntry()
        session = entry.clone_session_entry
        session.session_id = TRACE_SESSION
        session.replicas.add(egress_port=CPU_PORT, instance=1)
        entity = p4r.Entity(packet_replication_engine_entry=entry)
        update = p4r.Update(type=p4r.Update.INSERT, entity=entity)
        code = (await self.connection.write([update]))[0]
        if code not in (rpc_code.OK, rpc_code.ALREADY_EXISTS) and purpose:
            raise NpuError(
                f"{self.connection.name} refuses the clone session that {purpose} needs: "
                f"{code_name(code)}"
            )

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        self._purge.stop()
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
            self._entries.epoch = max(self._entries.epoch, self._epoch_of(old))
            if not old.is_default_action and not old.is_const:
                entry = p4r.TableEntry(
                    table_id=old.table_id, match=old.match, priority=old.priority
                )
                deletes.append(_update(p4r.Update.DELETE, entry))
        for batch in _chunks(deletes, WRITE_BATCH):
            await self.connection.write(batch)

    def _epoch_of(self, entry: p4r.TableEntry) -> int:
        """The epoch that an interface's entry carries; 0 of all others."""
        action = self._pipeline.actions["set_ingress_interface"]
        if entry.action.action.action_id != action.id or "epoch" not in action.fields:
            return 0
        return next(
            int.from_bytes(parameter.value, "big")
            for parameter in entry.action.action.params
            if parameter.param_id == action.fields["epoch"]
        )

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
            case PurgeSpu():
                self._purge.begin(message)
            case Distribute():
                self._distribute(message)
            case LimitSessions():
                self._limits.take(message)
            case _:
                raise TypeError(f"no message for an NPU: {message}")

    def _install(self, message: InstallWing) -> None:
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
            elif self.connection.is_lost:
                answer(Drop.NPU_LOST)
            else:
                if self._wings.get(message.wing.key) == wing:
                    del self._wings[message.wing.key]
                answer(install_failure(code))

        entry = self._entries.install(message)
        self._wings[message.wing.key] = wing
        self._writer.submit(update_of(INSERT, entry), done)

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
                and not self.connection.is_lost
            ):
                # An entry that stays behind would hold packets of a later session.
                self._writer.submit(delete, done)
                return
            self._wings.pop(message.key, None)
            reply = WingRemoved(message.session_id, message.direction, packets, size)
            self._deliver(Outbound(to, reply))

        delete = update_of(DELETE, self._entries.key(message.key))
        self._writer.submit(delete, done)

    def _distribute(self, message: Distribute) -> None:
        """Give the buckets that changed to other SPUs, if distribution is hash-based."""

        def written(code: int) -> None:
            if code != rpc_code.OK and not self.connection.is_lost:
                # Its packets may go to an SPU that is not there; the runtime passes them on.
                name = self.connection.name
                LOGGER.warning("%s refuses a bucket of SPUs: %s", name, code_name(code))

        self._buckets = message.buckets
        if "spu_bucket" not in self._pipeline.tables:
            return
        for bucket, spu in enumerate(message.buckets):
            entity = p4r.Entity(table_entry=table_entry(self._pipeline, bucket_entry(bucket, spu)))
            key = _identity(entity.table_entry)
            old = self._installed.get(key)
            if old is None:
                return  # It is not; should it be configured, these are the buckets.
            if old != entity:
                self._installed[key] = entity
                update = p4r.Update(type=p4r.Update.MODIFY, entity=entity)
                self._writer.submit(update.SerializeToString(), written)

    def _answer_read(self, message: ReadWing, state: WingState | None) -> None:
        idle, packets, size = (None, 0, 0) if state is None else state
        reply = WingRead(message.session_id, message.direction, idle, packets, size)
        self._deliver(Outbound(Actor(Role.SPU, message.spu), reply))

    def _write(self, updates: list[bytes], answer: Callable[[Sequence[int]], None]) -> None:
        def done(codes: Sequence[int] | NpuError) -> None:
            if isinstance(codes, NpuError):
                codes = [rpc_code.UNAVAILABLE] * len(updates)
            answer(codes)

        self.connection.begin_write(updates, done)

    def _begin_read(
        self, keys: list[FlowKey], answer: Callable[[Sequence[WingState | None]], None]
    ) -> None:
        async def read() -> None:
            answer(await self._read(keys))

        task = asyncio.get_running_loop().create_task(read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self, keys: Sequence[FlowKey]) -> Sequence[WingState | None]:
        found = await self._read_entries(keys)
        return [_state(found[key]) if key in found else None for key in keys]

    async def _read_entries(self, keys: Sequence[FlowKey]) -> dict[FlowKey, p4r.TableEntry]:
        """Those of these wings that there are."""
        wanted = [p4r.Entity.FromString(self._entries.query(key)) for key in keys]
        found: dict[FlowKey, p4r.TableEntry] = {}
        try:
            async for entity in self.connection.read(wanted):
                entry = entity.table_entry
                key_read = self._entries.flow_key(entry)
                if key_read is not None:
                    found[key_read] = entry
        except NpuError:
            if len(keys) > 1 and not self.connection.is_lost:
                # A target may fail the whole of a Read for one entry that is not there.
                for key in keys:
                    found |= await self._read_entries([key])
        return found

    # -- messages from the NPU ------------------------------------------------------------

    def _received(self, message: bytes) -> None:
        if message[:1] == _PACKET:
            packet = self._codec.packet_in(message, self._clock())
            if packet is None:
                self.unknown_messages += 1
            elif isinstance(packet, TraceCopy):
                self._deliver(Outbound(OBSERVER, packet))
            else:
                self._deliver(Outbound(_receiver(packet), packet))
            return
        response = p4r.StreamMessageResponse.FromString(message)
        if response.WhichOneof("update") == "idle_timeout_notification":
            for entry in response.idle_timeout_notification.table_entry:
                self._idle(entry)
        else:
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
        for batch in _chunks(keys, BATCH):
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

    def has_counter(self, alias: str) -> bool:
        """Whether the program has it."""
        return alias in self._pipeline.counters

    async def read_array(self, alias: str) -> dict[int, Count]:
        """All cells of a counter that are not zero; none if the program lacks it. Raises
        ``NpuError``."""
        if alias not in self._pipeline.counters:
            return {}
        wanted = p4r.Entity(
            counter_entry=p4r.CounterEntry(counter_id=self._pipeline.counters[alias])
        )
        found = {}
        async for entity in self.connection.read([wanted]):
            cell = entity.counter_entry
            if cell.data.packet_count:
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


def _state(entry: p4r.TableEntry) -> WingState:
    data = entry.counter_data
    return WingState(entry.time_since_last_hit.elapsed_ns, data.packet_count, data.byte_count)


def _update(kind: p4r.Update.Type.ValueType, entry: p4r.TableEntry) -> p4r.Update:
    return p4r.Update(type=kind, entity=p4r.Entity(table_entry=entry))


def _receiver(packet: PacketIn) -> Actor:
    reason = packet.reason
    if reason in _NEIGHBOR_PUNTS:
        return NEIGHBORS
    if reason is Punt.FILTER_REJECT:
        return HOST
    # Of a session: its owner. A miss names an SPU in hash-based distribution.
    if packet.spu and (packet.session_id or reason in _MISSES):
        return Actor(Role.SPU, packet.spu)
    return CP


def _identity(entry: p4r.TableEntry) -> bytes:
    """What makes two entries the same one."""
    key = p4r.TableEntry(table_id=entry.table_id, match=entry.match, priority=entry.priority)
    return key.SerializeToString(deterministic=True)


def _undo(entity: p4r.Entity) -> p4r.Update:
    """The update that takes an entry or a meter's rates back."""
    if entity.HasField("meter_entry"):
        # A meter without rates finds everything green.
        old = entity.meter_entry
        cell = p4r.MeterEntry(meter_id=old.meter_id, index=old.index)
        return p4r.Update(type=p4r.Update.MODIFY, entity=p4r.Entity(meter_entry=cell))
    entry = entity.table_entry
    if entry.is_default_action:
        default = p4r.TableEntry(table_id=entry.table_id, is_default_action=True)
        return _update(p4r.Update.MODIFY, default)
    key = p4r.TableEntry(table_id=entry.table_id, match=entry.match, priority=entry.priority)
    return _update(p4r.Update.DELETE, key)


def _chunks(items: Sequence[T], size: int) -> Iterable[list[T]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
