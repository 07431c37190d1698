"""FTP and TFTP: who announces, and who opens, what files come by."""

from __future__ import annotations

import re

from controller.config.schema import SECOND
from controller.flow import Tuple5
from controller.packet import TCP, UDP, Packet
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.streams import FREE, MILLISECOND
from controller.simulate.talks.media import Blocks, CloseData, Data
from controller.simulate.talks.talk import Talk

_PORT = re.compile(rb"PORT (\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\r\n")
_PASSIVE = re.compile(rb"227 .*?\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)\r\n")


class Tftp(Flow):
    """A request, a few times over; each is answered from another port."""

    __slots__ = ("requests",)
    kind = "TFTP"
    is_counted = False

    def begin(self) -> None:
        self.listen(CLIENT, self.there.sport)
        self.listen(SERVER, self.there.dport)
        self.requests = 1 + self.dice.below(2)
        self.alarm()

    def alarm(self, _what: int = 0, /) -> None:
        self.put(CLIENT, frames.udp(self.client, self.there, b"", b"\0\1file\0octet\0"))
        self.requests -= 1
        if self.requests:
            self.wake(self.dice.below(4 * SECOND))

    def heard(self, side: int, packet: Packet, _number: int, /) -> None:
        if side != SERVER:
            return
        self.note(side, packet)
        client, there = self.back, self.there
        port = 20_000 + self.dice.below(40_000)
        ahead = Tuple5(client.src, client.dst, port, client.dport, UDP)
        self.announce(Blocks, CLIENT, ahead, (there.src, there.sport))


class Ftp(Talk):
    """A session of FTP: greeting, some transfers, active or passive, and an end."""

    __slots__ = ("doors", "transfers")
    kind = "FTP"

    def begin(self) -> None:
        self.transfers = 1 + self.dice.below(3)
        self.doors = [(b"", 0), (b"", 0)]
        """By side: where it waits."""
        super().begin()

    def accepted(self) -> None:
        self.tell(SERVER, b"220 ready\r\n")

    def hear(self, side: int, unit: bytes) -> None:
        if side == CLIENT:
            if passive := _PASSIVE.match(unit):
                self._connect(CLIENT, passive)
            self.wake(self.dice.below(300 * MILLISECOND), FREE)
        elif announced := _PORT.match(unit):
            self.tell(SERVER, b"200 fine\r\n")
            self._connect(SERVER, announced)
        elif unit == b"PASV\r\n":
            self.tell(SERVER, b"227 Entering Passive Mode (%s)\r\n" % self._door(SERVER))
        elif unit == b"QUIT\r\n":
            self.tell(SERVER, b"221 bye\r\n")
            self.close(SERVER)

    def rung(self, _what: int, /) -> None:
        """The client's next command."""
        if not self.transfers:
            if self.dice.hits(700):
                self.tell(CLIENT, b"QUIT\r\n")
            return
        self.transfers -= 1
        if self.dice.hits(500):
            self.tell(CLIENT, b"PASV\r\n")
        else:
            self.tell(CLIENT, b"PORT %s\r\n" % self._door(CLIENT))

    def _door(self, side: int) -> bytes:
        """An address and port of one side where it waits for the other."""
        there = self.there
        address, low = (there.dst, 30_000) if side else (there.src, 50_000)
        port = self.free_port(address, low, 10_000)
        self.doors[side] = address, port
        return ",".join(map(str, (*address, port >> 8, port & 255))).encode()

    def _connect(self, side: int, announced: re.Match[bytes]) -> None:
        """Open a data connection from one side to where the other one said."""
        there, numbers = self.there, [int(number) for number in announced.groups()]
        address, port = bytes(numbers[:4]), numbers[4] << 8 | numbers[5]
        is_close = self.dice.hits(400)
        # Who looks closely hears by address and port, and so has one of his own; and a hole that is
        # given again must not make one flow of two.
        is_usual = side == SERVER and not self.children and not is_close
        home = there.dst if side else there.src
        sport = 20 if is_usual else self.free_port(home, 15_000, 15_000)
        ahead = Tuple5(home, address, sport, port, TCP)
        kind = CloseData if is_close else Data
        self.announce(kind, 1 - side, ahead, self.doors[1 - side])
        if not is_close and self.dice.hits(250):
            # Once more, though one was announced. (21 is the control connection's.)
            self.announce(Data, 1 - side, ahead._replace(sport=sport + 2), self.doors[1 - side])
