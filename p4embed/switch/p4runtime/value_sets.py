"""Parser value sets.

Source: P4Runtime specification, "ValueSetEntry".
"""

from __future__ import annotations

from collections.abc import Iterator

from finsy.proto import p4r

from p4embed.switch.engine import Engine, Matching, Op
from p4embed.switch.p4runtime.cells import modify_only
from p4embed.switch.p4runtime.errors import Code, P4RuntimeError, not_found, unimplemented
from p4embed.switch.p4runtime.translate import Translator


class ValueSets:
    """What the controller has written, as it reads it back."""

    def __init__(self, translator: Translator, engine: Engine) -> None:
        self._sets = translator.value_sets
        self._engine = engine
        self._written: dict[int, p4r.ValueSetEntry] = {}

    def write(self, op: Op, entry: p4r.ValueSetEntry) -> None:
        """Replace a set's members."""
        modify_only(op, "a value set")
        value_set = self._sets.get(entry.value_set_id)
        if value_set is None:
            raise not_found(f"no value set has id {entry.value_set_id}")
        if not isinstance(self._engine, Matching):
            raise unimplemented("this executor has no value sets; start with --executor reference")
        if len(entry.members) > value_set.size:
            raise P4RuntimeError(
                Code.RESOURCE_EXHAUSTED,
                f"{len(entry.members)} members; '{value_set.name}' holds {value_set.size}",
            )
        members = [value_set.pack(member.match) for member in entry.members]
        if len(set(members)) != len(members):
            raise P4RuntimeError(Code.ALREADY_EXISTS, f"'{value_set.name}': a member twice")
        self._engine.set_value_set(value_set.index, members)
        self._written[entry.value_set_id] = entry

    def read(self, query: p4r.ValueSetEntry) -> Iterator[p4r.Entity]:
        """A set, or all for id 0."""
        if query.value_set_id and query.value_set_id not in self._sets:
            raise not_found(f"no value set has id {query.value_set_id}")
        for id_ in [query.value_set_id] if query.value_set_id else self._sets:
            entity = p4r.Entity()
            entity.value_set_entry.value_set_id = id_
            if id_ in self._written:
                entity.value_set_entry.CopyFrom(self._written[id_])
            yield entity
