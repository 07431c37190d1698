"""Carrying forwarding state over to another pipeline: everything is read there and written here.

Source: P4Runtime specification, "SetForwardingPipelineConfig RPC", RECONCILE_AND_COMMIT.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from finsy.proto import p4r

from p4embed.switch.engine import Metering
from p4embed.switch.p4runtime.errors import BatchError
from p4embed.switch.p4runtime.read import Reader
from p4embed.switch.p4runtime.target import Target
from p4embed.switch.p4runtime.write import Writer

_BATCH = 1000

_INSERT, _MODIFY = p4r.Update.INSERT, p4r.Update.MODIFY


def carry_over(old: Target, new: Target) -> None:
    """Write what ``old`` holds to ``new``; ``P4RuntimeError`` says what does not fit."""
    updates = _updates(old)
    while batch := list(islice(updates, _BATCH)):
        request = p4r.WriteRequest(updates=batch)
        try:
            Writer(new).write(request)
        except BatchError as error:
            raise next(one for one in error.outcomes if one is not None) from None


def _updates(old: Target) -> Iterator[p4r.Update]:
    """Members before groups before entries, as they refer to each other."""
    everything: list[tuple[p4r.Update.Type.ValueType, p4r.Entity]] = []
    member, group, digest, value_set = p4r.Entity(), p4r.Entity(), p4r.Entity(), p4r.Entity()
    member.action_profile_member.SetInParent()
    group.action_profile_group.SetInParent()
    digest.digest_entry.SetInParent()
    value_set.value_set_entry.SetInParent()
    multicast, clone = p4r.Entity(), p4r.Entity()
    multicast.packet_replication_engine_entry.multicast_group_entry.SetInParent()
    clone.packet_replication_engine_entry.clone_session_entry.SetInParent()
    entries, defaults = p4r.Entity(), p4r.Entity()
    entries.table_entry.counter_data.SetInParent()
    entries.table_entry.meter_config.SetInParent()
    defaults.table_entry.is_default_action = True
    counters, registers, meters = p4r.Entity(), p4r.Entity(), p4r.Entity()
    counters.counter_entry.SetInParent()
    registers.register_entry.SetInParent()
    meters.meter_entry.SetInParent()
    everything += [(_INSERT, query) for query in (member, group, multicast, clone, digest)]
    everything += [(_MODIFY, query) for query in (value_set, defaults, counters, registers)]
    if isinstance(old.engine, Metering):
        everything.append((_MODIFY, meters))
    everything.append((_INSERT, entries))
    reader = Reader(old)
    for type_, query in everything:
        for entity in _worth_keeping(old, reader.entities(query)):
            yield p4r.Update(type=type_, entity=entity)


def _worth_keeping(old: Target, entities: Iterable[p4r.Entity]) -> Iterator[p4r.Entity]:
    """Leave out what is as it is in every fresh pipeline, and what no controller may write."""
    for entity in entities:
        match entity.WhichOneof("entity"):
            case "table_entry":
                entry = entity.table_entry
                if entry.is_const or (entry.is_default_action and _is_original(old, entry)):
                    continue
            case "counter_entry" if not (
                entity.counter_entry.data.packet_count or entity.counter_entry.data.byte_count
            ):
                continue
            case "register_entry" if not any(entity.register_entry.data.bitstring):
                continue
            case "meter_entry" if not entity.meter_entry.HasField("config"):
                continue
            case "value_set_entry" if not entity.value_set_entry.members:
                continue
        yield entity


def _is_original(old: Target, entry: p4r.TableEntry) -> bool:
    table = old.translator.table(entry.table_id)
    declared = table.table.default
    original = None if declared is None else (declared.action, declared.params)
    return old.engine.default(table.index) == original
