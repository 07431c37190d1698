"""Parsing and rewriting, against scapy: an independent reading and a full recomputation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet as Scapy
from scapy.packet import Raw

from controller.flow import Hop, Port, Tuple5
from controller.icmp import echo_reply, parse_quoted
from controller.packet import Packet, checksum, parse, rewrite
from controller.reasons import Drop

HOP = Hop(Port(1, 2), 0, b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02")
TAGGED = Hop(Port(1, 2), 77, b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02")
V4 = "!10.1.2.3"


def parsed(frame: bytes) -> Packet:
    packet = parse(frame)
    assert isinstance(packet, Packet), packet
    return packet


def addresses(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


ports = st.integers(0, 65535)
payloads = st.binary(max_size=64)


def text(address: bytes) -> str:
    from ipaddress import ip_address

    return str(ip_address(address))


@st.composite
def frames(draw: st.DrawFn) -> tuple[bytes, Tuple5]:
    """A good frame with a TCP, UDP or echo packet, and what it says."""
    size = draw(st.sampled_from((4, 16)))
    src, dst = draw(addresses(size)), draw(addresses(size))
    sport, dport, payload = draw(ports), draw(ports), draw(payloads)
    kind = draw(st.sampled_from(("tcp", "udp", "request", "reply")))
    ttl = draw(st.integers(2, 255))
    ip: Scapy
    if size == 4:
        options = draw(st.sampled_from(([], [("NOP",)] * 4)))
        ip = IP(
            src=text(src), dst=text(dst), ttl=ttl, options=[o[0] for o in options] and b"\1" * 4
        )
    else:
        ip = IPv6(src=text(src), dst=text(dst), hlim=ttl)
    if kind == "tcp":
        l4: Scapy = TCP(sport=sport, dport=dport, flags=draw(st.integers(0, 255)))
        says = Tuple5(src, dst, sport, dport, 6)
    elif kind == "udp":
        l4 = UDP(sport=sport, dport=dport)
        if size == 4 and draw(st.booleans()):
            l4.chksum = 0
        says = Tuple5(src, dst, sport, dport, 17)
    elif size == 4:
        l4 = ICMP(type=8 if kind == "request" else 0, id=sport, seq=dport)
        both = (sport, 0x0800) if kind == "request" else (0x0800, sport)
        says = Tuple5(src, dst, *both, 1)
    else:
        make = ICMPv6EchoRequest if kind == "request" else ICMPv6EchoReply
        l4 = make(id=sport, seq=dport, data=payload)
        payload = b""
        both = (sport, 0x8000) if kind == "request" else (0x8000, sport)
        says = Tuple5(src, dst, *both, 58)
    ether: Scapy = Ether(src="02:00:00:00:00:aa", dst="02:00:00:00:00:bb")
    if draw(st.booleans()):
        ether /= Dot1Q(vlan=draw(st.integers(1, 4094)))
    padding = b"\0" * draw(st.integers(0, 8))
    return bytes(ether / ip / l4 / Raw(payload)) + padding, says


@settings(max_examples=150, deadline=None)
@given(frames())
def test_parse_reads_what_scapy_wrote(made: tuple[bytes, Tuple5]) -> None:
    frame, says = made
    packet = parsed(frame)
    assert packet.tuple5 == says
    ether = Ether(frame)
    assert packet.vlan == (ether.vlan if Dot1Q in ether else 0)
    assert packet.key(9) == (*says, 9)
    assert not packet.fragment
    assert not packet.is_icmp_error
    assert packet.flags == (int(ether[TCP].flags) if TCP in ether else 0)


@settings(max_examples=250, deadline=None)
@given(frames(), st.data(), st.sampled_from((HOP, TAGGED)))
def test_rewrite_equals_full_recomputation(
    made: tuple[bytes, Tuple5], data: st.DataObject, hop: Hop
) -> None:
    frame, says = made
    keep = data.draw(st.booleans())
    src, dst = (
        (says.src, says.dst) if keep else (data.draw(addresses(len(says.src))) for _ in range(2))
    )
    sport, dport = says.sport, says.dport
    if says.protocol in (6, 17):
        sport, dport = data.draw(ports), data.draw(ports)
    elif sport in (0x0800, 0x8000) and dport not in (0x0800, 0x8000):
        dport = data.draw(ports)
    elif dport in (0x0800, 0x8000) and sport not in (0x0800, 0x8000):
        sport = data.draw(ports)
    translated = Tuple5(src, dst, sport, dport, says.protocol)
    before = parsed(frame)
    after = rewrite(before, translated, hop)

    assert after[:6] == hop.dst_mac
    assert after[6:12] == hop.src_mac
    again = parsed(after)
    assert again.tuple5 == translated
    assert (again.vlan, again.ttl) == (hop.vlan, before.ttl - 1)
    ether = Ether(after)
    ip = ether[IP] if IP in ether else ether[IPv6]
    size = ip.len if IP in ether else ip.plen + 40
    fresh = ip.copy()
    without_checksum = UDP in ip and ip[UDP].chksum == 0
    for layer in fresh.iterpayloads():
        for field in ("chksum", "cksum"):
            if field in layer.fields and not (layer.name == "UDP" and without_checksum):
                layer.delfieldval(field)
    assert bytes(ip)[:size] == bytes(fresh)[:size]
    # Everything behind what was rewritten is untouched.
    tail = 8 if says.protocol != 6 else 18
    assert after[again.l4 + tail :] == frame[before.l4 + tail :]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120))
def test_no_bytes_make_the_parser_raise(frame: bytes) -> None:
    assert isinstance(parse(frame), Packet | Drop)


@settings(max_examples=200, deadline=None)
@given(frames(), st.data())
def test_no_cut_or_flipped_byte_makes_the_parser_raise(
    made: tuple[bytes, Tuple5], data: st.DataObject
) -> None:
    frame = bytearray(made[0])
    frame[data.draw(st.integers(12, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    packet = parse(cut)
    assert isinstance(packet, Packet | Drop)
    if isinstance(packet, Packet) and packet.is_icmp_error:
        assert isinstance(parse_quoted(cut), Packet | Drop)


def ether(packet: Scapy) -> bytes:
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", Drop.TRUNCATED),
        (ether(ARP())[:40], Drop.ETHERTYPE),
        (ether(IP(version=5) / UDP()), Drop.IP_VERSION),
        (ether(IP(ihl=4) / UDP()), Drop.IP_HEADER_LENGTH),
        (ether(IP(len=2000) / UDP()), Drop.IP_TOTAL_LENGTH),
        (ether(IP(len=10) / UDP()), Drop.IP_TOTAL_LENGTH),
        (ether(IP(len=24) / UDP()), Drop.TRUNCATED),
        (ether(IP() / TCP(dataofs=4)), Drop.TCP_OFFSET),
        (ether(IP() / TCP(dataofs=15)), Drop.TCP_OFFSET),
        (ether(IP() / UDP(len=100)), Drop.UDP_LENGTH),
        (ether(IP() / UDP(len=7)), Drop.UDP_LENGTH),
        (ether(IPv6() / UDP())[:50], Drop.TRUNCATED),
        (ether(IPv6(version=4) / UDP()), Drop.IP_VERSION),
        (ether(IPv6(plen=100) / UDP()), Drop.IP_TOTAL_LENGTH),
        (ether(IPv6(nh=0, plen=4) / bytes(4)), Drop.TRUNCATED),
        (ether(IPv6(nh=0, plen=8) / bytes([17, 3]) / bytes(6)), Drop.TRUNCATED),
    ],
)
def test_what_is_malformed_has_its_reason(frame: bytes, reason: Drop) -> None:
    assert parse(frame) is reason


def test_fragments() -> None:
    first = parsed(ether(IP(flags="MF") / UDP(sport=5, dport=6, len=1000)))
    assert (first.fragment, first.sport, first.dport) == (True, 5, 6)
    later = parsed(ether(IP(frag=10) / Raw(b"x" * 30)))
    assert (later.fragment, later.sport, later.dport) == (True, 0, 0)
    six = parsed(ether(IPv6() / IPv6ExtHdrFragment(m=1) / UDP()))
    assert (six.fragment, six.protocol) == (True, 17)


def test_other_protocols_have_no_ports() -> None:
    packet = parsed(ether(IP(proto=47, src="1.2.3.4", dst="5.6.7.8") / b"abcdefgh"))
    assert packet.tuple5[2:] == (0, 0, 47)
    after = rewrite(packet, Tuple5(b"\7\7\7\7", packet.dst, 0, 0, 47), HOP)
    assert after[34:] == b"abcdefgh"


def test_swapped_addresses_change_no_sum_but_are_swapped() -> None:
    packet = parsed(ether(IP(src="1.2.3.4", dst="5.6.7.8") / UDP(sport=5, dport=6) / b"data"))
    after = Ether(rewrite(packet, packet.tuple5.reversed(), HOP))
    assert (after[IP].src, after[IP].dst) == ("5.6.7.8", "1.2.3.4")
    assert (after[UDP].sport, after[UDP].dport) == (6, 5)


def test_wrong_checksum_stays_wrong() -> None:
    frame = bytearray(ether(IP(src="1.2.3.4", dst="5.6.7.8") / UDP(sport=5, dport=6) / b"data"))
    frame[40] ^= 0x55
    packet = parsed(bytes(frame))
    after = Ether(rewrite(packet, Tuple5(b"\7\7\7\7", packet.dst, 9, 6, 17), HOP))
    fresh = after.copy()
    del fresh[UDP].chksum
    assert Ether(bytes(fresh))[UDP].chksum != after[UDP].chksum


@pytest.mark.parametrize("vlan", [0, 30])
def test_echo_reply(vlan: int) -> None:
    hop = HOP if not vlan else TAGGED
    request = IP(src="10.0.1.2", dst="10.0.1.1", ttl=3) / ICMP(id=4, seq=5) / b"odd"
    reply = Ether(echo_reply(parsed(ether(request) + b"pad"), hop))
    expected = IP(src="10.0.1.1", dst="10.0.1.2", id=0, ttl=64) / ICMP(type=0, id=4, seq=5) / b"odd"
    assert bytes(reply[IP]) == bytes(expected)
    six = IPv6(src="2001:db8::2", dst="2001:db8::1") / ICMPv6EchoRequest(id=4, seq=5, data=b"odd")
    reply = Ether(echo_reply(parsed(ether(six)), hop))
    expected = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=64)
    expected /= ICMPv6EchoReply(id=4, seq=5, data=b"odd")
    assert bytes(reply[IPv6]) == bytes(expected)


@given(st.binary(max_size=99))
def test_checksum_is_rfc_1071(data: bytes) -> None:
    padded = data + b"\0" * (len(data) % 2)
    total = sum(padded[i] << 8 | padded[i + 1] for i in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    if any(data):
        assert checksum(data) == 0xFFFF - total
