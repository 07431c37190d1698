"""Wings as P4Runtime table entries, and back.

Values are canonical byte strings: the shortest that hold the number, at least one byte
(P4Runtime specification, "Bytestrings"). This runs for every wing, so entries are put together
from bytes (``wire.py``); templates made once with the message classes say which.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from finsy.proto import p4r

from controller.config.schema import NpuSite
from controller.flow import Direction, FlowKey, Hop, Path, Tuple5
from controller.messages import InstallWing
from controller.npu.pipeline import Members, Pipeline
from controller.npu.tables import number
from controller.npu.wire import delimited, prefixes, scalar

INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE

_LONGEST = 16
"""Bytes of the longest value, an IPv6 address."""
_HOPS = 4096
"""Hops whose parameters are kept ready."""

_ENTRY = {name: field.number for name, field in p4r.TableEntry.DESCRIPTOR.fields_by_name.items()}
_TABLE_ENTRY = p4r.Entity.DESCRIPTOR.fields_by_name["table_entry"].number
_ENTITY = p4r.Update.DESCRIPTOR.fields_by_name["entity"].number
_ACTION = p4r.TableAction.DESCRIPTOR.fields_by_name["action"].number

_Template = list[bytes]
"""What goes before a value, by its length."""


def canonical(value: bytes) -> bytes:
    """Bytes of a fixed width, such as an address, as a canonical byte string."""
    return value.lstrip(b"\0") or b"\0"


def padded(value: bytes, width: int) -> bytes:
    """A byte string of the wire at its full width in bytes; targets may send either form."""
    return value.lstrip(b"\0").rjust(width, b"\0")


def update_of(kind: p4r.Update.Type.ValueType, entry: bytes) -> bytes:
    """A serialized ``Update`` of a serialized ``TableEntry``."""
    return _KINDS[kind] + delimited(_ENTITY, delimited(_TABLE_ENTRY, entry))


_KINDS = {kind: p4r.Update(type=kind).SerializeToString() for kind in (INSERT, MODIFY, DELETE)}


class SessionEntries:
    """Turns wings into entries of one NPU's session tables."""

    def __init__(self, pipeline: Pipeline, site: NpuSite) -> None:
        self._site = site
        self._tables = {4: pipeline.tables["session_v4"], 16: pipeline.tables["session_v6"]}
        self._size_of = {table.id: size for size, table in self._tables.items()}
        self._keys = {size: _Key(table) for size, table in self._tables.items()}
        self._to_spu = _Action(pipeline.actions["to_spu"])
        self._express = {
            4: _Action(pipeline.actions["express_v4"]),
            16: _Action(pipeline.actions["express_v6"]),
        }
        self._epoch = 0
        self._owners: dict[tuple[_Action, Direction, int], bytes] = {}
        self._ways: dict[tuple[_Action, Hop], bytes] = {}

    @property
    def epoch(self) -> int:
        """Goes with every wing; that of the interfaces, or the wing is stale."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._owners.clear()

    @property
    def table_ids(self) -> tuple[int, ...]:
        """The session tables."""
        return tuple(self._size_of)

    def key(self, key: FlowKey) -> bytes:
        """A serialized entry with nothing but what identifies a wing's."""
        return self._keys[len(key.src)].entry(key)

    def query(self, key: FlowKey) -> bytes:
        """The serialized ``Entity`` that asks for a wing's counter and idle time."""
        return delimited(_TABLE_ENTRY, self.key(key) + _ASK)

    def flow_key(self, entry: p4r.TableEntry) -> FlowKey | None:
        """The wing that an entry of the wire is for; ``None`` if it is of no session table."""
        size = self._size_of.get(entry.table_id)
        if size is None:
            return None
        fields = self._tables[size].fields
        value = {field.field_id: field.exact.value for field in entry.match}
        try:
            return FlowKey(
                padded(value[fields["src_addr"]], size),
                padded(value[fields["dst_addr"]], size),
                *(
                    int.from_bytes(value[fields[name]], "big")
                    for name in ("src_port", "dst_port", "protocol", "token")
                ),
            )
        except KeyError:
            return None

    def install(self, message: InstallWing) -> bytes:
        """The serialized entry of a wing."""
        wing = message.wing
        size = len(wing.key.src)
        if message.path is Path.EXPRESS:
            action = self._express[size]
            way = self._way(action, wing.hop)
            if size == 4:
                way = _translation(action, wing.translated) + way
        else:
            action = self._to_spu
            way = b""
        owner = self._owners.get((action, message.direction, message.spu))
        if owner is None:
            owner = self._owner(action, message.direction, message.spu)
        call = action.head + action.of({"session_id": number(message.session_id)}) + owner + way
        return b"".join(
            (
                self._keys[size].entry(wing.key),
                delimited(_ENTRY["action"], delimited(_ACTION, call)),
                scalar(_ENTRY["idle_timeout_ns"], message.idle_timeout),
                delimited(_ENTRY["metadata"], message.record) if message.record else b"",
            )
        )

    def _owner(self, action: _Action, direction: Direction, spu: int) -> bytes:
        """The parameters that all wings of an SPU have in common."""
        values = {"wing": number(direction), "spu": number(spu), "epoch": number(self._epoch)}
        found = self._owners[action, direction, spu] = action.of(values)
        return found

    def _way(self, action: _Action, hop: Hop) -> bytes:
        """The parameters that all wings with this hop have in common."""
        found = self._ways.get((action, hop))
        if found is not None:
            return found
        if hop.port.npu == self._site.number:
            port, remote = hop.port.port, 0
        else:
            # Every NPU is joined to every other (controller/routing/fabric.py).
            port, remote = self._site.fabric[hop.port.npu], hop.port.port
        if len(self._ways) >= _HOPS:
            self._ways.clear()
        values = {
            "src_mac": canonical(hop.src_mac),
            "dst_mac": canonical(hop.dst_mac),
            "vlan": number(hop.vlan),
            "port": number(port),
            "remote_port": number(remote),
        }
        found = self._ways[action, hop] = action.of(values)
        return found


class _Key:
    """Serialized keys of one session table."""

    def __init__(self, table: Members) -> None:
        self._head = p4r.TableEntry(table_id=table.id).SerializeToString()
        self._templates = [
            prefixes(partial(_match, table.fields[name]), _LONGEST)
            for name in ("src_addr", "dst_addr", "src_port", "dst_port", "protocol", "token")
        ]

    def entry(self, key: FlowKey) -> bytes:
        """An entry with this key."""
        src, dst = canonical(key.src), canonical(key.dst)
        sport, dport = number(key.sport), number(key.dport)
        protocol, token = number(key.protocol), number(key.token)
        of = self._templates
        return b"".join(
            (
                self._head,
                of[0][len(src)], src,
                of[1][len(dst)], dst,
                of[2][len(sport)], sport,
                of[3][len(dport)], dport,
                of[4][len(protocol)], protocol,
                of[5][len(token)], token,
            )
        )  # fmt: skip


class _Action:
    """Serialized calls of one action."""

    def __init__(self, action: Members) -> None:
        self.head = p4r.Action(action_id=action.id).SerializeToString()
        self.templates: Mapping[str, _Template] = {
            name: prefixes(partial(_parameter, id_), _LONGEST)
            for name, id_ in action.fields.items()
        }

    def of(self, values: Mapping[str, bytes]) -> bytes:
        """Some of its parameters; those that this program's action lacks are left out."""
        of = self.templates
        return b"".join(of[name][len(v)] + v for name, v in values.items() if name in of)


def _translation(action: _Action, new: Tuple5) -> bytes:
    """The parameters that are a wing's own."""
    of = action.templates
    src, dst = canonical(new.src), canonical(new.dst)
    sport, dport = number(new.sport), number(new.dport)
    return b"".join(
        (
            of["src_addr"][len(src)], src,
            of["dst_addr"][len(dst)], dst,
            of["src_port"][len(sport)], sport,
            of["dst_port"][len(dport)], dport,
        )
    )  # fmt: skip


def _match(id_: int, value: bytes) -> bytes:
    exact = p4r.FieldMatch.Exact(value=value)
    return p4r.TableEntry(match=[p4r.FieldMatch(field_id=id_, exact=exact)]).SerializeToString()


def _parameter(id_: int, value: bytes) -> bytes:
    param = p4r.Action.Param(param_id=id_, value=value)
    return p4r.Action(params=[param]).SerializeToString()


def _asking() -> bytes:
    """An empty message in these fields asks for their values."""
    entry = p4r.TableEntry()
    entry.counter_data.SetInParent()
    entry.time_since_last_hit.SetInParent()
    return entry.SerializeToString()


_ASK = _asking()
