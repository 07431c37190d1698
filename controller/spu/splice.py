"""Two halves of a TCP connection that began apart, and what makes them one.

The client was answered by the firewall, with a number of the firewall's; the server was asked later
and chose another. From then on every segment is translated at the server's edge, so that inside the
firewall a connection counts as its client does::

    client  -- seq, ack ------------------------>  ack, SACK blocks less delta  -->  server
            <-- seq plus delta, window rescaled --  seq, ack  ----------------------

The client's own numbers are the same on both sides. Windows are rescaled because the client was
told a scale before the server's was known (RFC 7323, section 2.3); the server may have none at all.
"""

from __future__ import annotations

from struct import Struct

from controller.flow import Direction
from controller.packet import ACK, SYN, Packet, adjust
from controller.tcp_options import SACK, Offer, options

OUR_SCALE = 7
"""Window scale that clients are told: 128, as most servers have."""

_MOD = 1 << 32
_U32 = Struct("!I")
_U16 = Struct("!H")


class Splice:
    """The state of a connection that a SYN cookie or SYN proxy let in."""

    __slots__ = ("client", "delta", "is_joined", "is_silent", "offer", "ours", "to_client",
                 "to_server", "tries")  # fmt: skip

    def __init__(self, client: int, ours: int, offer: Offer) -> None:
        self.client = client
        """The client's initial sequence number."""
        self.ours = ours
        """The one that the client was given."""
        self.offer = offer
        """What the client said in its SYN."""
        self.delta = 0
        """What is added to the server's numbers on their way to the client."""
        self.to_client = 0
        """Windows of the server are shifted left by so much, or right if it is negative."""
        self.to_server = 0
        """Likewise, windows of the client."""
        self.is_joined = False
        """The server has answered."""
        self.is_silent = True
        """The client has sent no data yet."""
        self.tries = 0
        """SYNs sent to the server."""

    def join(self, server: int, offer: Offer) -> None:
        """The server's SYN-ACK came, with its number and what it says of itself."""
        self.delta = (self.ours - server) % _MOD
        scale = self.offer.window_scale
        if scale is not None:
            if offer.window_scale is None:
                self.to_client = -OUR_SCALE
                self.to_server = scale
            else:
                self.to_client = offer.window_scale - OUR_SCALE
        self.is_joined = True

    def window_for_client(self, window: int) -> int:
        """The window of a SYN-ACK, which is never scaled, as a later segment says it."""
        return window >> OUR_SCALE if self.offer.window_scale is not None else window

    def inward(self, packet: Packet) -> Packet:
        """A server's segment as the client counts; for ones that are no later fragments."""
        seq = _U32.unpack_from(packet.frame, packet.l4 + 4)[0]
        changes = [(packet.l4 + 4, (seq + self.delta) % _MOD)]
        shift = 0 if packet.flags & SYN else self.to_client
        return _changed(packet, changes, shift)

    def outward(self, packet: Packet) -> Packet:
        """A client's segment as the server counts."""
        frame, l4, delta = packet.frame, packet.l4, self.delta
        changes = []
        if packet.flags & ACK:
            ack = _U32.unpack_from(frame, l4 + 8)[0]
            changes.append((l4 + 8, (ack - delta) % _MOD))
            if frame[l4 + 12] >> 4 > 5:
                for kind, at, size in options(packet):
                    if kind == SACK:
                        for edge in range(at + 2, at + size - 3, 4):
                            value = _U32.unpack_from(frame, edge)[0]
                            changes.append((edge, (value - delta) % _MOD))
        return _changed(packet, changes, self.to_server)

    def acknowledged(self, ack: int, window: int) -> tuple[int, int]:
        """What a client's segment acknowledges and offers, as the server counts."""
        shift = self.to_server
        window = min(window << shift, 0xFFFF) if shift > 0 else window >> -shift
        return (ack - self.delta) % _MOD, window

    def quoted(self, error: Packet, quoted: Packet, direction: Direction) -> Packet:
        """An ICMP error about a segment of the other direction than its own, whose numbers become
        those that the segment's sender knows."""
        frame, l4 = error.frame, quoted.l4
        if direction == Direction.FORWARD:  # about a segment of the server
            at, delta = l4 + 4, -self.delta
        else:
            at, delta = l4 + 8, self.delta
        if at + 4 > len(frame):
            return error  # RFC 792 asks for eight bytes only
        body = bytearray(frame)
        old = _U32.unpack_from(frame, at)[0]
        new = (old + delta) % _MOD
        _U32.pack_into(body, at, new)
        if l4 + 18 <= len(frame):
            _U16.pack_into(body, l4 + 16, adjust(_U16.unpack_from(frame, l4 + 16)[0], new - old))
        return error.with_frame(bytes(body))


def _changed(packet: Packet, changes: list[tuple[int, int]], shift: int) -> Packet:
    """A segment with other 32-bit numbers at some offsets and its window shifted; the checksum is
    adjusted, so a wrong one stays wrong."""
    frame, l4 = packet.frame, packet.l4
    body = bytearray(frame)
    grown = 0
    for at, new in changes:
        old = _U32.unpack_from(frame, at)[0]
        _U32.pack_into(body, at, new)
        # At an odd offset the bytes of a number lie the other way round in the words of the sum.
        grown += (new - old) << 8 if at - l4 & 1 else new - old
    if shift:
        old = _U16.unpack_from(frame, l4 + 14)[0]
        new = min(old << shift, 0xFFFF) if shift > 0 else old >> -shift
        _U16.pack_into(body, l4 + 14, new)
        grown += new - old
    _U16.pack_into(body, l4 + 16, adjust(_U16.unpack_from(frame, l4 + 16)[0], grown))
    return packet.with_frame(bytes(body))
