"""The six criteria, and what the controller is told of the wing that matched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import GRE
from scapy.packet import Raw

from controller.reasons import Punt
from support import base
from support.interfaces import DMZ, TRUST, UNTRUST, Interface, to
from support.names import Value
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    DATA,
    SERVER,
    SERVER6,
    SERVER_PORT,
    echo6,
    icmp4,
    later_fragment4,
    tcp4,
    tcp6,
    udp4,
    udp6,
)
from support.wings import TCP4, TCP6, Session, session_table, wing

FORWARD = Session(id=0x01020304, wing=0, spu=3)
REVERSE = Session(id=0xFFFFFFFF, wing=1, spu=255)


@dataclass(frozen=True)
class Change:
    """A packet that differs from a wing in one criterion and no other."""

    key: dict[str, Value]
    frame: bytes
    interface: Interface = TRUST


CHANGES = {
    "SourceAddress": Change(TCP4, tcp4(to(TRUST), src="10.1.0.11")),
    "DestinationAddress": Change(TCP4, tcp4(to(TRUST), dst="203.0.113.81")),
    "SourcePort": Change(TCP4, tcp4(to(TRUST), sport=CLIENT_PORT + 1)),
    "DestinationPort": Change(TCP4, tcp4(to(TRUST), dport=SERVER_PORT + 1)),
    "Protocol": Change(TCP4, udp4(to(TRUST))),
    "Token": Change(TCP4, tcp4(to(DMZ)), DMZ),
    "SourceAddressIpv6": Change(TCP6, tcp6(to(TRUST), src="2001:db8:1::11")),
    "DestinationAddressIpv6": Change(TCP6, tcp6(to(TRUST), dst="2001:db8:3::80")),
    "SourcePortIpv6": Change(TCP6, tcp6(to(TRUST), sport=CLIENT_PORT + 256)),
    "DestinationPortIpv6": Change(TCP6, tcp6(to(TRUST), dport=SERVER_PORT + 256)),
    "ProtocolIpv6": Change(TCP6, udp6(to(TRUST))),
    "TokenIpv6": Change(TCP6, tcp6(to(UNTRUST)), UNTRUST),
}


class _OneCriterion(base.NpuTest):
    change: Change

    def runTest(self) -> None:
        change = self.change
        self.to_spu(change.key, FORWARD)
        self.send(change.interface.port, change.frame)
        self.expect_punt(change.frame, Punt.MISS, change.interface)
        self.conclude(punts={Punt.MISS: 1})
        table = session_table(change.key)
        self.assertEqual(self.client.direct_count(table, change.key).packets, 0)
        # The same packet without the change does match.
        frame = tcp4(to(TRUST)) if table == "session_v4" else tcp6(to(TRUST))
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.SESSION, TRUST, **FORWARD.header())
        self.assertEqual(self.client.direct_count(table, change.key).packets, 1)


for _name, _change in CHANGES.items():
    _case = f"{_name}Alone"
    globals()[_case] = type(
        _case,
        (_OneCriterion,),
        {
            "change": _change,
            "__module__": __name__,
            "__doc__": f"{_name}: this criterion alone changed must miss.",
        },
    )
del _case, _OneCriterion


@dataclass(frozen=True)
class Match:
    """A packet and the wing it belongs to."""

    key: dict[str, Value]
    frame: bytes


MATCHES = {
    "Tcp": Match(TCP4, tcp4(to(TRUST))),
    "TcpSyn": Match(TCP4, tcp4(to(TRUST), flags="S")),
    "TcpWithIpOptions": Match(TCP4, tcp4(to(TRUST), options=[IPOption_Router_Alert()])),
    "Udp": Match(wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 17, TRUST.token), udp4(to(TRUST))),
    "EchoRequest": Match(
        wing(CLIENT, SERVER, 0x1234, 0x0800, 1, TRUST.token), icmp4(to(TRUST), identifier=0x1234)
    ),
    "EchoReply": Match(
        wing(CLIENT, SERVER, 0x0800, 0x1234, 1, TRUST.token),
        icmp4(to(TRUST), type=0, identifier=0x1234),
    ),
    "Timestamp": Match(
        wing(CLIENT, SERVER, 0, 0, 1, TRUST.token), icmp4(to(TRUST), type=13, identifier=0x1234)
    ),
    "Gre": Match(
        wing(CLIENT, SERVER, 0, 0, 47, TRUST.token),
        bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER) / GRE(proto=0x0800) / Raw(DATA)),
    ),
    "TcpIpv6": Match(TCP6, tcp6(to(TRUST))),
    "UdpIpv6": Match(
        wing(CLIENT6, SERVER6, CLIENT_PORT, SERVER_PORT, 17, TRUST.token), udp6(to(TRUST))
    ),
    "EchoRequestIpv6": Match(
        wing(CLIENT6, SERVER6, 0x1234, 0x8000, 58, TRUST.token), echo6(to(TRUST))
    ),
    "EchoReplyIpv6": Match(
        wing(CLIENT6, SERVER6, 0x8000, 0x1234, 58, TRUST.token), echo6(to(TRUST), reply=True)
    ),
    "EspIpv6": Match(
        wing(CLIENT6, SERVER6, 0, 0, 50, TRUST.token),
        bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6, nh=50) / Raw(DATA)),
    ),
}


class _ToOwner(base.NpuTest):
    match: Match

    def runTest(self) -> None:
        match = self.match
        for session in (FORWARD, REVERSE):
            self.to_spu(match.key, session)
            self.send(TRUST.port, match.frame)
            self.expect_punt(match.frame, Punt.SESSION, TRUST, **session.header())
            self.client.delete(session_table(match.key), match.key)
        self.conclude(punts={Punt.SESSION: 2})


for _name, _match in MATCHES.items():
    _case = f"{_name}ToOwner"
    globals()[_case] = type(
        _case,
        (_ToOwner,),
        {
            "match": _match,
            "__module__": __name__,
            "__doc__": f"{_name}: to the owner SPU with session, wing and SPU.",
        },
    )
del _case, _ToOwner


class TwoTokensTwoSessions(base.NpuTest):
    """The same five-tuple under two tokens is two sessions."""

    def runTest(self) -> None:
        self.to_spu(wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token), FORWARD)
        self.to_spu(wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, DMZ.token), REVERSE)
        for interface, session in ((TRUST, FORWARD), (DMZ, REVERSE)):
            frame = tcp4(to(interface))
            self.send(interface.port, frame)
            self.expect_punt(frame, Punt.SESSION, interface, **session.header())
        self.conclude(punts={Punt.SESSION: 2})


class BothWings(base.NpuTest):
    """The answer's tuple is the question's reversed, for echo too."""

    def runTest(self) -> None:
        self.to_spu(wing(CLIENT, SERVER, 0x77, 0x0800, 1, TRUST.token), FORWARD)
        self.to_spu(wing(SERVER, CLIENT, 0x0800, 0x77, 1, UNTRUST.token), REVERSE)
        request = icmp4(to(TRUST), identifier=0x77)
        reply = icmp4(to(UNTRUST), src=SERVER, dst=CLIENT, type=0, identifier=0x77)
        self.send(TRUST.port, request)
        self.expect_punt(request, Punt.SESSION, TRUST, **FORWARD.header())
        self.send(UNTRUST.port, reply)
        self.expect_punt(reply, Punt.SESSION, UNTRUST, **REVERSE.header())
        self.conclude(punts={Punt.SESSION: 2})


class FirstFragmentOfSession(base.NpuTest):
    """It has ports, so the SPU learns the session; the reason says that more will come."""

    def runTest(self) -> None:
        self.to_spu(TCP4, FORWARD)
        self.punted(TRUST, tcp4(to(TRUST), flags="A"), Punt.SESSION, **FORWARD.header())
        frame = bytes(
            to(TRUST)
            / IP(src=CLIENT, dst=SERVER, flags="MF")
            / TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags="A")
            / Raw(DATA)
        )
        self.send(TRUST.port, frame)
        self.expect_punt(frame, Punt.FRAGMENT, TRUST, **FORWARD.header())
        self.conclude(punts={Punt.SESSION: 1, Punt.FRAGMENT: 1})


class LaterFragment(base.NpuTest):
    """Without its first it has no ports, whatever its first bytes look like."""

    def runTest(self) -> None:
        self.to_spu(TCP4, FORWARD)
        looks_like_tcp = bytes(TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags="S"))
        frame = later_fragment4(to(TRUST), 6, 8, looks_like_tcp + DATA, id=904)
        self.punted(TRUST, frame, Punt.FRAGMENT)


class LaterFragmentIsShort(base.NpuTest):
    """A last fragment may be shorter than any header above IP."""

    def runTest(self) -> None:
        self.punted(TRUST, later_fragment4(to(TRUST), 6, 8, b"tail"), Punt.FRAGMENT)


class FragmentsIpv6(base.NpuTest):
    """First ones, later ones that follow one, and a later one that follows none."""

    def runTest(self) -> None:
        self.to_spu(TCP6, REVERSE)
        ip = IPv6(src=CLIENT6, dst=SERVER6)
        tcp = TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags="A")
        first = bytes(to(TRUST) / ip / IPv6ExtHdrFragment(m=1, nh=6, id=902) / tcp / Raw(DATA))
        later = bytes(to(TRUST) / ip / IPv6ExtHdrFragment(offset=8, nh=6, id=902) / Raw(DATA))
        stray = bytes(to(TRUST) / ip / IPv6ExtHdrFragment(offset=8, nh=6, id=903) / tcp)
        self.send(TRUST.port, first)
        self.expect_punt(first, Punt.FRAGMENT, TRUST, **REVERSE.header())
        self.send(TRUST.port, later)
        self.expect_punt(later, Punt.FRAGMENT, TRUST, **REVERSE.header())
        self.send(TRUST.port, stray)
        self.expect_punt(stray, Punt.FRAGMENT, TRUST)
        self.conclude(punts={Punt.FRAGMENT: 3})


class FragmentWithoutSession(base.NpuTest):
    """No wing matched: reason FRAGMENT, session 0."""

    def runTest(self) -> None:
        frame = bytes(
            to(TRUST) / IP(src=CLIENT, dst=SERVER, flags="MF") / UDP(dport=53) / Raw(DATA)
        )
        self.punted(TRUST, frame, Punt.FRAGMENT)


class IcmpErrors(base.NpuTest):
    """They belong to the session of the packet they quote, not to one of their own."""

    def runTest(self) -> None:
        self.to_spu(wing(CLIENT, SERVER, 0, 0, 1, TRUST.token), FORWARD)
        quoted: Any = IP(src=SERVER, dst=CLIENT) / UDP() / Raw(DATA)
        frames = [
            bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER) / ICMP(type=kind) / quoted)
            for kind in (3, 4, 5, 11, 12)
        ]
        self.all_punted(TRUST, frames, Punt.ICMP_ERROR)


class IcmpErrorsIpv6(base.NpuTest):
    """ICMPv6 types 1 to 4."""

    def runTest(self) -> None:
        self.to_spu(wing(CLIENT6, SERVER6, 0, 0, 58, TRUST.token), FORWARD)
        quoted: Any = IPv6(src=SERVER6, dst=CLIENT6) / UDP() / Raw(DATA)
        frames = [
            bytes(
                to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6) / ICMPv6DestUnreach(type=kind) / quoted
            )
            for kind in (1, 2, 3, 4)
        ]
        self.all_punted(TRUST, frames, Punt.ICMP_ERROR)


class TaggedFrameToOwner(base.NpuTest):
    """The tag stays in the frame that the SPU gets."""

    def runTest(self) -> None:
        self.to_spu(wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, DMZ.token), FORWARD)
        self.punted(DMZ, tcp4(to(DMZ)), Punt.SESSION, **FORWARD.header())


class LargestFrame(base.NpuTest):
    """A frame of full size comes through the CPU port whole, tag and all."""

    def runTest(self) -> None:
        self.misses(TRUST, tcp4(to(TRUST), data=bytes(1460)))
        frame = tcp4(to(DMZ), data=bytes(1460))
        self.send(DMZ.port, frame)
        self.expect_punt(frame, Punt.MISS, DMZ)
