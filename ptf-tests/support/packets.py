"""Frames as scapy builds them: lengths and checksums are computed there, from nothing.

What a case expects is built whole from its fields and compared byte for byte, so every
checksum of a translated packet is held against one that knows nothing of the translation.
"""

from __future__ import annotations

import socket
from typing import Any

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

HOST_MAC = "02:00:00:00:0a:01"
"""Of whoever sends to the NPU."""
NEXT_HOP_MAC = "02:00:00:00:0b:01"
"""Of whoever Express Path sends to."""

CLIENT = "10.1.0.10"
SERVER = "203.0.113.80"
PUBLIC = "198.51.100.1"
CLIENT6 = "2001:db8:1::10"
SERVER6 = "2001:db8:2::80"
CLIENT_PORT = 40000
SERVER_PORT = 80
PUBLIC_PORT = 1025
DATA = bytes(range(64))


def address(text: str) -> bytes:
    """An IPv4 or IPv6 address in network order."""
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def mac(text: str) -> bytes:
    """A MAC address as 6 bytes."""
    return bytes.fromhex(text.replace(":", ""))


def link(dst: str, src: str = HOST_MAC, vlan: int = 0) -> Any:
    """Ethernet header, with an 802.1Q tag unless ``vlan`` is 0."""
    ether = Ether(dst=dst, src=src)
    return ether / Dot1Q(vlan=vlan) if vlan else ether


def tcp4(
    to: Any,
    src: str = CLIENT,
    dst: str = SERVER,
    sport: int = CLIENT_PORT,
    dport: int = SERVER_PORT,
    flags: str = "PA",
    ttl: int = 64,
    data: bytes = DATA,
    **ip: Any,
) -> bytes:
    """TCP over IPv4 behind the link header ``to``."""
    return bytes(
        to
        / IP(src=src, dst=dst, ttl=ttl, **ip)
        / TCP(sport=sport, dport=dport, flags=flags, seq=1000, ack=2000)
        / Raw(data)
    )


def udp4(
    to: Any,
    src: str = CLIENT,
    dst: str = SERVER,
    sport: int = CLIENT_PORT,
    dport: int = SERVER_PORT,
    ttl: int = 64,
    data: bytes = DATA,
    checksum: int | None = None,
    **ip: Any,
) -> bytes:
    """UDP over IPv4; ``checksum`` None: the right one."""
    return bytes(
        to
        / IP(src=src, dst=dst, ttl=ttl, **ip)
        / UDP(sport=sport, dport=dport, chksum=checksum)
        / Raw(data)
    )


def icmp4(
    to: Any,
    src: str = CLIENT,
    dst: str = SERVER,
    type: int = 8,
    identifier: int = 0x1234,
    ttl: int = 64,
    data: bytes = DATA,
    **ip: Any,
) -> bytes:
    """ICMP over IPv4: an echo request unless ``type`` says otherwise."""
    return bytes(
        to / IP(src=src, dst=dst, ttl=ttl, **ip) / ICMP(type=type, id=identifier, seq=7) / Raw(data)
    )


def tcp6(
    to: Any,
    src: str = CLIENT6,
    dst: str = SERVER6,
    sport: int = CLIENT_PORT,
    dport: int = SERVER_PORT,
    flags: str = "PA",
    hop_limit: int = 64,
    data: bytes = DATA,
    **ip: Any,
) -> bytes:
    """TCP over IPv6."""
    return bytes(
        to
        / IPv6(src=src, dst=dst, hlim=hop_limit, **ip)
        / TCP(sport=sport, dport=dport, flags=flags, seq=1000, ack=2000)
        / Raw(data)
    )


def udp6(
    to: Any,
    src: str = CLIENT6,
    dst: str = SERVER6,
    sport: int = CLIENT_PORT,
    dport: int = SERVER_PORT,
    hop_limit: int = 64,
    data: bytes = DATA,
) -> bytes:
    """UDP over IPv6."""
    return bytes(
        to / IPv6(src=src, dst=dst, hlim=hop_limit) / UDP(sport=sport, dport=dport) / Raw(data)
    )


def echo6(
    to: Any,
    src: str = CLIENT6,
    dst: str = SERVER6,
    identifier: int = 0x1234,
    reply: bool = False,
    hop_limit: int = 64,
    data: bytes = DATA,
) -> bytes:
    """ICMPv6 echo request, or reply."""
    echo = ICMPv6EchoReply if reply else ICMPv6EchoRequest
    return bytes(
        to / IPv6(src=src, dst=dst, hlim=hop_limit) / echo(id=identifier, seq=7, data=data)
    )


def later_fragment4(
    to: Any, protocol: int, offset: int, data: bytes, *, more: bool = False, **ip: Any
) -> bytes:
    """A fragment that is not the first; ``offset`` in units of 8 bytes."""
    return bytes(
        to
        / IP(src=CLIENT, dst=SERVER, proto=protocol, frag=offset, flags="MF" if more else 0, **ip)
        / Raw(data)
    )


def fabric(frame: bytes, egress_port: int, session_id: int, source_zone: int = 0) -> bytes:
    """A frame as it travels between NPUs (docs/ARCHITECTURE.md, Fabric frames)."""
    outer = mac("02:00:00:00:00:00") * 2 + (0x88B5).to_bytes(2, "big")
    header = egress_port.to_bytes(2, "big") + session_id.to_bytes(4, "big") + bytes([source_zone])
    return outer + header + frame


def broken(frame: bytes, offset: int, value: bytes) -> bytes:
    """The frame with some bytes overwritten."""
    return frame[:offset] + value + frame[offset + len(value) :]


def ip_checksummed(frame: bytes, ip_offset: int = 14) -> bytes:
    """The frame with its IPv4 header checksum made right, whatever else is wrong."""
    words = frame[ip_offset] & 15
    end = ip_offset + 4 * max(words, 5)
    header = bytearray(frame[ip_offset:end])
    header[10:12] = b"\0\0"
    total = sum(int.from_bytes(header[i : i + 2], "big") for i in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    header[10:12] = (~total & 0xFFFF).to_bytes(2, "big")
    return frame[:ip_offset] + bytes(header) + frame[end:]
