"""The central point's machine: steps 2 and 4 of the first packet's walk, and repair.

Every wing of every session is here, with its state and owner SPU. The machine relies on messages
between it and an SPU arriving in the order sent. From that follows the repair rule. An SPU that is
handed a packet of session S has had the acknowledgement of S, and if S ended, said so before it
sends the packet back. So if the packet comes back and S stands here, S is known here alone, and
goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from controller.central_point.audit import Audit
from controller.central_point.balance import Balance
from controller.central_point.fleet import Fleet, Member
from controller.central_point.fragments import FragmentTable
from controller.central_point.gates import Binding, Gate, GateTable, Lease
from controller.central_point.limits import SessionLimits, rules
from controller.central_point.nat_arbiter import PORTS, Grant, NatArbiter
from controller.central_point.nat_desk import NatDesk
from controller.central_point.watermarks import Watermarks
from controller.config.schema import PENDING_TIMEOUT as PENDING_TIMEOUT
from controller.config.schema import Chassis, Configuration
from controller.flow import Direction, FlowKey, Nanoseconds, WingState, text
from controller.gate import Endpoint
from controller.icmp import parse_quoted
from controller.messages import (
    CP,
    OBSERVER,
    AbandonSession,
    Actor,
    AllocateNat,
    AnswerSyn,
    AuditMissing,
    ClearPersistentNat,
    CloseGates,
    ConfirmSessions,
    CreateRequest,
    CreateSession,
    Deliver,
    DrainSpu,
    FirstFragment,
    GatesOpened,
    GatesRefused,
    InjectNatFaults,
    InstallAck,
    InstallRefused,
    InstallSession,
    Message,
    NatGranted,
    NatNotice,
    NatRefused,
    OpenGates,
    Outbound,
    PacketDropped,
    PacketIn,
    PendingExpired,
    Reconfigure,
    Redirect,
    ReleaseNat,
    RemoveSession,
    Role,
    SessionsUnknown,
    SpuFailed,
    SpuJoined,
    SpuPurged,
    Step,
    StepTaken,
    WingLeftOut,
)
from controller.packet import RST, TCP, Packet, parse
from controller.reasons import Drop, Punt
from controller.timers import Timers


class _Entry:
    """What the global table knows of a session; both wings' keys lead to the same entry."""

    __slots__ = ("forward", "leases", "nat", "reverse", "session_id", "spu")

    def __init__(self, forward: FlowKey, spu: int) -> None:
        self.forward = forward
        self.spu = spu
        self.reverse: FlowKey | None = None
        """``None`` while the forward wing is pending."""
        self.session_id = 0
        self.nat: Grant | None = None
        """What it was granted and has not released."""
        self.leases: tuple[Lease, ...] = ()
        """Ports that it has from a gate it came through."""


@dataclass(frozen=True, slots=True)
class CpWing:
    """A wing as ``show security flow cp-session`` has it."""

    session_id: int
    """0 while pending."""
    spu: int
    direction: Direction
    state: WingState
    key: FlowKey


@dataclass(frozen=True, slots=True)
class CpCounts:
    """Sizes of the global table."""

    active: int
    """Sessions."""
    pending: int
    """Wings without a session yet."""
    maximum: int
    """Sessions that the chassis may have."""
    by_spu: dict[int, int]
    """Sessions and pending wings of each SPU."""
    reclaimed: int
    """Wings so far that were pending for too long."""


class CentralPoint:
    """``handle`` a message, ``tick`` when ``deadline`` has come; both return what to send."""

    def __init__(
        self,
        config: Configuration,
        chassis: Chassis,
        *,
        nat_ports: range = PORTS,
        trace: bool = True,
    ) -> None:
        """``nat_ports`` are those source NAT may use; without ``trace`` no steps are reported."""
        self.nat = NatArbiter(nat_ports, config.nat)
        self.nat.tell = self._on_notice
        self.gates = GateTable(self.nat)
        self._desk = NatDesk(self.nat, self.gates, chassis.nat_faults)
        self.config = config
        self._tokens = _tokens(config)
        self._balance = balance = Balance(chassis.spus, chassis.cp)
        self._fleet: Fleet[_Entry] = Fleet(
            chassis,
            balance,
            now=lambda: self._now,
            send=lambda to, message: self._out.append(Outbound(to, message)),
            surrender=self._surrender,
            forget=self._forget_lost,
        )
        self._pending_timeout = chassis.cp.pending_timeout
        self.trace = trace
        """Whether steps are reported; may change at any time."""
        self._table: dict[FlowKey, _Entry] = {}
        self._audit = Audit(self._table)
        self._fragments = FragmentTable()
        self._active = 0
        self._reclaimed = 0
        self._pending: Timers[FlowKey] = Timers()
        self._spus = {number: Actor(Role.SPU, number) for number in chassis.spus}
        self._npus = {number: Actor(Role.NPU, number) for number in chassis.npus}
        self.screen_hits: Counter[tuple[int, Drop]] = Counter()
        """What the screens of the central point found, by zone's number and screen."""
        self._answers_syns = False
        """Some zone wants SYNs above the attack threshold to be answered by an SPU."""
        self._watermarks: Watermarks | None = None
        self._limits: SessionLimits | None = None
        self._left_out: dict[FlowKey, list[FlowKey]] = {}
        """Wings that an NPU has no room for, by their session's forward wing."""
        self._limit()
        self._now: Nanoseconds = 0
        self._out: list[Outbound] = []
        self._handlers: dict[type, Callable[[Any], None]] = {
            PacketIn: self._on_packet_in,
            Reconfigure: self._on_reconfigure,
            Redirect: self._on_redirect,
            FirstFragment: self._on_first_fragment,
            CreateRequest: self._on_create_request,
            AllocateNat: self._on_allocate_nat,
            ReleaseNat: self._on_release_nat,
            ClearPersistentNat: self._desk.clear,
            InjectNatFaults: self._desk.inject,
            InstallSession: self._on_install,
            AbandonSession: self._on_abandon,
            RemoveSession: self._on_remove,
            WingLeftOut: self._on_wing_left_out,
            OpenGates: self._on_open_gates,
            CloseGates: self._on_close_gates,
            SpuFailed: self._fleet.failed,
            SpuJoined: self._fleet.joined,
            SpuPurged: self._fleet.purged,
            DrainSpu: self._fleet.drain,
            AuditMissing: self._on_missing,
            ConfirmSessions: self._on_confirm,
        }

    # -- the machine --------------------------------------------------------------------------

    def handle(self, message: Message, now: Nanoseconds) -> list[Outbound]:
        """Take a message of an NPU or an SPU."""
        self._now = self.nat.now = now
        self._out = []
        self._handlers[type(message)](message)
        return self._out

    def deadline(self) -> Nanoseconds | None:
        """When ``tick`` is due."""
        gates, pending = self.gates.deadline(), self._pending.next()
        deadline = pending
        if gates is not None and (deadline is None or gates < deadline):
            deadline = gates
        if len(self._fragments):
            fragments = self._fragments.deadline()
            if fragments is not None and (deadline is None or fragments < deadline):
                deadline = fragments
        desk = self._desk.deadline()
        if desk is not None and (deadline is None or desk < deadline):
            deadline = desk
        if self._active:
            audit = self._audit.next or self._audit.due(self._now)
            if deadline is None or audit < deadline:
                deadline = audit
        if not self._fleet.is_whole:
            fleet = self._fleet.deadline()
            if fleet is not None and (deadline is None or fleet < deadline):
                deadline = fleet
        return deadline

    def tick(self, now: Nanoseconds) -> list[Outbound]:
        """Reclaim wings that were pending for too long, gates, and what SPUs left behind."""
        self._now = self.nat.now = now
        self._out = out = []
        self.gates.tick(now)
        self.nat.tick()
        for ask in self._desk.due(now):
            waiting = self._table.get(ask.flow)
            if waiting is not None and waiting.spu == ask.spu and waiting.nat is None:
                self._grant(ask, waiting)
        for flow in self._pending.due(now):
            entry = self._table[flow]
            self._end_pending(entry)
            self._reclaimed += 1
            out.append(Outbound(self._spus[entry.spu], PendingExpired(flow)))
        for late in self._fragments.due(now):
            where = f"NPU {late.port.npu} port {late.port.port}"
            self._drop(Drop.FRAGMENT_TIMEOUT, None, f"its first fragment did not come, {where}")
        self._fleet.tick()
        if self._active and self._audit.due(now) <= now:
            out += self._audit.ask(now)
        return out

    def _on_reconfigure(self, message: Reconfigure) -> None:
        """Sessions are their SPUs' business; the next first packet meets the new configuration."""
        self.config = message.configuration
        self._tokens = _tokens(message.configuration)
        self.nat.configure(message.configuration.nat)
        self._limit()

    # -- packets ------------------------------------------------------------------------------

    def _on_packet_in(self, message: PacketIn) -> None:
        packet = parse(message.frame)
        if isinstance(packet, Drop):
            self._drop(packet, None, "malformed first packet")
            return
        if packet.is_later_fragment:
            self._on_later_fragment(message, packet)
            return
        if packet.is_icmp_error:
            self._on_icmp_error(message)
            return
        flow = packet.key(message.token)
        if packet.fragment:
            waited = self._fragments.note(packet.datagram(message.token), flow, self._now)
            self._find_or_create(flow, message, packet)
            for later in waited:
                self._find_or_create(flow, later)
            return
        if not self._answers_syns or packet.protocol != TCP:
            self._find_or_create(flow, message, packet)
        elif message.reason is Punt.SYN_PROXY and packet.begins_session and flow not in self._table:
            self._have_answered(flow, message)
        elif packet.flags & RST and flow not in self._table:
            # Hosts that an attacker pretends to be say so to our answers.
            self._drop(Drop.TCP_NOT_SYN, flow, "a RST of no session")
        else:
            # It may acknowledge an answer: whoever gave that knows best.
            wanted = 0 if packet.begins_session else self._guard_of(flow)
            self._find_or_create(flow, message, packet, wanted)

    def _on_later_fragment(self, message: PacketIn, packet: Packet) -> None:
        """It belongs where its first one does; if that is not known yet, it waits."""
        key = packet.datagram(message.token)
        flow = self._fragments.flow(key, self._now)
        if flow is not None:
            self._find_or_create(flow, message)
        elif not self._fragments.hold(key, message, self._now + self.config.reassembly_timeout):
            self._drop(Drop.FRAGMENT_LIMIT, None, "too many fragments wait for their first one")

    def _on_first_fragment(self, message: FirstFragment) -> None:
        """An SPU saw what later fragments may have waited for."""
        for later in self._fragments.note(message.key, message.flow, self._now):
            self._find_or_create(message.flow, later)

    def _have_answered(self, flow: FlowKey, message: PacketIn) -> None:
        """A SYN above the attack threshold: an SPU answers it, and nothing is kept here."""
        if self._limits is not None:
            refused = self._limits.refusal(flow, self._now)
            if refused is not None:
                self._tell_npus()
                self._drop(refused.reason, flow, refused.detail)
                return
        gate = self.gates.match(flow)
        spu = self._guard_of(flow) if gate is None else gate.spu
        if not spu:
            self._drop(Drop.NO_SPU, flow, "no SPU is in service")
            return
        self._out.append(Outbound(self._spus[spu], AnswerSyn(flow, message)))

    def _guard_of(self, flow: FlowKey) -> int:
        """The SPU that answers SYNs of a source, and hears of it when the source is really there:
        the same for all its flows, so that it can count them."""
        buckets = self._balance.buckets
        return buckets[crc32(flow.src) & 0xFF] if buckets else 0

    def _on_create_request(self, message: CreateRequest) -> None:
        """Hash-based distribution: an SPU was given the first packet of a flow."""
        self._find_or_create(message.flow, message.packet, wanted=message.spu)

    def _on_icmp_error(self, message: PacketIn) -> None:
        """The packet quoted left by the interface where the error came in, so the wing of its
        answer arrives there: the error goes to that wing's SPU."""
        quoted = parse_quoted(message.frame)
        if isinstance(quoted, Drop):
            self._drop(Drop.ICMP_ERROR_UNMATCHED, None, f"quoted packet: {quoted.name}")
            return
        flow = FlowKey(*quoted.tuple5.reversed(), message.token)
        entry = self._table.get(flow)
        if entry is None or entry.reverse is None:
            self._drop(Drop.ICMP_ERROR_UNMATCHED, flow, "no session of the quoted packet")
            return
        if self._goes_with_its_spu(entry):
            return
        deliver = Deliver(flow, message, entry.session_id)
        self._out.append(Outbound(self._spus[entry.spu], deliver))

    def _elsewhere(self, flow: FlowKey, packet: Packet) -> int:
        """The session that a packet would belong to, had it come from another zone; 0: none.

        Only asked for packets that begin no session: answers, mostly, that took another way back.
        """
        if packet.begins_session:
            return 0
        for token in self._tokens:
            entry = self._table.get(flow._replace(token=token))
            if entry is not None and entry.session_id:
                return entry.session_id
        return 0

    def _find_or_create(
        self, flow: FlowKey, message: PacketIn, packet: Packet | None = None, wanted: int = 0
    ) -> None:
        """``wanted`` is the SPU that the NPU's hash table chose; 0: the CP chooses."""
        entry = self._table.get(flow)
        if entry is not None:
            if self._goes_with_its_spu(entry):
                return
            # Pending: the SPU queues it. Active: the NPU's entry is still under way, or its
            # table lost it; the owner knows what to do.
            deliver = Deliver(flow, message, entry.session_id)
            self._out.append(Outbound(self._spus[entry.spu], deliver))
            return
        if self.trace:
            who = Actor(Role.NPU, message.port.npu)
            detail = f"port {message.port.port}, token {message.token}"
            self._out.append(
                Outbound(OBSERVER, StepTaken(message.at, who, Step.MISS, flow, detail))
            )
        if self._fleet.quarantine and self._fleet.keeps(flow):
            self._drop(Drop.INTERNAL, flow, "an SPU failed on this flow")
            return
        if self._limits is not None:
            refused = self._limits.refusal(flow, self._now)
            if refused is not None:
                self._tell_npus()
                self._drop(refused.reason, flow, refused.detail)
                return
        gate = self.gates.match(flow)
        balance = self._balance
        spu: int | None
        if gate is not None:
            spu = gate.spu if balance.take(gate.spu) else None
        elif wanted:
            spu = balance.prefer(wanted, flow)
        else:
            spu = balance.pick(flow)
        if spu is None:
            self._no_room(flow, gate)
            return
        entry = _Entry(flow, spu)
        passage = called = None
        if self.nat.persistent.outside and gate is None:
            called = self._call(flow, entry)
        if gate is not None:
            entered = self.gates.enter(gate, flow)
            if entered is None:
                balance.give_back(spu)
                self._drop(Drop.NAT_EXHAUSTED, flow, f"gate {gate.id}: no port for the source")
                return
            passage, leases = entered
            entry.leases = tuple(leases)
        self._table[flow] = entry
        self._pending.set(flow, self._now + self._pending_timeout)
        if self._limits is not None:
            self._limits.enter(flow)
        if self._watermarks is not None:
            self._out += self._watermarks.entered(spu, self._now)
        if self.trace:
            load = balance.load_of(spu)
            self._step(Step.PENDING, flow, f"SPU {spu}, its load now {load}")
            if passage is not None:
                detail = f"gate {passage.gate} of session {passage.parent}"
                self._step(Step.GATE, flow, detail)
        elsewhere = 0 if packet is None else self._elsewhere(flow, packet)
        create = CreateSession(flow, message, passage, elsewhere, called)
        self._out.append(Outbound(self._spus[spu], create))

    def _goes_with_its_spu(self, entry: _Entry) -> bool:
        """Drop a packet of a session whose SPU failed, until all of it is cleared away."""
        fleet = self._fleet
        if fleet.is_whole or not fleet.is_lost(entry.spu):
            return False
        detail = f"session {entry.session_id} goes with SPU {entry.spu}"
        self._drop(Drop.SPU_FAILED, entry.forward, detail)
        return True

    def _no_room(self, flow: FlowKey, gate: Gate | None) -> None:
        """Name the bound that a new session meets."""
        balance = self._balance
        if balance.total >= balance.maximum:
            detail = f"the chassis has {balance.total} sessions, its maximum"
            self._drop(Drop.SESSION_TABLE_FULL, flow, detail)
        elif gate is not None:
            detail = f"SPU {gate.spu}, where gate {gate.id} leads, has no room for a session"
            self._drop(Drop.SPU_FULL, flow, detail)
        elif not balance.in_service:
            self._drop(Drop.NO_SPU, flow, "no SPU is in service")
        else:
            self._drop(Drop.SPU_FULL, flow, "no SPU in service has room for a session")

    def _on_redirect(self, message: Redirect) -> None:
        flow = message.flow
        entry = self._table.get(flow)
        if entry is not None and entry.session_id and entry.session_id == message.session_id:
            # See the head of this module.
            self._forget(entry)
            self._drop(Drop.STALE_SESSION, flow, f"SPU {entry.spu} does not know its session")
            return
        if message.packet.reason in (Punt.ICMP_ERROR, Punt.FRAGMENT):
            # What they belong to is not what their own header says.
            self._on_packet_in(message.packet)
        else:
            self._find_or_create(flow, message.packet)

    # -- sessions -----------------------------------------------------------------------------

    def _on_install(self, message: InstallSession) -> None:
        table, forward, reverse = self._table, message.forward, message.reverse
        entry = table.get(forward)
        if entry is None or entry.spu != message.spu or entry.reverse is not None:
            overtaken = entry is not None and entry.reverse is not None
            self._refuse(message, Drop.NONE if overtaken else Drop.PENDING_TIMEOUT)
            return
        other = table.get(reverse)
        if other is not None:
            if other.reverse is not None or other is entry:
                self._end_pending(entry)
                self._refuse(message, Drop.WING_CLASH)
                return
            # Both ends spoke first: this install was first, so the other's flow is its answer.
            self._end_pending(other)
        self._pending.cancel(forward)
        entry.reverse = reverse
        entry.session_id = message.session_id
        member = self._fleet.members[message.spu]
        member.last_session_id = message.session_id
        member.created += 1
        table[reverse] = entry
        self._active += 1
        if self._limits is not None:
            self._limits.install(forward, self._now)
        if self.trace:
            self._out.append(
                Outbound(
                    OBSERVER,
                    StepTaken(
                        self._now, CP, Step.ACTIVE, forward, f"SPU {entry.spu}", entry.session_id
                    ),
                )
            )
        ack = InstallAck(message.session_id, forward)
        self._out.append(Outbound(self._spus[message.spu], ack))

    def _refuse(self, message: InstallSession, reason: Drop) -> None:
        refused = InstallRefused(message.session_id, message.forward, reason)
        self._out.append(Outbound(self._spus[message.spu], refused))

    def _on_abandon(self, message: AbandonSession) -> None:
        entry = self._table.get(message.flow)
        if entry is not None and entry.reverse is None and entry.spu == message.spu:
            self._end_pending(entry)

    def _on_remove(self, message: RemoveSession) -> None:
        entry = self._table.get(message.forward)
        if entry is not None and entry.reverse and entry.session_id == message.session_id:
            self._forget(entry)

    def _end_pending(self, entry: _Entry) -> None:
        del self._table[entry.forward]
        self._pending.cancel(entry.forward)
        self._leave(entry, True)

    def _forget(self, entry: _Entry) -> None:
        del self._table[entry.forward]
        if entry.reverse is not None:
            del self._table[entry.reverse]
        self._active -= 1
        self.gates.close(entry.session_id)
        self._leave(entry, False)

    def _leave(self, entry: _Entry, was_pending: bool) -> None:
        """What a session or pending flow had of the chassis is free again."""
        if not self._balance.give_back(entry.spu) and not self._fleet.is_whole:
            self._fleet.emptied(entry.spu)
        if self._watermarks is not None:
            self._out += self._watermarks.left(entry.spu, self._now)
        if entry.nat is not None:
            self._release(entry)
        if self._desk.waiting:
            self._desk.forget(entry.forward)
        for lease in entry.leases:
            self.gates.leave(lease)
        left_out = self._left_out.pop(entry.forward, ()) if self._left_out else ()
        limits = self._limits
        if limits is not None:
            limits.leave(entry.forward, was_pending)
            for key in left_out:
                limits.left_out(key, -1)
            self._tell_npus()

    def _surrender(self, spu: int) -> Iterator[_Entry]:
        """An SPU is gone: give up its gates and pending flows. All entries of now, its sessions'
        among them (most of them twice)."""
        for gate in [gate for gate in self.gates if gate.spu == spu]:
            self.gates.remove(gate.id)
        for flow in self._pending:
            entry = self._table[flow]
            if entry.spu == spu:
                self._end_pending(entry)
        return iter(list(self._table.values()))

    def _forget_lost(self, spu: int, entry: _Entry) -> None:
        """A session, perhaps of an SPU that is gone, whose last words may have been of its end."""
        if entry.spu == spu and self._table.get(entry.forward) is entry:
            self._forget(entry)

    # -- audit --------------------------------------------------------------------------------

    def _on_missing(self, message: AuditMissing) -> None:
        """An SPU does not have these sessions, and had said so if they had ended: forget them."""
        for session_id, flow in message.sessions:
            entry = self._table.get(flow)
            if entry is not None and entry.session_id == session_id and entry.reverse is not None:
                self._forget(entry)
                self._audit.found += 1

    def _on_confirm(self, message: ConfirmSessions) -> None:
        """An SPU has these sessions: tell which of them have no entry here."""
        table = self._table
        unknown = tuple(
            (session_id, flow)
            for session_id, flow in message.sessions
            if (entry := table.get(flow)) is None or entry.session_id != session_id
        )
        if unknown:
            answer = SessionsUnknown(message.spu, unknown)
            self._out.append(Outbound(self._spus[message.spu], answer))

    # -- screens ------------------------------------------------------------------------------

    def _limit(self) -> None:
        """Screens follow the configuration; sessions that are there count from the beginning."""
        self._answers_syns = _answers_syns(self.config)
        self._mark()
        by_token = rules(self.config)
        old = self._limits
        if old is not None:
            if by_token == old.by_token:
                return
            old.forget()
            self._tell_npus()
        self._limits = limits = SessionLimits(by_token, self.screen_hits) if by_token else None
        if limits is None:
            return
        for key, entry in self._table.items():
            if key == entry.forward:
                limits.enter(key)
                if entry.reverse is not None:
                    limits.install(key, self._now)
        for wings in self._left_out.values():
            for key in wings:
                limits.left_out(key, 1)

    def _mark(self) -> None:
        """Watermarks follow the configuration too; a table that is too full is found by the next
        session."""
        aging, old = self.config.aging, self._watermarks
        if old is not None:
            if old.aging == aging:
                return
            self._out += old.stop()
        self._watermarks = None if aging is None else Watermarks(aging, self._balance, self._spus)

    def _on_wing_left_out(self, message: WingLeftOut) -> None:
        entry = self._table.get(message.flow)
        if entry is None or entry.session_id != message.session_id:
            return
        wings = self._left_out.setdefault(message.flow, [])
        if message.key not in wings:
            wings.append(message.key)
            if self._limits is not None:
                self._limits.left_out(message.key, 1)
                self._tell_npus()

    def _tell_npus(self) -> None:
        limits = self._limits
        if limits is not None and limits.updates:
            self._out += [Outbound(self._npus[npu], update) for npu, update in limits.updates]
            limits.updates.clear()

    # -- gates --------------------------------------------------------------------------------

    def _on_open_gates(self, message: OpenGates) -> None:
        """A control session announced flows; only one that stands may."""
        entry = self._table.get(message.flow)
        answer: GatesOpened | GatesRefused
        if (
            entry is None
            or entry.session_id != message.session_id
            or self._fleet.is_lost(message.spu)
        ):
            opened: list[Endpoint] | Drop = Drop.GATE_PARENT_GONE
        else:
            opened = self.gates.open(message.session_id, message.spu, message.orders, self._now)
        if isinstance(opened, Drop):
            answer = GatesRefused(message.session_id, message.serial, opened)
        else:
            answer = GatesOpened(message.session_id, message.serial, tuple(opened))
        self._out.append(Outbound(self._spus[message.spu], answer))

    def _on_close_gates(self, message: CloseGates) -> None:
        self.gates.close(message.session_id, message.call)

    # -- NAT ----------------------------------------------------------------------------------

    def _on_allocate_nat(self, message: AllocateNat) -> None:
        """Only a flow that is known may have a port, so that none is granted that nobody frees."""
        entry = self._table.get(message.flow)
        if entry is None or entry.spu != message.spu or entry.nat is not None:
            refused = NatRefused(message.flow, Drop.PENDING_TIMEOUT, message.serial)
            self._out.append(Outbound(self._spus[message.spu], refused))
        elif self._desk.is_slow:
            self._desk.add(message, self._now)
        else:
            self._grant(message, entry)

    def _grant(self, message: AllocateNat, entry: _Entry) -> None:
        answer: NatGranted | NatRefused
        entry.nat, answer = self._desk.answer(message)
        self._out.append(Outbound(self._spus[message.spu], answer))

    def _on_release_nat(self, message: ReleaseNat) -> None:
        binding = Grant(message.address, message.protocol, message.port)
        if message.flow is None:
            self._desk.release(binding, None)
            return
        entry = self._table.get(message.flow)
        if (
            entry is not None
            and entry.spu == message.spu
            and entry.nat is not None
            and entry.nat[:3] == binding[:3]
        ):
            self._release(entry)

    def _release(self, entry: _Entry) -> None:
        if entry.nat is not None:
            self._desk.release(entry.nat, (entry.forward.src, entry.forward.token))
            entry.nat = None

    def _call(self, flow: FlowKey, entry: _Entry) -> Endpoint | None:
        """A first packet that may call the outside endpoint of a persistent binding. The session
        counts as one of the binding's until its entry here goes."""
        binding = self.nat.call(flow.src, flow.sport, flow.dst, flow.dport, flow.protocol)
        if binding is None:
            return None
        address, port, protocol = binding.outside
        entry.leases = (Lease([Binding(address, protocol, port)]),)
        return Endpoint(binding.inside.address, binding.inside.port)

    def _on_notice(self, notice: NatNotice) -> None:
        self._out.append(Outbound(OBSERVER, notice))

    # -- what it looks like -------------------------------------------------------------------

    def wings(self) -> Iterator[CpWing]:
        """Every wing in the global table."""
        for key, entry in list(self._table.items()):
            yield CpWing(
                entry.session_id,
                entry.spu,
                Direction.FORWARD if key == entry.forward else Direction.REVERSE,
                WingState.PENDING if entry.reverse is None else WingState.ACTIVE,
                key,
            )

    def counts(self) -> CpCounts:
        """Sessions, pending wings and room."""
        balance = self._balance
        return CpCounts(
            self._active,
            len(self._pending),
            balance.maximum,
            dict(balance.load),
            self._reclaimed,
        )

    def members(self) -> Mapping[int, Member[Any]]:
        """The SPUs and their states."""
        return self._fleet.members

    def audit(self) -> list[str]:
        """What is left, in words: nothing once every session is gone."""
        left = [f"wing {wing}" for wing in self.wings()]
        left += [f"pending timer {flow}" for flow in self._pending]
        left += [
            f"{count} NAT ports of {text(address)}, protocol {protocol}"
            for (address, protocol), count in self.nat.in_use().items()
        ]
        left += [f"load {load} of SPU {spu}" for spu, load in self._balance.load.items() if load]
        left += [f"gate {gate}" for gate in self.gates]
        left += self._desk.audit()
        left += [f"{len(self._fragments)} fragments wait"] if len(self._fragments) else []
        left += [f"wing left out of an NPU: {flow}" for flow in self._left_out]
        if self._limits is not None:
            left += self._limits.audit()
        if self._active:
            left.append(f"{self._active} sessions counted")
        return left

    def _step(self, step: Step, flow: FlowKey, detail: str) -> None:
        self._out.append(Outbound(OBSERVER, StepTaken(self._now, CP, step, flow, detail)))

    def _drop(self, reason: Drop, flow: FlowKey | None, detail: str) -> None:
        self._out.append(Outbound(OBSERVER, PacketDropped(self._now, CP, reason, flow, detail)))


def _answers_syns(config: Configuration) -> bool:
    profiles = [config.screens.get(zone.screen) for zone in config.zones.values()]
    inward = [p.screens for p in profiles if p is not None and p.inward]
    return any(Drop.SCREEN_SYN_FLOOD_ATTACK in screens for screens in inward)


def _tokens(config: Configuration) -> tuple[int, ...]:
    return tuple(dict.fromkeys(i.token for i in config.interfaces.values() if i.zone))
