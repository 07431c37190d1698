"""One end of a TCP connection: what it has said, and what it has heard, by position.

Positions count bytes of a stream from 0, a FIN as one.
"""

from __future__ import annotations

from controller.packet import SYN, Packet
from controller.payload import contents, sequence
from controller.tcp_options import Offer, offer_of, window

_MOD = 1 << 32


class Segment:
    """A segment that an end hears."""

    __slots__ = ("ack", "data", "flags", "offer", "seq", "window")

    def __init__(self, packet: Packet) -> None:
        self.seq, self.ack = sequence(packet)
        self.flags = packet.flags
        self.data = contents(packet)
        self.window = window(packet)
        self.offer = offer_of(packet) if packet.flags & SYN else None


class End:
    """What an end keeps in mind of a connection."""

    __slots__ = ("early", "fin_at", "heard", "heard_fin", "irs", "is_closed", "is_open", "isn",
                 "offer", "out", "peer", "sent", "tries", "una", "window")  # fmt: skip

    def __init__(self, isn: int, offer: Offer, space: int) -> None:
        self.isn = isn
        self.offer = offer
        """What it says of itself in its SYN."""
        self.window = space
        """Bytes that it takes at a time."""
        self.irs: int | None = None
        """The peer's number; ``None``: it has not spoken."""
        self.peer: Offer | None = None
        """What the peer says of itself."""
        self.is_open = False
        """Its own SYN is acknowledged."""
        self.is_closed = False
        """It does not listen any more."""
        self.out = bytearray()
        """All that it has to say."""
        self.sent = 0
        self.una = 0
        """Up to here the peer has acknowledged."""
        self.fin_at: int | None = None
        self.heard = bytearray()
        self.early: dict[int, bytes] = {}
        """Heard before its turn; an empty one is a FIN."""
        self.heard_fin = False
        self.tries = 0
        """How often it has repeated itself in vain."""

    @property
    def field(self) -> int:
        """The window field of its segments but for a SYN."""
        scaled = self.peer is not None and self.peer.window_scale is not None
        shift = self.offer.window_scale if scaled else None
        return min(self.window >> (shift or 0), 0xFFFF)

    def room(self, segment: Segment) -> int:
        """The peer's window as a segment says it, in bytes."""
        assert self.peer is not None
        scaled = self.offer.window_scale is not None and not segment.flags & SYN
        return segment.window << (self.peer.window_scale or 0 if scaled else 0)

    @property
    def end(self) -> int:
        """Position behind all that it has to say."""
        return len(self.out) + (self.fin_at is not None)

    @property
    def acknowledges(self) -> int:
        """The number to acknowledge."""
        assert self.irs is not None
        return (self.irs + 1 + len(self.heard) + self.heard_fin) % _MOD

    def seq(self, position: int) -> int:
        """The number of a position of its own stream."""
        return (self.isn + 1 + position) % _MOD

    def acknowledged(self, ack: int) -> int:
        """The position that an acknowledgement is for."""
        return _near(ack - self.isn - 1)

    def position(self, seq: int) -> int:
        """The position in the peer's stream that a number is for."""
        assert self.irs is not None
        return _near(seq - self.irs - 1)

    def take(self, at: int, data: bytes, *, fin: bool) -> bytes | None:
        """Take what a segment carries; what may be read now. ``None``: it is not what was at that
        place before."""
        heard, early = self.heard, self.early
        known = bytes(heard[max(at, 0) : max(at + len(data), 0)])
        if known != data[: len(known)] or (fin and at + len(data) < len(heard)):
            return None
        if len(data) > len(known) and early.setdefault(at, data) != data:
            longest, shortest = sorted((early[at], data), key=len, reverse=True)
            if not longest.startswith(shortest):
                return None
            early[at] = longest
        if fin:
            early.setdefault(at + len(data), b"")
        before = len(heard)
        for place in sorted(early):
            if place > len(heard):
                break
            part = early.pop(place)
            if not part:
                self.heard_fin = place == len(heard)
            heard += part[len(heard) - place :]
        return bytes(heard[before:])


def _near(distance: int) -> int:
    return (distance + (_MOD >> 1)) % _MOD - (_MOD >> 1)
