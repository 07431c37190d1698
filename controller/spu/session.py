"""What an SPU keeps of a flow: while it is being set up, and as a session."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from controller.config.nat import NatRule
from controller.config.schema import Interface, QueueDepth
from controller.flow import Address, Direction, FlowKey, Nanoseconds, Path, Tuple5, Wing
from controller.gate import Endpoint, Passage
from controller.messages import Grant, PacketIn, WingRead
from controller.packet import Packet
from controller.reasons import Close, Drop
from controller.routing.fib import Route
from controller.spu.express import NotExpress
from controller.spu.policy import Verdict
from controller.spu.services import Service
from controller.spu.splice import Splice
from controller.spu.tcp import TcpTracker

if TYPE_CHECKING:
    from controller.spu.alg_path import Gateway

QUEUE_LIMIT = QueueDepth.NORMAL.packets
"""Packets that may wait where no configuration says how many."""


class Queued(NamedTuple):
    """A packet that waits."""

    message: PacketIn
    packet: Packet
    direction: Direction


class Refusal(NamedTuple):
    """Why no session comes of a flow."""

    reason: Drop
    detail: str


class Stage(Enum):
    """What a pending flow waits for."""

    DECIDE = "decisions"
    FRAGMENTS = "the rest of a packet for the firewall itself"
    NAT = "NAT allocation"
    NEIGHBORS = "next hops"
    INSTALL = "the central point"


class Pending:
    """A flow on its way to a session; filled in as the decisions fall."""

    __slots__ = (
        "attempt",
        "back",
        "back_mac",
        "called",
        "destination_rule",
        "elsewhere",
        "first",
        "flow",
        "ingress",
        "mac",
        "nat",
        "passage",
        "queue",
        "route",
        "routed",
        "serial",
        "session_id",
        "source_rule",
        "splice",
        "stage",
        "translated",
        "verdict",
        "wings",
    )

    ingress: Interface
    """Where the first packet came in."""
    route: Route
    """To the destination."""
    back: Route
    """To the source."""
    verdict: Verdict
    translated: Tuple5
    """As the packets of the flow leave."""
    wings: tuple[Wing, Wing]

    def __init__(self, flow: FlowKey, attempt: int, first: Queued) -> None:
        self.flow = flow
        self.attempt = attempt
        """The central point's number of it."""
        self.routed = flow
        """As the packets of the flow come, but with their destination translated: what routes and
        policies go by."""
        self.first = first
        self.passage: Passage | None = None
        """The gate it came through, if it is a child of a control session."""
        self.queue: list[Queued] = []
        """Behind the first."""
        self.elsewhere = 0
        """The session that its first packet would belong to, had it come from another zone."""
        self.stage = DECIDE
        self.splice: Splice | None = None
        """Its client has proved itself to SYN flood protection."""
        self.nat: Grant | None = None
        """A port that the central point granted."""
        self.serial = 0
        """Of the question for it."""
        self.called: Endpoint | None = None
        """The inside endpoint of the persistent binding that it calls."""
        self.destination_rule: NatRule | None = None
        """What translated its destination."""
        self.source_rule: NatRule | None = None
        self.mac: bytes | None = None
        """Of the next hop to the destination."""
        self.back_mac: bytes | None = None
        """Of the next hop to the source."""
        self.session_id = 0


class Move:
    """A session on its way to other next hops (``reroute``)."""

    __slots__ = ("macs", "routes")

    def __init__(self, routes: tuple[Route, Route]) -> None:
        self.routes = routes
        """To the destination, to the source."""
        self.macs: list[bytes | None] = [None, None]
        """Of their next hops; empty bytes: it does not answer."""


class SessionState(Enum):
    """State of a session at its SPU."""

    INSTALLING = "Pending"
    ACTIVE = "Valid"
    CLOSING = "Invalidated"


INSTALLING, ACTIVE, CLOSING = SessionState
DECIDE, AWAIT_FRAGMENTS, AWAIT_NAT, AWAIT_NEIGHBORS, AWAIT_INSTALL = Stage
_EXPRESS, _BY_SPU = Path.EXPRESS, Path.SPU


class Session:
    """Two wings and all that was decided on them."""

    __slots__ = (
        "awaiting",
        "bytes",
        "cleared",
        "close",
        "destination_rule",
        "failure",
        "gateway",
        "id",
        "installed",
        "last_seen",
        "move",
        "nat",
        "next_hops",
        "not_express",
        "packets",
        "parent",
        "path",
        "probe",
        "queue",
        "record",
        "service",
        "source_rule",
        "splice",
        "started",
        "state",
        "tcp",
        "timeout",
        "verdict",
        "wings",
        "without_route",
    )

    def __init__(
        self,
        session_id: int,
        wings: tuple[Wing, Wing],
        verdict: Verdict,
        service: Service,
        not_express: NotExpress | None,
        nat: Grant | None,
        now: Nanoseconds,
    ) -> None:
        self.id = session_id
        self.wings = wings
        """Forward, reverse: indexed by ``Direction``."""
        self.verdict = verdict
        self.service = service
        self.not_express = not_express
        self.path = _EXPRESS if not_express is None else _BY_SPU
        self.nat = nat
        self.destination_rule: NatRule | None = None
        """What translated its destination."""
        self.source_rule: NatRule | None = None
        """What translated its source."""
        self.started = now
        self.last_seen = now
        """When its SPU last saw a packet of it."""
        self.timeout = service.timeout
        """The inactivity time-out in force."""
        self.state = INSTALLING
        self.tcp: TcpTracker | None = None
        self.splice: Splice | None = None
        """SYN flood protection let it in: how its two halves count."""
        self.gateway: Gateway | None = None
        """Reads along, if it is a control session."""
        self.parent = 0
        """Session id of the control session whose gate let it in."""
        self.queue: list[Queued] = []
        self.record = b""
        """What goes with its wings to the NPUs; empty once they have it."""
        self.installed = 0
        """Wings that are, or may be, on their NPU: a bit per direction."""
        self.packets = [0, 0]
        self.bytes = [0, 0]
        """Per direction, only what no NPU entry counted (packets that found none yet); what the
        entries counted is added when they are removed."""
        self.probe: list[WingRead | None] | None = None
        """What was read of its wings so far, while the NPUs are being asked."""
        self.cleared = False
        """An operator wants it gone, but it is still being installed."""
        self.close: Close | None = None
        self.failure: Drop | None = None
        """Why it could not be installed."""
        self.next_hops: tuple[Address, Address] = (b"", b"")
        """Of the forward and of the reverse wing."""
        self.without_route = False
        """A route of it is gone, and ``route-change-timeout`` runs."""
        self.move: Move | None = None
        """While it is on its way to other next hops."""
        self.awaiting = 0
        """Answers to ``RemoveWing`` to come."""

    @property
    def is_installed(self) -> bool:
        """Whether both wings are on their NPUs; packets of one that is not come by the central
        point, because the NPU's table is full."""
        return self.installed == 3
