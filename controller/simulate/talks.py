"""Control connections with gateways: FTP and TFTP, and the flows that they announce.

What is said by a control connection has no tags, as gateways read and change it; hosts hear it by
address and port. Flows that come through gates are tagged like all others.
"""

from __future__ import annotations

import re

from controller.config.schema import SECOND
from controller.flow import Tuple5
from controller.packet import ACK, FIN, PSH, RST, SYN, TCP, UDP, Packet
from controller.payload import contents
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.kinds import MILLISECOND, Connection, Datagrams

_PORT = re.compile(rb"PORT (\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\r\n")
_PASSIVE = re.compile(rb"227 .*?\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)\r\n")


class Data(Connection):
    """A data connection of FTP, opened by either side. It comes to an end soon."""

    __slots__ = ()
    kind = "FTP data"

    def begin(self) -> None:
        super().begin()
        self.end = min(self.end, 80)
        self.again = False


class Blocks(Datagrams):
    """TFTP: what the server sends from a port of its own, and the client's acknowledgements."""

    __slots__ = ()
    kind = "TFTP data"


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
        client = self.back
        port = 20_000 + self.dice.below(40_000)
        ahead = Tuple5(client.src, client.dst, port, client.dport, UDP)
        self.announce(Blocks, CLIENT, ahead, self.there.src)


class Ftp(Flow):
    """A session of FTP: greeting, some transfers, active or passive, and an end."""

    __slots__ = ("fin", "heard_text", "seq", "transfers", "want")
    kind = "FTP"
    is_counted = False

    def begin(self) -> None:
        self.listen(CLIENT, self.there.sport)
        self.listen(SERVER, self.there.dport)
        dice = self.dice
        isn = dice.below(1 << 31)
        self.seq = [isn, isn ^ 0x12345678]
        self.want = [0, 0]
        self.heard_text = [b"", b""]
        self.transfers = 1 + dice.below(3)
        self.fin = [False, False]
        self._send(CLIENT, SYN)
        self.wake(SECOND)

    # -- segments -----------------------------------------------------------------------------

    def _send(self, side: int, flags: int, data: bytes = b"") -> None:
        wire = self.server if side else self.client
        ends = self.back if side else self.there
        seq = self.seq[side]
        self.put(side, frames.text(wire, ends, seq, self.want[side], flags, data))
        self.seq[side] = seq + len(data) + bool(flags & (SYN | FIN)) & 0xFFFFFFFF

    def say(self, side: int, line: bytes) -> None:
        """A line of text."""
        self._send(side, PSH | ACK, line)

    def alarm(self, what: int = 0, /) -> None:
        if what == 0 and not self.want[CLIENT]:
            # Nobody has answered: once more, and then no more.
            self.seq[CLIENT] = self.seq[CLIENT] - 1 & 0xFFFFFFFF
            self._send(CLIENT, SYN)
        elif what == 1:
            self._next()

    def heard(self, side: int, packet: Packet, _number: int, /) -> None:
        if packet.protocol != TCP:
            return
        if side == SERVER:
            self.note(side, packet)
        seq = int.from_bytes(packet.frame[packet.l4 + 4 : packet.l4 + 8], "big")
        flags = packet.flags
        if flags & RST:
            return
        if flags & SYN:
            known = bool(self.want[side])
            self.want[side] = seq + 1 & 0xFFFFFFFF
            if side == CLIENT:
                self._send(CLIENT, ACK)
            elif not known:
                self._send(SERVER, SYN | ACK)
                self.say(SERVER, b"220 ready\r\n")
            return
        data = contents(packet)
        if (data or flags & FIN) and self.want[side]:
            if seq == self.want[side]:
                self.want[side] = seq + len(data) + bool(flags & FIN) & 0xFFFFFFFF
                self._send(side, ACK)
                self._read(side, data)
                if flags & FIN and not self.fin[side]:
                    self.fin[side] = True
                    self._send(side, FIN | ACK)
            else:
                self._send(side, ACK)

    def _read(self, side: int, data: bytes) -> None:
        text = self.heard_text[side] + data
        while b"\n" in text:
            line, _, text = text.partition(b"\n")
            self._line(side, line + b"\n")
        self.heard_text[side] = text

    # -- what is said -------------------------------------------------------------------------

    def _line(self, side: int, line: bytes) -> None:
        if side == CLIENT:
            if passive := _PASSIVE.match(line):
                self._connect(CLIENT, _endpoint(passive))
            self.wake(self.dice.below(300 * MILLISECOND), 1)
        elif announced := _PORT.match(line):
            self.say(SERVER, b"200 fine\r\n")
            self._connect(SERVER, _endpoint(announced))
        elif line == b"PASV\r\n":
            port = 30_000 + self.dice.below(20_000)
            numbers = ",".join(map(str, (*self.there.dst, port >> 8, port & 255)))
            self.say(SERVER, f"227 Entering Passive Mode ({numbers})\r\n".encode())
        elif line == b"QUIT\r\n":
            self.say(SERVER, b"221 bye\r\n")
            self.fin[SERVER] = True
            self._send(SERVER, FIN | ACK)

    def _next(self) -> None:
        """The client's next command."""
        if not self.transfers:
            if self.dice.hits(700):
                self.say(CLIENT, b"QUIT\r\n")
            return
        self.transfers -= 1
        if self.dice.hits(500):
            self.say(CLIENT, b"PASV\r\n")
        else:
            port = 50_000 + self.dice.below(10_000)
            numbers = ",".join(map(str, (*self.there.src, port >> 8, port & 255)))
            self.say(CLIENT, f"PORT {numbers}\r\n".encode())

    def _connect(self, side: int, to: tuple[bytes, int]) -> None:
        """Open a data connection from one side to where the other one said."""
        there = self.there
        if side == CLIENT:
            sport = 15_000 + self.dice.below(15_000)
            ahead = Tuple5(there.src, to[0], sport, to[1], TCP)
            self.announce(Data, SERVER, ahead, there.dst)
        else:
            ahead = Tuple5(there.dst, to[0], 20, to[1], TCP)
            self.announce(Data, CLIENT, ahead, there.src)


def _endpoint(match: re.Match[bytes]) -> tuple[bytes, int]:
    numbers = [int(number) for number in match.groups()]
    return bytes(numbers[:4]), numbers[4] << 8 | numbers[5]
