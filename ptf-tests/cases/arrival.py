"""Interfaces, neighbour protocols, and what is no packet for us."""

from __future__ import annotations

from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    ICMPv6ND_RS,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from controller.reasons import Drop, Punt
from support import base
from support.interfaces import DMZ, TRUST, UNCONFIGURED_PORT, UNTRUST, to
from support.packets import HOST_MAC, echo6, link, tcp4, tcp6

BROADCAST = "ff:ff:ff:ff:ff:ff"


def arp_request(dst: str, vlan: int = 0) -> bytes:
    """Who has 10.1.0.1?"""
    who_has = ARP(op=1, hwsrc=HOST_MAC, psrc="10.1.0.10", pdst="10.1.0.1")
    return bytes(link(dst, vlan=vlan) / who_has)


def neighbor_solicitation(to_mac: str, src: str, dst: str, hop_limit: int = 255) -> bytes:
    """Who has 2001:db8:1::1?"""
    solicitation = ICMPv6ND_NS(tgt="2001:db8:1::1") / ICMPv6NDOptSrcLLAddr(lladdr=HOST_MAC)
    return bytes(link(to_mac) / IPv6(src=src, dst=dst, hlim=hop_limit) / solicitation)


class ArpBroadcast(base.NpuTest):
    """A broadcast ARP request goes to the controller with port and token."""

    def runTest(self) -> None:
        self.punted(TRUST, arp_request(BROADCAST), Punt.ARP)


class ArpUnicast(base.NpuTest):
    """An ARP reply to the interface's MAC address goes to the controller."""

    def runTest(self) -> None:
        reply = ARP(op=2, hwsrc=HOST_MAC, psrc="10.1.0.10", hwdst=UNTRUST.mac, pdst="10.1.0.1")
        self.punted(UNTRUST, bytes(to(UNTRUST) / reply), Punt.ARP)


class ArpTagged(base.NpuTest):
    """On a tagged interface the tag stays in the frame."""

    def runTest(self) -> None:
        self.punted(DMZ, arp_request(BROADCAST, vlan=30), Punt.ARP)


class ArpToAnother(base.NpuTest):
    """ARP between others that a switch flooded is none of ours."""

    def runTest(self) -> None:
        self.falls(TRUST, arp_request("02:00:00:00:0c:0c"), Drop.NOT_FOR_US)


class ArpTruncated(base.NpuTest):
    """A frame that ends inside the ARP packet."""

    def runTest(self) -> None:
        self.falls(TRUST, arp_request(BROADCAST)[:41], Drop.TRUNCATED)


class NeighborSolicitationMulticast(base.NpuTest):
    """To the solicited-node group, as hosts ask first."""

    def runTest(self) -> None:
        frame = neighbor_solicitation("33:33:ff:00:00:01", "2001:db8:1::10", "ff02::1:ff00:1")
        self.punted(TRUST, frame, Punt.ND)


class NeighborSolicitationUnicast(base.NpuTest):
    """To our own MAC address, as hosts probe a neighbour they know."""

    def runTest(self) -> None:
        frame = neighbor_solicitation(TRUST.mac, "fe80::1", "2001:db8:1::1")
        self.punted(TRUST, frame, Punt.ND)


class DuplicateAddressDetection(base.NpuTest):
    """Its source is the unspecified address, elsewhere a martian."""

    def runTest(self) -> None:
        frame = bytes(
            link("33:33:ff:00:00:10")
            / IPv6(src="::", dst="ff02::1:ff00:10", hlim=255)
            / ICMPv6ND_NS(tgt="2001:db8:1::10")
        )
        self.punted(TRUST, frame, Punt.ND)


class RouterSolicitation(base.NpuTest):
    """To all routers."""

    def runTest(self) -> None:
        frame = bytes(
            link("33:33:00:00:00:02") / IPv6(src="fe80::1", dst="ff02::2", hlim=255) / ICMPv6ND_RS()
        )
        self.punted(TRUST, frame, Punt.ND)


class NeighborSolicitationFromAfar(base.NpuTest):
    """With a hop limit below 255 it was forwarded: no neighbour sent it (RFC 4861, 7.1.1)."""

    def runTest(self) -> None:
        frame = neighbor_solicitation(
            "33:33:ff:00:00:01", "2001:db8:1::10", "ff02::1:ff00:1", hop_limit=254
        )
        self.falls(TRUST, frame, Drop.MULTICAST)


class NeighborSolicitationToAnother(base.NpuTest):
    """To a MAC address that is not ours."""

    def runTest(self) -> None:
        frame = neighbor_solicitation("02:00:00:00:0c:0c", "fe80::1", "2001:db8:1::1")
        self.falls(TRUST, frame, Drop.NOT_FOR_US)


class NeighborSolicitationInFragments(base.NpuTest):
    """Neighbour discovery is never fragmented (RFC 6980): a fragment like any other."""

    def runTest(self) -> None:
        ip = IPv6(src="fe80::1", dst="2001:db8:1::1", hlim=255)
        solicitation = ICMPv6ND_NS(tgt="2001:db8:1::1")
        frame = bytes(to(TRUST) / ip / IPv6ExtHdrFragment(m=1) / solicitation)
        self.punted(TRUST, frame, Punt.FRAGMENT)


class NoInterfaceOnPort(base.NpuTest):
    """A port on which nothing is configured."""

    def runTest(self) -> None:
        self.send(UNCONFIGURED_PORT, tcp4(link(TRUST.mac)))
        self.conclude(drops={Drop.NO_INTERFACE: 1})


class NoInterfaceOnVlan(base.NpuTest):
    """A tag that no interface of the port has; and no tag where the interface has one."""

    def runTest(self) -> None:
        self.send(DMZ.port, tcp4(link(DMZ.mac, vlan=31)))
        self.send(DMZ.port, tcp4(link(DMZ.mac)))
        self.send(TRUST.port, tcp4(link(TRUST.mac, vlan=30)))
        self.conclude(drops={Drop.NO_INTERFACE: 3})


class PriorityTag(base.NpuTest):
    """VLAN 0 is no VLAN (802.1Q): the frame belongs to the untagged interface."""

    def runTest(self) -> None:
        frame = tcp4(Ether(dst=TRUST.mac, src=HOST_MAC) / Dot1Q(vlan=0, prio=5))
        self.misses(TRUST, frame)


class MissOnEachInterface(base.NpuTest):
    """The controller learns port and token of each, and the tag stays in the frame."""

    def runTest(self) -> None:
        for interface in (TRUST, UNTRUST, DMZ):
            frame = tcp4(to(interface), flags="S")
            self.send(interface.port, frame)
            self.expect_punt(frame, Punt.MISS, interface)
        self.conclude(punts={Punt.MISS: 3})


class NotForUs(base.NpuTest):
    """Another station's MAC address, and another interface's of ours."""

    def runTest(self) -> None:
        self.send(TRUST.port, tcp4(link("02:00:00:00:0c:0c")))
        self.send(TRUST.port, tcp4(link(UNTRUST.mac)))
        self.conclude(drops={Drop.NOT_FOR_US: 2})


class UnknownEtherType(base.NpuTest):
    """Neither ARP nor IP, tagged or not; two tags; and LLDP."""

    def runTest(self) -> None:
        self.send(
            TRUST.port, bytes(Ether(dst=TRUST.mac, src=HOST_MAC, type=0x88CC) / Raw(b"x" * 50))
        )
        self.send(
            DMZ.port, bytes(link(DMZ.mac, vlan=30) / Dot1Q(vlan=7, type=0x0800) / Raw(b"x" * 50))
        )
        self.send(
            TRUST.port, bytes(Ether(dst=TRUST.mac, src=HOST_MAC) / Dot1AD(vlan=30) / Raw(b"x" * 50))
        )
        self.conclude(drops={Drop.ETHERTYPE: 3})


class Multicast(base.NpuTest):
    """Group and broadcast addresses, by link or by IP address, that nothing here listens to."""

    def runTest(self) -> None:
        self.send(TRUST.port, tcp4(link("01:00:5e:00:00:fb"), dst="224.0.0.251"))
        self.send(TRUST.port, tcp4(link(BROADCAST), dst="255.255.255.255"))
        self.send(TRUST.port, tcp4(to(TRUST), dst="239.1.1.1"))
        self.send(TRUST.port, tcp4(to(TRUST), dst="255.255.255.255"))
        self.send(TRUST.port, tcp4(link(BROADCAST)))
        self.send(TRUST.port, tcp6(link("33:33:00:00:00:01"), dst="ff02::1"))
        self.send(TRUST.port, echo6(to(TRUST), dst="ff0e::1"))
        self.send(TRUST.port, tcp6(link("33:33:00:00:00:01")))
        self.conclude(drops={Drop.MULTICAST: 8})


class EchoRequestIsNoNeighborProtocol(base.NpuTest):
    """Hop limit 255 alone makes no ICMPv6 message one of neighbour discovery."""

    def runTest(self) -> None:
        frame = bytes(
            to(TRUST)
            / IPv6(src="2001:db8:1::10", dst="2001:db8:2::80", hlim=255)
            / ICMPv6EchoRequest()
        )
        self.misses(TRUST, frame)
