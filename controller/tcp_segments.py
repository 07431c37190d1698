"""TCP segments without data that are made here, in the name of one end or the other."""

from __future__ import annotations

from struct import Struct

from controller import ip_packets
from controller.flow import Hop
from controller.packet import ACK, FIN, RST, SYN, TCP, Packet, checksum
from controller.payload import contents, sequence
from controller.tcp_options import Offer

_HEADER = Struct("!HHIIBBHHH")


def answer(
    packet: Packet,
    hop: Hop,
    seq: int,
    ack: int,
    flags: int,
    window: int,
    offer: Offer | None = None,
) -> bytes:
    """The frame of a segment to the sender of another, in the name of who that was for."""
    header = _header(packet, packet.dport, packet.sport, seq, ack, flags, window, offer)
    return ip_packets.frame(hop, packet.dst, packet.src, TCP, header)


def reset(packet: Packet, hop: Hop) -> bytes:
    """The frame that refuses a segment, in the name of who it was for.

    It is believable: it takes its sequence number from the segment's acknowledgement, or
    acknowledges the segment if that has none.
    """
    seq, acknowledged = sequence(packet)
    if packet.flags & ACK:
        numbers = acknowledged, 0, RST
    else:
        length = len(contents(packet)) + bool(packet.flags & SYN) + bool(packet.flags & FIN)
        numbers = 0, (seq + length) & 0xFFFFFFFF, RST | ACK
    return answer(packet, hop, *numbers, 0)


def segment(
    like: Packet, seq: int, ack: int, flags: int, window: int, offer: Offer | None = None
) -> Packet:
    """A segment in the IP packet of another: same ends, same direction."""
    header = _header(like, like.sport, like.dport, seq, ack, flags, window, offer)
    return ip_packets.instead_of(like, header)


def _header(
    packet: Packet,
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    window: int,
    offer: Offer | None,
) -> bytearray:
    """A header between the two addresses of a packet, either way."""
    said = b"" if offer is None else offer.encode()
    size = 20 + len(said)
    header = bytearray(_HEADER.pack(sport, dport, seq, ack, size << 2, flags, window, 0, 0) + said)
    sum_ = checksum(header, ip_packets.pseudo_header(packet.src, packet.dst, TCP, size))
    header[16:18] = sum_.to_bytes(2, "big")
    return header
