"""Packets for the firewall itself (``host-inbound-traffic``).

What its zone, or its interface, does not let in is dropped in silence. Of what is let in, a ping is
answered; nobody listens on any port, and that is what the sender is told
(``config/host_services``).
"""

from __future__ import annotations

from controller.config.host_services import HostService, allows, service_of
from controller.flow import Hop
from controller.icmp import echo_reply
from controller.messages import Step, Transmit
from controller.packet import ICMP, ICMPV6
from controller.reasons import Drop, Send
from controller.routing.fib import Route
from controller.spu.core import Core
from controller.spu.replies import Replies
from controller.spu.session import Pending, Refusal


class HostInbound:
    """Decides on packets for addresses of our own. Nothing here ever becomes a session."""

    def __init__(self, core: Core, replies: Replies) -> None:
        self._core = core
        self._replies = replies

    def take(self, pending: Pending, route: Route) -> Refusal:
        """Answer or refuse."""
        core = self._core
        packet = pending.first.packet
        service = service_of(packet)
        where = f"zone {pending.ingress.zone}, {pending.ingress.name}"
        if not allows(self._allowed(pending), service):
            asked = "this" if service is None else service.value
            return Refusal(Drop.HOST_INBOUND, f"{where} does not allow {asked}")
        if packet.fragment:
            return Refusal(Drop.HOST_INBOUND, "in fragments, and nobody here puts them together")
        if packet.protocol in (ICMP, ICMPV6):
            if not packet.is_echo_request:
                return Refusal(Drop.HOST_INBOUND, "of ICMP only ping is answered")
            self._echo(pending)
            if core.trace:
                detail = f"our own address on {route.interface.name}: ping answered"
                core.step(Step.ROUTE, pending.flow, detail)
            return Refusal(Drop.NONE, "")
        if not pending.elsewhere:  # else whose it is is connected
            self._replies.refuse(pending.first)
        return Refusal(Drop.HOST_INBOUND, "allowed, but nobody listens here")

    def _allowed(self, pending: Pending) -> frozenset[HostService]:
        ingress = pending.ingress
        if ingress.host_inbound is not None:
            return ingress.host_inbound
        zone = self._core.config.zones.get(ingress.zone)
        return frozenset() if zone is None else zone.host_inbound

    def _echo(self, pending: Pending) -> None:
        message, packet, _ = pending.first
        hop = Hop(message.port, packet.vlan, pending.ingress.mac, packet.frame[6:12])
        reply = Transmit(message.port, Send.RAW, echo_reply(packet, hop))
        self._core.send(self._core.npus[message.port.npu], reply)
