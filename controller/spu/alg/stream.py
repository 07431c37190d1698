"""A control connection over TCP with a gateway in its middle that may change what is said.

Segments become a stream, the stream becomes units, units pass the gateway, and what comes out
leaves as segments again, with other sequence numbers if lengths changed::

     sender  --- seq, data --->  received | consumed ... gateway ... sent | confirmed  ---> receiver
             <-- ack, mapped back ----------------------------------------------- ack <---

Positions count bytes of the stream from 0, a FIN as one; "in" is what the sender counts, "out"
what the receiver does. What is sent is kept until it is acknowledged, so a repeated segment is
answered from here, and an acknowledgement of changed text counts for the sender only as a whole.

A unit may be spread over segments, and a sender may wait for an acknowledgement before it goes on
(RFC 896). So what is held back is acknowledged at once; from then on it is repeated from here if
the receiver does not acknowledge it (``tick``). Everything held is bounded; what does not fit is
not acknowledged and comes again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from controller.flow import Direction
from controller.gate import Endpoint
from controller.packet import ACK, FIN, PSH, RST
from controller.spu.alg.base import Alg, Findings
from controller.tcp_options import DEFAULT_MSS

UNIT_LIMIT = 16_384
"""A unit that is longer passes unread: it is none that a gateway knows. The next one is read if
this one said how long it is."""
HELD_LIMIT = 65_536
"""Bytes held per direction, in order and out of order."""

LEAST_SIZE = 524
"""Of data in a segment, however narrow a router says that the path is (RFC 9293, 3.7.1, with time
stamps)."""

_MOD = 1 << 32
_OPTIONS = 12
"""Bytes of options in most segments: time stamps."""
_LONGEST = 0xFFFF - 60 - 60
"""What fits into any packet beside the headers of IP and TCP, whatever an end says it takes."""


class Out(NamedTuple):
    """A segment to send."""

    direction: Direction
    seq: int
    ack: int
    flags: int
    data: bytes = b""


class _Chunk(NamedTuple):
    """What was sent and not acknowledged yet."""

    in_end: int
    """What the sender may count as acknowledged when all of it is."""
    start: int
    data: bytes
    fin: bool
    verbatim: bool
    """As it came: then parts of it can be acknowledged too."""

    @property
    def end(self) -> int:
        return self.start + len(self.data) + self.fin


def _cut(chunk: _Chunk, before: int, size: int) -> Iterator[_Chunk]:
    """A chunk in pieces; ``before`` is what the sender may count as acknowledged until then."""
    in_end, start, data, fin, verbatim = chunk
    for at in range(0, len(data) - size, size):
        rest = chunk.end - start - at - size
        yield _Chunk(in_end - rest if verbatim else before, start + at, data[at : at + size],
                     False, verbatim)  # fmt: skip
    last = (len(data) - 1) // size * size if data else 0
    yield _Chunk(in_end, start + last, data[last:], fin, verbatim)


class _Way:
    """One direction."""

    __slots__ = ("asked", "base", "buffer", "chunks", "confirmed", "consumed", "early",
                 "fin_at", "mss", "promised", "received", "sent", "unread")  # fmt: skip

    def __init__(self) -> None:
        self.base: int | None = None
        """Sequence number of position 0; ``None`` until something came."""
        self.mss = DEFAULT_MSS
        self.received = 0
        """In: up to here all came."""
        self.consumed = 0
        """In: up to here all passed the gateway; ``buffer`` has what is between the two."""
        self.buffer = bytearray()
        self.early: dict[int, tuple[bytes, bool]] = {}
        """What came before its turn, by position."""
        self.fin_at: int | None = None
        self.sent = 0
        """Out: up to here all was sent."""
        self.chunks: deque[_Chunk] = deque()
        self.confirmed = 0
        """In: what the receiver acknowledged."""
        self.promised = 0
        """In: what was acknowledged from here."""
        self.unread = 0
        """What is left of a unit that is longer than is read."""
        self.asked: tuple[bytes, Findings] | None = None
        """The unit that waits for its gates."""

    def seq(self, position: int) -> int:
        assert self.base is not None
        return (self.base + position) % _MOD

    @property
    def acknowledged(self) -> int:
        """For the sender."""
        return self.seq(max(self.confirmed, self.promised))

    def position(self, seq: int, near: int) -> int:
        return near + ((seq - self.seq(near) + (_MOD >> 1)) % _MOD) - (_MOD >> 1)

    def arrive(self, seq: int, data: bytes, fin: bool) -> bool:
        """Take a segment's contents; whether all of it was known already."""
        at = self.position(seq, self.received)
        end = at + len(data)
        known = self.received + (self.fin_at is not None)
        if end + fin <= known:
            return True
        if at > self.received:
            held = sum(len(part) for part, _ in self.early.values()) + len(self.buffer)
            if held + len(data) <= HELD_LIMIT and at not in self.early:
                self.early[at] = (data, fin)
            return False
        if len(self.buffer) + len(data) <= HELD_LIMIT:
            self._append(at, data, fin)
        while ready := [position for position in self.early if position <= self.received]:
            for position in ready:
                self._append(position, *self.early.pop(position))
        return False

    def _append(self, at: int, data: bytes, fin: bool) -> None:
        if self.fin_at is not None:
            return
        if at + len(data) > self.received:
            self.buffer += data[self.received - at :]
            self.received = at + len(data)
        if fin and at + len(data) == self.received:
            self.fin_at = self.received

    def confirm(self, ack: int) -> None:
        """The receiver acknowledged."""
        chunks = self.chunks
        if not chunks:
            return
        at = self.position(ack, chunks[0].start)
        while chunks and chunks[0].end <= at:
            self.confirmed = chunks.popleft().in_end
        if chunks and chunks[0].verbatim and at > chunks[0].start:
            chunk = chunks[0]
            self.confirmed = chunk.in_end - (chunk.end - at)

    @property
    def owes(self) -> bool:
        """Whether something was acknowledged to the sender that the receiver does not have."""
        return self.promised > self.confirmed


class Relay:
    """Both directions of a connection, and its gateway."""

    def __init__(self, alg: Alg) -> None:
        self._alg = alg
        self._ways = (_Way(), _Way())
        self.findings: list[Findings] = []
        """What the gateway found in units that passed; the owner takes it out."""

    def asks(self, direction: Direction) -> Findings | None:
        """What waits in a direction until its gates are open."""
        asked = self._ways[direction].asked
        return None if asked is None else asked[1]

    @property
    def owes(self) -> bool:
        """Whether ``tick`` is wanted some time from now."""
        return any(way.owes for way in self._ways)

    def begin(self, direction: Direction, seq: int, mss: int) -> None:
        """A SYN passes."""
        way = self._ways[direction]
        if way.base is None or not way.received:
            way.base = (seq + 1) % _MOD
        # What its sender takes bounds what is sent to it; time stamps take some of it.
        self._ways[1 - direction].mss = min(max(mss - _OPTIONS, 1), _LONGEST)

    def take(self, direction: Direction, seq: int, ack: int, flags: int, data: bytes) -> list[Out]:
        """A segment other than a SYN came; what to send, in any direction."""
        way, back = self._ways[direction], self._ways[1 - direction]
        if not flags & (ACK | RST):
            return []  # no segment of a connection that is open (RFC 9293, section 3.10.7.4)
        if way.base is None:
            way.base = seq
        if flags & ACK:
            if back.base is None:
                back.base = ack
            back.confirm(ack)
        if flags & RST:
            return [self._out(direction, flags)]
        fin = bool(flags & FIN)
        if not data and not fin:
            behind = way.position(seq, way.received) - way.received
            # One less than expected asks whether anybody is there, and must stay one less.
            return [self._out(direction, flags, at=way.sent - (behind == -1))]
        outs = []
        if way.arrive(seq, data, fin):
            outs = self._repeat(direction) or [self._acknowledge(direction)]
        outs += self._run(direction)
        if way.buffer and way.asked is None and way.received > way.promised:
            way.promised = way.received
            outs.append(self._acknowledge(direction))
        if not any(out.direction == direction for out in outs):
            outs.append(self._out(direction, ACK))
        return outs

    def resume(self, direction: Direction, holes: tuple[Endpoint, ...]) -> list[Out]:
        """The gates that a unit waited for are open."""
        way = self._ways[direction]
        assert way.asked is not None, "only called for what waits"
        unit, findings = way.asked
        way.asked = None
        self.findings.append(findings)
        text = findings.text(unit, holes)
        outs = self._send(direction, len(unit), text, text == unit)
        return outs + self._run(direction)

    def refuse(self, direction: Direction) -> None:
        """The gates cannot be had. What is not acknowledged is forgotten, and comes again; the
        rest is tried again in time."""
        way = self._ways[direction]
        way.asked = None
        keep = max(0, way.promised - way.consumed)
        if way.fin_at is None:
            del way.buffer[keep:]
            way.received = way.consumed + keep

    def narrow(self, direction: Direction, seq: int, size: int) -> list[Out]:
        """A segment of a direction, of which the number is known, did not fit through the path to
        its receiver; ``size`` bytes of data do. What is under way is cut and sent again."""
        way = self._ways[direction]
        size = max(size, LEAST_SIZE)
        if not way.chunks or size >= way.mss:
            return []
        at = way.position(seq, way.chunks[0].start)
        if not way.chunks[0].start <= at < way.sent:
            return []  # of none that is under way
        way.mss = size
        whole, way.chunks = way.chunks, deque()
        before = way.confirmed
        for chunk in whole:
            way.chunks += _cut(chunk, before, size)
            before = chunk.in_end
        return [self._again(direction, chunk) for chunk in way.chunks]

    def tick(self) -> list[Out]:
        """Repeat what is owed."""
        outs = []
        for direction in Direction:
            way = self._ways[direction]
            if way.owes:
                outs += self._repeat(direction)
                if way.asked is None:
                    outs += self._run(direction)
        return outs

    # -- units --------------------------------------------------------------------------------

    def _run(self, direction: Direction) -> list[Out]:
        """Pass all units that are complete, up to one that has to wait."""
        way = self._ways[direction]
        size, passed, verbatim = 0, b"", True
        while way.asked is None and len(way.buffer) > size:
            rest = bytes(way.buffer[size:])
            length = way.unread or self._alg.measure(direction, rest)
            if way.unread or length > UNIT_LIMIT:
                way.unread = length - len(rest) if length > len(rest) else 0
                length = min(length, len(rest))
                size += length
                passed += rest[:length]
                continue
            if not 0 < length <= len(rest):
                if len(rest) <= UNIT_LIMIT and way.fin_at is None:
                    break
                length = len(rest)  # no unit, or the last words
            unit = rest[:length]
            findings = self._alg.take(direction, unit)
            if findings.pinholes:
                way.asked = unit, findings
                break
            self.findings.append(findings)
            text = findings.text(unit)
            size += length
            passed += text
            verbatim = verbatim and text == unit
        outs = self._send(direction, size, passed, verbatim) if size else []
        if way.fin_at == way.consumed and way.asked is None:
            if outs and outs[-1].direction == direction:
                last = outs.pop()
                chunk = way.chunks.pop()
                way.chunks.append(chunk._replace(in_end=chunk.in_end + 1, fin=True))
                outs.append(last._replace(flags=last.flags | FIN))
            else:
                way.chunks.append(_Chunk(way.consumed + 1, way.sent, b"", True, True))
                outs.append(self._out(direction, ACK | FIN))
            way.consumed += 1
            way.sent += 1
        return outs

    def _send(self, direction: Direction, size: int, text: bytes, verbatim: bool) -> list[Out]:
        """Send what became of the next ``size`` bytes."""
        way = self._ways[direction]
        del way.buffer[:size]
        start, way.consumed = way.consumed, way.consumed + size
        outs = []
        if not text:
            # Nothing comes of it, so nobody else will acknowledge it.
            if way.chunks:
                way.chunks.append(_Chunk(way.consumed, way.sent, b"", False, True))
            else:
                way.confirmed = way.consumed
                outs.append(self._acknowledge(direction))
        for at in range(0, len(text), way.mss):
            part = text[at : at + way.mss]
            is_last = at + len(part) == len(text)
            in_end = way.consumed if is_last else start + at + len(part) if verbatim else start
            way.chunks.append(_Chunk(in_end, way.sent, part, False, verbatim))
            outs.append(self._out(direction, ACK | PSH, part))
            way.sent += len(part)
        return outs

    # -- segments -----------------------------------------------------------------------------

    def _repeat(self, direction: Direction) -> list[Out]:
        chunks = self._ways[direction].chunks
        return [self._again(direction, chunks[0])] if chunks else []

    def _again(self, direction: Direction, chunk: _Chunk) -> Out:
        flags = ACK | (PSH if chunk.data else 0) | (FIN if chunk.fin else 0)
        return self._out(direction, flags, chunk.data, chunk.start)

    def _acknowledge(self, direction: Direction) -> Out:
        """Say to the sender of a direction how far it came."""
        return self._out(Direction(1 - direction), ACK)

    def _out(
        self, direction: Direction, flags: int, data: bytes = b"", at: int | None = None
    ) -> Out:
        way, back = self._ways[direction], self._ways[1 - direction]
        ack = back.acknowledged if flags & ACK and back.base is not None else 0
        return Out(direction, way.seq(way.sent if at is None else at), ack, flags, data)
