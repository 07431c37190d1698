"""``security nat`` from set lines to values, and how mistakes in it are named."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from controller.config.build import load, parse
from controller.config.cards import NatFaults
from controller.config.chassis import load_chassis, parse_chassis
from controller.config.nat import (
    Nat,
    Persistence,
    PortUse,
    Reach,
    Scope,
    ScopeKind,
    SourceNat,
    zone,
)
from controller.config.problems import ConfigurationError
from controller.config.schema import SECOND, AddressRange

from .pools import block

BASE = """\
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-2/0/0 unit 0 family inet address 203.0.113.1/24
set security zones security-zone trust interfaces ge-1/0/0.0
set security zones security-zone untrust interfaces ge-2/0/0.0
set security address-book global address lan 10.1.0.0/16
set security address-book global address some range-address 10.1.1.5 to 10.1.1.9
"""
S = "set security nat source "
RS = S + "rule-set out "
OUT = f"{RS}from zone trust\n{RS}to zone untrust\n"
R = RS + "rule r "
D = "set security nat destination "
IN = f"{D}rule-set in from interface ge-2/0/0.0\n"
T = "set security nat static rule-set st "
STATIC = f"{T}from routing-instance default\n"


def nat(text: str) -> Nat:
    return parse(BASE + text, "f.set").nat


def test_a_source_pool_with_all_that_it_can_have() -> None:
    P = S + "pool p "
    built = nat(
        f"{P}address 203.0.113.16/30\n{P}address 203.0.113.32 to 203.0.113.40\n"
        f"{P}port range 2000 to 2999\n{P}port port-overloading-factor 4\n"
        f"{P}address-pooling paired\n{P}overflow-pool interface\n"
        f"{P}pool-utilization-alarm raise-threshold 90\n{S}address-persistent\n"
        f"{S}interface port-overloading-factor 2\n"
    )
    pool = built.source_pools["p"]
    assert pool.blocks == (block("203.0.113.16/30"), block("203.0.113.32", "203.0.113.40"))
    assert (pool.addresses, pool.ports, pool.overloading) == (13, range(2000, 3000), 4)
    assert (pool.is_paired, pool.overflow) == (True, "interface")
    assert (pool.raise_threshold, pool.clear_threshold) == (90, 72)
    assert built.address_persistent
    assert built.interface_overloading == 2


def test_pools_that_keep_ports() -> None:
    built = nat(
        f"{S}pool p address 203.0.113.16/30\n{S}pool p port no-translation\n"
        f"{S}pool q address 203.0.113.32/29\n{S}pool q host-address-base 10.1.1.8/32\n"
        f"{S}pool-utilization-alarm raise-threshold 80\n"
        f"{S}pool-utilization-alarm clear-threshold 60\n"
    )
    p, q = built.source_pools.values()
    assert p.port_use is q.port_use is PortUse.KEEP
    assert (p.host_base, q.host_base) == (None, bytes((10, 1, 1, 8)))
    assert (q.raise_threshold, q.clear_threshold) == (80, 60)


def test_source_rules_match_by_names_ports_protocols_and_applications() -> None:
    built = nat(
        OUT + f"{S}pool p address 203.0.113.16/30\n"
        f"{RS}rule a match source-address-name some\n{RS}rule a match protocol [ tcp udp ]\n"
        f"{RS}rule a match destination-port 80 to 89\n{RS}rule a then source-nat pool p\n"
        f"{RS}rule b match application junos-http\n{RS}rule b then source-nat interface\n"
        f"{RS}rule c match destination-address 198.51.100.0/24\n{RS}rule c then source-nat off\n"
    )
    a, b, c = built.source
    assert (a.origin, a.target) == (zone("trust"), zone("untrust"))
    (some,) = a.sources
    assert isinstance(some, AddressRange)
    services = [(one.protocol, one.destination_ports) for one in a.applications]
    assert services == [(6, range(80, 90)), (17, range(80, 90))]
    assert (a.action, a.pool) == (SourceNat.POOL, "p")
    assert b.applications[0].name == "junos-http"
    assert (b.action, c.action) == (SourceNat.INTERFACE, SourceNat.OFF)
    assert len({rule.id for rule in built.source}) == 3


@pytest.mark.parametrize("where", ["pool p persistent-nat", "pool persistent-nat"])
def test_persistent_nat(where: str) -> None:
    built = nat(
        OUT + f"{S}pool p address 203.0.113.16/30\n{R}match source-address 10.1.0.0/16\n"
        f"{R}then source-nat pool p\n{R}then source-nat {where} permit target-host\n"
        f"{R}then source-nat {where} inactivity-timeout 120\n"
        f"{R}then source-nat {where} max-session-number 9\n"
    )
    assert built.source[0].persistence == Persistence(Reach.HOST, 120 * SECOND, 9)


def test_destination_and_static_rules_and_proxies() -> None:
    built = nat(
        IN + f"{D}pool web address 10.1.1.5/32 port 8080\n"
        f"{D}rule-set in rule w match destination-address 203.0.113.80/32\n"
        f"{D}rule-set in rule w match destination-port 80\n"
        f"{D}rule-set in rule w then destination-nat pool web\n"
        + STATIC + f"{T}rule s match destination-address 203.0.113.96/28\n"
        f"{T}rule s then static-nat prefix 10.1.1.96/28\n"
        f"{T}rule p match destination-address 203.0.113.90\n"
        f"{T}rule p match destination-port 8000 to 8009\n"
        f"{T}rule p then static-nat prefix 10.1.1.90/32 mapped-port 80 to 89\n"
        "set security nat proxy-arp interface ge-2/0/0.0 address 203.0.113.80 to 203.0.113.111\n"
        "set security nat proxy-ndp interface ge-2/0/0.0 address 2001:db8::80/124\n"
    )  # fmt: skip
    (web,) = built.destination
    assert web.origin == Scope(ScopeKind.INTERFACE, ("ge-2/0/0.0",))
    assert web.destinations == (ip_network("203.0.113.80/32"),)
    assert web.pool is not None
    assert (web.pool.block, web.pool.port) == (block("10.1.1.5"), 8080)
    s, p = built.static
    assert (s.origin, s.inside, s.has_ports) == (
        Scope(ScopeKind.INSTANCE, ("",)), block("10.1.1.96/28"), False,
    )  # fmt: skip
    assert (p.outside_ports, p.inside_ports) == (range(8000, 8010), range(80, 90))
    assert [proxy.block for proxy in built.proxies] == [
        block("203.0.113.80", "203.0.113.111"),
        block("2001:db8::80", "2001:db8::8f"),
    ]  # fmt: skip


def test_rules_and_pools_keep_their_numbers() -> None:
    one = f"{S}pool p address 203.0.113.16\n{OUT}"
    one += f"{R}match source-address 10.0.0.0/8\n{R}then source-nat pool p\n"
    first = parse(BASE + one)
    more = f"{S}pool a address 203.0.113.17\n{RS}rule first then source-nat off\n"
    more += f"{RS}rule first match source-address 10.9.0.0/16\n"
    second = parse(BASE + OUT + more + one, previous=first)
    assert second.nat.source[1].id == first.nat.source[0].id == 1
    assert second.nat.source[0].id == 2
    assert second.nat.source_pools["p"].id == 1
    assert second.nat.source[1] == first.nat.source[0]


SHORT = {
    "S": S, "D": D, "T": T, "RS": RS, "R": R, "W": D + "rule-set in rule w ", "A": T + "rule s ",
    "ARP": "set security nat proxy-arp interface ",
}  # fmt: skip
BLOCKS = {
    "OUT": OUT,
    "IN": IN,
    "STATIC": STATIC,
    "ZONE": "set security zones security-zone dmz\n",
    "P": f"{S}pool p address 203.0.113.16/30\n",
    "MATCH": f"{R}match source-address 10.1.0.0/16\n",
    "HIDE": f"{R}match source-address 10.1.0.0/16\n{R}then source-nat interface\n",
    "QP": f"{S}pool q address 203.0.113.9\n{S}pool q overflow-pool p\n",
}
MISTAKES = """\
OUT, MATCH -> rule r needs a 'then source-nat interface', 'then source-nat pool NAME'
OUT, MATCH, R then source-nat pool q, P -> f.set:10:66: error: unknown source pool 'q'
OUT, R then source-nat interface -> rule r needs a match
OUT, MATCH, R then source-nat interface, R then source-nat off -> both 'source-nat off' and
RS from zone trus, RS to zone untrust, HIDE -> unknown zone 'trus'; did you mean 'trust'?
RS from zone trust, RS from interface ge-1/0/0.0, RS to zone trust, HIDE \
-> says 'from' in several ways
S pool p port no-translation -> pool p needs an address
P, S pool p port no-translation, S pool p port range 2000 to 3000 -> hence no port range
P, S pool p port range 80 to 90 -> from 1024 on, the lower one first
P, S pool p address 2001:db8::/126 -> a pool has one family
P, S pool q address 203.0.113.19 -> of pool q overlaps 203.0.113.16 - 203.0.113.19 of pool p
P, S pool p overflow-pool q -> unknown source pool 'q'
P, S pool p overflow-pool p -> must be another one
P, QP, S pool r address 203.0.113.8, S pool r overflow-pool q, S pool s address 203.0.113.7, \
S pool s overflow-pool s -> of pool s must be another one
OUT -> rule-set out has no rule; add one, or remove the rule-set
OUT, HIDE, S rule-set o2 from zone [ dmz trust ], S rule-set o2 to zone untrust, \
S rule-set o2 rule r match protocol tcp, S rule-set o2 rule r then source-nat off, \
ZONE -> rule-set o2 is for flows from zone dmz, trust to zone untrust, which rule-set out is for
P, STATIC, A match destination-address 203.0.113.0/24, A then static-nat prefix 10.1.1.0/24 \
-> rule s of st: 203.0.113.0 - 203.0.113.255 overlaps 203.0.113.16 - 203.0.113.19 of source pool p
STATIC, A match destination-address 203.0.113.0/24, A then static-nat prefix 10.1.1.0/24, \
T rule t match destination-address 203.0.113.7, T rule t then static-nat prefix 10.1.1.8 \
-> rule t of st gives 203.0.113.7 to other hosts than rule s of st does
STATIC, A match destination-address 203.0.113.7, A match destination-port 80 to 89, \
A then static-nat prefix 10.1.1.7 mapped-port 80 to 89, T rule t match destination-address \
203.0.113.7, T rule t match destination-port 89, T rule t then static-nat prefix 10.1.1.8 \
mapped-port 89 -> rule t of st gives 203.0.113.7 to other hosts
P, S pool p pool-utilization-alarm clear-threshold 50 -> needs a raise-threshold
P, S pool p port block-allocation -> 'block-allocation' is known to Junos but not implemented here
OUT, P, MATCH, R then source-nat pool p persistent-nat inactivity-timeout 60 \
-> needs a permit
OUT, P, S pool p port no-translation, MATCH, \
R then source-nat pool p persistent-nat permit target-host -> does not translate ports
OUT, P, R match source-address 2001:db8::/32, R then source-nat pool p -> are not translated
OUT, R match application junos-http, R match protocol tcp, R then source-nat off -> keep one of both
OUT, R match application junos-htp, R then source-nat off -> did you mean 'junos-http'?
OUT, R match protocol icmp, R match destination-port 80, R then source-nat off -> not only of TCP
IN, W match destination-address 203.0.113.80 -> needs either a 'then destination-nat pool NAME'
IN, D pool w address 10.1.1.5, W match protocol tcp, W then destination-nat pool w \
-> needs a 'match destination-address'
D pool w address 10.1.1.5, D pool w address 10.1.1.6 -> destination pool w needs one address
STATIC, A match destination-address 203.0.113.96/28, A then static-nat prefix 10.1.1.0/29 \
-> translates 16 addresses to 8
STATIC, A match destination-address 203.0.113.96/32, A then static-nat prefix 10.1.1.0/24 \
-> translates 1 address to 256
STATIC, A match destination-address 203.0.113.96, \
A then static-nat prefix 10.1.1.5 mapped-port 80 -> needs one 'match destination-port' and one
STATIC, A match destination-address 2001:db8::5/128, A then static-nat prefix-name x \
-> 'prefix-name' is known to Junos but not implemented here; or say: prefix, and the prefix
STATIC, A match destination-address 203.0.113.0/24, A then static-nat nptv6-prefix 10.0.0.0/24 \
-> takes IPv6 prefixes of at most 64 bits
ARP ge-2/0/0.0 address 203.0.113.1 -> own address; no proxy is needed
ARP ge-2/0/0.0 address 203.0.113.9 to 203.0.113.5 -> the lower one first
ARP ge-2/0/1.0 address 203.0.113.9 -> unknown interface 'ge-2/0/1.0'
"""


def spelled_out(line: str) -> str:
    """``S pool p ...`` and the like as set lines."""
    text = ""
    for part in line.split(", "):
        word, _, rest = part.strip().partition(" ")
        text += f"{SHORT[word]}{rest}\n" if rest else BLOCKS[word]
    return text


@pytest.mark.parametrize("line", MISTAKES.splitlines())
def test_mistakes_are_named(line: str) -> None:
    short, _, message = line.partition("-> ")
    with pytest.raises(ConfigurationError) as caught:
        nat(spelled_out(short))
    assert message in str(caught.value)
    assert len(caught.value.problems) == 1, str(caught.value)


def test_pools_that_flow_over_to_each_other_are_refused_where_they_do() -> None:
    row = f"{S}pool a address 203.0.113.7\n{S}pool a overflow-pool b\n"
    row += f"{S}pool b address 203.0.113.8\n{S}pool b overflow-pool c\n"
    row += f"{S}pool c address 203.0.113.9\n"
    assert nat(row).source_pools["a"].overflow == "b"
    with pytest.raises(ConfigurationError) as caught:
        nat(row + f"{S}pool c overflow-pool a\n")
    assert len(caught.value.problems) == 3
    assert "overflow-pool a of pool c flows over to it again" in str(caught.value)


def test_what_is_given_away_twice_may_be_told_apart() -> None:
    """By ports, by the place where it holds, or because both give it to the same host."""
    one = f"{T}rule a match destination-address 203.0.113.7\n{T}rule a match destination-port 80\n"
    one += f"{T}rule a then static-nat prefix 10.1.1.7 mapped-port 80\n"
    other = one.replace("rule a", "rule b")
    nat(f"{S}pool p address 203.0.113.7\n" + STATIC + one)
    nat(STATIC + one + other.replace("port 80", "port 81").replace("10.1.1.7", "10.1.1.8"))
    nat(STATIC + one + other)
    elsewhere = f"{T}from zone trust\n" + other.replace("10.1.1.7", "10.1.1.8")
    elsewhere = elsewhere.replace("rule-set st", "rule-set other")
    nat(f"{T}from zone untrust\n" + one + elsewhere)
    with pytest.raises(ConfigurationError, match="to other hosts than rule a of st"):
        nat(STATIC + one + elsewhere)


def test_any_means_the_family_of_the_pool() -> None:
    (rule,) = nat(
        f"{S}pool p address 203.0.113.7\n{OUT}{R}match source-address-name any\n"
        f"{R}then source-nat pool p\n"
    ).source
    assert rule.sources == (ip_network("0.0.0.0/0"),)


CARDS = '[[npu]]\nnumber = 1\naddress = "h:1"\n[[spu]]\nnumber = 1\n'


def test_faults_of_allocation_in_the_chassis_file() -> None:
    assert parse_chassis(CARDS).nat_faults == NatFaults()
    chassis = parse_chassis(CARDS + "[nat]\ndelay = 50\nrefuse_every = 10\n")
    assert chassis.nat_faults == NatFaults(50_000_000, 10)
    with pytest.raises(ConfigurationError, match="delay = -1; a number from 0 to 60000"):
        parse_chassis(CARDS + "[nat]\ndelay = -1\n")


def test_the_example_loads() -> None:
    directory = Path(__file__).parents[3] / "topologies" / "two_npus"
    built = load(directory / "nat.set", load_chassis(directory / "chassis.toml")).nat
    assert [rule.name for rule in built.source] == ["games", "rest"]
    assert built.destination
    assert built.static
