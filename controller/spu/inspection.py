"""What an SPU shows of itself: its sessions, its counters, and what is left of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.config.nat import NatRule
from controller.config.schema import Alg
from controller.flow import Address, Direction, FlowKey, Nanoseconds, Path, Port, Wing
from controller.spu.core import Core, NatCounts
from controller.spu.express import NotExpress
from controller.spu.live_path import LivePath
from controller.spu.reassembly import FragmentCounts
from controller.spu.repair import Repair
from controller.spu.replies import Replies
from controller.spu.session import Session, SessionState
from controller.spu.syn_guard import GuardCounts, SynGuard
from controller.spu.tcp import ANSWERED


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as an operator sees it."""

    id: int
    spu: int
    state: SessionState
    policy: str
    policy_index: int
    application: str
    forward: Wing
    reverse: Wing
    path: Path
    not_express: NotExpress | None
    """Why it does not ride Express Path."""
    started: Nanoseconds
    last_seen: Nanoseconds
    """When its SPU last saw a packet. Of an Express Path session the NPUs know better."""
    timeout: Nanoseconds
    """The inactivity time-out in force; it counts from the last packet."""
    tcp: str
    """State of the TCP connection, in lower case; empty for other protocols."""
    packets: tuple[int, int]
    """Per direction, only those that no NPU entry counted: add the entries' direct counters."""
    bytes: tuple[int, int]
    alg: Alg | None = None
    """The gateway that reads along."""
    parent: int = 0
    """Session id of the control session whose gate let it in."""

    fins: int = 0
    """A bit per direction that sent a FIN."""
    checks_sequence: bool = False
    """Its SPU sees all of its segments, and follows their numbers."""
    next_hops: tuple[Address, Address] = (b"", b"")
    """Per direction."""
    nat_pool: str = ""
    """Where its source is from, if it was granted: a pool's name, or ``INTERFACE_POOL``."""
    source_rule: NatRule | None = None
    """What translated its source."""
    destination_rule: NatRule | None = None
    """What translated its destination."""
    astray: tuple[Port | None, Port | None] = (None, None)
    """Per direction: a port of another NPU than its wing's by which packets were seen to come, on
    their way through the central point."""
    on_npus: tuple[bool, bool] = (True, True)
    """Per direction: whether its NPU has the wing. If not (its table is full), packets come to the
    SPU by the central point."""
    when_established: tuple[int, Nanoseconds] | None = None
    """Of an Express Path connection whose handshake's last ACK its SPU does not see: its forward
    wing's counter without that ACK, and its time-out with it."""

    def seen(self, forward_packets: int) -> SessionView:
        """The same, with what its forward wing's counter says of the handshake."""
        if self.when_established is None or forward_packets <= self.when_established[0]:
            return self
        return replace(self, tcp="established", timeout=self.when_established[1])

    def timeout_left(self, now: Nanoseconds, idle: Nanoseconds | None = None) -> Nanoseconds:
        """Until it ages out; ``idle`` is what the NPUs say, if they were asked."""
        silent = now - self.last_seen
        if idle is not None:
            silent = min(silent, idle)
        return max(0, self.timeout - silent)


class Inspection:
    """Questions to an SPU, which ``Spu`` answers beside taking messages. Counts are from the start,
    or from when they were last cleared."""

    def __init__(
        self, core: Core, live: LivePath, replies: Replies, guard: SynGuard, repair: Repair
    ) -> None:
        self._core = core
        self._live = live
        self._replies = replies
        self._guard = guard
        self._repair = repair

    @property
    def number(self) -> int:
        """Which SPU this is."""
        return self._core.number

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
            when_established=_when_established(session),
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


def _when_established(session: Session) -> tuple[int, Nanoseconds] | None:
    tcp = session.tcp
    if tcp is None or tcp.state is not ANSWERED or session.path is not Path.EXPRESS:
        return None
    return tcp.forward_controls, session.service.timeout
