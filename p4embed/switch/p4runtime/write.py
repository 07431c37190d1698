"""Write: a batch of updates, entity by entity.

CONTINUE_ON_ERROR tries every update. ROLLBACK_ON_ERROR takes back what went before a failure.
DATAPLANE_ATOMIC foresees every outcome and then hands all updates to the engine in one call, which
works for table entries; a batch with anything else is refused.

Source: P4Runtime specification, "Write RPC", "Batch Atomicity" and the sections on each entity.
"""

from __future__ import annotations

from collections.abc import Sequence

from finsy.proto import p4r

from p4embed.switch.engine import Atomic, Op, Status
from p4embed.switch.p4runtime.atomic import AtomicEntryWriter, check_atomic
from p4embed.switch.p4runtime.cells import Cells
from p4embed.switch.p4runtime.direct import DirectResources
from p4embed.switch.p4runtime.entries import EntryWriter
from p4embed.switch.p4runtime.errors import (
    BatchError,
    Code,
    P4RuntimeError,
    invalid,
    unimplemented,
)
from p4embed.switch.p4runtime.roles import Scope
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.undo import inverse

Type = p4r.Update
Atomicity = p4r.WriteRequest

_OPS = {Type.INSERT: Op.INSERT, Type.MODIFY: Op.MODIFY, Type.DELETE: Op.DELETE}


class Writer:
    """Carries out one Write. ``write`` raises ``BatchError`` if any update failed."""

    def __init__(self, target: Target, scope: Scope | None = None) -> None:
        """``scope``: what the controller's role may write; ``None``: everything."""
        self._target = target
        self._scope = scope
        self._outcomes: list[P4RuntimeError | None] = []
        self._entries = EntryWriter(target, self._outcomes)

    def write(self, request: p4r.WriteRequest) -> None:
        """Apply all updates, in order."""
        updates = request.updates
        self._outcomes[:] = [None] * len(updates)
        match request.atomicity:
            case Atomicity.CONTINUE_ON_ERROR:
                self._each(updates)
            case Atomicity.ROLLBACK_ON_ERROR:
                self._all_or_none(updates)
            case Atomicity.DATAPLANE_ATOMIC:
                self._at_once(updates)
            case other:
                raise invalid(f"atomicity {other}; expected CONTINUE_ON_ERROR, ...")
        if any(self._outcomes):
            raise BatchError("write", self._outcomes)

    def _each(self, updates: Sequence[p4r.Update]) -> None:
        for position, update in enumerate(updates):
            try:
                self._update(position, update)
            except P4RuntimeError as error:
                self._outcomes[position] = error
        self._entries.flush()

    def _all_or_none(self, updates: Sequence[p4r.Update]) -> None:
        undo: list[p4r.Update] = []
        for position, update in enumerate(updates):
            try:
                before = inverse(update, self._target)
                self._update(position, update)
                self._entries.flush()
            except P4RuntimeError as error:
                self._outcomes[position] = error
            if self._outcomes[position] is not None:
                self._abort_others()
                break
            undo += before
        else:
            return
        # Cannot fail: nobody else has written since.
        Writer(self._target).write(p4r.WriteRequest(updates=reversed(undo)))

    def _at_once(self, updates: Sequence[p4r.Update]) -> None:
        engine = self._target.engine
        if not isinstance(engine, Atomic):
            raise unimplemented("this executor cannot apply a batch between two packets")
        entries = self._entries = AtomicEntryWriter(self._target, self._outcomes)
        for position, update in enumerate(updates):
            try:
                check_atomic(update.entity)
                self._update(position, update)
            except P4RuntimeError as error:
                self._outcomes[position] = error
        if any(self._outcomes):
            self._abort_others()
            return
        statuses = engine.write_together(entries.pending)
        if any(status is not Status.OK for status in statuses):
            raise RuntimeError(f"a batch that was foreseen to succeed ended with {statuses}")

    def _abort_others(self) -> None:
        for position, outcome in enumerate(self._outcomes):
            if outcome is None:
                self._outcomes[position] = P4RuntimeError(
                    Code.ABORTED, "not applied: another update of the batch failed"
                )

    def _update(self, position: int, update: p4r.Update) -> None:
        op = _OPS.get(update.type)
        if op is None:
            raise invalid(f"update type {update.type}; expected INSERT, MODIFY or DELETE")
        entity = update.entity
        kind = entity.WhichOneof("entity")
        if self._scope is not None:
            self._scope.check_write(entity)
        if kind == "table_entry":
            self._entries.write(position, op, entity.table_entry)
            return
        self._entries.flush()
        target = self._target
        cells = Cells(target.translator, target.engine)
        direct = DirectResources(target.translator, target.engine)
        match kind:
            case "direct_counter_entry":
                direct.write_counter(op, entity.direct_counter_entry)
            case "direct_meter_entry":
                direct.write_meter(op, entity.direct_meter_entry)
            case "counter_entry":
                cells.write_counter(op, entity.counter_entry)
            case "meter_entry":
                cells.write_meter(op, entity.meter_entry)
            case "register_entry":
                cells.write_register(op, entity.register_entry)
            case "packet_replication_engine_entry":
                target.replication.write(op, entity.packet_replication_engine_entry, target.engine)
            case "action_profile_member":
                target.profiles.write_member(op, entity.action_profile_member)
            case "action_profile_group":
                target.profiles.write_group(op, entity.action_profile_group)
            case "value_set_entry":
                target.value_sets.write(op, entity.value_set_entry)
            case "digest_entry":
                target.digests.write(op, entity.digest_entry)
            case None:
                raise invalid("entity is not set")
            case _:
                raise unimplemented(f"writing {kind} is not supported")
