"""What the controller needs of an NPU's program: tables, actions, counters, meters and headers.

The same as the tables of ``docs/ARCHITECTURE.md``, as data. ``pipeline.py`` holds a P4Info against
it and turns the names into that program's ids. A program may leave out what is in ``OPTIONAL``, a
smaller one made for learning, say: then configuration that needs it is refused when the controller
starts.
"""

from __future__ import annotations

from collections.abc import Mapping

Fields = Mapping[str, int]
"""Names and widths in bits, in order."""

_INTERFACE_KEY = {"port": 9, "vlan": 12}
_SCREENS = {"screens": 64, "alarm_only": 64, "extension_limit": 8}
_WING = {"session_id": 32, "wing": 1, "spu": 8, "epoch": 8}
_OUT = {"src_mac": 48, "dst_mac": 48, "vlan": 12, "port": 9, "remote_port": 9}
_PORTS = {"src_port": 16, "dst_port": 16}
_REST = {**_PORTS, "protocol": 8, "token": 16}
_V4 = {"src_addr": 32, "dst_addr": 32}
_V6 = {"src_addr": 128, "dst_addr": 128}
_WHITE_LIST = {"zone": 8, "protocol": 8, **_V6}
_TERM_REST = {"protocol": 8, **_PORTS, "tcp_flags": 8, "fragment": 2, "dscp": 6, "icmp": 16}
_CLASS = {"forwarding_class": 3, "loss_priority": 2}
_TERM = {
    "verdict": 8,
    "count": 16,
    "policer": 16,
    "policer_action": 8,
    "set_class": 1,
    "forwarding_class": 3,
    "set_loss": 1,
    "loss_priority": 2,
    "log": 1,
}

TABLES: Mapping[str, Fields] = {
    "ingress_interface": _INTERFACE_KEY,
    "ingress_features": _INTERFACE_KEY,
    "egress_interface": _INTERFACE_KEY,
    "egress_features": _INTERFACE_KEY,
    "session_v4": {**_V4, **_REST},
    "session_v6": {**_V6, **_REST},
    "distribution": {},
    "spu_bucket": {"bucket": 8},
    "screen_thresholds": {"zone": 8},
    "reverse_path_v4": {"vr": 8, "src_addr": 32},
    "reverse_path_v6": {"vr": 8, "src_addr": 128},
    "flood_white_list": _WHITE_LIST,
    "egress_screen_thresholds": {"zone": 8},
    "egress_reverse_path_v4": {"vr": 8, "src_addr": 32},
    "egress_reverse_path_v6": {"vr": 8, "src_addr": 128},
    "egress_flood_white_list": _WHITE_LIST,
    "session_limit_source": {"zone": 8, "address": 128},
    "session_limit_destination": {"zone": 8, "address": 128},
    "input_filter_v4": {"filter": 16, **_V4, **_TERM_REST},
    "input_filter_v6": {"filter": 16, **_V6, **_TERM_REST},
    "output_filter_v4": {"filter": 16, **_V4, **_TERM_REST},
    "output_filter_v6": {"filter": 16, **_V6, **_TERM_REST},
    "dscp_classifier": {"classifier": 8, "dscp": 6},
    "pcp_classifier": {"classifier": 8, "pcp": 3, "dei": 1},
    "dscp_rewrite": {"rewrite": 8, **_CLASS},
    "trace_v4": {"port": 9, **_V4, **_PORTS, "protocol": 8},
    "trace_v6": {"port": 9, **_V6, **_PORTS, "protocol": 8},
}
"""Match fields; exact, unless ``KINDS`` says otherwise."""

_TERM_KINDS = {
    "src_addr": "ternary",
    "dst_addr": "ternary",
    "protocol": "ternary",
    "src_port": "range",
    "dst_port": "range",
    "tcp_flags": "ternary",
    "fragment": "ternary",
    "dscp": "ternary",
    "icmp": "ternary",
}

_WHITE_LIST_KINDS = dict.fromkeys(_V6, "ternary")

KINDS: Mapping[str, Mapping[str, str]] = {
    "reverse_path_v4": {"src_addr": "lpm"},
    "reverse_path_v6": {"src_addr": "lpm"},
    "egress_reverse_path_v4": {"src_addr": "lpm"},
    "egress_reverse_path_v6": {"src_addr": "lpm"},
    "flood_white_list": _WHITE_LIST_KINDS,
    "egress_flood_white_list": _WHITE_LIST_KINDS,
    "input_filter_v4": _TERM_KINDS,
    "input_filter_v6": _TERM_KINDS,
    "output_filter_v4": _TERM_KINDS,
    "output_filter_v6": _TERM_KINDS,
    "trace_v4": dict.fromkeys(TABLES["trace_v4"], "ternary"),
    "trace_v6": dict.fromkeys(TABLES["trace_v6"], "ternary"),
}
"""Match kinds of fields that are not exact."""

ACTIONS: Mapping[str, Fields] = {
    "set_ingress_interface": {
        "token": 16,
        "zone": 8,
        "mac": 48,
        **_SCREENS,
        "vr": 8,
        "epoch": 8,
        "features": 1,
    },
    "set_ingress_features": {
        "filter_v4": 16,
        "filter_v6": 16,
        "dscp_classifier": 8,
        "pcp_classifier": 8,
        "trace": 1,
    },
    "set_egress_interface": {"zone": 8, **_SCREENS, "vr": 8, "features": 1},
    "set_egress_features": {"filter_v4": 16, "filter_v6": 16, "dscp_rewrite": 8, "shaper": 16},
    "to_spu": _WING,
    "express_v4": {**_WING, **_V4, **_PORTS, **_OUT},
    "express_v6": {**_WING, **_OUT},
    "normal": {},
    "hash_based": {},
    "set_spu": {"spu": 8},
    "set_thresholds": {
        "icmp_flood": 32,
        "udp_flood": 32,
        "syn_flood_attack": 32,
        "syn_flood_alarm": 32,
        "syn_flood_source": 32,
        "syn_flood_destination": 32,
        "ip_sweep": 32,
        "tcp_sweep": 32,
        "udp_sweep": 32,
        "port_scan": 32,
        "udp_port_scan": 32,
        "white_lists": 1,
    },
    "white_listed": {},
    "reverse_zone": {"zone": 8},
    "at_source_limit": {},
    "at_destination_limit": {},
    "input_filter_term": _TERM,
    "output_filter_term": _TERM,
    "set_class": _CLASS,
    "set_dscp": {"dscp": 6},
    "trace": {"filter": 8},
}
"""Parameters."""

TABLE_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ingress_interface": ("set_ingress_interface",),
    "ingress_features": ("set_ingress_features",),
    "egress_interface": ("set_egress_interface",),
    "egress_features": ("set_egress_features",),
    "session_v4": ("to_spu", "express_v4"),
    "session_v6": ("to_spu", "express_v6"),
    "distribution": ("normal", "hash_based"),
    "spu_bucket": ("set_spu",),
    "screen_thresholds": ("set_thresholds",),
    "reverse_path_v4": ("reverse_zone",),
    "reverse_path_v6": ("reverse_zone",),
    "flood_white_list": ("white_listed",),
    "egress_screen_thresholds": ("set_thresholds",),
    "egress_reverse_path_v4": ("reverse_zone",),
    "egress_reverse_path_v6": ("reverse_zone",),
    "egress_flood_white_list": ("white_listed",),
    "session_limit_source": ("at_source_limit",),
    "session_limit_destination": ("at_destination_limit",),
    "input_filter_v4": ("input_filter_term",),
    "input_filter_v6": ("input_filter_term",),
    "output_filter_v4": ("output_filter_term",),
    "output_filter_v6": ("output_filter_term",),
    "dscp_classifier": ("set_class",),
    "pcp_classifier": ("set_class",),
    "dscp_rewrite": ("set_dscp",),
    "trace_v4": ("trace",),
    "trace_v6": ("trace",),
}

SESSION_TABLES = ("session_v4", "session_v6")
"""Those with direct counters and idle time-outs."""

COUNTERS = (
    "arrived",
    "forwarded",
    "drops",
    "egress_drops",
    "punts",
    "punts_refused",
    "copies",
    "egress_copies",
    "screen_hits",
    "egress_screen_hits",
    "filter_counts",
    "output_filter_counts",
    "policer_drops",
    "output_policer_drops",
)

METERS = ("punt_meter", "policers", "output_policers", "shapers")

PACKET_IN: Fields = {
    "reason": 8,
    "trace": 1,
    "ingress_port": 9,
    "token": 16,
    "session_id": 32,
    "forwarding_class": 3,
    "loss_priority": 2,
    "wing": 1,
    "spu": 8,
    "epoch": 8,
    "stage": 8,
    "verdict": 8,
    "detail": 8,
    "filter": 8,
    "egress_port": 9,
}
PACKET_OUT: Fields = {
    "send": 8,
    "trace": 1,
    "forwarding_class": 3,
    "loss_priority": 2,
    "first": 1,
    "egress_port": 9,
    "source_zone": 8,
}
"""Beside these, headers may have padding, which is sent as zero and not looked at."""

OPTIONAL: frozenset[str] = frozenset(
    [f"table {name}" for name in TABLES if not name.endswith("_interface")]
    + [f"action {name}" for name in ACTIONS]
    + [f"counter {name}" for name in COUNTERS]
    + [f"meter {name}" for name in METERS]
) - {
    *(f"table {name}" for name in SESSION_TABLES),
    *(f"action {name}" for name in ("to_spu", "express_v4", "express_v6")),
    *(f"action set_{side}_interface" for side in ("ingress", "egress")),
    *(f"counter {name}" for name in ("drops", "egress_drops", "punts")),
}
"""What a program may lack."""

_INTERFACE_EXTRAS = frozenset(("extension_limit", "vr", "epoch", "features"))
_MARK = frozenset(("trace", "forwarding_class", "loss_priority"))

OPTIONAL_FIELDS: Mapping[str, frozenset[str]] = {
    "action set_ingress_interface": _INTERFACE_EXTRAS,
    "action set_egress_interface": _INTERFACE_EXTRAS,
    "action set_thresholds": frozenset(("syn_flood_alarm", "white_lists")),
    "action to_spu": frozenset(("epoch",)),
    "action express_v4": frozenset(("epoch",)),
    "action express_v6": frozenset(("epoch",)),
    "header packet_in": _MARK | {"epoch", "stage", "verdict", "detail", "filter", "egress_port"},
    "header packet_out": _MARK | {"first", "source_zone"},
}
"""Fields that a program may lack."""

NARROW_FIELDS = frozenset(("screens", "alarm_only"))
"""Fields that a program may make narrower: bits that do not fit are refused when they are used."""
