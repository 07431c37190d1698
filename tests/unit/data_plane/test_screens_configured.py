"""Screens from ``set`` lines to the entries of an NPU."""

import pytest

from controller.config.build import parse
from controller.config.chassis import parse_chassis
from controller.config.problems import ConfigurationError
from controller.config.schema import SECOND, Configuration, SynFloodMode
from controller.config.screens import SCREENS, THRESHOLDS
from controller.npu.program import entries
from controller.npu.tables import Entry
from controller.reasons import FIRST_SCREEN, Drop

CHASSIS = parse_chassis("""
[[npu]]
number = 1
address = "127.0.0.1:9559"
device_id = 1

[[spu]]
number = 1
""")

BASE = """
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-1/0/0 unit 0 family inet6 address 2001:db8:1::1/64
set interfaces ge-1/0/1 unit 0 family inet address 10.2.1.1/24
set security zones security-zone trust interfaces ge-1/0/0.0
set security zones security-zone trust screen s
set security zones security-zone dmz interfaces ge-1/0/1.0
set routing-options static route 0.0.0.0/0 next-hop 10.2.1.254
set routing-options static route 10.9.0.0/16 next-hop 10.1.1.254
"""


def configured(*lines: str) -> Configuration:
    """The base with ids-option lines of the profile of zone trust."""
    return parse(BASE + "\n".join(f"set security screen ids-option s {line}" for line in lines))


def written(configuration: Configuration, table: str) -> list[Entry]:
    """What an NPU's table gets."""
    return [e for e in entries(configuration, CHASSIS, 1, 7) if e.table == table]


def trust(configuration: Configuration, side: str) -> Entry:
    """The entry of trust's interface."""
    return next(e for e in written(configuration, f"{side}_interface") if e.parameters["zone"] == 1)


@pytest.mark.parametrize("screen", SCREENS, ids=lambda s: s.drop.name)
def test_every_screen_has_words_that_switch_its_bit_on(screen: object) -> None:
    spec = next(s for s in SCREENS if s is screen)
    words = " ".join(spec.words)
    limit = spec.threshold
    if limit is not None:
        value = limit.low + 1
        words += f" {limit.word} {value}" if limit.word else f" {value}"
    configuration = configured(words)
    profile = configuration.screens["s"]
    assert spec.drop in profile.screens
    bit = 1 << (spec.drop - FIRST_SCREEN)
    of_npu = spec.drop < FIRST_SCREEN + 64
    assert bool(trust(configuration, "ingress").parameters["screens"] & bit) is of_npu
    outward = of_npu and not spec.drop.name.startswith("SCREEN_SESSION_LIMIT")
    assert bool(trust(configuration, "egress").parameters["screens"] & bit) is outward
    if limit is not None:
        assert profile.thresholds[spec.drop] == value


def test_all_screens_are_configurable() -> None:
    every = {drop for drop in Drop if drop.name.startswith("SCREEN_")}
    assert {screen.drop for screen in SCREENS} == every | {Drop.SYN_ACK_ACK_PROXY}


def test_a_session_limit_is_on_only_with_its_number_and_is_no_rate() -> None:
    configuration = configured("limit-session source-ip-based 10")
    profile = configuration.screens["s"]
    assert profile.screens == {Drop.SCREEN_SESSION_LIMIT_SOURCE}
    assert profile.thresholds == {Drop.SCREEN_SESSION_LIMIT_SOURCE: 10}
    assert written(configuration, "screen_thresholds") == []


def test_thresholds_without_a_number_are_the_defaults() -> None:
    profile = configured("icmp flood", "tcp syn-flood", "tcp port-scan").screens["s"]
    assert profile.thresholds == {
        Drop.SCREEN_ICMP_FLOOD: 1000,
        Drop.SCREEN_SYN_FLOOD_ATTACK: 200,
        Drop.SCREEN_SYN_FLOOD_ALARM: 512,
        Drop.SCREEN_SYN_FLOOD_SOURCE: 4000,
        Drop.SCREEN_SYN_FLOOD_DESTINATION: 4000,
        Drop.SCREEN_PORT_SCAN: 5000,
    }


def test_thresholds_go_to_the_zone() -> None:
    configuration = configured("udp flood threshold 50", "tcp syn-flood source-threshold 9")
    (entry,) = written(configuration, "screen_thresholds")
    (outward,) = written(configuration, "egress_screen_thresholds")
    assert entry.match == outward.match == {"zone": 1}
    assert entry.parameters == outward.parameters
    assert entry.parameters["udp_flood"] == 50
    assert entry.parameters["syn_flood_source"] == 9
    assert entry.parameters["icmp_flood"] == 0
    rates = {drop for drop in THRESHOLDS if drop.name.startswith("SCREEN_")}
    assert entry.parameters["white_lists"] == 0
    assert set(entry.parameters) == {drop.name[7:].lower() for drop in rates} - {
        "ipv6_extension_limit",
        "session_limit_source",
        "session_limit_destination",
    } | {"white_lists"}


def test_a_direction_leaves_the_other_without_screens() -> None:
    rates = ("ip spoofing", "udp flood", "tcp land", "alarm-without-drop")
    tables = ("interface", "screen_thresholds", "reverse_path_v4")
    for direction, on, off in (
        ("input", ("ingress_", "", ""), ("egress_", "egress_", "egress_")),
        ("output", ("egress_", "egress_", "egress_"), ("ingress_", "", "")),
    ):
        configuration = configured(*rates, f"match-direction {direction}")
        found = [written(configuration, side + name) for side, name in zip(on, tables, strict=True)]
        bits = found[0][0].parameters["screens"]
        assert bits == 1 | 1 << 32 | 1 << 35 == found[0][0].parameters["alarm_only"]
        assert found[1]
        assert found[2]
        found = [written(configuration, s + name) for s, name in zip(off, tables, strict=True)]
        assert found[0][0].parameters["screens"] == found[0][0].parameters["alarm_only"] == 0
        assert not found[1]
        assert not found[2]
    both = configured(*rates, "match-direction input-output")
    assert both.screens == configured(*rates).screens


def test_white_lists_are_pairs_of_prefixes_on_both_sides() -> None:
    configuration = configured(
        "tcp syn-flood white-list a source-address [ 10.0.0.0/8 2001:db8::/32 ]",
        "tcp syn-flood white-list a destination-address 192.0.2.1",
        "tcp syn-flood white-list b destination-address 192.0.2.1/32",
        "udp flood white-list [ c d ]",
        "icmp flood\nset security screen white-list c address 10.0.0.0/8",
        "icmp flood\nset security screen white-list d address 10.0.0.0/8",
    )
    ten = (0xFFFF0A000000, (1 << 128) - (1 << 24))
    server = (0xFFFFC0000201, (1 << 128) - 1)
    for side in ("", "egress_"):
        found = [dict(e.match) for e in written(configuration, f"{side}flood_white_list")]
        assert found == [
            {"zone": 1, "protocol": 6, "src_addr": ten, "dst_addr": server},
            {"zone": 1, "protocol": 6, "dst_addr": server},
            {"zone": 1, "protocol": 17, "src_addr": ten},
            {"zone": 1, "protocol": 17, "dst_addr": ten},
        ]
        (entry,) = written(configuration, f"{side}screen_thresholds")
        assert entry.parameters["white_lists"] == 1


def test_what_becomes_of_syns_above_the_attack_threshold() -> None:
    plain = configured("tcp syn-flood")
    assert plain.syn_flood_mode is SynFloodMode.COOKIE
    assert plain.screens["s"].syn_flood_timeout == 20 * SECOND
    other = configured(
        "tcp syn-flood timeout 5",
        "tcp syn-ack-ack-proxy threshold 9\nset security flow syn-flood-protection-mode syn-proxy",
    )
    assert other.syn_flood_mode is SynFloodMode.PROXY
    profile = other.screens["s"]
    assert profile.syn_flood_timeout == 5 * SECOND
    assert profile.thresholds[Drop.SYN_ACK_ACK_PROXY] == 9


def test_without_rate_screens_there_are_no_thresholds() -> None:
    assert written(configured("tcp land"), "screen_thresholds") == []


def test_alarm_without_drop_and_the_limit_of_extension_headers() -> None:
    configuration = configured("tcp land", "ip ipv6-extension-header-limit 3", "alarm-without-drop")
    entry = trust(configuration, "ingress")
    assert entry.parameters["screens"] == entry.parameters["alarm_only"] == 1 | 1 << 30
    assert entry.parameters["extension_limit"] == 3
    assert trust(configured("tcp land"), "ingress").parameters["alarm_only"] == 0


def test_spoofing_writes_the_zone_that_each_prefix_is_reached_by() -> None:
    found = {
        e.match["src_addr"]: e.parameters["zone"]
        for table in ("reverse_path_v4", "reverse_path_v6")
        for e in written(configured("ip spoofing"), table)
    }
    assert found == {
        (0x0A010100, 24): 1,
        (0x0A020100, 24): 2,
        (0x0A090000, 16): 1,
        (0, 0): 2,
        (0x20010DB8000100000000000000000000, 64): 1,
    }
    assert written(configured("tcp land"), "reverse_path_v4") == []


def test_routes_of_another_table_are_spelled_out_for_spoofing() -> None:
    more = """
set routing-instances r instance-type virtual-router
set routing-instances r interface ge-1/0/1.0
set routing-instances r routing-options static route 0.0.0.0/0 next-table inet.0
set security screen ids-option s ip spoofing
set interfaces ge-1/0/0 unit 0 family inet address 172.16.0.1/16
"""
    base = BASE.replace(
        "set routing-options static route 0.0.0.0/0 next-hop 10.2.1.254",
        "set routing-options static route 0.0.0.0/0 next-hop 10.1.1.253",
    )
    configuration = parse(base + more)
    entries_of = {
        (e.match["vr"], e.match["src_addr"]): e.parameters["zone"]
        for e in written(configuration, "reverse_path_v4")
    }
    number = configuration.routing_instances["r"]
    assert entries_of[number, (0x0A020100, 24)] == 2
    assert entries_of[number, (0xAC100000, 16)] == 1
    assert entries_of[number, (0, 0)] == 1
    assert entries_of[0, (0, 0)] == 1


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("tcp port-scan threshold 999", "'999' is no number from 1000 to 1000000"),
        ("limit-session source-ip-based 0", "'0' is no number from 1 to 8000000"),
        ("limit-session by-source", "'by-source' is known to Junos but not"),
        ("tcp syn-flood queue-size 300", "'queue-size' is known to Junos but not"),
        ("ip ipv6-extension-header-limit 33", "from 0 to 32"),
        ("tcp lnad", "unknown word 'lnad'"),
        ("udp flood white-list nobody", "nobody"),
        ("tcp syn-flood white-list a", "needs a source-address or a destination-address"),
        (
            "tcp syn-flood white-list a source-address ::/0\nset security screen ids-option s "
            "tcp syn-flood white-list a destination-address 0.0.0.0/0",
            "sources of one IP version, destinations of the other",
        ),
        (
            "limit-session source-ip-based 9\nset security screen ids-option s "
            "match-direction output",
            "not with match-direction output",
        ),
        ("match-direction sideways", "sideways"),
    ],
)
def test_what_is_wrong_is_named(line: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configured(line, "tcp land")
    assert complaint in str(caught.value)
