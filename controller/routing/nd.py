"""ARP and Neighbour Discovery on the wire: frames built and read, no state.

RFC 826 (ARP), RFC 4861 (Neighbour Discovery), RFC 4291 (addresses).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from controller.flow import Address, Hop
from controller.icmp import icmpv6
from controller.ip_packets import pseudo_header
from controller.packet import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    ETHERTYPE_VLAN,
    ICMPV6,
    checksum,
    ethernet,
    parse,
)
from controller.reasons import Drop

BROADCAST = b"\xff" * 6
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
NEIGHBOR_SOLICITATION = 135
NEIGHBOR_ADVERTISEMENT = 136
_NAMES = {
    133: "router solicitation",
    134: "router advertisement",
    NEIGHBOR_SOLICITATION: "neighbor solicitation",
    NEIGHBOR_ADVERTISEMENT: "neighbor advertisement",
    137: "redirect",
}

_ARP = Struct("!HHBBH6s4s6s4s")
_SOURCE_LINK, _TARGET_LINK = 1, 2
_SOLICITED_OVERRIDE = 0x60000000
_OVERRIDE = 0x20000000


@dataclass(frozen=True, slots=True)
class Heard:
    """What a neighbour said, ARP or ND alike."""

    asks: bool
    """A request or solicitation; otherwise a reply or advertisement."""
    target: Address
    """Whose MAC address is asked for; of a reply: who it is for (ARP), who it is about (ND)."""
    sender: Address
    """Who speaks; all zero if it has no address yet."""
    mac: bytes
    """The speaker's MAC address; empty if it does not say."""


def read_arp(frame: bytes) -> Heard | Drop:
    """An ARP request or reply for IPv4 over Ethernet."""
    at = 18 if len(frame) >= 14 and frame[12] << 8 | frame[13] == ETHERTYPE_VLAN else 14
    if len(frame) < at + _ARP.size:
        return Drop.TRUNCATED
    if frame[at - 2] << 8 | frame[at - 1] != ETHERTYPE_ARP:
        return Drop.ETHERTYPE
    hardware, protocol, hlen, plen, operation, mac, sender, _, target = _ARP.unpack_from(frame, at)
    if (hardware, protocol, hlen, plen) != (1, 0x0800, 6, 4) or operation not in (1, 2):
        return Drop.MALFORMED
    if not _is_station(mac):
        return Drop.MALFORMED
    return Heard(operation == 1, target, sender, mac)


def _is_station(mac: bytes) -> bool:
    """Whether a MAC address may be that of one machine: neither a group's nor zero."""
    return not mac[0] & 1 and any(mac)


def arp(operation: int, hop: Hop, sender: Address, target_mac: bytes, target: Address) -> bytes:
    """An ARP frame; ``operation`` 1 asks, 2 answers."""
    body = _ARP.pack(1, 0x0800, 6, 4, operation, hop.src_mac, sender, target_mac, target)
    return ethernet(hop, ETHERTYPE_ARP) + body


def name_of(frame: bytes) -> str:
    """What a Neighbour Discovery message is called (RFC 4861, section 4)."""
    packet = parse(frame)
    kind = None if isinstance(packet, Drop) or packet.protocol != ICMPV6 else packet.icmp_type
    return _NAMES.get(kind or 0, "neighbour discovery")


def read_nd(frame: bytes) -> Heard | Drop:
    """A Neighbour Solicitation or Advertisement, valid by RFC 4861 sections 7.1.1 and 7.1.2.

    Other Neighbour Discovery messages, such as Router Solicitations, are not for a firewall that
    advertises nothing: ``NOT_FOR_US``.
    """
    packet = parse(frame)
    if isinstance(packet, Drop):
        return packet
    if packet.protocol != ICMPV6 or packet.icmp_type not in (
        NEIGHBOR_SOLICITATION,
        NEIGHBOR_ADVERTISEMENT,
    ):
        return Drop.NOT_FOR_US
    size = frame[packet.l3 + 4] << 8 | frame[packet.l3 + 5]
    message = frame[packet.l4 : packet.l4 + size]
    pseudo = pseudo_header(packet.src, packet.dst, ICMPV6, size)
    # 255 proves that no router forwarded it.
    if packet.ttl != 255 or message[1] != 0 or size < 24 or checksum(message, pseudo):
        return Drop.MALFORMED
    asks = packet.icmp_type == NEIGHBOR_SOLICITATION
    target = message[8:24]
    mac = _option(message, _SOURCE_LINK if asks else _TARGET_LINK)
    if target[0] == 0xFF or mac is None or (mac and not _is_station(mac)):
        return Drop.MALFORMED
    return Heard(asks, target, packet.src, mac)


def _option(message: bytes, wanted: int) -> bytes | None:
    """The link-layer address in an option; empty if absent, ``None`` if options are broken."""
    at = 24
    found = b""
    while at < len(message):
        if at + 2 > len(message) or message[at + 1] == 0:
            return None
        end = at + message[at + 1] * 8
        if end > len(message):
            return None
        if message[at] == wanted and end == at + 8:
            found = message[at + 2 : at + 8]
        at = end
    return found


def solicitation(hop: Hop, source: Address, target: Address) -> bytes:
    """Ask who has ``target``; to its solicited-node group, so ``hop.dst_mac`` is that group's."""
    message = bytearray([NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0])
    message += target + bytes([_SOURCE_LINK, 1]) + hop.src_mac
    return ethernet(hop, ETHERTYPE_IPV6) + icmpv6(source, solicited_node(target), message, 255)


def advertisement(hop: Hop, target: Address, to: Address, *, override: bool = True) -> bytes:
    """Say that ``target`` is here; ``to`` is the asker, or all nodes if it has no address yet. A
    proxy does not ``override`` what the owner says (RFC 4861, section 7.2.8)."""
    flags = _OVERRIDE if to == ALL_NODES else _SOLICITED_OVERRIDE
    if not override:
        flags &= ~_OVERRIDE
    message = bytearray([NEIGHBOR_ADVERTISEMENT, 0, 0, 0]) + flags.to_bytes(4, "big")
    message += target + bytes([_TARGET_LINK, 1]) + hop.src_mac
    return ethernet(hop, ETHERTYPE_IPV6) + icmpv6(target, to, message, 255)


def link_local(mac: bytes) -> Address:
    """The link-local address that an interface with this MAC address has (modified EUI-64)."""
    eui = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return b"\xfe\x80" + bytes(6) + eui


def solicited_node(target: Address) -> Address:
    """The multicast group that an address's owner listens to."""
    return bytes.fromhex("ff0200000000000000000001ff") + target[13:]


def multicast_mac(group: Address) -> bytes:
    """The Ethernet address of an IPv6 multicast group (RFC 2464)."""
    return b"\x33\x33" + group[12:]
