"""P4Info by name: the contract's aliases on one side, P4Runtime's numbers on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finsy.proto import p4i, p4r
from google.protobuf import text_format

Value = int | bytes
"""An unsigned number, or bytes in network order (addresses)."""
Match = Value | tuple[Value, Value]
"""What a key field is to match: a value; a value and the length of its prefix, or its mask; the
first and the last of a range."""


class UnknownName(LookupError):
    """The P4Info has no entity of this name."""


def encode(value: Value) -> bytes:
    """Shortest byte string of an unsigned number (P4Runtime specification, 8.3)."""
    number = int.from_bytes(value, "big") if isinstance(value, bytes) else value
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def decode(value: bytes) -> int:
    """The number that a P4Runtime byte string stands for."""
    return int.from_bytes(value, "big")


@dataclass(frozen=True, slots=True)
class Field:
    """A key field, action parameter or header field: its number and width in bits."""

    id: int
    bits: int
    match: str = ""
    """How a key field is matched: exact, lpm, ternary or range."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its number, key fields by name, and largest number of entries."""

    id: int
    fields: dict[str, Field]
    size: int
    idle_timeout: bool
    action_names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Action:
    """An action: its number and parameters by name."""

    id: int
    params: dict[str, Field]


@dataclass(frozen=True, slots=True)
class Counter:
    """An indexed counter, or meter: its number and its cells."""

    id: int
    size: int


class Names:
    """Everything the P4Info lists, by alias."""

    def __init__(self, path: Path) -> None:
        self.p4info: Any = text_format.Parse(path.read_text(), p4i.P4Info())
        self.actions = {
            action.preamble.alias: Action(
                action.preamble.id,
                {param.name: Field(param.id, param.bitwidth) for param in action.params},
            )
            for action in self.p4info.actions
        }
        action_alias = {action.id: alias for alias, action in self.actions.items()}
        self.tables = {
            table.preamble.alias: Table(
                table.preamble.id,
                {
                    field.name: Field(
                        field.id, field.bitwidth, p4i.MatchField.MatchType.Name(field.match_type)
                    )
                    for field in table.match_fields
                },
                table.size,
                table.idle_timeout_behavior == p4i.Table.NOTIFY_CONTROL,
                frozenset(action_alias[ref.id] for ref in table.action_refs),
            )
            for table in self.p4info.tables
        }
        self.counters = {
            counter.preamble.alias: Counter(counter.preamble.id, counter.size)
            for counter in self.p4info.counters
        }
        self.meters = {
            meter.preamble.alias: Counter(meter.preamble.id, meter.size)
            for meter in self.p4info.meters
        }
        self.direct_counters = {
            counter.preamble.alias: counter.direct_table_id
            for counter in self.p4info.direct_counters
        }
        self.headers = {
            header.preamble.alias: {
                field.name: Field(field.id, field.bitwidth) for field in header.metadata
            }
            for header in self.p4info.controller_packet_metadata
        }

    def entry(
        self,
        table: str,
        key: Mapping[str, Match],
        action: str | None = None,
        params: dict[str, Value] | None = None,
        *,
        priority: int = 0,
    ) -> Any:
        """A ``TableEntry``; fields that are not exact may be left out, and then match anything.

        No action: only the key.
        """
        known = _find(self.tables, table, "table")
        exact = {name: field for name, field in known.fields.items() if field.match == "EXACT"}
        _same_names(
            {**known.fields},
            {**dict.fromkeys(set(known.fields) - set(exact), 0), **key},
            f"key of table {table}",
        )
        entry = p4r.TableEntry(table_id=known.id, priority=priority)
        for name, field in known.fields.items():
            # A prefix of length 0 is the field left out (P4Runtime specification, 9.1.1).
            if name in key and not (field.match == "LPM" and _second(key[name]) == 0):
                _match(entry.match.add(field_id=field.id), field, key[name])
        if action is not None:
            called = _find(self.actions, action, "action")
            given = params or {}
            _same_names(called.params, given, f"parameters of action {action}")
            entry.action.action.action_id = called.id
            for name, field in called.params.items():
                entry.action.action.params.add(param_id=field.id, value=encode(given[name]))
        return entry

    def table_of(self, table_id: int) -> str:
        """Alias of a table by its number."""
        return next(alias for alias, table in self.tables.items() if table.id == table_id)

    def key_of(self, entry: Any) -> dict[str, int]:
        """The key of a ``TableEntry`` by field name."""
        names = {
            field.id: name
            for name, field in self.tables[self.table_of(entry.table_id)].fields.items()
        }
        return {names[match.field_id]: decode(match.exact.value) for match in entry.match}

    def action_of(self, entry: Any) -> tuple[str, dict[str, int]]:
        """Action and parameters of a ``TableEntry`` by name."""
        called = entry.action.action
        alias = next(
            alias for alias, action in self.actions.items() if action.id == called.action_id
        )
        names = {param.id: name for name, param in self.actions[alias].params.items()}
        return alias, {names[param.param_id]: decode(param.value) for param in called.params}


def _second(wanted: Match) -> int | None:
    return decode(encode(wanted[1])) if isinstance(wanted, tuple) else None


def _match(match: Any, field: Field, wanted: Match) -> None:
    first, second = wanted if isinstance(wanted, tuple) else (wanted, None)
    whole = (1 << field.bits) - 1
    if field.match == "EXACT":
        match.exact.value = encode(first)
    elif field.match == "LPM":
        match.lpm.value = encode(first)
        match.lpm.prefix_len = field.bits if second is None else decode(encode(second))
    elif field.match == "TERNARY":
        match.ternary.value = encode(first)
        match.ternary.mask = encode(whole if second is None else second)
    else:
        match.range.low = encode(first)
        match.range.high = encode(first if second is None else second)


def _find(entities: dict[str, Any], name: str, kind: str) -> Any:
    try:
        return entities[name]
    except KeyError:
        raise UnknownName(f"no {kind} {name!r} in the P4Info; it has {sorted(entities)}") from None


def _same_names(known: Mapping[str, Field], given: Mapping[str, object], what: str) -> None:
    if set(known) != set(given):
        raise UnknownName(f"{what} are {sorted(known)}, not {sorted(given)}")
