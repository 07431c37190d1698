"""ICMP and ICMPv6 messages that are made here, and errors with the packet that they quote."""

from __future__ import annotations

from struct import Struct

from controller import ip_packets
from controller.flow import Address, Hop, Tuple5
from controller.ip_packets import OWN_TTL
from controller.packet import (
    ECHO_REPLY,
    ECHO_REPLY_V6,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Packet,
    adjust,
    checksum,
    ethernet,
    parse,
    parse_ip,
)
from controller.reasons import Drop

_U16 = Struct("!H")
_U32 = Struct("!I")
_PORTS = Struct("!HH")
_ERROR = Struct("!BBHI")


def echo_reply(packet: Packet, hop: Hop) -> bytes:
    """The answer to an ICMP or ICMPv6 echo request; checksums are made anew."""
    frame, l3, l4 = packet.frame, packet.l3, packet.l4
    if packet.version == 4:
        size = frame[l3 + 2] << 8 | frame[l3 + 3]
        # Options of the request are not repeated.
        message = bytearray(frame[l4 : l3 + size])
        message[0] = ECHO_REPLY
        message[2:4] = b"\0\0"
        _U16.pack_into(message, 2, checksum(message))
        return ip_packets.frame(hop, packet.dst, packet.src, ICMP, message)
    size = frame[l3 + 4] << 8 | frame[l3 + 5]
    message = bytearray(frame[l4 : l3 + 40 + size])
    message[0] = ECHO_REPLY_V6
    return ethernet(hop, ETHERTYPE_IPV6) + icmpv6(packet.dst, packet.src, message)


def icmpv6(src: Address, dst: Address, message: bytearray, hop_limit: int = OWN_TTL) -> bytes:
    """An IPv6 packet around an ICMPv6 message, whose checksum is filled in."""
    message[2:4] = b"\0\0"
    begin = ip_packets.pseudo_header(src, dst, ICMPV6, len(message))
    _U16.pack_into(message, 2, checksum(message, begin))
    return ip_packets.packet(src, dst, ICMPV6, message, hop_limit)


def error(packet: Packet, source: Address, hop: Hop, kind: int, code: int, rest: int = 0) -> bytes:
    """An ICMP or ICMPv6 error about a packet, to who sent it.

    ``rest`` is the second word of the message, such as the MTU of "too big". It quotes as much as
    fits into 576 bytes (RFC 1812, 4.3.2.3) or 1280 (RFC 4443, 2.4).
    """
    frame, l3 = packet.frame, packet.l3
    head = _ERROR.pack(kind, code, 0, rest)
    if packet.version == 4:
        size = frame[l3 + 2] << 8 | frame[l3 + 3]
        message = bytearray(head + frame[l3 : l3 + min(size, 576 - 28)])
        _U16.pack_into(message, 2, checksum(message))
        # The precedence of network control (RFC 1812, 4.3.2.5) is left to the network.
        return ip_packets.frame(hop, source, packet.src, ICMP, message)
    size = 40 + (frame[l3 + 4] << 8 | frame[l3 + 5])
    message = bytearray(head + frame[l3 : l3 + min(size, 1280 - 48)])
    return ethernet(hop, ETHERTYPE_IPV6) + icmpv6(source, packet.src, message)


def parse_quoted(frame: bytes) -> Packet | Drop:
    """The packet that an ICMP error quotes, with offsets into the frame of the error.

    The frame is one that ``parse`` took for an ICMP error.
    """
    error = parse(frame)
    if isinstance(error, Drop):
        return error
    ethertype = ETHERTYPE_IPV4 if error.version == 4 else ETHERTYPE_IPV6
    return parse_ip(frame, error.vlan, error.l4 + 8, ethertype, len(frame), quoted=True)


def path_mtu(error: Packet) -> int:
    """What an ICMP error says that the path has room for; 0: it is about something else, or of a
    router that does not say (RFC 792; RFC 1191, section 5)."""
    kind, code = error.frame[error.l4 : error.l4 + 2]
    if error.protocol == ICMP and (kind, code) == (3, 4):
        (mtu,) = _U16.unpack_from(error.frame, error.l4 + 6)
    elif error.protocol == ICMPV6 and kind == 2:
        (mtu,) = _U32.unpack_from(error.frame, error.l4 + 4)
    else:
        return 0
    return int(mtu)


def rewrite_error(error: Packet, quoted: Packet, translated: Tuple5, hop: Hop) -> bytes:
    """An ICMP error as it leaves, the packet it quotes translated as well.

    ``translated`` is that of the wing the error travels with, which answers the quoted packet: so
    the error goes to its destination, and the quoted packet becomes its reverse. Its source is
    translated only if that is the session's own end; a router on the way keeps its address.
    """
    body = bytearray(error.frame)
    reporter = translated.src if error.src == quoted.dst else error.src
    _readdress(body, error, reporter, translated.dst)
    ttl = error.l3 + (8 if error.version == 4 else 7)
    body[ttl] -= 1
    if error.version == 4:
        old = body[error.l3 + 10] << 8 | body[error.l3 + 11]
        _U16.pack_into(body, error.l3 + 10, adjust(old, -0x0100))

    inner = translated.reversed()
    delta = _readdress(body, quoted, inner.src, inner.dst)
    delta += inner.sport + inner.dport - quoted.sport - quoted.dport
    l4 = quoted.l4
    if quoted.protocol in (TCP, UDP):
        _PORTS.pack_into(body, l4, inner.sport, inner.dport)
        at = l4 + (16 if quoted.protocol == TCP else 6)
        # A TCP checksum is rarely quoted; of UDP, 0 says that there is none.
        if at + 2 <= len(body) and (body[at] or body[at + 1] or quoted.protocol == TCP):
            new = adjust(body[at] << 8 | body[at + 1], delta)
            _U16.pack_into(body, at, new or (0xFFFF if quoted.protocol == UDP else 0))
    elif quoted.icmp_type >= 0:
        _U16.pack_into(body, l4 + 4, inner.sport if quoted.is_echo_request else inner.dport)
        of = delta
        if quoted.protocol == ICMP:
            of = inner.sport + inner.dport - quoted.sport - quoted.dport
        _U16.pack_into(body, l4 + 2, adjust(body[l4 + 2] << 8 | body[l4 + 3], of))

    if error.version == 4:
        end = error.l3 + (body[error.l3 + 2] << 8 | body[error.l3 + 3])
        start = 0
    else:
        size = body[error.l3 + 4] << 8 | body[error.l3 + 5]
        end = error.l4 + size
        start = ip_packets.pseudo_header(reporter, translated.dst, ICMPV6, size)
    body[error.l4 + 2 : error.l4 + 4] = b"\0\0"
    _U16.pack_into(body, error.l4 + 2, checksum(body[error.l4 : end], start))
    ethertype = ETHERTYPE_IPV4 if error.version == 4 else ETHERTYPE_IPV6
    return ethernet(hop, ethertype) + bytes(body[error.l3 :])


def _readdress(body: bytearray, packet: Packet, src: Address, dst: Address) -> int:
    """Write other addresses into an IP header; how much its 16-bit words grew in sum."""
    l3 = packet.l3
    delta = (
        int.from_bytes(src, "big")
        + int.from_bytes(dst, "big")
        - int.from_bytes(packet.src, "big")
        - int.from_bytes(packet.dst, "big")
    )
    if packet.version == 4:
        body[l3 + 12 : l3 + 20] = src + dst
        old = body[l3 + 10] << 8 | body[l3 + 11]
        _U16.pack_into(body, l3 + 10, adjust(old, delta))
    else:
        body[l3 + 8 : l3 + 40] = src + dst
    return delta
