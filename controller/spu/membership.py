"""Whether a packet belongs to the session that its NPU names: trust, but look."""

from __future__ import annotations

from controller.flow import FlowKey
from controller.icmp import parse_quoted
from controller.messages import PacketIn
from controller.packet import Packet
from controller.reasons import Drop, Punt
from controller.spu.session import Session


def belongs(session: Session, message: PacketIn, packet: Packet) -> bool:
    """Whether a packet is one of the wing that the message names.

    An ICMP error goes by the packet that it quotes: it travels with the wing of its answers. A
    later fragment has no ports; its NPU had them from the first one.
    """
    key = session.wings[message.direction].key
    if message.reason is Punt.ICMP_ERROR:
        quoted = parse_quoted(message.frame)
        if isinstance(quoted, Drop):
            return False
        return FlowKey(*quoted.tuple5.reversed(), message.token) == key
    if packet.is_later_fragment:
        packet_key = FlowKey(
            packet.src, packet.dst, key.sport, key.dport, packet.protocol, message.token
        )
        return packet_key == key
    return packet.key(message.token) == key
