"""What every application layer gateway takes and gives: pure values, no packets.

A gateway is handed what a control session says, unit by unit: a datagram, or a line or message out
of a TCP stream (``stream`` puts segments together). It answers with ``Findings``: flows that the
unit announces, and what the unit is to read on the other side once it is known where those flows
can be reached from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from controller.config.schema import SECOND
from controller.flow import Direction, Nanoseconds, Wing
from controller.gate import Endpoint, GateOrder
from controller.reasons import Close

GATE_TIMEOUT: Nanoseconds = 120 * SECOND
"""How long an announced flow may take to come. Public documents name no figure."""


class Sight(NamedTuple):
    """A control session as one of its ends sees it, and as the other does."""

    own: Endpoint
    """The end that speaks, as it knows itself."""
    own_seen: Endpoint
    """The same, as the other end knows it."""
    peer: Endpoint
    """The other end, as the speaker knows it."""
    peer_own: Endpoint
    """The same, as it knows itself."""
    is_peer_shared: bool = False
    """Others have the other end's address, as the speaker knows it, too, with other ports."""


def sights(wings: tuple[Wing, Wing], *, is_shared: bool = False) -> tuple[Sight, Sight]:
    """What each end of a session sees, by direction in which it speaks. ``is_shared``: the client's
    translated address is not its own alone."""
    forward, reverse = (
        Sight(
            Endpoint(wing.key.src, wing.key.sport),
            Endpoint(wing.translated.src, wing.translated.sport),
            Endpoint(wing.key.dst, wing.key.dport),
            Endpoint(wing.translated.dst, wing.translated.dport),
        )
        for wing in wings
    )
    return forward, reverse._replace(is_peer_shared=is_shared)


@dataclass(frozen=True, slots=True)
class Pinhole:
    """A flow that is announced."""

    side: Direction
    """Whose side the listener is on: that of the end which speaks in this direction."""
    protocol: int
    listener: Endpoint
    """As its own side knows it."""
    application: str
    """Name of the flow's application."""
    timeout: Nanoseconds = GATE_TIMEOUT
    count: int = 1
    """Consecutive ports."""
    uses: int = 1
    """Sessions that may come; 0: any number."""
    from_peer: bool = True
    """Only the other end of the control session may come; otherwise anybody."""
    shares_port: bool = False
    """The listener is the control session's own endpoint, whose translation stands already."""
    call: str = ""
    """Pinholes of a call close together."""

    def order(self, wings: tuple[Wing, Wing]) -> GateOrder:
        """The gate for it, beside a control session with these wings."""
        wing, other = wings[self.side], wings[1 - self.side]
        # Media may be of the other family than what announces them: these are not translated.
        is_alike = len(self.listener.address) == len(wing.translated.src)
        is_translated = is_alike and wing.key.src != wing.translated.src
        return GateOrder(
            protocol=self.protocol,
            token=other.key.token,
            source=other.key.src if self.from_peer else None,
            hole=wing.translated.src if is_translated else self.listener.address,
            listener=self.listener,
            timeout=self.timeout,
            count=self.count,
            uses=self.uses,
            shared_port=wing.translated.sport if self.shares_port and is_translated else None,
            source_as=wing.key.dst if is_alike and wing.key.dst != wing.translated.dst else None,
            call=self.call,
            application=self.application,
            listener_token=wing.key.token,
        )


Render = Callable[[tuple[Endpoint, ...]], bytes]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a unit says."""

    pinholes: tuple[Pinhole, ...] = ()
    render: Render | None = None
    """Gives the unit as the other side is to read it, from where the pinholes can be reached
    there, in their order; ``None``: as it is."""
    ended_calls: tuple[str, ...] = ()
    """Calls that are over: their gates close."""
    ends_session: Close | None = None
    """The control session is over once the unit has passed."""

    def text(self, unit: bytes, holes: tuple[Endpoint, ...] = ()) -> bytes:
        """The unit as the other side is to read it."""
        return unit if self.render is None else self.render(holes)


NOTHING = Findings()
"""Of no interest: the unit passes as it is."""


class Alg(Protocol):
    """A gateway for one control session; it may keep what it needs to remember."""

    def measure(self, direction: Direction, data: bytes) -> int:
        """Size of the first unit of a stream, even if not all of it has come; 0: that is not
        known yet. Never called for datagrams."""
        ...

    def take(self, direction: Direction, unit: bytes) -> Findings:
        """Read a unit. Whatever it is, this does not raise: it came from outside."""
        ...


def line_size(data: bytes) -> int:
    """Size of the first line of a stream, its line end included; 0: it is not complete."""
    return data.find(b"\n") + 1
