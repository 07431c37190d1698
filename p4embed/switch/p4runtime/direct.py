"""Direct resources: the counter and the meter of a table entry.

Source: P4Runtime specification, "Direct Resources", "DirectCounterEntry", "DirectMeterEntry".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from finsy.proto import p4r

from p4embed.switch.engine import Engine, EntryKey, Op
from p4embed.switch.p4runtime.cells import (
    fill_count,
    fill_meter_config,
    metering,
    modify_only,
    refuse_colors,
    to_count,
    to_meter_config,
)
from p4embed.switch.p4runtime.errors import P4RuntimeError, invalid, not_found, unimplemented
from p4embed.switch.p4runtime.translate import TableTranslator, Translator


class DirectResources:
    """Writes and reads of direct counters and meters."""

    def __init__(self, translator: Translator, engine: Engine) -> None:
        self._translator = translator
        self._engine = engine

    def write_counter(self, op: Op, entry: p4r.DirectCounterEntry) -> None:
        """Overwrite an entry's counter."""
        modify_only(op, "a direct counter")
        table = self._translator.table(entry.table_entry.table_id)
        need_counter(table)
        key = _key(table, entry.table_entry)
        if not entry.HasField("data"):
            return
        if not self._engine.set_direct_count(table.index, key, to_count(entry.data)):
            raise no_entry(table)

    def counters(self, query: p4r.DirectCounterEntry) -> Iterator[p4r.Entity]:
        """An entry's counter, a table's, or all."""
        for table, keys, asked in self._selected(query.table_entry, counters=True):
            need_counter(table)
            for key in keys:
                count = self._engine.direct_count(table.index, key)
                if count is None:
                    if asked:
                        raise no_entry(table)
                    continue
                entity = p4r.Entity()
                table.unpack_key(key, entity.direct_counter_entry.table_entry)
                fill_count(entity.direct_counter_entry.data, count)
                yield entity

    def write_meter(self, op: Op, entry: p4r.DirectMeterEntry) -> None:
        """Configure an entry's meter."""
        modify_only(op, "a direct meter")
        table = self._translator.table(entry.table_entry.table_id)
        need_meter(table)
        refuse_colors(entry)
        key = _key(table, entry.table_entry)
        config = to_meter_config(entry.config) if entry.HasField("config") else None
        if not metering(self._engine).set_direct_meter(table.index, key, config):
            raise no_entry(table)

    def meters(self, query: p4r.DirectMeterEntry) -> Iterator[p4r.Entity]:
        """An entry's meter, a table's, or all."""
        refuse_colors(query)
        engine = metering(self._engine)
        for table, keys, asked in self._selected(query.table_entry, counters=False):
            need_meter(table)
            for key in keys:
                if asked and self._engine.get(table.index, key) is None:
                    raise no_entry(table)
                config = engine.direct_meter(table.index, key)
                entity = p4r.Entity()
                table.unpack_key(key, entity.direct_meter_entry.table_entry)
                if config is not None:
                    fill_meter_config(entity.direct_meter_entry.config, config)
                yield entity

    def _selected(
        self, query: p4r.TableEntry, counters: bool
    ) -> Iterator[tuple[TableTranslator, Iterable[EntryKey], bool]]:
        """Tables with the keys that a query means, and whether it names one."""
        if query.table_id == 0:
            for table in self._translator.tables.values():
                if table.has_counter if counters else table.has_meter:
                    yield table, self._keys(table), False
            return
        table = self._translator.table(query.table_id)
        if query.match:
            yield table, [_key(table, query)], True
        else:
            _refuse_default(query)
            yield table, self._keys(table), False

    def _keys(self, table: TableTranslator) -> Iterator[EntryKey]:
        return (entry.key for entry in self._engine.entries(table.index))


def need_counter(table: TableTranslator) -> None:
    """``INVALID_ARGUMENT`` without a direct counter."""
    if not table.has_counter:
        raise invalid(f"table '{table.name}' has no direct counter")


def need_meter(table: TableTranslator) -> None:
    """``INVALID_ARGUMENT`` without a direct meter."""
    if not table.has_meter:
        raise invalid(f"table '{table.name}' has no direct meter")


def _key(table: TableTranslator, entry: p4r.TableEntry) -> EntryKey:
    _refuse_default(entry)
    return table.key(entry)


def _refuse_default(entry: p4r.TableEntry) -> None:
    if entry.is_default_action:
        raise unimplemented("default entries have no direct resources: a miss runs none")


def no_entry(table: TableTranslator) -> P4RuntimeError:
    """Nothing has the key that was named."""
    return not_found(f"table '{table.name}' has no entry with this key")
