"""A services processing unit as a pure machine: who gets which message."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from controller.config.cards import Chassis
from controller.config.schema import Configuration
from controller.flow import Direction, Nanoseconds
from controller.messages import (
    AgeEarly,
    AnswerSyn,
    AuditSessions,
    ClearSession,
    CreateRequest,
    CreateSession,
    Deliver,
    FirstFragment,
    GatesOpened,
    GatesRefused,
    InstallAck,
    InstallRefused,
    Message,
    NatGranted,
    NatRefused,
    NeighborChanged,
    NeighborForgotten,
    NeighborResolved,
    Outbound,
    PacketIn,
    PendingExpired,
    Reconfigure,
    Redirect,
    SessionsUnknown,
    SpuAccepted,
    WingInstalled,
    WingRead,
    WingRemoved,
    WingsIdle,
)
from controller.packet import Packet
from controller.reasons import Close, Drop, Punt
from controller.routing.fib import Fib
from controller.spu.alg_path import AlgPath
from controller.spu.audit import Audit
from controller.spu.core import Core
from controller.spu.early_ageing import EarlyAgeing
from controller.spu.first_path import FirstPath
from controller.spu.inspection import Inspection
from controller.spu.installation import Installation
from controller.spu.joining import Closed, Joining
from controller.spu.live_path import LivePath
from controller.spu.membership import belongs
from controller.spu.neighbor_changes import NeighborChanges
from controller.spu.reconfigure import Reconfiguration
from controller.spu.repair import Repair
from controller.spu.replies import Replies
from controller.spu.reroute import Reroute
from controller.spu.session import Queued, SessionState
from controller.spu.syn_guard import SynGuard
from controller.spu.tcp import opens
from controller.spu.teardown import Teardown


def _ignore(_: Message) -> None:
    pass


_MISS, _SYN_PROXY, _STALE = Punt.MISS, Punt.SYN_PROXY, Punt.STALE
_DUE_AT_ONCE = 64
"""Sessions whose deadline has come that are looked at before packets get a turn."""


class Spu(Inspection):
    """``handle`` a message, ``tick`` when ``deadline`` has come; both return what to send.

    The machine relies on messages between it and the central point arriving in the order sent, and
    on every ``InstallWing``, ``RemoveWing`` and ``ReadWing`` being answered.
    """

    def __init__(
        self,
        number: int,
        config: Configuration,
        fib: Fib,
        chassis: Chassis,
        *,
        trace: bool = True,
        incarnation: int = 0,
        cookie_seed: bytes = b"wingpath",
    ) -> None:
        """Without ``trace`` no steps are reported; drops and session records always are. One that
        comes later than the central point has an ``incarnation`` and asks to be accepted.
        ``cookie_seed`` is the secret of SYN cookies, the same for all SPUs of a chassis."""
        core = Core(number, config, fib, chassis, trace)
        replies = Replies(core)
        guard = SynGuard(core, replies, cookie_seed)
        self._teardown = Teardown(core, guard)
        self._alg = AlgPath(core, self._teardown)
        live = LivePath(core, replies, self._teardown, self._alg, guard)
        self._installation = Installation(core, live, self._teardown, guard)
        super().__init__(core, live, replies, guard, Repair(core, self._installation))
        self._first = FirstPath(core, replies, self._installation, self._teardown, guard)
        self._reroute = Reroute(core, self._installation, self._teardown)
        self._reconfiguration = Reconfiguration(core, self._first, self._reroute, self._teardown)
        self._neighbor_changes = NeighborChanges(core, self._reroute)
        self._ageing = EarlyAgeing(core, live)
        self._installation.recheck = self._reconfiguration.check
        self._audit = Audit(core, self._teardown)
        self._joining: Joining | None = None
        self._open: dict[type, Callable[[Any], None]] = {
            Reconfigure: self._reconfiguration.take,
            PacketIn: self._on_packet_in,
            CreateSession: self._first.create,
            AgeEarly: self._ageing.take,
            AnswerSyn: guard.answer,
            Deliver: self._on_deliver,
            NatGranted: self._first.nat_granted,
            NatRefused: self._first.nat_refused,
            NeighborResolved: self._on_neighbor_resolved,
            NeighborForgotten: self._on_neighbor_forgotten,
            NeighborChanged: self._neighbor_changes.take,
            InstallAck: self._first.installed,
            InstallRefused: self._first.refused,
            PendingExpired: self._first.expired,
            WingInstalled: self._installation.wing_installed,
            WingRemoved: self._on_wing_removed,
            GatesOpened: self._alg.opened,
            GatesRefused: self._alg.refused,
            WingsIdle: live.wings_idle,
            WingRead: live.wing_read,
            ClearSession: self._on_clear,
            AuditSessions: self._audit.asked,
            SessionsUnknown: self._audit.unknown,
            SpuAccepted: _ignore,  # said again
        }
        self._handlers = self._open
        if incarnation:
            self._joining = Joining(core, incarnation, self._accepted)
            self._handlers = Closed(self._joining.take)

    @property
    def is_joining(self) -> bool:
        """Whether the central point has not accepted it yet."""
        return self._joining is not None

    def _accepted(self) -> None:
        self._joining = None
        self._handlers = self._open

    @property
    def trace(self) -> bool:
        """Whether steps are reported; may change at any time."""
        return self._core.trace

    @trace.setter
    def trace(self, on: bool) -> None:
        self._core.trace = on

    def handle(self, message: Message, now: Nanoseconds) -> list[Outbound]:
        """Take a message from an NPU, the central point, the neighbour table or the operator."""
        core = self._core
        core.now = now
        core.out = []
        self._handlers[type(message)](message)
        return core.out

    def deadline(self) -> Nanoseconds | None:
        """When ``tick`` is due."""
        core = self._core
        if self._reconfiguration.is_under_way or self._neighbor_changes.is_under_way:
            return core.now
        if self._joining is not None:
            return self._joining.next_ask
        deadline = self._live.reassembly.deadline()
        if len(self._guard.timers):
            half_open = self._guard.timers.next()
            if half_open is not None and (deadline is None or half_open < deadline):
                deadline = half_open
        if not core.sessions:
            return deadline
        audit = self._audit.round.when or self._audit.round.due(core.now)
        if deadline is None or audit < deadline:
            deadline = audit
        sessions, gateways = core.timers.next(), core.alg_timers.next()
        if sessions is not None and sessions < deadline:
            deadline = sessions
        if gateways is not None and gateways < deadline:
            deadline = gateways
        if core.early_ageout and self._ageing.due() < deadline:
            deadline = self._ageing.due()
        if len(core.syn_timers):
            servers = core.syn_timers.next()
            if servers is not None and servers < deadline:
                deadline = servers
        return deadline

    def tick(self, now: Nanoseconds) -> list[Outbound]:
        """Look at sessions whose deadline has come; ``deadline`` says if there are more."""
        core = self._core
        core.now = now
        core.out = []
        if self._joining is not None:
            if self._joining.next_ask <= now:
                self._joining.ask()
            return core.out
        if self._reconfiguration.is_under_way:
            self._reconfiguration.go_on()
        if self._neighbor_changes.is_under_way:
            self._neighbor_changes.go_on()
        if core.sessions and self._audit.round.due(now) <= now:
            self._audit.ask()
        if core.early_ageout and self._ageing.due() <= now:
            self._ageing.tick()
        for session_id in islice(core.timers.due(now), _DUE_AT_ONCE):
            self._live.deadline(core.sessions[session_id])
        for session_id in core.alg_timers.due(now):
            self._alg.deadline(core.sessions[session_id])
        for session_id in core.syn_timers.due(now):
            self._live.server_half.deadline(core.sessions.get(session_id))
        self._live.reassembly.tick()
        for flow in self._guard.timers.due(now):
            self._guard.deadline(flow)
        return core.out

    # -- packets ------------------------------------------------------------------------------

    def _on_packet_in(self, message: PacketIn) -> None:
        """The NPU says which session this is; believe it if the packet says the same."""
        core = self._core
        packet = message.parse()
        if isinstance(packet, Drop):
            core.drop(packet, None, f"malformed packet of session {message.session_id}")
            return
        reason = message.reason
        if reason is _MISS or reason is _SYN_PROXY:
            self._on_miss(message, packet)
            return
        session = core.sessions.get(message.session_id)
        if session is None or not belongs(session, message, packet):
            core.to_cp(Redirect(packet.key(message.token), core.number, message))
            return
        if reason is _STALE:
            self._installation.renew(session, message.direction)
        if packet.fragment and not packet.is_later_fragment:
            key = packet.key(message.token)
            core.to_cp(FirstFragment(key, packet.datagram(message.token)))
        self._live.take(session, Queued(message, packet, message.direction))

    def _on_miss(self, message: PacketIn, packet: Packet) -> None:
        """Hash-based distribution: the NPU's hash table says that this flow is ours."""
        core = self._core
        flow = packet.key(message.token)
        pending = core.pending.get(flow)
        session = core.by_key.get(flow)
        if pending is not None:
            self._first.enqueue(pending, Queued(message, packet, Direction.FORWARD))
        elif session is not None:
            direction = Direction.FORWARD if flow == session.wings[0].key else Direction.REVERSE
            queued = Queued(message, packet, direction)
            self._repair.consider(session, queued)
            self._live.take(session, queued)
        elif message.reason is Punt.SYN_PROXY and core.protected and opens(packet.flags):
            self._guard.answer(AnswerSyn(flow, message))
        else:
            core.to_cp(CreateRequest(flow, core.number, message, packet.begins_session))

    def _on_deliver(self, message: Deliver) -> None:
        """The central point says that this flow is ours."""
        core = self._core
        flow = message.flow
        packet = message.packet.parse()
        if isinstance(packet, Drop):
            core.drop(packet, flow, "malformed packet")
            return
        pending = core.pending.get(flow)
        if pending is not None:
            self._first.enqueue(pending, Queued(message.packet, packet, Direction.FORWARD))
            return
        session = core.by_key.get(flow)
        if session is None:
            # It ended, and the central point hears of that before it gets this packet back; or it
            # is the answer of a flow whose acknowledgement is still to come.
            core.to_cp(Redirect(flow, core.number, message.packet, message.session_id))
            return
        direction = Direction.FORWARD if flow == session.wings[0].key else Direction.REVERSE
        queued = Queued(message.packet, packet, direction)
        self._repair.consider(session, queued)
        self._live.take(session, queued)

    def _on_neighbor_resolved(self, message: NeighborResolved) -> None:
        if message.mac is not None:
            self._core.neighbors[message.interface, message.address] = message.mac
        session = self._core.by_key.get(message.flow)
        if session is not None and session.move is not None:
            self._reroute.neighbor_resolved(session, message)
        else:
            self._first.neighbor_resolved(message)

    def _on_neighbor_forgotten(self, message: NeighborForgotten) -> None:
        self._core.neighbors.pop((message.interface, message.address), None)

    def _on_wing_removed(self, message: WingRemoved) -> None:
        session = self._core.sessions.get(message.session_id)
        if session is not None and session.move is not None:
            self._reroute.wing_removed(session, message)
        elif session is not None and session.state is SessionState.INSTALLING and session.awaiting:
            self._installation.wing_taken_back(session, message)
        else:
            self._teardown.wing_removed(message)

    def _on_clear(self, message: ClearSession) -> None:
        session = self._core.sessions.get(message.session_id)
        if session is not None:
            self._teardown.begin(session, Close.CLEARED)
