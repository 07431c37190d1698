"""ICMP errors about sessions: forwarded, translated, and what they end."""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP, UDP, ICMPerror, IPerror, UDPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, IPerror6, IPv6
from scapy.packet import Packet, Raw

from controller.reasons import Close, Drop

from .world import BOTH, World, ping, udp, with_nat


@BOTH
def test_port_unreachable_reaches_the_client_translated_and_ends_the_session(client: str) -> None:
    world = World(with_nat(), nat_ports=range(40000, 40010))
    src = getattr(world, client)
    asked = world.pass_(src, udp(src, world.b, sport=2000, dport=33434), world.b)
    assert asked[UDP].sport == 40000
    error = IP(src=world.b.ip, dst="10.0.2.1") / ICMP(type=3, code=3) / Raw(bytes(asked[IP]))
    got = world.pass_(world.b, error, src)
    assert (got[IP].src, got[IP].dst) == (world.b.ip, src.ip)
    assert (got[IPerror].src, got[IPerror].dst) == (src.ip, world.b.ip)
    assert (got[UDPerror].sport, got[UDPerror].dport) == (2000, 33434)
    assert_checksums(got)
    assert world.closes() == [Close.ICMP_ERROR]
    world.assert_empty()


def test_time_exceeded_from_a_router_on_the_way_keeps_the_session() -> None:
    world = World(with_nat())
    asked = world.pass_(world.a, ping(world.a, "198.51.100.7"), world.g)
    quoted = Raw(bytes(asked[IP])[:28])
    error = IP(src="10.0.2.254", dst="10.0.2.1") / ICMP(type=11, code=0) / quoted
    got = world.pass_(world.g, error, world.a)
    assert (got[IP].src, got[IP].dst) == ("10.0.2.254", world.a.ip)
    assert (got[IPerror].src, got[ICMPerror].id) == (world.a.ip, 77)
    assert world.closes() == []


@BOTH
def test_who_is_told_of_a_path_mtu_keeps_the_session_and_its_port(client: str) -> None:
    world = World(with_nat(), nat_ports=range(40000, 40010))
    src = getattr(world, client)
    asked = world.pass_(src, udp(src, world.b, sport=2000, dport=443), world.b)
    told = ICMP(type=3, code=4, nexthopmtu=1300) / Raw(bytes(asked[IP]))
    got = world.pass_(world.b, IP(src="10.0.2.77", dst="10.0.2.1") / told, src)
    assert got[ICMP].nexthopmtu == 1300
    assert world.closes() == []
    again = world.pass_(src, udp(src, world.b, sport=2000, dport=443), world.b)
    assert again[UDP].sport == asked[UDP].sport


def test_ipv6_error_is_forwarded() -> None:
    world = World()
    ask = IPv6(src=world.a.ip6, dst=world.b.ip6) / ICMPv6EchoRequest(id=9, seq=1, data=b"x")
    asked = world.pass_(world.a, ask, world.b)
    error = IPv6(src=world.b.ip6, dst=world.a.ip6) / ICMPv6DestUnreach() / Raw(bytes(asked[IPv6]))
    got = world.pass_(world.b, error, world.a)
    assert got[IPerror6].src == world.a.ip6
    assert_checksums(got)


def test_error_about_no_session_is_dropped_by_name() -> None:
    world = World()
    quoted = IP(src="10.0.1.2", dst=world.b.ip) / UDP(sport=1, dport=2)
    error = IP(src=world.b.ip, dst="10.0.1.2") / ICMP(type=3, code=3) / Raw(bytes(quoted))
    world.send(world.b, error)
    world.sim.run()
    assert world.reasons() == [Drop.ICMP_ERROR_UNMATCHED]
    world.assert_empty()


def assert_checksums(packet: Packet) -> None:
    """Every checksum is what scapy computes from scratch, those of a quoted packet too."""
    fresh = packet.copy()
    for layer, name in ((IP, "chksum"), (ICMP, "chksum"), (ICMPv6DestUnreach, "cksum")):
        if layer in fresh:
            fresh[layer].delfieldval(name)
    for layer in (IP, IPv6):
        if layer in packet:
            assert bytes(packet[layer]) == bytes(fresh[layer])
            break
    if IPerror in packet:
        inner = IP(bytes(packet[IPerror]))
        again = inner.copy()
        del again.chksum
        if UDP in again:
            del again[UDP].chksum
        assert bytes(inner) == bytes(again)
