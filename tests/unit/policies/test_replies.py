"""What senders are told about packets that go no further."""

from dataclasses import replace

import pytest
from controller_machines.world import World, configuration, ping, policy, tcp, udp
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6TimeExceeded, IPv6
from scapy.packet import Packet

from controller.config.host_services import HostService
from controller.config.schema import SECOND, Action, Configuration
from controller.reasons import Drop
from controller.spu import replies
from controller.spu.replies import BURST, RATE, RateLimit


def told(world: World, packet: Packet) -> Packet:
    """What host a is told about a packet that it sent."""
    return told_all(world, packet)[0]


def told_all(world: World, packet: Packet) -> list[Packet]:
    world.a.received.clear()
    world.send(world.a, packet)
    world.sim.run()
    return [received.payload for received in world.a.received]


def rejecting() -> Configuration:
    return configuration(policies=(policy("no", 1, "trust", "untrust", action=Action.REJECT),))


def valid(packet: Packet) -> bool:
    """Whether all checksums are right: made anew they are the same."""
    again = packet.copy()
    for layer in (IP, TCP, UDP, ICMP, ICMPv6DestUnreach, ICMPv6TimeExceeded):
        if layer in again:
            fields = again[layer].fields
            fields.pop("chksum", None)
            fields.pop("cksum", None)
    return bytes(again) == bytes(packet)


def test_a_rejected_connection_is_reset() -> None:
    world = World(rejecting())
    syn = tcp(world.a, world.b, "S")
    syn[TCP].seq = 0xFFFFFFFF
    rst = told(world, syn)
    assert (rst[IP].src, rst[IP].dst) == (world.b.ip, world.a.ip)
    assert (rst[TCP].flags, rst[TCP].seq, rst[TCP].ack) == ("RA", 0, 0)
    assert (rst[TCP].sport, rst[TCP].dport) == (80, 1025)
    assert valid(rst)
    assert world.reasons() == [Drop.POLICY_REJECT]
    world.assert_empty()


def test_a_rejected_connection_is_reset_over_ipv6() -> None:
    world = World(rejecting())
    rst = told(world, IPv6(src=world.a.ip6, dst=world.b.ip6) / TCP(dport=80, flags="S", seq=6))
    assert (rst[TCP].flags, rst[TCP].ack) == ("RA", 7)
    assert valid(rst)


def test_a_rejected_datagram_is_unreachable() -> None:
    world = World(rejecting())
    error = told(world, udp(world.a, world.b))
    assert error[IP].src == "10.0.1.1"
    assert (error[ICMP].type, error[ICMP].code) == (3, 3)
    assert error[ICMP].payload.dst == world.b.ip
    assert valid(error[IP].copy())
    six = told(world, IPv6(src=world.a.ip6, dst=world.b.ip6) / UDP(dport=9) / b"x")
    assert six[IPv6].src == "2001:db8:1::1"
    assert six[ICMPv6DestUnreach].code == 4
    assert valid(six)


def test_a_rejected_ping_is_dropped_in_silence() -> None:
    world = World(rejecting())
    assert told_all(world, ping(world.a, world.b)) == []
    assert world.reasons() == [Drop.POLICY_REJECT]


def test_deny_tells_nothing() -> None:
    world = World(configuration(policies=()))
    assert told_all(world, tcp(world.a, world.b, "S")) == []
    assert told_all(world, udp(world.a, world.b)) == []


def test_a_traceroute_finds_us_on_the_first_path_and_in_a_session() -> None:
    world = World()
    probe = udp(world.a, world.b)
    probe[IP].ttl = 1
    first = told(world, probe)
    assert (first[IP].src, first[ICMP].type, first[ICMP].code) == ("10.0.1.1", 11, 0)
    assert valid(first)
    world.pass_(world.a, udp(world.a, world.b), world.b)
    again = told(world, probe)
    assert (again[IP].src, again[ICMP].type) == ("10.0.1.1", 11)
    six = IPv6(src=world.a.ip6, dst=world.b.ip6, hlim=1) / UDP(dport=9) / b"x"
    assert told(world, six)[ICMPv6TimeExceeded].code == 0


def test_a_traceroute_finds_us_on_express_path() -> None:
    world = World()
    world.pass_(world.c, udp(world.c, world.b), world.b)
    probe = udp(world.c, world.b)
    probe[IP].ttl = 1
    world.send(world.c, probe)
    world.sim.run()
    error = world.c.received[-1]
    assert (error[IP].src, error[ICMP].type) == ("10.0.3.1", 11)
    assert world.reasons() == [Drop.TTL_EXPIRED]


def test_no_route_and_no_neighbour_are_unreachable() -> None:
    world = World(configuration(routes=()))
    error = told(world, udp(world.a, "192.0.2.1"))
    assert (error[ICMP].type, error[ICMP].code) == (3, 0)
    world = World()
    world.b.answers_arp = False
    world.send(world.a, udp(world.a, world.b))
    world.sim.run(10 * SECOND)
    assert [p[ICMP].code for p in world.a.received if ICMP in p] == [1]


def test_nothing_is_said_about_errors_and_to_nobody() -> None:
    world = World(rejecting())
    unreachable = IP(src=world.a.ip, dst=world.b.ip, ttl=1) / ICMP(type=3, code=3)
    assert told_all(world, unreachable / bytes(udp(world.b, world.a))) == []
    assert told_all(world, IP(src="0.0.0.0", dst=world.b.ip) / UDP(dport=9) / b"x") == []


def test_replies_are_limited() -> None:
    limit = RateLimit()
    assert sum(limit.take(0) for _ in range(BURST + 5)) == BURST
    assert limit.suppressed == 5
    assert sum(limit.take(SECOND // 10) for _ in range(RATE)) == RATE // 10
    assert limit.granted == BURST + RATE // 10


def test_replies_are_counted_those_held_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "BURST", 2)
    world = World(rejecting())
    for port in range(5):
        world.send(world.a, udp(world.a, world.b, sport=2000 + port))
    world.sim.run()
    assert world.sim.spus[1].reply_counts() == (2, 3)
    world.sim.spus[1].clear_counts()
    assert world.sim.spus[1].reply_counts() == (0, 0)


@pytest.mark.parametrize(
    ("allowed", "answers"),
    [
        (set(), (False, False, False)),
        ({HostService.PING}, (True, False, False)),
        ({HostService.TRACEROUTE}, (False, True, False)),
        ({HostService.SSH}, (False, False, True)),
        ({HostService.TELNET}, (False, False, False)),
        ({HostService.ALL}, (True, True, True)),
        ({HostService.ANY_SERVICE}, (True, True, True)),
    ],
)
@pytest.mark.parametrize("of_interface", [False, True])
def test_the_firewall_itself(
    allowed: set[HostService], answers: tuple[bool, bool, bool], of_interface: bool
) -> None:
    config = configuration()
    zone = config.zones["trust"]
    if of_interface:
        zone = replace(zone, host_inbound=frozenset(HostService))
        (name,) = zone.interfaces
        interface = replace(config.interfaces[name], host_inbound=frozenset(allowed))
        config = replace(config, interfaces={**config.interfaces, name: interface})
    else:
        zone = replace(zone, host_inbound=frozenset(allowed))
    world = World(replace(config, zones={**config.zones, "trust": zone}))
    probe = udp(world.a, "10.0.1.1", dport=33434)
    probe[IP].ttl = 1
    got = (
        [p[ICMP].type for p in told_all(world, ping(world.a, "10.0.1.1"))],
        [(p[ICMP].type, p[ICMP].code) for p in told_all(world, probe)],
        [str(p[TCP].flags) for p in told_all(world, tcp(world.a, "10.0.1.1", "S", dport=22))],
    )
    expected = ([0], [(3, 3)], ["RA"])
    assert got == tuple(full if yes else [] for full, yes in zip(expected, answers, strict=True))
    world.assert_empty()
