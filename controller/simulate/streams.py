"""TCP connections whose ends repeat what is not acknowledged, and look closely at what they hear.

An end holds every segment against what the other one has said: the same bytes at the same place of
the stream, nothing acknowledged that was not said, no window larger than it was. So a firewall that
changes numbers (SYN cookies, gateways that change what is said) is found out by the first segment
that it gets wrong.

Connections under siege: SYNs of hosts that are not there go to the same server before, more than
the attack threshold lets pass.
"""

from __future__ import annotations

from controller.config.schema import SECOND
from controller.flow import FlowKey, Nanoseconds, Tuple5
from controller.packet import ACK, FIN, PSH, RST, SYN, TCP, Packet, parse
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.styles import ATTACK_THRESHOLD
from controller.simulate.tcp_end import End, Segment
from controller.simulate.violation import Rule
from controller.syn_cookie import SEGMENT_SIZES
from controller.tcp_options import Offer

MILLISECOND = 1_000_000
_FIRST_WAIT: Nanoseconds = SECOND
_TRIES = 5
_SCALES = (None, 0, 2, 7, 10)
_MOST = 400
"""Bytes of a segment."""
RETRY_CLIENT, RETRY_SERVER, OPEN, FREE = range(4)
"""Numbers of alarms; from ``FREE`` on they are for who talks over the connection."""


class Stream(Flow):
    """A connection; who talks over it says what, and what to do about what is heard."""

    __slots__ = ("asked", "dead", "ends", "rooms", "waits")
    is_counted = False  # the firewall acknowledges and repeats by itself
    is_changed = False
    """A gateway may change what is said."""

    def begin(self) -> None:
        dice = self.dice
        self.ends = tuple(self._end() for _ in (CLIENT, SERVER))
        self.waits = [False, False]
        """A timer for what is not acknowledged runs."""
        self.rooms = [0, 0]
        """By side: bytes that its peer has room for."""
        self.dead = False
        self.asked = 0
        """SYNs of the client that came onto the wire."""
        self.listen(CLIENT, self.there.sport)
        self.listen(SERVER, self.door[1])
        if dice.hits(400):
            self._besiege()
            self.wake(dice.below(20 * MILLISECOND), OPEN)
        else:
            self._open()

    def _end(self) -> End:
        dice = self.dice
        scale = _SCALES[dice.below(len(_SCALES))]
        size = SEGMENT_SIZES[3 + dice.below(len(SEGMENT_SIZES) - 3)]
        space = 1 + dice.below(65_535 << (scale or 0))
        return End(dice.below(1 << 31) << 1, Offer(size, scale, dice.hits(500)), max(space, 2000))

    def _besiege(self) -> None:
        """Hosts that are not there knock first."""
        dice, there = self.dice, self.there
        for _ in range(ATTACK_THRESHOLD + dice.below(4)):
            last = dice.below(1 << 15).to_bytes(2, "big")
            who = Tuple5(
                there.src[:-2] + last, there.dst, 1024 + dice.below(60_000), there.dport, TCP
            )
            if self.network.is_taken(who.src, who.sport):
                continue  # somebody is there, this client perhaps
            isn = dice.below(1 << 31) << 1 | 1  # odd: nobody's
            self.network.listen(self, who.src, who.sport)
            syn = frames.segment(self.client, who, isn, 0, SYN, 1000, Offer(536, None, False))
            self.put(CLIENT, syn, dice.below(MILLISECOND))

    # -- what is said over it -----------------------------------------------------------------

    def opened(self) -> None:
        """The client is connected."""

    def accepted(self) -> None:
        """The server is connected."""

    def read(self, _side: int, _data: bytes, /) -> None:
        """An end has heard more, in order."""

    def rung(self, _what: int, /) -> None:
        """An alarm of who talks over it."""

    # -- segments -----------------------------------------------------------------------------

    def _open(self) -> None:
        end = self.ends[CLIENT]
        if not end.is_open:
            self.asked += 1
            self.put(CLIENT, self._frame(CLIENT, SYN, end.isn, b""))
            self._wait(CLIENT)

    def _frame(self, side: int, flags: int, seq: int, data: bytes) -> bytes:
        wire, ends = (self.server, self.back) if side else (self.client, self.there)
        end = self.ends[side]
        ack = end.acknowledges if flags & ACK else 0
        if flags & SYN:
            return frames.segment(wire, ends, seq, ack, flags, min(end.window, 0xFFFF), end.offer)
        return frames.segment(wire, ends, seq, ack, flags, end.field, None, data)

    def _send(self, side: int, flags: int, at: int, data: bytes = b"") -> None:
        self.put(side, self._frame(side, flags, self.ends[side].seq(at), data))

    def doubled(self, number: int, frame: bytes) -> None:
        super().doubled(number, frame)
        packet = parse(frame)
        if isinstance(packet, Packet) and packet.protocol == TCP and packet.begins_session:
            self.asked += 1

    def fell(self, key: FlowKey | None) -> None:
        """What those send who knock is none of ours."""
        there, seen = self.there, self.seen
        if (
            key is None
            or (key.src, key.sport) == (there.src, there.sport)
            or (seen is not None and (key.dst, key.dport) == (seen.dst, seen.dport))
        ):
            super().fell(key)

    def say(self, side: int, data: bytes) -> None:
        """Say something, in one segment or several."""
        self.ends[side].out += data
        self._push(side)

    def close(self, side: int) -> None:
        """Say no more."""
        end = self.ends[side]
        if end.fin_at is None and not end.is_closed:
            end.fin_at = len(end.out)
            self._push(side)

    def _push(self, side: int) -> None:
        """Send what was not sent yet, as far as the peer has room."""
        end = self.ends[side]
        if end.is_closed or not end.is_open:
            return
        while end.sent < len(end.out):
            size = min(len(end.out) - end.sent, _MOST, end.una + self.rooms[side] - end.sent)
            if size <= 0:
                break
            if size > 2 and self.dice.hits(250):
                size = 1 + self.dice.below(size - 1)
            at, end.sent = end.sent, end.sent + size
            self._send(side, PSH | ACK, at, bytes(end.out[at : at + size]))
        if end.sent == end.fin_at:
            end.sent += 1
            self._send(side, FIN | ACK, end.fin_at)
        if end.una < end.end:
            self._wait(side)

    def _wait(self, side: int) -> None:
        if not self.waits[side]:
            self.waits[side] = True
            self.wake(_FIRST_WAIT << self.ends[side].tries, side)

    def alarm(self, what: int = 0, /) -> None:
        """Repeat what is not acknowledged, some times; then there is no connection any more."""
        if what == OPEN:
            self._open()
            return
        if what >= FREE:
            if not self.dead:
                self.rung(what)
            return
        end = self.ends[what]
        self.waits[what] = False
        if end.is_closed or self.dead or (end.is_open and end.una >= end.end):
            return
        end.tries += 1
        if end.tries >= _TRIES:
            self.dead = True
            return
        self._wait(what)
        self._say_again(what, end)

    def _say_again(self, what: int, end: End) -> None:
        if not end.is_open:
            self._open()
        elif end.una >= end.sent:
            # There was no room: is there now? One less than expected asks whether anybody is there.
            self._send(what, ACK, end.una - 1)
        else:
            stop = min(end.una + _MOST, end.sent, len(end.out))
            fin = FIN if end.sent > len(end.out) == stop else 0
            data = bytes(end.out[end.una : stop])
            self._send(what, ACK | fin | (PSH if data else 0), end.una, data)

    # -- what is heard ------------------------------------------------------------------------

    def heard(self, side: int, packet: Packet, _number: int, /) -> None:
        if packet.protocol != TCP:
            return
        segment, end = Segment(packet), self.ends[side]
        flags = segment.flags
        if side == CLIENT and (packet.dst, packet.dport) != (self.there.src, self.there.sport):
            self._knocked(packet, segment)
        elif side == SERVER and flags & SYN and segment.seq & 1:
            self._answer_nobody(packet, segment)
        elif side == SERVER and not self._is_clients(packet, flags, end):
            pass
        elif flags & RST:
            end.is_closed = True
        elif end.is_closed:
            pass
        elif flags & SYN:
            self._heard_syn(side, end, packet, segment)
        elif end.irs is not None:
            self._heard_more(side, end, segment)

    def _is_clients(self, packet: Packet, flags: int, end: End) -> bool:
        """Whether the server takes a segment for the client's, who may be known by another address
        and port when he asks again."""
        seen = self.seen
        known = seen is not None and (packet.src, packet.sport) == (seen.dst, seen.dport)
        return known or (bool(flags & SYN) and not end.is_open)

    def _knocked(self, packet: Packet, segment: Segment) -> None:
        """A host that others pretended to be hears of a connection: some say that it has none."""
        if segment.flags & ACK and not segment.flags & RST and self.dice.hits(300):
            ends = Tuple5(packet.dst, packet.src, packet.dport, packet.sport, TCP)
            self.put(CLIENT, frames.segment(self.client, ends, segment.ack, 0, RST, 0))

    def _answer_nobody(self, packet: Packet, segment: Segment) -> None:
        ends = Tuple5(packet.dst, packet.src, packet.dport, packet.sport, TCP)
        isn, offer = self.dice.below(1 << 31), self.ends[SERVER].offer
        ack = segment.seq + 1 & 0xFFFFFFFF
        self.put(SERVER, frames.segment(self.server, ends, isn, ack, SYN | ACK, 0xFFFF, offer))

    def _heard_syn(self, side: int, end: End, packet: Packet, segment: Segment) -> None:
        if side == CLIENT:
            if not segment.flags & ACK or segment.ack != end.seq(0):
                self.broken(Rule.CONTENTS, "a SYN-ACK acknowledges another number than was sent")
            if end.irs is None:
                end.irs, end.peer, end.is_open = segment.seq, segment.offer, True
                end.tries = 0
                if segment.seq != self.ends[SERVER].isn:
                    self.network.count("clients answered in the server's stead")
                self._note_room(side, end, segment)
                self._send(CLIENT, ACK, 0)
                self.opened()
            else:
                self._send(CLIENT, ACK, end.sent)
            return
        if segment.flags & ACK or segment.seq != self.ends[CLIENT].isn:
            self.broken(Rule.CONTENTS, "a SYN comes with another number than was sent")
        if end.irs is None:
            end.irs, end.peer = segment.seq, segment.offer
            self._note_room(side, end, segment)
        if not end.is_open:
            self.note(SERVER, packet)
            self.put(SERVER, self._frame(SERVER, SYN | ACK, end.isn, b""))
        else:
            self._send(SERVER, ACK, end.sent)

    def _heard_more(self, side: int, end: End, segment: Segment) -> None:
        other = self.ends[1 - side]
        if not segment.flags & ACK:
            return
        acknowledged = end.acknowledged(segment.ack)
        first = self.ends[CLIENT]
        if not end.is_open and self.asked > 1 and segment.ack == first.acknowledges != end.seq(0):
            # The firewall has answered the client, and then let him ask the server, too.
            self.network.count("clients answered twice")
            wire, ends = self.server, self.back
            self.put(SERVER, frames.segment(wire, ends, segment.ack, 0, RST, 0))
            return
        if acknowledged > end.sent:
            what = f"{acknowledged} bytes are acknowledged, and {end.sent} were sent"
            self.broken(Rule.CONTENTS, what)
        at = end.position(segment.seq)
        fin = bool(segment.flags & FIN)
        if not self.is_changed:
            stop = at + len(segment.data)
            known = other.out[at:stop] if at >= 0 else b""
            if (segment.data and known != segment.data) or stop + fin > other.end:
                self.broken(Rule.CONTENTS, f"what is heard at byte {at} was not said there")
        if acknowledged >= 0:
            if not end.is_open:
                end.is_open, end.tries = True, 0
                self.accepted()
            if acknowledged > end.una:
                end.una, end.tries = acknowledged, 0
            self._note_room(side, end, segment)
            self._push(side)
        if segment.data or fin:
            news = end.take(at, segment.data, fin=fin)
            if news is None:
                self.broken(Rule.CONTENTS, f"byte {at} was another one before")
            self._send(side, ACK, end.sent)
            if news:
                self.read(side, news)
            if end.heard_fin:
                self.close(side)
        elif at < len(end.heard) + end.heard_fin:
            self._send(side, ACK, end.sent)  # it asks whether we are there

    def _note_room(self, side: int, end: End, segment: Segment) -> None:
        room = end.room(segment)
        most = self.ends[1 - side].window
        if room > most:
            self.broken(Rule.CONTENTS, f"a window of {most} bytes is told as {room}")
        self.rooms[side] = room

    @property
    def unmet(self) -> str:
        for side, end in enumerate(self.ends):
            if end.una < end.end or not end.is_open:
                whose = "server" if side else "client"
                return f"the {whose} said {end.end} bytes, of which {end.una} are acknowledged"
        return ""


class Besieged(Stream):
    """Any bytes, both ways, over a connection that is set up while others knock."""

    __slots__ = ("turns",)
    kind = "TCP under siege"

    def begin(self) -> None:
        self.turns = 1 + self.dice.below(5)
        super().begin()

    def opened(self) -> None:
        self.wake(self.dice.below(5 * MILLISECOND), FREE)

    def rung(self, _what: int, /) -> None:
        """Somebody says something."""
        dice = self.dice
        if not self.turns:
            self.close(dice.below(2))
            return
        self.turns -= 1
        side = dice.below(2)
        at = len(self.ends[side].out)
        size = 1 + dice.below(1000)
        self.say(side, bytes(32 + (at + n) * (7 + side) % 89 for n in range(size)))
        self.wake(dice.below(400 * MILLISECOND), FREE)
