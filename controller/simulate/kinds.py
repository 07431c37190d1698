"""What flows there are: lives of TCP connections, datagrams, pings, fragments, and packets that no
session comes of.

Hosts are plain: a client asks once more if nobody answers its SYN, and that is all the patience
there is. So connections hang, end halfway and are taken up again, as the faults have it.
"""

from __future__ import annotations

from controller.config.schema import SECOND
from controller.packet import ACK, FIN, PSH, RST, SYN, TCP, Packet
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.frames import TAG_SIZE

MILLISECOND = 1_000_000
_DATA = b"some data, then "


class Datagrams(Flow):
    """Questions and answers by UDP, in any number; sometimes a burst before the first answer."""

    __slots__ = ("questions",)
    kind = "UDP"
    ttl = frames.TTL

    def begin(self) -> None:
        dice = self.dice
        self.questions = dice.below(4)
        for _ in range(20 if dice.hits(40) else 1 + dice.below(3)):
            self._ask()
        if self.questions:
            self.wake(self._pause())

    def _pause(self) -> int:
        dice = self.dice
        if dice.hits(900):
            return MILLISECOND + dice.below(400 * MILLISECOND)
        # About as long as a session may be silent, or the NPU's notice takes.
        return dice.below(130 * SECOND)

    def _ask(self) -> None:
        self.put(CLIENT, frames.udp(self.client, self.there, self.tag(CLIENT), b"ask", self.ttl))

    def alarm(self, _what: int = 0, /) -> None:
        self._ask()
        self.questions -= 1
        if self.questions:
            self.wake(self._pause())

    def heard(self, side: int, _packet: Packet, _number: int, /) -> None:
        if side == SERVER and self.dice.hits(700):
            answer = frames.udp(self.server, self.back, self.tag(SERVER), b"answer")
            self.put(SERVER, answer, self.dice.below(MILLISECOND))


class Expiring(Datagrams):
    """Datagrams at the end of their time to live: the firewall says so to their sender."""

    __slots__ = ()
    kind = "TTL 1"
    ttl = 1


class Mesh(Datagrams):
    """Both ends speak first, at the same time and with the same ports."""

    __slots__ = ()
    kind = "both speak first"

    def begin(self) -> None:
        super().begin()
        after = self.dice.below(200_000)
        self.put(SERVER, frames.udp(self.server, self.back, self.tag(SERVER), b"too"), after)


class Deaf(Datagrams):
    """Nobody listens at the server, which says so."""

    __slots__ = ()
    kind = "port unreachable"
    reports_errors = True

    def heard(self, side: int, packet: Packet, _number: int, /) -> None:
        if side == SERVER and packet.version == 4 and not packet.is_icmp_error:
            tag = self.tag(SERVER)
            error = frames.unreachable(self.server, packet.frame, packet.l3, tag)
            self.put(SERVER, error, self.dice.below(MILLISECOND))


class Fragments(Flow):
    """Datagrams in two fragments, the second one first now and then."""

    __slots__ = ("questions",)
    kind = "fragments"
    comes_in_fragments = True

    def begin(self) -> None:
        self.questions = 1 + self.dice.below(3)
        self.alarm()

    def alarm(self, _what: int = 0, /) -> None:
        dice = self.dice
        tags = self.tag(CLIENT), self.tag(CLIENT)
        name = dice.below(1 << 16)
        first, second = frames.fragments(self.client, self.there, name, tags)
        pair = (second, first) if dice.hits(100) else (first, second)
        for frame in pair:
            self.put(CLIENT, frame)
        self.questions -= 1
        if self.questions:
            self.wake(dice.below(300 * MILLISECOND))

    def heard(self, side: int, packet: Packet, _number: int, /) -> None:
        if side == SERVER and not packet.is_later_fragment and self.dice.hits(500):
            self.put(SERVER, frames.udp(self.server, self.back, self.tag(SERVER), b"got it"))


class Ping(Flow):
    """Echo requests, answered."""

    __slots__ = ("requests",)
    kind = "ping"

    def begin(self) -> None:
        self.requests = 1 + self.dice.below(4)
        self.alarm()

    def alarm(self, _what: int = 0, /) -> None:
        tag = self.tag(CLIENT)
        self.put(CLIENT, frames.echo(self.client, self.there, self.requests, tag))
        self.requests -= 1
        if self.requests:
            self.wake(self.dice.below(SECOND) if self.dice.hits(900) else 6 * SECOND)

    def heard(self, side: int, _packet: Packet, number: int, /) -> None:
        if side == SERVER:
            answer = frames.echo(self.server, self.back, number, self.tag(SERVER))
            self.put(SERVER, answer, self.dice.below(MILLISECOND))


class PingUs(Ping):
    """Echo requests to the firewall itself."""

    __slots__ = ()
    kind = "ping to the firewall"
    is_for_us = True


class Stray(Flow):
    """A segment of no connection, a few times."""

    __slots__ = ("times",)
    kind = "no connection"

    def begin(self) -> None:
        self.times = 1 + self.dice.below(2)
        self.alarm()

    def alarm(self, _what: int = 0, /) -> None:
        flags = (ACK, FIN | ACK, RST, SYN | ACK)[self.dice.below(4)]
        segment = frames.tcp(self.client, self.there, 1000, 2000, flags, self.tag(CLIENT))
        self.put(CLIENT, segment)
        self.times -= 1
        if self.times:
            self.wake(MILLISECOND)


_NEXT_RETRY = (SECOND, 3 * SECOND)
_RETRY, _GO_ON, _AGAIN = range(3)


class Connection(Flow):
    """A TCP connection: handshake, some data both ways, and one of several ends."""

    __slots__ = ("ack", "again", "data", "end", "fins", "isn", "opened", "retries", "seq", "stage")
    kind = "TCP"

    def begin(self) -> None:
        dice = self.dice
        self.seq = [0, 0]
        """What each side sends next."""
        self.ack = [0, 0]
        """What each side expects next."""
        self.again = dice.hits(60)
        self.data = dice.below(4)
        self.end = dice.below(100)
        self._open()

    def _open(self) -> None:
        dice = self.dice
        self.isn = dice.below(1 << 31) << 1
        self.retries = 0
        self.stage = 0
        self.fins = 0
        self.opened = False
        self._syn()

    def _syn(self) -> None:
        self.seq[CLIENT] = self.isn + 1 & 0xFFFFFFFF
        self._segment(CLIENT, SYN, self.isn, 0)
        self.wake(_NEXT_RETRY[self.retries], _RETRY)

    def _segment(self, side: int, flags: int, seq: int, ack: int, data: bytes = b"") -> None:
        wire = self.server if side else self.client
        ends = self.back if side else self.there
        frame = frames.tcp(wire, ends, seq, ack, flags, self.tag(side), data)
        self.put(side, frame, self.dice.below(200_000))

    def _say(self, side: int, flags: int, data: bytes = b"") -> None:
        seq = self.seq[side]
        self._segment(side, flags, seq, self.ack[side], data)
        size = len(data) + TAG_SIZE if data else 0
        self.seq[side] = seq + size + bool(flags & FIN) & 0xFFFFFFFF

    def alarm(self, what: int = 0, /) -> None:
        """Ask again for a connection, go on with it, or take up its ports again."""
        if what == _RETRY:
            self.retries += 1
            if self.stage == 0 and self.retries < len(_NEXT_RETRY):
                self._syn()
        elif what == _GO_ON and self.stage == 1:
            self._go_on()
        elif what == _AGAIN:
            self.again = False
            self._open()

    def _go_on(self) -> None:
        dice = self.dice
        if self.data:
            self.data -= 1
            self._say(CLIENT, PSH | ACK, _DATA)
            pause = dice.below(500 * MILLISECOND) if dice.hits(950) else dice.below(400 * SECOND)
            self.wake(pause, _GO_ON)
        elif self.end < 70:
            self._say(CLIENT, FIN | ACK)
            self.fins |= 1
        elif self.end < 85:
            self._say(CLIENT, RST | ACK)
            self._finished()
        elif self.end < 90:
            # Half of it is closed, and that is how it stays.
            self._say(SERVER, FIN | ACK)

    def _finished(self) -> None:
        if self.again:
            self.stage = 2
            dice = self.dice
            pause = dice.below(300 * MILLISECOND) if dice.hits(700) else dice.below(8 * SECOND)
            self.wake(pause, _AGAIN)

    def heard(self, side: int, packet: Packet, _number: int, /) -> None:
        if packet.protocol != TCP:
            return
        frame, l4 = packet.frame, packet.l4
        seq = int.from_bytes(frame[l4 + 4 : l4 + 8], "big")
        flags = packet.flags
        if side == SERVER:
            self._at_server(flags, seq, packet)
        else:
            self._at_client(flags, seq, packet)

    def _at_server(self, flags: int, seq: int, packet: Packet) -> None:
        if flags & SYN:
            self.ack[SERVER] = seq + 1 & 0xFFFFFFFF
            isn = self.isn ^ 0x5A5A0000
            self.seq[SERVER] = isn + 1 & 0xFFFFFFFF
            self._segment(SERVER, SYN | ACK, isn, self.ack[SERVER])
        elif flags & FIN:
            self.ack[SERVER] = seq + 1 & 0xFFFFFFFF
            self._say(SERVER, FIN | ACK)
        elif flags & PSH:
            self.ack[SERVER] = seq + _carried(packet) & 0xFFFFFFFF
            if self.dice.hits(600):
                self._say(SERVER, PSH | ACK, _DATA)
            else:
                self._say(SERVER, ACK)

    def _at_client(self, flags: int, seq: int, packet: Packet) -> None:
        if flags & RST:
            self.stage = 3
        elif flags & SYN:
            self.ack[CLIENT] = seq + 1 & 0xFFFFFFFF
            if self.stage == 0:
                self.stage = 1
                self._say(CLIENT, ACK)
                if not self.opened:
                    self.opened = True
                    self.wake(self.dice.below(2 * MILLISECOND), _GO_ON)
        elif flags & FIN:
            self.ack[CLIENT] = seq + 1 & 0xFFFFFFFF
            self._say(CLIENT, ACK)
            if self.fins & 1 and self.stage == 1:
                self.stage = 3
                self._finished()
        elif flags & PSH:
            self.ack[CLIENT] = seq + _carried(packet) & 0xFFFFFFFF


def _carried(packet: Packet) -> int:
    """Bytes of data in a segment."""
    frame, l3, l4 = packet.frame, packet.l3, packet.l4
    if packet.version == 4:
        end = l3 + (frame[l3 + 2] << 8 | frame[l3 + 3])
    else:
        end = l4 + (frame[l3 + 4] << 8 | frame[l3 + 5])
    return end - l4 - (frame[l4 + 12] >> 4 << 2)
