"""Datagrams in many fragments, in any order; and hosts that ask again when no answer came.

What a datagram carries is tags, one after the other, so whatever it is cut into, each fragment ends
with one. The receiver holds every tag against the place where it stands, and the checksum against
the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from struct import Struct
from typing import NamedTuple

from controller.config.schema import SECOND
from controller.flow import Tuple5
from controller.packet import UDP, Packet, checksum
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.frames import TAG_SIZE
from controller.simulate.site import Wire
from controller.simulate.violation import Rule

_TRIES = 3
_UDP = Struct("!HHHH")
_FRAGMENT6 = Struct("!BBHI")
_FRAGMENT_HEADER = 44
_LONGEST = 300
"""Tags of a datagram, so that its fragments fit into frames."""


class Patient(Flow):
    """Questions by UDP; one that is not answered is asked again, later and later."""

    __slots__ = ("answered", "asked", "questions", "tries")
    kind = "UDP, asked again"

    def begin(self) -> None:
        self.questions = 1 + self.dice.below(3)
        self.asked = 0
        """Number of the question that waits for its answer."""
        self.answered = True
        self.alarm()

    def alarm(self, what: int = 0, /) -> None:
        """Ask the next question, or the same one again."""
        if what and (self.answered or what != self.asked):
            return
        if not what:
            if not self.questions:
                return
            self.questions -= 1
            self.asked += 1
            self.answered = False
            self.tries = 0
        elif self.tries == _TRIES:
            return
        self.ask()
        self.wake(SECOND << self.tries, self.asked)
        self.tries += 1

    def ask(self) -> None:
        """Say it."""
        self.put(CLIENT, frames.udp(self.client, self.there, self.tag(CLIENT), b"question"))

    def heard(self, side: int, _packet: Packet, _number: int, /) -> None:
        if side == SERVER:
            self.answer()
        elif not self.answered:
            self.answered = True
            self.wake(self.dice.below(500_000_000))

    def answer(self) -> None:
        """The server's."""
        answer = frames.udp(self.server, self.back, self.tag(SERVER), b"answer")
        self.put(SERVER, answer, self.dice.below(1_000_000))

    @property
    def unmet(self) -> str:
        return "" if self.answered else f"question {self.asked} is not answered"


class _Datagram:
    """One that is on its way in fragments."""

    __slots__ = ("copies", "first", "heard", "is_whole", "sum", "tags")

    def __init__(self, first: int, tags: int) -> None:
        self.first = first
        """Packet number of its first tag; each next one's is 2 more."""
        self.tags = tags
        self.heard = 0
        """Tags by place, a bit each."""
        self.sum = 0
        """Of the UDP header, and of the pseudo-header, as they came."""
        self.is_whole = False
        """The receiver has all of it."""


class Place(NamedTuple):
    """Which part of its datagram a packet is; a whole one is all of it."""

    offset: int
    data: bytes


class Pieces(Patient):
    """Questions in many fragments in any order, some of the answers too."""

    __slots__ = ("datagrams",)
    kind = "fragments in any order"
    is_counted = False  # whole ones leave where fragments came

    def begin(self) -> None:
        self.datagrams: list[_Datagram] = []
        super().begin()

    def ask(self) -> None:
        self._speak(CLIENT)

    def answer(self) -> None:
        """Whole or in fragments."""
        if self.dice.hits(500):
            self._speak(SERVER)
        else:
            super().answer()

    def _speak(self, side: int) -> None:
        dice = self.dice
        size = 4 + dice.below(_LONGEST - 4)
        tags = [self.tag(side) for _ in range(size)]
        self.datagrams.append(_Datagram(self.last(side) - 2 * (size - 1), size))
        ends = self.back if side == SERVER else self.there
        wire = self.server if side == SERVER else self.client
        pieces = cut(wire, ends, dice.below(1 << 16), b"".join(tags), _cuts(dice.below, size + 1))
        while pieces:
            self.put(side, pieces.pop(dice.below(len(pieces))), dice.below(100_000))

    def doubled(self, number: int, frame: bytes) -> None:
        """Any part of it may be the end of a fragment when it leaves."""
        assert number >= 0, "all that it sends has tags"
        for tag in range(number, self._first_tag_in(number, frame) - 1, -2):
            super().doubled(tag, frame)

    def _first_tag_in(self, number: int, frame: bytes) -> int:
        datagram = self._datagram(number)
        first = datagram.first if datagram is not None else number
        while first <= number and frames.tagged(self.number, first) not in frame:
            first += 2
        return first

    def _datagram(self, number: int) -> _Datagram | None:
        for datagram in self.datagrams:
            if (number - datagram.first) & 1 == 0 and (
                0 <= number - datagram.first < 2 * datagram.tags
            ):
                return datagram
        return None

    def heard(self, side: int, packet: Packet, number: int, /) -> None:
        """A fragment, or a datagram: each tag in its place, and a checksum that is right."""
        datagram = self._datagram(number)
        if datagram is None:
            super().heard(side, packet, number)
            return
        place = place_of(packet)
        start = place.offset
        data = place.data
        if not start:
            source, destination = packet.src, packet.dst
            pseudo = int.from_bytes(source, "big") + int.from_bytes(destination, "big") + UDP
            datagram.sum = pseudo + sum(_UDP.unpack_from(data)) + 8 * (1 + datagram.tags)
            data = data[8:]
        else:
            start -= 8
        first, count = start // TAG_SIZE, len(data) // TAG_SIZE
        places = range(datagram.first + 2 * first, datagram.first + 2 * (first + count), 2)
        if data != b"".join(frames.tagged(self.number, place) for place in places):
            self.broken(Rule.CONTENTS, f"a datagram is garbled at byte {place.offset}")
        datagram.heard |= (1 << count) - 1 << first
        if datagram.is_whole or datagram.heard.bit_count() < datagram.tags or not datagram.sum:
            return
        datagram.is_whole = True
        if count == datagram.tags:
            self.network.count("datagrams put together")
        numbers = range(datagram.first, datagram.first + 2 * datagram.tags, 2)
        body = b"".join(frames.tagged(self.number, number) for number in numbers)
        if checksum(body, datagram.sum):
            self.broken(Rule.CONTENTS, "the checksum of a datagram in fragments is wrong")
        super().heard(side, packet, number)


def _cuts(below: Callable[[int], int], blocks: int) -> list[int]:
    """Where blocks of 8 bytes are cut: 2 to 6 parts that fit into frames."""
    parts = 2 + below(5)
    most = 1400 // TAG_SIZE
    cuts = sorted({2 + below(blocks - 2) for _ in range(parts - 1)})  # a tag in each
    found = [0]
    for cut_ in (*cuts, blocks):
        while cut_ - found[-1] > most:
            found.append(found[-1] + most)
        found.append(cut_)
    return found


def cut(wire: Wire, flow: Tuple5, name: int, data: bytes, cuts: list[int]) -> list[bytes]:
    """A UDP datagram in fragments, cut at these blocks of 8 bytes."""
    size = 8 + len(data)
    whole = bytearray(_UDP.pack(flow.sport, flow.dport, size, 0)) + data
    whole[6:8] = (checksum(whole, frames.pseudo(flow, size)) or 0xFFFF).to_bytes(2, "big")
    l3 = 18 if wire.interface.vlan else 14
    found = []
    for start, end in pairwise(cuts):
        part, more = bytes(whole[start * 8 : end * 8]), end != cuts[-1]
        if len(flow.src) == 16:
            part = _FRAGMENT6.pack(UDP, 0, start << 3 | more, name) + part
            found.append(frames.header(wire, flow.src, flow.dst, _FRAGMENT_HEADER, part))
            continue
        frame = bytearray(frames.header(wire, flow.src, flow.dst, UDP, part))
        frame[l3 + 4 : l3 + 6] = name.to_bytes(2, "big")
        frame[l3 + 6 : l3 + 8] = (more << 13 | start).to_bytes(2, "big")
        frame[l3 + 10 : l3 + 12] = b"\0\0"
        frame[l3 + 10 : l3 + 12] = checksum(frame[l3 : l3 + 20]).to_bytes(2, "big")
        found.append(bytes(frame))
    return found


def place_of(packet: Packet) -> Place:
    """Where what a packet carries belongs in its datagram."""
    frame, l3 = packet.frame, packet.l3
    if packet.version == 4:
        end = l3 + int.from_bytes(frame[l3 + 2 : l3 + 4], "big")
        offset = (int.from_bytes(frame[l3 + 6 : l3 + 8], "big") & 0x1FFF) << 3
        return Place(offset, frame[l3 + 20 : end])
    end = l3 + 40 + int.from_bytes(frame[l3 + 4 : l3 + 6], "big")
    if frame[l3 + 6] != _FRAGMENT_HEADER:
        return Place(0, frame[l3 + 40 : end])
    _, _, field, _ = _FRAGMENT6.unpack_from(frame, l3 + 40)
    return Place(field & ~7, frame[l3 + 48 : end])
