"""What NPUs say, and what is said to them: packets, wings, and SPUs that are gone."""

from __future__ import annotations

from dataclasses import field
from typing import NamedTuple

from controller.flow import Address, Direction, FlowKey, Nanoseconds, Path, Port, Wing
from controller.packet import Packet, parse
from controller.reasons import Drop, Punt, Send, Stage, Verdict
from controller.value import value


class Mark(NamedTuple):
    """What a packet carries from one NPU to the next: service class, and whether it is traced."""

    trace: bool = False
    forwarding_class: int = 0
    loss_priority: int = 0


UNMARKED = Mark()


class Origin(NamedTuple):
    """What screens of the way out cannot see from a packet itself."""

    zone: int = 0
    """Where its source is, by number; 0: translated, or nobody asks."""
    is_first: bool = False
    """It begins a flow."""


UNKNOWN_ORIGIN = Origin()


@value
class PacketIn:
    """A punted packet (step 1). What belongs to a session goes to its SPU, in hash-based mode a
    miss to the SPU of its bucket; other misses go to the CP, ARP and ND to the neighbour table."""

    port: Port
    reason: Punt
    token: int
    session_id: int
    direction: Direction
    spu: int
    frame: bytes
    at: Nanoseconds
    """When the controller took it from the wire."""
    mark: Mark = UNMARKED
    is_outward: bool = False
    """A copy of a packet on its way out, translated and with the MAC addresses it leaves with."""
    _packet: Packet | Drop | None = field(default=None, init=False, compare=False, repr=False)

    def parse(self) -> Packet | Drop:
        """What its frame says. All who look see the same object, so nobody changes it."""
        packet = self._packet
        if packet is None:
            # No change that anybody sees: the frame stays, and says this.
            self._packet = packet = parse(self.frame)  # type: ignore[misc]
        return packet


@value
class TraceCopy:
    """A copy of a traced packet, made where its fate was decided; NPU -> observer."""

    at: Nanoseconds
    port: Port
    """Where it arrived on this NPU."""
    egress_port: int
    """The port that it leaves by; 0: none."""
    stage: Stage
    verdict: Verdict
    detail: Punt | Drop | None
    """Why it is punted or dropped."""
    filter: int
    """Number of the trace filter that marked it; 0: a filter term's ``log``."""
    token: int
    session_id: int
    frame: bytes


@value
class WingInstalled:
    """Answer to ``InstallWing``: NPU -> SPU (step 5)."""

    session_id: int
    direction: Direction
    error: Drop | None
    """``None``: the entry is in effect. ``NPU_TABLE_FULL`` or ``NPU_LOST`` otherwise."""


@value
class WingRemoved:
    """Answer to ``RemoveWing``, with the entry's final counters (zero if it was gone)."""

    session_id: int
    direction: Direction
    packets: int
    bytes: int


@value
class WingsIdle:
    """An NPU's notice that wings of these sessions saw no packet for their time-outs; NPU -> SPU.
    Thousands may end at a time, so there are several in a message."""

    sessions: tuple[int, ...]
    """By id."""


@value
class WingRead:
    """Answer to ``ReadWing``; NPU -> SPU. Like the answers above it always comes, even from an
    NPU that is lost: an SPU waits for it."""

    session_id: int
    direction: Direction
    idle: Nanoseconds | None
    """Since the last packet that hit it; ``None``: there is no such entry."""
    packets: int
    bytes: int


@value
class InstallWing:
    """Write a wing's session entry on the NPU where its packets arrive (step 5)."""

    session_id: int
    direction: Direction
    spu: int
    wing: Wing
    path: Path
    idle_timeout: Nanoseconds
    record: bytes
    """What a restarted controller needs to rebuild the session; P4Runtime ``metadata``."""
    is_renewal: bool = False
    """Of a wing that should be there: nobody waits for it, and there is no answer, which might come
    when its session waits for another one."""


@value
class RemoveWing:
    """Delete a wing's entry; it is read first, for its final counters."""

    session_id: int
    direction: Direction
    spu: int
    key: FlowKey
    is_counted: bool = False
    """Its counters are known from a ``WingRead`` of a moment ago: they are not read again, and the
    answer has none."""


@value
class ReadWing:
    """Ask for a wing's counters and idle time."""

    session_id: int
    direction: Direction
    spu: int
    key: FlowKey


@value
class Transmit:
    """Send a frame out of an NPU's port (step 6)."""

    port: Port
    send: Send
    frame: bytes
    mark: Mark = UNMARKED
    """For the egress stages: that of the packet in question."""
    origin: Origin = UNKNOWN_ORIGIN
    """Likewise."""


@value
class LimitSessions:
    """Have an NPU drop first packets of an address that has as many sessions as it may, or let
    them pass again; from the central point, which counts. There is no answer: what the NPU does
    not drop, the central point does."""

    screen: Drop
    """``SCREEN_SESSION_LIMIT_SOURCE`` or ``_DESTINATION``."""
    zone: int
    """Number of the zone that the packets come from."""
    address: Address
    at_limit: bool


@value
class PurgeSpu:
    """CP -> NPU: remove all wings of an SPU that failed, and write none any more whose session id
    it may have had."""

    spu: int
    last_session_id: int
    """Ids of this SPU up to this one (in the order they are given, which goes around) are dead;
    0: it never had a session."""


class PurgedWing(NamedTuple):
    """What an NPU had of a session whose SPU failed."""

    session_id: int
    direction: Direction
    record: bytes
    """As it came with ``InstallWing``; both wings of a session have the same."""
    packets: int
    bytes: int


@value
class WingsPurged:
    """NPU -> CP: some of the wings that ``PurgeSpu`` asks to remove, and what they had counted.
    Those that are gone already, or cannot be read, are left out."""

    npu: int
    spu: int
    wings: tuple[PurgedWing, ...]


@value
class SpuPurged:
    """NPU -> CP: answer to ``PurgeSpu``, once those wings are gone; of an NPU that is lost too."""

    npu: int
    spu: int
    wings: int
    """How many there were."""


@value
class Distribute:
    """CP -> NPU, hash-based distribution: the SPU of each bucket from now on."""

    buckets: bytes
    """An SPU's number for each of the NPU's buckets."""


NpuMessage = (
    PacketIn
    | TraceCopy
    | WingInstalled
    | WingRemoved
    | WingsIdle
    | WingRead
    | InstallWing
    | RemoveWing
    | ReadWing
    | LimitSessions
    | Transmit
    | PurgeSpu
    | WingsPurged
    | SpuPurged
    | Distribute
)
