"""The compiled search of NAT rules against reading the list, and which rule set decides."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from controller_machines.world import ANY, DMZ, TRUST, UNTRUST, configuration
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.config.nat import Nat, Scope, ScopeKind, SourceNatRule, zone
from controller.config.schema import Addresses, AddressRange, Application, Interface
from controller.flow import Tuple5
from controller.spu.nat import FEW, NatTables

from .pools import both_ways

ADDRESSES: list[Addresses] = [
    ip_network("10.0.0.0/8"),
    ip_network("10.0.1.0/24"),
    ip_network("10.0.1.2/32"),
    ip_network("192.0.2.0/25"),
    ip_network("2001:db8::/32"),
    AddressRange(ip_address("10.0.1.2"), ip_address("10.0.1.9")),
]
SERVICES = [
    Application("a", 6, ANY, range(80, 90)),
    Application("b", 17, range(1000, 2000), ANY),
    Application("c", 1, ANY, ANY),
]
HOSTS = [ip_address(a).packed for a in ("10.0.1.2", "10.0.1.7", "10.9.9.9", "192.0.2.1")]
HOSTS6 = [ip_address(a).packed for a in ("2001:db8::1", "2001:db9::1")]
addresses = st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True).map(tuple)
rules = st.lists(
    st.builds(
        lambda src, dst, apps: SourceNatRule(
            "rs", "r", zone("trust"), zone("untrust"), src, dst, apps
        ),
        addresses,
        addresses,
        st.lists(st.sampled_from(SERVICES), max_size=2, unique=True).map(tuple),
    ),
    max_size=2 * FEW,
)
flows = st.one_of(
    st.builds(Tuple5, src, dst, st.sampled_from((999, 1000, 5000)), st.sampled_from((79, 80, 2048)),
              st.sampled_from((1, 6, 17, 47)))
    for src, dst in ((st.sampled_from(h), st.sampled_from(h)) for h in (HOSTS, HOSTS6))
)  # fmt: skip


def takes(rule: SourceNatRule, flow: Tuple5) -> bool:
    return (
        within(rule.sources, flow.src)
        and within(rule.destinations, flow.dst)
        and (
            not rule.applications
            or any(
                a.protocol == flow.protocol
                and flow.sport in a.source_ports
                and flow.dport in a.destination_ports
                for a in rule.applications
            )
        )
    )


def within(wanted: tuple[Addresses, ...], address: bytes) -> bool:
    return not wanted or any(has(one, address) for one in wanted)


def has(one: Addresses, address: bytes) -> bool:
    value = ip_address(address)
    if isinstance(one, IPv4Network | IPv6Network):
        return value in one
    assert isinstance(one, AddressRange)
    same = value.version == one.first.version
    return same and int(one.first) <= int(value) <= int(one.last)


@settings(max_examples=100, deadline=None)
@given(rules, st.lists(flows, min_size=1, max_size=6))
def test_the_search_equals_reading_the_list(
    listed: list[SourceNatRule], probes: list[Tuple5]
) -> None:
    numbered = tuple(replace(rule, id=n) for n, rule in enumerate(listed, start=1))
    table = NatTables(configuration(nat=Nat(source=numbered)))
    for flow in probes:
        expected = next((rule for rule in numbered if takes(rule, flow)), None)
        assert table.source(TRUST, UNTRUST, flow) == expected


def scope(kind: ScopeKind, interface: Interface) -> Scope:
    name = {
        ScopeKind.INTERFACE: interface.name,
        ScopeKind.ZONE: interface.zone,
        ScopeKind.INSTANCE: interface.vr,
    }[kind]
    return Scope(kind, (name,))


FLOW = Tuple5(HOSTS[0], HOSTS[3], 1, 2, 17)


@pytest.mark.parametrize("first", range(9))
def test_of_all_rule_sets_the_most_specific_one_decides(first: int) -> None:
    """``to`` before ``from``, interface before zone before routing instance."""
    pairs = [(to, from_) for to in ScopeKind for from_ in ScopeKind]
    every = [
        SourceNatRule("rs", f"{n}", scope(from_, TRUST), scope(to, UNTRUST), id=n + 1)
        for n, (to, from_) in enumerate(pairs)
    ]
    table = NatTables(configuration(nat=Nat(source=tuple(reversed(every[first:])))))
    assert table.source(TRUST, UNTRUST, FLOW) == every[first]


def test_a_rule_set_that_does_not_match_leaves_nothing_to_less_specific_ones() -> None:
    narrow = SourceNatRule("rs", "a", scope(ScopeKind.INTERFACE, TRUST), zone("untrust"),
                           sources=(ip_network("172.16.0.0/12"),), id=1)  # fmt: skip
    wide = SourceNatRule("rt", "b", zone("trust"), zone("untrust"), id=2)
    table = NatTables(configuration(nat=Nat(source=(narrow, wide))))
    assert table.source(TRUST, UNTRUST, FLOW) is None
    assert table.source(DMZ, UNTRUST, FLOW) is None
    narrow = replace(narrow, origin=scope(ScopeKind.INTERFACE, DMZ))
    table = NatTables(configuration(nat=Nat(source=(narrow, wide))))
    assert table.source(TRUST, UNTRUST, FLOW) == wide


def test_many_static_rules_are_found_by_either_end() -> None:
    listed = tuple(
        both_ways(f"198.51.{n >> 8}.{n & 255}", f"10.{n >> 8}.{n & 255}.1", number=n + 1)
        for n in range(2000)
    )
    table = NatTables(configuration(nat=Nat(static=listed)))
    for n in (0, 7, 1999):
        outside = ip_address(f"198.51.{n >> 8}.{n & 255}").packed
        inside = ip_address(f"10.{n >> 8}.{n & 255}.1").packed
        there = table.destination(UNTRUST, FLOW._replace(dst=outside))
        assert there == (inside, FLOW.dport, listed[n])
        back = table.static_source(TRUST, UNTRUST, FLOW._replace(src=inside))
        assert back == (outside, FLOW.sport, listed[n])
    assert table.destination(UNTRUST, FLOW) is None
    assert (
        table.static_source(UNTRUST, TRUST, FLOW._replace(src=ip_address("10.0.7.1").packed))
        is None
    )
