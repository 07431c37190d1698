"""NAT on Express Path: addresses, ports, and checksums after any change."""

from __future__ import annotations

import random
from typing import Any

from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Raw

from support import base
from support.interfaces import TRUST, UNTRUST, out_of, to
from support.packets import (
    CLIENT,
    CLIENT_PORT,
    DATA,
    PUBLIC,
    PUBLIC_PORT,
    SERVER,
    SERVER_PORT,
    icmp4,
    tcp4,
    udp4,
)
from support.wings import TCP4, UDP4, Session, source_translated, wing

SESSION = Session(id=0x0A0B0C0D, wing=0, spu=2)


class SourceNatTcp(base.NpuTest):
    """Source address and port of TCP."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, source_translated(6), UNTRUST)
        expected = tcp4(out_of(UNTRUST), src=PUBLIC, sport=PUBLIC_PORT, ttl=63)
        self.forwarded(TRUST, tcp4(to(TRUST)), UNTRUST.port, expected)


class SourceNatUdp(base.NpuTest):
    """Source address and port of UDP."""

    def runTest(self) -> None:
        self.express_v4(UDP4, SESSION, source_translated(17), UNTRUST)
        expected = udp4(out_of(UNTRUST), src=PUBLIC, sport=PUBLIC_PORT, ttl=63)
        self.forwarded(TRUST, udp4(to(TRUST)), UNTRUST.port, expected)


class ReverseWing(base.NpuTest):
    """The answer finds its own wing and gets the private address and port back."""

    def runTest(self) -> None:
        key = wing(SERVER, PUBLIC, SERVER_PORT, PUBLIC_PORT, 6, UNTRUST.token)
        back = wing(SERVER, CLIENT, SERVER_PORT, CLIENT_PORT, 6, 0)
        self.express_v4(key, Session(id=1, wing=1, spu=2), back, TRUST)
        arrives = tcp4(to(UNTRUST), SERVER, PUBLIC, SERVER_PORT, PUBLIC_PORT)
        leaves = tcp4(out_of(TRUST), SERVER, CLIENT, SERVER_PORT, CLIENT_PORT, ttl=63)
        self.forwarded(UNTRUST, arrives, TRUST.port, leaves)


class AllFourTranslated(base.NpuTest):
    """Both addresses and both ports at once."""

    def runTest(self) -> None:
        other = wing("192.0.2.254", "10.9.8.7", 65535, 1, 6, 0)
        self.express_v4(TCP4, SESSION, other, UNTRUST)
        leaves = tcp4(out_of(UNTRUST), "192.0.2.254", "10.9.8.7", 65535, 1, ttl=63)
        self.forwarded(TRUST, tcp4(to(TRUST)), UNTRUST.port, leaves)


class DestinationNatUdp(base.NpuTest):
    """Destination address and port of UDP."""

    def runTest(self) -> None:
        other = wing(CLIENT, "10.3.0.53", CLIENT_PORT, 5353, 17, 0)
        self.express_v4(UDP4, SESSION, other, UNTRUST)
        leaves = udp4(out_of(UNTRUST), dst="10.3.0.53", dport=5353, ttl=63)
        self.forwarded(TRUST, udp4(to(TRUST)), UNTRUST.port, leaves)


class UdpWithoutChecksum(base.NpuTest):
    """No checksum stays no checksum (RFC 768)."""

    def runTest(self) -> None:
        self.express_v4(UDP4, SESSION, source_translated(17), UNTRUST)
        leaves = udp4(out_of(UNTRUST), src=PUBLIC, sport=PUBLIC_PORT, ttl=63, checksum=0)
        self.forwarded(TRUST, udp4(to(TRUST), checksum=0), UNTRUST.port, leaves)


class UdpChecksumThatComesOutZero(base.NpuTest):
    """It is sent as 0xffff, for zero would say that there is none."""

    def runTest(self) -> None:
        self.express_v4(UDP4, SESSION, source_translated(17), UNTRUST)
        # Two bytes of data that make the sum of the translated datagram come out right.
        probe = UDP(udp4(out_of(UNTRUST), src=PUBLIC, sport=PUBLIC_PORT, data=b"\0\0")[34:])
        data = int(probe.chksum).to_bytes(2, "big")
        leaves = udp4(out_of(UNTRUST), src=PUBLIC, sport=PUBLIC_PORT, ttl=63, data=data)
        self.assertEqual(leaves[40:42], b"\xff\xff", "the case is built wrong")
        self.forwarded(TRUST, udp4(to(TRUST), data=data), UNTRUST.port, leaves)


class EchoRequestIdentifier(base.NpuTest):
    """The identifier of an echo request is its source port."""

    def runTest(self) -> None:
        key = wing(CLIENT, SERVER, 0x1234, 0x0800, 1, TRUST.token)
        self.express_v4(key, SESSION, wing(PUBLIC, SERVER, 0xFEDC, 0x0800, 1, 0), UNTRUST)
        leaves = icmp4(out_of(UNTRUST), src=PUBLIC, identifier=0xFEDC, ttl=63)
        self.forwarded(TRUST, icmp4(to(TRUST)), UNTRUST.port, leaves)


class EchoReplyIdentifier(base.NpuTest):
    """The identifier of an echo reply is its destination port."""

    def runTest(self) -> None:
        key = wing(SERVER, PUBLIC, 0x0800, 0xFEDC, 1, UNTRUST.token)
        self.express_v4(key, SESSION, wing(SERVER, CLIENT, 0x0800, 0x1234, 1, 0), TRUST)
        arrives = icmp4(to(UNTRUST), SERVER, PUBLIC, type=0, identifier=0xFEDC)
        leaves = icmp4(out_of(TRUST), SERVER, CLIENT, type=0, identifier=0x1234, ttl=63)
        self.forwarded(UNTRUST, arrives, TRUST.port, leaves)


class OtherIcmpKeepsItsBytes(base.NpuTest):
    """What stands in the identifier's place of a message that is no echo is left alone."""

    def runTest(self) -> None:
        key = wing(CLIENT, SERVER, 0, 0, 1, TRUST.token)
        self.express_v4(key, SESSION, wing(PUBLIC, SERVER, 0, 0, 1, 0), UNTRUST)
        leaves = icmp4(out_of(UNTRUST), src=PUBLIC, type=13, ttl=63)
        self.forwarded(TRUST, icmp4(to(TRUST), type=13), UNTRUST.port, leaves)


class ProtocolWithoutPorts(base.NpuTest):
    """ESP: addresses alone are translated, the payload stays."""

    def runTest(self) -> None:
        key = wing(CLIENT, SERVER, 0, 0, 50, TRUST.token)
        self.express_v4(key, SESSION, wing(PUBLIC, SERVER, 0, 0, 50, 0), UNTRUST)
        arrives = bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER, proto=50) / Raw(DATA))
        leaves = bytes(out_of(UNTRUST) / IP(src=PUBLIC, dst=SERVER, proto=50, ttl=63) / Raw(DATA))
        self.forwarded(TRUST, arrives, UNTRUST.port, leaves)


class ChecksumsOfManyTranslations(base.NpuTest):
    """Two hundred packets with random fields and data, through random translations."""

    def runTest(self) -> None:
        choose = random.Random(20)
        addresses = [CLIENT, "0.0.255.255", "255.255.0.0", "10.255.255.255", "172.16.0.0", SERVER]
        for _ in range(20):
            new_source = choose.choice(addresses[1:])
            new_target = choose.choice(addresses)
            sport, dport = choose.randrange(65536), choose.randrange(65536)
            self.express_v4(
                TCP4, SESSION, wing(new_source, new_target, sport, dport, 6, 0), UNTRUST
            )
            self.express_v4(
                UDP4, SESSION, wing(new_source, new_target, sport, dport, 17, 0), UNTRUST
            )
            for _ in range(5):
                ttl = choose.randrange(2, 256)
                data = choose.randbytes(choose.randrange(100))
                ip: Any = {"id": choose.randrange(65536), "tos": choose.randrange(256)}
                for build in (tcp4, udp4):
                    self.send(TRUST.port, build(to(TRUST), ttl=ttl, data=data, **ip))
                    leaves = build(
                        out_of(UNTRUST),
                        new_source,
                        new_target,
                        sport,
                        dport,
                        ttl=ttl - 1,
                        data=data,
                        **ip,
                    )
                    self.expect_frame(UNTRUST.port, leaves)
            for key in (TCP4, UDP4):
                self.client.delete("session_v4", key)
        self.conclude()


class ChecksumsAtTheEdges(base.NpuTest):
    """Checksums that come out just above and just below zero, where carries run around twice."""

    def runTest(self) -> None:
        self.express_v4(TCP4, SESSION, source_translated(6), UNTRUST)
        nat: Any = {"src": PUBLIC, "sport": PUBLIC_PORT}
        probe = IP(tcp4(out_of(UNTRUST), **nat, ttl=63, data=b"\0\0", id=0)[14:])
        for target in (*range(16), *range(0xFFF0, 0xFFFF)):
            # A field that was zero and is now x takes x from the checksum.
            ip: Any = {"id": (probe.chksum - target) % 0xFFFF}
            data = ((probe[TCP].chksum - target) % 0xFFFF).to_bytes(2, "big")
            leaves = tcp4(out_of(UNTRUST), **nat, ttl=63, data=data, **ip)
            built = IP(leaves[14:])
            self.assertEqual((built.chksum, built[TCP].chksum), (target, target))
            self.send(TRUST.port, tcp4(to(TRUST), data=data, **ip))
            self.expect_frame(UNTRUST.port, leaves)
        self.conclude()
