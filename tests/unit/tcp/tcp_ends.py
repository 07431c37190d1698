"""Two TCP ends and the firewall between them, for properties of windows."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from controller.flow import Direction
from controller.packet import ACK, FIN, SYN
from controller.spu.tcp_window import Segment, Windows

CLIENT, SERVER = Direction.FORWARD, Direction.REVERSE
MOD = 1 << 32


@dataclass
class End:
    """One end of a connection: the variables of RFC 9293, section 3.3.1, counted without limit."""

    iss: int
    room: int
    """The most that it takes at once, in bytes."""
    shift: int
    una: int = 0
    nxt: int = 0
    rcv_nxt: int = 0
    edge: int = 0
    """RCV.NXT + RCV.WND as it was last announced."""
    limit: int = 0
    """How far the peer lets it go, as far as it heard."""
    widest: int = 0
    """MAX.SND.WND."""
    unread: int = 0
    fin: bool = False

    def window(self) -> int:
        """As it stands in the header. The right edge never moves back (section 3.8.6.2.1)."""
        room = max(self.room - self.unread, self.edge - self.rcv_nxt, 0)
        return min(room >> self.shift, 65535)

    def segment(self, start: int, size: int, fin: bool = False, flags: int = ACK) -> Whole:
        window = self.window()
        self.edge = max(self.edge, self.rcv_nxt + (window << self.shift))
        return Whole(start, size, flags | (FIN if fin else 0), self.rcv_nxt, window)

    def acceptable(self, segment: Whole) -> bool:
        """The four cases of section 3.4, and the range for acknowledgements of 3.10.7.4."""
        wnd = self.edge - self.rcv_nxt
        seq, length = segment.seq, segment.length
        if length == 0 and wnd == 0:
            placed = seq == self.rcv_nxt
        elif length == 0:
            placed = self.rcv_nxt <= seq < self.rcv_nxt + wnd
        elif wnd == 0:
            placed = False
        else:
            placed = (
                self.rcv_nxt <= seq < self.rcv_nxt + wnd
                or self.rcv_nxt <= seq + length - 1 < self.rcv_nxt + wnd
            )
        return placed and self.una - self.widest <= segment.ack <= self.nxt

    def hear(self, segment: Whole, shift: int) -> None:
        """Take a segment that is in place; what is ahead of its turn is not kept."""
        if not self.una - self.widest <= segment.ack <= self.nxt:
            return
        if segment.ack >= self.una:
            self.una = segment.ack
            window = segment.window << shift
            self.widest = max(self.widest, window)
            self.limit = max(self.limit, segment.ack + window)
        if not self.acceptable(segment):
            return
        if segment.seq <= self.rcv_nxt < segment.seq + segment.length:
            taken = min(segment.seq + segment.length, self.edge) - self.rcv_nxt
            self.rcv_nxt += taken
            self.unread += taken


@dataclass(frozen=True)
class Whole:
    """A segment with numbers that do not wrap."""

    seq: int
    size: int
    flags: int
    ack: int
    window: int

    @property
    def length(self) -> int:
        return self.size + bool(self.flags & SYN) + bool(self.flags & FIN)

    def on_wire(self, scale: int | None = None) -> Segment:
        return Segment(self.seq % MOD, self.ack % MOD, self.flags, self.window, self.size, scale)


class Connection:
    """Two ends, and a firewall in the middle that heard their handshake."""

    def __init__(
        self, numbers: tuple[int, int], rooms: tuple[int, int], shifts: tuple[int, int] | None
    ) -> None:
        scales = shifts or (0, 0)
        self.ends = tuple(End(n, r, s) for n, r, s in zip(numbers, rooms, scales, strict=True))
        self.firewall = Windows.fresh()
        self.before: list[tuple[Direction, Whole]] = []
        self.behind: list[tuple[Direction, Whole]] = []
        client, server = self.ends
        opening = client.iss, server.iss
        flags = SYN, SYN | ACK
        for own, side in enumerate((CLIENT, SERVER)):
            end = self.ends[own]
            ack = opening[0] + 1 if own else 0
            syn = Whole(end.iss, 0, flags[own], ack, min(end.room, 65535))
            assert self.firewall.take(side, syn.on_wire(None if shifts is None else shifts[own]))
            end.una = end.nxt = end.iss + 1
            end.rcv_nxt = opening[1 - own] + 1
            end.edge = end.rcv_nxt + syn.window
            peer = self.ends[1 - own]
            peer.limit, peer.widest = end.edge, syn.window
        # Until the last ACK came, the client's SYN is all that the server has of it.
        self.pass_(CLIENT, client.segment(client.nxt, 0))
        server.hear(self.behind.pop()[1], client.shift)

    def send(self, side: Direction, segment: Whole) -> None:
        """Into the network before the firewall."""
        self.before.append((side, segment))

    def pass_(self, side: Direction, segment: Whole) -> bool:
        """A segment comes to the firewall."""
        may = self.firewall.take(side, segment.on_wire())
        if may:
            self.behind.append((side, segment))
        return may

    # -- what an end may do; ``a`` and ``b`` are whims ------------------------------------------

    def new_data(self, side: Direction, a: int, *_: int) -> None:
        end = self.ends[side]
        size = min(1 + a % 4000, end.limit - end.nxt)
        if size > 0 and not end.fin:
            self.send(side, end.segment(end.nxt, size))
            end.nxt += size

    def again(self, side: Direction, a: int, b: int) -> None:
        end = self.ends[side]
        outstanding = end.nxt - end.una - end.fin
        if outstanding > 0:
            start = end.una + a % outstanding
            size = min(1 + b % 4000, end.nxt - end.fin - start)
            self.send(side, end.segment(start, size))

    def acknowledge(self, side: Direction, *_: int) -> None:
        end = self.ends[side]
        self.send(side, end.segment(end.nxt, 0))

    def is_anybody_there(self, side: Direction, a: int, *_: int) -> None:
        end = self.ends[side]
        if end.una == end.nxt and end.nxt > end.iss + 1:
            self.send(side, end.segment(end.nxt - 1, a % 2))

    def knock_at_a_closed_window(self, side: Direction, *_: int) -> None:
        end = self.ends[side]
        if end.una == end.nxt == end.limit and not end.fin:
            self.send(side, end.segment(end.nxt, 1))
            end.nxt += 1

    def read(self, side: Direction, a: int, *_: int) -> None:
        end = self.ends[side]
        end.unread -= min(end.unread, a)
        self.acknowledge(side)

    def close(self, side: Direction, *_: int) -> None:
        end = self.ends[side]
        if not end.fin and end.nxt < end.limit:
            self.send(side, end.segment(end.nxt, 0, fin=True))
            end.nxt += 1
            end.fin = True

    def lose(self, _: Direction, a: int, b: int) -> None:
        for link in (self.before, self.behind):
            if link and b % 2:
                link.pop(a % len(link))

    def arrive(self, _: Direction, a: int, b: int) -> None:
        if self.behind:
            which = a % len(self.behind) if b % 4 == 0 else 0
            sender, segment = self.behind[which]
            if b % 8:
                del self.behind[which]
            self.ends[1 - sender].hear(segment, self.ends[sender].shift)


ACTIONS = (
    Connection.new_data,
    Connection.new_data,
    Connection.again,
    Connection.acknowledge,
    Connection.is_anybody_there,
    Connection.knock_at_a_closed_window,
    Connection.read,
    Connection.close,
    Connection.lose,
    Connection.arrive,
    Connection.arrive,
)
PASS = len(ACTIONS)
"""The action that brings a segment to the firewall, perhaps not the oldest."""

first_numbers = st.one_of(st.integers(0, MOD - 1), st.integers(MOD - 9000, MOD - 1))
connections = st.tuples(
    st.tuples(first_numbers, first_numbers),
    st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)),
    st.none() | st.tuples(st.integers(0, 14), st.integers(0, 14)),
)
histories = st.lists(
    st.tuples(
        st.integers(0, PASS + 3),
        st.sampled_from(Direction),
        st.integers(0, 60_000),
        st.integers(0, 60_000),
    ),
    max_size=60,
)


def replay(connection: Connection, history: list[tuple[int, Direction, int, int]]) -> None:
    """Let it happen; holds up nothing that its receiver would take, and nothing that is fresh."""
    for number, side, a, b in history:
        if number < PASS:
            ACTIONS[number](connection, side, a, b)
        elif connection.before:
            in_order = number > PASS or a % 3
            which = 0 if in_order else a % len(connection.before)
            sender, segment = connection.before[which]
            if b % 8:
                del connection.before[which]
            receiver = connection.ends[1 - sender]
            takes = receiver.acceptable(segment)
            may = connection.pass_(sender, segment)
            assert may or not takes, (sender, segment, receiver)
