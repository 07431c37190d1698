"""The compiled program: P4Info and target configuration, and the ids behind its names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from finsy.proto import p4i
from google.protobuf import text_format

from controller.npu.contract import (
    ACTIONS,
    COUNTERS,
    KINDS,
    METERS,
    NARROW_FIELDS,
    OPTIONAL,
    OPTIONAL_FIELDS,
    PACKET_IN,
    PACKET_OUT,
    SESSION_TABLES,
    TABLE_ACTIONS,
    TABLES,
    Fields,
)

_MATCH_TYPES = {
    "exact": p4i.MatchField.EXACT,
    "ternary": p4i.MatchField.TERNARY,
    "range": p4i.MatchField.RANGE,
    "lpm": p4i.MatchField.LPM,
}


class PipelineError(Exception):
    """A program file that cannot be read, or a program that is no NPU's."""


@dataclass(frozen=True, slots=True)
class Members:
    """A table with its match fields, an action with its parameters, or a packet header."""

    id: int
    fields: Mapping[str, int]
    """Field names of the contract to ids."""
    widths: Mapping[int, int]
    """Widths in bits by id; of all fields, padding included."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A program for NPUs, checked against the contract."""

    p4info: p4i.P4Info
    device_config: bytes
    """What the target loads; BMv2 JSON."""
    tables: Mapping[str, Members]
    actions: Mapping[str, Members]
    counters: Mapping[str, int]
    meters: Mapping[str, int]
    packet_in: Members
    packet_out: Members

    @property
    def cookie(self) -> int:
        """Stands for the program; equal programs have equal cookies. 64 bits, never 0."""
        text = self.p4info.SerializeToString(deterministic=True) + self.device_config
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") or 1


def load_pipeline(p4info: Path, device_config: Path) -> Pipeline:
    """Read both files. Raises ``PipelineError`` when one cannot be used, and says why."""
    message = p4i.P4Info()
    try:
        text_format.Parse(_read(p4info, "P4Info").decode("utf-8"), message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise PipelineError(f"{p4info} is no P4Info in text format: {error}") from error
    config = _read(device_config, "pipeline")
    try:
        return resolve(message, config)
    except PipelineError as error:
        raise PipelineError(f"{p4info} is not the P4Info of an NPU: {error}") from None


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PipelineError(
            f"cannot read the {what} file {path}: {error.strerror}; compile p4src/npu.p4 first"
        ) from error


def resolve(p4info: p4i.P4Info, device_config: bytes = b"") -> Pipeline:
    """Find everything the contract names. Raises ``PipelineError`` naming all that is missing."""
    missing: list[str] = []
    tables, actions = {}, {}
    action_of = {action.preamble.alias: action for action in p4info.actions}
    for alias, fields in ACTIONS.items():
        action = action_of.get(alias)
        if action is None:
            if f"action {alias}" not in OPTIONAL:
                missing.append(f"action {alias}")
            continue
        members = {p.name: (p.id, p.bitwidth) for p in action.params}
        actions[alias] = _members(f"action {alias}", action.preamble.id, members, fields, missing)
    table_of = {table.preamble.alias: table for table in p4info.tables}
    for alias, fields in TABLES.items():
        table = table_of.get(alias)
        if table is None:
            if f"table {alias}" not in OPTIONAL:
                missing.append(f"table {alias}")
            continue
        members = {field.name: (field.id, field.bitwidth) for field in table.match_fields}
        tables[alias] = _members(f"table {alias}", table.preamble.id, members, fields, missing)
        if len(table.match_fields) > len(fields):
            missing.append(f"table {alias} without fields that the controller does not know")
        kinds = KINDS.get(alias, {})
        for field in table.match_fields:
            kind = kinds.get(field.name, "exact")
            if field.name in fields and field.match_type != _MATCH_TYPES[kind]:
                missing.append(f"{field.name} in table {alias} as a key of kind {kind}")
        offered = {reference.id for reference in table.action_refs}
        for name in TABLE_ACTIONS[alias]:
            if name not in actions or actions[name].id not in offered:
                missing.append(f"action {name} in table {alias}")
        if alias in SESSION_TABLES:
            if table.idle_timeout_behavior != p4i.Table.NOTIFY_CONTROL:
                missing.append(f"idle time-outs (support_timeout) of table {alias}")
            if not _has_direct_counter(p4info, table.preamble.id):
                missing.append(f"direct counter of table {alias}")
    counter_of = {counter.preamble.alias: counter.preamble.id for counter in p4info.counters}
    meter_of = {meter.preamble.alias: meter.preamble.id for meter in p4info.meters}
    arrays = [(f"counter {a}", counter_of.get(a)) for a in COUNTERS]
    arrays += [(f"meter {a}", meter_of.get(a)) for a in METERS]
    missing += [what for what, id_ in arrays if id_ is None and what not in OPTIONAL]
    headers = {}
    for alias, fields in {"packet_in": PACKET_IN, "packet_out": PACKET_OUT}.items():
        header = next(
            (h for h in p4info.controller_packet_metadata if h.preamble.alias == alias), None
        )
        if header is None:
            missing.append(f"controller header {alias}")
            continue
        members = {field.name: (field.id, field.bitwidth) for field in header.metadata}
        headers[alias] = _members(f"header {alias}", header.preamble.id, members, fields, missing)
    if missing:
        raise PipelineError("it lacks " + ", ".join(missing))
    return Pipeline(
        p4info, device_config, tables, actions, counter_of, meter_of, headers["packet_in"],
        headers["packet_out"],
    )  # fmt: skip


def _members(
    what: str, id_: int, found: Mapping[str, tuple[int, int]], wanted: Fields, missing: list[str]
) -> Members:
    optional = OPTIONAL_FIELDS.get(what, frozenset())
    for name, width in wanted.items():
        if name not in found:
            if name not in optional:
                missing.append(f"{name} in {what}")
        elif found[name][1] != width and not (name in NARROW_FIELDS and found[name][1] < width):
            missing.append(f"{name} of {width} bits (it has {found[name][1]}) in {what}")
    return Members(
        id_,
        {name: found[name][0] for name in wanted if name in found},
        dict(found.values()),
    )


def _has_direct_counter(p4info: p4i.P4Info, table: int) -> bool:
    return any(
        counter.direct_table_id == table and counter.spec.unit == p4i.CounterSpec.BOTH
        for counter in p4info.direct_counters
    )
