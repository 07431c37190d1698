"""ARP and Neighbour Discovery: what is answered, what is asked, and what is believed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from controller.config.schema import SECOND
from controller.flow import Direction, FlowKey
from controller.messages import (
    Actor,
    NeighborChanged,
    NeighborForgotten,
    NeighborResolved,
    PacketDropped,
    PacketIn,
    Reconfigure,
    ResolveNeighbor,
    Role,
    Transmit,
)
from controller.reasons import Drop, Punt
from controller.routing import nd
from controller.routing.neighbors import MAX_WAITING, Neighbors, NeighborState

from .world import DMZ, TRUST, UNTRUST, Host, World, configuration, ping, udp

FLOW = FlowKey(b"\1\2\3\4", b"\5\6\7\x08", 1, 2, 17, 1)
LINK_LOCAL = str(ip_address(nd.link_local(TRUST.mac)))


class Table:
    """A neighbour table and host a, who speaks to it."""

    def __init__(self) -> None:
        self.machine = Neighbors(configuration())
        self.a = World().a
        self.now = 0

    def hear(
        self, packet: Packet, host: Host | None = None, reason: Punt = Punt.ARP
    ) -> list[object]:
        heard = self.heard(packet, host, reason)
        return [message for _, message in self.machine.handle(heard, self.now)]

    def heard(self, packet: Packet, host: Host | None = None, reason: Punt = Punt.ARP) -> PacketIn:
        host = host or self.a
        frame = host.frame(packet)
        return PacketIn(host.interface.port, reason, 1, 0, Direction.FORWARD, 0, frame, self.now)

    def resolve(self, address: str, flow: FlowKey = FLOW) -> list[object]:
        question = ResolveNeighbor(1, flow, TRUST.name, ip_address(address).packed)
        return [message for _, message in self.machine.handle(question, self.now)]

    def known(self) -> dict[str, str | None]:
        return {
            str(ip_address(view.address)): view.mac and view.mac.hex(":")
            for view in self.machine.snapshot(self.now)
        }


def frame_of(messages: list[object]) -> Packet:
    (message,) = messages
    assert isinstance(message, Transmit)
    return Ether(message.frame)


def request(target: str, src: str = "10.0.1.2", mac: str = "02:00:00:00:00:0a") -> Packet:
    return ARP(op=1, hwsrc=mac, psrc=src, pdst=target)


def reason_of(messages: list[object]) -> Drop:
    (message,) = messages
    return message.reason  # type: ignore[attr-defined, no-any-return]


# -- answers ------------------------------------------------------------------------------------


def test_arp_request_for_our_address_is_answered_and_teaches() -> None:
    table = Table()
    reply = frame_of(table.hear(request("10.0.1.1")))
    assert (reply.dst, reply.src) == (table.a.mac, TRUST.mac.hex(":"))
    arp = reply[ARP]
    assert (arp.op, arp.hwsrc, arp.psrc, arp.pdst) == (
        2,
        TRUST.mac.hex(":"),
        "10.0.1.1",
        "10.0.1.2",
    )
    assert table.known() == {"10.0.1.2": table.a.mac}


def test_arp_reply_carries_the_interface_s_tag() -> None:
    table = Table()
    c = World().c
    reply = frame_of(table.hear(request("10.0.3.1", "10.0.3.2", c.mac), c))
    assert reply.vlan == 30
    assert reply[ARP].hwsrc == DMZ.mac.hex(":")


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (request("10.0.1.9"), Drop.NOT_FOR_US),
        (request("10.0.2.1"), Drop.NOT_FOR_US),  # ours, but not on this interface
        (request("10.0.1.1", src="10.0.9.9"), Drop.MARTIAN_SOURCE),
        (request("10.0.1.1", mac="01:00:5e:00:00:01"), Drop.MALFORMED),
        (ARP(op=3), Drop.MALFORMED),
        (ARP(hwtype=6, hwlen=6, pdst="10.0.1.1"), Drop.MALFORMED),
        (Packet(b"") / b"\0\1", Drop.TRUNCATED),
    ],
)
def test_arp_that_is_not_answered(packet: Packet, reason: Drop) -> None:
    table = Table()
    assert reason_of(table.hear(packet)) is reason
    assert table.known() == {}


def test_arp_probe_is_answered_without_learning() -> None:
    table = Table()
    assert frame_of(table.hear(request("10.0.1.1", src="0.0.0.0")))[ARP].op == 2
    assert table.known() == {}


def test_nobody_takes_our_own_address() -> None:
    table = Table()
    table.hear(request("10.0.1.1", src="10.0.1.1"))
    table.hear(ARP(op=2, hwsrc=table.a.mac, psrc="10.0.1.1", pdst="10.0.1.1"))
    assert table.known() == {}


def solicit(target: str, src: str = "2001:db8:1::2", **more: int) -> Packet:
    group = str(ip_address(nd.solicited_node(ip_address(target).packed)))
    ip = IPv6(src=src, dst=group, hlim=more.get("hlim", 255))
    ns = ip / ICMPv6ND_NS(tgt=target, code=more.get("code", 0))
    return ns if src == "::" else ns / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:0a")


@pytest.mark.parametrize("target", ["2001:db8:1::1", LINK_LOCAL])
def test_solicitation_for_our_address_is_answered_and_teaches(target: str) -> None:
    table = Table()
    advert = frame_of(table.hear(solicit(target), reason=Punt.ND))
    assert (advert.dst, advert[IPv6].dst, advert[IPv6].hlim) == (table.a.mac, "2001:db8:1::2", 255)
    na = advert[ICMPv6ND_NA]
    assert (na.tgt, na.S, na.O, na.R) == (target, 1, 1, 0)
    assert advert[ICMPv6NDOptDstLLAddr].lladdr == TRUST.mac.hex(":")
    good = advert[IPv6].copy()
    good[ICMPv6ND_NA].delfieldval("cksum")
    assert bytes(good) == bytes(advert[IPv6])
    assert table.known() == {"2001:db8:1::2": table.a.mac}


def test_duplicate_address_detection_is_answered_to_all_nodes() -> None:
    advert = frame_of(Table().hear(solicit("2001:db8:1::1", src="::"), reason=Punt.ND))
    assert (advert.dst, advert[IPv6].dst) == ("33:33:00:00:00:01", "ff02::1")
    assert advert[ICMPv6ND_NA].S == 0


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (solicit("2001:db8:1::9"), Drop.NOT_FOR_US),
        (solicit("2001:db8:2::1"), Drop.NOT_FOR_US),
        (solicit("2001:db8:1::1", src="2001:db8:9::9"), Drop.MARTIAN_SOURCE),
        (solicit("2001:db8:1::1", hlim=64), Drop.MALFORMED),
        (solicit("2001:db8:1::1", code=1), Drop.MALFORMED),
        (IPv6(src="fe80::2", dst="ff02::2", hlim=255) / ICMPv6ND_RS(), Drop.NOT_FOR_US),
    ],
)
def test_nd_that_is_not_answered(packet: Packet, reason: Drop) -> None:
    table = Table()
    assert reason_of(table.hear(packet, reason=Punt.ND)) is reason
    assert table.known() == {}


def test_a_router_solicitation_is_called_by_its_name() -> None:
    solicitation = IPv6(src="fe80::2", dst="ff02::2", hlim=255) / ICMPv6ND_RS()
    (drop,) = Table().hear(solicitation, reason=Punt.ND)
    assert isinstance(drop, PacketDropped)
    assert drop.detail == f"router solicitation on {TRUST.name}"


def test_broken_nd_checksum_or_option_is_not_believed() -> None:
    table = Table()
    packet = solicit("2001:db8:1::1")
    packet[ICMPv6ND_NS].cksum = 1
    assert reason_of(table.hear(packet, reason=Punt.ND)) is Drop.MALFORMED
    packet = solicit("2001:db8:1::1")
    packet[ICMPv6NDOptSrcLLAddr].len = 0
    assert reason_of(table.hear(packet, reason=Punt.ND)) is Drop.MALFORMED


# -- questions ----------------------------------------------------------------------------------


def test_known_neighbour_is_told_at_once() -> None:
    table = Table()
    table.hear(request("10.0.1.1"))
    mac = bytes.fromhex(table.a.mac.replace(":", ""))
    answer = NeighborResolved(FLOW, TRUST.name, ip_address("10.0.1.2").packed, mac)
    assert table.resolve("10.0.1.2") == [answer]


def test_unknown_neighbour_is_asked_for_once_for_all_who_wait() -> None:
    table = Table()
    question = frame_of(table.resolve("10.0.1.2"))
    assert (question.dst, question[ARP].psrc) == ("ff:ff:ff:ff:ff:ff", "10.0.1.1")
    other = FLOW._replace(sport=9)
    assert table.resolve("10.0.1.2", other) == []
    reply = ARP(op=2, hwsrc=table.a.mac, psrc="10.0.1.2", hwdst=TRUST.mac.hex(":"), pdst="10.0.1.1")
    told = table.hear(reply)
    assert [m.flow for m in told if isinstance(m, NeighborResolved)] == [FLOW, other]
    assert table.known() == {"10.0.1.2": table.a.mac}


def test_ipv6_neighbour_is_solicited() -> None:
    table = Table()
    question = frame_of(table.resolve("2001:db8:1::2"))
    assert question.dst == "33:33:ff:00:00:02"
    assert (question[IPv6].dst, question[IPv6].hlim) == ("ff02::1:ff00:2", 255)
    assert question[ICMPv6NDOptSrcLLAddr].lladdr == TRUST.mac.hex(":")
    na = ICMPv6ND_NA(tgt="2001:db8:1::2", S=1) / ICMPv6NDOptDstLLAddr(lladdr=table.a.mac)
    told = table.hear(IPv6(src="2001:db8:1::2", dst="2001:db8:1::1", hlim=255) / na, reason=Punt.ND)
    assert [type(m) for m in told] == [NeighborResolved]


def test_three_questions_a_second_apart_then_nobody() -> None:
    table = Table()
    table.resolve("10.0.1.2")
    asked = 1
    while (deadline := table.machine.deadline()) is not None:
        assert deadline == table.now + SECOND
        table.now = deadline
        out = table.machine.tick(deadline)
        asked += sum(isinstance(message, Transmit) for _, message in out)
    assert asked == 3
    assert table.now == 3 * SECOND
    answer = NeighborResolved(FLOW, TRUST.name, ip_address("10.0.1.2").packed, None)
    assert out == [(Actor(Role.SPU, 1), answer)]
    assert table.known() == {}


@pytest.mark.parametrize("address", ["10.0.9.9", "10.0.1.1", "2001:db8:9::9"])
def test_what_is_not_on_the_link_is_not_asked_for(address: str) -> None:
    (answer,) = Table().resolve(address)
    assert isinstance(answer, NeighborResolved)
    assert answer.mac is None


def test_waiting_is_bounded() -> None:
    table = Table()
    for n in range(MAX_WAITING):
        table.resolve("10.0.1.2", FLOW._replace(sport=n))
    (answer,) = table.resolve("10.0.1.2", FLOW._replace(dport=9))
    assert isinstance(answer, NeighborResolved)
    assert answer.mac is None


def test_unasked_replies_are_not_believed_but_moves_are() -> None:
    table = Table()
    gratuitous = ARP(op=2, hwsrc="02:00:00:00:00:66", psrc="10.0.1.2", pdst="10.0.1.2")
    table.hear(gratuitous)
    assert table.known() == {}
    table.hear(request("10.0.1.1"))
    table.hear(gratuitous)
    assert table.known() == {"10.0.1.2": "02:00:00:00:00:66"}


def test_entries_expire() -> None:
    table = Table()
    table.now = 5 * SECOND
    table.hear(request("10.0.1.1"))
    (view,) = table.machine.snapshot(12 * SECOND)
    assert (view.interface, view.state, view.age) == (
        TRUST.name,
        NeighborState.REACHABLE,
        7 * SECOND,
    )
    deadline = table.machine.deadline()
    assert deadline == 1205 * SECOND
    table.machine.tick(deadline)
    assert table.known() == {}
    assert table.machine.deadline() is None


# -- what SPUs keep -----------------------------------------------------------------------------


def test_who_was_told_hears_once_that_it_no_longer_holds() -> None:
    address = ip_address("10.0.1.2").packed
    moved = ARP(op=2, hwsrc="02:00:00:00:00:66", psrc="10.0.1.2", pdst="10.0.1.2")
    forgotten = NeighborForgotten(TRUST.name, address)
    table = Table()
    table.hear(request("10.0.1.1"))
    table.resolve("10.0.1.2")
    table.hear(request("10.0.1.1"))  # says the same again
    told = table.machine.handle(table.heard(moved), table.now)
    new = NeighborChanged(TRUST.name, address, bytes.fromhex("020000000066"))
    assert told == [(Actor(Role.SPU, 1), new)]
    deadline = table.machine.deadline()
    assert deadline is not None
    assert table.machine.tick(deadline) == [(Actor(Role.SPU, 1), forgotten)]
    newer = ARP(op=2, hwsrc="02:00:00:00:00:67", psrc="10.0.1.2", pdst="10.0.1.2")
    told = table.machine.handle(table.heard(newer), deadline)
    assert told[0][1] == replace(new, mac=bytes.fromhex("020000000067"))


def test_what_is_no_neighbour_by_a_new_configuration_is_taken_back() -> None:
    table = Table()
    table.hear(request("10.0.1.1"))
    table.resolve("10.0.1.2")
    off = replace(TRUST, enabled=False)
    without = configuration(interfaces={i.name: i for i in (off, DMZ, UNTRUST)})
    told = [message for _, message in table.machine.handle(Reconfigure(without), 0)]
    assert told == [NeighborForgotten(TRUST.name, ip_address("10.0.1.2").packed)]


def test_a_neighbour_is_asked_for_once_though_it_moves() -> None:
    world = World()

    def questions() -> int:
        return sum(isinstance(message, ResolveNeighbor) for _, message in world.sim.carried)

    world.pass_(world.a, udp(world.a, world.b, sport=1), world.b)
    asked = questions()
    assert asked == 2
    world.pass_(world.a, udp(world.a, world.b, sport=2), world.b)
    assert questions() == asked
    moved = "02:00:00:00:00:66"
    world.send(world.b, ARP(op=2, hwsrc=moved, psrc=world.b.ip, hwdst=moved, pdst=world.b.ip))
    world.sim.run()
    world.b.mac = moved
    asked = questions()
    got = world.pass_(world.a, udp(world.a, world.b, sport=3), world.b)
    assert got.dst == moved
    assert questions() == asked


def test_an_spu_asks_again_under_another_configuration() -> None:
    world = World()
    world.pass_(world.a, udp(world.a, world.b, sport=1), world.b)
    before = len(world.sim.carried)
    world.sim.reconfigure(configuration())
    world.pass_(world.a, udp(world.a, world.b, sport=2), world.b)
    kinds = [type(message) for _, message in world.sim.carried[before:]]
    assert kinds.count(ResolveNeighbor) == 2


# -- traffic to the firewall itself -------------------------------------------------------------


def test_ping_to_us_is_answered_where_the_zone_allows_it() -> None:
    world = World()
    for seq in (1, 2):
        got = world.pass_(world.a, ping(world.a, "10.0.1.1", identifier=5, seq=seq), world.a)
        assert (got[IP].src, got[ICMP].type, got[ICMP].id, got[ICMP].seq) == ("10.0.1.1", 0, 5, seq)
    ask = IPv6(src=world.c.ip6, dst="2001:db8:3::1") / ICMPv6EchoRequest(id=3, data=b"abc")
    got = world.pass_(world.c, ask, world.c)
    assert (got.vlan, got[ICMPv6EchoReply].data) == (30, b"abc")
    assert world.reasons() == []
    world.assert_empty()


def test_two_pings_at_once_are_both_answered() -> None:
    world = World()
    for seq in (1, 2):
        world.send(world.a, ping(world.a, "10.0.1.1", identifier=5, seq=seq))
    world.sim.run()
    assert [packet[ICMP].seq for packet in world.a.received] == [1, 2]
    world.assert_empty()


@pytest.mark.parametrize("what", ["zone", "protocol"])
def test_other_traffic_to_us_is_dropped_by_name(what: str) -> None:
    world = World()
    if what == "zone":
        world.send(world.b, ping(world.b, "10.0.2.1"))
    else:
        world.send(world.a, IP(src=world.a.ip, dst="10.0.1.1") / UDP(dport=161))
    world.sim.run()
    assert world.reasons() == [Drop.HOST_INBOUND]
    assert world.a.received == world.b.received == []
    assert UNTRUST.zone in world.sim.dropped[0].detail or what == "protocol"
    world.assert_empty()
