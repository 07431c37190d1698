"""The senders of packets that a firewall filter rejects are told: "administratively prohibited".

An input filter's packet is as it came, and the answer goes back where that was. An output filter's
is as it would have left, translated: so the answer is made where the packet would have gone, and
takes the way of any ICMP error about it, by the central point and the session it belongs to.
"""

from __future__ import annotations

from controller.config.schema import Configuration, Interface
from controller.flow import Direction, Hop, Nanoseconds
from controller.icmp import error
from controller.messages import (
    CP,
    HOST,
    OBSERVER,
    Actor,
    Message,
    Outbound,
    PacketDropped,
    PacketIn,
    Reconfigure,
    Role,
    Transmit,
)
from controller.reasons import Drop, Punt, Send
from controller.spu.replies import RateLimit, is_one_host, own_address

PROHIBITED_V4 = (3, 13)
PROHIBITED_V6 = (1, 1)
"""ICMP type and code (RFC 1812, 5.2.7.1; RFC 4443, 3.1)."""


def by_mac(config: Configuration) -> dict[tuple[bytes, int], Interface]:
    """Interfaces by MAC address and VLAN: the address says the port, and stands in every frame
    that came to the interface, or is to leave by it."""
    return {(i.mac, i.vlan): i for i in config.interfaces.values()}


class Rejects:
    """Takes ``PacketIn`` with reason ``FILTER_REJECT``."""

    def __init__(self, config: Configuration) -> None:
        self._interfaces = by_mac(config)
        self._limit = RateLimit()

    def handle(self, message: Message, now: Nanoseconds) -> list[Outbound]:
        """What to send."""
        if isinstance(message, Reconfigure):
            self._interfaces = by_mac(message.configuration)
            return []
        assert isinstance(message, PacketIn)
        packet = message.parse()
        if isinstance(packet, Drop):
            return []
        own = packet.frame[6:12] if message.is_outward else packet.frame[0:6]
        interface = self._interfaces.get((own, packet.vlan))
        source = None if interface is None else own_address(interface, packet.src)
        out: list[Outbound] = []
        if not message.is_outward:
            # What falls on the way out has been counted there.
            flow, detail = packet.key(message.token), "a firewall filter rejects it"
            dropped = PacketDropped(now, HOST, Drop.FILTER_REJECT, flow, detail)
            out.append((OBSERVER, dropped))
        if (
            interface is None
            or source is None
            or packet.is_icmp_error
            or packet.is_later_fragment
            or not is_one_host(packet.src)
            or not self._limit.take(now)
        ):
            return out
        port = interface.port
        hop = Hop(port, packet.vlan, own, packet.frame[6:12])
        numbers = PROHIBITED_V4 if packet.version == 4 else PROHIBITED_V6
        answer = error(packet, source, hop, *numbers)
        if not message.is_outward:
            npu = Actor(Role.NPU, port.npu)
            out.append((npu, Transmit(port, Send.RAW, answer)))
        else:
            arrival = PacketIn(
                port, Punt.ICMP_ERROR, interface.token, 0, Direction.FORWARD, 0, answer,
                message.at,
            )  # fmt: skip
            out.append((CP, arrival))
        return out

    def deadline(self) -> Nanoseconds | None:
        """Never."""
        return None

    def tick(self, now: Nanoseconds) -> list[Outbound]:
        """Nothing is ever due."""
        del now
        return []
