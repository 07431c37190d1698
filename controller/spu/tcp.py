"""TCP as a session sees it: where the connection stands, from the flags of its segments.

    first packet       SYN+ACK back        ACK              FIN              FIN of the other
    ----------> OPENING ------> ANSWERED ------> ESTABLISHED ----> HALF_CLOSED ----> TIME_WAIT
                                  any state: RST -> RESET

The states are those of RFC 9293, section 3.3.2, as far as somebody between the two ends can tell
them apart. A connection that is met in its middle (``no-syn-check``) is ESTABLISHED at once.

An Express Path session shows its SPU only segments with SYN, FIN or RST. Whether the handshake's
last ACK came is then seen from the forward wing's counter (``machine`` asks the NPU when the
initial time-out ends); a FIN of the client says as much.

What the numbers of segments have to be is ``tcp_window``'s to say.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from controller.flow import FORWARD, REVERSE, Direction
from controller.packet import ACK, FIN, RST, SYN
from controller.reasons import Close
from controller.spu.tcp_window import Segment, Windows

if TYPE_CHECKING:
    from controller.spu.session import Queued


class TcpState(IntEnum):
    """Where a connection stands, in the order in which states follow one another."""

    OPENING = 0
    """SYN-SENT of the client."""
    ANSWERED = 1
    """SYN-RECEIVED of the server, and the client was told."""
    ESTABLISHED = 2
    HALF_CLOSED = 3
    """One side sent FIN."""
    TIME_WAIT = 4
    """Both sides did: only last acknowledgements and repeated FINs are to come."""
    RESET = 5


OPENING, ANSWERED, ESTABLISHED, HALF_CLOSED, TIME_WAIT, RESET = TcpState


def opens(flags: int) -> bool:
    """Whether a segment may be the first of a connection: SYN, and neither ACK, RST nor FIN."""
    return flags & (SYN | ACK | RST | FIN) == SYN


class TcpTracker:
    """One connection."""

    __slots__ = ("again", "checked", "client_isn", "doubt", "fins", "forward_controls",
                 "reset_by", "server_isn", "state", "strict", "windows")  # fmt: skip

    def __init__(self, is_new: bool = True) -> None:
        """``is_new``: it begins with a SYN, not in its middle."""
        self.state = OPENING if is_new else ESTABLISHED
        self.fins = 0
        """Bit per direction that sent FIN."""
        self.reset_by = FORWARD
        """Who ended it, once it is reset."""
        self.forward_controls = 0
        """Segments of an Express Path session that its forward wing counted and that came to
        the SPU all the same."""
        self.checked = False
        """Its segments are asked for more than flags before they pass."""
        self.strict = False
        """No data before the handshake is complete."""
        self.windows: Windows | None = None
        """Where numbers are checked, unless it rides Express Path; then there is only this:"""
        self.client_isn: int | None = None
        self.server_isn: int | None = None
        """The numbers of both SYNs."""
        self.doubt: Queued | None = None
        """What would end it, and waits for what its wing has counted."""
        self.again: Segment | None = None
        """A SYN of another connection between the same ports, if the client began one."""

    @property
    def is_over(self) -> bool:
        """Nothing but the last words is to come: the ports may be used again."""
        return self.state >= TIME_WAIT

    @property
    def close_reason(self) -> Close:
        """Why the session of a connection that is over ends."""
        if self.state is not RESET:
            return Close.TCP_FIN
        by_client = self.reset_by == FORWARD
        return Close.TCP_CLIENT_RST if by_client else Close.TCP_SERVER_RST

    def observe(self, direction: Direction, flags: int) -> TcpState | None:
        """A segment passes; the new state if it changed, or if it begins anew (TIME_WAIT)."""
        state = self.state
        if not flags & (SYN | FIN | RST):
            # The handshake's last ACK. Nothing else of data segments matters here.
            if state is ANSWERED and flags & ACK and direction == FORWARD:
                self.state = ESTABLISHED
                return self.state
            return None
        if state is RESET:
            return None
        if flags & RST:
            self.reset_by = direction
            new = RESET
        elif flags & FIN:
            self.fins |= 1 << direction
            if self.fins == 3:
                # Also when a FIN comes again (RFC 9293, section 3.10.7.4, TIME-WAIT).
                new = TIME_WAIT
            elif state is OPENING or state is HALF_CLOSED:
                return None
            else:
                new = HALF_CLOSED
        elif direction == REVERSE and flags & ACK and state is OPENING:
            new = ANSWERED
        else:
            return None
        self.state = new
        return new

    def allows(self, direction: Direction, flags: int, is_empty: bool) -> bool:
        """Whether a segment may pass where the handshake is strict: until it is complete, SYNs,
        RSTs and bare ACKs may, and data only with the very ACK that completes it. Comes before
        ``observe``."""
        if self.state >= ESTABLISHED or flags & RST:
            return True
        if is_empty and not flags & FIN:
            return True
        completes = self.state is ANSWERED and direction == FORWARD
        return completes and flags & (SYN | ACK) == ACK

    def forward_packets_seen(self, packets: int) -> TcpState | None:
        """The forward wing's counter of an Express Path session, read: more packets than control
        segments mean that the handshake's ACK passed."""
        if self.state is ANSWERED and packets > self.forward_controls:
            self.state = ESTABLISHED
            return self.state
        return None
