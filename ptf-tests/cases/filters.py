"""Firewall filters: every field, every verdict, both directions, both IP versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from controller.reasons import Drop, Punt, Send
from support import base, filtering
from support.filtering import ACCEPT, DISCARD, FILTER, REJECT, cells
from support.interfaces import DMZ, TRUST, UNTRUST, out_of, to
from support.names import Match
from support.packets import (
    CLIENT,
    CLIENT6,
    CLIENT_PORT,
    DATA,
    SERVER,
    SERVER6,
    SERVER_PORT,
    address,
    icmp4,
    later_fragment4,
    tcp4,
    tcp6,
    udp4,
    udp6,
)
from support.wings import Session, wing


class _Field(filtering.FilterTest):
    """A term for one field: what it names falls, all else passes."""

    match: Mapping[str, Match]
    falls: bytes
    passes: bytes
    punt = Punt.MISS

    def runTest(self) -> None:
        self.input_filter()
        self.term("input", 10, self.match, DISCARD)
        self.term("input", 1, {}, ACCEPT)
        self.send(TRUST.port, self.falls)
        self.send(TRUST.port, self.passes)
        self.expect_punt(self.passes, self.punt, TRUST)
        self.conclude(drops={Drop.FILTER: 1}, punts={self.punt: 1})


def ip4(**fields: Any) -> bytes:
    """UDP over IPv4 with some IP fields."""
    udp = UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / Raw(DATA)
    return bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER, **fields) / udp)


def ip6(**fields: Any) -> bytes:
    """UDP over IPv6 with some IP fields."""
    udp = UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / Raw(DATA)
    return bytes(to(TRUST) / IPv6(src=CLIENT6, dst=SERVER6, **fields) / udp)


FIRST4 = bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER, id=3001, flags="MF") / UDP() / Raw(DATA))
LATER4 = later_fragment4(to(TRUST), 17, 100, DATA, id=3002)
SLASH24 = 0xFFFFFF00
FIELDS: dict[str, tuple[Mapping[str, Match], bytes, bytes]] = {
    "Source": ({"src_addr": address(CLIENT)}, udp4(to(TRUST)), udp4(to(TRUST), src="10.9.9.9")),
    "SourcePrefix": (
        {"src_addr": (address("10.7.7.0"), SLASH24)},
        udp4(to(TRUST), src="10.7.7.255"),
        udp4(to(TRUST), src="10.7.8.0"),
    ),
    "Destination": ({"dst_addr": address(SERVER)}, tcp4(to(TRUST)), tcp4(to(TRUST), dst="9.9.9.9")),
    "SourceIpv6": (
        {"src_addr": address(CLIENT6)},
        udp6(to(TRUST)),
        udp6(to(TRUST), src="2001:db8:9::9"),
    ),
    "DestinationPrefixIpv6": (
        {"dst_addr": (address("2001:db8:aa::"), ((1 << 48) - 1) << 80)},
        tcp6(to(TRUST), dst="2001:db8:aa:ffff::1"),
        tcp6(to(TRUST), dst="2001:db8:ab::1"),
    ),
    "Protocol": ({"protocol": 17}, udp4(to(TRUST)), tcp4(to(TRUST))),
    "ProtocolIpv6": ({"protocol": 6}, tcp6(to(TRUST)), udp6(to(TRUST))),
    "SourcePort": (
        {"src_port": (1000, 1009)},
        udp4(to(TRUST), sport=1009),
        udp4(to(TRUST), sport=1010),
    ),
    "DestinationPort": (
        {"protocol": 6, "dst_port": 22},
        tcp4(to(TRUST), dport=22),
        tcp4(to(TRUST), dport=23),
    ),
    "DestinationPortRange": (
        {"dst_port": (6000, 6063)},
        tcp6(to(TRUST), dport=6000),
        tcp6(to(TRUST), dport=5999),
    ),
    "TcpInitial": (
        {"protocol": 6, "tcp_flags": (0x02, 0x12)},
        tcp4(to(TRUST), flags="S"),
        tcp4(to(TRUST), flags="SA"),
    ),
    "TcpReset": ({"tcp_flags": (0x04, 0x04)}, tcp4(to(TRUST), flags="R"), tcp4(to(TRUST))),
    "Dscp": ({"dscp": 46}, ip4(tos=46 << 2), ip4(tos=34 << 2 | 2)),
    "DscpIpv6": ({"dscp": 46}, ip6(tc=46 << 2 | 1), ip6(tc=45 << 2)),
    "IcmpType": (
        {"protocol": 1, "icmp": (0x0800, 0xFF00)},
        icmp4(to(TRUST)),
        icmp4(to(TRUST), type=0),
    ),
    "IcmpCode": (
        {"protocol": 1, "icmp": 0x0D01},
        bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER, proto=1) / Raw(b"\x0d\1" + bytes(20))),
        bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER, proto=1) / Raw(b"\x0d\0" + bytes(20))),
    ),
    "FirstFragment": ({"fragment": 1}, FIRST4, ip4(flags="DF")),
    "LaterFragment": ({"fragment": 2}, LATER4, ip4()),
}
for _name, (_match, _falls, _passes) in FIELDS.items():
    globals()[f"Field{_name}"] = type(
        f"Field{_name}",
        (_Field,),
        {
            "match": _match,
            "falls": _falls,
            "passes": _passes,
            "__module__": __name__,
            "__doc__": f"{_name}: {_Field.__doc__}",
        },
    )


class AnyFragment(filtering.FilterTest):
    """First and later, by one mask."""

    def runTest(self) -> None:
        self.input_filter()
        self.term("input", 2, {"fragment": (1, 3)}, DISCARD)
        self.term("input", 1, {}, ACCEPT)
        self.send(TRUST.port, FIRST4)
        whole = ip4()
        self.send(TRUST.port, whole)
        self.expect_punt(whole, Punt.MISS, TRUST)
        self.send(TRUST.port, LATER4)
        self.expect_punt(LATER4, Punt.FRAGMENT, TRUST)
        self.conclude(drops={Drop.FILTER: 1}, punts={Punt.MISS: 1, Punt.FRAGMENT: 1})


class NoTermMatches(filtering.FilterTest):
    """Then the packet falls, on the way in and out."""

    def runTest(self) -> None:
        self.input_filter()
        self.output_filter()
        for side in ("input", "output"):
            self.term(side, 1, {"protocol": 6}, ACCEPT)
        self.send(TRUST.port, udp4(to(TRUST)))
        self.packet_out(udp6(out_of(UNTRUST)), UNTRUST.port, Send.EGRESS)
        frame = tcp4(out_of(UNTRUST))
        self.packet_out(frame, UNTRUST.port, Send.EGRESS)
        self.expect_frame(UNTRUST.port, frame)
        self.conclude(drops={Drop.FILTER: 1}, egress_drops={Drop.FILTER: 1})


class FirstTermDecides(filtering.FilterTest):
    """The term with the highest priority."""

    def runTest(self) -> None:
        self.input_filter()
        self.term("input", 3, {"dst_port": SERVER_PORT}, ACCEPT)
        self.term("input", 2, {"protocol": 17}, DISCARD)
        self.term("input", 1, {}, ACCEPT)
        self.misses(TRUST, udp4(to(TRUST)))
        self.send(TRUST.port, udp4(to(TRUST), dport=9))
        self.conclude(drops={Drop.FILTER: 1}, punts={Punt.MISS: 1})


class OtherFiltersAndInterfaces(filtering.FilterTest):
    """Terms of another filter are none; an interface without a filter passes all."""

    def runTest(self) -> None:
        self.ingress_features(TRUST, filter_v4=FILTER + 1, filter_v6=FILTER)
        self.term("input", 1, {}, ACCEPT)
        self.send(TRUST.port, udp4(to(TRUST)))
        for interface, frame in ((TRUST, udp6(to(TRUST))), (DMZ, udp4(to(DMZ)))):
            self.send(interface.port, frame)
            self.expect_punt(frame, Punt.MISS, interface)
        self.conclude(drops={Drop.FILTER: 1}, punts={Punt.MISS: 2})


class OneVersionOnly(filtering.FilterTest):
    """A filter for IPv4 leaves IPv6 alone."""

    def runTest(self) -> None:
        self.ingress_features(TRUST, filter_v4=FILTER)
        self.term("input", 1, {"protocol": 17}, DISCARD)
        self.misses(TRUST, udp6(to(TRUST)))


class Reject(filtering.FilterTest):
    """The controller gets it, to tell the sender; no session is looked up."""

    def runTest(self) -> None:
        self.input_filter()
        self.term("input", 1, {}, REJECT)
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 17, TRUST.token)
        self.to_spu(key, Session(id=4, wing=0, spu=1))
        self.punted(TRUST, udp4(to(TRUST)), Punt.FILTER_REJECT)
        self.assertEqual(self.client.direct_count("session_v4", key).packets, 0)


class OutputDiscard(filtering.FilterTest):
    """What Express Path forwards passes the output filter, as it leaves."""

    def runTest(self) -> None:
        self.output_filter()
        self.term("output", 2, {"dst_port": 8080}, DISCARD)
        self.term("output", 1, {}, ACCEPT)
        key = wing(CLIENT, SERVER, CLIENT_PORT, SERVER_PORT, 6, TRUST.token)
        self.express_v4(key, Session(id=4, wing=0, spu=1), {**key, "dst_port": 8080}, UNTRUST)
        self.send(TRUST.port, tcp4(to(TRUST)))
        self.conclude(egress_drops={Drop.FILTER: 1})


class CountTerms(filtering.FilterTest):
    """Terms count packets and bytes, each in its own cell, whatever their verdict."""

    def runTest(self) -> None:
        first, second, third = next(cells), next(cells), next(cells)
        self.input_filter()
        self.output_filter()
        self.term("input", 2, {"protocol": 17}, ACCEPT, count=first)
        self.term("input", 1, {}, DISCARD, count=second)
        self.term("output", 1, {}, ACCEPT, count=third)
        self.send(TRUST.port, udp4(to(TRUST)))
        self.send(TRUST.port, udp6(to(TRUST)))
        self.send(TRUST.port, tcp4(to(TRUST)))
        for _ in range(2):
            self.client.packet_in(base.ARRIVES)
        out = udp4(out_of(UNTRUST))
        self.packet_out(out, UNTRUST.port, Send.EGRESS)
        self.expect_frame(UNTRUST.port, out)
        self.conclude(drops={Drop.FILTER: 1}, punts={Punt.MISS: 2})
        self.assertEqual(
            self.client.counts("filter_counts", [first, second, third]), {first: 2, second: 1}
        )
        self.assertEqual(
            self.client.counts("output_filter_counts", [first, second, third]), {third: 1}
        )


class SetClass(filtering.FilterTest):
    """Forwarding class and loss priority go along to the SPU."""

    def runTest(self) -> None:
        self.input_filter()
        self.term("input", 2, {"protocol": 17}, ACCEPT, set_class=1, forwarding_class=5)
        self.term("input", 1, {}, ACCEPT, set_loss=1, loss_priority=3)
        for frame, header in (
            (udp4(to(TRUST)), {"forwarding_class": 5}),
            (tcp4(to(TRUST)), {"loss_priority": 3}),
        ):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.MISS, TRUST, **header)
        self.conclude(punts={Punt.MISS: 2})


class FiltersBehindScreens(filtering.FilterTest):
    """What a screen drops no term counts."""

    def runTest(self) -> None:
        cell = next(cells)
        self.input_filter()
        self.term("input", 1, {}, DISCARD, count=cell)
        self.ingress_screens(TRUST, Drop.SCREEN_TCP_NO_FLAG)
        frame = bytes(to(TRUST) / IP(src=CLIENT, dst=SERVER) / TCP(flags=0))
        self.send(TRUST.port, frame)
        self.conclude(
            drops={Drop.SCREEN_TCP_NO_FLAG: 1},
            screen_hits={(TRUST, Drop.SCREEN_TCP_NO_FLAG): 1},
        )
        self.assertEqual(self.client.counts("filter_counts", [cell]), {})


del _Field
