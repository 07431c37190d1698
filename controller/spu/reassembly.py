"""Datagrams in fragments, put together: for gateways, which read whole ones, and for all traffic
with ``force-ip-reassembly``.

Fragments of a datagram reach its session's SPU in any order; one that comes before the first has
waited at the central point. A fragment that repeats another, byte by byte, is ignored. One that
overlaps others costs the whole datagram, and what is still to come of it: nobody can know which of
the two contents its receiver would believe (RFC 5722, for IPv6; done alike for IPv4). All that is
held is bounded, and goes after a time-out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import NamedTuple

from controller.flow import Direction, FlowKey, Nanoseconds
from controller.fragment import Place, place_of, whole
from controller.packet import ETHERTYPE_IPV4, ETHERTYPE_IPV6, parse_ip
from controller.reasons import Drop
from controller.spu.core import Core
from controller.spu.replies import Replies
from controller.spu.session import Queued, Session

DATAGRAMS = 1024
"""Held at a time; the oldest goes first."""
FRAGMENTS = 64
"""Of one datagram; the longest has 45 on Ethernet."""
BYTES = 8 << 20
"""Held at a time, all together."""

_Key = tuple[int, Direction, int]
"""Session, direction, identification."""


class Shape(NamedTuple):
    """How a datagram came."""

    identification: int
    largest: int
    """Bytes of IP of its largest fragment."""


@dataclass(slots=True)
class FragmentCounts:
    """What an SPU did with fragments so far."""

    reassembled: int = 0
    """Datagrams."""
    generated: int = 0
    """Fragments of datagrams that were too long for the way on."""


class _Partial:
    """A datagram of which something is there."""

    __slots__ = ("expires", "first", "flow", "largest", "pieces", "size", "total")

    def __init__(self, flow: FlowKey, expires: Nanoseconds) -> None:
        self.flow = flow
        self.expires = expires
        self.first: Queued | None = None
        self.pieces: dict[int, bytes] | None = {}
        """By offset; ``None``: it is given up, and what is to come of it falls."""
        self.size = 0
        self.total: int | None = None
        """Known from the last fragment."""
        self.largest = 0


class Reassembly:
    """All datagrams of an SPU that are not whole yet."""

    def __init__(self, core: Core, replies: Replies) -> None:
        self._core = core
        self._replies = replies
        self._partials: OrderedDict[_Key, _Partial] = OrderedDict()
        self._held = 0
        self.counts = FragmentCounts()

    def take(self, session: Session, queued: Queued) -> tuple[Queued, Shape] | None:
        """A fragment of a session; the whole datagram, if this was the last that it lacked."""
        core = self._core
        message, packet, direction = queued
        if message.session_id != session.id:  # else its NPU's entry has counted it
            session.packets[direction] += 1
            session.bytes[direction] += len(message.frame)
        session.last_seen = core.now
        flow = session.wings[direction].key
        place = place_of(packet)
        key = (session.id, direction, place.identification)
        partial = self._partials.get(key)
        if partial is None:
            if len(self._partials) >= DATAGRAMS:
                self._make_room()
            expires = core.now + core.config.reassembly_timeout
            partial = self._partials[key] = _Partial(flow, expires)
        while self._held + len(place.data) > BYTES:
            self._make_room()
        # (That may have cost this one, too.)
        if partial.pieces is None:
            core.drop(Drop.FRAGMENT_OVERLAP, flow, "of a datagram that was given up")
            return None
        reason = self._put(partial, partial.pieces, place)
        if reason is not Drop.NONE:
            self._give_up(partial, reason, f"at byte {place.offset} of {len(place.data)}")
            return None
        if not packet.is_later_fragment:
            partial.first = queued
        partial.largest = max(partial.largest, place.size)
        if partial.first is None or partial.size != partial.total:
            return None
        del self._partials[key]
        self._held -= partial.size
        return self._assemble(session, partial, partial.pieces, queued, place.identification)

    def _put(self, partial: _Partial, pieces: dict[int, bytes], place: Place) -> Drop:
        """Add a fragment; why that cannot be."""
        start, data = place.offset, place.data
        end = start + len(data)
        if pieces.get(start) == data:
            return Drop.NONE
        if end > 0xFFFF or (place.more and len(data) & 7) or not data:
            return Drop.MALFORMED
        if len(pieces) >= FRAGMENTS:
            return Drop.FRAGMENT_LIMIT
        if any(at < end and start < at + len(piece) for at, piece in pieces.items()):
            return Drop.FRAGMENT_OVERLAP
        if not place.more:
            if partial.total is not None:
                return Drop.FRAGMENT_OVERLAP
            partial.total = end
        if partial.total is not None and any(
            at + len(piece) > partial.total for at, piece in (*pieces.items(), (start, data))
        ):
            return Drop.FRAGMENT_OVERLAP
        pieces[start] = data
        partial.size += len(data)
        self._held += len(data)
        return Drop.NONE

    def _assemble(
        self,
        session: Session,
        partial: _Partial,
        pieces: dict[int, bytes],
        last: Queued,
        identification: int,
    ) -> tuple[Queued, Shape] | None:
        core = self._core
        assert partial.first is not None
        message, first, direction = partial.first
        frame = whole(first, b"".join(pieces[at] for at in sorted(pieces)))
        if frame is None:
            core.drop(Drop.MALFORMED, partial.flow, "fragments of more than IP can carry")
            return None
        ethertype = ETHERTYPE_IPV4 if first.version == 4 else ETHERTYPE_IPV6
        packet = parse_ip(frame, first.vlan, first.l3, ethertype, len(frame))
        if isinstance(packet, Drop):
            core.drop(packet, partial.flow, "a datagram put together from fragments")
            return None
        if packet.key(message.token) != partial.flow:
            # Its first fragment was of this session, and is what decides.
            core.drop(Drop.MALFORMED, partial.flow, "a datagram of another flow")
            return None
        self.counts.reassembled += 1
        # Its fragments are counted already.
        made = replace(message, frame=frame, session_id=session.id, at=last.message.at)
        return Queued(made, packet, direction), Shape(identification, partial.largest)

    def _make_room(self) -> None:
        _, oldest = self._partials.popitem(last=False)
        self._give_up(oldest, Drop.FRAGMENT_LIMIT, "the oldest makes room")

    def _give_up(self, partial: _Partial, reason: Drop, detail: str) -> None:
        if partial.pieces is not None:
            self._core.drop(reason, partial.flow, f"fragment: {detail}")
            self._held -= partial.size
            partial.pieces = None

    # -- time ---------------------------------------------------------------------------------

    def deadline(self) -> Nanoseconds | None:
        """When the oldest is due."""
        for partial in self._partials.values():
            return partial.expires
        return None

    def tick(self) -> None:
        """Give up what was not completed in time."""
        core = self._core
        while self._partials:
            key, partial = next(iter(self._partials.items()))
            if partial.expires > core.now:
                return
            del self._partials[key]
            if partial.pieces is not None:
                self._give_up(partial, Drop.FRAGMENT_TIMEOUT, "the datagram is not complete")
                if partial.first is not None:
                    self._replies.dropped(Drop.FRAGMENT_TIMEOUT, partial.first)

    def audit(self) -> list[str]:
        """What is held, in words."""
        left = [f"fragments of {partial.flow}" for partial in self._partials.values()]
        return left + ([f"{self._held} bytes of fragments"] if self._held else [])
