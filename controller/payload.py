"""What a TCP segment or UDP datagram carries, and packets like another with other contents.

For application layer gateways: they read and change contents, so checksums are checked first and
made anew, and lengths follow.
"""

from __future__ import annotations

from struct import Struct

from controller import ip_packets
from controller.packet import TCP, UDP, Packet, adjust, checksum
from controller.tcp_options import NOP, SACK_PERMITTED, options

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
    message = frame[l4 : end_of(packet)]
    return checksum(message, _pseudo_header(packet, len(message))) == 0


def sequence(packet: Packet) -> tuple[int, int]:
    """Sequence and acknowledgement number of a TCP segment."""
    numbers: tuple[int, int] = _NUMBERS.unpack_from(packet.frame, packet.l4 + 4)
    return numbers


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
    for kind, at, size in options(like):
        if kind == SACK_PERMITTED:
            at -= start
            header[at : at + size] = bytes((NOP,)) * size
    return _with_checksum(like, header + data, 16)


def with_window(packet: Packet, window: int) -> Packet:
    """A segment with another window field; its checksum is adjusted."""
    body, l4 = bytearray(packet.frame), packet.l4
    (old,) = _U16.unpack_from(body, l4 + 14)
    (sum_,) = _U16.unpack_from(body, l4 + 16)
    _U16.pack_into(body, l4 + 14, window)
    _U16.pack_into(body, l4 + 16, adjust(sum_, window - old))
    return packet.with_frame(bytes(body))


def longest(like: Packet) -> int:
    """How much a UDP datagram may carry behind the IP header of another."""
    header = like.l4 - like.l3 + 8
    return 0xFFFF - header if like.version == 4 else 0xFFFF + 40 - header


def datagram(like: Packet, data: bytes) -> Packet:
    """A UDP datagram with the addresses of another, and no more than ``longest`` in it."""
    header = bytearray(like.frame[like.l4 : like.l4 + 8])
    _U16.pack_into(header, 4, 8 + len(data))
    header[6:8] = b"\0\0"
    return _with_checksum(like, header + data, 6)


def _with_checksum(like: Packet, message: bytearray, at: int) -> Packet:
    """A packet with another message, whose checksum belongs there."""
    sum_ = checksum(message, _pseudo_header(like, len(message)))
    _U16.pack_into(message, at, sum_ or (0xFFFF if like.protocol == UDP else 0))
    return ip_packets.instead_of(like, message)


def _pseudo_header(packet: Packet, size: int) -> int:
    return ip_packets.pseudo_header(packet.src, packet.dst, packet.protocol, size)
