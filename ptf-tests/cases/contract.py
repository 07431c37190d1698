"""What the compiled program offers the controller is what docs/ARCHITECTURE.md promises."""

from __future__ import annotations

from support import base

E, L, T, R = "EXACT", "LPM", "TERNARY", "RANGE"
Key = dict[str, tuple[int, str]]

INTERFACE: Key = {"port": (9, E), "vlan": (12, E)}
WING_REST: Key = {
    "src_port": (16, E), "dst_port": (16, E), "protocol": (8, E), "token": (16, E),
}  # fmt: skip
TERM_REST: Key = {
    "protocol": (8, T), "src_port": (16, R), "dst_port": (16, R), "tcp_flags": (8, T),
    "fragment": (2, T), "dscp": (6, T), "icmp": (16, T),
}  # fmt: skip
TRACE_REST: Key = {"src_port": (16, T), "dst_port": (16, T), "protocol": (8, T)}


def addresses(bits: int, match: str) -> Key:
    return {"src_addr": (bits, match), "dst_addr": (bits, match)}


TABLES: dict[str, Key] = {
    "ingress_interface": INTERFACE,
    "ingress_features": INTERFACE,
    "egress_interface": INTERFACE,
    "egress_features": INTERFACE,
    "session_v4": {**addresses(32, E), **WING_REST},
    "session_v6": {**addresses(128, E), **WING_REST},
    "distribution": {},
    "spu_bucket": {"bucket": (8, E)},
    "screen_thresholds": {"zone": (8, E)},
    "reverse_path_v4": {"vr": (8, E), "src_addr": (32, L)},
    "reverse_path_v6": {"vr": (8, E), "src_addr": (128, L)},
    "flood_white_list": {"zone": (8, E), "protocol": (8, E), **addresses(128, T)},
    "egress_screen_thresholds": {"zone": (8, E)},
    "egress_reverse_path_v4": {"vr": (8, E), "src_addr": (32, L)},
    "egress_reverse_path_v6": {"vr": (8, E), "src_addr": (128, L)},
    "egress_flood_white_list": {"zone": (8, E), "protocol": (8, E), **addresses(128, T)},
    "session_limit_source": {"zone": (8, E), "address": (128, E)},
    "session_limit_destination": {"zone": (8, E), "address": (128, E)},
    "input_filter_v4": {"filter": (16, E), **addresses(32, T), **TERM_REST},
    "input_filter_v6": {"filter": (16, E), **addresses(128, T), **TERM_REST},
    "output_filter_v4": {"filter": (16, E), **addresses(32, T), **TERM_REST},
    "output_filter_v6": {"filter": (16, E), **addresses(128, T), **TERM_REST},
    "dscp_classifier": {"classifier": (8, E), "dscp": (6, E)},
    "pcp_classifier": {"classifier": (8, E), "pcp": (3, E), "dei": (1, E)},
    "dscp_rewrite": {"rewrite": (8, E), "forwarding_class": (3, E), "loss_priority": (2, E)},
    "trace_v4": {"port": (9, T), **addresses(32, T), **TRACE_REST},
    "trace_v6": {"port": (9, T), **addresses(128, T), **TRACE_REST},
}

PROFILE = {"zone": 8, "screens": 64, "alarm_only": 64, "extension_limit": 8}
WING = {"session_id": 32, "wing": 1, "spu": 8, "epoch": 8}
WAY_OUT = {"src_mac": 48, "dst_mac": 48, "vlan": 12, "port": 9, "remote_port": 9}
TERM = {
    "verdict": 8, "count": 16, "policer": 16, "policer_action": 8, "set_class": 1,
    "forwarding_class": 3, "set_loss": 1, "loss_priority": 2, "log": 1,
}  # fmt: skip
ACTIONS: dict[str, dict[str, int]] = {
    "set_ingress_interface": {
        "token": 16, "mac": 48, **PROFILE, "vr": 8, "epoch": 8, "features": 1,
    },
    "set_ingress_features": {
        "filter_v4": 16, "filter_v6": 16, "dscp_classifier": 8, "pcp_classifier": 8, "trace": 1,
    },
    "set_egress_interface": {**PROFILE, "vr": 8, "features": 1},
    "set_egress_features": {"filter_v4": 16, "filter_v6": 16, "dscp_rewrite": 8, "shaper": 16},
    "to_spu": WING,
    "express_v4": {
        **WING, "src_addr": 32, "dst_addr": 32, "src_port": 16, "dst_port": 16, **WAY_OUT,
    },
    "express_v6": {**WING, **WAY_OUT},
    "normal": {},
    "hash_based": {},
    "set_spu": {"spu": 8},
    "set_thresholds": {
        **dict.fromkeys(
            (
                "icmp_flood", "udp_flood", "syn_flood_attack", "syn_flood_alarm",
                "syn_flood_source", "syn_flood_destination", "ip_sweep", "tcp_sweep", "udp_sweep",
                "port_scan", "udp_port_scan",
            ),
            32,
        ),
        "white_lists": 1,
    },
    "white_listed": {},
    "reverse_zone": {"zone": 8},
    "at_source_limit": {},
    "at_destination_limit": {},
    "input_filter_term": TERM,
    "output_filter_term": TERM,
    "set_class": {"forwarding_class": 3, "loss_priority": 2},
    "set_dscp": {"dscp": 6},
    "trace": {"filter": 8},
}  # fmt: skip

COUNTERS = {
    "arrived": 512, "forwarded": 512, "drops": 256, "egress_drops": 256, "punts": 256,
    "punts_refused": 256, "copies": 256, "egress_copies": 256, "screen_hits": 16384,
    "egress_screen_hits": 16384, "filter_counts": 1024, "output_filter_counts": 1024,
    "policer_drops": 256, "output_policer_drops": 256,
}  # fmt: skip
METERS = {"punt_meter": 256, "policers": 256, "output_policers": 256, "shapers": 2048}

CLASS = {"forwarding_class": 3, "loss_priority": 2}
HEADERS = {
    "packet_in": {
        "reason": 8, "trace": 1, "ingress_port": 9, "token": 16, "session_id": 32, **CLASS,
        "wing": 1, "spu": 8, "epoch": 8, "stage": 8, "verdict": 8, "detail": 8, "filter": 8,
        "egress_port": 9,
    },
    "packet_out": {
        "send": 8, "trace": 1, **CLASS, "first": 1, "egress_port": 9, "source_zone": 8,
    },
}  # fmt: skip


class Tables(base.NpuTest):
    """Match fields, their widths and kinds; what is more than idle time-outs and counters."""

    def runTest(self) -> None:
        names = self.client.names
        found = {
            table: {name: (field.bits, field.match) for name, field in declared.fields.items()}
            for table, declared in names.tables.items()
        }
        self.assertEqual(found, TABLES)
        for table in ("session_v4", "session_v6"):
            self.assertTrue(names.tables[table].idle_timeout, table)
            self.assertIn(names.tables[table].id, names.direct_counters.values())


class Actions(base.NpuTest):
    """Parameters and their widths."""

    def runTest(self) -> None:
        for action, params in ACTIONS.items():
            found = {
                name: field.bits for name, field in self.client.names.actions[action].params.items()
            }
            self.assertEqual(found, params, action)


class CountersAndMeters(base.NpuTest):
    """Names and cells."""

    def runTest(self) -> None:
        names = self.client.names
        self.assertEqual({name: it.size for name, it in names.counters.items()}, COUNTERS)
        self.assertEqual({name: it.size for name, it in names.meters.items()}, METERS)


class CpuHeaders(base.NpuTest):
    """Fields in front of packets from and to the controller."""

    def runTest(self) -> None:
        found = {
            header: {name: field.bits for name, field in fields.items() if name[:3] != "pad"}
            for header, fields in self.client.names.headers.items()
        }
        self.assertEqual(found, HEADERS)
