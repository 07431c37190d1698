"""Between P4Runtime's ids and byte strings and the engine's indices and packed bytes.

Built once per pipeline from P4Info and the program, which must agree. One translator per table and
action, with everything looked up beforehand: a Write of a thousand entries spends its time here.

Source: P4Runtime specification, "Bytestrings", "TableEntry", "Match Format" and "Action
Specification".
"""

from __future__ import annotations

from dataclasses import dataclass

from finsy.proto import p4i, p4r

from p4embed.switch.engine import Entry, EntryKey
from p4embed.switch.p4runtime.bytestrings import Part, canonical, pack
from p4embed.switch.p4runtime.errors import P4RuntimeError, denied, invalid, not_found
from p4embed.switch.p4runtime.packets import PacketTranslator
from p4embed.switch.program import Action, Program, Table

MatchType = p4i.MatchField
Scope = p4i.ActionRef


MAX_METADATA = 65535
"""Bytes of metadata that an entry may carry."""


class MismatchError(ValueError):
    """P4Info and program do not belong together."""


class ActionTranslator:
    """Parameters of one action."""

    def __init__(self, info: p4i.Action, action: Action) -> None:
        self.p4info_id = info.preamble.id
        self.name = info.preamble.name
        self.parts = tuple(Part.make(p.id, p.name, p.bitwidth) for p in info.params)
        if [p.width for p in action.params] != [p.width for p in self.parts]:
            raise MismatchError(f"action '{self.name}': parameters differ from the program's")
        self._ids = [part.id for part in self.parts]
        self._fast = [(part.id, part.size, part.limit) for part in self.parts]

    def pack(self, action: p4r.Action) -> bytes:
        """Packed parameters."""
        params = action.params
        packed = []
        if len(params) == len(self._fast):
            for param, (id_, size, limit) in zip(params, self._fast, strict=True):
                value = param.value
                if param.param_id != id_:
                    return self._pack_carefully(action)
                if len(value) == size and value[0] <= limit:
                    packed.append(value)
                elif 0 < len(value) < size:
                    packed.append(value.rjust(size, b"\0"))
                else:
                    return self._pack_carefully(action)
            return b"".join(packed)
        return self._pack_carefully(action)

    def _pack_carefully(self, action: p4r.Action) -> bytes:
        """In any order, of any length."""
        values: dict[int, bytes] = {}
        for param in action.params:
            if param.param_id not in self._ids:
                raise invalid(f"action '{self.name}' has no parameter with id {param.param_id}")
            if param.param_id in values:
                raise invalid(f"action '{self.name}': parameter {param.param_id} is given twice")
            values[param.param_id] = param.value
        packed = []
        for part in self.parts:
            if part.id not in values:
                raise invalid(f"action '{self.name}': parameter '{part.name}' is missing")
            what = f"action '{self.name}' parameter '{part.name}'"
            packed.append(pack(values[part.id], part.size, part.limit, what))
        return b"".join(packed)

    def unpack(self, packed: bytes, into: p4r.Action) -> None:
        """Fill in a message."""
        into.action_id = self.p4info_id
        at = 0
        for part in self.parts:
            into.params.add(param_id=part.id, value=canonical(packed[at : at + part.size]))
            at += part.size


@dataclass(frozen=True)
class TableAction:
    """An action as one table has it: ids are the table's own."""

    translator: ActionTranslator
    json_id: int
    in_entries: bool
    as_default: bool


class TableTranslator:
    """Keys and entries of one table."""

    def __init__(
        self,
        index: int,
        table: Table,
        info: p4i.Table,
        actions: dict[int, TableAction],
        direct_counter: bool,
    ) -> None:
        self.index = index
        self.table = table
        self.id = info.preamble.id
        self.name = info.preamble.name
        self.actions = actions
        """By P4Info id."""
        self.by_json_id = {action.json_id: action for action in actions.values()}
        self.has_counter = direct_counter
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
        self._fast = [(part.id, part.size, part.limit) for part in self.parts]
        self._exact_ones = tuple(part.ones() for part in self.parts)

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
            value, mask = self._match(part, type_, fields.get(part.id))
            values.append(value)
            masks.append(mask)
        if not self.masked:
            return EntryKey(b"".join(values))
        return EntryKey(b"".join(values), b"".join(masks), entry.priority)

    def _match(
        self, part: Part, type_: p4i.MatchField.MatchType.ValueType, field: p4r.FieldMatch | None
    ) -> tuple[bytes, bytes]:
        """Value and mask (range: low and high end) of one field."""
        what = f"table '{self.name}' field '{part.name}'"
        if field is None:
            if type_ == MatchType.EXACT:
                raise invalid(f"{what} is missing; exact fields cannot be left out")
            zeros = bytes(part.size)
            return zeros, part.ones() if type_ == MatchType.RANGE else zeros
        given = field.WhichOneof("field_match_type")
        wanted = p4i.MatchField.MatchType.Name(type_).lower()
        if given != wanted:
            raise invalid(f"{what} has match type '{given}'; expected '{wanted}'")

        def fit(value: bytes) -> bytes:
            return pack(value, part.size, part.limit, what)

        if type_ == MatchType.EXACT:
            return fit(field.exact.value), part.ones()
        if type_ == MatchType.OPTIONAL:
            return fit(field.optional.value), part.ones()
        if type_ == MatchType.LPM:
            length = field.lpm.prefix_len
            if not 0 < length <= part.width:
                raise invalid(
                    f"{what}: prefix_len {length}; expected 1..{part.width}"
                    " (leave the field out to match anything)"
                )
            value, ones = fit(field.lpm.value), (1 << part.width) - 1
            mask = ones ^ (ones >> length)
            if int.from_bytes(value, "big") & ~mask:
                raise invalid(f"{what}: bits beyond the prefix are set in 0x{value.hex()}")
            return value, mask.to_bytes(part.size, "big")
        if type_ == MatchType.TERNARY:
            value, packed_mask = fit(field.ternary.value), fit(field.ternary.mask)
            if not any(packed_mask):
                raise invalid(f"{what}: mask 0; leave the field out to match anything")
            if int.from_bytes(value, "big") & ~int.from_bytes(packed_mask, "big"):
                raise invalid(f"{what}: bits outside the mask are set in 0x{value.hex()}")
            return value, packed_mask
        low, high = fit(field.range.low), fit(field.range.high)
        if low > high:
            raise invalid(f"{what}: low end 0x{low.hex()} above high end 0x{high.hex()}")
        if not any(low) and high == part.ones():
            raise invalid(f"{what}: the whole range; leave the field out to match anything")
        return low, high

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
            if type_ == MatchType.EXACT:
                into.match.add(field_id=part.id).exact.value = canonical(value)
            elif type_ == MatchType.RANGE:
                if any(value) or mask != part.ones():
                    field = into.match.add(field_id=part.id)
                    field.range.low, field.range.high = canonical(value), canonical(mask)
            elif any(mask):
                field = into.match.add(field_id=part.id)
                if type_ == MatchType.LPM:
                    field.lpm.value = canonical(value)
                    field.lpm.prefix_len = int.from_bytes(mask, "big").bit_count()
                elif type_ == MatchType.TERNARY:
                    field.ternary.value, field.ternary.mask = canonical(value), canonical(mask)
                else:
                    field.optional.value = canonical(value)

    # -- entries ------------------------------------------------------------------------------

    def action(self, entry: p4r.TableEntry, default: bool = False) -> tuple[int, bytes]:
        """The JSON id and packed parameters of an entry's (or the default) action."""
        type_ = entry.action.WhichOneof("type")
        if type_ != "action":
            raise invalid(f"table '{self.name}': {type_ or 'no action'}; expected 'action'")
        action = entry.action.action
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
        """Fill in a message with all but volatile data."""
        self.unpack_key(entry.key, into)
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


class Translator:
    """All of a pipeline's translators, by P4Info id."""

    def __init__(self, p4info: p4i.P4Info, program: Program) -> None:
        self.program = program
        self.tables: dict[int, TableTranslator] = {}
        self.by_index: dict[int, TableTranslator] = {}
        infos = {action.preamble.id: action for action in p4info.actions}
        direct = {counter.direct_table_id for counter in p4info.direct_counters}
        for info in p4info.tables:
            name = info.preamble.name
            index = _find(program.tables_by_name, name, "table")
            table = program.tables[index]
            actions = dict(_table_actions(info, table, infos, program))
            translator = TableTranslator(index, table, info, actions, info.preamble.id in direct)
            self.tables[info.preamble.id] = translator
            self.by_index[index] = translator
        counters = {counter.name: i for i, counter in enumerate(program.counters)}
        registers = {register.name: i for i, register in enumerate(program.registers)}
        self.counters = {
            c.preamble.id: _find(counters, c.preamble.name, "counter") for c in p4info.counters
        }
        self.registers = {
            r.preamble.id: _find(registers, r.preamble.name, "register") for r in p4info.registers
        }
        headers = {m.preamble.name: m for m in p4info.controller_packet_metadata}
        self.packet_in = PacketTranslator(headers.get("packet_in", _NO_HEADER))
        self.packet_out = PacketTranslator(headers.get("packet_out", _NO_HEADER))

    def table(self, table_id: int) -> TableTranslator:
        """A table by id; ``NOT_FOUND`` without one."""
        translator = self.tables.get(table_id)
        if translator is None:
            raise _unknown("table", table_id)
        return translator


def _unknown(kind: str, id_: int) -> P4RuntimeError:
    return not_found(f"no {kind} has id {id_} (0x{id_:08x})")


def _find(names: dict[str, int], name: str, kind: str) -> int:
    if name not in names:
        raise MismatchError(f"the program has no {kind} '{name}'")
    return names[name]


def _table_actions(
    info: p4i.Table, table: Table, infos: dict[int, p4i.Action], program: Program
) -> list[tuple[int, TableAction]]:
    """The program may hold an action several times, once per table: take this table's own."""
    own = {program.actions_by_id[id_].name: program.actions_by_id[id_] for id_ in table.actions}
    actions = []
    for ref in info.action_refs:
        if ref.id not in infos:
            raise MismatchError(f"table '{table.name}': no action has id {ref.id}")
        name = infos[ref.id].preamble.name
        if name not in own:
            raise MismatchError(f"table '{table.name}' has no action '{name}' in the program")
        translator = ActionTranslator(infos[ref.id], own[name])
        actions.append(
            (
                ref.id,
                TableAction(
                    translator,
                    own[name].id,
                    in_entries=ref.scope != Scope.DEFAULT_ONLY,
                    as_default=ref.scope != Scope.TABLE_ONLY,
                ),
            )
        )
    return actions
