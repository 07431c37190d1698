"""Frames of simulated hosts: intact ones, each with a tag that says which packet of a flow it is.

The tag is the last eight bytes of a packet, where translation leaves it alone: the end of what it
carries, or the values of a TCP segment's timestamp option (RFC 7323) if it carries nothing.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from controller.flow import Tuple5
from controller.packet import (
    ACK,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    checksum,
)
from controller.simulate.site import Wire
from controller.tcp_options import Offer

_TAG = Struct("!IHH")
_MAGIC = 0x57A6
"""Tells a tag from what other frames end with."""
TAG_SIZE = _TAG.size

_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_TCP = Struct("!HHIIBBHHH4s")
_UDP = Struct("!HHHH")
_ECHO = Struct("!BBHHH")
_FRAGMENT6 = Struct("!BBHI")
_U16 = Struct("!H")

_TIMESTAMPS = b"\x01\x01\x08\x0a"
"""No operation twice, then the option's kind and length."""
WINDOW = 0xFFFF
TTL = 64


class Tag(NamedTuple):
    """Which packet of which flow."""

    flow: int
    packet: int


def tag_of(frame: bytes) -> Tag | None:
    """The tag at the end of a frame, if there is one."""
    flow, packet, magic = _TAG.unpack_from(frame, len(frame) - 8)
    return Tag(flow, packet) if magic == _MAGIC else None


def tagged(flow: int, packet: int) -> bytes:
    """A tag."""
    return _TAG.pack(flow, packet, _MAGIC)


def header(wire: Wire, src: bytes, dst: bytes, protocol: int, body: bytes, ttl: int = TTL) -> bytes:
    """Ethernet and IP in front of a body, from a wire's router to the firewall."""
    interface = wire.interface
    macs = interface.mac + wire.router_mac
    if interface.vlan:
        macs += b"\x81\x00" + interface.vlan.to_bytes(2, "big")
    if len(src) == 4:
        head = bytearray(_IPV4.pack(0x45, 0, 20 + len(body), 0, 0x4000, ttl, protocol, 0, src, dst))
        _U16.pack_into(head, 10, checksum(head))
        return macs + b"\x08\x00" + bytes(head) + body
    head6 = _IPV6.pack(0x60000000, len(body), protocol, ttl, src, dst)
    return macs + b"\x86\xdd" + head6 + body


def pseudo(flow: Tuple5, size: int) -> int:
    """The sum of the pseudo-header of TCP, UDP and ICMPv6."""
    addresses = int.from_bytes(flow.src, "big") + int.from_bytes(flow.dst, "big")
    return addresses + flow.protocol + size


def tcp(
    wire: Wire, flow: Tuple5, seq: int, ack: int, flags: int, tag: bytes, data: bytes = b"",
    ttl: int = TTL,
) -> bytes:  # fmt: skip
    """A TCP segment; with data, the tag is at its end."""
    options = tag if not data else b"\0\0\0\1\0\0\0\1"
    body = bytearray(
        _TCP.pack(
            flow.sport, flow.dport, seq, ack if flags & ACK else 0, 8 << 4, flags, WINDOW, 0, 0,
            _TIMESTAMPS,
        )
    )  # fmt: skip
    body += options
    if data:
        body += data + tag
    _U16.pack_into(body, 16, checksum(body, pseudo(flow, len(body))))
    return header(wire, flow.src, flow.dst, TCP, bytes(body), ttl)


def segment(
    wire: Wire, flow: Tuple5, seq: int, ack: int, flags: int, window: int,
    offer: Offer | None = None, data: bytes = b"",
) -> bytes:  # fmt: skip
    """A TCP segment without a tag: nothing but what is said. A SYN has an offer."""
    options = b"" if offer is None else offer.encode()
    options += bytes(-len(options) % 4)
    size = 20 + len(options)
    body = bytearray(
        _TCP.pack(
            flow.sport, flow.dport, seq, ack if flags & ACK else 0, size << 2, flags, window, 0, 0,
            b"",
        )[:20]
    )  # fmt: skip
    body += options + data
    _U16.pack_into(body, 16, checksum(body, pseudo(flow, len(body))))
    return header(wire, flow.src, flow.dst, TCP, bytes(body))


def text(wire: Wire, flow: Tuple5, seq: int, ack: int, flags: int, data: bytes) -> bytes:
    """A TCP segment of a control connection."""
    return segment(wire, flow, seq, ack, flags, WINDOW, None, data)


def udp(wire: Wire, flow: Tuple5, tag: bytes, data: bytes = b"", ttl: int = TTL) -> bytes:
    """A UDP datagram."""
    size = 8 + len(data) + len(tag)
    body = bytearray(_UDP.pack(flow.sport, flow.dport, size, 0)) + data + tag
    _U16.pack_into(body, 6, checksum(body, pseudo(flow, size)) or 0xFFFF)
    return header(wire, flow.src, flow.dst, UDP, bytes(body), ttl)


def bare(wire: Wire, flow: Tuple5, tag: bytes, data: bytes = b"") -> bytes:
    """A packet of a protocol without ports."""
    return header(wire, flow.src, flow.dst, flow.protocol, data + tag)


def fragments(
    wire: Wire, flow: Tuple5, name: int, tags: tuple[bytes, bytes]
) -> tuple[bytes, bytes]:
    """A UDP datagram over IPv4 in two fragments, each with its own tag."""
    size = 8 + 32 + TAG_SIZE
    whole = bytearray(_UDP.pack(flow.sport, flow.dport, size, 0)) + bytes(24) + tags[0] + tags[1]
    _U16.pack_into(whole, 6, checksum(whole, pseudo(flow, size)) or 0xFFFF)
    frames = []
    for start, end, place in ((0, 40, 0x2000), (40, size, 40 >> 3)):
        frame = bytearray(header(wire, flow.src, flow.dst, UDP, bytes(whole[start:end])))
        l3 = 18 if wire.interface.vlan else 14
        _U16.pack_into(frame, l3 + 4, name)
        _U16.pack_into(frame, l3 + 6, place)
        frame[l3 + 10 : l3 + 12] = b"\0\0"
        _U16.pack_into(frame, l3 + 10, checksum(frame[l3 : l3 + 20]))
        frames.append(bytes(frame))
    return frames[0], frames[1]


def echo(wire: Wire, flow: Tuple5, number: int, tag: bytes, ttl: int = TTL) -> bytes:
    """A ping or its answer; ports as in ``controller.packet``: the identifier is the port of the
    side that asks, the request's type << 8 that of the side that answers."""
    request = flow.dport in (0x0800, 0x8000) and flow.sport not in (0x0800, 0x8000)
    identifier = flow.sport if request else flow.dport
    answers, asks = (0, 8) if flow.protocol == ICMP else (129, 128)
    kind = asks if request else answers
    body = bytearray(_ECHO.pack(kind, 0, 0, identifier, number)) + tag
    start = pseudo(flow, len(body)) if flow.protocol == ICMPV6 else 0
    _U16.pack_into(body, 2, checksum(body, start))
    return header(wire, flow.src, flow.dst, flow.protocol, bytes(body), ttl)


def unreachable(wire: Wire, heard: bytes, l3: int, tag: bytes) -> bytes:
    """An ICMP error, "port unreachable", about an IPv4 packet that a host received."""
    head = (heard[l3] & 15) << 2
    src, dst = heard[l3 + 16 : l3 + 20], heard[l3 + 12 : l3 + 16]
    body = bytearray(b"\x03\x03\0\0\0\0\0\0") + heard[l3 : l3 + head + 8] + tag
    _U16.pack_into(body, 2, checksum(body))
    return header(wire, src, dst, ICMP, bytes(body))


def is_intact(frame: bytes, l3: int) -> bool:
    """Whether an IPv4 header's checksum is right (IPv6 has none)."""
    if frame[l3] >> 4 == 6:
        return True
    return checksum(frame[l3 : l3 + ((frame[l3] & 15) << 2)]) == 0
