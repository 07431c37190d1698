"""TCP segments in answer to others: the RST of a closed port (RFC 9293, 3.10.7.1), and bare
acknowledgements."""

from __future__ import annotations

from struct import Struct

from controller.flow import Hop
from controller.icmp import ipv4
from controller.packet import (
    ACK,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    FIN,
    RST,
    SYN,
    TCP,
    Packet,
    checksum,
    ethernet,
)

_TCP = Struct("!HHIIBBHHH")
_IPV6 = Struct("!IHBB16s16s")
_U32 = Struct("!I")


def reset(packet: Packet, hop: Hop, ttl: int = 64) -> bytes:
    """The frame that refuses a segment, in the name of who it was for.

    It is believable: it takes its sequence number from the segment's acknowledgement, or
    acknowledges the segment if that has none.
    """
    frame, l3, l4 = packet.frame, packet.l3, packet.l4
    if packet.version == 4:
        end = l3 + (frame[l3 + 2] << 8 | frame[l3 + 3])
    else:
        end = l4 + (frame[l3 + 4] << 8 | frame[l3 + 5])
    (sequence,) = _U32.unpack_from(frame, l4 + 4)
    (acknowledged,) = _U32.unpack_from(frame, l4 + 8)
    if packet.flags & ACK:
        numbers = acknowledged, 0, RST
    else:
        length = end - l4 - (frame[l4 + 12] >> 4) * 4
        length += bool(packet.flags & SYN) + bool(packet.flags & FIN)
        numbers = 0, (sequence + length) & 0xFFFFFFFF, RST | ACK
    return _answer(packet, hop, ttl, *numbers, 0)


def acknowledgement(
    packet: Packet, hop: Hop, seq: int, ack: int, window: int, ttl: int = 64
) -> bytes:
    """The frame with a bare acknowledgement, in the name of who the segment was for."""
    return _answer(packet, hop, ttl, seq, ack, ACK, window)


def _answer(
    packet: Packet, hop: Hop, ttl: int, seq: int, ack: int, flags: int, window: int
) -> bytes:
    segment = bytearray(
        _TCP.pack(packet.dport, packet.sport, seq, ack, 5 << 4, flags, window, 0, 0)
    )
    pseudo = int.from_bytes(packet.src, "big") + int.from_bytes(packet.dst, "big")
    pseudo += TCP + len(segment)
    segment[16:18] = checksum(segment, pseudo).to_bytes(2, "big")
    if packet.version == 4:
        return ethernet(hop, ETHERTYPE_IPV4) + ipv4(packet.dst, packet.src, TCP, segment, ttl)
    header = _IPV6.pack(0x60000000, len(segment), TCP, ttl, packet.dst, packet.src)
    return ethernet(hop, ETHERTYPE_IPV6) + header + bytes(segment)
