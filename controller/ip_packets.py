"""IP packets that are made here: around a message, or in the place of another."""

from __future__ import annotations

from struct import Struct

from controller.flow import Address, Hop
from controller.packet import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    Packet,
    checksum,
    ethernet,
    parse_ip,
)

OWN_TTL = 64
"""Time to live, or hop limit, of packets of our own (RFC 1122, 3.2.1.7)."""

_U16 = Struct("!H")
_IPV4 = Struct("!BxHxxHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")


def pseudo_header(src: Address, dst: Address, protocol: int, size: int) -> int:
    """What a checksum of ``size`` bytes over IP begins with (RFC 9293, 3.1; RFC 8200, 8.1)."""
    return int.from_bytes(src, "big") + int.from_bytes(dst, "big") + protocol + size


def packet(
    src: Address, dst: Address, protocol: int, message: bytes | bytearray, ttl: int = OWN_TTL
) -> bytes:
    """An IP packet without options around a message, by the family of its addresses."""
    if len(src) == 16:
        return _IPV6.pack(0x60000000, len(message), protocol, ttl, src, dst) + message
    header = bytearray(_IPV4.pack(0x45, 20 + len(message), 0, ttl, protocol, 0, src, dst))
    _U16.pack_into(header, 10, checksum(header))
    return bytes(header) + message


def frame(hop: Hop, src: Address, dst: Address, protocol: int, message: bytes | bytearray) -> bytes:
    """The frame of such a packet of our own, on its way to a hop."""
    ethertype = ETHERTYPE_IPV6 if len(src) == 16 else ETHERTYPE_IPV4
    return ethernet(hop, ethertype) + packet(src, dst, protocol, message)


def instead_of(like: Packet, message: bytes | bytearray) -> Packet:
    """A packet with another message behind the IP header, whose lengths and checksum follow. The
    message's own checksum is right already."""
    l3 = like.l3
    head = bytearray(like.frame[: like.l4])
    size = len(head) - l3 + len(message)
    if like.version == 4:
        _U16.pack_into(head, l3 + 2, size)
        head[l3 + 10 : l3 + 12] = b"\0\0"
        _U16.pack_into(head, l3 + 10, checksum(head[l3:]))
    else:
        _U16.pack_into(head, l3 + 4, size - 40)
    whole = bytes(head + message)
    ethertype = ETHERTYPE_IPV4 if like.version == 4 else ETHERTYPE_IPV6
    made = parse_ip(whole, like.vlan, l3, ethertype, len(whole))
    assert isinstance(made, Packet), f"made from one that was parsed: {made}"
    return made
