"""Wings and interfaces as P4Runtime table entries, and back.

Values are canonical byte strings: the shortest that hold the number, at least one byte
(P4Runtime specification, "Bytestrings"). Messages are built directly: this runs for every wing.
"""

from __future__ import annotations

from collections.abc import Iterator

from finsy.proto import p4r

from controller.config.schema import Configuration, Interface, NpuSite, ScreenProfile
from controller.flow import FlowKey, Path
from controller.messages import InstallWing
from controller.npu.pipeline import Members, Pipeline
from controller.reasons import FIRST_SCREEN

EXTENSION_LIMIT = 8
"""IPv6 extension headers that a packet may have: as many as an NPU walks."""


def number(value: int) -> bytes:
    """A number as a canonical byte string."""
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


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
        values["epoch"] = number(0)
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


def entry_key(entry: p4r.TableEntry) -> bytes:
    """What identifies an entry with exact keys only."""
    key = p4r.TableEntry(table_id=entry.table_id, match=entry.match)
    return key.SerializeToString(deterministic=True)


def interface_entries(
    configuration: Configuration, npu: int, pipeline: Pipeline
) -> Iterator[p4r.TableEntry]:
    """Both interface tables of an NPU. Interfaces without a zone have no entry: what arrives on
    them is dropped as ``NO_INTERFACE``."""
    for interface in configuration.interfaces.values():
        if interface.port.npu != npu or not interface.zone or not interface.enabled:
            continue
        zone = configuration.zones[interface.zone]
        screens, alarm_only = _profile(configuration.screens.get(zone.screen))
        common = {
            "zone": number(zone.id),
            "screens": number(screens),
            "alarm_only": number(alarm_only),
            "extension_limit": number(EXTENSION_LIMIT),
            "features": number(0),
        }
        ingress = {
            "token": number(interface.token),
            "mac": canonical(interface.mac),
            "vr": number(0),
            "epoch": number(0),
            **common,
        }
        for side, values in (("ingress", ingress), ("egress", common)):
            entry = _interface_key(pipeline.tables[f"{side}_interface"], interface)
            _fill(entry.action.action, pipeline.actions[f"set_{side}_interface"], values)
            yield entry


def _profile(profile: ScreenProfile | None) -> tuple[int, int]:
    """Bit maps of the screens that are on and of those that only raise an alarm."""
    if profile is None:
        return 0, 0
    bits = sum(1 << (screen - FIRST_SCREEN) for screen in profile.screens)
    return bits, bits if profile.alarm_without_drop else 0


def _interface_key(table: Members, interface: Interface) -> p4r.TableEntry:
    match = p4r.FieldMatch
    exact = p4r.FieldMatch.Exact
    return p4r.TableEntry(
        table_id=table.id,
        match=[
            match(field_id=table.fields["port"], exact=exact(value=number(interface.port.port))),
            match(field_id=table.fields["vlan"], exact=exact(value=number(interface.vlan))),
        ],
    )


def _fill(action: p4r.Action, members: Members, values: dict[str, bytes]) -> None:
    action.action_id = members.id
    for name, id_ in members.fields.items():
        action.params.add(param_id=id_, value=values[name])
