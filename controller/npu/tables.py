"""Table entries, meters and default actions by the names of the contract.

For what is written when a configuration takes effect; session entries, which are written all the
time, have a way of their own (``entries.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from finsy.proto import p4r

from controller.npu.contract import KINDS, TABLES
from controller.npu.pipeline import Members, Pipeline


def number(value: int) -> bytes:
    """A number as a canonical byte string."""
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


class MissingStage(Exception):
    """The NPU's program cannot do what the configuration asks for; the text says what."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A table entry. Without a match it is the table's default action.

    A key's value is a number for exact keys, (value, mask) for ternary ones, (value, prefix
    length) for lpm, and (low, high) for ranges, both included. A key that is left out matches
    anything; so does a mask or prefix length of 0.
    """

    table: str
    action: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    match: Mapping[str, int | tuple[int, int]] = field(default_factory=dict)
    priority: int = 0
    """The higher one wins; needed where a key is ternary or a range, else 0."""
    purpose: str = ""
    """What of the configuration needs it, for messages."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A meter cell: two rates a second and their bursts, in packets or bytes."""

    meter: str
    cell: int
    committed: int
    committed_burst: int
    peak: int
    peak_burst: int
    purpose: str = ""


def table_entry(pipeline: Pipeline, entry: Entry) -> p4r.TableEntry:
    """The entry as it goes on the wire. Raises ``MissingStage``."""
    table = pipeline.tables.get(entry.table)
    action = pipeline.actions.get(entry.action)
    if table is None or action is None:
        raise MissingStage(f"{entry.purpose or entry.table} needs the table {entry.table}")
    message = p4r.TableEntry(table_id=table.id, priority=entry.priority)
    kinds = KINDS.get(entry.table, {})
    for name, width in TABLES[entry.table].items():
        value = entry.match.get(name)
        if value is not None:
            match = field_match(table.fields[name], kinds.get(name, "exact"), value, width)
            if match is not None:
                message.match.append(match)
    message.is_default_action = not TABLES[entry.table]
    message.action.action.action_id = action.id
    for name, value in entry.parameters.items():
        _parameter(message.action.action, entry, action, name, value)
    return message


def _parameter(message: p4r.Action, entry: Entry, action: Members, name: str, value: int) -> None:
    id_ = action.fields.get(name)
    if id_ is None:
        if value:
            raise MissingStage(f"{entry.purpose} needs the parameter {name} of {entry.action}")
        return  # A parameter of 0 stands for "none" throughout the contract.
    width = action.widths[id_]
    if value >> width:
        raise MissingStage(f"{entry.purpose} needs more than the {width} bits of {name}")
    message.params.add(param_id=id_, value=number(value))


def field_match(
    id_: int, kind: str, value: int | tuple[int, int], width: int
) -> p4r.FieldMatch | None:
    """One key; ``None`` if it matches anything."""
    match = p4r.FieldMatch(field_id=id_)
    if isinstance(value, int):
        match.exact.value = number(value)
        return match
    first, second = value
    if kind == "range":
        if first == 0 and second == (1 << width) - 1:
            return None
        match.range.low, match.range.high = number(first), number(second)
    elif second == 0:
        return None
    elif kind == "lpm":
        match.lpm.value, match.lpm.prefix_len = number(first), second
    else:
        match.ternary.value, match.ternary.mask = number(first & second), number(second)
    return match


def meter_entry(pipeline: Pipeline, rate: Rate) -> p4r.MeterEntry:
    """The cell as it goes on the wire. Raises ``MissingStage``."""
    meter = pipeline.meters.get(rate.meter)
    if meter is None:
        raise MissingStage(f"{rate.purpose or rate.meter} needs the meter {rate.meter}")
    return p4r.MeterEntry(
        meter_id=meter,
        index=p4r.Index(index=rate.cell),
        config=p4r.MeterConfig(
            cir=rate.committed,
            cburst=rate.committed_burst,
            pir=rate.peak,
            pburst=rate.peak_burst,
        ),
    )
