"""Read: entities that match a batch of queries, in messages of bounded size.

Source: P4Runtime specification, "Read RPC", "Wildcard Reads" and the sections on each entity.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from finsy.proto import p4r

from p4embed.switch.engine import Entry
from p4embed.switch.p4runtime.cells import Cells, fill_count, fill_meter_config, metering
from p4embed.switch.p4runtime.direct import DirectResources
from p4embed.switch.p4runtime.errors import BatchError, P4RuntimeError, invalid, unimplemented
from p4embed.switch.p4runtime.roles import Scope
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.translate import TableTranslator

CHUNK = 1000
"""Entities a response: well below gRPC's 4 MiB."""


class Reader:
    """Answers one Read."""

    def __init__(self, target: Target, scope: Scope | None = None) -> None:
        """``scope``: of the role that a Read is limited to; ``None``: everything."""
        self._target = target
        self._scope = scope
        self._translator = target.translator
        self._engine = target.engine

    def read(self, request: p4r.ReadRequest) -> Iterator[p4r.ReadResponse]:
        """Responses; raises ``BatchError`` at the end if a query was invalid."""
        outcomes: list[P4RuntimeError | None] = []
        response = p4r.ReadResponse()
        for query in request.entities:
            try:
                for entity in self.entities(query):
                    if self._scope is not None and not self._scope.reads(entity):
                        continue
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

    def entities(self, query: p4r.Entity) -> Iterable[p4r.Entity]:
        """What matches one query."""
        target = self._target
        cells = Cells(target.translator, target.engine)
        direct = DirectResources(target.translator, target.engine)
        kind = query.WhichOneof("entity")
        match kind:
            case "table_entry":
                return self._table_entries(query.table_entry)
            case "direct_counter_entry":
                return direct.counters(query.direct_counter_entry)
            case "direct_meter_entry":
                return direct.meters(query.direct_meter_entry)
            case "counter_entry":
                return cells.counters(query.counter_entry)
            case "meter_entry":
                return cells.meters(query.meter_entry)
            case "register_entry":
                return cells.registers(query.register_entry)
            case "packet_replication_engine_entry":
                return target.replication.read(query.packet_replication_engine_entry)
            case "action_profile_member":
                return target.profiles.members(query.action_profile_member)
            case "action_profile_group":
                return target.profiles.groups(query.action_profile_group)
            case "value_set_entry":
                return target.value_sets.read(query.value_set_entry)
            case "digest_entry":
                return target.digests.read(query.digest_entry)
            case None:
                raise invalid("entity is not set; a wildcard must still name its kind")
        raise unimplemented(f"reading {kind} is not supported")

    def exactly(self, query: p4r.TableEntry) -> list[p4r.Entity]:
        """The one entry with a key, its direct resources included, as it could be written."""
        table = self._translator.table(query.table_id)
        if query.is_default_action:
            return list(self._default(table))
        entry = self._engine.get(table.index, table.key(query))
        if entry is None:
            return []
        everything = p4r.TableEntry()
        if table.has_counter:
            everything.counter_data.SetInParent()
        if table.has_meter:
            everything.meter_config.SetInParent()
        entity = self._entity(table, entry, everything)
        entity.table_entry.is_const = False
        if table.is_const:
            entity.table_entry.ClearField("action")
        return [entity]

    # -- table entries ------------------------------------------------------------------------

    def _table_entries(self, query: p4r.TableEntry) -> Iterator[p4r.Entity]:
        if query.HasField("meter_counter_data"):
            raise unimplemented("meter_counter_data is not supported")
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
            elif table.profile_id and query.HasField("action"):
                raise invalid(f"table '{table.name}': entries cannot be selected by their members")
            else:
                yield from self._matching(table, query)

    def _default(self, table: TableTranslator) -> Iterator[p4r.Entity]:
        default = self._engine.default(table.index)
        entity = p4r.Entity()
        entry = entity.table_entry
        entry.table_id = table.id
        entry.is_default_action = True
        if table.const_default:
            entry.is_const = True
        if default is not None:
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
            yield self._entity(table, entry, query)

    def _entity(self, table: TableTranslator, entry: Entry, query: p4r.TableEntry) -> p4r.Entity:
        """An entry with what the query asks for."""
        entity = p4r.Entity()
        into = entity.table_entry
        table.unpack_entry(entry, into)
        if table.profile_id:
            self._target.profiles.describe(table, entry, into.action)
        if table.has_counter and query.HasField("counter_data"):
            count = self._engine.direct_count(table.index, entry.key)
            if count is not None:
                fill_count(into.counter_data, count)
        if table.has_meter and query.HasField("meter_config"):
            config = metering(self._engine).direct_meter(table.index, entry.key)
            if config is not None:
                fill_meter_config(into.meter_config, config)
        if table.supports_timeout and query.HasField("time_since_last_hit"):
            since = self._engine.since_last_hit(table.index, entry.key, time.monotonic_ns())
            into.time_since_last_hit.elapsed_ns = since or 0
        return entity

    def _selected(self, table: TableTranslator, query: p4r.TableEntry) -> Iterable[Entry]:
        if not query.match:
            return self._engine.entries(table.index)
        entry = self._engine.get(table.index, table.key(query))
        return () if entry is None else (entry,)


def _check_timeout(table: TableTranslator) -> None:
    if not table.supports_timeout:
        raise invalid(f"table '{table.name}' does not support idle timeout")
