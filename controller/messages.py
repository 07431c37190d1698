"""What NPUs, central point, SPUs and the neighbour table say to each other.

Nothing but frozen values (``value.py``). A machine's ``handle(message, now)`` returns ``Outbound``
envelopes; the runtime delivers each to the machine or NPU that ``to`` names, in order per receiver.
The comments give the step of the first packet's walk (``docs/ARCHITECTURE.md``) in which a message
occurs.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from controller.config.nat import INTERFACE_POOL, SourceNatRule
from controller.config.schema import Configuration, NatFaults
from controller.flow import (
    Address,
    Direction,
    FlowKey,
    FragmentId,
    Nanoseconds,
    Path,
    Port,
    Tuple5,
    Wing,
)
from controller.gate import Endpoint, GateOrder, Passage
from controller.reasons import Close, Drop, Punt, Send, Stage, Verdict
from controller.value import value


class Role(Enum):
    """The kinds of machines that take messages."""

    NPU = "NPU"
    CP = "CP"
    SPU = "SPU"
    NEIGHBORS = "neighbors"
    HOST = "host"
    """The firewall as a host, that tells senders what a filter rejects."""
    OBSERVER = "observer"
    """Takes steps, drops and session records: trace, log, metrics."""

    # Receivers are looked up for every message, and ``Enum`` hashes a member's name each time.
    __hash__ = object.__hash__


class Actor(NamedTuple):
    """A receiver of messages: ``Actor(Role.SPU, 2)``."""

    role: Role
    number: int = 0

    def __str__(self) -> str:
        """``SPU 2``, or ``CP``, of which there is one."""
        return f"{self.role.value} {self.number}" if self.number else self.role.value


CP = Actor(Role.CP)
NEIGHBORS = Actor(Role.NEIGHBORS)
HOST = Actor(Role.HOST)
OBSERVER = Actor(Role.OBSERVER)


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


# -- from an NPU ------------------------------------------------------------------------------


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
class WingIdle:
    """An NPU's notice that a wing saw no packet for its time-out; NPU -> SPU."""

    session_id: int
    direction: Direction


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


# -- to an NPU --------------------------------------------------------------------------------


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


@value
class RemoveWing:
    """Delete a wing's entry; it is read first, for its final counters."""

    session_id: int
    direction: Direction
    spu: int
    key: FlowKey


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


# -- between central point and SPUs -----------------------------------------------------------


@value
class CreateSession:
    """CP -> SPU (step 2): the wing is pending and this SPU is to set the session up."""

    flow: FlowKey
    packet: PacketIn
    passage: Passage | None = None
    """The gate that let the packet in; its session is a child of the gate's parent."""
    elsewhere: int = 0
    """The packet begins no session; it would belong to this one, had it come from another zone."""
    called: Endpoint | None = None
    """It calls the outside endpoint of a persistent binding, and is to go to this inside one."""


@value
class AnswerSyn:
    """CP -> SPU: more SYNs come to this address and port than the attack threshold, and this one
    is of no session. The SPU answers it; nobody keeps a wing pending."""

    flow: FlowKey
    packet: PacketIn


@value
class Deliver:
    """CP -> SPU: a further packet of a flow that is pending there, or of a session that it
    owns and that the NPU did not know (yet)."""

    flow: FlowKey
    packet: PacketIn
    session_id: int
    """The session; 0: pending."""


@value
class FirstFragment:
    """SPU -> CP: the first fragment of a datagram came to the session that it belongs to; others
    that came before it may wait at the CP."""

    flow: FlowKey
    """The wing that it came on."""
    key: FragmentId


@value
class Redirect:
    """SPU -> CP: a packet of no session of this SPU; the CP finds its owner, or begins anew."""

    flow: FlowKey
    spu: int
    packet: PacketIn
    session_id: int = 0
    """The session that the central point took it for, and that this SPU does not have."""


@value
class CreateRequest:
    """SPU -> CP, hash-based distribution: an NPU's hash table gave this SPU the first packet of a
    flow that it does not know. The CP decides as on any miss, and prefers this SPU."""

    flow: FlowKey
    spu: int
    packet: PacketIn


class AllocateNat(NamedTuple):
    """SPU -> CP (step 3): the packet is suspended until the answer comes."""

    flow: FlowKey
    spu: int
    address: Address
    """The address to translate to."""
    protocol: int
    port: int
    """The port (or ICMP identifier) wanted, if it is free."""
    rule: SourceNatRule | None = None
    """What asks for it; ``None``: just for a port of this address."""
    routed: Tuple5 | None = None
    """The flow with its destination translated: whom it speaks to."""
    serial: int = 0
    """Comes back in the answer: a flow that began anew is not served by an earlier answer."""


class NatGranted(NamedTuple):
    """CP -> SPU."""

    flow: FlowKey
    address: Address
    protocol: int
    port: int
    pool: str = INTERFACE_POOL
    """The pool that it is from."""
    serial: int = 0


class NatRefused(NamedTuple):
    """CP -> SPU: no port is left."""

    flow: FlowKey
    reason: Drop
    serial: int = 0


class ReleaseNat(NamedTuple):
    """SPU -> CP: a binding is free again. The CP keeps with its entry what it granted to a flow,
    and frees that with the entry at the latest, so what is released late is not freed twice."""

    address: Address
    protocol: int
    port: int
    flow: FlowKey | None = None
    """The forward wing that it was granted to; ``None``: to none."""
    spu: int = 0
    """Who had it: meanwhile the flow, and even the port, may be another SPU's."""


@value
class InstallSession:
    """SPU -> CP (step 3, end)."""

    session_id: int
    spu: int
    forward: FlowKey
    reverse: FlowKey


@value
class InstallAck:
    """CP -> SPU (step 4): the pending wing is active and the reverse wing installed."""

    session_id: int
    flow: FlowKey


@value
class InstallRefused:
    """CP -> SPU: the reverse wing belongs to another session, or the pending wing is gone."""

    session_id: int
    flow: FlowKey
    reason: Drop
    """``NONE``: the flow became a wing of another session meanwhile (both ends spoke first); its
    packets are to be redirected."""


@value
class AbandonSession:
    """SPU -> CP: no session comes of this flow; forget the pending wing."""

    flow: FlowKey
    spu: int
    reason: Drop
    """``NONE``: the SPU answered the packet itself, such as a ping."""


@value
class PendingExpired:
    """CP -> SPU: the wing was pending for too long and is forgotten."""

    flow: FlowKey


@value
class AgeEarly:
    """CP -> SPU: the session table is too full. Sessions that have been idle for ``early-ageout``
    end, until no more than ``floor`` are left."""

    floor: int | None
    """``None``: it is full no more."""


@value
class WingLeftOut:
    """SPU -> CP: an NPU has no room for a wing, so its packets come as first packets do."""

    session_id: int
    flow: FlowKey
    """The session's forward wing."""
    key: FlowKey
    """The wing in question."""


@value
class RemoveSession:
    """SPU -> CP: both wings are off the NPUs; forget the session."""

    session_id: int
    spu: int
    forward: FlowKey
    reverse: FlowKey


@value
class OpenGates:
    """SPU -> CP: a control session announced flows. All gates are opened, or none; the packet
    that announced them is suspended until the answer comes."""

    session_id: int
    spu: int
    flow: FlowKey
    """The control session's forward wing."""
    serial: int
    """Comes back in the answer."""
    orders: tuple[GateOrder, ...]


@value
class GatesOpened:
    """CP -> SPU: the gates stand; where each can be reached."""

    session_id: int
    serial: int
    holes: tuple[Endpoint, ...]


@value
class GatesRefused:
    """CP -> SPU: no port is left, or no room for a gate."""

    session_id: int
    serial: int
    reason: Drop


@value
class CloseGates:
    """SPU -> CP: a call within a control session is over."""

    session_id: int
    call: str


@value
class ClearPersistentNat:
    """Operator -> CP: forget persistent bindings that have no session."""

    pool: str = ""
    """Only of this pool; empty: of all."""
    address: Address | None = None
    """Only of this inside address."""


@value
class InjectNatFaults:
    """Operator -> CP: allocations take time, or fail, from now on."""

    faults: NatFaults


# -- SPUs that come and go --------------------------------------------------------------------


@value
class SpuFailed:
    """Whoever notices -> CP: this SPU is gone, with all it knew. No new flow goes there; pending
    flows are forgotten; its wings are taken off the NPUs (``PurgeSpu``), and then go its sessions'
    entries, NAT bindings and gates. Messages of it that are still under way change nothing."""

    spu: int
    why: str
    flow: FlowKey | None = None
    """What it failed on, if that is known: such packets are kept from other SPUs for a while."""


@value
class SpuJoined:
    """SPU -> CP: an SPU that knows nothing wants to take part. It says so (again and again) until
    it is accepted, and does nothing else. The CP accepts once all of an earlier one with this
    number is cleared away; if nobody said that the earlier one failed, this message does."""

    spu: int
    incarnation: int
    """Tells this SPU from earlier ones with its number; any number that none of them had."""


@value
class SpuAccepted:
    """CP -> SPU: take part. Comes again if ``SpuJoined`` does."""

    spu: int
    incarnation: int
    last_session_id: int
    """The newest id that the CP knows of its predecessors; new ids begin behind it, so that what
    is still under way for old sessions meets no new one. 0: there was none."""


@value
class DrainSpu:
    """Operator -> CP: give this SPU no new flows, and let those it has go on (children of its
    control sessions are still its own); or, with ``on`` false, give it new flows again."""

    spu: int
    on: bool = True


@value
class PurgeSpu:
    """CP -> NPU: remove all wings of an SPU that failed, and write none any more whose session id
    it may have had."""

    spu: int
    last_session_id: int
    """Ids of this SPU up to this one (in the order they are given, which goes around) are dead;
    0: it never had a session."""


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


class SpuState(Enum):
    """What the CP holds of an SPU; the value is what a person reads."""

    ONLINE = "Online"
    DRAINING = "Draining"
    CLEARING = "Clearing"
    """It failed, and its sessions are being cleared away."""
    OFFLINE = "Offline"


@value
class WatermarkPassed:
    """CP -> observer: a session table is too full, or no longer."""

    at: Nanoseconds
    spu: int
    """Whose table; 0: that of the chassis."""
    high: bool
    """Above the high watermark; else down at the low one again."""
    sessions: int


@value
class SpuChanged:
    """CP -> observer."""

    at: Nanoseconds
    spu: int
    state: SpuState
    why: str
    sessions: int
    """Sessions and pending wings that it has or, if it failed, had."""


# -- audit ------------------------------------------------------------------------------------


@value
class AuditSessions:
    """CP -> SPU: do you have these? A few at a time, all in the course of time."""

    spu: int
    sessions: tuple[tuple[int, FlowKey], ...]
    """Session id and forward wing."""


@value
class AuditMissing:
    """SPU -> CP: of those I have none; the CP forgets what it still has of them. (Had one ended
    meanwhile, the CP would have heard of that before.)"""

    spu: int
    sessions: tuple[tuple[int, FlowKey], ...]


@value
class ConfirmSessions:
    """SPU -> CP: I have these, do you? The CP answers with ``SessionsUnknown`` if it lacks any."""

    spu: int
    sessions: tuple[tuple[int, FlowKey], ...]


@value
class SessionsUnknown:
    """CP -> SPU: these sessions have no entry here; the SPU ends them."""

    spu: int
    sessions: tuple[tuple[int, FlowKey], ...]


# -- neighbour table --------------------------------------------------------------------------


@value
class ResolveNeighbor:
    """SPU -> neighbour table: the MAC address of a next hop, by ARP or ND if need be."""

    spu: int
    flow: FlowKey
    interface: str
    address: Address


@value
class NeighborResolved:
    """Neighbour table -> SPU; ``mac`` is ``None`` if nobody answered."""

    flow: FlowKey
    interface: str
    address: Address
    mac: bytes | None


# -- configuration ----------------------------------------------------------------------------


@value
class Reconfigure:
    """Runtime -> every machine: another configuration is in force. Zones, tokens and policies that
    the old one has too keep their numbers (``config.build.parse`` with ``previous``)."""

    configuration: Configuration


# -- the operator -----------------------------------------------------------------------------


@value
class ClearSession:
    """Operator -> SPU: end a session now."""

    session_id: int


# -- to the observer --------------------------------------------------------------------------


class Step(Enum):
    """The steps of a first packet's walk, in order; the value is what a person reads."""

    MISS = "session lookup: miss, punted to the central point"
    PENDING = "no session, no gate: wing pending, SPU chosen"
    CREATE = "create-session message received"
    PROVED = "our answer to the SYN acknowledged: the client is there"
    ROUTE = "route lookup"
    POLICY = "policy search"
    DESTINATION_NAT = "static or destination NAT: destination translated"
    NAT_SUSPEND = "source NAT: packet suspended, allocation asked for"
    NAT_RESUME = "source NAT: port granted, packet resumed"
    STATIC_NAT = "static NAT: source translated"
    GATE = "gate found: a child of the session that announced it"
    NEIGHBOR = "next hop asked for"
    NEIGHBOR_FOUND = "next hop resolved"
    INSTALL = "install asked for"
    ACTIVE = "pending wing active, reverse wing installed"
    ACK = "install acknowledged"
    WING_REVERSE = "reverse wing on the egress NPU"
    WING_FORWARD = "forward wing on the ingress NPU"
    QUEUED = "packet queued behind the first"
    SERVER_SYN = "SYN sent to the server"
    JOINED = "server answered, the two halves are joined"
    RELEASE = "packet released through the egress NPU"


@value
class StepTaken:
    """A step of the walk."""

    at: Nanoseconds
    who: Actor
    step: Step
    flow: FlowKey
    detail: str
    """What a person wants to know of it, such as the policy's name."""
    session_id: int = 0


@value
class PacketDropped:
    """The control plane let a packet go no further."""

    at: Nanoseconds
    who: Actor
    reason: Drop
    flow: FlowKey | None
    detail: str


@value
class RanOut:
    """Something ran out, but no packet fell for it."""

    at: Nanoseconds
    who: Actor
    reason: Drop
    flow: FlowKey
    detail: str


@value
class NatNotice:
    """A source NAT pool runs low, no longer does, or has nothing left; CP -> observer."""

    at: Nanoseconds
    pool: str
    utilization: int
    """Per cent."""
    is_raised: bool | None
    """Whether the alarm is raised or cleared; ``None``: the pool is exhausted."""


@value
class SessionDenied:
    """A policy that logs refused a flow."""

    at: Nanoseconds
    flow: FlowKey
    policy_index: int
    to_zone: str
    interface: str
    """Where it came in."""


@value
class SessionCreated:
    """A session of a policy that logs its sessions' beginnings is real."""

    at: Nanoseconds
    session_id: int


@value
class SessionClosed:
    """A session is gone: its close record."""

    at: Nanoseconds
    session_id: int
    reason: Close
    policy: str
    forward: Wing
    reverse: Wing
    packets: tuple[int, int]
    """Per direction, forward first."""
    bytes: tuple[int, int]
    duration: Nanoseconds
    policy_index: int = -1
    """Which of the policies with this name; -1: the default policy."""
    nat_rules: tuple[str, str] = ("", "")
    """The NAT rules that translated its source and its destination; empty: none."""


Message = (
    PacketIn
    | TraceCopy
    | WingInstalled
    | WingRemoved
    | WingIdle
    | WingRead
    | InstallWing
    | RemoveWing
    | ReadWing
    | LimitSessions
    | Transmit
    | CreateSession
    | AnswerSyn
    | Deliver
    | FirstFragment
    | Redirect
    | CreateRequest
    | AllocateNat
    | NatGranted
    | NatRefused
    | ReleaseNat
    | InstallSession
    | InstallAck
    | InstallRefused
    | AbandonSession
    | PendingExpired
    | AgeEarly
    | WingLeftOut
    | RemoveSession
    | OpenGates
    | GatesOpened
    | GatesRefused
    | CloseGates
    | SpuFailed
    | SpuJoined
    | SpuAccepted
    | DrainSpu
    | PurgeSpu
    | SpuPurged
    | Distribute
    | SpuChanged
    | WatermarkPassed
    | AuditSessions
    | AuditMissing
    | ConfirmSessions
    | SessionsUnknown
    | ResolveNeighbor
    | NeighborResolved
    | ClearSession
    | Reconfigure
    | StepTaken
    | PacketDropped
    | RanOut
    | NatNotice
    | ClearPersistentNat
    | InjectNatFaults
    | SessionDenied
    | SessionCreated
    | SessionClosed
)


class Outbound(NamedTuple):
    """A message and who gets it."""

    to: Actor
    message: Message
