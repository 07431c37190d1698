"""Batches that take effect together: what each update will do, known before any is applied.

Nobody else writes meanwhile, and packets add and remove no entries, so what is foreseen happens.
"""

from __future__ import annotations

from finsy.proto import p4r

from p4embed.switch.engine import Engine, Entry, EntryKey, Op, Status, Update
from p4embed.switch.p4runtime.entries import EntryWriter
from p4embed.switch.p4runtime.errors import P4RuntimeError, unimplemented
from p4embed.switch.p4runtime.target import Target


class AtomicEntryWriter(EntryWriter):
    """Collects updates as if those before had been applied; ``flush`` applies nothing."""

    def __init__(self, target: Target, outcomes: list[P4RuntimeError | None]) -> None:
        super().__init__(target, outcomes)
        self._ahead: dict[tuple[int, EntryKey], Entry | None] = {}
        self._counts: dict[int, int] = {}

    def current(self, table: int, key: EntryKey) -> Entry | None:
        """The entry as it will be."""
        place = (table, key)
        return self._ahead[place] if place in self._ahead else self._engine.get(table, key)

    def write(self, position: int, op: Op, entry: p4r.TableEntry) -> None:
        """Collect an update, or raise what will be wrong with it."""
        table = self._translator.table(entry.table_id)
        if (
            entry.is_default_action
            or entry.HasField("counter_data")
            or entry.HasField("meter_config")
            or table.profile_id
            or table.is_const
        ):
            raise _only_entries()
        super().write(position, op, entry)
        update = self.pending[-1]
        status = self._foresee(self._engine, update)
        error = self.failure(update.table, status)
        if error is not None:
            raise error

    def flush(self) -> None:
        """Nothing is applied before its time."""

    def _foresee(self, engine: Engine, update: Update) -> Status:
        index, key = update.table, update.entry.key
        exists = self.current(index, key) is not None
        if update.op is not Op.INSERT:
            if not exists:
                return Status.MISSING
        elif exists:
            return Status.EXISTS
        if index not in self._counts:
            self._counts[index] = engine.entry_count(index)
        if update.op is Op.INSERT:
            if self._counts[index] >= self._translator.program.tables[index].size:
                return Status.FULL
            self._counts[index] += 1
        elif update.op is Op.DELETE:
            self._counts[index] -= 1
        self._ahead[index, key] = None if update.op is Op.DELETE else update.entry
        return Status.OK


def check_atomic(entity: p4r.Entity) -> None:
    """``UNIMPLEMENTED`` for what is no table entry."""
    if entity.WhichOneof("entity") != "table_entry":
        raise _only_entries()


def _only_entries() -> P4RuntimeError:
    return unimplemented(
        "DATAPLANE_ATOMIC takes entries of tables without action profile alone: no other entity, no"
        " default or constant entry, no counter value or meter configuration"
    )
