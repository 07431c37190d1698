"""Filters, policers and class of service from ``set`` lines to entries and meters."""

import pytest

from controller.config.build import parse
from controller.config.chassis import parse_chassis
from controller.config.problems import ConfigurationError
from controller.config.schema import Configuration
from controller.npu.program import SYN_AGAIN_CELL, entries, rates
from controller.npu.tables import Entry, Rate
from controller.reasons import FilterVerdict, PolicerAction, Punt

CHASSIS = parse_chassis("""
[[npu]]
number = 1
address = "127.0.0.1:9559"
device_id = 1

[[spu]]
number = 1
max_sessions = 1000
[[spu]]
number = 2
max_sessions = 3000

[punt_rates]
miss = 40
""")

BASE = """
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-1/0/0 unit 0 family inet filter input f
set security zones security-zone trust interfaces ge-1/0/0.0
"""
TERM = "set firewall family inet filter f term t "
ANY = {"src_port": (0, 65535), "dst_port": (0, 65535), "tcp_flags": (0, 0), "icmp": (0, 0)}


def load(*lines: str) -> Configuration:
    """The base and some lines."""
    return parse(BASE + "\n".join(f"set {line}" for line in lines), "f.set")


def term(*words: str) -> Configuration:
    """A filter of one term."""
    return parse(BASE + "\n".join(TERM + line for line in words), "f.set")


def written(configuration: Configuration, table: str) -> list[Entry]:
    """What the NPU's table gets."""
    return [e for e in entries(configuration, CHASSIS, 1, 1) if e.table == table]


def matches(
    configuration: Configuration, table: str = "input_filter_v4"
) -> list[dict[str, object]]:
    """The keys of a filter's entries that differ from "any"."""
    return [
        {k: v for k, v in e.match.items() if k != "filter" and ANY.get(k) != v}
        for e in written(configuration, table)
    ]


# -- matches --------------------------------------------------------------------------------------

TCP, UDP, ICMP = {"protocol": (6, 255)}, {"protocol": (17, 255)}, {"protocol": (1, 255)}
NET = (0x0A000000, 0xFF000000)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("source-address 10.0.0.0/8", [{"src_addr": NET}]),
        ("address 10.0.0.0/8", [{"src_addr": NET}, {"dst_addr": NET}]),
        ("source-address [ 10.0.0.0/9 10.128.0.0/9 ]", [{"src_addr": NET}]),
        ("protocol [ tcp 89 ]", [TCP, {"protocol": (89, 255)}]),
        (
            "destination-port [ http 8000-8009 ]",
            [{**p, "dst_port": d} for p in (TCP, UDP) for d in ((80, 80), (8000, 8009))],
        ),
        ("port 53", [{**p, k: (53, 53)} for p in (TCP, UDP) for k in ("src_port", "dst_port")]),
        ('tcp-flags "(syn & !ack) | rst"', [{**TCP, "tcp_flags": f} for f in ((2, 18), (4, 4))]),
        ("tcp-established", [{**TCP, "tcp_flags": (16, 16)}, {**TCP, "tcp_flags": (4, 4)}]),
        ("tcp-initial", [{**TCP, "tcp_flags": (2, 18)}]),
        ("icmp-type echo-request", [{**ICMP, "icmp": (0x0800, 0xFF00)}]),
        ("icmp-code 4", [{**ICMP, "icmp": (4, 0xFF)}]),
        ("first-fragment", [{"fragment": (1, 3)}]),
        ("is-fragment", [{"fragment": (2, 3)}]),
        ("dscp [ ef 001010 7 ]", [{"dscp": (n, 63)} for n in (46, 10, 7)]),
    ],
)  # fmt: skip
def test_a_condition_becomes_entries(condition: str, expected: list[dict[str, object]]) -> None:
    found = matches(term(f"from {condition}", "then discard"))
    assert sorted(map(str, map(sorted, map(dict.items, found)))) == sorted(  # type: ignore[arg-type]
        map(str, map(sorted, map(dict.items, expected)))  # type: ignore[arg-type]
    )


def test_conditions_of_a_term_combine() -> None:
    found = matches(
        term(
            "from protocol udp",
            "from source-address 10.0.0.0/8",
            "from destination-port 1-9",
            "from dscp [ 1 2 ]",
            "then accept",
        )
    )
    common = {**UDP, "src_addr": NET, "dst_port": (1, 9)}
    assert found == [{**common, "dscp": (1, 63)}, {**common, "dscp": (2, 63)}]


def test_the_first_term_has_the_highest_priority() -> None:
    lines = [f"firewall family inet filter f term t{n} then accept" for n in range(4)]
    priorities = [e.priority for e in written(load(*lines), "input_filter_v4")]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == 4


def test_ipv6_filters_have_their_own_words_and_tables() -> None:
    configuration = load(
        "interfaces ge-1/0/0 unit 0 family inet6 address 2001:db8::1/64",
        "interfaces ge-1/0/0 unit 0 family inet6 filter output f",
        "firewall family inet filter f term t then accept",
        "firewall family inet6 filter f term t from next-header icmp6",
        "firewall family inet6 filter f term t from icmp-type echo-request",
        "firewall family inet6 filter f term t from source-address 2001:db8::/32",
        "firewall family inet6 filter f term t then discard",
    )
    (found,) = matches(configuration, "output_filter_v6")
    assert found["icmp"] == (0x8000, 0xFF00)
    assert found["src_addr"] == (0x20010DB8 << 96, 0xFFFFFFFF << 96)
    inward, outward = (
        next(iter(written(configuration, f"{side}_features"))) for side in ("ingress", "egress")
    )
    assert (inward.parameters["filter_v4"], inward.parameters["filter_v6"]) == (1, 0)
    assert (outward.parameters["filter_v4"], outward.parameters["filter_v6"]) == (0, 2)
    assert written(configuration, "output_filter_v4") == []


# -- actions --------------------------------------------------------------------------------------


def test_what_a_term_does() -> None:
    (entry,) = written(
        term(
            "then count c", "then log", "then loss-priority medium-high", "then reject",
            "then forwarding-class expedited-forwarding",
        ),
        "input_filter_v4",
    )  # fmt: skip
    assert entry.action == "input_filter_term"
    assert entry.parameters == {
        "verdict": FilterVerdict.REJECT, "count": 1, "policer": 0, "policer_action": 0,
        "set_class": 1, "forwarding_class": 1, "set_loss": 1, "loss_priority": 2, "log": 1,
    }  # fmt: skip


def test_terms_share_a_counter_by_name_and_filters_do_not() -> None:
    configuration = load(
        "firewall family inet filter f term a then count x",
        "firewall family inet filter f term b then count x",
        "firewall family inet filter f term c then count y",
        "firewall family inet filter g term a then count x",
    )
    f, g = configuration.stateless.filters
    assert [t.count for t in f.terms] == [1, 1, 2]
    assert [t.count for t in g.terms] == [3]


def test_policers_become_meters_of_the_side_where_they_apply() -> None:
    configuration = load(
        "firewall policer p if-exceeding bandwidth-limit 8m",
        "firewall policer p if-exceeding burst-size-limit 15k",
        "firewall policer p then discard",
        "firewall policer m if-exceeding bandwidth-limit 8m",
        "firewall policer m if-exceeding burst-size-limit 15k",
        "firewall policer m then loss-priority medium-high",
        "firewall three-color-policer c two-rate committed-information-rate 8m",
        "firewall three-color-policer c two-rate committed-burst-size 15k",
        "firewall three-color-policer c two-rate peak-information-rate 16m",
        "firewall three-color-policer c two-rate peak-burst-size 30k",
        "firewall family inet filter f term a then policer p",
        "firewall family inet filter f term b then three-color-policer two-rate c",
        "firewall family inet filter f term c then policer m",
    )
    found = [r for r in rates(configuration, CHASSIS, 1) if r.meter != "punt_meter"]
    assert found[:2] == [
        Rate("policers", 1, 1_000_000, 15_000, 1_000_000, 15_000, "policer p"),
        Rate("policers", 2, 1_000_000, 15_000, 2_000_000, 30_000, "policer c"),
    ]
    assert found[2].peak > 10**10, "nothing exceeds it: what exceeds the first rate is yellow"
    cells = [
        (e.parameters["policer"], e.parameters["policer_action"])
        for e in written(configuration, "input_filter_v4")
    ]
    assert cells == [
        (1, PolicerAction.DISCARD), (2, PolicerAction.MARK), (3, PolicerAction.MARK),
    ]  # fmt: skip


def test_class_of_service() -> None:
    configuration = load(
        "firewall family inet filter f term t then accept",
        "class-of-service forwarding-classes queue 5 voice",
        "class-of-service classifiers dscp d forwarding-class voice loss-priority low "
        "code-points [ ef af41 ]",
        "class-of-service classifiers ieee-802.1 p forwarding-class voice loss-priority high "
        "code-points 101",
        "class-of-service rewrite-rules dscp r forwarding-class voice loss-priority low "
        "code-point cs5",
        "class-of-service schedulers s shaping-rate 80m",
        "class-of-service schedulers s burst-size 64k",
        "class-of-service scheduler-maps m forwarding-class voice scheduler s",
        "class-of-service interfaces ge-1/0/0 unit 0 classifiers dscp d",
        "class-of-service interfaces ge-1/0/0 unit 0 classifiers ieee-802.1 p",
        "class-of-service interfaces ge-1/0/0 unit 0 rewrite-rules dscp r",
        "class-of-service interfaces ge-1/0/0 unit 0 scheduler-map m",
    )
    classes = {e.match["dscp"]: e.parameters for e in written(configuration, "dscp_classifier")}
    voice = {"forwarding_class": 5, "loss_priority": 0}
    assert classes == {46: voice, 34: voice}
    assert [e.match["dei"] for e in written(configuration, "pcp_classifier")] == [0, 1]
    (rewrite,) = written(configuration, "dscp_rewrite")
    assert rewrite.match == {"rewrite": 1, "forwarding_class": 5, "loss_priority": 0}
    assert rewrite.parameters == {"dscp": 40}
    (inward,) = written(configuration, "ingress_features")
    assert (inward.parameters["dscp_classifier"], inward.parameters["pcp_classifier"]) == (1, 1)
    (outward,) = written(configuration, "egress_features")
    assert (outward.parameters["dscp_rewrite"], outward.parameters["shaper"]) == (1, 1)
    shapers = [r for r in rates(configuration, CHASSIS, 1) if r.meter == "shapers"]
    rate = 10_000_000
    assert shapers == [Rate("shapers", 13, rate, 64_000, rate, 64_000, "shaping-rate")]


# -- mode, trace, punts ---------------------------------------------------------------------------


def test_the_hash_table_of_spus_follows_their_capacity() -> None:
    plain = load("firewall family inet filter f term t then accept")
    assert [e.action for e in written(plain, "distribution")] == ["normal"]
    assert written(plain, "spu_bucket") == []
    hashed = load(
        "firewall family inet filter f term t then accept",
        "security forwarding-process application-services session-distribution-mode hash-based",
    )
    assert [e.action for e in written(hashed, "distribution")] == ["hash_based"]
    spus = [e.parameters["spu"] for e in written(hashed, "spu_bucket")]
    assert (spus.count(1), spus.count(2)) == (64, 192)


def test_packet_filters_of_traceoptions() -> None:
    configuration = load(
        "firewall family inet filter f term t then accept",
        "security flow traceoptions flag basic-datapath",
        "security flow traceoptions packet-filter a source-prefix 10.0.0.0/8",
        "security flow traceoptions packet-filter a protocol tcp",
        "security flow traceoptions packet-filter b destination-port 80",
        "security flow traceoptions packet-filter b interface ge-1/0/0.0",
    )
    v4, v6 = written(configuration, "trace_v4"), written(configuration, "trace_v6")
    assert [e.match for e in v4] == [
        {"src_addr": NET, "protocol": (6, 255)},
        {"port": (1, 0x1FF), "dst_port": (80, 0xFFFF)},
    ]
    assert v4[0].priority > v4[1].priority
    assert [e.parameters for e in v6] == [{"filter": 2}]
    assert written(configuration, "ingress_features")[0].parameters["trace"] == 1


def test_punts_are_metered() -> None:
    plain = load("firewall family inet filter f term t then accept")
    cells = {r.cell: r for r in rates(plain, CHASSIS, 1) if r.meter == "punt_meter"}
    assert set(cells) == {*(punt for punt in Punt if punt is not Punt.NONE), SYN_AGAIN_CELL}
    assert (cells[Punt.MISS].committed, cells[Punt.MISS].committed_burst) == (40, 10)


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["firewall family inet filter g term t then accept"], "unknown inet filter 'f'"),
        (["firewall family inet filter f term t then policer x"], "unknown policer 'x'"),
        (
            ["firewall family inet filter f term t then accept",
             "firewall family inet filter f term t then discard"],
            "says 'accept' and 'discard'",
        ),
        (
            ["firewall family inet filter f term t from tcp-flags syn+ack"],
            "unknown TCP flag 'syn+ack'",
        ),
        (["firewall family inet filter f term t then next term"], "'next' is known to Junos"),
        (
            ["firewall family inet filter f term t then accept", "firewall policer p then discard"],
            "policer p needs an 'if-exceeding bandwidth-limit'",
        ),
        (
            ["firewall family inet filter f term t then accept",
             "security flow traceoptions flag all"],
            "traceoptions without a packet-filter",
        ),
        (
            ["firewall family inet filter f term t then accept",
             "class-of-service interfaces ge-1/0/9 unit 0 classifiers dscp d"],
            "unknown interface 'ge-1/0/9.0'",
        ),
        (
            ["firewall family inet filter f term t then forwarding-class gold"],
            "unknown forwarding-class 'gold'",
        ),
        (
            ["firewall family inet filter f term t from source-port [ "
             + " ".join(str(n) for n in range(1, 40)) + " ]",
             "firewall family inet filter f term t from destination-port [ "
             + " ".join(str(n) for n in range(1, 40)) + " ]"],
            "at most 1024 fit",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(lines: list[str], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(*lines)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[punt_rates]\nmis = 5", "unknown reason 'mis'"),
        ("[punt_rates]\nmiss = 0", "packets a second from 1 to"),
        ("punt_rates = 5", "a table [punt_rates]"),
    ],
)
def test_punt_rates_that_are_wrong_are_named(text: str, complaint: str) -> None:
    cards = '[[npu]]\nnumber = 1\naddress = "h:1"\n[[spu]]\nnumber = 1\n'
    with pytest.raises(ConfigurationError) as caught:
        parse_chassis(text + "\n" + cards if "=" in text.split("\n")[0] else cards + text)
    assert complaint in str(caught.value)
