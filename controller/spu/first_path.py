"""The first path: from a create-session message to the release of the first packet.

Steps 3 to 6 of the walk, in the order of the code below. What refuses says so once, and the flow
is abandoned; what has to wait returns, and goes on where the answer comes in.
"""

from __future__ import annotations

from collections.abc import Callable

from controller.config.nat import INTERFACE_POOL, SourceNat
from controller.config.schema import SECOND
from controller.flow import Direction, Nanoseconds, Path, Tuple5, hop_to, text
from controller.messages import (
    NEIGHBORS,
    OBSERVER,
    AbandonSession,
    AllocateNat,
    CreateSession,
    InstallAck,
    InstallRefused,
    InstallSession,
    InstallWing,
    NatGranted,
    NatRefused,
    NeighborResolved,
    PendingExpired,
    ReleaseNat,
    RemoveWing,
    ResolveNeighbor,
    SessionCreated,
    Step,
    WingInstalled,
    WingLeftOut,
    WingRemoved,
)
from controller.packet import TCP, parse
from controller.reasons import Close, Drop
from controller.routing.fib import Route
from controller.spu.alg_path import Gateway
from controller.spu.core import Core
from controller.spu.decisions import Decisions, describe
from controller.spu.express import NotExpress, not_express
from controller.spu.live_path import LivePath
from controller.spu.record import SessionRecord, encode, wings
from controller.spu.replies import Replies
from controller.spu.session import (
    NatBinding,
    Pending,
    Queued,
    Session,
    SessionState,
    Stage,
)
from controller.spu.syn_guard import SynGuard
from controller.spu.tcp import TcpTracker, opens
from controller.spu.teardown import Teardown

LONGEST_IDLE: Nanoseconds = 86400 * SECOND
"""NPUs speak up after that at the latest; a session that may be silent for longer stays all the
same. (Targets keep time-outs in 32 bits of milliseconds.)"""


class FirstPath:
    """Sets sessions up."""

    def __init__(
        self, core: Core, replies: Replies, live: LivePath, teardown: Teardown, guard: SynGuard
    ) -> None:
        self._core = core
        self._guard = guard
        self._replies = replies
        self._live = live
        self._teardown = teardown
        self._decisions = Decisions(core, replies, guard)
        self.recheck: Callable[[Session], None] | None = None
        """Called with a session that is installed and was decided on under another
        configuration."""

    # -- step 3: decisions --------------------------------------------------------------------

    def create(self, message: CreateSession) -> None:
        """The central point wants a session for this flow."""
        core = self._core
        flow = message.flow
        packet = parse(message.packet.frame)
        if isinstance(packet, Drop):
            core.to_cp(AbandonSession(flow, core.number, packet))
            core.drop(packet, flow, "malformed first packet")
            return
        queued = Queued(message.packet, packet, Direction.FORWARD)
        known = core.pending.get(flow)
        if known is not None:
            # The central point gave up on the flow just when its installation was asked for, and
            # asks again for it. The installation under way serves this packet too.
            self.enqueue(known, queued)
            return
        stale = core.by_key.get(flow)
        if stale is not None:
            # The central point lost this session: so the session goes.
            core.to_cp(AbandonSession(flow, core.number, Drop.STALE_SESSION))
            core.drop(Drop.STALE_SESSION, flow, f"session {stale.id} is unknown to the CP")
            self._teardown.begin(stale, Close.CLEARED)
            return
        pending = core.pending[flow] = Pending(flow, queued)
        pending.passage = message.passage
        pending.elsewhere = message.elsewhere
        pending.called = message.called
        core.step(Step.CREATE, flow, "no session of ours")
        decisions = self._decisions
        refusal = (
            decisions.arrival(pending)
            or decisions.destination(pending)
            or decisions.routing(pending)
            or decisions.beginning(pending)
            or decisions.return_route(pending)
            or (decisions.policy(pending) if message.passage is None else decisions.parent(pending))
        )
        if refusal is not None:
            self._abandon(pending, *refusal)
        elif message.passage is not None:
            # The central point has translated it already.
            self._neighbors(pending)
        else:
            self._source_nat(pending)

    # -- step 3: source NAT, the packet may be suspended ---------------------------------------

    def _source_nat(self, pending: Pending) -> None:
        core, flow = self._core, pending.flow
        route = pending.route
        pending.translated = pending.routed
        if core.nat.has_static and self._static_nat(pending):
            self._neighbors(pending)
            return
        rule = core.nat.source(pending.ingress, route.interface, pending.routed)
        if rule is None or rule.action is SourceNat.OFF:
            self._neighbors(pending)
            return
        pending.source_rule = rule
        core.nat_counts[rule.id].hits += 1
        address = core.nat_address(route)
        pending.stage = Stage.NAT
        pending.serial = core.nat_serial = core.nat_serial + 1
        if core.trace:
            to = text(address) if rule.action is SourceNat.INTERFACE else f"pool {rule.pool}"
            core.step(Step.NAT_SUSPEND, flow, f"rule {rule.name} of {rule.rule_set}: to {to}")
        core.to_cp(
            AllocateNat(
                flow, core.number, address, flow.protocol, flow.sport, rule, pending.routed,
                pending.serial,
            )
        )  # fmt: skip

    def _static_nat(self, pending: Pending) -> bool:
        """The reverse of static NAT: whether it gives the source an address."""
        core, out = self._core, pending.routed
        found = core.nat.static_source(pending.route.interface, out)
        if found is None:
            return False
        address, port, rule = found
        pending.source_rule = rule
        core.nat_counts[rule.id].hits += 1
        pending.translated = out._replace(src=address, sport=port)
        if core.trace:
            detail = f"rule {rule.name} of {rule.rule_set}: {text(address)} port {port}"
            core.step(Step.STATIC_NAT, pending.flow, detail)
        return True

    def nat_granted(self, message: NatGranted) -> None:
        """The packet is resumed, unless its flow is gone."""
        core = self._core
        pending = core.pending.get(message.flow)
        address, port = message.address, message.port
        if pending is None or pending.stage is not Stage.NAT or pending.serial != message.serial:
            core.to_cp(ReleaseNat(address, message.protocol, port, message.flow, core.number))
            return
        pending.nat = NatBinding(address, message.protocol, port, message.pool)
        _, dst, _, dport, protocol = pending.routed
        pending.translated = Tuple5(address, dst, port, dport, protocol)
        if core.trace:
            source = "" if message.pool == INTERFACE_POOL else f" of pool {message.pool}"
            core.step(Step.NAT_RESUME, pending.flow, f"{text(address)} port {port}{source}")
        self._neighbors(pending)

    def nat_refused(self, message: NatRefused) -> None:
        """No port is left."""
        core = self._core
        pending = core.pending.get(message.flow)
        if pending is None or pending.stage is not Stage.NAT or pending.serial != message.serial:
            return
        rule = pending.source_rule
        if rule is None:
            return
        core.nat_counts[rule.id].failed += 1
        detail = f"rule {rule.name} of {rule.rule_set}: nothing is left"
        self._abandon(pending, message.reason, detail)

    # -- step 3: next hops, then installation is asked for -------------------------------------

    def _neighbors(self, pending: Pending) -> None:
        pending.stage = Stage.NEIGHBORS
        ahead, back = pending.route, pending.back
        self._resolve(pending, ahead)
        if (back.interface.name, back.next_hop) != (ahead.interface.name, ahead.next_hop):
            self._resolve(pending, back)

    def _resolve(self, pending: Pending, route: Route) -> None:
        core = self._core
        if core.trace:
            core.step(Step.NEIGHBOR, pending.flow, describe(route))
        question = ResolveNeighbor(core.number, pending.flow, route.interface.name, route.next_hop)
        core.send(NEIGHBORS, question)

    def neighbor_resolved(self, message: NeighborResolved) -> None:
        """One of the two next hops is known, or is not to be had."""
        core = self._core
        pending = core.pending.get(message.flow)
        if pending is None or pending.stage is not Stage.NEIGHBORS:
            return
        where = (message.interface, message.address)
        if message.mac is None:
            detail = f"{text(message.address)} on {message.interface} does not answer"
            self._abandon(pending, Drop.NO_NEIGHBOR, detail)
            return
        if core.trace:
            detail = f"{text(message.address)} is at {message.mac.hex(':')}"
            core.step(Step.NEIGHBOR_FOUND, pending.flow, detail)
        if where == (pending.route.interface.name, pending.route.next_hop):
            pending.mac = message.mac
        if where == (pending.back.interface.name, pending.back.next_hop):
            pending.back_mac = message.mac
        if pending.mac is not None and pending.back_mac is not None:
            self._install(pending)

    def _install(self, pending: Pending) -> None:
        core = self._core
        pending.stage = Stage.INSTALL
        pending.session_id = core.new_session_id()
        ahead, back = pending.route.interface, pending.back.interface
        assert pending.mac is not None
        assert pending.back_mac is not None
        forward, reverse = pending.wings = wings(
            pending.flow,
            pending.first.message.port,
            pending.translated,
            hop_to(ahead.port, ahead.vlan, ahead.mac, pending.mac),
            ahead.token,
            hop_to(back.port, back.vlan, back.mac, pending.back_mac),
        )
        core.step(Step.INSTALL, pending.flow, "at the central point", pending.session_id)
        core.to_cp(InstallSession(pending.session_id, core.number, forward.key, reverse.key))

    # -- step 4: the central point answers ----------------------------------------------------

    def installed(self, message: InstallAck) -> None:
        """The session is real: build it, and begin with its reverse wing on the egress NPU."""
        core = self._core
        pending = core.pending.get(message.flow)
        if pending is None or pending.session_id != message.session_id:
            return  # said twice
        del core.pending[message.flow]
        core.step(Step.ACK, message.flow, "both wings active", message.session_id)
        session = self._build(pending)
        policy = session.verdict.policy
        if policy is not None and policy.log_init:
            core.send(OBSERVER, SessionCreated(core.now, session.id))
        self._write(session, Direction.REVERSE)

    def refused(self, message: InstallRefused) -> None:
        """No session: the wing was reclaimed, or clashes."""
        core = self._core
        pending = core.pending.get(message.flow)
        if pending is None or pending.session_id != message.session_id:
            return  # said twice
        if message.reason is not Drop.NONE:
            detail = "the central point refuses the installation"
            self._forget(pending, message.reason, detail)
            return
        # The answer's session was first. The packets belong to it.
        del core.pending[message.flow]
        self._release_nat(pending)
        for queued in (pending.first, *pending.queue):
            core.redirect(queued)

    def _build(self, pending: Pending) -> Session:
        core = self._core
        both = pending.wings
        verdict = pending.verdict
        passage = pending.passage
        if passage is None:
            service = core.services.find(pending.routed, verdict.application)
        else:
            service = core.services.of_child(pending.flow.tuple5, passage.application)
        session = Session(
            pending.session_id,
            both,
            verdict,
            service,
            not_express(
                verdict,
                both[0],
                is_control=service.alg is not None,
                is_fragment=pending.first.packet.fragment,
                is_spliced=pending.splice is not None,
                mtus=(pending.ingress.mtu, pending.route.interface.mtu),
                tcp=core.config.tcp,
            ),
            pending.nat,
            core.now,
        )
        if pending.flow.protocol == TCP:
            if pending.splice is not None or opens(pending.first.packet.flags):
                session.timeout = core.config.tcp.initial_timeout
                session.tcp = TcpTracker()
            else:
                session.tcp = TcpTracker(is_new=False)
        if passage is not None:
            session.parent = passage.parent
        if pending.source_rule is not None or pending.destination_rule is not None:
            session.source_rule = pending.source_rule
            session.destination_rule = pending.destination_rule
            core.begin_nat(session.source_rule, session.destination_rule)
        if service.alg is not None:
            session.gateway = Gateway(session)
        if pending.splice is not None:
            session.splice = pending.splice
            self._guard.entered(session)
        if session.tcp is not None:
            self._live.tcp.begin(session, session.tcp)
        session.queue.append(pending.first)
        session.queue.extend(pending.queue)
        session.next_hops = (pending.route.next_hop, pending.back.next_hop)
        session.record = self._record(session)
        core.express_counts[session.not_express] += 1
        core.sessions[session.id] = session
        for wing in both:
            core.by_key[wing.key] = session
        return session

    def _record(self, session: Session) -> bytes:
        """What a restarted controller rebuilds it from."""
        return encode(
            SessionRecord(
                session.id,
                self._core.number,
                session.path,
                *session.wings,
                session.nat is not None,
                session.verdict.name,
                session.verdict.index,
                session.service.name,
                session.started,
                session.service.timeout,
            )
        )

    def reinstall(self, session: Session) -> None:
        """Write both wings of a session anew; what waits is released when they are in effect."""
        session.record = self._record(session)
        self._write(session, Direction.REVERSE)

    # -- step 5: the NPUs, egress first -------------------------------------------------------

    def _write(self, session: Session, direction: Direction) -> None:
        """Write a wing with its final time-out; shorter ones (``live_path``) are kept here."""
        core = self._core
        wing = session.wings[direction]
        session.installed |= 1 << direction
        core.send(
            core.npus[wing.ingress.npu],
            InstallWing(
                session.id,
                direction,
                core.number,
                wing,
                session.path,
                min(session.service.timeout, LONGEST_IDLE),
                session.record or self._record(session),
            ),
        )

    def renew(self, session: Session, direction: Direction) -> None:
        """A wing carries an epoch that is over, but its session stands: write it again."""
        if session.state is SessionState.ACTIVE:
            self._write(session, direction)

    def wing_installed(self, message: WingInstalled) -> None:
        """A wing is in effect, or could not be written: then what was written is taken back."""
        core = self._core
        session = core.sessions.get(message.session_id)
        if session is None or session.state is not SessionState.INSTALLING:
            return  # said twice
        direction, error = message.direction, message.error
        npu = session.wings[direction].ingress.npu
        if error is Drop.NPU_LOST:
            # It may have written the wing, so it is asked to remove it.
            self._teardown.failed(session, error, npu)
            return
        detail = f"NPU {npu}, {session.path.value} path"
        if error is not None:
            session.installed ^= 1 << direction
            detail = f"NPU {npu} has no room: its packets come by the central point"
            core.ran_out(error, session.wings[0].key, f"NPU {npu} has no room for a wing")
            if session.path is Path.EXPRESS:
                core.express_counts[None] -= 1
                core.express_counts[NotExpress.TABLE_FULL] += 1
                session.not_express = NotExpress.TABLE_FULL
                session.path = Path.SPU
                if session.tcp is not None:
                    self._live.tcp.begin(session, session.tcp)
                if session.installed:
                    # One wing on Express Path alone would hide half of the session from its SPU.
                    self._take_back(session)
                else:
                    self.reinstall(session)
                return
            wings = session.wings
            core.to_cp(WingLeftOut(session.id, wings[0].key, wings[direction].key))
        step = Step.WING_REVERSE if direction == Direction.REVERSE else Step.WING_FORWARD
        if core.trace:
            core.step(step, session.wings[0].key, detail, session.id)
        if direction == Direction.REVERSE:
            self._write(session, Direction.FORWARD)
        else:
            session.record = b""  # the NPUs have it
            self._release(session)

    def _take_back(self, session: Session) -> None:
        """Remove the one wing that was written, to write both anew for the SPU's path."""
        core = self._core
        session.awaiting = 1
        for direction in Direction:
            if session.installed >> direction & 1:
                wing = session.wings[direction]
                remove = RemoveWing(session.id, direction, core.number, wing.key)
                core.send(core.npus[wing.ingress.npu], remove)

    def wing_taken_back(self, session: Session, message: WingRemoved) -> None:
        """The wing that ``_take_back`` removed."""
        session.packets[message.direction] += message.packets
        session.bytes[message.direction] += message.bytes
        session.awaiting = session.installed = 0
        self.reinstall(session)

    # -- step 6: release ----------------------------------------------------------------------

    def _release(self, session: Session) -> None:
        core = self._core
        session.state = SessionState.ACTIVE
        session.last_seen = core.now
        if session.tcp is not None or not session.is_installed:
            # Without its wings no NPU says when it is idle.
            core.timers.set(session.id, core.now + session.timeout)
        splice = session.splice
        if splice is not None and not splice.is_joined:
            self._live.server_half.begin(session, splice)
        queue = session.queue if splice is None or splice.is_joined else []
        # A RST in the queue closes the session; what is behind it waits for what comes next.
        while queue and session.state is SessionState.ACTIVE:
            queued = queue.pop(0)
            if core.trace:
                hop = session.wings[queued.direction].hop
                detail = (
                    f"NPU {hop.port.npu} port {hop.port.port}, after "
                    f"{(core.now - queued.message.at) / 1000:.0f} us"
                )
                core.step(Step.RELEASE, session.wings[0].key, detail, session.id)
            self._live.forward(session, queued)
        if session.cleared and session.state is SessionState.ACTIVE:
            self._teardown.begin(session, Close.CLEARED)
        flow = session.wings[0].key
        if flow in core.unchecked:
            core.unchecked.remove(flow)
            if session.state is SessionState.ACTIVE and self.recheck is not None:
                self.recheck(session)

    # -- waiting and giving up ----------------------------------------------------------------

    def enqueue(self, pending: Pending, queued: Queued) -> None:
        """Hold a packet back behind the first of its flow."""
        core = self._core
        if len(pending.queue) >= core.queue_limit:
            core.drop(Drop.QUEUE_FULL, pending.flow, f"{core.queue_limit} packets wait already")
            return
        pending.queue.append(queued)
        if core.trace:
            detail = f"{len(pending.queue)} behind the first, which waits for {pending.stage.value}"
            core.step(Step.QUEUED, pending.flow, detail)

    def expired(self, message: PendingExpired) -> None:
        """The central point has forgotten the flow."""
        pending = self._core.pending.get(message.flow)
        # Once installation is asked for, the answer to that decides.
        if pending is not None and pending.stage is not Stage.INSTALL:
            detail = f"waited for {pending.stage.value}"
            self._forget(pending, Drop.PENDING_TIMEOUT, detail)

    def restart(self, pending: Pending) -> None:
        """Begin anew with a flow whose installation was not asked for yet: what was decided on it
        may no longer be right."""
        core = self._core
        core.to_cp(AbandonSession(pending.flow, core.number, Drop.NONE))
        self._forget(pending, Drop.NONE, "")
        for queued in (pending.first, *pending.queue):
            core.redirect(queued)

    def _abandon(self, pending: Pending, reason: Drop, detail: str) -> None:
        self._core.to_cp(AbandonSession(pending.flow, self._core.number, reason))
        if pending.splice is None:
            self._replies.dropped(reason, pending.first)
        else:
            # The client was told that it is connected.
            self._replies.refuse(pending.first)
        self._forget(pending, reason, detail)

    def _forget(self, pending: Pending, reason: Drop, detail: str) -> None:
        core = self._core
        del core.pending[pending.flow]
        core.unchecked.discard(pending.flow)
        self._release_nat(pending)
        if reason is not Drop.NONE:
            for _ in range(1 + len(pending.queue)):
                core.drop(reason, pending.flow, detail)

    def _release_nat(self, pending: Pending) -> None:
        if pending.nat is not None:
            core, (address, protocol, port, _) = self._core, pending.nat
            core.to_cp(ReleaseNat(address, protocol, port, pending.flow, core.number))
