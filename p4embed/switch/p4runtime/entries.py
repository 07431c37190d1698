"""Writing table entries: collected, and handed to the engine in as few calls as possible.

Source: P4Runtime specification, "TableEntry".
"""

from __future__ import annotations

from dataclasses import dataclass

from finsy.proto import p4r

from p4embed.switch.engine import Count, Entry, EntryKey, MeterConfig, Op, Status, Update
from p4embed.switch.p4runtime.cells import metering, to_count, to_meter_config
from p4embed.switch.p4runtime.direct import need_counter, need_meter, no_entry
from p4embed.switch.p4runtime.errors import (
    P4RuntimeError,
    denied,
    failure,
    invalid,
    unimplemented,
)
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.translate import TableTranslator


@dataclass(frozen=True, slots=True)
class _Resources:
    """What an entry brings along for its direct counter and meter."""

    count: Count | None
    meter: MeterConfig | None


_NONE = _Resources(None, None)


class EntryWriter:
    """Collects updates; ``flush`` applies them and notes how each went in ``outcomes``."""

    def __init__(self, target: Target, outcomes: list[P4RuntimeError | None]) -> None:
        self._target = target
        self._translator = target.translator
        self._engine = target.engine
        self._outcomes = outcomes
        self.pending: list[Update] = []
        self._positions: list[int] = []
        self._resources: list[tuple[int, Update, _Resources]] = []
        """Applied once the entries are there."""

    def write(self, position: int, op: Op, entry: p4r.TableEntry) -> None:
        """Update ``position`` of the batch: collect it, or apply it now if it cannot wait."""
        table = self._translator.table(entry.table_id)
        if entry.is_default_action:
            self.flush()
            self._default(op, table, entry)
        elif table.is_const:
            self.flush()
            self._const(op, table, entry)
        elif table.profile_id:
            self.flush()
            self._indirect(op, table, entry)
        elif op is Op.DELETE:
            self._collect(position, Update(op, table.index, Entry(table.key(entry), 0)), _NONE)
        else:
            _check_writable(entry)
            resources = _resources(table, entry)
            if op is Op.MODIFY and not entry.HasField("action"):
                update = self._modify_without_action(table, entry)
            else:
                update = Update(op, table.index, table.entry(entry))
            self._collect(position, update, resources)

    def _collect(self, position: int, update: Update, resources: _Resources) -> None:
        self.pending.append(update)
        self._positions.append(position)
        if resources is not _NONE:
            self._resources.append((position, update, resources))

    def flush(self) -> None:
        """Hand what is collected to the engine."""
        if not self.pending:
            return
        statuses = self._engine.write(self.pending)
        for position, update, status in zip(self._positions, self.pending, statuses, strict=True):
            if status is not Status.OK:
                self._outcomes[position] = self.failure(update.table, status)
        for position, update, resources in self._resources:
            if self._outcomes[position] is None:
                self._apply(update, resources)
        self.pending, self._positions, self._resources = [], [], []

    def failure(self, table: int, status: Status) -> P4RuntimeError | None:
        """What a status means to a controller."""
        return failure(status, self._translator.by_index[table].name)

    def current(self, table: int, key: EntryKey) -> Entry | None:
        """The entry as it is when all that is collected has been applied."""
        self.flush()
        return self._engine.get(table, key)

    def _modify_without_action(self, table: TableTranslator, entry: p4r.TableEntry) -> Update:
        """The action stays what it was."""
        key = table.key(entry)
        old = self.current(table.index, key)
        if old is None:
            raise no_entry(table)
        new = Entry(key, old.action, old.params, *table.attributes(entry))
        return Update(Op.MODIFY, table.index, new)

    def _apply(self, update: Update, resources: _Resources) -> None:
        key = update.entry.key
        if resources.count is not None:
            self._engine.set_direct_count(update.table, key, resources.count)
        if resources.meter is not None:
            metering(self._engine).set_direct_meter(update.table, key, resources.meter)

    def _write_now(self, update: Update, resources: _Resources) -> None:
        (status,) = self._engine.write([update])
        error = self.failure(update.table, status)
        if error is not None:
            raise error
        self._apply(update, resources)

    def _indirect(self, op: Op, table: TableTranslator, entry: p4r.TableEntry) -> None:
        """An entry whose action comes from an action profile."""
        profiles, key = self._target.profiles, table.key(entry)
        old = self._engine.get(table.index, key)
        if op is Op.DELETE:
            self._write_now(Update(op, table.index, Entry(key, 0)), _NONE)
            profiles.stored(table, old)
            return
        _check_writable(entry)
        resources = _resources(table, entry)
        if op is Op.MODIFY and not entry.HasField("action"):
            self._write_now(self._modify_without_action(table, entry), resources)
            return
        attributes = table.attributes(entry)
        reference = profiles.resolve(table, entry.action)
        new = Entry(key, reference.action, reference.params, *attributes)
        try:
            self._write_now(Update(op, table.index, new), resources)
        except P4RuntimeError:
            profiles.discard(table, reference)
            raise
        profiles.stored(table, old, key, reference)

    def _const(self, op: Op, table: TableTranslator, entry: p4r.TableEntry) -> None:
        """Only the direct resources of constant entries can be written."""
        if op is not Op.MODIFY or entry.HasField("action"):
            raise denied(f"table '{table.name}' has constant entries")
        resources, key = _resources(table, entry), table.key(entry)
        if table.attributes(entry) != (0, b""):
            raise denied(f"table '{table.name}' has constant entries")
        old = self._engine.get(table.index, key)
        if old is None:
            raise no_entry(table)
        update = Update(op, table.index, old)
        if table.has_meter and resources.meter is None:
            metering(self._engine).set_direct_meter(table.index, key, None)
        self._apply(update, resources)

    def _default(self, op: Op, table: TableTranslator, entry: p4r.TableEntry) -> None:
        if op is not Op.MODIFY:
            raise invalid("the default entry can only be modified, not inserted or deleted")
        if entry.match or entry.priority:
            raise invalid("the default entry has neither match fields nor priority")
        if entry.idle_timeout_ns or entry.HasField("time_since_last_hit"):
            raise invalid("the default entry has no idle timeout")
        if entry.HasField("counter_data") or entry.HasField("meter_config"):
            raise unimplemented("default entries have no direct resources: a miss runs none")
        if entry.metadata or entry.controller_metadata:
            raise unimplemented("default entries carry no metadata")
        if table.const_default or table.profile_id:
            raise denied(f"table '{table.name}' has a constant default action")
        if entry.HasField("action"):
            self._engine.set_default(table.index, *table.action(entry, default=True))
        else:
            self._engine.set_default(table.index, None, b"")


def _check_writable(entry: p4r.TableEntry) -> None:
    if entry.is_const:
        raise invalid("is_const is set; a controller cannot write constant entries")
    if entry.HasField("time_since_last_hit"):
        raise invalid("time_since_last_hit is set; it can only be read")
    if entry.controller_metadata:
        raise unimplemented("controller_metadata is deprecated; use metadata")


def _resources(table: TableTranslator, entry: p4r.TableEntry) -> _Resources:
    count = meter = None
    if entry.HasField("counter_data"):
        need_counter(table)
        count = to_count(entry.counter_data)
    if entry.HasField("meter_config"):
        need_meter(table)
        meter = to_meter_config(entry.meter_config)
    if entry.HasField("meter_counter_data"):
        raise unimplemented("meter_counter_data is not supported")
    return _NONE if count is None and meter is None else _Resources(count, meter)
