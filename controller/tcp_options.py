"""TCP headers with options, as a SYN proxy reads and writes them (RFC 9293, 3.1; 7323; 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from controller.flow import Hop
from controller.icmp import ipv4
from controller.packet import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    TCP,
    Packet,
    checksum,
    ethernet,
    parse_ip,
)
from controller.payload import DEFAULT_MSS

END, NOP, MSS, WINDOW_SCALE, SACK_PERMITTED, SACK = 0, 1, 2, 3, 4, 5

LARGEST_SCALE = 14
"""RFC 7323, section 2.3."""

_HEADER = Struct("!HHIIBBHHH")
_IPV6 = Struct("!IHBB16s16s")
_U16 = Struct("!H")


class Offer(NamedTuple):
    """What the sender of a SYN says of itself. (Time stamps are not offered on.)"""

    mss: int
    window_scale: int | None
    """``None``: windows are not scaled."""
    sack: bool

    def encode(self) -> bytes:
        """As options of a SYN."""
        options = bytes((MSS, 4)) + _U16.pack(self.mss)
        if self.window_scale is not None:
            options += bytes((NOP, WINDOW_SCALE, 3, self.window_scale))
        if self.sack:
            options += bytes((NOP, NOP, SACK_PERMITTED, 2))
        return options


def options(packet: Packet) -> Iterator[tuple[int, int, int]]:
    """A segment's options as kind, offset in the frame and size; what is cut off is left out."""
    frame = packet.frame
    at = packet.l4 + 20
    end = min(packet.l4 + (frame[packet.l4 + 12] >> 4 << 2), len(frame))
    while at < end and frame[at] != END:
        if frame[at] == NOP:
            at += 1
            continue
        size = frame[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            return
        yield frame[at], at, size
        at += size


def offer_of(packet: Packet) -> Offer:
    """What a SYN offers."""
    frame = packet.frame
    mss, scale, sack = DEFAULT_MSS, None, False
    for kind, at, size in options(packet):
        if kind == MSS and size == 4:
            mss = frame[at + 2] << 8 | frame[at + 3]
        elif kind == WINDOW_SCALE and size == 3:
            scale = min(frame[at + 2], LARGEST_SCALE)
        elif kind == SACK_PERMITTED and size == 2:
            sack = True
    return Offer(mss, scale, sack)


def window(packet: Packet) -> int:
    """The window field, as it stands there."""
    at = packet.l4 + 14
    return packet.frame[at] << 8 | packet.frame[at + 1]


def answer(
    packet: Packet, hop: Hop, seq: int, ack: int, flags: int, window: int, offer: Offer
) -> bytes:
    """The frame of a segment without data to the sender of another, in the name of who that was
    for."""
    header = _header(packet.dport, packet.sport, seq, ack, flags, window, offer)
    _seal(header, packet)
    if packet.version == 4:
        return ethernet(hop, ETHERTYPE_IPV4) + ipv4(packet.dst, packet.src, TCP, header, 64)
    ip = _IPV6.pack(0x60000000, len(header), TCP, 64, packet.dst, packet.src)
    return ethernet(hop, ETHERTYPE_IPV6) + ip + bytes(header)


def _header(
    sport: int, dport: int, seq: int, ack: int, flags: int, window: int, offer: Offer | None
) -> bytearray:
    said = b"" if offer is None else offer.encode()
    size = 20 + len(said)
    return bytearray(_HEADER.pack(sport, dport, seq, ack, size << 2, flags, window, 0, 0) + said)


def _seal(header: bytearray, packet: Packet) -> None:
    """Fill the checksum in; the packet has the same two addresses."""
    pseudo = int.from_bytes(packet.src, "big") + int.from_bytes(packet.dst, "big")
    _U16.pack_into(header, 16, checksum(header, pseudo + TCP + len(header)))


def segment(
    like: Packet, seq: int, ack: int, flags: int, window: int, offer: Offer | None = None
) -> Packet:
    """A segment without data in the IP packet of another: same ends, same direction."""
    header = _header(like.sport, like.dport, seq, ack, flags, window, offer)
    _seal(header, like)
    head = bytearray(like.frame[: like.l4])
    l3 = like.l3
    if like.version == 4:
        ethertype = ETHERTYPE_IPV4
        _U16.pack_into(head, l3 + 2, len(head) - l3 + len(header))
        head[l3 + 10 : l3 + 12] = b"\0\0"
        _U16.pack_into(head, l3 + 10, checksum(head[l3:]))
    else:
        ethertype = ETHERTYPE_IPV6
        _U16.pack_into(head, l3 + 4, len(head) - l3 - 40 + len(header))
    frame = bytes(head + header)
    made = parse_ip(frame, like.vlan, l3, ethertype, len(frame))
    assert isinstance(made, Packet), f"made from one that was parsed: {made}"
    return made
