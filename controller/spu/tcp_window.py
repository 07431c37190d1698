"""Whether the numbers of a TCP segment are ones that its receiver would take.

RFC 9293, section 3.4, has a receiver take a segment that overlaps its window, from ``RCV.NXT`` to
``RCV.NXT + RCV.WND``, and 3.10.7.4 what acknowledges ``SND.UNA - MAX.SND.WND`` to ``SND.NXT``. One
in the middle does not know these, but bounds of them, from what passed: a sender S went up to
``end``, its peer P let it go up to ``limit`` (the largest sum of an acknowledgement and the window
with it), and the largest window that P ever offered is ``widest``. Then what S has to repeat is not
older than ``end - widest``, and so a segment of S is out of place

- if it begins behind ``limit + 1``, or ends before ``end - widest - 1`` (one more for those that
  ask whether anybody is there: one byte into a closed window, or with the number before the next);
- if it acknowledges what P never sent, or what P sent two windows before its ``end``; or, as long
  as nothing of P is acknowledged, not even P's SYN.

Windows are scaled as RFC 7323, section 2, says: by what both SYNs offer, and not in SYNs. Nothing
is checked until both sides were heard; and SYNs without ACK never are: one that is out of place is
answered with an acknowledgement, by which half-open connections are found out (RFC 9293, 3.5.1).
"""

from __future__ import annotations

from array import array
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from controller.flow import Direction
from controller.packet import ACK, FIN, RST, SYN, Packet
from controller.payload import end_of
from controller.tcp_options import offer_of

if TYPE_CHECKING:
    _Numbers = array[int]
else:
    _Numbers = array

_MASK = (1 << 32) - 1
_SIGN = 1 << 31
_NOT_OFFERED = 255

_HEADER = Struct("!IIBxH")


class Segment(NamedTuple):
    """What matters of a segment's header."""

    seq: int
    ack: int
    flags: int
    window: int
    """As it stands there, not scaled."""
    data: int
    """Bytes that it carries."""
    scale: int | None = None
    """Of a SYN: what it offers."""
    is_fragment: bool = False
    """The first fragment of one: it carries more than this says."""

    @property
    def length(self) -> int:
        """Numbers that it uses up: SYN and FIN are one each."""
        return self.data + bool(self.flags & SYN) + bool(self.flags & FIN)


def segment_of(packet: Packet) -> Segment:
    """The segment that a packet, or a first fragment, carries."""
    frame, l4 = packet.frame, packet.l4
    seq, ack, offset, window = _HEADER.unpack_from(frame, l4 + 4)
    start = l4 + (offset >> 4 << 2)
    flags = packet.flags
    scale = offer_of(packet).window_scale if flags & SYN else None
    data = max(end_of(packet) - start, 0)
    return Segment(seq, ack, flags, window, data, scale, packet.fragment)


# Places in ``Windows``: ten per side, the client's first.
_END = 0
_LIMIT = 1
_WIDEST = 2
_SCALE = 3
_OFFER = 4
_SEQ = 5
_ACKED = 6
_HEARD = 7
_SLACK = 8
_FIRST = 9
_SIDE = 10

_SILENT, _SPOKE, _ACKNOWLEDGED = 0, 1, 2
"""What ``_HEARD`` may be: nothing yet; its SYN; and its peer acknowledged that."""
_FRAGMENTED = 65535
"""What the later fragments of a segment may carry."""


_BLANK = bytes(array("I").itemsize * 2 * _SIDE)


class Windows(_Numbers):
    """Both sides of a connection, in 32-bit numbers: there may be one of these for every session.

    Per side: ``end``, the number behind the last that it used; ``limit``, how far its peer lets it
    go; ``widest``, the largest window that it offered, in bytes; ``scale``, its window's shift, and
    which one it had to offer; ``seq`` of its last segment and the highest number that it ``acked``;
    whether it was heard; ``slack``, if it sends fragments: how far beyond ``end`` it may be; and
    the number of its ``first`` segment, a SYN.
    """

    __slots__ = ()

    @classmethod
    def fresh(cls) -> Windows:
        """Of a connection of which nothing was heard yet."""
        return cls("I", _BLANK)

    def first(self, direction: Direction) -> int | None:
        """The number of a side's SYN, if one was heard."""
        own = _SIDE if direction else 0
        return self[own + _FIRST] if self[own + _HEARD] else None

    def take(self, direction: Direction, segment: Segment) -> bool:
        """A segment comes: whether its numbers are in place. If so, it is learned from."""
        own = _SIDE if direction else 0
        peer = _SIDE - own
        seq, ack, flags, window, data, _, is_fragment = segment
        if flags & SYN:
            return self._synchronize(own, peer, segment)
        end = (seq + data + (flags & FIN)) & _MASK
        if not (self[own + _HEARD] and self[peer + _HEARD]):
            return self._unheard(own, peer, segment, end)
        behind = (self[own + _END] - end) & _MASK
        if self[peer + _WIDEST] + 1 < behind < _SIGN:
            return False
        if 1 < (seq - self[own + _LIMIT]) & _MASK < _SIGN:
            return False
        if flags & ACK:
            slack = self[peer + _SLACK]
            old = (self[peer + _END] + slack - ack) & _MASK
            # Not from the future, nor from too long ago.
            if 2 * self[own + _WIDEST] + 1 + slack < old:
                return False
            # Who does not acknowledge its peer's SYN was not answered by it (3.10.7.4).
            new = (ack - self[own + _ACKED]) & _MASK
            is_first = self[peer + _HEARD] == _SPOKE and not flags & RST
            if is_first and not 0 < new < _SIGN:
                return False
            if old < slack:
                self[peer + _END] = ack
        if flags & RST:
            return True  # it is no part of the stream, and its window means nothing
        if behind >= _SIGN:
            self[own + _END] = end
        if is_fragment:
            self[own + _SLACK] = _FRAGMENTED
        self[own + _SEQ] = seq
        if flags & ACK:
            window <<= self[own + _SCALE]
            if window > self[own + _WIDEST]:
                self[own + _WIDEST] = window
            edge = (ack + window) & _MASK
            if (edge - self[peer + _LIMIT]) & _MASK < _SIGN:
                self[peer + _LIMIT] = edge
            if 0 < new < _SIGN:
                self[own + _ACKED] = ack
                self[peer + _HEARD] = _ACKNOWLEDGED
        return True

    # -- how it begins ------------------------------------------------------------------------

    def _synchronize(self, own: int, peer: int, segment: Segment) -> bool:
        """A SYN begins its side, as long as the peer did not acknowledge one."""
        seq, ack = segment.seq, segment.ack
        answers = bool(segment.flags & ACK)
        if self[own + _HEARD] == _ACKNOWLEDGED or (answers and not self[peer + _HEARD]):
            return True
        if answers and not self._acknowledges_syn(peer, ack):
            return False
        end = (seq + segment.length) & _MASK
        if self[own + _HEARD] and seq == self[own + _FIRST]:
            # It comes again, without the data that it, or what followed it, had (RFC 7413).
            end = (seq + max(segment.length, (self[own + _END] - seq) & _MASK)) & _MASK
        self[own + _FIRST] = self[own + _SEQ] = seq
        self[own + _END] = self[own + _LIMIT] = end
        self[own + _WIDEST] = segment.window
        self[own + _OFFER] = _NOT_OFFERED if segment.scale is None else segment.scale
        self[own + _HEARD] = _SPOKE
        if not self[peer + _HEARD]:
            return True
        offers = self[own + _OFFER], self[peer + _OFFER]
        self[own + _SCALE], self[peer + _SCALE] = (0, 0) if _NOT_OFFERED in offers else offers
        self[peer + _ACKED] = seq
        self[own + _LIMIT] = (end + self[peer + _WIDEST]) & _MASK
        if answers:
            self[peer + _HEARD] = _ACKNOWLEDGED
        else:
            ack = self[peer + _END]  # both spoke first, and neither has acknowledged that
        self[own + _ACKED] = ack if answers else self[peer + _SEQ]
        self[peer + _LIMIT] = (ack + segment.window) & _MASK
        return True

    def _acknowledges_syn(self, peer: int, ack: int) -> bool:
        """Whether this acknowledges the peer's SYN, and not more than came since."""
        since = (self[peer + _END] - self[peer + _SEQ]) & _MASK
        return (ack - self[peer + _SEQ] - 1) & _MASK < since

    def _unheard(self, own: int, peer: int, segment: Segment, end: int) -> bool:
        """A segment other than a SYN, while one side at least was not heard yet."""
        flags = segment.flags
        if not flags & RST:
            if self[own + _HEARD] and (end - self[own + _END]) & _MASK <= segment.length:
                self[own + _END] = end  # data right behind its SYN (RFC 7413)
            return True
        if not self[peer + _HEARD]:
            return True
        # It refuses a connection, and has to say which (RFC 9293, section 3.10.7.3).
        return bool(flags & ACK) and self._acknowledges_syn(peer, segment.ack)

    # -- RSTs ---------------------------------------------------------------------------------

    def is_exact(self, direction: Direction, seq: int) -> bool:
        """Whether a RST with this number is where its sender is: at its previous segment, at the
        next one, or at what its peer waits for. Anything is, as long as not both were heard."""
        own = _SIDE if direction else 0
        peer = _SIDE - own
        if not (self[own + _HEARD] and self[peer + _HEARD]):
            return True
        return seq in (self[own + _SEQ], self[own + _END], self[peer + _ACKED])

    def last_word(self, direction: Direction) -> Segment:
        """What the peer of this direction's sender said last: the acknowledgement that it owes to
        a segment that is out of place, and which says nothing new."""
        own = _SIDE if direction else 0
        peer = _SIDE - own
        ack = self[peer + _ACKED]
        window = (self[own + _LIMIT] - ack) & _MASK
        scaled = min(window >> self[peer + _SCALE], 65535) if window < _SIGN else 0
        return Segment(self[peer + _END], ack, ACK, scaled, 0)
