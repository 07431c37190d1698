"""Wings as P4Runtime table entries, and back.

Values are canonical byte strings: the shortest that hold the number, at least one byte
(P4Runtime specification, "Bytestrings"). This runs for every wing, so entries are put together
from bytes (``wire.py``); templates made once with the message classes say which.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from finsy.proto import p4r

from controller.config.cards import NpuSite
from controller.flow import Direction, FlowKey, Hop, Nanoseconds, Path, Tuple5
from controller.messages import InstallWing
from controller.npu.pipeline import Members, Pipeline
from controller.npu.tables import number
from controller.npu.wire import prefixes, scalar, tag, varint

INSERT, MODIFY, DELETE = p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE

_LONGEST = 16
"""Bytes of the longest value, an IPv6 address."""
_REMEMBERED = 4096
"""Pieces of entries of a kind that are kept ready."""

_ENTRY = {name: field.number for name, field in p4r.TableEntry.DESCRIPTOR.fields_by_name.items()}
_TABLE_ENTRY = tag(p4r.Entity.DESCRIPTOR.fields_by_name["table_entry"].number)
_ENTITY = tag(p4r.Update.DESCRIPTOR.fields_by_name["entity"].number)
_ACTION = tag(_ENTRY["action"])
_CALL = tag(p4r.TableAction.DESCRIPTOR.fields_by_name["action"].number)
_METADATA = tag(_ENTRY["metadata"])

_Template = list[bytes]
"""What goes before a value, by its length."""
_BYTE = [bytes((value,)) for value in range(256)]


def canonical(value: bytes) -> bytes:
    """Bytes of a fixed width, such as an address, as a canonical byte string."""
    return value.lstrip(b"\0") or b"\0"


def padded(value: bytes, width: int) -> bytes:
    """A byte string of the wire at its full width in bytes; targets may send either form."""
    return value.lstrip(b"\0").rjust(width, b"\0")


def update_of(kind: p4r.Update.Type.ValueType, entry: bytes) -> bytes:
    """A serialized ``Update`` of a serialized ``TableEntry``."""
    size = len(entry)
    length = varint(size)
    return b"".join((_KINDS[kind], varint(size + len(length) + 1), _TABLE_ENTRY, length, entry))


_KINDS = {
    kind: p4r.Update(type=kind).SerializeToString() + _ENTITY for kind in (INSERT, MODIFY, DELETE)
}


def query_of(entry: bytes) -> bytes:
    """The serialized ``Entity`` that asks for a wing's counter and idle time. ``entry``: its
    ``key``."""
    return b"".join((_TABLE_ENTRY, varint(len(entry) + len(_ASK)), entry, _ASK))


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
        self._timeouts: dict[Nanoseconds, bytes] = {}

    @property
    def epoch(self) -> int:
        """Goes with every wing; that of the interfaces, or the wing is stale."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        for action in (self._to_spu, *self._express.values()):
            action.owners.clear()

    @property
    def table_ids(self) -> tuple[int, ...]:
        """The session tables."""
        return tuple(self._size_of)

    def key(self, key: FlowKey) -> bytes:
        """A serialized entry with nothing but what identifies a wing's."""
        return self._keys[len(key.src)].entry(key)

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
        id_ = number(message.session_id)
        if message.path is Path.EXPRESS:
            action = self._express[size]
            translation = action.translation(wing.translated) if size == 4 else b""
            way = action.ways.get(wing.hop) or self._way(action, wing.hop)
        else:
            action = self._to_spu
            translation = way = b""
        owner = action.owners.get(message.spu << 1 | message.direction) or self._owner(
            action, message.direction, message.spu
        )
        call = b"".join((action.head, action.session_id[len(id_)], id_, owner, translation, way))
        length = varint(len(call))
        timeout = self._timeouts.get(message.idle_timeout) or self._timeout(message.idle_timeout)
        record = message.record
        return b"".join(
            (
                self._keys[size].entry(wing.key),
                _ACTION, varint(len(call) + len(length) + 1), _CALL, length, call,
                timeout,
                _METADATA + varint(len(record)) if record else b"", record,
            )
        )  # fmt: skip

    def _owner(self, action: _Action, direction: Direction, spu: int) -> bytes:
        """The parameters that all wings of an SPU have in common."""
        values = {"wing": number(direction), "spu": number(spu), "epoch": number(self._epoch)}
        found = action.owners[spu << 1 | direction] = action.of(values)
        return found

    def _way(self, action: _Action, hop: Hop) -> bytes:
        """The parameters that all wings with this hop have in common."""
        if hop.port.npu == self._site.number:
            port, remote = hop.port.port, 0
        else:
            # Every NPU is joined to every other (controller/routing/fabric.py).
            port, remote = self._site.fabric[hop.port.npu], hop.port.port
        values = {
            "src_mac": canonical(hop.src_mac),
            "dst_mac": canonical(hop.dst_mac),
            "vlan": number(hop.vlan),
            "port": number(port),
            "remote_port": number(remote),
        }
        if len(action.ways) >= _REMEMBERED:
            action.ways.clear()
        found = action.ways[hop] = action.of(values)
        return found

    def _timeout(self, timeout: Nanoseconds) -> bytes:
        if len(self._timeouts) >= _REMEMBERED:
            self._timeouts.clear()
        found = self._timeouts[timeout] = scalar(_ENTRY["idle_timeout_ns"], timeout)
        return found


class _Ends:
    """Addresses and ports, one after the other, each behind what goes before it."""

    def __init__(self, *templates: _Template) -> None:
        self._src, self._dst, self._sport, self._dport = templates

    def of(self, src: bytes, dst: bytes, sport: int, dport: int) -> tuple[bytes, ...]:
        """The pieces."""
        if not src[0]:
            src = canonical(src)
        if not dst[0]:
            dst = canonical(dst)
        first = sport.to_bytes(2, "big") if sport > 255 else _BYTE[sport]
        second = dport.to_bytes(2, "big") if dport > 255 else _BYTE[dport]
        return (
            self._src[len(src)], src,
            self._dst[len(dst)], dst,
            self._sport[len(first)], first,
            self._dport[len(second)], second,
        )  # fmt: skip


class _Key:
    """Serialized keys of one session table."""

    def __init__(self, table: Members) -> None:
        def template(name: str) -> _Template:
            return prefixes(partial(_match, table.fields[name]), _LONGEST)

        self._head = p4r.TableEntry(table_id=table.id).SerializeToString()
        self._ends = _Ends(*map(template, ("src_addr", "dst_addr", "src_port", "dst_port")))
        self._protocol, self._token = template("protocol"), template("token")
        self._tails: dict[int, bytes] = {}

    def entry(self, key: FlowKey) -> bytes:
        """An entry with this key."""
        src, dst, sport, dport, protocol, token = key
        tail = self._tails.get(protocol << 16 | token) or self._tail(protocol, token)
        return b"".join((self._head, *self._ends.of(src, dst, sport, dport), tail))

    def _tail(self, protocol: int, token: int) -> bytes:
        """What keys of an interface's sessions have in common."""
        if len(self._tails) >= _REMEMBERED:
            self._tails.clear()
        first, second = number(protocol), number(token)
        of = self._protocol[len(first)] + first + self._token[len(second)] + second
        self._tails[protocol << 16 | token] = of
        return of


class _Action:
    """Serialized calls of one action."""

    def __init__(self, action: Members) -> None:
        self.head = p4r.Action(action_id=action.id).SerializeToString()
        self._templates: Mapping[str, _Template] = {
            name: prefixes(partial(_parameter, id_), _LONGEST)
            for name, id_ in action.fields.items()
        }
        self.session_id = self._templates["session_id"]
        self.owners: dict[int, bytes] = {}
        """Parameters by what wings have in common: SPU * 2 + direction, ..."""
        self.ways: dict[Hop, bytes] = {}
        """... and hop."""
        ends = ("src_addr", "dst_addr", "src_port", "dst_port")
        self._ends = None
        if all(name in self._templates for name in ends):
            self._ends = _Ends(*(self._templates[name] for name in ends))

    def of(self, values: Mapping[str, bytes]) -> bytes:
        """Some of its parameters; those that this program's action lacks are left out."""
        of = self._templates
        return b"".join(of[name][len(v)] + v for name, v in values.items() if name in of)

    def translation(self, new: Tuple5) -> bytes:
        """The parameters that are a wing's own, of an action that has them."""
        assert self._ends is not None
        return b"".join(self._ends.of(new.src, new.dst, new.sport, new.dport))


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
