"""Options of TCP segments, and what a SYN says by them (RFC 9293, 3.1; 7323; 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from controller.packet import Packet

END, NOP, MSS, WINDOW_SCALE, SACK_PERMITTED, SACK = 0, 1, 2, 3, 4, 5

DEFAULT_MSS = 536
"""What a segment may carry if the other side names nothing (RFC 9293, section 3.7.1)."""
LARGEST_SCALE = 14
"""RFC 7323, section 2.3."""

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
    """The window field of a segment, as it stands there."""
    at = packet.l4 + 14
    return packet.frame[at] << 8 | packet.frame[at + 1]
