"""Central point and SPUs about sessions: from first packets to ends, and the audit of both
tables."""

from __future__ import annotations

from controller.flow import FlowKey, FragmentId
from controller.gate import Endpoint, Passage
from controller.messages.npu import PacketIn
from controller.reasons import Drop
from controller.value import value


@value
class CreateSession:
    """CP -> SPU (step 2): the wing is pending and this SPU is to set the session up."""

    flow: FlowKey
    packet: PacketIn
    attempt: int
    """Which: the same flow's wing may be pending again, after its time was over."""
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
    begins: bool = True
    """Whether it may begin a session; if not, it may be of one that expects it elsewhere."""


@value
class InstallSession:
    """SPU -> CP (step 3, end)."""

    session_id: int
    spu: int
    attempt: int
    """That of the pending wing."""
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
    end, until they take no more places than ``floor`` (``flow.places``)."""

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


SessionMessage = (
    CreateSession
    | AnswerSyn
    | Deliver
    | FirstFragment
    | Redirect
    | CreateRequest
    | InstallSession
    | InstallAck
    | InstallRefused
    | AbandonSession
    | PendingExpired
    | AgeEarly
    | WingLeftOut
    | RemoveSession
    | AuditSessions
    | AuditMissing
    | ConfirmSessions
    | SessionsUnknown
)
