"""Wings found by other than their own plain packets: stale ones, quoted ones, fragments'."""

from __future__ import annotations

from itertools import count
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.packet import Raw

from controller.reasons import Punt
from support import base
from support.interfaces import TRUST, UNTRUST, Interface, out_of, to
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    DATA,
    PUBLIC,
    PUBLIC_PORT,
    SERVER,
    SERVER6,
    SERVER_PORT,
    tcp4,
    tcp6,
)
from support.wings import TCP4, TCP6, Session, wing

ROUTER = "198.51.100.1"
ROUTER6 = "2001:db8:ffff::1"
REVERSE = Session(id=0x00C0FFEE, wing=1, spu=3, epoch=0)
datagrams = count(5000)


class Stale(base.NpuTest):
    """A wing of another epoch is shown to its owner, on whichever path it is."""

    def runTest(self) -> None:
        old = Session(id=31, wing=0, spu=2, epoch=4)
        self.ingress(TRUST, epoch=5)
        self.express_v4(TCP4, old, TCP4, UNTRUST)
        self.to_spu(TCP6, old)
        for frame in (tcp4(to(TRUST)), tcp6(to(TRUST))):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.STALE, TRUST, **old.header())
        self.conclude(punts={Punt.STALE: 2})


class SameEpoch(base.NpuTest):
    """A wing of its interface's epoch goes its way."""

    def runTest(self) -> None:
        session = Session(id=31, wing=0, spu=2, epoch=5)
        self.ingress(TRUST, epoch=5)
        self.express_v4(TCP4, session, TCP4, UNTRUST)
        self.to_spu(TCP6, session)
        self.send(TRUST.port, tcp4(to(TRUST)))
        self.expect_frame(UNTRUST.port, tcp4(out_of(UNTRUST), ttl=63))
        self.punted(TRUST, tcp6(to(TRUST)), Punt.SESSION, **session.header())


class MissHasNoEpoch(base.NpuTest):
    """Without a wing nothing is stale."""

    def runTest(self) -> None:
        self.ingress(TRUST, epoch=5)
        self.misses(TRUST, tcp4(to(TRUST)))


def error4(quoted: Any, kind: int = 3, code: int = 3) -> bytes:
    """An ICMP error that reaches untrust."""
    return bytes(to(UNTRUST) / IP(src=ROUTER, dst=PUBLIC) / ICMP(type=kind, code=code) / quoted)


def error6(error: Any, quoted: Any) -> bytes:
    """An ICMPv6 error that reaches untrust."""
    return bytes(to(UNTRUST) / IPv6(src=ROUTER6, dst=CLIENT6) / error / quoted)


OUT = IP(src=PUBLIC, dst=SERVER, ttl=1)
OUT6 = IPv6(src=CLIENT6, dst=SERVER6, hlim=1)


class _Quoted(base.NpuTest):
    """An error about a packet that left by untrust finds the wing of that packet's answers."""

    key: dict[str, Any]
    frame: bytes

    def runTest(self) -> None:
        self.to_spu(self.key, REVERSE)
        self.punted(UNTRUST, self.frame, Punt.ICMP_ERROR, **REVERSE.header())


def back(sport: int, dport: int, protocol: int, v6: bool = False) -> dict[str, Any]:
    """The wing of the answers."""
    ends = (SERVER6, CLIENT6) if v6 else (SERVER, PUBLIC)
    return wing(*ends, sport, dport, protocol, UNTRUST.token)


TCP_OUT = TCP(sport=PUBLIC_PORT, dport=SERVER_PORT)
UDP_OUT = UDP(sport=PUBLIC_PORT, dport=SERVER_PORT) / Raw(DATA)
QUOTED: dict[str, tuple[dict[str, Any], bytes]] = {
    "Tcp": (back(SERVER_PORT, PUBLIC_PORT, 6), error4(OUT / TCP_OUT)),
    "TcpEightBytes": (
        back(SERVER_PORT, PUBLIC_PORT, 6),
        error4(Raw(bytes(OUT / TCP_OUT)[:28]), kind=11, code=0),
    ),
    "Udp": (back(SERVER_PORT, PUBLIC_PORT, 17), error4(OUT / UDP_OUT)),
    "Echo": (back(0x0800, 0x1234, 1), error4(OUT / ICMP(type=8, id=0x1234))),
    "EchoReply": (back(0x1234, 0x0800, 1), error4(OUT / ICMP(type=0, id=0x1234))),
    "Gre": (back(0, 0, 47), error4(IP(src=PUBLIC, dst=SERVER, proto=47) / Raw(DATA))),
    "TcpIpv6": (
        back(SERVER_PORT, PUBLIC_PORT, 6, v6=True),
        error6(ICMPv6PacketTooBig(mtu=1280), OUT6 / TCP_OUT),
    ),
    "UdpIpv6": (
        back(SERVER_PORT, PUBLIC_PORT, 17, v6=True),
        error6(ICMPv6DestUnreach(), OUT6 / UDP_OUT),
    ),
    "EchoIpv6": (
        back(0x8000, 0x1234, 58, v6=True),
        error6(ICMPv6DestUnreach(), OUT6 / ICMPv6EchoRequest(id=0x1234)),
    ),
    "EchoReplyIpv6": (
        back(0x1234, 0x8000, 58, v6=True),
        error6(ICMPv6DestUnreach(), OUT6 / ICMPv6EchoReply(id=0x1234)),
    ),
}
for _name, (_key, _frame) in QUOTED.items():
    globals()[f"Quoted{_name}"] = type(
        f"Quoted{_name}",
        (_Quoted,),
        {
            "key": _key,
            "frame": _frame,
            "__module__": __name__,
            "__doc__": f"{_name}: {_Quoted.__doc__}",
        },
    )


class QuotedOfExpressPath(base.NpuTest):
    """An error about an Express Path session goes to its owner; it does not ride."""

    def runTest(self) -> None:
        key = back(SERVER_PORT, PUBLIC_PORT, 6)
        self.express_v4(key, REVERSE, key, TRUST)
        frame = error4(OUT / TCP_OUT)
        self.punted(UNTRUST, frame, Punt.ICMP_ERROR, **REVERSE.header())


class QuotedElsewhere(base.NpuTest):
    """By another interface than its packet left by, an error finds no wing."""

    def runTest(self) -> None:
        self.to_spu(back(SERVER_PORT, PUBLIC_PORT, 6), REVERSE)
        quoted = OUT / TCP_OUT
        frame = bytes(to(TRUST) / IP(src=ROUTER, dst=PUBLIC) / ICMP(type=3) / quoted)
        self.punted(TRUST, frame, Punt.ICMP_ERROR)


class QuotedFragment(base.NpuTest):
    """A later fragment, or a packet with options, is quoted without ports."""

    def runTest(self) -> None:
        self.to_spu(back(SERVER_PORT, PUBLIC_PORT, 6), REVERSE)
        later = IP(src=PUBLIC, dst=SERVER, frag=9, proto=6) / Raw(bytes(TCP_OUT))
        frame = error4(later)
        self.punted(UNTRUST, frame, Punt.ICMP_ERROR)


def piece(datagram: int, offset: int, at: Interface = TRUST, **ip: Any) -> bytes:
    """A fragment of TCP from the client; the first has the header."""
    payload = bytes(TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags="A") / Raw(DATA))
    fields = {"src": CLIENT, "dst": SERVER, "proto": 6, "flags": "MF", **ip}
    return bytes(to(at) / IP(id=datagram, frag=offset, **fields) / Raw(payload[8 * offset :]))


class LaterFollowsFirst(base.NpuTest):
    """A later fragment finds the session of the first."""

    def runTest(self) -> None:
        one = next(datagrams)
        session = Session(id=8, wing=0, spu=1)
        self.express_v4(TCP4, session, TCP4, UNTRUST)
        for offset in (0, 4, 2):
            frame = piece(one, offset)
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.FRAGMENT, TRUST, **session.header())
        self.conclude(punts={Punt.FRAGMENT: 3})


class LaterBeforeFirst(base.NpuTest):
    """Before its first a fragment has no session; behind it, it has."""

    def runTest(self) -> None:
        one = next(datagrams)
        session = Session(id=8, wing=0, spu=1)
        self.to_spu(TCP4, session)
        for offset, header in ((4, {}), (0, session.header()), (2, session.header())):
            frame = piece(one, offset)
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.FRAGMENT, TRUST, **header)
        self.conclude(punts={Punt.FRAGMENT: 3})


class LaterOfAnother(base.NpuTest):
    """Another number, source, protocol or interface is another datagram."""

    def runTest(self) -> None:
        one = next(datagrams)
        session = Session(id=8, wing=0, spu=1)
        self.to_spu(TCP4, session)
        first = piece(one, 0)
        self.send(TRUST.port, first)
        self.expect_punt(first, Punt.FRAGMENT, TRUST, **session.header())
        others = (
            piece(next(datagrams), 4),
            piece(one, 4, src="10.0.1.99"),
            piece(one, 4, dst="203.0.113.99"),
            piece(one, 4, proto=17),
        )
        for frame in others:
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.FRAGMENT, TRUST)
        elsewhere = piece(one, 4, UNTRUST)
        self.send(UNTRUST.port, elsewhere)
        self.expect_punt(elsewhere, Punt.FRAGMENT, UNTRUST)
        self.conclude(punts={Punt.FRAGMENT: 6})


class LaterFollowsFirstIpv6(base.NpuTest):
    """Over IPv6, by the fragment header's identification of 32 bits."""

    def runTest(self) -> None:
        one = 0x10000 + next(datagrams)
        session = Session(id=8, wing=0, spu=1)
        self.to_spu(TCP6, session)
        ip = IPv6(src=CLIENT6, dst=SERVER6)
        tcp = TCP(sport=CLIENT_PORT, dport=SERVER_PORT, flags="A") / Raw(DATA)
        frames = [
            bytes(to(TRUST) / ip / IPv6ExtHdrFragment(id=one, m=1, nh=6) / tcp),
            bytes(to(TRUST) / ip / IPv6ExtHdrFragment(id=one, offset=9, nh=6) / Raw(DATA)),
        ]
        for frame in frames:
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.FRAGMENT, TRUST, **session.header())
        # The lower 16 bits alone are not enough.
        other = bytes(
            to(TRUST) / ip / IPv6ExtHdrFragment(id=one & 0xFFFF, offset=9, nh=6) / Raw(DATA)
        )
        self.send(TRUST.port, other)
        self.expect_punt(other, Punt.FRAGMENT, TRUST)
        self.conclude(punts={Punt.FRAGMENT: 3})


del _Quoted
