"""What trace, log and metrics hear."""

from __future__ import annotations

from enum import Enum

from controller.flow import FlowKey, Nanoseconds, Wing
from controller.messages.actors import Actor
from controller.messages.membership import SpuState
from controller.reasons import Close, Drop
from controller.value import value


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
    unrecorded: int = 0
    """Sessions so far that went with it and have no close record, as no NPU had a wing of them."""


class Step(Enum):
    """The steps of a first packet's walk, in order; the value is what a person reads."""

    MISS = "session lookup: miss, packet punted"
    PENDING = "no session, no gate: wing pending, SPU chosen"
    CHILD = "no session, but a gate: wing pending, on the SPU of the gate's session"
    CREATE = "create-session message received"
    PROVED = "our answer to the SYN acknowledged: the client is there"
    ROUTE = "route lookup"
    POLICY = "policy search"
    DESTINATION_NAT = "static or destination NAT: destination translated"
    NAT_SUSPEND = "source NAT: packet suspended, allocation asked for"
    NAT_RESUME = "source NAT: port granted, packet resumed"
    STATIC_NAT = "static NAT: source translated"
    PARENT = "no policy search: the policy of the session that announced it holds"
    NEIGHBOR = "next hop asked for"
    NEIGHBOR_FOUND = "next hop resolved"
    INSTALL = "install asked for"
    ACTIVE = "pending wing active, reverse wing installed"
    ACK = "install acknowledged"
    EXPRESS = "Express Path decided on"
    WING_REVERSE = "reverse wing on the egress NPU"
    WING_FORWARD = "forward wing on the ingress NPU"
    QUEUED = "packet queued behind the first"
    SERVER_SYN = "SYN sent to the server"
    JOINED = "server answered, the two halves are joined"
    GATE_ASK = "payload announces a flow: packet suspended, gate asked for"
    GATE_OPENED = "gate opened"
    GATE_RENEWED = "gate renewed, it stands already"
    GATE_RESUME = "gate stands: packet resumed"
    GATE_REFUSED = "no gate: what announced it goes no further"
    RELEASE = "packet released through the egress NPU"
    REPAIR = "wing written again: its NPU did not have it"


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
    application: str
    """By name: the one that the policy matched."""


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
    application: str = ""
    """By name."""


ObserverMessage = (
    SpuChanged
    | WatermarkPassed
    | StepTaken
    | PacketDropped
    | RanOut
    | NatNotice
    | SessionDenied
    | SessionCreated
    | SessionClosed
)
