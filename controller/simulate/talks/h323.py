"""H.323: calls by fast connect, and calls whose media are agreed over a connection for H.245, which
is a control connection that comes through a gate itself.

Messages are of one shape each (aligned PER, ITU-T H.225.0 and H.245), with addresses and ports put
in where they stand.
"""

from __future__ import annotations

from controller.flow import Address, Tuple5
from controller.packet import TCP, UDP
from controller.simulate.flow import CLIENT, SERVER
from controller.simulate.streams import FREE, MILLISECOND
from controller.simulate.talks.media import Media
from controller.simulate.talks.talk import Talk

Where = tuple[Address, int]

_SIGNALLING = bytes.fromhex("0afffffefdfd")
_CONTROL = bytes.fromhex("0afffffdfdfb")
_SOUND = bytes.fromhex("0afffffcfdf8")
_REPORTS = bytes.fromhex("0afffffcfdf9")
_SETUP = bytes.fromhex(
    "0300005c080200010504038893a57e004b0520c0060008914a0004000afffffdfdfb0000000000000000000000000000"
    "0000000000dd0c00000007000afffffefdfd1100000000000000000000000000000000000100010010800100"
)
"""With the address of a connection for H.245."""
_FAST = bytes.fromhex(
    "03000075080200010504038893a57e0064052080060008914a000400000000000000000000000000000000000000dd1c"
    "00000007000afffffefdfd1100000000000000000000000000000000001f011d400000060401004c6013801114000100"
    "0afffffcfdf8000afffffcfdf90100010010800100"
)
"""With a channel for sound (fast connect)."""
_OPEN = bytes.fromhex("0300002203400000060401004c60138011140001000afffffcfdf8000afffffcfdf9")
"""Of H.245: a channel for sound."""
_RELEASE = bytes.fromhex("03000009080200015a")

_SHAPES = {len(shape): shape for shape in (_SETUP, _FAST, _OPEN, _RELEASE)}
_NAMES = (_SIGNALLING, _CONTROL, _SOUND, _REPORTS)


def _six(where: Where) -> bytes:
    return where[0] + where[1].to_bytes(2, "big")


def _where(shape: bytes, name: bytes, unit: bytes) -> Where:
    """What stands in a message where its shape has a name."""
    at = shape.index(name)
    return unit[at : at + 4], int.from_bytes(unit[at + 4 : at + 6], "big")


def _nameless(unit: bytes) -> bytes:
    """A message without addresses and ports."""
    shape = _SHAPES.get(len(unit), b"")
    for name in _NAMES:
        at = shape.find(name)
        if at >= 0:
            unit = unit[:at] + bytes(6) + unit[at + 6 :]
    return unit


class _Framed(Talk):
    """Messages in TPKT frames (RFC 1006)."""

    __slots__ = ("doors",)

    def begin(self) -> None:
        self.doors: list[Where] = [(b"", 0), (b"", 0)]
        """By side: where it waits for the other one."""
        super().begin()

    def measure(self, text: bytes) -> int:
        size = int.from_bytes(text[2:4], "big")
        return size if len(text) >= max(size, 4) else 0

    def is_same(self, said: bytes, heard: bytes) -> bool:
        return _nameless(said) == _nameless(heard)

    def _home(self, side: int) -> Address:
        return self.door[0] if side else self.there.src

    def _open_door(self, side: int, low: int) -> Where:
        """A pair of ports of a side."""
        home = self._home(side)
        self.doors[side] = home, self.free_port(home, low, 10_000, 2)
        return self.doors[side]

    def _listen_to(self, side: int, hole: Where) -> None:
        """A side sends sound to where the other one is said to be."""
        sport = 20_000 + 2 * self.dice.below(5000)
        for n in range(1 + self.dice.below(2)):
            ahead = Tuple5(self._home(side), hole[0], sport + n, hole[1] + n, UDP)
            address, port = self.doors[1 - side]
            self.announce(Media, 1 - side, ahead, (address, port + n))


class H323(_Framed):
    """A call's connection."""

    __slots__ = ()
    kind = "H.323"

    def opened(self) -> None:
        there = self.there
        where = self._open_door(CLIENT, 10_000)
        own = _six((there.src, there.sport))
        if self.dice.hits(500):
            unit = _FAST.replace(_SOUND, _six(where)).replace(
                _REPORTS, _six((where[0], where[1] + 1))
            )
        else:
            unit = _SETUP.replace(_CONTROL, _six(where))
        self.tell(CLIENT, unit.replace(_SIGNALLING, own))
        self.wake(self.dice.below(2000 * MILLISECOND), FREE)

    def hear(self, side: int, unit: bytes) -> None:
        if len(unit) == len(_RELEASE):
            self.close(side)
        elif len(unit) == len(_FAST):
            self._listen_to(SERVER, _where(_FAST, _SOUND, unit))
        else:
            hole = _where(_SETUP, _CONTROL, unit)
            home = self._home(SERVER)
            ahead = Tuple5(home, hole[0], self.free_port(home, 15_000, 15_000), hole[1], TCP)
            self.announce(H245, CLIENT, ahead, self.doors[CLIENT])

    def rung(self, _what: int, /) -> None:
        """The caller hangs up, or goes without a word."""
        if self.dice.hits(600):
            self.tell(CLIENT, _RELEASE)
        elif self.dice.hits(500):
            self.close(CLIENT)


class H245(_Framed):
    """A connection for H.245: who was called opens it, and each says where it wants sound."""

    __slots__ = ()
    kind = "H.245"

    def opened(self) -> None:
        self._offer(CLIENT)

    def _offer(self, side: int) -> None:
        where = self._open_door(side, 30_000)
        unit = _OPEN.replace(_SOUND, _six(where))
        self.tell(side, unit.replace(_REPORTS, _six((where[0], where[1] + 1))))

    def hear(self, side: int, unit: bytes) -> None:
        self._listen_to(side, _where(_OPEN, _SOUND, unit))
        if side == SERVER:
            self._offer(SERVER)
        else:
            self.wake(self.dice.below(900 * MILLISECOND), FREE)

    def rung(self, _what: int, /) -> None:
        """Who was called ends it."""
        if self.dice.hits(600):
            self.close(CLIENT)
