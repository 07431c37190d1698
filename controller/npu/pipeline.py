"""The compiled program: P4Info and target configuration, and the ids behind its names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
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
    search = _Search(p4info)
    actions = search.actions()
    tables = search.tables(actions)
    counters = search.arrays("counter", p4info.counters, COUNTERS)
    meters = search.arrays("meter", p4info.meters, METERS)
    packet_in = search.header("packet_in", PACKET_IN)
    packet_out = search.header("packet_out", PACKET_OUT)
    if search.missing or packet_in is None or packet_out is None:
        raise PipelineError("it lacks " + ", ".join(search.missing))
    return Pipeline(p4info, device_config, tables, actions, counters, meters, packet_in, packet_out)


class _Search:
    """Looks for what the contract names, and notes what is not there as it should be."""

    def __init__(self, p4info: p4i.P4Info) -> None:
        self._p4info = p4info
        self.missing: list[str] = []

    def actions(self) -> dict[str, Members]:
        """All actions with their parameters."""
        offered = {action.preamble.alias: action for action in self._p4info.actions}
        found = {}
        for alias, fields in ACTIONS.items():
            action = offered.get(alias)
            if action is None:
                self._lacks(f"action {alias}")
                continue
            members = {p.name: (p.id, p.bitwidth) for p in action.params}
            found[alias] = self._members(f"action {alias}", action.preamble.id, members, fields)
        return found

    def tables(self, actions: Mapping[str, Members]) -> dict[str, Members]:
        """All tables with their match fields."""
        offered = {table.preamble.alias: table for table in self._p4info.tables}
        found = {}
        for alias, fields in TABLES.items():
            table = offered.get(alias)
            if table is None:
                self._lacks(f"table {alias}")
                continue
            members = {field.name: (field.id, field.bitwidth) for field in table.match_fields}
            found[alias] = self._members(f"table {alias}", table.preamble.id, members, fields)
            self._check(alias, table, actions)
        return found

    def _check(self, alias: str, table: p4i.Table, actions: Mapping[str, Members]) -> None:
        fields, kinds = TABLES[alias], KINDS.get(alias, {})
        if len(table.match_fields) > len(fields):
            self.missing.append(f"table {alias} without fields that the controller does not know")
        for field in table.match_fields:
            kind = kinds.get(field.name, "exact")
            if field.name in fields and field.match_type != _MATCH_TYPES[kind]:
                self.missing.append(f"{field.name} in table {alias} as a key of kind {kind}")
        offered = {reference.id for reference in table.action_refs}
        for name in TABLE_ACTIONS[alias]:
            if name not in actions or actions[name].id not in offered:
                self.missing.append(f"action {name} in table {alias}")
        if alias in SESSION_TABLES:
            if table.idle_timeout_behavior != p4i.Table.NOTIFY_CONTROL:
                self.missing.append(f"idle time-outs (support_timeout) of table {alias}")
            if not _has_direct_counter(self._p4info, table.preamble.id):
                self.missing.append(f"direct counter of table {alias}")

    def arrays(
        self, kind: str, offered: Iterable[p4i.Counter | p4i.Meter], names: Iterable[str]
    ) -> dict[str, int]:
        """The ids of all counters, or of all meters, that there are."""
        found = {array.preamble.alias: array.preamble.id for array in offered}
        for name in names:
            if name not in found:
                self._lacks(f"{kind} {name}")
        return found

    def header(self, alias: str, fields: Fields) -> Members | None:
        """The header of packets to or from the controller."""
        for header in self._p4info.controller_packet_metadata:
            if header.preamble.alias == alias:
                members = {field.name: (field.id, field.bitwidth) for field in header.metadata}
                return self._members(f"header {alias}", header.preamble.id, members, fields)
        self.missing.append(f"controller header {alias}")
        return None

    def _lacks(self, what: str) -> None:
        if what not in OPTIONAL:
            self.missing.append(what)

    def _members(
        self, what: str, id_: int, found: Mapping[str, tuple[int, int]], wanted: Fields
    ) -> Members:
        optional = OPTIONAL_FIELDS.get(what, frozenset())
        for name, width in wanted.items():
            if name not in found:
                if name not in optional:
                    self.missing.append(f"{name} in {what}")
            elif found[name][1] != width and not (name in NARROW_FIELDS and found[name][1] < width):
                has = found[name][1]
                self.missing.append(f"{name} of {width} bits (it has {has}) in {what}")
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
