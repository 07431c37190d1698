"""Whether a packet belongs to the session that its NPU names: trust, but look."""

from __future__ import annotations

from controller.flow import FlowKey
from controller.icmp import parse_quoted
from controller.messages import PacketIn
from controller.packet import Packet
from controller.reasons import Drop, Punt
from controller.spu.session import Session

_ICMP_ERROR = Punt.ICMP_ERROR


def belongs(session: Session, message: PacketIn, packet: Packet) -> bool:
    """Whether a packet is one of the wing that the message names.

    An ICMP error goes by the packet that it quotes: it travels with the wing of its answers. A
    later fragment has no ports; its NPU had them from the first one.
    """
    key = session.wings[message.direction].key
    if message.reason is _ICMP_ERROR:
        quoted = parse_quoted(message.frame)
        if isinstance(quoted, Drop):
            return False
        return FlowKey(*quoted.tuple5.reversed(), message.token) == key
    sport, dport = packet.sport, packet.dport
    if packet.fragment and packet.is_later_fragment:
        sport, dport = key.sport, key.dport
    return (packet.src, packet.dst, sport, dport, packet.protocol, message.token) == key
