"""First packets that are refused: each for its reason, with nothing left behind."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_interface

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Packet

from controller.config.schema import SECOND, Action
from controller.messages import PacketDropped
from controller.reasons import Drop

from .world import TRUST, UNTRUST, Host, World, chassis, configuration, tcp, udp, with_nat


def refused(world: World, host: Host, packet: Packet, reason: Drop) -> PacketDropped:
    """Send a packet that is refused for this reason, and leaves nothing behind."""
    world.send(host, packet)
    world.sim.run(4 * SECOND)
    assert world.reasons() == [reason]
    assert all(not other.received for other in world.hosts if other is not host)
    world.assert_empty()
    return world.sim.dropped[0]


def test_denied_by_policy() -> None:
    world = World()
    dropped = refused(world, world.b, tcp(world.b, world.c, "S", dport=23), Drop.POLICY_DENY)
    assert "no-telnet" in dropped.detail
    assert world.sim.spus[1].policy_hits() == {4: 1}


def test_denied_by_default() -> None:
    world = World()
    dropped = refused(world, world.b, tcp(world.b, world.a, "S"), Drop.POLICY_DENY)
    assert "default-policy" in dropped.detail
    assert world.sim.spus[1].policy_hits() == {-1: 1}


def test_permitted_by_default() -> None:
    world = World(configuration(default_action=Action.PERMIT))
    world.pass_(world.b, tcp(world.b, world.a, "S"), world.a)


def test_no_route() -> None:
    world = World(configuration(routes=()))
    dropped = refused(world, world.a, tcp(world.a, "198.51.100.7", "S"), Drop.NO_ROUTE)
    assert "198.51.100.7" in dropped.detail


def test_subnet_broadcast_is_not_routed() -> None:
    refused(world := World(), world.a, udp(world.a, "10.0.2.255"), Drop.NO_ROUTE)


def test_egress_interface_without_zone() -> None:
    interfaces = dict(configuration().interfaces)
    interfaces[UNTRUST.name] = replace(UNTRUST, zone="")
    world = World(configuration(interfaces=interfaces))
    refused(world, world.a, tcp(world.a, world.b, "S"), Drop.NO_EGRESS)


def test_ingress_interface_without_zone() -> None:
    interfaces = dict(configuration().interfaces)
    interfaces[TRUST.name] = replace(TRUST, zone="")
    world = World(configuration(interfaces=interfaces, default_action=Action.PERMIT))
    dropped = refused(world, world.a, tcp(world.a, world.b, "S"), Drop.NO_INTERFACE)
    assert "belongs to no zone" in dropped.detail


def test_source_that_is_reached_by_another_zone() -> None:
    world = World()
    spoofed = IP(src="10.0.3.9", dst=world.b.ip) / UDP(sport=1, dport=2)
    dropped = refused(world, world.a, spoofed, Drop.ASYMMETRIC_ROUTE)
    assert "dmz" in dropped.detail


def test_source_without_route() -> None:
    world = World(configuration(routes=()))
    refused(world, world.a, IP(src="192.0.2.9", dst=world.b.ip) / UDP(), Drop.NO_REVERSE_ROUTE)


def test_our_own_address_as_source() -> None:
    refused(
        world := World(), world.a, IP(src="10.0.1.1", dst=world.b.ip) / UDP(), Drop.NO_REVERSE_ROUTE
    )


@pytest.mark.parametrize("flags", ["A", "SA", "R", "F", "SF", "SR", ""])
def test_first_segment_must_be_syn(flags: str) -> None:
    refused(world := World(), world.a, tcp(world.a, world.b, flags), Drop.TCP_NOT_SYN)


def test_first_icmp_must_be_a_request() -> None:
    reply = IP(src="10.0.1.2", dst="10.0.2.2") / ICMP(type=0, id=5)
    refused(world := World(), world.a, reply, Drop.ICMP_NOT_REQUEST)


def test_next_hop_that_is_silent() -> None:
    world = World()
    world.b.answers_arp = False
    dropped = refused(world, world.a, tcp(world.a, world.b, "S"), Drop.NO_NEIGHBOR)
    assert "10.0.2.2 on ge-1/0/0.0" in dropped.detail


def test_no_port_left_to_translate_to() -> None:
    world = World(with_nat(), nat_ports=range(2000, 2002))
    for sport in range(5000, 5003):
        world.send(world.a, udp(world.a, world.b, sport=sport))
    world.sim.run()
    assert sorted(packet[UDP].sport for packet in world.b.received) == [2000, 2001]
    assert world.reasons() == [Drop.NAT_EXHAUSTED]
    world.sim.run(200 * SECOND)
    world.assert_empty()
    world.pass_(world.a, udp(world.a, world.b, sport=5003), world.b)


def test_translated_to_the_address_in_the_next_hop_s_subnet() -> None:
    interfaces = dict(configuration().interfaces)
    two = (ip_interface("10.0.9.1/24"), *UNTRUST.addresses)
    interfaces[UNTRUST.name] = replace(UNTRUST, addresses=two)
    world = World(with_nat(interfaces=interfaces))
    assert world.pass_(world.a, udp(world.a, world.b), world.b)[IP].src == "10.0.2.1"


def test_no_spu_has_room() -> None:
    world = World(site=chassis(spus=2, max_sessions=1))
    for sport in (1, 2, 3):
        world.send(world.a, udp(world.a, world.b, sport=sport))
    world.sim.run()
    assert len(world.b.received) == 2
    assert world.reasons() == [Drop.SESSION_TABLE_FULL]
    assert {session.spu for n in (1, 2) for session in world.sim.spus[n].sessions()} == {1, 2}
