"""Between P4Runtime's ids and byte strings and the engine's indices and packed bytes.

Built once per pipeline from P4Info and the program, which must agree. One translator per table and
action, with everything looked up beforehand: a Write of a thousand entries spends its time here.

Source: P4Runtime specification, "Bytestrings", "TableEntry", "Match Format" and "Action
Specification".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from finsy.proto import p4i, p4r

from p4embed.switch.engine import Entry, EntryKey
from p4embed.switch.p4runtime.actions import TableAction, table_actions
from p4embed.switch.p4runtime.bytestrings import Part
from p4embed.switch.p4runtime.data import DigestTranslator
from p4embed.switch.p4runtime.errors import (
    MismatchError,
    P4RuntimeError,
    denied,
    invalid,
    not_found,
)
from p4embed.switch.p4runtime.matches import ValueSetTranslator, pack_match, unpack_match
from p4embed.switch.p4runtime.packets import PacketTranslator
from p4embed.switch.p4runtime.translation import in_own_widths
from p4embed.switch.program import Implementation, Profile, Program, Table

MatchType = p4i.MatchField


MAX_METADATA = 65535
"""Bytes of metadata that an entry may carry."""


class _Named(Protocol):
    @property
    def preamble(self) -> p4i.Preamble: ...


class _Declared(Protocol):
    @property
    def name(self) -> str: ...


class TableTranslator:
    """Keys and entries of one table."""

    def __init__(
        self,
        index: int,
        table: Table,
        info: p4i.Table,
        actions: dict[int, TableAction],
        direct: frozenset[type],
    ) -> None:
        self.index = index
        self.table = table
        self.id = info.preamble.id
        self.name = info.preamble.name
        self.actions = actions
        """By P4Info id."""
        self.by_json_id = {action.json_id: action for action in actions.values()}
        self.has_counter = p4i.DirectCounter in direct
        self.has_meter = p4i.DirectMeter in direct
        self.profile_id = info.implementation_id
        """P4Info id of its action profile; 0 without one."""
        self.is_const = info.is_const_table
        self.const_default = info.const_default_action_id != 0
        self.supports_timeout = info.idle_timeout_behavior == p4i.Table.NOTIFY_CONTROL
        self.parts = tuple(Part.make(f.id, f.name, f.bitwidth) for f in info.match_fields)
        self.types = tuple(f.match_type for f in info.match_fields)
        self.masked = any(t != MatchType.EXACT for t in self.types)
        self.prioritized = any(
            t in (MatchType.TERNARY, MatchType.RANGE, MatchType.OPTIONAL) for t in self.types
        )
        if [field.width for field in table.key] != [part.width for part in self.parts]:
            raise MismatchError(f"table '{self.name}': key fields differ from the program's")
        if table.masked != self.masked or table.prioritized != self.prioritized:
            raise MismatchError(f"table '{self.name}': match types differ from the program's")
        if (table.implementation is Implementation.SIMPLE) != (self.profile_id == 0):
            raise MismatchError(f"table '{self.name}': only one of both has an action profile")
        self._fast = [(part.id, part.size, part.limit) for part in self.parts]

    # -- keys ---------------------------------------------------------------------------------

    def key(self, entry: p4r.TableEntry) -> EntryKey:
        """The engine's key of a message; ``INVALID_ARGUMENT`` if it is no key of this table."""
        if not self.masked:
            match = entry.match
            if entry.priority:
                raise invalid(f"table '{self.name}' has no priorities; expected priority 0")
            if len(match) == len(self._fast):
                packed = []
                for field, (id_, size, limit) in zip(match, self._fast, strict=True):
                    value = field.exact.value
                    if field.field_id != id_:
                        break
                    if len(value) == size and value[0] <= limit:
                        packed.append(value)
                    elif 0 < len(value) < size:
                        packed.append(value.rjust(size, b"\0"))
                    else:
                        break
                else:
                    if packed:
                        return EntryKey(b"".join(packed))
        return self._key_carefully(entry)

    def _key_carefully(self, entry: p4r.TableEntry) -> EntryKey:
        if not self.parts:
            raise invalid(f"table '{self.name}' has no key, so it has no entries but the default")
        if self.prioritized and entry.priority <= 0:
            raise invalid(f"table '{self.name}' needs a priority above 0, not {entry.priority}")
        if not self.prioritized and entry.priority:
            raise invalid(f"table '{self.name}' has no priorities; expected priority 0")
        fields: dict[int, p4r.FieldMatch] = {}
        known = {part.id for part in self.parts}
        for field in entry.match:
            if field.field_id not in known:
                raise invalid(f"table '{self.name}' has no match field with id {field.field_id}")
            if field.field_id in fields:
                raise invalid(f"table '{self.name}': field {field.field_id} is given twice")
            fields[field.field_id] = field
        values, masks = [], []
        for part, type_ in zip(self.parts, self.types, strict=True):
            value, mask = pack_match(part, type_, fields.get(part.id), f"table '{self.name}'")
            values.append(value)
            masks.append(mask)
        if not self.masked:
            return EntryKey(b"".join(values))
        return EntryKey(b"".join(values), b"".join(masks), entry.priority)

    def unpack_key(self, key: EntryKey, into: p4r.TableEntry) -> None:
        """Fill in table, match and priority."""
        into.table_id = self.id
        if key.priority:
            into.priority = key.priority
        at = 0
        for part, type_ in zip(self.parts, self.types, strict=True):
            end = at + part.size
            value, mask = key.value[at:end], key.mask[at:end]
            at = end
            unpack_match(part, type_, value, mask, into)

    # -- entries ------------------------------------------------------------------------------

    def action(self, entry: p4r.TableEntry, default: bool = False) -> tuple[int, bytes]:
        """The JSON id and packed parameters of an entry's (or the default) action."""
        type_ = entry.action.WhichOneof("type")
        if type_ != "action":
            raise invalid(f"table '{self.name}': {type_ or 'no action'}; expected 'action'")
        return self.packed_action(entry.action.action, default)

    def packed_action(self, action: p4r.Action, default: bool) -> tuple[int, bytes]:
        """The JSON id and packed parameters of an action of this table."""
        known = self.actions.get(action.action_id)
        if known is None:
            raise invalid(f"table '{self.name}' has no action with id {action.action_id}")
        if not (known.as_default if default else known.in_entries):
            where = "as default action" if default else "in entries"
            raise denied(
                f"table '{self.name}': action '{known.translator.name}' is not allowed {where}"
            )
        return known.json_id, known.translator.pack(action)

    def entry(self, entry: p4r.TableEntry) -> Entry:
        """A whole entry."""
        key = self.key(entry)
        action, params = self.action(entry)
        return Entry(key, action, params, *self.attributes(entry))

    def attributes(self, entry: p4r.TableEntry) -> tuple[int, bytes]:
        """Idle time-out and metadata."""
        timeout, metadata = entry.idle_timeout_ns, entry.metadata
        if timeout:
            if not self.supports_timeout:
                raise invalid(f"table '{self.name}' does not support idle_timeout_ns")
            if timeout < 0:
                raise invalid(f"idle_timeout_ns {timeout}; expected 0 or more")
        if len(metadata) > MAX_METADATA:
            raise invalid(f"metadata of {len(metadata)} bytes; expected at most {MAX_METADATA}")
        return timeout, metadata

    def unpack_entry(self, entry: Entry, into: p4r.TableEntry) -> None:
        """Fill in a message with all but volatile data, and what refers to an action profile."""
        self.unpack_key(entry.key, into)
        if not self.profile_id:
            self.unpack_action(entry.action, entry.params, into)
        if entry.idle_timeout_ns:
            into.idle_timeout_ns = entry.idle_timeout_ns
        if entry.metadata:
            into.metadata = entry.metadata
        if entry.is_const:
            into.is_const = True

    def unpack_action(self, json_id: int, params: bytes, into: p4r.TableEntry) -> None:
        """Fill in the action."""
        self.by_json_id[json_id].translator.unpack(params, into.action.action)


_NO_HEADER = p4i.ControllerPacketMetadata()


class ProfileTranslator:
    """Actions of the members of one action profile."""

    def __init__(
        self, index: int, info: p4i.ActionProfile, profile: Profile, table: TableTranslator
    ) -> None:
        self.index = index
        self.info = info
        self.name = info.preamble.name
        self.size = info.size
        self.with_selector = info.with_selector
        self._table = table
        if info.with_selector != (profile.selector is not None):
            raise MismatchError(f"action profile '{self.name}': only one of both has a selector")

    def action(self, action: p4r.Action) -> tuple[int, bytes]:
        """The JSON id and packed parameters of a member's action."""
        return self._table.packed_action(action, default=False)


class Translator:
    """All of a pipeline's translators, by P4Info id."""

    def __init__(self, p4info: p4i.P4Info, program: Program) -> None:
        self.program = program
        p4info = in_own_widths(p4info, program)
        self.tables: dict[int, TableTranslator] = {}
        self.by_index: dict[int, TableTranslator] = {}
        infos = {action.preamble.id: action for action in p4info.actions}
        direct: dict[int, set[type]] = {}
        for counter in p4info.direct_counters:
            direct.setdefault(counter.direct_table_id, set()).add(p4i.DirectCounter)
        for meter in p4info.direct_meters:
            direct.setdefault(meter.direct_table_id, set()).add(p4i.DirectMeter)
        for info in p4info.tables:
            name = info.preamble.name
            index = _find(program.tables_by_name, name, "table")
            table = program.tables[index]
            actions = dict(table_actions(info, table, infos, program))
            resources = frozenset(direct.get(info.preamble.id, ()))
            translator = TableTranslator(index, table, info, actions, resources)
            self.tables[info.preamble.id] = translator
            self.by_index[index] = translator
        self.counters = _indices("counter", p4info.counters, program.counters)
        self.meters = _indices("meter", p4info.meters, program.meters)
        self.registers = _indices("register", p4info.registers, program.registers)
        profiles = _indices("action profile", p4info.action_profiles, program.profiles)
        self.profiles = {
            info.preamble.id: self._profile(info, profiles[info.preamble.id])
            for info in p4info.action_profiles
        }
        value_sets = _indices("value set", p4info.value_sets, program.value_sets)
        self.value_sets = {
            info.preamble.id: ValueSetTranslator(value_sets[info.preamble.id], info)
            for info in p4info.value_sets
        }
        for id_, index in value_sets.items():
            if self.value_sets[id_].width != program.value_sets[index].width:
                raise MismatchError(f"value set '{self.value_sets[id_].name}': widths differ")
        digests = _indices("digest", p4info.digests, program.digests)
        self.digests = {
            info.preamble.id: DigestTranslator(
                info,
                p4info.type_info,
                [program.field(ref) for ref in program.digests[digests[info.preamble.id]].fields],
            )
            for info in p4info.digests
        }
        self.digest_ids = {index: id_ for id_, index in digests.items()}
        """P4Info ids by index."""
        headers = {m.preamble.name: m for m in p4info.controller_packet_metadata}
        self.packet_in = PacketTranslator(headers.get("packet_in", _NO_HEADER))
        self.packet_out = PacketTranslator(headers.get("packet_out", _NO_HEADER))

    def _profile(self, info: p4i.ActionProfile, index: int) -> ProfileTranslator:
        for table in self.tables.values():
            if table.profile_id == info.preamble.id:
                if table.table.profile != index:
                    raise MismatchError(f"table '{table.name}' has another action profile")
                return ProfileTranslator(index, info, self.program.profiles[index], table)
        raise MismatchError(f"no table has action profile '{info.preamble.name}'")

    def table(self, table_id: int) -> TableTranslator:
        """A table by id; ``NOT_FOUND`` without one."""
        translator = self.tables.get(table_id)
        if translator is None:
            raise _unknown("table", table_id)
        return translator


def _unknown(kind: str, id_: int) -> P4RuntimeError:
    return not_found(f"no {kind} has id {id_} (0x{id_:08x})")


def _indices(kind: str, infos: Iterable[_Named], declared: Iterable[_Declared]) -> dict[int, int]:
    """The program's indices by P4Info id."""
    names = {one.name: index for index, one in enumerate(declared)}
    return {info.preamble.id: _find(names, info.preamble.name, kind) for info in infos}


def _find(names: dict[str, int], name: str, kind: str) -> int:
    if name not in names:
        raise MismatchError(f"the program has no {kind} '{name}'")
    return names[name]
