"""Step 2 of the first packet's walk: whose is it, and if nobody's, which SPU gets it."""

from __future__ import annotations

from zlib import crc32

from controller.central_point.balance import Balance
from controller.central_point.core import Core
from controller.central_point.fragments import FragmentTable
from controller.central_point.gates import Gate
from controller.central_point.leases import Binding, Lease
from controller.central_point.sessions import Entry
from controller.config.schema import SynFloodMode
from controller.flow import FlowKey, Nanoseconds, places
from controller.gate import Endpoint
from controller.icmp import parse_quoted
from controller.messages import (
    OBSERVER,
    Actor,
    AnswerSyn,
    CreateRequest,
    CreateSession,
    Deliver,
    FirstFragment,
    PacketIn,
    Redirect,
    Role,
    Step,
    StepTaken,
)
from controller.packet import RST, TCP, Packet
from controller.reasons import Drop, Punt


class FirstPath:
    """Packets that no NPU knows a wing of."""

    def __init__(self, core: Core, pending_timeout: Nanoseconds) -> None:
        """``pending_timeout`` is how long a flow may wait for its session."""
        self._core = core
        self._pending_timeout = pending_timeout
        self.fragments = FragmentTable()
        self.delivered = 0
        """Packets of sessions that came here and went to their SPU."""
        self.redirected = 0
        """Packets that SPUs handed back."""

    # -- where packets come from --------------------------------------------------------------

    def packet_in(self, message: PacketIn) -> None:
        """An NPU sent a packet."""
        core = self._core
        packet = message.parse()
        if isinstance(packet, Drop):
            core.drop(packet, None, "malformed first packet")
            return
        if packet.fragment and packet.is_later_fragment:
            self._later_fragment(message, packet)
            return
        if packet.icmp_type >= 0 and packet.is_icmp_error:
            self._icmp_error(message)
            return
        flow = packet.key(message.token)
        if packet.fragment:
            waited = self.fragments.note(packet.datagram(message.token), flow, core.now)
            self._find_or_create(flow, message, packet)
            for later in waited:
                self._find_or_create(flow, later)
            return
        if not core.screens.answers_syns or packet.protocol != TCP:
            self._find_or_create(flow, message, packet)
            return
        is_known = flow in core.sessions.by_key
        if message.reason is Punt.SYN_PROXY and packet.begins_session and not is_known:
            self._have_answered(flow, message)
        elif packet.flags & RST and not is_known:
            # Hosts that an attacker pretends to be say so to our answers.
            core.drop(Drop.TCP_NOT_SYN, flow, "a RST of no session")
        else:
            # It may acknowledge an answer, or ask again before one was heard: whoever gave that
            # knows best. (Cookies are forgotten as they are given.)
            remembers = core.config.syn_flood_mode is SynFloodMode.PROXY
            asks = packet.begins_session and not remembers
            wanted = 0 if asks else self._guard_of(flow)
            self._find_or_create(flow, message, packet, wanted)

    def _later_fragment(self, message: PacketIn, packet: Packet) -> None:
        """It belongs where its first one does; if that is not known yet, it waits."""
        core = self._core
        key = packet.datagram(message.token)
        flow = self.fragments.flow(key, core.now)
        if flow is not None:
            self._find_or_create(flow, message)
            return
        until = core.now + core.config.reassembly_timeout
        for _ in self.fragments.hold(key, message, until):
            core.drop(Drop.FRAGMENT_LIMIT, None, "too many fragments wait for their first one")

    def first_fragment(self, message: FirstFragment) -> None:
        """An SPU saw what later fragments may have waited for."""
        for later in self.fragments.note(message.key, message.flow, self._core.now):
            self._find_or_create(message.flow, later)

    def tick(self) -> None:
        """Fragments have waited for too long."""
        for late in self.fragments.due(self._core.now):
            where = f"NPU {late.port.npu} port {late.port.port}"
            detail = f"its first fragment did not come, {where}"
            self._core.drop(Drop.FRAGMENT_TIMEOUT, None, detail)

    def _have_answered(self, flow: FlowKey, message: PacketIn) -> None:
        """A SYN above the attack threshold: an SPU answers it, and nothing is kept here."""
        core = self._core
        if core.screens.limits is not None and self._is_one_too_many(flow):
            return
        gate = core.gates.match(flow)
        spu = self._guard_of(flow) if gate is None else gate.spu
        if not spu:
            core.drop(Drop.NO_SPU, flow, "no SPU is in service")
            return
        core.out.append((core.spus[spu], AnswerSyn(flow, message)))

    def _guard_of(self, flow: FlowKey) -> int:
        """The SPU that answers SYNs of a source, and hears of it when the source is really there:
        the same for all its flows, so that it can count them."""
        buckets = self._core.balance.buckets
        return buckets[crc32(flow.src) & 0xFF] if buckets else 0

    def create_request(self, message: CreateRequest) -> None:
        """Hash-based distribution: an SPU was given the first packet of a flow."""
        self._find_or_create(message.flow, message.packet, None, message.spu, message.begins)

    def _icmp_error(self, message: PacketIn) -> None:
        """The packet quoted left by the interface where the error came in, so the wing of its
        answer arrives there: the error goes to that wing's SPU."""
        core = self._core
        quoted = parse_quoted(message.frame)
        if isinstance(quoted, Drop):
            core.drop(Drop.ICMP_ERROR_UNMATCHED, None, f"quoted packet: {quoted.name}")
            return
        flow = FlowKey(*quoted.tuple5.reversed(), message.token)
        entry = core.sessions.by_key.get(flow)
        if entry is None or entry.reverse is None:
            core.drop(Drop.ICMP_ERROR_UNMATCHED, flow, "no session of the quoted packet")
            return
        if self._goes_with_its_spu(entry):
            return
        deliver = Deliver(flow, message, entry.session_id)
        core.out.append((core.spus[entry.spu], deliver))

    def redirect(self, message: Redirect) -> None:
        """An SPU has no session of a packet that it was handed."""
        core, flow = self._core, message.flow
        self.redirected += 1
        entry = core.sessions.session(flow, message.session_id)
        if entry is not None:
            # See the head of ``machine``.
            core.forget(entry)
            core.drop(Drop.STALE_SESSION, flow, f"SPU {entry.spu} does not know its session")
            return
        if message.packet.reason in (Punt.ICMP_ERROR, Punt.FRAGMENT):
            # What they belong to is not what their own header says.
            self.packet_in(message.packet)
        else:
            self._find_or_create(flow, message.packet)

    # -- where they go ------------------------------------------------------------------------

    def _find_or_create(
        self,
        flow: FlowKey,
        message: PacketIn,
        packet: Packet | None = None,
        wanted: int = 0,
        begins: bool = True,
    ) -> None:
        """``wanted`` is the SPU that the NPU's hash table chose; 0: the CP chooses. ``begins``:
        whether the packet may begin a session, where it is not there to be asked."""
        core = self._core
        entry = core.sessions.by_key.get(flow)
        if entry is not None:
            if self._goes_with_its_spu(entry):
                return
            # Pending: the SPU queues it. Active: the NPU's entry is still under way, or its
            # table lost it or had no room; the owner knows what to do.
            self.delivered += entry.session_id != 0
            deliver = Deliver(flow, message, entry.session_id)
            core.out.append((core.spus[entry.spu], deliver))
            return
        self._create(flow, message, wanted, begins if packet is None else packet.begins_session)

    def _create(self, flow: FlowKey, message: PacketIn, wanted: int, begins: bool) -> None:
        """A flow that nobody has is to become a session, if it may and there is room."""
        core = self._core
        if core.trace:
            who = Actor(Role.NPU, message.port.npu)
            # The NPU names an SPU in hash-based distribution.
            to = f"SPU {message.spu}, by its hash" if message.spu else "the central point"
            detail = f"port {message.port.port}, token {message.token}, to {to}"
            core.out.append((OBSERVER, StepTaken(message.at, who, Step.MISS, flow, detail)))
        if core.fleet.quarantine and core.fleet.keeps(flow):
            core.drop(Drop.INTERNAL, flow, "an SPU failed on this flow")
            return
        if core.screens.limits is not None and self._is_one_too_many(flow):
            return
        gate = core.gates.match(flow)
        balance = core.balance
        spu: int | None
        if gate is not None:
            spu = gate.spu if balance.take(gate.spu, flow) else None
        elif wanted:
            spu = balance.prefer(wanted, flow)
        else:
            spu = balance.pick(flow)
        if spu is None:
            self._no_room(flow, gate)
            return
        entry = Entry(flow, spu)
        passage = called = None
        if gate is None:
            if core.nat.persistent.outside:
                called = self._call(flow, entry)
        else:
            entered = core.gates.enter(gate, flow)
            if entered is None:
                balance.give_back(spu, flow)
                core.drop(Drop.NAT_EXHAUSTED, flow, f"gate {gate.id}: no port for the source")
                return
            passage, leases = entered
            entry.leases = tuple(leases)
        core.sessions.enter(entry, core.now + self._pending_timeout)
        if core.screens.limits is not None:
            core.screens.limits.enter(flow)
        if core.watermarks is not None:
            core.out += core.watermarks.entered(spu, core.now)
        if core.trace:
            load = balance.load_of(spu)
            detail = f"SPU {spu}, its load now {load}"
            if passage is None:
                core.step(Step.PENDING, flow, detail)
            else:
                detail = f"gate {passage.gate} of session {passage.parent}, {detail}"
                core.step(Step.CHILD, flow, detail)
        elsewhere = 0 if begins else self._elsewhere(flow)
        create = CreateSession(flow, message, entry.attempt, passage, elsewhere, called)
        core.out.append((core.spus[spu], create))

    def _is_one_too_many(self, flow: FlowKey) -> bool:
        """Drop a first packet whose addresses have all the sessions they may have. Only asked if
        there are limits."""
        core = self._core
        refused, told = core.screens.refusal(flow, core.now)
        if refused is None:
            return False
        core.out += told
        core.drop(refused.reason, flow, refused.detail)
        return True

    def _call(self, flow: FlowKey, entry: Entry) -> Endpoint | None:
        """A first packet that may call the outside endpoint of a persistent binding. The session
        counts as one of the binding's until its entry here goes."""
        binding = self._core.nat.call(flow.src, flow.sport, flow.dst, flow.dport, flow.protocol)
        if binding is None:
            return None
        address, port, protocol = binding.outside
        entry.leases = (Lease([Binding(address, protocol, port)]),)
        return Endpoint(binding.inside.address, binding.inside.port)

    def _elsewhere(self, flow: FlowKey) -> int:
        """The session that a packet would belong to, had it come from another zone; 0: none.

        Only asked for packets that begin no session: answers, mostly, that took another way back.
        """
        table = self._core.sessions.by_key
        for token in self._core.tokens:
            entry = table.get(flow._replace(token=token))
            if entry is not None and entry.session_id:
                return entry.session_id
        return 0

    def _goes_with_its_spu(self, entry: Entry) -> bool:
        """Drop a packet of a session whose SPU failed, until all of it is cleared away."""
        fleet = self._core.fleet
        if fleet.is_whole or not fleet.is_lost(entry.spu):
            return False
        detail = f"session {entry.session_id} goes with SPU {entry.spu}"
        self._core.drop(Drop.SPU_FAILED, entry.forward, detail)
        return True

    def _no_room(self, flow: FlowKey, gate: Gate | None) -> None:
        """Name the bound that a new session meets."""
        core, balance = self._core, self._core.balance
        spu = balance.due(flow) if gate is None else gate.spu
        if spu:
            core.fleet.members[spu].refused += 1
        if balance.total + places(flow) > balance.maximum:
            core.drop(Drop.SESSION_TABLE_FULL, flow, _full(balance))
        elif gate is not None:
            detail = f"SPU {gate.spu}, where gate {gate.id} leads, has no room for a session"
            core.drop(Drop.SPU_FULL, flow, detail)
        elif not balance.in_service:
            core.drop(Drop.NO_SPU, flow, "no SPU is in service")
        else:
            core.drop(Drop.SPU_FULL, flow, "no SPU in service has room for a session")


def _full(balance: Balance) -> str:
    ipv6 = sum(balance.ipv6.values())
    sessions = balance.total - ipv6
    if not ipv6 and sessions == balance.maximum:
        return f"the chassis has {sessions} sessions, its maximum"
    twice = f"{ipv6} of them IPv6, which count twice"
    return f"the chassis has {sessions} sessions, {twice}; its maximum is {balance.maximum}"
