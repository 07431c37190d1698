"""What takes an update back: for batches that are applied as a whole or not at all."""

from __future__ import annotations

from finsy.proto import p4r

from p4embed.switch.p4runtime.read import Reader
from p4embed.switch.p4runtime.target import Target

Type = p4r.Update


def inverse(update: p4r.Update, target: Target) -> list[p4r.Update]:
    """Updates that restore the entities that ``update`` is about to change.

    A query that fails raises what the update itself would raise.
    """
    if update.type == Type.INSERT:
        return [p4r.Update(type=Type.DELETE, entity=update.entity)]
    type_ = Type.MODIFY if update.type == Type.MODIFY else Type.INSERT
    reader = Reader(target)
    if update.entity.WhichOneof("entity") == "table_entry":
        before = reader.exactly(update.entity.table_entry)
    else:
        before = list(reader.entities(update.entity))
    return [p4r.Update(type=type_, entity=entity) for entity in before]
