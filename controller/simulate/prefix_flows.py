"""Flows of hosts that others know by another IPv6 prefix.

No port changes, no state is kept, and no checksum need change: so each end holds the checksum and
the other one's address against what they must be, whatever became of sessions in between.
"""

from __future__ import annotations

from controller.packet import Packet, checksum
from controller.simulate import frames
from controller.simulate.flow import SERVER, Flow
from controller.simulate.kinds import Connection, Datagrams, Ping
from controller.simulate.prefixes import published
from controller.simulate.violation import Rule


def _look_at(flow: Flow, side: int, packet: Packet) -> None:
    """A host hears of the other one: under the right address, with the right checksum."""
    frame, l4 = packet.frame, packet.l4
    end = packet.l3 + 40 + int.from_bytes(frame[packet.l3 + 4 : packet.l3 + 6], "big")
    if checksum(frame[l4:end], frames.pseudo(packet.tuple5, end - l4)):
        flow.broken(Rule.CONTENTS, "the checksum of a packet is wrong")
    known = published(flow.there.src) if side == SERVER else flow.there.dst
    if packet.src != known:
        what = f"it comes from {packet.src.hex(':', 2)}, not from {known.hex(':', 2)}"
        flow.broken(Rule.TRANSLATION, what)


class PrefixDatagrams(Datagrams):
    """Questions and answers."""

    __slots__ = ()
    kind = "UDP, other prefix"

    def heard(self, side: int, packet: Packet, number: int, /) -> None:
        _look_at(self, side, packet)
        super().heard(side, packet, number)


class PrefixConnection(Connection):
    """A TCP connection."""

    __slots__ = ()
    kind = "TCP, other prefix"

    def heard(self, side: int, packet: Packet, number: int, /) -> None:
        _look_at(self, side, packet)
        super().heard(side, packet, number)


class PrefixPing(Ping):
    """Echo requests, answered."""

    __slots__ = ()
    kind = "ping, other prefix"

    def heard(self, side: int, packet: Packet, number: int, /) -> None:
        _look_at(self, side, packet)
        super().heard(side, packet, number)
