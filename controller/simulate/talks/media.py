"""What control connections announce: flows that come through gates, tagged like all others."""

from __future__ import annotations

from controller.config.schema import SECOND
from controller.flow import Tuple5
from controller.packet import UDP, Packet
from controller.simulate import frames
from controller.simulate.flow import CLIENT, SERVER, Flow
from controller.simulate.kinds import Connection, Datagrams
from controller.simulate.streams import Besieged

_LATE = 150 * SECOND
"""More than a gate stays open."""


class Data(Connection):
    """A data connection of FTP, opened by either side. It comes to an end soon."""

    __slots__ = ()
    kind = "FTP data"

    def begin(self) -> None:
        super().begin()
        self.end = min(self.end, 80)
        self.again = False


class CloseData(Besieged):
    """Likewise, by hosts that look closely."""

    __slots__ = ()
    kind = "FTP data, looked at"


class Blocks(Datagrams):
    """TFTP: what the server sends from a port of its own, and the client's acknowledgements."""

    __slots__ = ()
    kind = "TFTP data"


class Media(Datagrams):
    """Sound and pictures, or a tunnel's packets. If both ends know where the other one listens,
    the other one may be first; and some begin when their gate is closed already."""

    __slots__ = ()
    kind = "media"

    def begin(self) -> None:
        if self.dice.hits(60):
            self.questions = 1
            self.wake(_LATE + self.dice.below(SECOND))
            return
        super().begin()
        if self.seen is not None and self.dice.hits(500):
            self._say(SERVER, self.dice.below(400_000))

    def _say(self, side: int, after: int) -> None:
        wire, ends = (self.server, self.back) if side else (self.client, self.there)
        make = frames.udp if ends.protocol == UDP else frames.bare
        self.put(side, make(wire, ends, self.tag(side), b"media"), after)

    def _ask(self) -> None:
        self._say(CLIENT, 0)

    def heard(self, side: int, _packet: Packet, _number: int, /) -> None:
        if side == SERVER and self.dice.hits(500):
            self._say(SERVER, self.dice.below(1_000_000))


class Tunnel(Media):
    """GRE."""

    __slots__ = ()
    kind = "GRE"


class Esp(Media):
    """What IKE has agreed on."""

    __slots__ = ()
    kind = "ESP"


def announce_tunnel(control: Flow, kind: type[Media], protocol: int) -> None:
    """Packets without ports begin between the ends of what arranged them, by whichever is first."""
    there, client = control.there, control.back
    ahead = Tuple5(there.src, there.dst, 0, 0, protocol)
    back = Tuple5(client.src, client.dst, 0, 0, protocol)
    if control.dice.hits(600):
        control.announce(kind, SERVER, ahead, (there.dst, 0), back)
    else:
        control.announce(kind, CLIENT, back, (there.src, 0), ahead)
