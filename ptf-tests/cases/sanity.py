"""Every sanity reason, and the soundest packet that is just not it."""

from __future__ import annotations

from functools import reduce
from operator import truediv

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.packet import Raw

from controller.reasons import Drop, Punt
from support import base
from support.interfaces import DMZ, TRUST, to
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    DATA,
    SERVER,
    SERVER6,
    SERVER_PORT,
    broken,
    icmp4,
    ip_checksummed,
    tcp4,
    tcp6,
    udp4,
    udp6,
)
from support.wings import Session, wing

IP_AT = 14
"""Where IP starts in an untagged frame."""
L4_AT = 34
"""Where TCP, UDP or ICMP starts behind an IPv4 header without options."""


class TruncatedAnywhere(base.NpuTest):
    """A frame that ends inside each of its headers."""

    def runTest(self) -> None:
        cuts = [
            tcp4(to(TRUST))[: IP_AT + 19],
            tcp4(to(TRUST))[: L4_AT + 19],
            udp4(to(TRUST))[: L4_AT + 7],
            icmp4(to(TRUST))[: L4_AT + 7],
            tcp6(to(TRUST))[: IP_AT + 39],
            udp6(to(TRUST))[: IP_AT + 40 + 7],
        ]
        for cut in cuts:
            self.send(TRUST.port, cut)
        self.send(DMZ.port, tcp4(to(DMZ))[:30])
        self.conclude(drops={Drop.TRUNCATED: len(cuts) + 1})


class TruncatedOptions(base.NpuTest):
    """A header length that reaches beyond the frame."""

    def runTest(self) -> None:
        frame = ip_checksummed(broken(tcp4(to(TRUST), data=b""), IP_AT, b"\x4f"))
        self.falls(TRUST, frame, Drop.TRUNCATED)


class Ipv4Version(base.NpuTest):
    """EtherType of IPv4, version of something else."""

    def runTest(self) -> None:
        self.falls(TRUST, ip_checksummed(broken(tcp4(to(TRUST)), IP_AT, b"\x65")), Drop.IP_VERSION)


class Ipv6Version(base.NpuTest):
    """EtherType of IPv6, version of something else."""

    def runTest(self) -> None:
        self.falls(TRUST, broken(tcp6(to(TRUST)), IP_AT, b"\x40"), Drop.IP_VERSION)


class Ipv4HeaderLength(base.NpuTest):
    """A header of fewer than five words: every such length."""

    def runTest(self) -> None:
        for words in range(5):
            frame = broken(tcp4(to(TRUST)), IP_AT, bytes([0x40 + words]))
            self.send(TRUST.port, ip_checksummed(frame))
        self.conclude(drops={Drop.IP_HEADER_LENGTH: 5})


class Ipv4LongerThanFrame(base.NpuTest):
    """A total length one byte beyond the frame."""

    def runTest(self) -> None:
        frame = tcp4(to(TRUST))
        length = len(frame) - IP_AT + 1
        frame = ip_checksummed(broken(frame, IP_AT + 2, length.to_bytes(2, "big")))
        self.falls(TRUST, frame, Drop.IP_TOTAL_LENGTH)


class Ipv4LongerThanTaggedFrame(base.NpuTest):
    """The four bytes of a VLAN tag are no room for the packet."""

    def runTest(self) -> None:
        frame = tcp4(to(DMZ))
        length = len(frame) - IP_AT
        frame = ip_checksummed(broken(frame, IP_AT + 4 + 2, length.to_bytes(2, "big")), IP_AT + 4)
        self.falls(DMZ, frame, Drop.IP_TOTAL_LENGTH)


class Ipv4ShorterThanHeaders(base.NpuTest):
    """A total length that ends inside the IP, TCP, UDP or ICMP header."""

    def runTest(self) -> None:
        cases = [
            (tcp4(to(TRUST)), 19),
            (tcp4(to(TRUST)), 39),
            (udp4(to(TRUST)), 27),
            (icmp4(to(TRUST)), 27),
        ]
        for frame, length in cases:
            short = broken(frame, IP_AT + 2, length.to_bytes(2, "big"))
            self.send(TRUST.port, ip_checksummed(short))
        self.conclude(drops={Drop.IP_TOTAL_LENGTH: len(cases)})


class Padding(base.NpuTest):
    """A frame may be longer than its packet: Ethernet pads to 60 bytes."""

    def runTest(self) -> None:
        self.misses(TRUST, udp4(to(TRUST), data=b"") + bytes(18))


class Ipv6LongerThanFrame(base.NpuTest):
    """A payload length one byte beyond the frame."""

    def runTest(self) -> None:
        frame = tcp6(to(TRUST))
        length = len(frame) - IP_AT - 40 + 1
        self.falls(TRUST, broken(frame, IP_AT + 4, length.to_bytes(2, "big")), Drop.IP_TOTAL_LENGTH)


class Ipv6ShorterThanHeaders(base.NpuTest):
    """A payload length that ends inside the TCP or UDP header."""

    def runTest(self) -> None:
        self.send(TRUST.port, broken(tcp6(to(TRUST)), IP_AT + 4, b"\x00\x13"))
        self.send(TRUST.port, broken(udp6(to(TRUST)), IP_AT + 4, b"\x00\x07"))
        self.conclude(drops={Drop.IP_TOTAL_LENGTH: 2})


class Ipv6ShorterThanFragmentHeader(base.NpuTest):
    """A payload length that ends inside the fragment header, or in the UDP header behind it."""

    def runTest(self) -> None:
        ip = IPv6(src=CLIENT6, dst=SERVER6)
        frame = bytes(to(TRUST) / ip / IPv6ExtHdrFragment(m=1) / UDP() / Raw(DATA))
        self.send(TRUST.port, broken(frame, IP_AT + 4, b"\x00\x07"))
        self.send(TRUST.port, broken(frame, IP_AT + 4, b"\x00\x0f"))
        self.conclude(drops={Drop.IP_TOTAL_LENGTH: 2})


class Ipv4Checksum(base.NpuTest):
    """One wrong bit, with and without options; with options and right it passes."""

    def runTest(self) -> None:
        options = [IPOption_Router_Alert()]
        for frame in (tcp4(to(TRUST)), tcp4(to(TRUST), options=options)):
            self.send(TRUST.port, broken(frame, IP_AT + 10, bytes([frame[IP_AT + 10] ^ 1])))
        self.conclude(drops={Drop.IP_CHECKSUM: 2})


class OptionsAreSound(base.NpuTest):
    """Ports are found behind options, and the options stay in the frame."""

    def runTest(self) -> None:
        self.misses(TRUST, tcp4(to(TRUST), options=[IPOption_Router_Alert()]))


class OptionsInTheirLargestForm(base.NpuTest):
    """40 bytes of options: the longest header there is."""

    def runTest(self) -> None:
        self.misses(TRUST, tcp4(to(TRUST), options=[IPOption_Router_Alert()] * 10))


class LastHopIsNotForTheNpuToJudge(base.NpuTest):
    """TTL 1 and even 0 may be for the box itself: the controller decides."""

    def runTest(self) -> None:
        frames = [tcp4(to(TRUST), ttl=1), tcp4(to(TRUST), ttl=0), tcp6(to(TRUST), hop_limit=1)]
        self.all_punted(TRUST, frames, Punt.MISS)


class MartianSource(base.NpuTest):
    """Addresses that no packet on a wire comes from."""

    def runTest(self) -> None:
        v4 = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]
        v6 = ["::", "::1", "ff02::1"]
        for source in v4:
            self.send(TRUST.port, udp4(to(TRUST), src=source))
        for source in v6:
            self.send(TRUST.port, udp6(to(TRUST), src=source))
        self.conclude(drops={Drop.MARTIAN_SOURCE: len(v4) + len(v6)})


class NextToMartians(base.NpuTest):
    """The first addresses outside those blocks are sound."""

    def runTest(self) -> None:
        v4 = ["1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255"]
        frames = [udp4(to(TRUST), src=source) for source in v4] + [udp6(to(TRUST), src="::2")]
        self.all_punted(TRUST, frames, Punt.MISS)


class TcpOffset(base.NpuTest):
    """A data offset inside the TCP header, or beyond the packet."""

    def runTest(self) -> None:
        self.send(TRUST.port, broken(tcp4(to(TRUST)), L4_AT + 12, b"\x40"))
        self.send(TRUST.port, broken(tcp4(to(TRUST), data=b"1234567"), L4_AT + 12, b"\x70"))
        self.send(TRUST.port, broken(tcp6(to(TRUST)), IP_AT + 40 + 12, b"\x00"))
        self.conclude(drops={Drop.TCP_OFFSET: 3})


class TcpOptionsAreSound(base.NpuTest):
    """A data offset that reaches exactly to the end of the packet."""

    def runTest(self) -> None:
        self.misses(TRUST, broken(tcp4(to(TRUST), data=b"\x01" * 8), L4_AT + 12, b"\x70"))


class UdpLength(base.NpuTest):
    """A UDP length shorter than its header, or longer than the packet."""

    def runTest(self) -> None:
        self.send(TRUST.port, broken(udp4(to(TRUST)), L4_AT + 4, b"\x00\x07"))
        longer = (8 + len(DATA) + 1).to_bytes(2, "big")
        self.send(TRUST.port, broken(udp4(to(TRUST)), L4_AT + 4, longer))
        self.send(TRUST.port, broken(udp6(to(TRUST)), IP_AT + 40 + 4, longer))
        self.conclude(drops={Drop.UDP_LENGTH: 3})


class UdpLengthOfFirstFragment(base.NpuTest):
    """A first fragment carries the length of the whole datagram."""

    def runTest(self) -> None:
        frame = bytes(
            to(TRUST) / IP(src=CLIENT, dst=SERVER, flags="MF") / UDP(dport=53, len=4000) / Raw(DATA)
        )
        self.punted(TRUST, frame, Punt.FRAGMENT)


class Ipv6ExtensionsAreWalked(base.NpuTest):
    """Whatever stands between IP and UDP, the ports are found."""

    def runTest(self) -> None:
        key = wing(CLIENT6, SERVER6, CLIENT_PORT, SERVER_PORT, 17, TRUST.token)
        self.to_spu(key, Session(id=3, wing=0, spu=1))
        udp = UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / Raw(DATA)
        ip = IPv6(src=CLIENT6, dst=SERVER6)
        options = IPv6ExtHdrDestOpt(options=PadN(optdata=bytes(52)))
        chains = [
            ip / IPv6ExtHdrHopByHop() / udp,
            ip / IPv6ExtHdrRouting(addresses=[SERVER6]) / udp,
            ip / options / udp,
            ip / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting() / udp,
            IPv6(src=CLIENT6, dst=SERVER6, nh=135) / Raw(b"\x11\0" + bytes(6) + bytes(udp)),
            reduce(truediv, [IPv6ExtHdrDestOpt()] * 8, ip) / udp,
        ]
        for chain in chains:
            frame = bytes(to(TRUST) / chain)
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.SESSION, TRUST, session_id=3, wing=0, spu=1)
        frame = bytes(to(TRUST) / ip / IPv6ExtHdrFragment(id=901) / IPv6ExtHdrDestOpt() / udp)
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.FRAGMENT, TRUST, session_id=3, wing=0, spu=1)
        self.conclude(punts={Punt.SESSION: len(chains), Punt.FRAGMENT: 1})


class Ipv6Extension(base.NpuTest):
    """A chain that no card walks to its end: nine headers, or one of 72 bytes."""

    def runTest(self) -> None:
        ip = IPv6(src=CLIENT6, dst=SERVER6)
        udp = UDP() / Raw(DATA)
        chains = [
            reduce(truediv, [IPv6ExtHdrDestOpt()] * 9, ip) / udp,
            reduce(truediv, [IPv6ExtHdrDestOpt()] * 8, ip) / IPv6ExtHdrFragment() / udp,
            ip / IPv6ExtHdrDestOpt(options=PadN(optdata=bytes(68))) / udp,
        ]
        for chain in chains:
            self.send(TRUST.port, bytes(to(TRUST) / chain))
        self.conclude(drops={Drop.IPV6_EXTENSION: len(chains)})


class Ipv6ExtensionBeyondPayload(base.NpuTest):
    """A payload length that ends inside an extension header."""

    def runTest(self) -> None:
        frame = bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrDestOpt() / UDP())
        self.falls(TRUST, broken(frame, IP_AT + 4, b"\0\7"), Drop.IP_TOTAL_LENGTH)


class TruncatedExtension(base.NpuTest):
    """A frame that ends inside an extension header, or where one should begin."""

    def runTest(self) -> None:
        frame = bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / IPv6ExtHdrDestOpt() / UDP())
        for length in (IP_AT + 40, IP_AT + 41, IP_AT + 47):
            self.send(TRUST.port, frame[:length])
        self.conclude(drops={Drop.TRUNCATED: 3})


class IcmpErrorWithoutItsQuote(base.NpuTest):
    """An error quotes an IP header and 8 bytes; fewer, in the frame or in the packet, fall."""

    def runTest(self) -> None:
        quoted = bytes(IP(src=SERVER, dst=CLIENT) / UDP())
        whole = bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER) / ICMP(type=3) / Raw(quoted))
        self.send(TRUST.port, whole[:-1])
        length = (20 + 8 + len(quoted) - 1).to_bytes(2, "big")
        self.send(TRUST.port, ip_checksummed(broken(whole, IP_AT + 2, length)))
        self.conclude(drops={Drop.TRUNCATED: 1, Drop.IP_TOTAL_LENGTH: 1})


class Ipv6SecurityHeadersAreProtocols(base.NpuTest):
    """ESP and AH make sessions of their own, without ports."""

    def runTest(self) -> None:
        frames = [
            bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6, nh=protocol) / Raw(DATA))
            for protocol in (50, 51)
        ]
        self.all_punted(TRUST, frames, Punt.MISS)


class FirstReasonCounts(base.NpuTest):
    """A packet with many faults is counted once, under the first that is looked for."""

    def runTest(self) -> None:
        frame = bytes(
            to(TRUST)
            / IP(src="127.0.0.1", dst="224.0.0.1", version=7, chksum=1)
            / TCP(dataofs=1, flags="SF")
            / Raw(DATA)
        )
        self.falls(TRUST, frame, Drop.IP_VERSION)


class IcmpWithoutPorts(base.NpuTest):
    """An ICMP question other than echo is a flow without ports."""

    def runTest(self) -> None:
        frame = bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER) / ICMP(type=13) / Raw(DATA))
        self.misses(TRUST, frame)
