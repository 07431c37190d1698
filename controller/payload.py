"""What a TCP segment or UDP datagram carries, and packets like another with other contents.

For application layer gateways: they read and change contents, so checksums are checked first and
made anew, and lengths follow.
"""

from __future__ import annotations

from struct import Struct

from controller.packet import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    TCP,
    UDP,
    Packet,
    adjust,
    checksum,
    parse_ip,
)

DEFAULT_MSS = 536
"""What a segment may carry if the other side names nothing (RFC 9293, section 3.7.1)."""

_OPTION_END, _OPTION_NOP, _OPTION_MSS, _OPTION_SACK_PERMITTED = 0, 1, 2, 4
_OPTION_WINDOW_SCALE, _MAX_SHIFT = 3, 14
_U16 = Struct("!H")
_NUMBERS = Struct("!II")


def end_of(packet: Packet) -> int:
    """Offset behind the IP packet in its frame; what follows is padding."""
    frame, l3 = packet.frame, packet.l3
    if packet.version == 4:
        return l3 + (frame[l3 + 2] << 8 | frame[l3 + 3])
    return l3 + 40 + (frame[l3 + 4] << 8 | frame[l3 + 5])


def contents(packet: Packet) -> bytes:
    """What a TCP segment or UDP datagram carries."""
    frame, l4 = packet.frame, packet.l4
    if packet.protocol == TCP:
        return frame[l4 + (frame[l4 + 12] >> 4 << 2) : end_of(packet)]
    return frame[l4 + 8 : l4 + (frame[l4 + 4] << 8 | frame[l4 + 5])]


def is_intact(packet: Packet) -> bool:
    """Whether the checksum of a TCP segment or UDP datagram is right, or there is none (UDP)."""
    frame, l4 = packet.frame, packet.l4
    if packet.protocol == UDP and not (frame[l4 + 6] or frame[l4 + 7]):
        return packet.version == 4
    return checksum(frame[l4 : end_of(packet)], _pseudo(packet, end_of(packet) - l4)) == 0


def sequence(packet: Packet) -> tuple[int, int]:
    """Sequence and acknowledgement number of a TCP segment."""
    numbers: tuple[int, int] = _NUMBERS.unpack_from(packet.frame, packet.l4 + 4)
    return numbers


def maximum_segment(packet: Packet) -> int:
    """What the sender of a SYN says it takes in one segment."""
    for kind, at, size in tcp_options(packet):
        if kind == _OPTION_MSS and size == 4:
            return packet.frame[at + 2] << 8 | packet.frame[at + 3]
    return DEFAULT_MSS


def segment(like: Packet, seq: int, ack: int, flags: int, data: bytes) -> Packet:
    """A TCP segment with the addresses and options of another.

    Selective acknowledgement is not offered on to the other side: its numbers would have to be
    rewritten too, and control connections do not need it.
    """
    start = like.l4
    header = bytearray(like.frame[start : start + (like.frame[start + 12] >> 4 << 2)])
    _NUMBERS.pack_into(header, 4, seq, ack)
    header[13] = flags
    header[16:20] = b"\0\0\0\0"  # checksum; urgent data is no longer marked as such
    for kind, at, size in tcp_options(like):
        if kind == _OPTION_SACK_PERMITTED:
            at -= start
            header[at : at + size] = bytes((_OPTION_NOP,)) * size
    return _packet(like, bytes(header) + data, 16)


def window_scale(packet: Packet) -> int | None:
    """What a SYN offers to shift its sender's windows by (RFC 7323, at most 14)."""
    for kind, at, size in tcp_options(packet):
        if kind == _OPTION_WINDOW_SCALE and size == 3:
            return min(packet.frame[at + 2], _MAX_SHIFT)
    return None


def window_of(packet: Packet) -> int:
    """The window field of a segment, as it stands there."""
    return packet.frame[packet.l4 + 14] << 8 | packet.frame[packet.l4 + 15]


def with_window(packet: Packet, window: int) -> Packet:
    """A segment with another window field; its checksum is adjusted."""
    body, l4 = bytearray(packet.frame), packet.l4
    (old,) = _U16.unpack_from(body, l4 + 14)
    (sum_,) = _U16.unpack_from(body, l4 + 16)
    _U16.pack_into(body, l4 + 14, window)
    _U16.pack_into(body, l4 + 16, adjust(sum_, window - old))
    return packet.with_frame(bytes(body))


def datagram(like: Packet, data: bytes) -> Packet:
    """A UDP datagram with the addresses of another."""
    header = bytearray(like.frame[like.l4 : like.l4 + 8])
    _U16.pack_into(header, 4, 8 + len(data))
    header[6:8] = b"\0\0"
    return _packet(like, bytes(header) + data, 6)


def _packet(like: Packet, message: bytes, checksum_at: int) -> Packet:
    head = bytearray(like.frame[: like.l4])
    l3 = like.l3
    if like.version == 4:
        _U16.pack_into(head, l3 + 2, len(head) - l3 + len(message))
        head[l3 + 10 : l3 + 12] = b"\0\0"
        _U16.pack_into(head, l3 + 10, checksum(head[l3:]))
    else:
        _U16.pack_into(head, l3 + 4, len(message))
    body = bytearray(message)
    sum_ = checksum(body, _pseudo(like, len(body)))
    _U16.pack_into(body, checksum_at, sum_ or (0xFFFF if like.protocol == UDP else 0))
    frame = bytes(head) + bytes(body)
    ethertype = ETHERTYPE_IPV4 if like.version == 4 else ETHERTYPE_IPV6
    packet = parse_ip(frame, like.vlan, l3, ethertype, len(frame))
    assert isinstance(packet, Packet), f"made from one that was parsed: {packet}"
    return packet


def _pseudo(packet: Packet, size: int) -> int:
    """The pseudo-header's part of a checksum."""
    addresses = int.from_bytes(packet.src, "big") + int.from_bytes(packet.dst, "big")
    return addresses + packet.protocol + size


def tcp_options(packet: Packet) -> list[tuple[int, int, int]]:
    """TCP options as (kind, offset in the frame, size); what is cut off is left out."""
    frame = packet.frame
    at, end = packet.l4 + 20, packet.l4 + (frame[packet.l4 + 12] >> 4 << 2)
    found = []
    while at < end and frame[at] != _OPTION_END:
        if frame[at] == _OPTION_NOP:
            at += 1
            continue
        size = frame[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            break
        found.append((frame[at], at, size))
        at += size
    return found
