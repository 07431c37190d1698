"""Write: a batch of updates, translated once and handed to the engine in as few calls as possible.

Source: P4Runtime specification, "Write RPC" and the sections on each entity. Only
CONTINUE_ON_ERROR is supported, the one atomicity that the specification requires.
"""

from __future__ import annotations

from finsy.proto import p4r

from p4embed.switch.engine import Count, Engine, Entry, EntryKey, Op, Status, Update
from p4embed.switch.p4runtime.errors import (
    BatchError,
    Code,
    P4RuntimeError,
    denied,
    invalid,
    not_found,
    unimplemented,
)
from p4embed.switch.p4runtime.replication import Replication
from p4embed.switch.p4runtime.translate import TableTranslator, Translator

Type = p4r.Update

_OPS = {Type.INSERT: Op.INSERT, Type.MODIFY: Op.MODIFY, Type.DELETE: Op.DELETE}

_FAILURES = {
    Status.EXISTS: (Code.ALREADY_EXISTS, "table '{}' has an entry with this key"),
    Status.MISSING: (Code.NOT_FOUND, "table '{}' has no entry with this key"),
    Status.FULL: (Code.RESOURCE_EXHAUSTED, "table '{}' is full"),
    Status.CONST: (Code.PERMISSION_DENIED, "table '{}' has constant entries"),
}


class Writer:
    """Carries out one Write. ``write`` raises ``BatchError`` if any update failed."""

    def __init__(self, translator: Translator, engine: Engine, replication: Replication) -> None:
        self._translator = translator
        self._engine = engine
        self._replication = replication
        self._outcomes: list[P4RuntimeError | None] = []
        self._pending: list[Update] = []
        self._positions: list[int] = []
        self._counts: list[tuple[int, Update, Count]] = []
        """Counter values that entries bring along: set once the entries are there."""

    def write(self, request: p4r.WriteRequest) -> None:
        """Apply all updates, in order."""
        if request.atomicity != p4r.WriteRequest.CONTINUE_ON_ERROR:
            raise unimplemented("only atomicity CONTINUE_ON_ERROR is supported")
        updates = request.updates
        self._outcomes = [None] * len(updates)
        for position, update in enumerate(updates):
            try:
                self._update(position, update)
            except P4RuntimeError as error:
                self._outcomes[position] = error
        self._flush()
        if any(outcome is not None for outcome in self._outcomes):
            raise BatchError("write", self._outcomes)

    def _update(self, position: int, update: p4r.Update) -> None:
        op = _OPS.get(update.type)
        if op is None:
            raise invalid(f"update type {update.type}; expected INSERT, MODIFY or DELETE")
        entity = update.entity
        kind = entity.WhichOneof("entity")
        if kind == "table_entry":
            self._table_entry(position, op, entity.table_entry)
            return
        self._flush()
        match kind:
            case "direct_counter_entry":
                self._direct_counter(op, entity.direct_counter_entry)
            case "counter_entry":
                self._counter(op, entity.counter_entry)
            case "register_entry":
                self._register(op, entity.register_entry)
            case "packet_replication_engine_entry":
                self._replication.write(
                    update.type, entity.packet_replication_engine_entry, self._engine
                )
            case None:
                raise invalid("entity is not set")
            case _:
                raise unimplemented(f"writing {kind} is not supported")

    # -- table entries ------------------------------------------------------------------------

    def _table_entry(self, position: int, op: Op, entry: p4r.TableEntry) -> None:
        table = self._translator.table(entry.table_id)
        if entry.is_default_action:
            self._flush()
            self._default(op, table, entry)
            return
        if table.is_const:
            raise denied(f"table '{table.name}' has constant entries")
        if op is Op.DELETE:
            update = Update(op, table.index, Entry(table.key(entry), 0))
        else:
            if entry.is_const:
                raise invalid("is_const is set; a controller cannot write constant entries")
            if entry.HasField("time_since_last_hit"):
                raise invalid("time_since_last_hit is set; it can only be read")
            if op is Op.MODIFY and not entry.HasField("action"):
                update = self._modify_without_action(table, entry)
            else:
                update = Update(op, table.index, table.entry(entry))
            self._check_resources(position, table, entry, update)
        self._pending.append(update)
        self._positions.append(position)

    def _modify_without_action(self, table: TableTranslator, entry: p4r.TableEntry) -> Update:
        """The action stays what it was."""
        self._flush()
        key = table.key(entry)
        old = self._engine.get(table.index, key)
        if old is None:
            raise not_found(f"table '{table.name}' has no entry with this key")
        new = Entry(key, old.action, old.params, *table.attributes(entry))
        return Update(Op.MODIFY, table.index, new)

    def _check_resources(
        self, position: int, table: TableTranslator, entry: p4r.TableEntry, update: Update
    ) -> None:
        if entry.controller_metadata:
            raise unimplemented("controller_metadata is deprecated; use metadata")
        if entry.HasField("meter_config") or entry.HasField("meter_counter_data"):
            raise unimplemented("direct meters cannot be configured")
        if entry.HasField("counter_data"):
            if not table.has_counter:
                raise invalid(f"table '{table.name}' has no direct counter")
            data = entry.counter_data
            self._counts.append((position, update, _count(data)))

    def _default(self, op: Op, table: TableTranslator, entry: p4r.TableEntry) -> None:
        if op is not Op.MODIFY:
            raise invalid("the default entry can only be modified, not inserted or deleted")
        if entry.match or entry.priority:
            raise invalid("the default entry has neither match fields nor priority")
        if entry.idle_timeout_ns or entry.HasField("time_since_last_hit"):
            raise invalid("the default entry has no idle timeout")
        if table.const_default:
            raise denied(f"table '{table.name}' has a constant default action")
        if entry.HasField("action"):
            self._engine.set_default(table.index, *table.action(entry, default=True))
        else:
            self._engine.set_default(table.index, None, b"")

    def _flush(self) -> None:
        """Hand what is pending to the engine."""
        if not self._pending:
            return
        statuses = self._engine.write(self._pending)
        for position, update, status in zip(self._positions, self._pending, statuses, strict=True):
            if status is not Status.OK:
                table = self._translator.by_index[update.table]
                self._outcomes[position] = failure(status, table)
        for position, update, count in self._counts:
            if self._outcomes[position] is None:
                self._engine.set_direct_count(update.table, update.entry.key, count)
        self._pending, self._positions, self._counts = [], [], []

    # -- counters and registers ---------------------------------------------------------------

    def _direct_counter(self, op: Op, entry: p4r.DirectCounterEntry) -> None:
        _modify_only(op, "a direct counter")
        table, key = direct_counter_key(self._translator, entry)
        if not entry.HasField("data"):
            return
        if not self._engine.set_direct_count(table.index, key, _count(entry.data)):
            raise not_found(f"table '{table.name}' has no entry with this key")

    def _counter(self, op: Op, entry: p4r.CounterEntry) -> None:
        _modify_only(op, "a counter")
        counter = self._translator.counters.get(entry.counter_id)
        if counter is None:
            raise not_found(f"no counter has id {entry.counter_id}")
        size = self._translator.program.counters[counter].size
        if not entry.HasField("data"):
            return
        for index in cells(entry, size):
            self._engine.set_counter(counter, index, _count(entry.data))

    def _register(self, op: Op, entry: p4r.RegisterEntry) -> None:
        _modify_only(op, "a register")
        register = self._translator.registers.get(entry.register_id)
        if register is None:
            raise not_found(f"no register has id {entry.register_id}")
        declared = self._translator.program.registers[register]
        if not entry.HasField("data"):
            return
        if entry.data.WhichOneof("data") != "bitstring":
            raise invalid(f"register '{declared.name}': expected data of type bitstring")
        value = int.from_bytes(entry.data.bitstring, "big")
        if not entry.data.bitstring or value.bit_length() > declared.width:
            raise invalid(f"register '{declared.name}' cells have {declared.width} bits")
        for index in cells(entry, declared.size):
            self._engine.set_register(register, index, value)


def failure(status: Status, table: TableTranslator) -> P4RuntimeError | None:
    """What a client hears of an update to a table; ``None`` if it went well."""
    if status is Status.OK:
        return None
    code, message = _FAILURES[status]
    return P4RuntimeError(code, message.format(table.name))


def _modify_only(op: Op, what: str) -> None:
    if op is not Op.MODIFY:
        raise invalid(f"{what} can only be modified, not inserted or deleted")


def _count(data: p4r.CounterData) -> Count:
    if data.packet_count < 0 or data.byte_count < 0:
        raise invalid(f"counts {data.packet_count} and {data.byte_count}; expected 0 or more")
    return Count(data.packet_count, data.byte_count)


def cells(entry: p4r.CounterEntry | p4r.RegisterEntry, size: int) -> range:
    """The cells that an entry means: one, or all when ``index`` is not set."""
    if not entry.HasField("index"):
        return range(size)
    index = entry.index.index
    if index < 0:
        raise invalid(f"index {index}; expected 0 or more")
    if index >= size:
        raise P4RuntimeError(Code.OUT_OF_RANGE, f"index {index}; expected less than {size}")
    return range(index, index + 1)


def direct_counter_key(
    translator: Translator, entry: p4r.DirectCounterEntry
) -> tuple[TableTranslator, EntryKey]:
    """The entry whose direct counter is meant."""
    table = translator.table(entry.table_entry.table_id)
    if not table.has_counter:
        raise invalid(f"table '{table.name}' has no direct counter")
    if entry.table_entry.is_default_action:
        raise unimplemented("direct counters of default entries are not supported")
    return table, table.key(entry.table_entry)
