"""A services processing unit as a pure machine: who gets which message, and how it looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from controller.config.schema import Chassis, Configuration
from controller.flow import Direction, FlowKey, Nanoseconds, Path
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
    NeighborForgotten,
    NeighborResolved,
    Outbound,
    PacketIn,
    PendingExpired,
    Reconfigure,
    Redirect,
    SessionsUnknown,
    SpuAccepted,
    WingIdle,
    WingInstalled,
    WingRead,
    WingRemoved,
)
from controller.packet import Packet
from controller.reasons import Close, Drop, Punt
from controller.routing.fib import Fib
from controller.spu.alg_path import AlgPath
from controller.spu.audit import Audit
from controller.spu.core import Core, NatCounts
from controller.spu.early_ageing import EarlyAgeing
from controller.spu.express import NotExpress
from controller.spu.first_path import FirstPath
from controller.spu.installation import Installation
from controller.spu.joining import Closed, Joining
from controller.spu.live_path import LivePath
from controller.spu.membership import belongs
from controller.spu.reassembly import FragmentCounts
from controller.spu.reconfigure import Reconfiguration
from controller.spu.repair import Repair
from controller.spu.replies import Replies
from controller.spu.reroute import Reroute
from controller.spu.session import Queued, Session, SessionState, SessionView
from controller.spu.syn_guard import GuardCounts, SynGuard
from controller.spu.tcp import opens
from controller.spu.teardown import Teardown


def _ignore(_: Message) -> None:
    pass


_MISS, _SYN_PROXY, _STALE = Punt.MISS, Punt.SYN_PROXY, Punt.STALE
_DUE_AT_ONCE = 64
"""Sessions whose deadline has come that are looked at before packets get a turn."""


class Spu:
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
        self._core = core = Core(number, config, fib, chassis, trace)
        self._replies = Replies(core)
        self._guard = guard = SynGuard(core, self._replies, cookie_seed)
        self._teardown = Teardown(core, guard)
        self._alg = AlgPath(core, self._teardown)
        self._live = LivePath(core, self._replies, self._teardown, self._alg, guard)
        self._installation = Installation(core, self._live, self._teardown, guard)
        self._first = FirstPath(core, self._replies, self._installation, self._teardown, guard)
        self._reroute = Reroute(core, self._installation, self._teardown)
        self._reconfiguration = Reconfiguration(core, self._first, self._reroute, self._teardown)
        self._ageing = EarlyAgeing(core, self._live)
        self._installation.recheck = self._reconfiguration.check
        self._repair = Repair(core, self._installation)
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
            InstallAck: self._first.installed,
            InstallRefused: self._first.refused,
            PendingExpired: self._first.expired,
            WingInstalled: self._installation.wing_installed,
            WingRemoved: self._on_wing_removed,
            GatesOpened: self._alg.opened,
            GatesRefused: self._alg.refused,
            WingIdle: self._live.wing_idle,
            WingRead: self._live.wing_read,
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
    def number(self) -> int:
        """Which SPU this is."""
        return self._core.number

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
        if self._reconfiguration.is_under_way:
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
        audit = self._audit.next or self._audit.due()
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
        if core.sessions and self._audit.due() <= now:
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

    # -- what it looks like -------------------------------------------------------------------

    def sessions(self) -> list[SessionView]:
        """All sessions, oldest first."""
        return [self._view(session) for session in self._core.sessions.values()]

    def forward_keys(self) -> list[FlowKey]:
        """The forward wings of all sessions."""
        return [session.wings[0].key for session in self._core.sessions.values()]

    def session(self, session_id: int) -> SessionView | None:
        """One session."""
        session = self._core.sessions.get(session_id)
        return None if session is None else self._view(session)

    def _view(self, session: Session) -> SessionView:
        return SessionView(
            id=session.id,
            spu=self._core.number,
            state=session.state,
            policy=session.verdict.name,
            policy_index=session.verdict.index,
            application=session.service.name,
            forward=session.wings[0],
            reverse=session.wings[1],
            path=session.path,
            not_express=session.not_express,
            started=session.started,
            last_seen=session.last_seen,
            timeout=session.timeout,
            tcp="" if session.tcp is None else session.tcp.state.name.lower().replace("_", "-"),
            fins=0 if session.tcp is None else session.tcp.fins,
            checks_sequence=session.tcp is not None and session.tcp.windows is not None,
            packets=(session.packets[0], session.packets[1]),
            bytes=(session.bytes[0], session.bytes[1]),
            next_hops=session.next_hops,
            astray=(
                self._repair.astray(session, Direction.FORWARD),
                self._repair.astray(session, Direction.REVERSE),
            ),
            on_npus=(bool(session.installed & 1), bool(session.installed & 2)),
            alg=session.service.alg,
            parent=session.parent,
            nat_pool="" if session.nat is None else session.nat.pool,
            source_rule=session.source_rule,
            destination_rule=session.destination_rule,
        )

    def express_counts(self) -> Mapping[NotExpress | None, int]:
        """Sessions so far by why they were not on Express Path; ``None``: they were."""
        return dict(self._core.express_counts)

    @property
    def is_ageing_early(self) -> bool:
        """Whether the session table is too full, so that idle sessions end early."""
        return bool(self._core.early_ageout)

    def fragment_counts(self) -> FragmentCounts:
        """What was done with fragments so far."""
        return self._live.reassembly.counts

    def reply_counts(self) -> tuple[int, int]:
        """ICMP errors and TCP answers so far: sent, and held back by the rate limit."""
        return self._replies.limit.granted, self._replies.limit.suppressed

    def clear_counts(self) -> None:
        """Count fragments and replies from zero again."""
        self._live.reassembly.counts = FragmentCounts()
        self._replies.limit.granted = self._replies.limit.suppressed = 0

    def guard_counts(self) -> GuardCounts:
        """What SYN flood protection did so far."""
        return self._guard.view()

    def state_counts(self) -> Counter[tuple[SessionState, Path]]:
        """How many sessions there are by state and path."""
        return Counter((session.state, session.path) for session in self._core.sessions.values())

    def express_now(self) -> Counter[NotExpress | None]:
        """Sessions that are there by why they are not on Express Path; ``None``: they are."""
        return Counter(session.not_express for session in self._core.sessions.values())

    @property
    def repairs(self) -> int:
        """Wings so far that were written again because their NPU had lost them."""
        return self._repair.count

    def nat_counts(self) -> Mapping[int, NatCounts]:
        """What is counted of NAT rules, by rule id."""
        return dict(self._core.nat_counts)

    def clear_nat_counts(self) -> None:
        """Count from zero again; sessions that stand are still counted as such."""
        for counts in self._core.nat_counts.values():
            counts.hits = counts.successful = counts.failed = 0

    @property
    def failed_sessions(self) -> int:
        """Flows so far that were let in and got no session all the same."""
        return self._core.failed_sessions

    def pending_count(self) -> int:
        """Flows that are being set up."""
        return len(self._core.pending)

    def policy_hits(self) -> Mapping[int, int]:
        """Flows decided on, by policy index; -1 is the default policy."""
        return dict(self._core.hits)

    def clear_policy_hits(self) -> None:
        """Count policy hits from zero again."""
        self._core.hits.clear()

    def policy_statistics(self) -> Mapping[int, tuple[tuple[int, int], tuple[int, int]]]:
        """Packets and bytes (forward, back) of sessions that ended, by policy index."""
        return dict(self._core.statistics)

    def clear_policy_statistics(self) -> None:
        """Add up what sessions carried from zero again."""
        self._core.statistics.clear()

    def audit(self) -> list[str]:
        """What is left, in words: nothing once every session is gone."""
        core = self._core
        left = [f"pending {flow}: waits for {p.stage.value}" for flow, p in core.pending.items()]
        left += [f"session {s.id} {s.state.value}" for s in core.sessions.values()]
        left += [f"wing {key} of session {s.id}" for key, s in core.by_key.items()]
        left += [f"timer of session {session_id}" for session_id in core.timers]
        left += [f"gateway's timer of session {session_id}" for session_id in core.alg_timers]
        left += [f"server's timer of session {session_id}" for session_id in core.syn_timers]
        left += self._guard.audit()
        left += self._live.reassembly.audit()
        return left
