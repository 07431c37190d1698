"""The first path: from a create-session message to the central point's acknowledgement.

Steps 3 and 4 of the walk, in the order of the code below; ``installation`` has 5 and 6. What
refuses says so once, and the flow is abandoned; what has to wait returns, and goes on where the
answer comes in.
"""

from __future__ import annotations

from controller.config.nat import INTERFACE_POOL, SourceNat
from controller.flow import FORWARD, REVERSE, Address, Tuple5, hop_to, text
from controller.messages import (
    NEIGHBORS,
    OBSERVER,
    AbandonSession,
    AllocateNat,
    CreateSession,
    InstallAck,
    InstallRefused,
    InstallSession,
    NatGranted,
    NatRefused,
    NeighborResolved,
    PendingExpired,
    ReleaseNat,
    ResolveNeighbor,
    SessionCreated,
    Step,
)
from controller.reasons import Close, Drop
from controller.record import wings
from controller.routing.fib import Route
from controller.spu.core import Core
from controller.spu.decisions import Decisions, describe
from controller.spu.host_inbound import WAIT
from controller.spu.installation import Installation
from controller.spu.replies import Replies
from controller.spu.session import (
    AWAIT_FRAGMENTS,
    AWAIT_INSTALL,
    AWAIT_NAT,
    AWAIT_NEIGHBORS,
    DECIDE,
    Pending,
    Queued,
)
from controller.spu.syn_guard import SynGuard
from controller.spu.teardown import Teardown

_OFF = SourceNat.OFF


class FirstPath:
    """Sets sessions up."""

    def __init__(
        self,
        core: Core,
        replies: Replies,
        installation: Installation,
        teardown: Teardown,
        guard: SynGuard,
    ) -> None:
        self._core = core
        self._replies = replies
        self._installation = installation
        self._teardown = teardown
        self._decisions = Decisions(core, replies, guard)

    # -- step 3: decisions --------------------------------------------------------------------

    def create(self, message: CreateSession) -> None:
        """The central point wants a session for this flow."""
        core = self._core
        flow = message.flow
        packet = message.packet.parse()
        if isinstance(packet, Drop):
            core.to_cp(AbandonSession(flow, core.number, packet))
            core.drop(packet, flow, "malformed first packet")
            return
        queued = Queued(message.packet, packet, FORWARD)
        known = core.pending.get(flow)
        if known is not None:
            # The central point has given up on the flow since, and asks again for it: whatever
            # was asked of it for the attempt before will be refused.
            self._forget(known, Drop.PENDING_TIMEOUT, f"waited for {known.stage.value}")
        stale = core.by_key.get(flow)
        if stale is not None:
            # The central point lost this session: so the session goes.
            core.to_cp(AbandonSession(flow, core.number, Drop.STALE_SESSION))
            core.drop(Drop.STALE_SESSION, flow, f"session {stale.id} is unknown to the CP")
            self._teardown.begin(stale, Close.CLEARED)
            return
        pending = core.pending[flow] = Pending(flow, message.attempt, queued)
        pending.passage = message.passage
        pending.elsewhere = message.elsewhere
        pending.called = message.called
        if core.trace:
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
        if refusal is WAIT:
            pending.stage = AWAIT_FRAGMENTS
        elif refusal is not None:
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
        if core.nat.has_static and self._static_nat(pending):
            self._neighbors(pending)
            return
        rule = core.nat.source(pending.ingress, route.interface, pending.routed)
        if rule is None or rule.action is _OFF:
            pending.translated = pending.routed.tuple5
            self._neighbors(pending)
            return
        pending.source_rule = rule
        core.nat_counts[rule.id].hits += 1
        address = core.nat_address(route)
        pending.stage = AWAIT_NAT
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
        found = core.nat.static_source(pending.ingress, pending.route.interface, out)
        if found is None:
            return False
        address, port, rule = found
        pending.source_rule = rule
        core.nat_counts[rule.id].hits += 1
        pending.translated = Tuple5(address, out.dst, port, out.dport, out.protocol)
        if core.trace:
            detail = f"rule {rule.name} of {rule.rule_set}: {text(address)} port {port}"
            core.step(Step.STATIC_NAT, pending.flow, detail)
        return True

    def nat_granted(self, message: NatGranted) -> None:
        """The packet is resumed, unless its flow is gone."""
        core = self._core
        pending = core.pending.get(message.flow)
        address, protocol, port, pool, _, _ = grant = message.grant
        if pending is None or pending.stage is not AWAIT_NAT or pending.serial != message.serial:
            core.to_cp(ReleaseNat(address, protocol, port, message.flow, core.number))
            return
        pending.nat = grant
        routed = pending.routed
        pending.translated = Tuple5(address, routed.dst, port, routed.dport, protocol)
        if core.trace:
            source = "" if pool == INTERFACE_POOL else f" of pool {pool}"
            core.step(Step.NAT_RESUME, pending.flow, f"{text(address)} port {port}{source}")
        self._neighbors(pending)

    def nat_refused(self, message: NatRefused) -> None:
        """No port is left."""
        core = self._core
        pending = core.pending.get(message.flow)
        if pending is None or pending.stage is not AWAIT_NAT or pending.serial != message.serial:
            return
        rule = pending.source_rule
        if rule is None:
            return
        core.nat_counts[rule.id].failed += 1
        detail = f"rule {rule.name} of {rule.rule_set}: nothing is left"
        self._abandon(pending, message.reason, detail)

    # -- step 3: next hops, then installation is asked for -------------------------------------

    def _neighbors(self, pending: Pending) -> None:
        pending.stage = AWAIT_NEIGHBORS
        ahead, back = pending.route, pending.back
        pending.mac = mac = self._next_hop(pending, ahead)
        if back.next_hop == ahead.next_hop and back.interface.name == ahead.interface.name:
            pending.back_mac = mac
        else:
            pending.back_mac = self._next_hop(pending, back)
        if mac is not None and pending.back_mac is not None:
            self._install(pending)

    def _next_hop(self, pending: Pending, route: Route) -> bytes | None:
        """The MAC address of a next hop; without one at hand, the neighbour table is asked."""
        core = self._core
        name, address = route.interface.name, route.next_hop
        mac = core.neighbors.get((name, address))
        if mac is None:
            core.send(NEIGHBORS, ResolveNeighbor(core.number, pending.flow, name, address))
        if core.trace:
            if mac is None:
                core.step(Step.NEIGHBOR, pending.flow, describe(route))
            else:
                core.step(Step.NEIGHBOR_FOUND, pending.flow, _found(address, mac))
        return mac

    def neighbor_resolved(self, message: NeighborResolved) -> None:
        """One of the two next hops is known, or is not to be had."""
        core = self._core
        pending = core.pending.get(message.flow)
        if pending is None or pending.stage is not AWAIT_NEIGHBORS:
            return
        where = (message.interface, message.address)
        if message.mac is None:
            detail = f"{text(message.address)} on {message.interface} does not answer"
            self._abandon(pending, Drop.NO_NEIGHBOR, detail)
            return
        if core.trace:
            detail = _found(message.address, message.mac)
            core.step(Step.NEIGHBOR_FOUND, pending.flow, detail)
        if where == (pending.route.interface.name, pending.route.next_hop):
            pending.mac = message.mac
        if where == (pending.back.interface.name, pending.back.next_hop):
            pending.back_mac = message.mac
        if pending.mac is not None and pending.back_mac is not None:
            self._install(pending)

    def _install(self, pending: Pending) -> None:
        core = self._core
        pending.stage = AWAIT_INSTALL
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
        if core.trace:
            core.step(Step.INSTALL, pending.flow, "at the central point", pending.session_id)
        core.to_cp(
            InstallSession(
                pending.session_id, core.number, pending.attempt, forward.key, reverse.key
            )
        )

    # -- step 4: the central point answers ----------------------------------------------------

    def installed(self, message: InstallAck) -> None:
        """The session is real: build it, and begin with its reverse wing on the egress NPU."""
        core = self._core
        pending = core.pending.get(message.flow)
        if pending is None or pending.session_id != message.session_id:
            return  # said twice
        del core.pending[message.flow]
        if core.trace:
            core.step(Step.ACK, message.flow, "both wings active", message.session_id)
        session = self._installation.build(pending)
        if core.trace:
            why = session.not_express
            detail = "yes" if why is None else f"no: {why.value}"
            core.step(Step.EXPRESS, message.flow, detail, session.id)
        policy = session.verdict.policy
        if policy is not None and policy.log_init:
            core.send(OBSERVER, SessionCreated(core.now, session.id))
        self._installation.write(session, REVERSE)

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

    # -- waiting and giving up ----------------------------------------------------------------

    def enqueue(self, pending: Pending, queued: Queued) -> None:
        """Hold a packet back behind the first of its flow."""
        core = self._core
        if len(pending.queue) >= core.queue_limit:
            core.drop(Drop.QUEUE_FULL, pending.flow, f"{core.queue_limit} packets wait already")
            return
        pending.queue.append(queued)
        if pending.stage is AWAIT_FRAGMENTS:
            if self._decisions.host.more(pending):
                self._abandon(pending, Drop.NONE, "")
        elif core.trace:
            detail = f"{len(pending.queue)} behind the first, which waits for {pending.stage.value}"
            core.step(Step.QUEUED, pending.flow, detail)

    def expired(self, message: PendingExpired) -> None:
        """The central point has forgotten the flow."""
        pending = self._core.pending.get(message.flow)
        # Once installation is asked for, the answer to that decides.
        if pending is not None and pending.stage is not AWAIT_INSTALL:
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
        self._forget(pending, reason, detail)

    def _forget(self, pending: Pending, reason: Drop, detail: str) -> None:
        core = self._core
        del core.pending[pending.flow]
        core.unchecked.discard(pending.flow)
        self._release_nat(pending)
        if reason is not Drop.NONE:
            if pending.splice is not None:
                # The client was told that it is connected.
                self._replies.refuse(pending.first)
            if pending.stage not in (DECIDE, AWAIT_FRAGMENTS):
                core.failed_sessions += 1
            for _ in range(1 + len(pending.queue)):
                core.drop(reason, pending.flow, detail)

    def _release_nat(self, pending: Pending) -> None:
        if pending.nat is not None:
            core, nat = self._core, pending.nat
            core.to_cp(ReleaseNat(nat.address, nat.protocol, nat.port, pending.flow, core.number))


def _found(address: Address, mac: bytes) -> str:
    return f"{text(address)} is at {mac.hex(':')}"
