"""What the configuration puts into an NPU: entries, meters, the clone session; not sessions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

from finsy.proto import p4r, rpc_code

from controller.config.cards import Chassis
from controller.config.schema import Configuration
from controller.messages import Distribute
from controller.npu.batcher import Batcher, chunks
from controller.npu.channel import code_name
from controller.npu.connection import WRITE_BATCH, Connection, NpuError
from controller.npu.pipeline import Pipeline
from controller.npu.program import bucket_entry, entries, needs_copies, rates
from controller.npu.tables import MissingStage, meter_entry, table_entry

LOGGER = logging.getLogger(__name__)

EPOCHS = 255
"""Session epochs run from 1 to this."""
TRACE_SESSION = 1
CPU_PORT = 255
"""As in ``p4src/ids.p4``."""


class _Wanted(NamedTuple):
    """An entry or a meter's cell that is to be there."""

    entity: p4r.Entity
    purpose: str
    """What of the configuration needs it; empty: nothing."""


class _Change(NamedTuple):
    """An update, and of what."""

    key: bytes
    update: p4r.Update
    purpose: str


class Configured:
    """Keeps one NPU's tables and meters, sessions aside, at what the configuration says."""

    def __init__(
        self, pipeline: Pipeline, connection: Connection, writer: Batcher[bytes, int]
    ) -> None:
        self._pipeline = pipeline
        self._connection = connection
        self._writer = writer
        self.epoch = 0
        """Of the sessions that count; goes with every interface."""
        self._buckets = b""
        """The SPU of each bucket in hash-based distribution, once the central point says."""
        self._installed: dict[bytes, p4r.Entity] = {}
        """What is there, by what identifies it."""

    async def begin(self, configuration: Configuration, chassis: Chassis, *, is_new: bool) -> None:
        """Write all of it; what an earlier controller left goes first, unless the program is new.
        Raises ``NpuError``."""
        if not is_new:
            await self._empty_tables()
        # Never that of a wing which an earlier controller wrote.
        has_epoch = "epoch" in self._pipeline.actions["set_ingress_interface"].fields
        self.epoch = self.epoch % EPOCHS + 1 if has_epoch else 0
        self._installed = {}
        await self.apply(configuration, chassis)

    async def apply(self, configuration: Configuration, chassis: Chassis) -> None:
        """Bring tables and meters, sessions aside, to what a configuration says; only what
        differs from the one before is written. Raises ``NpuError``."""
        wanted = self._wanted(configuration, chassis)
        await self._clone_session(needs_copies(configuration))
        refused = ""
        for batch in chunks(self._changes(wanted), WRITE_BATCH):
            codes = await self._connection.write([change.update for change in batch])
            for code, (key, update, purpose) in zip(codes, batch, strict=True):
                if code == rpc_code.OK or (code == rpc_code.UNIMPLEMENTED and not purpose):
                    # (A target without meters, say, and nobody configured one.)
                    if key in wanted:
                        self._installed[key] = wanted[key].entity
                    else:
                        del self._installed[key]
                elif not refused:
                    what = purpose or update.entity.WhichOneof("entity")
                    refused = f"{self._connection.name} refuses {what}: {code_name(code)}"
        if refused:
            raise NpuError(refused)

    def _wanted(self, configuration: Configuration, chassis: Chassis) -> dict[bytes, _Wanted]:
        """All that is to be there, by what identifies it. Raises ``NpuError``."""
        pipeline, number = self._pipeline, self._connection.site.number
        wanted = {}
        try:
            for entry in entries(configuration, chassis, number, self.epoch, self._buckets):
                if entry.purpose or entry.table in pipeline.tables:
                    message = table_entry(pipeline, entry)
                    entity = p4r.Entity(table_entry=message)
                    wanted[_identity(message)] = _Wanted(entity, entry.purpose)
            for rate in rates(configuration, chassis, number):
                if rate.purpose or rate.meter in pipeline.meters:
                    cell = meter_entry(pipeline, rate)
                    key = b"%d %d" % (cell.meter_id, cell.index.index)
                    wanted[key] = _Wanted(p4r.Entity(meter_entry=cell), rate.purpose)
        except MissingStage as missing:
            name = self._connection.name
            raise NpuError(f"{name} runs a program without it: {missing}") from None
        return wanted

    def _changes(self, wanted: Mapping[bytes, _Wanted]) -> list[_Change]:
        """What leads from what is there to what is to be."""
        changes = []
        for key, (entity, purpose) in wanted.items():
            old = self._installed.get(key)
            if old != entity:
                kind = p4r.Update.INSERT if old is None else p4r.Update.MODIFY
                if entity.HasField("meter_entry") or entity.table_entry.is_default_action:
                    kind = p4r.Update.MODIFY
                changes.append(_Change(key, p4r.Update(type=kind, entity=entity), purpose))
        for key in self._installed.keys() - wanted.keys():
            undo = _undo(self._installed[key])
            changes.append(_Change(key, undo, "what was configured before"))
        return changes

    async def _clone_session(self, purpose: str) -> None:
        """Have copies of packets sent to us. A target may refuse as long as nothing needs them."""
        entry = p4r.PacketReplicationEngineEntry()
        session = entry.clone_session_entry
        session.session_id = TRACE_SESSION
        session.replicas.add(egress_port=CPU_PORT, instance=1)
        entity = p4r.Entity(packet_replication_engine_entry=entry)
        update = p4r.Update(type=p4r.Update.INSERT, entity=entity)
        code = (await self._connection.write([update]))[0]
        if code not in (rpc_code.OK, rpc_code.ALREADY_EXISTS) and purpose:
            raise NpuError(
                f"{self._connection.name} refuses the clone session that {purpose} needs: "
                f"{code_name(code)}"
            )

    def distribute(self, message: Distribute) -> None:
        """Give the buckets that changed to other SPUs, if distribution is hash-based."""
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
                self._writer.submit(update.SerializeToString(), self._bucket_written, bucket)

    def _bucket_written(self, bucket: int, code: int) -> None:
        if code != rpc_code.OK and not self._connection.is_lost:
            # Its packets may go to an SPU that is not there; the runtime passes them on.
            name, why = self._connection.name, code_name(code)
            LOGGER.warning("%s refuses bucket %d of SPUs: %s", name, bucket, why)

    async def _empty_tables(self) -> None:
        """Delete what an earlier controller left in an NPU that already runs the program."""
        tables = [table.id for table in self._pipeline.tables.values()]
        wanted = [p4r.Entity(table_entry=p4r.TableEntry(table_id=id_)) for id_ in tables]
        deletes = []
        async for entity in self._connection.read(wanted):
            old = entity.table_entry
            self.epoch = max(self.epoch, self._epoch_of(old))
            if not old.is_default_action and not old.is_const:
                deletes.append(_update(p4r.Update.DELETE, _key(old)))
        for batch in chunks(deletes, WRITE_BATCH):
            await self._connection.write(batch)

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


def _update(kind: p4r.Update.Type.ValueType, entry: p4r.TableEntry) -> p4r.Update:
    return p4r.Update(type=kind, entity=p4r.Entity(table_entry=entry))


def _key(entry: p4r.TableEntry) -> p4r.TableEntry:
    """Nothing but what identifies an entry."""
    return p4r.TableEntry(table_id=entry.table_id, match=entry.match, priority=entry.priority)


def _identity(entry: p4r.TableEntry) -> bytes:
    """What makes two entries the same one."""
    return _key(entry).SerializeToString(deterministic=True)


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
    return _update(p4r.Update.DELETE, _key(entry))
