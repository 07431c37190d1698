"""Destination and static NAT, as packets see it: order of the steps, ports, both ways, errors."""

from dataclasses import replace
from ipaddress import ip_network

import pytest
from controller_machines.world import (
    NAT_OUT,
    UNTRUST,
    World,
    answer,
    configuration,
    ping,
    policy,
    tcp,
    udp,
)
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, UDPerror
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

from controller.config.nat import Nat, Scope, ScopeKind, zone
from controller.config.schema import Action, Application, Configuration
from controller.flow import Path
from controller.messages import Step
from controller.reasons import Close, Drop
from controller.spu.express import NotExpress

from .pools import block, both_ways, to_server

ANY = range(65536)
WEB = Application("web", 6, ANY, range(8080, 8081))
IN = (policy("in", 1, "untrust", "dmz"), policy("out", 2, "dmz", "untrust"))


def with_nat(nat: Nat, **more: object) -> Configuration:
    more.setdefault("policies", IN)
    return configuration(nat=nat, **more)


PORT_MAPPED = Nat(
    destination=(to_server("10.0.2.80/32", block("10.0.3.2"), 8080, applications=(
        Application("", 6, ANY, range(80, 81)),)),)
)  # fmt: skip


def test_policies_see_the_translated_destination_and_the_original_source() -> None:
    # The policy is for the server's own address and port.
    rule = policy(
        "web", 1, "untrust", "dmz", applications=(WEB,), destinations=(ip_network("10.0.3.2/32"),)
    )
    world = World(with_nat(PORT_MAPPED, policies=(rule,)))
    there = world.pass_(world.b, tcp(world.b, "10.0.2.80", "S", dport=80), world.c)
    assert (there[IP].src, there[IP].dst, there[TCP].dport) == (world.b.ip, world.c.ip, 8080)
    back = world.pass_(world.c, answer(there), world.b)
    assert (back[IP].src, back[TCP].sport) == ("10.0.2.80", 80)
    steps = world.steps()
    assert steps.index(Step.DESTINATION_NAT) < steps.index(Step.ROUTE) < steps.index(Step.POLICY)
    (view,) = world.sim.spus[1].sessions()
    assert view.application == "web"
    assert view.destination_rule is not None
    assert view.destination_rule.name == "d11"
    assert world.sim.spus[1].nat_counts()[11].sessions == 1
    world.sim.clear(view.id)
    world.assert_empty()
    assert world.sim.closed[0].nat_rules == ("", "d11")
    assert world.sim.spus[1].nat_counts()[11].sessions == 0


def test_other_ports_of_the_address_are_not_translated() -> None:
    world = World(with_nat(PORT_MAPPED))
    world.send(world.b, tcp(world.b, "10.0.2.80", "S", dport=22))
    world.sim.run()
    assert world.c.received == []
    assert not world.sim.spus[1].nat_counts()


def test_off_stops_the_search() -> None:
    rules = (
        to_server("10.0.2.80/32", None, number=10, sources=(ip_network("10.0.2.254/32"),)),
        to_server("10.0.2.80/32", block("10.0.3.2")),
    )
    world = World(with_nat(Nat(destination=rules)))
    world.pass_(world.b, udp(world.b, "10.0.2.80"), world.c)
    before = len(world.c.received)
    world.send(world.g, udp(world.g, "10.0.2.80"))
    world.sim.run()
    assert len(world.c.received) == before


def test_a_prefix_goes_to_a_pool_of_its_size_one_by_one_and_a_client_keeps_its_server() -> None:
    rule = to_server("10.0.2.80/31", block("10.0.3.2", "10.0.3.3"))
    world = World(with_nat(Nat(destination=(rule,))))
    world.c.addresses = ("10.0.3.2", "2001:db8:3::2", "10.0.3.3")
    for n in range(2):
        there = world.pass_(world.b, udp(world.b, f"10.0.2.{80 + n}"), world.c)
        assert there[IP].dst == f"10.0.3.{2 + n}"
    balanced = World(
        with_nat(Nat(destination=(to_server("10.0.2.80/32", block("10.0.3.2", "10.0.3.3")),)))
    )
    balanced.c.addresses = world.c.addresses
    servers = {
        balanced.pass_(balanced.b, udp(balanced.b, "10.0.2.80", sport=n), balanced.c)[IP].dst
        for n in range(2000, 2005)
    }
    assert len(servers) == 1


def test_the_address_of_an_interface_may_be_a_servers_for_some_ports() -> None:
    nat = Nat(
        destination=(to_server("10.0.2.1/32", block("10.0.3.2"), 8080, applications=(
            Application("", 6, ANY, range(80, 81)),)),),
        source=(NAT_OUT,),
    )  # fmt: skip
    world = World(with_nat(nat))
    there = world.pass_(world.b, tcp(world.b, "10.0.2.1", "S", dport=80), world.c)
    assert there[TCP].dport == 8080


def test_destination_and_source_nat_in_one_session() -> None:
    """A hairpin: dmz speaks to its own server by the public address, and so do the answers."""
    nat = Nat(
        destination=(to_server("10.0.2.80/32", block("10.0.2.2"), origin=zone("trust")),),
        source=(NAT_OUT,),
    )
    world = World(configuration(nat=nat))
    there = world.pass_(world.a, udp(world.a, "10.0.2.80"), world.b)
    assert (there[IP].src, there[IP].dst) == ("10.0.2.1", "10.0.2.2")
    back = world.pass_(world.b, answer(there), world.a)
    assert (back[IP].src, back[IP].dst) == ("10.0.2.80", world.a.ip)
    (view,) = world.sim.spus[1].sessions()
    assert [r and r.name for r in (view.source_rule, view.destination_rule)] == ["r1", "d11"]


STATIC = Nat(static=(both_ways("10.0.2.96/29", "10.0.3.0/29"),), source=(NAT_OUT,))


def test_static_nat_holds_both_ways() -> None:
    world = World(with_nat(STATIC))
    there = world.pass_(world.b, ping(world.b, "10.0.2.98"), world.c)
    assert there[IP].dst == "10.0.3.2"
    assert world.pass_(world.c, answer(there), world.b)[IP].src == "10.0.2.98"
    out = world.pass_(world.c, udp(world.c, world.b), world.b)
    assert (out[IP].src, out[UDP].sport) == ("10.0.2.98", 2000)
    assert world.pass_(world.b, answer(out), world.c)[IP].dst == "10.0.3.2"
    steps = world.steps()
    assert Step.DESTINATION_NAT in steps
    assert steps.index(Step.STATIC_NAT) > steps.index(Step.POLICY)
    assert world.sim.cp.nat.in_use() == {}, "nothing is granted"


def test_static_nat_comes_before_the_other_kinds() -> None:
    nat = replace(
        STATIC,
        destination=(to_server("10.0.2.98/32", block("10.0.3.7")),),
        source=(replace(NAT_OUT, origin=zone("dmz")),),
    )
    world = World(with_nat(nat))
    assert world.pass_(world.b, udp(world.b, "10.0.2.98"), world.c)[IP].dst == "10.0.3.2"
    assert world.pass_(world.c, udp(world.c, world.b, sport=9), world.b)[IP].src == "10.0.2.98"


def test_static_nat_is_for_where_it_says() -> None:
    """From trust the server is known by its own address, and it speaks to trust by that."""
    rules = (policy("a", 1, "trust", "dmz"), policy("b", 2, "dmz", "trust"))
    world = World(with_nat(STATIC, policies=rules))
    there = world.pass_(world.c, udp(world.c, world.a), world.a)
    assert there[IP].src == world.c.ip


def test_static_nat_maps_ports_both_ways() -> None:
    rule = both_ways(
        "10.0.2.98", "10.0.3.2", outside_ports=range(8000, 8010), inside_ports=range(80, 90)
    )
    world = World(with_nat(Nat(static=(rule,))))
    there = world.pass_(world.b, tcp(world.b, "10.0.2.98", "S", dport=8001), world.c)
    assert (there[IP].dst, there[TCP].dport) == ("10.0.3.2", 81)
    back = world.pass_(world.c, answer(there), world.b)
    assert (back[IP].src, back[TCP].sport) == ("10.0.2.98", 8001)
    out = world.pass_(world.c, udp(world.c, world.b, sport=85), world.b)
    assert (out[IP].src, out[UDP].sport) == ("10.0.2.98", 8005)
    plain = world.pass_(world.c, udp(world.c, world.b, sport=99), world.b)
    assert (plain[IP].src, plain[UDP].sport) == (world.c.ip, 99)


def test_ipv6_is_translated_by_its_spu() -> None:
    nat = Nat(static=(both_ways("2001:db8:2::80", "2001:db8:3::2"),))
    rules = tuple(replace(rule, services_offload=True) for rule in IN)
    world = World(with_nat(nat, policies=rules))
    request = IPv6(src=world.b.ip6, dst="2001:db8:2::80") / ICMPv6EchoRequest(id=7)
    there = world.pass_(world.b, request, world.c)
    assert there[IPv6].dst == world.c.ip6
    assert world.pass_(world.c, answer(there), world.b)[IPv6].src == "2001:db8:2::80"
    (view,) = world.sim.spus[1].sessions()
    assert view.not_express is NotExpress.IPV6_NAT


@pytest.mark.parametrize("nat", [PORT_MAPPED, STATIC], ids=["destination", "static"])
def test_translated_sessions_ride_express_path(nat: Nat) -> None:
    rules = tuple(replace(rule, services_offload=True) for rule in IN)
    world = World(with_nat(nat, policies=rules))
    to, dport = ("10.0.2.80", 80) if nat is PORT_MAPPED else ("10.0.2.98", 9)
    there = world.pass_(world.b, tcp(world.b, to, "S", dport=dport), world.c)
    world.pass_(world.c, answer(there), world.b)
    carried = len(world.sim.carried)
    segment = tcp(world.b, to, "A", dport=dport)
    assert world.pass_(world.b, segment, world.c)[TCP].dport == there[TCP].dport
    assert len(world.sim.carried) == carried
    (view,) = world.sim.spus[1].sessions()
    assert view.path is Path.EXPRESS


def test_errors_about_translated_packets_are_translated_back() -> None:
    world = World(with_nat(STATIC))
    there = world.pass_(world.b, udp(world.b, "10.0.2.98", dport=9), world.c)
    error = IP(src=world.c.ip, dst=world.b.ip) / ICMP(type=3, code=3) / bytes(there[IP])[:28]
    told = world.pass_(world.c, error, world.b)
    assert told[IP].src == "10.0.2.98", "the server's own word comes from where it is known"
    assert (told[IPerror].src, told[IPerror].dst) == (world.b.ip, "10.0.2.98")
    assert told[UDPerror].dport == 9
    assert world.sim.closed[0].reason is Close.ICMP_ERROR
    world.assert_empty()


def test_a_rule_that_changes_ends_its_sessions_and_a_new_one_is_for_new_sessions() -> None:
    world = World(with_nat(STATIC))
    world.pass_(world.b, udp(world.b, "10.0.2.98"), world.c)
    more = replace(STATIC, destination=(to_server("10.0.2.81/32", block("10.0.3.2")),))
    world.sim.reconfigure(with_nat(more))
    world.sim.run()
    assert not world.sim.closed
    world.pass_(world.b, udp(world.b, "10.0.2.81", sport=2001), world.c)
    changed = replace(more, static=(both_ways("10.0.2.98", "10.0.3.2"),))
    world.sim.reconfigure(with_nat(changed))
    world.sim.run()
    assert [closed.reason for closed in world.sim.closed] == [Close.NAT_CHANGED]
    assert world.sim.closed[0].nat_rules == ("", "s21")
    world.sim.reconfigure(with_nat(Nat()))
    world.sim.run()
    assert len(world.sim.closed) == 2
    world.assert_empty()


def test_who_is_denied_is_denied_by_the_translated_address() -> None:
    deny = policy("no", 1, "untrust", "dmz", action=Action.DENY,
                  destinations=(ip_network("10.0.3.2/32"),))  # fmt: skip
    world = World(with_nat(STATIC, policies=(deny, *IN)))
    world.send(world.b, udp(world.b, "10.0.2.98"))
    world.sim.run()
    assert world.reasons() == [Drop.POLICY_DENY]


@pytest.mark.parametrize(
    "origins",
    [
        (zone("untrust"), Scope(ScopeKind.INTERFACE, (UNTRUST.name,))),
        (Scope(ScopeKind.INSTANCE, ("",)), zone("untrust")),
    ],
)
def test_the_most_specific_rule_set_decides(origins: tuple[Scope, Scope]) -> None:
    rules = (
        to_server("10.0.2.80/32", block("10.0.3.7"), origin=origins[0]),
        to_server("10.0.2.80/32", block("10.0.3.2"), number=12, origin=origins[1]),
    )
    world = World(with_nat(Nat(destination=rules)))
    assert world.pass_(world.b, udp(world.b, "10.0.2.80"), world.c)[IP].dst == "10.0.3.2"
