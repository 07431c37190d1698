"""Read: entities that match a batch of queries, in messages of bounded size.

Source: P4Runtime specification, "Read RPC", "Wildcard Reads" and the sections on each entity.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from finsy.proto import p4r

from p4embed.switch.engine import Count, Engine, Entry
from p4embed.switch.p4runtime.errors import (
    BatchError,
    P4RuntimeError,
    invalid,
    not_found,
    unimplemented,
)
from p4embed.switch.p4runtime.replication import Replication
from p4embed.switch.p4runtime.translate import TableTranslator, Translator
from p4embed.switch.p4runtime.write import cells, direct_counter_key

CHUNK = 1000
"""Entities a response: well below gRPC's 4 MiB."""


class Reader:
    """Answers one Read."""

    def __init__(self, translator: Translator, engine: Engine, replication: Replication) -> None:
        self._translator = translator
        self._engine = engine
        self._replication = replication

    def read(self, request: p4r.ReadRequest) -> Iterator[p4r.ReadResponse]:
        """Responses; raises ``BatchError`` at the end if a query was invalid."""
        outcomes: list[P4RuntimeError | None] = []
        response = p4r.ReadResponse()
        for query in request.entities:
            try:
                for entity in self._entities(query):
                    response.entities.append(entity)
                    if len(response.entities) >= CHUNK:
                        yield response
                        response = p4r.ReadResponse()
                outcomes.append(None)
            except P4RuntimeError as error:
                outcomes.append(error)
        if response.entities:
            yield response
        if any(outcome is not None for outcome in outcomes):
            raise BatchError("read", outcomes)

    def _entities(self, query: p4r.Entity) -> Iterable[p4r.Entity]:
        kind = query.WhichOneof("entity")
        match kind:
            case "table_entry":
                return self._table_entries(query.table_entry)
            case "direct_counter_entry":
                return self._direct_counters(query.direct_counter_entry)
            case "counter_entry":
                return self._counters(query.counter_entry)
            case "register_entry":
                return self._registers(query.register_entry)
            case "packet_replication_engine_entry":
                return self._replication.read(query.packet_replication_engine_entry)
            case None:
                raise invalid("entity is not set; a wildcard must still name its kind")
        raise unimplemented(f"reading {kind} is not supported")

    # -- table entries ------------------------------------------------------------------------

    def _table_entries(self, query: p4r.TableEntry) -> Iterator[p4r.Entity]:
        if query.table_id == 0:
            if query.match or query.priority or query.HasField("action"):
                raise invalid("table_id 0 reads all tables; no other filter can be used with it")
            tables = list(self._translator.tables.values())
        else:
            tables = [self._translator.table(query.table_id)]
        for table in tables:
            if query.table_id and query.HasField("time_since_last_hit"):
                _check_timeout(table)
            if query.is_default_action:
                yield from self._default(table)
            else:
                yield from self._matching(table, query)

    def _default(self, table: TableTranslator) -> Iterator[p4r.Entity]:
        default = self._engine.default(table.index)
        if default is None:
            return
        entity = p4r.Entity()
        entry = entity.table_entry
        entry.table_id = table.id
        entry.is_default_action = True
        if table.const_default:
            entry.is_const = True
        table.unpack_action(*default, entry)
        yield entity

    def _matching(self, table: TableTranslator, query: p4r.TableEntry) -> Iterator[p4r.Entity]:
        for entry in self._selected(table, query):
            if query.priority and entry.key.priority != query.priority:
                continue
            if query.metadata and entry.metadata != query.metadata:
                continue
            if query.HasField("action") and (
                table.by_json_id[entry.action].translator.p4info_id != query.action.action.action_id
            ):
                continue
            entity = p4r.Entity()
            into = entity.table_entry
            table.unpack_entry(entry, into)
            if table.has_counter and query.HasField("counter_data"):
                count = self._engine.direct_count(table.index, entry.key)
                _fill(into.counter_data, count)
            if table.supports_timeout and query.HasField("time_since_last_hit"):
                since = self._engine.since_last_hit(table.index, entry.key, time.monotonic_ns())
                into.time_since_last_hit.elapsed_ns = since or 0
            yield entity

    def _selected(self, table: TableTranslator, query: p4r.TableEntry) -> Iterable[Entry]:
        if not query.match:
            return self._engine.entries(table.index)
        entry = self._engine.get(table.index, table.key(query))
        return () if entry is None else (entry,)

    # -- counters and registers ---------------------------------------------------------------

    def _direct_counters(self, query: p4r.DirectCounterEntry) -> Iterator[p4r.Entity]:
        if query.table_entry.table_id == 0:
            tables = [t for t in self._translator.tables.values() if t.has_counter]
        elif not query.table_entry.match:
            tables = [self._translator.table(query.table_entry.table_id)]
        else:
            table, key = direct_counter_key(self._translator, query)
            count = self._engine.direct_count(table.index, key)
            if count is None:
                raise not_found(f"table '{table.name}' has no entry with this key")
            yield _direct_counter(table, Entry(key, 0), count)
            return
        for table in tables:
            if not table.has_counter:
                raise invalid(f"table '{table.name}' has no direct counter")
            for entry in self._engine.entries(table.index):
                count = self._engine.direct_count(table.index, entry.key)
                if count is not None:
                    yield _direct_counter(table, entry, count)

    def _counters(self, query: p4r.CounterEntry) -> Iterator[p4r.Entity]:
        ids = [query.counter_id] if query.counter_id else list(self._translator.counters)
        for id_ in ids:
            counter = self._translator.counters.get(id_)
            if counter is None:
                raise not_found(f"no counter has id {id_}")
            for index in cells(query, self._translator.program.counters[counter].size):
                entity = p4r.Entity()
                entity.counter_entry.counter_id = id_
                entity.counter_entry.index.index = index
                _fill(entity.counter_entry.data, self._engine.counter(counter, index))
                yield entity

    def _registers(self, query: p4r.RegisterEntry) -> Iterator[p4r.Entity]:
        ids = [query.register_id] if query.register_id else list(self._translator.registers)
        for id_ in ids:
            register = self._translator.registers.get(id_)
            if register is None:
                raise not_found(f"no register has id {id_}")
            for index in cells(query, self._translator.program.registers[register].size):
                value = self._engine.register(register, index)
                entity = p4r.Entity()
                entity.register_entry.register_id = id_
                entity.register_entry.index.index = index
                entity.register_entry.data.bitstring = value.to_bytes(
                    max((value.bit_length() + 7) // 8, 1), "big"
                )
                yield entity


def _check_timeout(table: TableTranslator) -> None:
    if not table.supports_timeout:
        raise invalid(f"table '{table.name}' does not support idle timeout")


def _fill(data: p4r.CounterData, count: Count | None) -> None:
    data.packet_count = count.packets if count is not None else 0
    data.byte_count = count.bytes if count is not None else 0
    data.SetInParent()


def _direct_counter(table: TableTranslator, entry: Entry, count: Count) -> p4r.Entity:
    entity = p4r.Entity()
    table.unpack_key(entry.key, entity.direct_counter_entry.table_entry)
    _fill(entity.direct_counter_entry.data, count)
    return entity
