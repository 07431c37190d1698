"""TCP as a session sees it: enough of the connection's state to know how it begins and ends.

                    SYN          SYN+ACK           ACK                  FIN, FIN
    first packet ---------> OPENING ------> ANSWERED -----> ESTABLISHED ---------> CLOSING
                     any state: RST -> RESET

An Express Path session shows its SPU only segments with SYN, FIN or RST. Whether the handshake's
last ACK came is then seen from the forward wing's counter (``machine`` asks the NPU when the
initial time-out ends); a FIN says as much.
"""

from __future__ import annotations

from enum import IntEnum

from controller.flow import Direction
from controller.packet import ACK, FIN, RST, SYN


class TcpState(IntEnum):
    """Where a connection stands."""

    OPENING = 0
    ANSWERED = 1
    ESTABLISHED = 2
    CLOSING = 3
    """Both sides sent FIN."""
    RESET = 4


def opens(flags: int) -> bool:
    """Whether a segment may be the first of a connection: SYN, and neither ACK, RST nor FIN."""
    return flags & (SYN | ACK | RST | FIN) == SYN


class TcpTracker:
    """One connection."""

    __slots__ = ("fins", "forward_controls", "state")

    def __init__(self) -> None:
        self.state = TcpState.OPENING
        self.fins = 0
        """Bit per direction that sent FIN."""
        self.forward_controls = 0
        """Segments of an Express Path session that its forward wing counted and that came to
        the SPU all the same."""

    def observe(self, direction: Direction, flags: int) -> TcpState | None:
        """A segment passes; the new state if it changed."""
        state = self.state
        if not flags & (SYN | FIN | RST):
            # The handshake's last ACK. Nothing else of data segments matters here.
            if state is TcpState.ANSWERED and flags & ACK and direction == Direction.FORWARD:
                self.state = TcpState.ESTABLISHED
                return self.state
            return None
        if flags & RST:
            new = TcpState.RESET
        elif flags & FIN:
            self.fins |= 1 << direction
            if self.fins == 3:
                new = TcpState.CLOSING
            else:
                new = TcpState.ESTABLISHED if state is TcpState.ANSWERED else state
        elif direction == Direction.REVERSE and flags & ACK and state is TcpState.OPENING:
            new = TcpState.ANSWERED
        else:
            return None
        if new is state or state is TcpState.RESET:
            return None
        self.state = new
        return new

    def forward_packets_seen(self, packets: int) -> TcpState | None:
        """The forward wing's counter of an Express Path session, read: more packets than control
        segments mean that the handshake's ACK passed."""
        if self.state is TcpState.ANSWERED and packets > self.forward_controls:
            self.state = TcpState.ESTABLISHED
            return self.state
        return None
