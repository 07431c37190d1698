"""The invariants of sessions, held after every step at no more cost than the step touches.

The ledger keeps books of its own from the messages that it sees: which flows the central point has
taken up, which sessions it has acknowledged, which ports it has granted, what is changing since
when. After each step it compares them with what the machines hold at the one key or session that
the step was about. ``audit.py`` compares everything with everything, now and then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from controller.flow import Direction, FlowKey, Nanoseconds
from controller.gate import Passage
from controller.messages import (
    AbandonSession,
    Actor,
    AuditMissing,
    CreateSession,
    InstallAck,
    InstallRefused,
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
from controller.simulate.books import Books, Entry
from controller.simulate.flow import Flow
from controller.simulate.gate_book import GateBook
from controller.simulate.ports import Ports
from controller.simulate.tally import Tally
from controller.simulate.transitions import Transitions
from controller.simulate.violation import Rule
from controller.spu.core import IDS_PER_SPU
from controller.spu.session import SessionState


class Ledger(Books):
    """Watches every message; raises ``Violation``."""

    def __init__(self, slowest: Nanoseconds, patience: Nanoseconds, tally: Tally) -> None:
        """``slowest`` is the longest that a message is under way; ``patience``, that a wing may be
        pending."""
        super().__init__()
        self._tally = tally
        self.crashed = False
        """Something did: from then on there are things to repair."""
        self.waited_in_vain = 0
        """Fragments that the central point gave up: of which flow, nobody knows."""
        self.gates = GateBook()
        self.sessions = 0
        """Acknowledged so far."""
        self.most = 0
        """Sessions at once."""
        self.checks = 0
        self._ports = Ports(self)
        self._transitions = Transitions(self, slowest, patience)
        self.due = self._transitions.due
        """What should have come to rest by now has."""
        self._lost: deque[FlowKey] = deque()
        """Sessions of SPUs that failed, until the central point has forgotten them."""
        self.on_sent: dict[type, Callable[[Actor, Any, Flow | None], None]] = {
            CreateSession: self._create,
            InstallAck: self._acknowledge,
            NatGranted: self._ports.granted,
            RemoveWing: self._remove_wing,
            RemoveSession: self._removed_at_spu,
            PacketDropped: self._dropped,
        }
        """What to look at among the messages that a machine has sent."""
        self.on_handled: dict[type, Callable[[int, Any], None]] = {
            InstallAck: self._installing,
            WingInstalled: self._written,
            CreateSession: self._taken_up,
            InstallRefused: self._refused,
            SessionsUnknown: self._unknown,
        }
        """What to look at after an SPU, by number, has handled a message."""
        self.on_cp: dict[type, Callable[[Any], None]] = {
            InstallSession: self._decided,
            AbandonSession: self._let_go,
            RemoveSession: self._removed_at_cp,
            ReleaseNat: self._ports.released,
            AuditMissing: self._missed,
            OpenGates: lambda message: self.gates.opened(self.cp, message.session_id),
            SpuFailed: self._failed,
            SpuPurged: self._purged,
        }
        """What to look at after the central point has handled a message."""

    def close_books(self) -> None:
        """The controller is gone, and with it all that was to be."""
        for entry in self.entries.values():
            if entry.flow is not None:
                entry.flow.entries -= 1
        self.entries.clear()
        self.by_session.clear()
        self._ports.clear()
        self._transitions.clear()
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
        self._transitions.done(message.spu, message.flow)

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
        self._ports.free(entry)
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

    # -- SPUs ---------------------------------------------------------------------------------

    def _taken_up(self, spu: int, message: CreateSession) -> None:
        self._transitions.taken_up(spu, message.flow)

    def _refused(self, spu: int, message: InstallRefused) -> None:
        self._transitions.done(spu, message.flow)

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
        self._transitions.done(spu, message.flow)
        self._tally.paths[session.not_express] += 1
        self.check(spu, session_id)
        self._transitions.begin(spu, session_id)

    def _written(self, spu: int, message: WingInstalled) -> None:
        session_id = message.session_id
        session = inside.sessions(self.spus[spu]).get(session_id)
        if session is None:
            return
        if session.state is SessionState.ACTIVE:
            self._transitions.end(session_id)
            self.check(spu, session_id)
        elif session.state is SessionState.CLOSING:
            self._transitions.begin(spu, session_id)

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

    def _remove_wing(self, sender: Actor, message: RemoveWing, _: Flow | None) -> None:
        if sender.role is Role.SPU:
            self._transitions.begin(sender.number, message.session_id)

    def _removed_at_spu(self, sender: Actor, message: RemoveSession, _: Flow | None) -> None:
        """The SPU is done with it: so must the NPUs be."""
        self.checks += 1
        session_id = message.session_id
        spu = self.spus[sender.number]
        self._transitions.end(session_id)
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
            owner.fell(message.flow)
        elif message.reason is Drop.FRAGMENT_TIMEOUT:
            self.waited_in_vain += 1
