"""What an SPU decides by: policies, NAT rules, services, TCP, Express Path; and its record."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.config.nat import SourceNat, SourceNatRule, zone
from controller.config.schema import (
    SECOND,
    Action,
    Application,
    Network,
    Policy,
)
from controller.flow import Direction, FlowKey, Hop, Path, Port, Tuple5, Wing
from controller.packet import ACK, FIN, PSH, RST, SYN
from controller.record import RecordError, SessionRecord, decode, encode, session_of, wings
from controller.spu.express import NotExpress, not_express
from controller.spu.nat import NatTables
from controller.spu.policy import PolicyTable, Verdict
from controller.spu.services import NO_SERVICE, Services
from controller.spu.tcp import TcpState, TcpTracker
from controller.timers import Timers

from .world import ANY, DNS, HTTP, NAT_OUT, TRUST, UNTRUST, configuration

ZONES = ("trust", "untrust")
NETWORKS: list[Network] = [
    ip_network(text)
    for text in ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32", "::/0")
]
HOSTS = [
    ip_address(text).packed for text in ("10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::1", "::2")
]
APPLICATIONS = [
    HTTP,
    DNS,
    Application("any-udp", 17, ANY, ANY),
    Application("anything", -1, ANY, ANY),
    Application("high", 6, range(1024, 65536), range(8000, 9000)),
]

networks = st.lists(st.sampled_from(NETWORKS), max_size=2, unique=True).map(tuple)
applications = st.lists(st.sampled_from(APPLICATIONS), max_size=2, unique=True).map(tuple)
zones = st.sampled_from(ZONES)
flows = st.builds(
    Tuple5,
    st.sampled_from(HOSTS),
    st.sampled_from(HOSTS),
    st.sampled_from((53, 1024, 50000)),
    st.sampled_from((53, 80, 8080)),
    st.sampled_from((1, 6, 17)),
).filter(lambda flow: len(flow.src) == len(flow.dst))
policies = st.lists(
    st.builds(
        Policy,
        st.just("p"),
        st.integers(0, 99),
        zones,
        zones,
        networks,
        networks,
        applications,
        st.sampled_from(Action),
    ),
    max_size=8,
).map(tuple)


def within(prefixes: tuple[Network, ...], address: bytes) -> bool:
    return not prefixes or any(ip_address(address) in prefix for prefix in prefixes)


def naive(rules: tuple[Policy, ...], from_zone: str, to_zone: str, flow: Tuple5) -> Policy | None:
    for rule in rules:
        if (rule.from_zone, rule.to_zone) != (from_zone, to_zone):
            continue
        if not within(rule.sources, flow.src) or not within(rule.destinations, flow.dst):
            continue
        if not rule.applications or any(
            app.protocol in (-1, flow.protocol)
            and flow.sport in app.source_ports
            and flow.dport in app.destination_ports
            for app in rule.applications
        ):
            return rule
    return None


@settings(max_examples=200, deadline=None)
@given(policies, zones, zones, st.lists(flows, min_size=1, max_size=8))
def test_policy_search_equals_reading_the_list(
    rules: tuple[Policy, ...], from_zone: str, to_zone: str, probes: list[Tuple5]
) -> None:
    numbered = tuple(replace(rule, index=n) for n, rule in enumerate(rules))
    table = PolicyTable(configuration(policies=numbered))
    for flow in probes:
        expected = naive(numbered, from_zone, to_zone, flow)
        verdict = table.search(from_zone, to_zone, flow)
        assert verdict.index == (-1 if expected is None else expected.index)
        assert verdict.action is (Action.DENY if expected is None else expected.action)
        if verdict.application is not None:
            assert expected is not None
            assert verdict.application in expected.applications


def test_first_nat_rule_decides_even_if_it_says_off() -> None:
    flow = Tuple5(HOSTS[0], HOSTS[2], 1, 2, 17)
    off = SourceNatRule(
        "out", "r0", zone("trust"), zone("untrust"), (NETWORKS[1],), (NETWORKS[3],),
        action=SourceNat.OFF,
    )  # fmt: skip
    table = NatTables(configuration(source_nat=(off, NAT_OUT)))
    assert table.source(TRUST, UNTRUST, flow) == off
    assert table.source(TRUST, UNTRUST, flow._replace(src=HOSTS[1])) == NAT_OUT
    assert table.source(UNTRUST, TRUST, flow) is None


# -- services -----------------------------------------------------------------------------------


def flow(protocol: int, dport: int, sport: int = 40000) -> Tuple5:
    return Tuple5(HOSTS[0], HOSTS[1], sport, dport, protocol)


@pytest.mark.parametrize(
    ("what", "name", "seconds"),
    [
        (flow(6, 80), "junos-http", 300),
        (flow(17, 53), "junos-dns-udp", 60),
        (flow(6, 22), NO_SERVICE, 1800),
        (flow(17, 7000), NO_SERVICE, 60),
        (flow(1, 0x0800), NO_SERVICE, 4),
        (flow(47, 0, 0), NO_SERVICE, 1800),
    ],
)
def test_service_and_time_out(what: Tuple5, name: str, seconds: int) -> None:
    assert Services(configuration()).find(what, None)[:2] == (name, seconds * SECOND)


def test_application_of_the_policy_comes_first() -> None:
    mine = Application("mine", 6, ANY, range(80, 81), 7 * SECOND)
    assert Services(configuration()).find(flow(6, 80), mine)[:2] == ("mine", 7 * SECOND)


def test_port_table_knows_http_without_an_application() -> None:
    services = Services(configuration(applications={}))
    assert services.find(flow(6, 80), None)[:2] == (NO_SERVICE, 300 * SECOND)


def test_narrowest_range_names_the_service() -> None:
    wide = Application("wide", 6, ANY, range(8000, 9000))
    narrow = Application("narrow", 6, ANY, range(8000, 8010))
    whole = Application("whole", 6, ANY, ANY)
    services = Services(configuration(applications={a.name: a for a in (whole, wide, narrow)}))
    assert services.find(flow(6, 8005), None).name == "narrow"
    assert services.find(flow(6, 8050), None).name == "wide"
    assert services.find(flow(6, 7), None).name == NO_SERVICE


# -- TCP ----------------------------------------------------------------------------------------

TO, BACK = Direction.FORWARD, Direction.REVERSE


@pytest.mark.parametrize(
    ("segments", "state"),
    [
        ([(TO, SYN)], TcpState.OPENING),
        ([(TO, SYN), (TO, SYN), (TO, ACK)], TcpState.OPENING),
        ([(TO, SYN), (BACK, SYN | ACK)], TcpState.ANSWERED),
        ([(TO, SYN), (BACK, SYN | ACK), (BACK, ACK)], TcpState.ANSWERED),
        ([(TO, SYN), (BACK, SYN | ACK), (TO, ACK)], TcpState.ESTABLISHED),
        ([(TO, SYN), (BACK, SYN | ACK), (TO, FIN | ACK)], TcpState.HALF_CLOSED),
        (
            [(TO, SYN), (BACK, SYN | ACK), (TO, FIN | ACK), (TO, FIN | ACK), (BACK, PSH | ACK)],
            TcpState.HALF_CLOSED,
        ),
        (
            [(TO, SYN), (BACK, SYN | ACK), (TO, FIN | ACK), (BACK, FIN | ACK), (TO, ACK)],
            TcpState.TIME_WAIT,
        ),
        ([(TO, SYN), (BACK, RST | ACK)], TcpState.RESET),
        ([(TO, SYN), (BACK, RST | ACK), (TO, SYN), (BACK, SYN | ACK)], TcpState.RESET),
        ([(TO, SYN), (BACK, SYN | ACK), (TO, ACK), (TO, SYN)], TcpState.ESTABLISHED),
    ],
)
def test_tcp_states(segments: list[tuple[Direction, int]], state: TcpState) -> None:
    tracker = TcpTracker()
    for direction, flags in segments:
        before = tracker.state
        changed = tracker.observe(direction, flags)
        assert changed == (tracker.state if tracker.state is not before else None)
    assert tracker.state is state


# -- Express Path and record --------------------------------------------------------------------


def pair(size: int, protocol: int = 6, nat: bool = False) -> tuple[Wing, Wing]:
    src, dst = bytes(range(size)), bytes(range(size, 2 * size))
    key = FlowKey(src, dst, 1000, 80, protocol, 5)
    translated = Tuple5(dst[::-1], dst, 2000, 80, protocol) if nat else key.tuple5
    ahead = Hop(Port(1, 2), 30, b"\2\0\0\0\0\1", b"\2\0\0\0\0\2")
    back = Hop(Port(0, 9), 0, b"\2\0\0\0\0\3", b"\2\0\0\0\0\4")
    return wings(key, Port(0, 7), translated, ahead, 6, back)


OFFLOAD = Verdict("p", 1, Action.PERMIT, services_offload=True)


@pytest.mark.parametrize(
    ("verdict", "forward", "why"),
    [
        (OFFLOAD, pair(4, nat=True)[0], None),
        (OFFLOAD, pair(16)[0], None),
        (OFFLOAD, pair(16, nat=True)[0], NotExpress.IPV6_NAT),
        (OFFLOAD, pair(4, 47)[0], NotExpress.PROTOCOL),
        (Verdict("p", 1, Action.PERMIT), pair(4)[0], NotExpress.POLICY),
    ],
)
def test_express_decision(verdict: Verdict, forward: Wing, why: NotExpress | None) -> None:
    assert not_express(verdict, forward) is why


def test_reverse_wing_mirrors_the_forward_one() -> None:
    forward, reverse = pair(4, nat=True)
    assert reverse.key.tuple5 == forward.translated.reversed()
    assert reverse.translated == forward.key.tuple5.reversed()
    assert reverse.ingress == forward.hop.port
    assert (forward.key.token, reverse.key.token) == (5, 6)


u16 = st.integers(0, 65535)
u64 = st.integers(0, 2**64 - 1)


@st.composite
def records(draw: st.DrawFn) -> SessionRecord:
    size = draw(st.sampled_from((4, 16)))
    address = st.binary(min_size=size, max_size=size)
    mac = st.binary(min_size=6, max_size=6)
    ports = st.builds(Port, u16, u16)
    hop = st.builds(Hop, ports, st.integers(0, 4094), mac, mac)
    protocol = draw(st.integers(0, 255))
    key = FlowKey(draw(address), draw(address), draw(u16), draw(u16), protocol, draw(u16))
    translated = Tuple5(draw(address), draw(address), draw(u16), draw(u16), protocol)
    both = wings(key, draw(ports), translated, draw(hop), draw(u16), draw(hop))
    return SessionRecord(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(1, 255)),
        draw(st.sampled_from(Path)),
        *both,
        draw(st.booleans()),
        draw(st.text(max_size=60)),
        draw(st.integers(-1, 2**31 - 1)),
        draw(st.text(max_size=60)),
        draw(u64),
        draw(u64),
    )


@settings(max_examples=150, deadline=None)
@given(records())
def test_record_comes_back_as_it_went(record: SessionRecord) -> None:
    assert decode(encode(record)) == record
    assert session_of(encode(record)) == record.session_id


@settings(max_examples=150, deadline=None)
@given(records(), st.data())
def test_damaged_record_is_an_error_and_nothing_else(
    record: SessionRecord, data: st.DataObject
) -> None:
    whole = encode(record)
    with pytest.raises(RecordError):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(RecordError, match="too many"):
        decode(whole + b"x")
    with pytest.raises(RecordError, match="version 9"):
        decode(b"\x09" + whole[1:])


def test_record_is_compact() -> None:
    record = SessionRecord(
        10_000_001, 1, Path.EXPRESS, *pair(4), True, "trust-out", 1, "junos-http", 0, 0
    )
    assert len(encode(record)) <= 128


# -- timers -------------------------------------------------------------------------------------


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(0, 9), st.integers(0, 50)),
            st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
            st.tuples(st.just("due"), st.just(0), st.integers(0, 50)),
        ),
        max_size=150,
    )
)
def test_timers_are_a_dictionary_of_deadlines(steps: list[tuple[str, int, int]]) -> None:
    timers: Timers[int] = Timers()
    model: dict[int, int] = {}
    for what, key, at in steps:
        if what == "set":
            timers.set(key, at)
            model[key] = at
        elif what == "cancel":
            timers.cancel(key)
            model.pop(key, None)
        else:
            gone = list(timers.due(at))
            assert sorted(gone) == sorted(k for k, when in model.items() if when <= at)
            assert [model[k] for k in gone] == sorted(model[k] for k in gone)
            for k in gone:
                del model[k]
        assert timers.next() == min(model.values(), default=None)
        assert len(timers) == len(model)
        assert set(timers) == set(model)
