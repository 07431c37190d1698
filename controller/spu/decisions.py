"""The decisions on a first packet that need nobody else: step 3 of the walk up to the policy.

Each looks at one thing, notes what it found in the pending flow, and refuses or lets pass.
"""

from __future__ import annotations

from controller.config.schema import Action
from controller.flow import text
from controller.messages import OBSERVER, SessionDenied, Step
from controller.packet import RST, TCP, UDP
from controller.payload import contents
from controller.reasons import Drop
from controller.routing.fib import Route
from controller.spu.alg.dns import is_reply
from controller.spu.core import Core
from controller.spu.host_inbound import HostInbound
from controller.spu.instances import toward
from controller.spu.replies import Replies
from controller.spu.session import Pending, Refusal, SessionState
from controller.spu.splice import Splice
from controller.spu.syn_guard import SynGuard
from controller.spu.tcp import opens

DNS_PORT = 53


class Decisions:
    """What an SPU decides on a first packet, in the order of the methods."""

    def __init__(self, core: Core, replies: Replies, guard: SynGuard) -> None:
        self._core = core
        self._guard = guard
        self.host = HostInbound(core, replies)
        """Answers what is for the firewall itself."""

    def arrival(self, pending: Pending) -> Refusal | None:
        """The interface it came in on."""
        message, packet, _ = pending.first
        interface = self._core.interface(message.port, packet.vlan)
        if interface is None:
            port, vlan = message.port, packet.vlan
            return Refusal(Drop.NO_INTERFACE, f"NPU {port.npu} port {port.port} vlan {vlan}")
        if not interface.zone:
            return Refusal(Drop.NO_INTERFACE, f"{interface.name} belongs to no zone")
        if interface.token != pending.flow.token:
            return Refusal(Drop.NO_INTERFACE, f"{interface.name} was in another zone when it came")
        pending.ingress = interface
        return None

    def destination(self, pending: Pending) -> Refusal | None:
        """Static NAT, destination NAT, and calls of persistent bindings."""
        core, flow, passage = self._core, pending.flow, pending.passage
        if passage is not None:
            out = passage.translated
            pending.routed = pending.routed._replace(dst=out.dst, dport=out.dport)
            return None
        found = None
        if core.nat.has_destinations:
            found = core.nat.destination(pending.ingress, pending.routed)
        if found is not None:
            address, port, rule = found
            pending.destination_rule = rule
            core.nat_counts[rule.id].hits += 1
            what = f"rule {rule.name} of {rule.rule_set}"
        elif pending.called is not None:
            address, port = pending.called
            what = "persistent binding"
        else:
            return None
        pending.routed = pending.routed._replace(dst=address, dport=port)
        if core.trace:
            detail = f"{what}: to {text(address)} port {port}"
            core.step(Step.DESTINATION_NAT, flow, detail)
        return None

    def routing(self, pending: Pending) -> Refusal | None:
        """The way to its destination, and the zone there; or the answer, if that is here."""
        flow = pending.flow
        packet = pending.first.packet
        fib, vr = self._core.fib, pending.ingress.vr
        rule, passage = pending.destination_rule, pending.passage
        if rule is not None or passage is not None:
            parent = 0 if passage is None else passage.parent
            vr = toward(self._core, pending.ingress, rule, parent)
        destination = pending.routed.dst
        route = fib.lookup(destination, vr, flow)
        if route is not None and route.is_local:
            refusal = self.host.take(pending, route)
            if refusal.reason is not Drop.HOST_INBOUND:
                return refusal
            # Source NAT gives others this address, too: perhaps it is theirs, and came astray.
            if pending.elsewhere:
                return _astray(pending)
            return self.return_route(pending) or refusal
        if packet.ttl <= 1:
            return Refusal(Drop.TTL_EXPIRED, f"TTL {packet.ttl}")
        if route is None:
            return Refusal(fib.refusal(destination, vr), f"to {text(destination)}{_of(vr)}")
        if not route.interface.zone:
            return Refusal(Drop.NO_EGRESS, f"{route.interface.name} belongs to no zone")
        pending.route = route
        if self._core.trace:
            self._core.step(Step.ROUTE, flow, describe(route))
        return None

    def beginning(self, pending: Pending) -> Refusal | None:
        """Whether it may begin a session; if it does not, but is of a session that expects its
        packets from another zone, that is what is said."""
        refusal = self.first_of_its_kind(pending)
        if refusal is None or not pending.elsewhere:
            return refusal
        return _astray(pending)

    def first_of_its_kind(self, pending: Pending) -> Refusal | None:
        """A session begins with a SYN or an echo request, or is neither TCP nor ICMP; and one of
        DNS with a question."""
        packet = pending.first.packet
        if packet.protocol == TCP:
            is_first = opens(packet.flags)
            if is_first and self._guard.is_waiting and self._guard.answered_already(pending):
                return Refusal(Drop.NONE, "")
            if not is_first and self._core.protected:
                vouched = self._guard.vouch(pending)
                if isinstance(vouched, Splice):
                    pending.splice = vouched
                    return None
                if vouched is not None:
                    return vouched
            may_be_any = not self._core.config.tcp.syn_check and not packet.flags & RST
            if not is_first and not may_be_any:
                return Refusal(Drop.TCP_NOT_SYN, f"flags 0x{packet.flags:02x}")
        elif packet.icmp_type >= 0 and not packet.is_echo_request:
            return Refusal(Drop.ICMP_NOT_REQUEST, f"type {packet.icmp_type}")
        elif (
            packet.protocol == UDP
            and DNS_PORT in (packet.sport, packet.dport)
            and not self._core.config.allow_dns_reply
            and is_reply(contents(packet))
        ):
            return Refusal(Drop.DNS_REPLY_UNMATCHED, "an answer that nobody asked for")
        return None

    def return_route(self, pending: Pending) -> Refusal | None:
        """Answers must find their way back, and into the zone where the packet came from."""
        source, ingress = pending.flow.src, pending.ingress
        back = self._core.fib.lookup(source, ingress.vr, pending.flow, prefer=ingress)
        if back is None or back.is_local:
            return Refusal(Drop.NO_REVERSE_ROUTE, f"to the source {text(source)}{_of(ingress.vr)}")
        if back.interface.token != ingress.token:
            return Refusal(
                Drop.ASYMMETRIC_ROUTE,
                f"the source {text(source)} is reached by {back.interface.name} in zone "
                f"{back.interface.zone or 'none'}, but came from {ingress.zone or 'none'}",
            )
        if back.interface is not ingress and self._core.trace:
            detail = f"asymmetric: came by {ingress.name}, answers leave by {back.interface.name}"
            self._core.step(Step.ROUTE, pending.flow, detail)
        pending.back = back
        return None

    def parent(self, pending: Pending) -> Refusal | None:
        """A child of a control session needs no policy: it goes by its parent's."""
        assert pending.passage is not None
        parent = self._core.sessions.get(pending.passage.parent)
        if parent is None or parent.state is not SessionState.ACTIVE:
            return Refusal(Drop.GATE_PARENT_GONE, f"session {pending.passage.parent} has ended")
        pending.verdict = parent.verdict
        pending.translated = pending.passage.translated
        if self._core.trace:
            detail = f"{parent.verdict.name}, of session {parent.id}"
            self._core.step(Step.PARENT, pending.flow, detail)
        return _demands_syn(pending)

    def policy(self, pending: Pending) -> Refusal | None:
        """Original source, translated destination; the first policy that matches."""
        core = self._core
        from_zone, to_zone = pending.ingress.zone, pending.route.interface.zone
        verdict = core.policies.search(from_zone, to_zone, pending.routed)
        core.hits[verdict.index] = core.hits.get(verdict.index, 0) + 1
        pending.verdict = verdict
        if core.trace:
            detail = f"{verdict.name}: {verdict.action.value}, from {from_zone} to {to_zone}"
            core.step(Step.POLICY, pending.flow, detail)
        if verdict.permits:
            return _demands_syn(pending)
        if verdict.policy is not None and verdict.policy.log_init:
            interface = pending.ingress.name
            service = core.services.find(pending.routed, verdict.application).name
            denied = SessionDenied(
                core.now, pending.flow, verdict.index, to_zone, interface, service
            )
            core.send(OBSERVER, denied)
        reject = verdict.action is Action.REJECT
        return Refusal(
            Drop.POLICY_REJECT if reject else Drop.POLICY_DENY,
            f"{verdict.name}, from {from_zone} to {to_zone}",
        )


def _astray(pending: Pending) -> Refusal:
    """A packet of a session that expects it from another zone."""
    ingress = pending.ingress
    return Refusal(
        Drop.ASYMMETRIC_ROUTE,
        f"of session {pending.elsewhere}, but by {ingress.name} from zone {ingress.zone}",
    )


def _demands_syn(pending: Pending) -> Refusal | None:
    """What a policy asks of first segments where nobody else does (``syn-check-required``)."""
    policy = pending.verdict.policy
    if policy is None or policy.tcp is None or not policy.tcp.syn_check:
        return None
    packet = pending.first.packet
    if packet.protocol != TCP or opens(packet.flags) or pending.splice is not None:
        return None
    return Refusal(Drop.TCP_NOT_SYN, f"{policy.name} requires a SYN, flags 0x{packet.flags:02x}")


def _of(vr: str) -> str:
    return f" in routing instance {vr}" if vr else ""


def describe(route: Route) -> str:
    """A route as the walk tells it."""
    interface = route.interface
    return f"{text(route.next_hop)} on {interface.name}, zone {interface.zone}"
