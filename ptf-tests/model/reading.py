"""The facts of a frame."""

from __future__ import annotations

from dataclasses import dataclass, field

IPV4, IPV6, ARP, VLAN = 0x0800, 0x86DD, 0x0806, 0x8100
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
TRANSPORT_BYTES = {TCP: 20, UDP: 8, ICMP: 8, ICMPV6: 8}
ERRORS4, ERRORS6 = (3, 4, 5, 11, 12), (1, 2, 3, 4)
WALKED = {
    0: "HOP_BY_HOP",
    43: "ROUTING",
    60: "DESTINATION",
    135: "MOBILITY",
    139: "HIP",
    140: "SHIM6",
}
LAST = {50: "ESP", 51: "AH", 59: "NO_NEXT"}
MOST_EXTENSIONS, LONGEST_EXTENSION = 8, 64


class BreaksOff(Exception):
    """The frame ends inside a header."""


@dataclass
class Facts:
    """Of one frame; offsets are into it, 0: not there."""

    frame: bytes
    ether_type: int = 0
    vlan: int = 0
    tagged: bool = False
    truncated: bool = False
    version: int = 0
    """Of IP, by EtherType; 0: something else."""
    ip: int = 0
    src: bytes = b""
    dst: bytes = b""
    ttl: int = 0
    protocol: int = 0
    options: bytes = b""
    chain: list[str] = field(default_factory=list)
    """Extension headers by name, in order, the last ones that are not walked included."""
    chain_bytes: int = 0
    too_long: bool = False
    fragment: bool = False
    offset: int = 0
    more: bool = False
    upper: int = 0
    """Where TCP, UDP or ICMP starts."""
    length: int = 0
    """Bytes behind the IP headers, by the IP length fields, as 16 bits."""
    sport: int = 0
    dport: int = 0
    quoted: int = 0
    """Where the packet that an ICMP error quotes starts."""

    def u8(self, at: int) -> int:
        if at >= len(self.frame):
            raise BreaksOff
        return self.frame[at]

    def u16(self, at: int) -> int:
        self.need(at, 2)
        return int.from_bytes(self.frame[at : at + 2], "big")

    def need(self, at: int, size: int) -> None:
        if at + size > len(self.frame):
            raise BreaksOff

    @property
    def flags(self) -> int:
        """Of TCP, whole or first fragment; 0 otherwise."""
        return self.frame[self.upper + 13] if self.is_tcp else 0

    @property
    def is_tcp(self) -> bool:
        return bool(self.upper) and self.protocol == TCP

    @property
    def is_udp(self) -> bool:
        return bool(self.upper) and self.protocol == UDP

    @property
    def is_icmp(self) -> bool:
        """With its header in this packet."""
        return bool(self.upper) and self.protocol in (ICMP, ICMPV6)

    @property
    def icmp_error(self) -> bool:
        errors = ERRORS4 if self.version == 4 else ERRORS6
        return self.is_icmp and self.frame[self.upper] in errors

    @property
    def extensions(self) -> int:
        """How many extension headers were walked."""
        return sum(name not in LAST.values() for name in self.chain)


def read(frame: bytes) -> Facts:
    """All that the frame shows before it breaks off."""
    facts = Facts(frame)
    try:
        _link(facts)
    except BreaksOff:
        facts.truncated = True
    return facts


def _link(facts: Facts) -> None:
    facts.need(0, 14)
    facts.ether_type, at = facts.u16(12), 14
    if facts.ether_type == VLAN:
        facts.need(at, 4)
        facts.tagged, facts.vlan = True, facts.u16(at) & 0xFFF
        facts.ether_type, at = facts.u16(at + 2), at + 4
    if facts.ether_type == ARP:
        facts.need(at, 28)
    elif facts.ether_type == IPV4:
        _ipv4(facts, at)
    elif facts.ether_type == IPV6:
        _ipv6(facts, at)


def _ipv4(facts: Facts, at: int) -> None:
    facts.need(at, 20)
    facts.version, facts.ip = 4, at
    facts.src, facts.dst = facts.frame[at + 12 : at + 16], facts.frame[at + 16 : at + 20]
    facts.ttl, facts.protocol = facts.u8(at + 8), facts.u8(at + 9)
    header = 4 * (facts.u8(at) & 15)
    facts.length = (facts.u16(at + 2) - header) & 0xFFFF
    if header < 20:
        return
    facts.need(at, header)
    facts.options = facts.frame[at + 20 : at + header]
    fragment = facts.u16(at + 6)
    facts.more, facts.offset = bool(fragment & 0x2000), fragment & 0x1FFF
    facts.fragment = facts.more or facts.offset > 0
    if facts.protocol != ICMPV6:
        _upper(facts, at + header)


def _ipv6(facts: Facts, at: int) -> None:
    facts.need(at, 40)
    facts.version, facts.ip = 6, at
    facts.src, facts.dst = facts.frame[at + 8 : at + 24], facts.frame[at + 24 : at + 40]
    facts.ttl, facts.protocol = facts.u8(at + 7), facts.u8(at + 6)
    facts.length = facts.u16(at + 4)
    at += 40
    while facts.protocol in WALKED or facts.protocol == 44:
        number = facts.protocol
        facts.chain.append(WALKED.get(number, "FRAGMENT"))
        if number == 44:
            facts.need(at, 8)
            size = 8
            fragment = facts.u16(at + 2)
            facts.fragment, facts.offset, facts.more = True, fragment >> 3, bool(fragment & 1)
        else:
            facts.need(at, 2)
            size = 8 * (facts.u8(at + 1) + 1)
        facts.protocol = facts.u8(at)
        if len(facts.chain) > MOST_EXTENSIONS or size > LONGEST_EXTENSION:
            facts.too_long = True
            return
        facts.need(at, size)
        facts.chain_bytes += size
        facts.length = (facts.length - size) & 0xFFFF
        at += size
        if facts.offset:
            return
    if facts.protocol in LAST:
        facts.chain.append(LAST[facts.protocol])
    elif facts.protocol != ICMP:
        _upper(facts, at)


def _upper(facts: Facts, at: int) -> None:
    if facts.offset or facts.protocol not in TRANSPORT_BYTES:
        return
    facts.need(at, TRANSPORT_BYTES[facts.protocol])
    facts.upper = at
    if facts.protocol in (TCP, UDP):
        facts.sport, facts.dport = facts.u16(at), facts.u16(at + 2)
        return
    facts.sport, facts.dport = echo_ports(facts.protocol, facts.u8(at), facts.u16(at + 4))
    if facts.icmp_error:
        facts.quoted = at + 8
        _quoted(facts, at + 8)


def echo_ports(protocol: int, kind: int, identifier: int) -> tuple[int, int]:
    """The identifier is the port of the side that asks, the request's type << 8 the other's."""
    request, reply = (8, 0) if protocol == ICMP else (128, 129)
    if kind == request:
        return identifier, request << 8
    if kind == reply:
        return request << 8, identifier
    return 0, 0


def _quoted(facts: Facts, at: int) -> None:
    size = 20 if facts.version == 4 else 40
    facts.need(at, size)
    if quoted_has_ports(facts):
        facts.need(at + size, 8)


def quoted_has_ports(facts: Facts) -> bool:
    """Whether the quoted packet is a plain one: its ports can be read."""
    at = facts.quoted
    if facts.version == 6:
        return facts.u8(at + 6) in (TCP, UDP, ICMPV6)
    plain = facts.u8(at) & 15 == 5 and not facts.u16(at + 6) & 0x1FFF
    return plain and facts.u8(at + 9) in (TCP, UDP, ICMP)
