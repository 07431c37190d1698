"""What the controller needs of an NPU's program: tables, actions, counters and CPU-port headers.

The same as the tables of ``docs/ARCHITECTURE.md``, as data. ``pipeline.py`` holds a P4Info against
it and turns the names into that program's ids.
"""

from __future__ import annotations

from collections.abc import Mapping

Fields = Mapping[str, int]
"""Names and widths in bits, in order."""

_INTERFACE_KEY = {"port": 9, "vlan": 12}
_PROFILE = {"zone": 8, "screens": 64, "alarm_only": 64, "extension_limit": 8}
_WING = {"session_id": 32, "wing": 1, "spu": 8, "epoch": 8}
_OUT = {"src_mac": 48, "dst_mac": 48, "vlan": 12, "port": 9, "remote_port": 9}
_PORTS = {"src_port": 16, "dst_port": 16}
_REST = {**_PORTS, "protocol": 8, "token": 16}

TABLES: Mapping[str, Fields] = {
    "ingress_interface": _INTERFACE_KEY,
    "egress_interface": _INTERFACE_KEY,
    "session_v4": {"src_addr": 32, "dst_addr": 32, **_REST},
    "session_v6": {"src_addr": 128, "dst_addr": 128, **_REST},
}
"""Match fields, all exact."""

ACTIONS: Mapping[str, Fields] = {
    "set_ingress_interface": {
        "token": 16,
        "mac": 48,
        **_PROFILE,
        "vr": 8,
        "epoch": 8,
        "features": 1,
    },
    "set_egress_interface": {**_PROFILE, "features": 1},
    "to_spu": _WING,
    "express_v4": {**_WING, "src_addr": 32, "dst_addr": 32, **_PORTS, **_OUT},
    "express_v6": {**_WING, **_OUT},
}
"""Parameters."""

TABLE_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ingress_interface": ("set_ingress_interface",),
    "egress_interface": ("set_egress_interface",),
    "session_v4": ("to_spu", "express_v4"),
    "session_v6": ("to_spu", "express_v6"),
}

SESSION_TABLES = ("session_v4", "session_v6")
"""Those with direct counters and idle time-outs."""

COUNTERS = ("drops", "egress_drops", "punts", "screen_hits", "egress_screen_hits")

PACKET_IN: Fields = {
    "reason": 8,
    "ingress_port": 9,
    "token": 16,
    "session_id": 32,
    "wing": 1,
    "spu": 8,
}
PACKET_OUT: Fields = {"send": 8, "egress_port": 9}
"""Beside these, headers may have padding, which is sent as zero and not looked at."""
