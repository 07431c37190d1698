"""The invariants of sessions, held after every step at no more cost than the step touches.

The ledger keeps books of its own from the messages that it sees: which flows the central point has
taken up, which sessions it has acknowledged, which ports it has granted, what is changing since
when. After each step it compares them with what the machines hold at the one key or session that
the step was about. ``audit.py`` compares everything with everything, now and then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from controller.central_point import CentralPoint
from controller.config.schema import SECOND
from controller.flow import Direction, FlowKey, Nanoseconds
from controller.gate import Passage
from controller.messages import (
    AbandonSession,
    Actor,
    AuditMissing,
    CreateSession,
    InstallAck,
    InstallSession,
    NatGranted,
    OpenGates,
    Outbound,
    PacketDropped,
    PendingExpired,
    ReleaseNat,
    RemoveSession,
    RemoveWing,
    Role,
    SessionsUnknown,
    SpuFailed,
    SpuPurged,
    WingInstalled,
)
from controller.reasons import Close, Drop
from controller.simulate import inside
from controller.simulate.flow import Flow
from controller.simulate.gate_book import GateBook
from controller.simulate.inside import Binding
from controller.simulate.npu import FaultyNpu
from controller.simulate.violation import Rule, Violation
from controller.spu import Spu
from controller.spu.core import IDS_PER_SPU
from controller.spu.session import SessionState

PENDING_LIMIT: Nanoseconds = 5 * SECOND
"""How long the central point keeps a pending wing (``central_point.machine.PENDING_TIMEOUT``)."""
RESOLVE_LIMIT: Nanoseconds = 3 * SECOND
"""How long a next hop that does not answer is asked for."""


class Entry:
    """A flow that the central point has taken up."""

    __slots__ = ("flow", "forward", "port", "reverse", "session_id", "spu")

    def __init__(self, forward: FlowKey, spu: int, flow: Flow | None) -> None:
        self.forward = forward
        self.spu = spu
        self.flow = flow
        self.session_id = 0
        """0 while pending."""
        self.reverse: FlowKey | None = None
        self.port: Binding | None = None
        """Granted to it."""


class Ledger:
    """Watches every message; raises ``Violation``."""

    def __init__(self, slowest: Nanoseconds) -> None:
        """``slowest`` is the longest that a message is under way."""
        self.cp: CentralPoint
        self.spus: Mapping[int, Spu]
        self.npus: Mapping[int, FaultyNpu]
        self.now: Nanoseconds = 0
        self.crashed = False
        """Something did: from then on there are things to repair."""
        self.entries: dict[FlowKey, Entry] = {}
        """By forward wing."""
        self.by_session: dict[int, Entry] = {}
        self.ports: dict[Binding, int] = {}
        """Granted by the central point, and to how many flows."""
        self.waited_in_vain = 0
        """Fragments that the central point gave up: of which flow, nobody knows."""
        self.gates = GateBook()
        self.flow_of: dict[FlowKey, Flow] = {}
        """Whose a wing is."""
        self.sessions = 0
        """Acknowledged so far."""
        self.most = 0
        """Sessions at once."""
        self.checks = 0
        self._slowest = slowest
        self._pending_limit = PENDING_LIMIT + 4 * slowest + SECOND
        self._change_limit = 12 * slowest + RESOLVE_LIMIT + SECOND
        self._pending: deque[tuple[Nanoseconds, int, FlowKey, object]] = deque()
        self._changing: deque[tuple[Nanoseconds, int, int]] = deque()
        self._lost: deque[FlowKey] = deque()
        """Sessions of SPUs that failed, until the central point has forgotten them."""
        self._since: dict[int, Nanoseconds] = {}
        """By session: when it began to be installed, moved or closed."""
        self.on_sent: dict[type, Callable[[Actor, Any, Flow | None], None]] = {
            CreateSession: self._create,
            InstallAck: self._acknowledge,
            NatGranted: self._grant,
            RemoveWing: self._remove_wing,
            RemoveSession: self._removed_at_spu,
            PacketDropped: self._dropped,
        }
        """What to look at among the messages that a machine has sent."""
        self.on_handled: dict[type, Callable[[int, Any], None]] = {
            InstallAck: self._installing,
            WingInstalled: self._written,
            CreateSession: self._taken_up,
            SessionsUnknown: self._unknown,
        }
        """What to look at after an SPU, by number, has handled a message."""
        self.on_cp: dict[type, Callable[[Any], None]] = {
            InstallSession: self._decided,
            AbandonSession: self._let_go,
            RemoveSession: self._removed_at_cp,
            ReleaseNat: self._released,
            AuditMissing: self._missed,
            OpenGates: lambda message: self.gates.opened(self.cp, message.session_id),
            SpuFailed: self._failed,
            SpuPurged: self._purged,
        }
        """What to look at after the central point has handled a message."""

    def bind(
        self, cp: CentralPoint, spus: Mapping[int, Spu], npus: Mapping[int, FaultyNpu]
    ) -> None:
        """These are the machines to look at."""
        self.cp, self.spus, self.npus = cp, spus, npus

    def close_books(self) -> None:
        """The controller is gone, and with it all that was to be."""
        for entry in self.entries.values():
            if entry.flow is not None:
                entry.flow.entries -= 1
        self.entries.clear()
        self.by_session.clear()
        self.ports.clear()
        self._pending.clear()
        self._changing.clear()
        self._since.clear()
        self._lost.clear()
        self.gates.forget(())

    # -- the central point --------------------------------------------------------------------

    def _create(self, _: Actor, message: CreateSession, flow: Flow | None) -> None:
        key = message.flow
        found = inside.cp_entry(self.cp, key)
        if key in self.entries:
            self.broken(Rule.ENTRIES, f"{key} is taken up a second time", key)
        if found is None or found.session_id or not inside.cp_waits(self.cp, key):
            self.broken(Rule.ENTRIES, f"no pending wing for {key}, which is asked for", key)
        assert found is not None
        self.entries[key] = Entry(key, found.spu, flow)
        if flow is not None:
            flow.entries += 1
            self.flow_of[key] = flow
            flow.names.append(key)
        if message.passage is not None:
            self._pass(message.passage, flow)

    def _pass(self, passage: Passage, flow: Flow | None) -> None:
        """A flow comes through a gate: its own, or one that was given the port of that."""
        if not self.gates.passed(passage):
            what = f"a session more than gate {passage.gate} lets through"
            self.broken(Rule.GATES, what, None, passage.parent)
        parent = self.by_session.get(passage.parent)
        announcer = None if parent is None else parent.flow
        if flow is not None and (announcer is None or announcer.root is not flow.root):
            flow.astray = True

    def _decided(self, message: InstallSession) -> None:
        """An installation was acknowledged or refused; what was in its way may be gone."""
        self._still(message.forward)
        self._still(message.reverse)

    def _acknowledge(self, _: Actor, message: InstallAck, __: Flow | None) -> None:
        key, session_id = message.flow, message.session_id
        entry = self.entries.get(key)
        found = inside.cp_entry(self.cp, key)
        if entry is None or found is None or found.session_id != session_id:
            self.broken(Rule.ENTRIES, f"acknowledged, but not active: {key}", key, session_id)
            return
        reverse = found.reverse
        if reverse is None or inside.cp_entry(self.cp, reverse) != found:
            self.broken(Rule.ENTRIES, "acknowledged without its reverse wing", key, session_id)
            return
        if inside.cp_waits(self.cp, key):
            self.broken(Rule.TIMERS, "active, but its pending time-out runs", key, session_id)
        entry.session_id, entry.reverse = session_id, reverse
        self.by_session[session_id] = entry
        self.sessions += 1
        self.most = max(self.most, len(self.by_session))
        if entry.flow is not None:
            self.flow_of[reverse] = entry.flow
            entry.flow.names.append(reverse)

    def _let_go(self, message: AbandonSession) -> None:
        self._still(message.flow)

    def _removed_at_cp(self, message: RemoveSession) -> None:
        self._still(message.forward)
        found = inside.cp_entry(self.cp, message.reverse)
        if found is not None and found.session_id == message.session_id:
            self.broken(Rule.ENTRIES, "its reverse wing stays", message.forward, found.session_id)

    def _failed(self, message: SpuFailed) -> None:
        """An SPU is gone: its pending flows are forgotten, and its sessions will be."""
        self.crashed = True
        mine = [entry for entry in self.entries.values() if entry.spu == message.spu]
        for entry in mine:
            if entry.session_id:
                self._lost.append(entry.forward)
            else:
                self._still(entry.forward)

    def _purged(self, message: SpuPurged) -> None:
        """An NPU says that it has no wing of an SPU that failed."""
        clearing = inside.is_clearing(self.cp, message.spu)
        for key, session_id in self.npus[message.npu].entries().items():
            if clearing and session_id // IDS_PER_SPU == message.spu:
                what = f"its wing stays on NPU {message.npu}, though SPU {message.spu} failed"
                self.broken(Rule.WINGS, what, key, session_id)

    def _missed(self, message: AuditMissing) -> None:
        """An SPU lacks sessions, or had ended them when it said so."""
        for session_id, key in message.sessions:
            entry = self.entries.get(key)
            if entry is not None and entry.session_id == session_id:
                if not self.crashed:
                    self.broken(Rule.REPAIR, "its SPU lacks it", key, session_id)
                self._still(key)

    def _unknown(self, spu: int, message: SessionsUnknown) -> None:
        """The central point lacks sessions that an SPU has."""
        for session_id, key in message.sessions:
            session = inside.sessions(self.spus[spu]).get(session_id)
            if session is not None and session.close is Close.CP_LOST and not self.crashed:
                self.broken(Rule.REPAIR, "the central point lacks it", key, session_id)

    def expired(self, messages: Iterable[Outbound]) -> None:
        """The central point has looked at its clock."""
        while self._lost and inside.cp_entry(self.cp, self._lost[0]) is None:
            self._still(self._lost.popleft())
        for _, message in messages:
            if isinstance(message, PendingExpired):
                self._still(message.flow)

    def _still(self, key: FlowKey) -> None:
        """Close the books on a wing if the central point has."""
        entry = self.entries.get(key)
        if entry is None:
            return
        self.checks += 1
        found = inside.cp_entry(self.cp, key)
        if found is not None and found.session_id == entry.session_id:
            if not found.session_id and not inside.cp_waits(self.cp, key):
                self.broken(Rule.TIMERS, "pending without a time-out", key)
            return
        if inside.cp_waits(self.cp, key) and found is None:
            self.broken(Rule.TIMERS, "a time-out of a wing that is gone", key)
        del self.entries[key]
        if entry.flow is not None:
            entry.flow.entries -= 1
        if entry.port is not None:
            self._free(entry.port, key)
        session_id = entry.session_id
        if not session_id:
            return
        del self.by_session[session_id]
        if entry.reverse is not None:
            reverse = inside.cp_entry(self.cp, entry.reverse)
            if reverse is not None and reverse.session_id == session_id:
                self.broken(Rule.ENTRIES, "its reverse wing stays", key, session_id)
        if inside.gates_of(self.cp, session_id):
            self.broken(Rule.GATES, "it is gone, and its gates are not", key, session_id)
        spu = self.spus.get(entry.spu)
        if spu is not None and session_id in inside.sessions(spu):
            self.broken(
                Rule.ENTRIES, "forgotten by the central point, but its SPU has it", key, session_id
            )

    # -- ports --------------------------------------------------------------------------------

    def _grant(self, _: Actor, message: NatGranted, __: Flow | None) -> None:
        binding = message.address, message.protocol, message.port
        holders = self.ports.get(binding, 0)
        if holders and not inside.may_share(self.cp, *binding):
            self.broken(Rule.PORTS, f"port {message.port} is given twice", message.flow)
        self.ports[binding] = holders + 1
        entry = self.entries.get(message.flow)
        if entry is None:
            self.broken(Rule.PORTS, "a port for a flow that is not known", message.flow)
            return
        entry.port = binding

    def _released(self, message: ReleaseNat) -> None:
        entry = None if message.flow is None else self.entries.get(message.flow)
        binding = message.address, message.protocol, message.port
        if entry is not None and entry.spu == message.spu and entry.port == binding:
            entry.port = None
            self._free(binding, entry.forward)

    def _free(self, binding: Binding, key: FlowKey) -> None:
        """A port goes back, unless others share it, or a gate: then with that."""
        self.ports[binding] -= 1
        if self.ports[binding]:
            return
        del self.ports[binding]
        if inside.is_granted(self.cp, *binding) and binding not in inside.leased(self.cp):
            self.broken(Rule.PORTS, f"port {binding[2]} has no holder any more", key)

    # -- SPUs ---------------------------------------------------------------------------------

    def _taken_up(self, spu: int, message: CreateSession) -> None:
        key = message.flow
        pending = inside.pending(self.spus[spu]).get(key)
        if pending is not None:
            self._pending.append((self.now + self._pending_limit, spu, key, pending))

    def _installing(self, spu: int, message: InstallAck) -> None:
        """The central point has it: so must the SPU, from now on."""
        self.checks += 1
        if self.spus[spu].is_joining:
            return  # it was for its predecessor, whose end the central point will hear of
        session_id = message.session_id
        session = inside.sessions(self.spus[spu]).get(session_id)
        if session is None:
            self.broken(
                Rule.ENTRIES, "acknowledged, but its SPU has none", message.flow, session_id
            )
            return
        if message.flow in inside.pending(self.spus[spu]):
            self.broken(Rule.ENTRIES, "installed, and still pending", message.flow, session_id)
        self.check(spu, session_id)
        self._change(spu, session_id)

    def _written(self, spu: int, message: WingInstalled) -> None:
        session_id = message.session_id
        session = inside.sessions(self.spus[spu]).get(session_id)
        if session is None:
            return
        if session.state is SessionState.ACTIVE:
            self._since.pop(session_id, None)
            self.check(spu, session_id)
        elif session.state is SessionState.CLOSING:
            self._change(spu, session_id)

    def check(self, spu: int, session_id: int) -> None:
        """A session against the central point and the NPUs."""
        self.checks += 1
        session = inside.sessions(self.spus[spu])[session_id]
        keys = inside.by_key(self.spus[spu])
        for direction in Direction:
            wing = session.wings[direction]
            key = wing.key
            if keys.get(key) is not session:
                self.broken(Rule.ENTRIES, f"its SPU does not find it by {key}", key, session_id)
            found = inside.cp_entry(self.cp, key)
            if found is None or found.session_id != session_id or found.spu != spu:
                what = f"the central point has no {direction.name.lower()} wing of it"
                self.broken(Rule.ENTRIES, what, key, session_id)
            if session.state is SessionState.ACTIVE and session.installed >> direction & 1:
                npu = self.npus[wing.ingress.npu]
                if npu.holds(key) != session_id and not npu.lost:
                    what = f"its {direction.name.lower()} wing is not on NPU {wing.ingress.npu}"
                    self.broken(Rule.WINGS, what, key, session_id)

    def _change(self, spu: int, session_id: int) -> None:
        """From now on it is in transition."""
        if self._since.get(session_id) != self.now:
            self._since[session_id] = self.now
            self._changing.append((self.now + self._change_limit, spu, session_id))

    def _remove_wing(self, sender: Actor, message: RemoveWing, _: Flow | None) -> None:
        if sender.role is Role.SPU:
            self._change(sender.number, message.session_id)

    def _removed_at_spu(self, sender: Actor, message: RemoveSession, _: Flow | None) -> None:
        """The SPU is done with it: so must the NPUs be."""
        self.checks += 1
        session_id = message.session_id
        spu = self.spus[sender.number]
        self._since.pop(session_id, None)
        if session_id in inside.sessions(spu):
            self.broken(Rule.ENTRIES, "removed, but its SPU has it", message.forward, session_id)
        if inside.has_timer(spu, session_id):
            self.broken(Rule.TIMERS, "removed, but a timer runs", message.forward, session_id)
        for key in (message.forward, message.reverse):
            for npu in self.npus.values():
                if npu.holds(key) == session_id and not npu.lost:
                    what = f"its wing {key} stays on NPU {npu.number}"
                    self.broken(Rule.WINGS, what, message.forward, session_id)

    def _dropped(self, _: Actor, message: PacketDropped, flow: Flow | None) -> None:
        """A packet fell, with a reason."""
        if message.reason is Drop.STALE_SESSION and not self.crashed:
            self.broken(Rule.REPAIR, message.detail, message.flow)
        owner = None if message.flow is None else self.flow_of.get(message.flow)
        if owner is None:
            owner = flow
        if owner is not None:
            owner.open -= 1
            owner.fallen += 1
        elif message.reason is Drop.FRAGMENT_TIMEOUT:
            self.waited_in_vain += 1

    # -- time ---------------------------------------------------------------------------------

    def due(self) -> None:
        """What should have come to rest by now?"""
        now = self.now
        while self._pending and self._pending[0][0] <= now:
            _, spu, key, pending = self._pending.popleft()
            if spu in self.spus and inside.pending(self.spus[spu]).get(key) is pending:
                self.broken(Rule.BOUNDED, f"SPU {spu} has it pending for too long", key)
        while self._changing and self._changing[0][0] <= now:
            when, spu, session_id = self._changing.popleft()
            if self._since.get(session_id) != when - self._change_limit:
                continue
            session = inside.sessions(self.spus[spu]).get(session_id) if spu in self.spus else None
            if session is not None and session.state is not SessionState.ACTIVE:
                what = f"{session.state.value.lower()} for too long at SPU {spu}"
                self.broken(Rule.BOUNDED, what, session.wings[0].key, session_id)
            del self._since[session_id]

    def broken(self, rule: Rule, what: str, key: FlowKey | None, session_id: int = 0) -> None:
        """Say whose it is, and end the run."""
        flow = None if key is None else self.flow_of.get(key)
        if flow is None and session_id in self.by_session:
            flow = self.by_session[session_id].flow
        number = 0 if flow is None else flow.number
        raise Violation(rule, what, self.now, number, session_id)
