"""Wings as P4Runtime table entries, and back.

Values are canonical byte strings: the shortest that hold the number, at least one byte
(P4Runtime specification, "Bytestrings"). Messages are built directly: this runs for every wing.
"""

from __future__ import annotations

from finsy.proto import p4r

from controller.config.schema import NpuSite
from controller.flow import FlowKey, Path
from controller.messages import InstallWing
from controller.npu.pipeline import Members, Pipeline
from controller.npu.tables import number


def canonical(value: bytes) -> bytes:
    """Bytes of a fixed width, such as an address, as a canonical byte string."""
    return value.lstrip(b"\0") or b"\0"


def padded(value: bytes, width: int) -> bytes:
    """A byte string of the wire at its full width in bytes; targets may send either form."""
    return value.lstrip(b"\0").rjust(width, b"\0")


class SessionEntries:
    """Turns wings into entries of one NPU's session tables."""

    def __init__(self, pipeline: Pipeline, site: NpuSite) -> None:
        self._site = site
        self._tables = {4: pipeline.tables["session_v4"], 16: pipeline.tables["session_v6"]}
        self._size_of = {table.id: size for size, table in self._tables.items()}
        self._to_spu = pipeline.actions["to_spu"]
        self.epoch = 0
        """Goes with every wing; that of the interfaces, or the wing is stale."""
        self._express = {4: pipeline.actions["express_v4"], 16: pipeline.actions["express_v6"]}

    @property
    def table_ids(self) -> tuple[int, ...]:
        """The session tables."""
        return tuple(self._size_of)

    def key(self, key: FlowKey) -> p4r.TableEntry:
        """An entry with nothing but what identifies a wing's."""
        table = self._tables[len(key.src)]
        fields = table.fields
        match = p4r.FieldMatch
        exact = p4r.FieldMatch.Exact
        return p4r.TableEntry(
            table_id=table.id,
            match=[
                match(field_id=fields["src_addr"], exact=exact(value=canonical(key.src))),
                match(field_id=fields["dst_addr"], exact=exact(value=canonical(key.dst))),
                match(field_id=fields["src_port"], exact=exact(value=number(key.sport))),
                match(field_id=fields["dst_port"], exact=exact(value=number(key.dport))),
                match(field_id=fields["protocol"], exact=exact(value=number(key.protocol))),
                match(field_id=fields["token"], exact=exact(value=number(key.token))),
            ],
        )

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

    def install(self, message: InstallWing) -> p4r.TableEntry:
        """The entry of a wing."""
        entry = self.key(message.wing.key)
        if message.path is Path.EXPRESS:
            action = self._express[len(message.wing.key.src)]
            values = self._express_values(message)
        else:
            action = self._to_spu
            values = {}
        values["session_id"] = number(message.session_id)
        values["wing"] = number(message.direction)
        values["spu"] = number(message.spu)
        values["epoch"] = number(self.epoch)
        _fill(entry.action.action, action, values)
        entry.idle_timeout_ns = message.idle_timeout
        entry.metadata = message.record
        return entry

    def _express_values(self, message: InstallWing) -> dict[str, bytes]:
        wing = message.wing
        hop = wing.hop
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
        if len(wing.key.src) == 4:
            new = wing.translated
            values["src_addr"] = canonical(new.src)
            values["dst_addr"] = canonical(new.dst)
            values["src_port"] = number(new.sport)
            values["dst_port"] = number(new.dport)
        return values


def _fill(action: p4r.Action, members: Members, values: dict[str, bytes]) -> None:
    action.action_id = members.id
    for name, id_ in members.fields.items():
        action.params.add(param_id=id_, value=values[name])
