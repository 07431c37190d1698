"""Overlapping fragments, on the way in and on the way out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Raw

from controller.reasons import Drop, Punt, Send
from support import base
from support.interfaces import DMZ, TRUST, UNTRUST, out_of, to
from support.packets import CLIENT, CLIENT6, SERVER, SERVER6

TEAR_DROP = Drop.SCREEN_TEAR_DROP
ANOTHER = "10.0.1.200"
numbers = count(2000)
"""Identifications: the NPU remembers a datagram for longer than a case takes."""


@dataclass(frozen=True)
class Piece:
    """A fragment, never the last; offset and length in blocks of 8 bytes."""

    offset: int
    blocks: int
    datagram: int = 0
    """Which of the walk's."""
    source: str = CLIENT
    version: int = 4

    def frame(self, head: Any, first: int) -> bytes:
        """Behind a link header; datagrams are numbered from ``first``."""
        number = first + self.datagram
        data = Raw(bytes(8 * self.blocks))
        if self.version == 6:
            header = IPv6ExtHdrFragment(nh=47, id=number, offset=self.offset, m=1)
            return bytes(head / IPv6(src=CLIENT6, dst=SERVER6) / header / data)
        ip = IP(src=self.source, dst=SERVER, id=number, proto=47, frag=self.offset, flags="MF")
        return bytes(head / ip / data)


@dataclass(frozen=True)
class Walk:
    """Fragments that come one after the other."""

    what: str
    pieces: tuple[Piece, ...]
    found: tuple[int, ...] = ()
    """Places of those that overlap what came before."""

    def frames(self, head: Any) -> list[bytes]:
        """Those of datagrams that no case has used."""
        first = next(numbers)
        for _ in range(max(piece.datagram for piece in self.pieces)):
            next(numbers)
        return [piece.frame(head, first) for piece in self.pieces]


WALKS = {
    "Overlap": Walk(
        "the second begins before the first ends; its neighbour begins just there",
        (Piece(0, 4), Piece(3, 4), Piece(0, 4, datagram=1), Piece(4, 4, datagram=1)),
        found=(1,),
    ),
    "OverlapIpv6": Walk(
        "the same over IPv6",
        (
            Piece(0, 4, version=6),
            Piece(3, 4, version=6),
            Piece(0, 4, datagram=1, version=6),
            Piece(4, 4, datagram=1, version=6),
        ),
        found=(1,),
    ),
    "OverlapInReverse": Walk(
        "in reverse order, the last of which overlaps",
        (Piece(8, 4), Piece(4, 4), Piece(1, 4)),
        found=(2,),
    ),
    "OverlapInside": Walk(
        "one that lies within what is there, and one that covers it all",
        (Piece(0, 8), Piece(2, 1), Piece(4, 2, datagram=1), Piece(2, 8, datagram=1)),
        found=(1, 3),
    ),
    "OfAnother": Walk(
        "another datagram, or the same number from another source, overlaps nothing",
        (Piece(0, 4), Piece(1, 4, datagram=1), Piece(1, 4, source=ANOTHER)),
    ),
    "OutOfOrder": Walk(
        "fragments that leave a gap are none of it",
        (Piece(0, 4), Piece(8, 4), Piece(4, 4)),
    ),
}


class _WalkTest(base.NpuTest):
    walk: ClassVar[Walk]


class Arriving(_WalkTest):
    """On the way in."""

    def runTest(self) -> None:
        self.ingress_screens(TRUST, TEAR_DROP)
        frames = self.walk.frames(to(TRUST))
        for place, frame in enumerate(frames):
            self.send(TRUST.port, frame)
            if place not in self.walk.found:
                self.expect_punt(frame, Punt.FRAGMENT, TRUST)
        fell = len(self.walk.found)
        self.conclude(
            drops={TEAR_DROP: fell} if fell else {},
            punts={Punt.FRAGMENT: len(frames) - fell},
            screen_hits={(TRUST, TEAR_DROP): fell} if fell else {},
        )


class Departing(_WalkTest):
    """On the way out."""

    def runTest(self) -> None:
        self.egress_screens(UNTRUST, TEAR_DROP)
        for place, frame in enumerate(self.walk.frames(out_of(UNTRUST))):
            self.packet_out(frame, UNTRUST.port, Send.EGRESS)
            if place not in self.walk.found:
                self.expect_frame(UNTRUST.port, frame)
        fell = len(self.walk.found)
        self.conclude(
            egress_drops={TEAR_DROP: fell} if fell else {},
            egress_screen_hits={(UNTRUST, TEAR_DROP): fell} if fell else {},
        )


class Off(_WalkTest):
    """Switched off, everything passes both ways."""

    def runTest(self) -> None:
        for frame in (arriving := self.walk.frames(to(TRUST))):
            self.send(TRUST.port, frame)
            self.expect_punt(frame, Punt.FRAGMENT, TRUST)
        for frame in self.walk.frames(out_of(UNTRUST)):
            self.packet_out(frame, UNTRUST.port, Send.EGRESS)
            self.expect_frame(UNTRUST.port, frame)
        self.conclude(punts={Punt.FRAGMENT: len(arriving)})


globals().update(
    {
        name + check.__name__: type(
            name + check.__name__,
            (check,),
            {"walk": walk, "__module__": __name__, "__doc__": f"{check.__doc__} {walk.what}."},
        )
        for name, walk in WALKS.items()
        for check in (Arriving, Departing, Off)
        if walk.found or check is not Off
    }
)


class EachSideAndZone(base.NpuTest):
    """A datagram that came in, and leaves into two zones, is three."""

    def runTest(self) -> None:
        number = next(numbers)
        self.egress_screens(UNTRUST, TEAR_DROP)
        self.egress_screens(DMZ, TEAR_DROP)
        self.ingress_screens(TRUST, TEAR_DROP)
        self.send(TRUST.port, Piece(0, 4).frame(to(TRUST), number))
        self.client.packet_in(base.ARRIVES)
        for way in (UNTRUST, DMZ):
            frame = Piece(0, 4).frame(out_of(way), number)
            self.packet_out(frame, way.port, Send.EGRESS)
            self.expect_frame(way.port, frame)
        self.packet_out(Piece(3, 4).frame(out_of(DMZ), number), DMZ.port, Send.EGRESS)
        self.conclude(
            egress_drops={TEAR_DROP: 1},
            punts={Punt.FRAGMENT: 1},
            egress_screen_hits={(DMZ, TEAR_DROP): 1},
        )


del Arriving, Departing, Off, _WalkTest
