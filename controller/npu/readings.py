"""What an NPU answers when it is asked for the counters and idle times of wings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from finsy.proto import p4r

from controller.flow import Nanoseconds
from controller.npu.entries import SessionEntries
from controller.npu.wire import tag, varint_at

_ENTITIES = tag(p4r.ReadResponse.DESCRIPTOR.fields_by_name["entities"].number)[0]
_TABLE_ENTRY = tag(p4r.Entity.DESCRIPTOR.fields_by_name["table_entry"].number)[0]


class WingState(NamedTuple):
    """What an entry of a session table counts."""

    idle: Nanoseconds
    """Since its last hit."""
    packets: int
    bytes: int


States = Sequence[WingState | None]
"""Of the wings that were asked for, in order; ``None``: there is no such entry."""


def states(entries: SessionEntries, keys: Sequence[bytes], answers: Sequence[bytes]) -> States:
    """What serialized ``ReadResponse`` messages say of entries with these keys (as by
    ``SessionEntries.key``). Raises ``DecodeError``."""
    found = _as_asked(keys, answers)
    return _by_key(entries, keys, answers) if found is None else found


def _as_asked(keys: Sequence[bytes], answers: Sequence[bytes]) -> list[WingState | None] | None:
    """For answers that come in order, with keys spelt as in the question, as they nearly always
    are: a comparison of bytes in place of twenty message objects. ``None`` for all others."""
    found: list[WingState | None] = [None] * len(keys)
    read = p4r.TableEntry.FromString
    number = 0
    try:
        for answer in answers:
            at = 0
            while at < len(answer):
                if answer[at] != _ENTITIES:
                    return None
                _, at = varint_at(answer, at + 1)
                if answer[at] != _TABLE_ENTRY:
                    return None
                size, at = varint_at(answer, at + 1)
                while not answer.startswith(keys[number], at):
                    number += 1
                end = at + size
                rest = read(answer[at + len(keys[number]) : end])
                count = rest.counter_data
                found[number] = WingState(
                    rest.time_since_last_hit.elapsed_ns, count.packet_count, count.byte_count
                )
                number += 1
                at = end
    except IndexError:
        return None
    return found


def _by_key(entries: SessionEntries, keys: Sequence[bytes], answers: Sequence[bytes]) -> States:
    """For answers in any order, and any spelling of numbers."""
    found = {}
    for answer in answers:
        for entity in p4r.ReadResponse.FromString(answer).entities:
            entry = entity.table_entry
            count = entry.counter_data
            found[entries.flow_key(entry)] = WingState(
                entry.time_since_last_hit.elapsed_ns, count.packet_count, count.byte_count
            )
    return [found.get(entries.flow_key(p4r.TableEntry.FromString(key))) for key in keys]
