"""Packets in fragments (RFC 791, 3.2; RFC 8200, 4.5), and whole again."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from controller.packet import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    IPV6_FRAGMENT,
    Packet,
    checksum,
    fragment_header,
    parse_ip,
)
from controller.reasons import Drop

_DONT, _MORE, _OFFSET = 0x4000, 0x2000, 0x1FFF
_COPIED = 0x80
_END, _NOTHING = 0, 1


_EXTENSION = Struct("!BBHI")
_BEFORE = frozenset((0, 43, 60))
"""IPv6 extension headers that stay in front of a fragment header, where they stand first."""


class Place(NamedTuple):
    """Which part of its datagram a fragment is."""

    identification: int
    offset: int
    more: bool
    """It is not the last."""
    data: bytes
    size: int
    """Bytes of IP."""


def place_of(packet: Packet) -> Place:
    """Where a fragment belongs."""
    frame, l3 = packet.frame, packet.l3
    if packet.version == 4:
        total = frame[l3 + 2] << 8 | frame[l3 + 3]
        field = frame[l3 + 6] << 8 | frame[l3 + 7]
        data = frame[l3 + ((frame[l3] & 15) << 2) : l3 + total]
        return Place(
            packet.fragment_id, (field & _OFFSET) << 3, bool(field & _MORE), data, total
        )  # fmt: skip
    at, _ = fragment_header(frame, l3)
    size = 40 + (frame[l3 + 4] << 8 | frame[l3 + 5])
    _, _, field, identification = _EXTENSION.unpack_from(frame, at)
    return Place(identification, field & ~7, bool(field & 1), frame[at + 8 : l3 + size], size)


def whole(first: Packet, data: bytes) -> bytes | None:
    """The frame of a datagram that came in fragments, from its first and all of its data; ``None``
    if it is longer than IP can say."""
    frame, l3 = first.frame, first.l3
    if first.version == 4:
        head = bytearray(frame[: l3 + ((frame[l3] & 15) << 2)])
        length = len(head) - l3 + len(data)
        if length > 0xFFFF:
            return None
        head[l3 + 2 : l3 + 4] = length.to_bytes(2, "big")
        head[l3 + 6] &= _DONT >> 8
        head[l3 + 7] = 0
        head[l3 + 10 : l3 + 12] = b"\0\0"
        head[l3 + 10 : l3 + 12] = checksum(head[l3:]).to_bytes(2, "big")
        return bytes(head) + data
    at, said = fragment_header(frame, l3)
    length = at - l3 - 40 + len(data)
    if length > 0xFFFF:
        return None
    head = bytearray(frame[:at])
    head[said] = frame[at]
    head[l3 + 4 : l3 + 6] = length.to_bytes(2, "big")
    return bytes(head) + data


def together(packets: Iterable[Packet]) -> Packet | None:
    """The packet whose fragments these are, in any order; ``None`` if something is missing,
    overlaps, or is too much."""
    first = None
    pieces: dict[int, bytes] = {}
    end = None
    for packet in packets:
        place = place_of(packet)
        pieces[place.offset] = place.data
        if not place.offset:
            first = packet
        if not place.more:
            end = place.offset + len(place.data)
    data = b""
    for at in sorted(pieces):
        if at != len(data):
            return None
        data += pieces[at]
    if first is None or len(data) != end:
        return None
    frame = whole(first, data)
    if frame is None:
        return None
    ethertype = ETHERTYPE_IPV4 if first.version == 4 else ETHERTYPE_IPV6
    packet_or_drop = parse_ip(frame, first.vlan, first.l3, ethertype, len(frame))
    return None if isinstance(packet_or_drop, Drop) else packet_or_drop


def fragment6(frame: bytes, l3: int, mtu: int, identification: int) -> list[bytes]:
    """The IPv6 packet at offset ``l3`` of a frame in as many as ``mtu`` (bytes of IP) asks for. Who
    made the packet may do so: a router may not, but who put it together from fragments did."""
    end = l3 + 40 + (frame[l3 + 4] << 8 | frame[l3 + 5])
    if end - l3 <= mtu:
        return [frame]
    said, at = l3 + 6, l3 + 40
    while frame[said] in _BEFORE:
        said, at = at, at + ((frame[at + 1] + 1) << 3)
    head, following = bytearray(frame[:at]), frame[said]
    head[said] = IPV6_FRAGMENT
    room = (mtu - (at - l3) - _EXTENSION.size) & ~7
    found = []
    for start in range(at, end, room):
        piece = frame[start : min(start + room, end)]
        more = start + room < end
        head[l3 + 4 : l3 + 6] = (at - l3 - 40 + _EXTENSION.size + len(piece)).to_bytes(2, "big")
        extension = _EXTENSION.pack(following, 0, start - at | more, identification)
        found.append(bytes(head) + extension + piece)
    return found


def may_fragment(frame: bytes, l3: int) -> bool:
    """Whether the IPv4 packet at an offset of a frame does not say "don't fragment"."""
    return not frame[l3 + 6] & _DONT >> 8


def fragment(frame: bytes, l3: int, mtu: int) -> list[bytes]:
    """The IPv4 packet at offset ``l3`` of a frame in as many as ``mtu`` (bytes of IP) asks for."""
    header = (frame[l3] & 15) << 2
    total = frame[l3 + 2] << 8 | frame[l3 + 3]
    field = frame[l3 + 6] << 8 | frame[l3 + 7]
    payload = frame[l3 + header : l3 + total]
    if total <= mtu:
        return [frame]
    first, later = frame[l3 : l3 + header], _later_header(frame[l3 : l3 + header])
    found = []
    at = 0
    while at < len(payload):
        head = bytearray(later if at else first)
        room = mtu - len(head)
        last = len(payload) - at <= room
        piece = payload[at : at + (room if last else room & ~7)]
        more = _MORE if not last or field & _MORE else 0
        head[2:4] = (len(head) + len(piece)).to_bytes(2, "big")
        head[6:8] = (more | (field & _OFFSET) + at // 8).to_bytes(2, "big")
        head[10:12] = b"\0\0"
        head[10:12] = checksum(head).to_bytes(2, "big")
        found.append(frame[:l3] + bytes(head) + piece)
        at += len(piece)
    return found


def _later_header(header: bytes) -> bytes:
    """With only those options that go with every fragment."""
    options = bytearray()
    at = 20
    while at < len(header) and header[at] != _END:
        size = (
            1 if header[at] == _NOTHING else max(2, header[at + 1] if at + 1 < len(header) else 2)
        )
        if header[at] & _COPIED:
            options += header[at : at + size]
        at += size
    options += bytes(-len(options) % 4)
    return bytes((0x40 | (20 + len(options)) >> 2,)) + header[1:20] + bytes(options)
