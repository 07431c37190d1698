"""Frames as the control plane sees them: parsed once, rewritten with incremental checksums.

``parse`` and ``rewrite`` run for every packet of a session that is not on Express Path, hence no
general packet library here. A frame that is not what it claims to be gives a ``Drop`` reason,
never an exception: it came from outside.

Ports of ICMP echo follow ``docs/ARCHITECTURE.md``: the identifier is the port of the side that
asks, the request's type << 8 that of the side that answers.
"""

from __future__ import annotations

from struct import Struct

from controller.flow import Address, FlowKey, FragmentId, Hop, Tuple5
from controller.reasons import Drop

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_IPV6 = 0x86DD

ICMP = 1
TCP = 6
UDP = 17
IPV6_FRAGMENT = 44
ICMPV6 = 58

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10

ECHO_REPLY = 0
ECHO_REQUEST = 8
ECHO_REQUEST_V6 = 128
ECHO_REPLY_V6 = 129

# IPv6 extension headers that sessions carry (RFC 8200, IANA). ESP, AH and "no next header" end
# the chain: they are protocols like any other.
_EXTENSIONS = frozenset((0, 43, IPV6_FRAGMENT, 60, 135, 139, 140))

_ICMP_ERRORS = frozenset((3, 4, 5, 11, 12))

_IPV4 = Struct("!BxHxxHBBxx4s4s")
_IPV6 = Struct("!BxxxHBB16s16s")
_PORTS = Struct("!HH")
_U16 = Struct("!H")


class Packet:
    """What a frame says: offsets into it and the fields that sessions go by."""

    __slots__ = (
        "dport",
        "dst",
        "flags",
        "fragment",
        "frame",
        "icmp_type",
        "l3",
        "l4",
        "protocol",
        "sport",
        "src",
        "ttl",
        "version",
        "vlan",
    )

    def __init__(
        self,
        frame: bytes,
        vlan: int,
        l3: int,
        l4: int,
        version: int,
        src: Address,
        dst: Address,
        sport: int,
        dport: int,
        protocol: int,
        ttl: int,
        flags: int,
        icmp_type: int,
        fragment: bool,
    ) -> None:
        self.frame = frame
        self.vlan = vlan
        """VLAN identifier of its 802.1Q tag; 0: untagged or priority tag."""
        self.l3 = l3
        """Offset of the IP header."""
        self.l4 = l4
        """Offset of what follows the IP header."""
        self.version = version
        self.src = src
        self.dst = dst
        self.sport = sport
        self.dport = dport
        self.protocol = protocol
        self.ttl = ttl
        self.flags = flags
        """TCP flags (``SYN``, ...); 0 for other protocols."""
        self.icmp_type = icmp_type
        """Type of an ICMP or ICMPv6 message; -1 for other protocols."""
        self.fragment = fragment
        """An IP fragment, first ones included. Only a first one has ports."""

    @property
    def tuple5(self) -> Tuple5:
        """Addresses, ports and protocol."""
        return Tuple5(self.src, self.dst, self.sport, self.dport, self.protocol)

    def with_frame(self, frame: bytes) -> Packet:
        """The same packet in a frame that differs in none of these fields."""
        return Packet(
            frame, self.vlan, self.l3, self.l4, self.version, self.src, self.dst, self.sport,
            self.dport, self.protocol, self.ttl, self.flags, self.icmp_type, self.fragment,
        )  # fmt: skip

    def key(self, token: int) -> FlowKey:
        """The six criteria, with the token of the interface it came in on."""
        return FlowKey(self.src, self.dst, self.sport, self.dport, self.protocol, token)

    @property
    def is_later_fragment(self) -> bool:
        """A fragment that begins behind its packet's ports."""
        if not self.fragment:
            return False
        if self.version == 4:
            at = self.l3 + 6
            return bool((self.frame[at] << 8 | self.frame[at + 1]) & 0x1FFF)
        at = fragment_header(self.frame, self.l3)[0] + 2
        return bool((self.frame[at] << 8 | self.frame[at + 1]) >> 3)

    @property
    def fragment_id(self) -> int:
        """What all fragments of a packet have in common, beside addresses and protocol."""
        at, size = self.l3 + 4, 2
        if self.version == 6:
            at, size = fragment_header(self.frame, self.l3)[0] + 4, 4
        return int.from_bytes(self.frame[at : at + size], "big")

    def datagram(self, token: int) -> FragmentId:
        """What all of its fragments have in common."""
        return FragmentId(self.src, self.dst, self.protocol, self.fragment_id, token)

    @property
    def is_icmp_error(self) -> bool:
        """Whether it reports an error and quotes the packet in question."""
        if self.protocol == ICMP:
            return self.icmp_type in _ICMP_ERRORS
        return self.protocol == ICMPV6 and 0 <= self.icmp_type < 128

    @property
    def begins_session(self) -> bool:
        """Whether it may be the first of its session: a SYN alone, a ping, any UDP datagram."""
        if self.protocol == TCP:
            return self.flags & (SYN | ACK | RST | FIN) == SYN
        return self.icmp_type < 0 or self.is_echo_request

    @property
    def is_unreachable(self) -> bool:
        """Whether it is an ICMP or ICMPv6 "destination unreachable", and not about the size of a
        packet, which ICMP says in the same words."""
        if self.protocol == ICMP:
            return self.icmp_type == 3 and self.frame[self.l4 + 1] != 4
        return self.icmp_type == 1

    @property
    def is_echo_request(self) -> bool:
        """Whether it is a ping."""
        return self.icmp_type == (ECHO_REQUEST if self.protocol == ICMP else ECHO_REQUEST_V6)


def fragment_header(frame: bytes, l3: int) -> tuple[int, int]:
    """Where the fragment header of an IPv6 packet is that has one, and the byte that says so."""
    said, at = l3 + 6, l3 + 40
    while frame[said] != IPV6_FRAGMENT:
        said, at = at, at + ((frame[at + 1] + 1) << 3)
    return at, said


def parse(frame: bytes) -> Packet | Drop:
    """A frame with an IPv4 or IPv6 packet, or the reason why it is none that can be handled."""
    size = len(frame)
    if size < 34:
        return Drop.TRUNCATED
    ethertype = frame[12] << 8 | frame[13]
    vlan = 0
    l3 = 14
    if ethertype == ETHERTYPE_VLAN:
        vlan = (frame[14] << 8 | frame[15]) & 0xFFF
        ethertype = frame[16] << 8 | frame[17]
        l3 = 18
    return parse_ip(frame, vlan, l3, ethertype, size)


def parse_ip(
    frame: bytes, vlan: int, l3: int, ethertype: int, size: int, quoted: bool = False
) -> Packet | Drop:
    """The IP packet at offset ``l3`` of a frame of ``size`` bytes.

    ``quoted`` is for the packet that an ICMP error quotes: it may end after the eight bytes that
    follow its IP header, whatever lengths it gives (RFC 792).
    """
    fragment = False
    if ethertype == ETHERTYPE_IPV4:
        if size < l3 + 20:
            return Drop.TRUNCATED
        first, total, fragmented, ttl, protocol, src, dst = _IPV4.unpack_from(frame, l3)
        if first >> 4 != 4:
            return Drop.IP_VERSION
        header = (first & 15) << 2
        if header < 20:
            return Drop.IP_HEADER_LENGTH
        l4 = l3 + header
        if not quoted:
            if total < header or l3 + total > size:
                return Drop.IP_TOTAL_LENGTH
            size = l3 + total
        version = 4
        if fragmented & 0x3FFF:
            fragment = True
            if fragmented & 0x1FFF:
                return Packet(frame, vlan, l3, l4, 4, src, dst, 0, 0, protocol, ttl, 0, -1, True)
    elif ethertype == ETHERTYPE_IPV6:
        if size < l3 + 40:
            return Drop.TRUNCATED
        first, total, protocol, ttl, src, dst = _IPV6.unpack_from(frame, l3)
        if first >> 4 != 6:
            return Drop.IP_VERSION
        l4 = l3 + 40
        if not quoted:
            if l4 + total > size:
                return Drop.IP_TOTAL_LENGTH
            size = l4 + total
        version = 6
        while protocol in _EXTENSIONS:
            if size < l4 + 8:
                return Drop.TRUNCATED
            following, units = frame[l4], frame[l4 + 1]
            if protocol == IPV6_FRAGMENT:
                place = frame[l4 + 2] << 8 | frame[l4 + 3]
                l4 += 8
                if place >> 3:
                    return Packet(
                        frame, vlan, l3, l4, 6, src, dst, 0, 0, following, ttl, 0, -1, True
                    )
                # Alone of its packet (RFC 6946) it is none.
                fragment = bool(place & 1)
            else:
                l4 += (units + 1) << 3
            protocol = following
    else:
        return Drop.ETHERTYPE

    sport = dport = flags = 0
    icmp_type = -1
    if protocol == TCP:
        if size < l4 + (8 if quoted else 20):
            return Drop.TRUNCATED
        sport, dport = _PORTS.unpack_from(frame, l4)
        if not quoted:
            offset = frame[l4 + 12] >> 4
            if offset < 5 or (l4 + (offset << 2) > size and not fragment):
                return Drop.TCP_OFFSET
            flags = frame[l4 + 13]
    elif protocol == UDP:
        if size < l4 + 8:
            return Drop.TRUNCATED
        sport, dport = _PORTS.unpack_from(frame, l4)
        if not quoted and not fragment:
            length = frame[l4 + 4] << 8 | frame[l4 + 5]
            if length < 8 or l4 + length > size:
                return Drop.UDP_LENGTH
    elif protocol == ICMP and version == 4:
        if size < l4 + 8:
            return Drop.TRUNCATED
        icmp_type = frame[l4]
        if icmp_type == ECHO_REQUEST:
            sport = frame[l4 + 4] << 8 | frame[l4 + 5]
            dport = 0x0800
        elif icmp_type == ECHO_REPLY:
            sport = 0x0800
            dport = frame[l4 + 4] << 8 | frame[l4 + 5]
    elif protocol == ICMPV6 and version == 6:
        if size < l4 + 8:
            return Drop.TRUNCATED
        icmp_type = frame[l4]
        if icmp_type == ECHO_REQUEST_V6:
            sport = frame[l4 + 4] << 8 | frame[l4 + 5]
            dport = 0x8000
        elif icmp_type == ECHO_REPLY_V6:
            sport = 0x8000
            dport = frame[l4 + 4] << 8 | frame[l4 + 5]
    return Packet(
        frame, vlan, l3, l4, version, src, dst, sport, dport, protocol, ttl, flags, icmp_type,
        fragment,
    )  # fmt: skip


def vlan_of(frame: bytes) -> int:
    """The VLAN identifier of a frame's tag; 0 without one."""
    if len(frame) >= 16 and frame[12] << 8 | frame[13] == ETHERTYPE_VLAN:
        return (frame[14] << 8 | frame[15]) & 0xFFF
    return 0


def checksum(data: bytes | bytearray, start: int = 0) -> int:
    """The Internet checksum (RFC 1071) of ``data``; ``start`` is a sum to begin with.

    A sum of 16-bit words in ones' complement is the number that the bytes spell, modulo 65535.
    """
    if len(data) & 1:
        data = bytes(data) + b"\0"
    return 0xFFFF - ((int.from_bytes(data, "big") + start) % 0xFFFF or 0xFFFF)


def adjust(old: int, delta: int) -> int:
    """A checksum after its data grew by ``delta`` (RFC 1624, equation 3, modulo 65535)."""
    return 0xFFFF - ((0xFFFF - old + delta) % 0xFFFF or 0xFFFF)


def rewrite(packet: Packet, translated: Tuple5, hop: Hop) -> bytes:
    """The frame as it leaves: translated, one hop older, with the hop's MAC addresses and tag.

    All checksums are adjusted, not computed anew, so a wrong one stays wrong and the receiver
    notices. The caller has seen to it that the TTL is above 1.
    """
    frame = packet.frame
    l3 = packet.l3
    body = bytearray(frame)
    l4 = packet.l4
    src, dst, sport, dport, protocol = translated
    version = packet.version
    delta = 0
    # May be readdressed by 0, such as when both are swapped.
    readdressed = False
    if src != packet.src:
        readdressed = True
        delta = int.from_bytes(src, "big") - int.from_bytes(packet.src, "big")
        at = l3 + 12 if version == 4 else l3 + 8
        body[at : at + len(src)] = src
    if dst != packet.dst:
        readdressed = True
        delta += int.from_bytes(dst, "big") - int.from_bytes(packet.dst, "big")
        at = l3 + 16 if version == 4 else l3 + 24
        body[at : at + len(dst)] = dst
    if version == 4:
        # TTL is the high byte of its word: one less is 0x0100 less.
        old = body[l3 + 10] << 8 | body[l3 + 11]
        _U16.pack_into(body, l3 + 10, adjust(old, delta - 0x0100))
        body[l3 + 8] -= 1
    else:
        body[l3 + 7] -= 1

    changed = sport != packet.sport or dport != packet.dport
    if readdressed or changed:
        ports = sport + dport - packet.sport - packet.dport
        if protocol == TCP:
            _PORTS.pack_into(body, l4, sport, dport)
            old = body[l4 + 16] << 8 | body[l4 + 17]
            _U16.pack_into(body, l4 + 16, adjust(old, delta + ports))
        elif protocol == UDP:
            _PORTS.pack_into(body, l4, sport, dport)
            old = body[l4 + 6] << 8 | body[l4 + 7]
            if old:
                # 0 would say that there is no checksum (RFC 768).
                _U16.pack_into(body, l4 + 6, adjust(old, delta + ports) or 0xFFFF)
        elif packet.icmp_type >= 0:
            if changed:
                request = packet.is_echo_request
                _U16.pack_into(body, l4 + 4, sport if request else dport)
            # ICMP has no pseudo-header, ICMPv6 has one.
            of = ports if protocol == ICMP else delta + ports
            if of:
                old = body[l4 + 2] << 8 | body[l4 + 3]
                _U16.pack_into(body, l4 + 2, adjust(old, of))
                if not any(body[l4:]):
                    # Only nothing but zeros has the sum 0, not 0xFFFF, which look alike to adjust.
                    _U16.pack_into(body, l4 + 2, 0xFFFF)

    if packet.vlan == hop.vlan and l3 == (18 if hop.vlan else 14):
        body[0:12] = hop.dst_mac + hop.src_mac
        return bytes(body)
    return ethernet(hop, frame[l3 - 2] << 8 | frame[l3 - 1]) + bytes(body[l3:])


def ethernet(hop: Hop, ethertype: int) -> bytes:
    """An Ethernet header towards a hop, with its tag if the interface has one."""
    if hop.vlan:
        return hop.dst_mac + hop.src_mac + _TAG.pack(ETHERTYPE_VLAN, hop.vlan, ethertype)
    return hop.dst_mac + hop.src_mac + _U16.pack(ethertype)


_TAG = Struct("!HHH")
