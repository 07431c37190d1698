"""Packets on their way through SPUs: which they are, and in which order they leave."""

from __future__ import annotations

from controller.flow import Nanoseconds
from controller.messages import (
    CreateRequest,
    CreateSession,
    Deliver,
    Message,
    PacketIn,
    Redirect,
    Transmit,
)
from controller.packet import TCP
from controller.reasons import Drop, Send
from controller.simulate.flow import Flow
from controller.simulate.frames import tag_of
from controller.simulate.violation import Rule, Violation
from controller.spu.tcp import opens

PacketCarrier = PacketIn | CreateSession | Deliver | Redirect | CreateRequest
CARRIERS = frozenset((PacketIn, CreateSession, Deliver, Redirect, CreateRequest))
"""Messages with a packet in them, beside ``Transmit``."""


def carried(message: PacketCarrier) -> PacketIn:
    """The packet in a message."""
    return message if isinstance(message, PacketIn) else message.packet


def carries_packet_of(flow: Flow, message: Message) -> bool:
    """Whether a packet of a flow is lost with a message; not so one that the firewall made itself,
    such as an ARP request or an error that quotes the packet."""
    if isinstance(message, Transmit):
        if message.send is not Send.EGRESS and not flow.is_for_us:
            return False
        frame = message.frame
    elif isinstance(message, PacketCarrier):
        frame = carried(message).frame
    else:
        return False
    tag = tag_of(frame)
    return tag is not None and tag.flow == flow.number


def reached_spu(message: PacketCarrier, flow: Flow, spu: int) -> None:
    """A packet comes to an SPU."""
    packet = carried(message)
    tag = tag_of(packet.frame)
    if tag is not None and tag.flow == flow.number:
        flow.clock += 1
        flow.arrived.setdefault(tag.packet, []).append((flow.clock, spu, packet.at))


def handed_back(message: Redirect | CreateRequest, flow: Flow, spu: int) -> None:
    """A packet leaves an SPU for the central point, and may come again. Of copies, it is the one
    that its NPU had at the same time."""
    packet = message.packet
    tag = tag_of(packet.frame)
    if tag is not None and tag.flow == flow.number:
        arrivals = flow.arrived.get(tag.packet, [])
        for index, (_, where, at) in enumerate(arrivals):
            if where == spu and at == packet.at:
                _take(flow, tag.packet, index)
                return
        parsed = packet.parse()
        if not isinstance(parsed, Drop) and parsed.protocol == TCP and opens(parsed.flags):
            # It has left already, as a SYN of a connection that its server has forgotten; now it
            # begins another one.
            flow.doubled(tag.packet, packet.frame)
            flow.open += 1


def _take(flow: Flow, packet: int, index: int) -> None:
    """A copy of a packet is in its SPU no more."""
    arrivals = flow.arrived[packet]
    del arrivals[index]
    if not arrivals:
        del flow.arrived[packet]


def in_doubt(message: PacketIn, flow: Flow) -> None:
    """A RST or FIN on Express Path waits until its NPU has said what its sender has sent; nothing
    that is behind it waits, as what needs no SPU does not either."""
    tag = tag_of(message.frame)
    if tag is not None and tag.flow == flow.number:
        flow.doubted |= {tag.packet}


def left_spu(message: Transmit, live: dict[int, Flow], spu: int, now: Nanoseconds) -> None:
    """A packet leaves an SPU for an NPU: in the order in which it came, among those of its
    direction. Of copies, which look alike, any may be the one."""
    tag = tag_of(message.frame) if message.send is Send.EGRESS else None
    flow = None if tag is None else live.get(tag.flow)
    if tag is None or flow is None or not flow.is_counted:
        return
    way = spu << 1 | tag.packet & 1
    last = flow.left_spu.get(way, 0)
    came = False
    arrivals = flow.arrived.get(tag.packet, [])
    for index, (arrival, where, _) in enumerate(arrivals):
        if where != spu:
            continue
        came = True
        if arrival > last:
            _take(flow, tag.packet, index)
            flow.left_spu[way] = arrival
            return
    if not came:
        what = f"packet {tag.packet} leaves SPU {spu} more often than it came"
        raise Violation(Rule.TWICE, what, now, flow.number)
    if tag.packet in flow.doubted:
        return
    what = f"packet {tag.packet} reached SPU {spu} before one that has left it already"
    raise Violation(Rule.ORDER, what, now, flow.number)
