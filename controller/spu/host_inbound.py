"""Packets for the firewall itself (``host-inbound-traffic``).

What its zone, or its interface, does not let in is dropped in silence. Of what is let in, a ping is
answered; nobody listens on any port, and that is what the sender is told
(``config/host_services``).
"""

from __future__ import annotations

from controller.config.host_services import HostService, allows, service_of
from controller.flow import Hop
from controller.fragment import fragment, fragment6, together
from controller.icmp import echo_reply
from controller.messages import Step, Transmit
from controller.packet import ICMP, ICMPV6
from controller.reasons import Drop, Send
from controller.routing.fib import Route
from controller.spu.core import Core
from controller.spu.replies import Replies
from controller.spu.session import Pending, Queued, Refusal

WAIT = Refusal(Drop.NONE, "a ping in fragments")
"""No refusal yet: the rest of the packet is to come."""


class HostInbound:
    """Decides on packets for addresses of our own. Nothing here ever becomes a session: the flow of
    a ping in fragments stays pending until all of them are there."""

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
        if packet.is_later_fragment:
            return Refusal(Drop.HOST_INBOUND, "its first fragment is not here")
        if packet.protocol in (ICMP, ICMPV6):
            if not packet.is_echo_request:
                return Refusal(Drop.HOST_INBOUND, "of ICMP only ping is answered")
            if core.trace:
                what = "a ping in fragments" if packet.fragment else "ping answered"
                detail = f"our own address on {route.interface.name}: {what}"
                core.step(Step.ROUTE, pending.flow, detail)
            if packet.fragment:
                return WAIT
            self._echo(pending.first)
            return Refusal(Drop.NONE, "")
        if not pending.elsewhere:  # else whose it is is connected
            self._replies.refuse(pending.first)
        return Refusal(Drop.HOST_INBOUND, "allowed, but nobody listens here")

    def more(self, pending: Pending) -> bool:
        """Another packet came behind a ping in fragments: answer what is whole by now. Whether
        nothing is left to wait for."""
        datagrams: dict[int, list[Queued]] = {}
        left = [pending.first, *pending.queue]
        for queued in tuple(left):
            packet = queued.packet
            if not packet.fragment:
                self._echo(queued)
                left.remove(queued)
            else:
                datagrams.setdefault(packet.fragment_id, []).append(queued)
        for parts in datagrams.values():
            whole = together(part.packet for part in parts)
            if whole is not None:
                self._echo(parts[0]._replace(packet=whole), parts[0].packet.fragment_id)
                left = [queued for queued in left if queued not in parts]
        if left:
            pending.first, *pending.queue = left
        return not left

    def _allowed(self, pending: Pending) -> frozenset[HostService]:
        ingress = pending.ingress
        if ingress.host_inbound is not None:
            return ingress.host_inbound
        zone = self._core.config.zones.get(ingress.zone)
        return frozenset() if zone is None else zone.host_inbound

    def _echo(self, queued: Queued, identification: int = 0) -> None:
        """Answer a ping; in fragments, with this identification, if it is too long."""
        core = self._core
        message, packet, _ = queued
        interface = core.interface(message.port, packet.vlan)
        if interface is None:
            return  # it is gone meanwhile
        reply = echo_reply(
            packet, Hop(message.port, packet.vlan, interface.mac, packet.frame[6:12])
        )
        l3 = 18 if packet.vlan else 14
        if packet.version == 4:
            named = reply[: l3 + 4] + (identification & 0xFFFF).to_bytes(2, "big") + reply[l3 + 6 :]
            pieces = fragment(named, l3, interface.mtu) if identification else [reply]
        else:
            pieces = fragment6(reply, l3, interface.mtu, identification)
        for piece in pieces:
            core.send(core.npus[message.port.npu], Transmit(message.port, Send.RAW, piece))
