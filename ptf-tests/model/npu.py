"""Interfaces and wings in, outcome out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from controller.reasons import Drop, Punt
from model import screens
from model.reading import ARP, ICMP, ICMPV6, TCP, UDP, Facts, echo_ports, quoted_has_ports, read


@dataclass(frozen=True)
class Profile:
    """Screens of one direction of an interface."""

    on: frozenset[Drop] = frozenset()
    alarm_only: frozenset[Drop] = frozenset()
    limit: int = 8


@dataclass(frozen=True)
class Interface:
    """A logical interface."""

    port: int
    vlan: int
    token: int
    mac: bytes
    zone: int
    epoch: int = 0
    ingress: Profile = Profile()
    egress: Profile = Profile()


@dataclass(frozen=True)
class Wing:
    """One direction of a session; with a way out it is on Express Path."""

    session_id: int
    spu: int
    epoch: int = 0
    out: Interface | None = None
    next_hop: bytes = b""
    translated: tuple[bytes, bytes, int, int] | None = None


Key = tuple[bytes, bytes, int, int, int, int]
"""Source, destination, their ports, protocol, token."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of a packet: exactly one of dropped, punted and sent."""

    drop: Drop = Drop.NONE
    egress_drop: Drop = Drop.NONE
    punt: Punt = Punt.NONE
    session_id: int = 0
    port: int = 0
    frame: bytes = b""
    hits: frozenset[Drop] = frozenset()
    egress_hits: frozenset[Drop] = frozenset()


@dataclass
class Npu:
    """The tables of one."""

    interfaces: Iterable[Interface]
    wings: Mapping[Key, Wing] = field(default_factory=dict)
    routes: Mapping[tuple[bytes, int], int] = field(default_factory=dict)
    """Zones by prefix (address, length): where the way to it leads."""

    def predict(self, port: int, frame: bytes) -> Outcome:
        """What becomes of a frame that arrives."""
        facts = read(frame)
        interface = self._interface(port, facts.vlan)
        if interface is None:
            return Outcome(drop=Drop.NO_INTERFACE)
        drop, punt = _sanity(facts, interface)
        if drop or punt:
            return Outcome(drop=drop, punt=punt)
        found = screens.found(facts, interface.ingress.limit)
        if self._zone(facts.src) != interface.zone:
            found |= {Drop.SCREEN_SPOOFING}
        hits = found & interface.ingress.on
        drop, counted = screens.verdict(hits, interface.ingress.alarm_only)
        if drop:
            return Outcome(drop=drop, hits=frozenset(counted))
        return self._session(facts, interface, frozenset(counted))

    def _interface(self, port: int, vlan: int) -> Interface | None:
        for interface in self.interfaces:
            if (interface.port, interface.vlan) == (port, vlan):
                return interface
        return None

    def _zone(self, source: bytes) -> int:
        """Where the way to an address leads, by the longest prefix; 0: nowhere."""
        best = (-1, 0)
        for (prefix, length), zone in self.routes.items():
            away = 8 * len(prefix) - length
            same = int.from_bytes(prefix, "big") >> away == int.from_bytes(source, "big") >> away
            if len(prefix) == len(source) and same:
                best = max(best, (length, zone))
        return best[1]

    def _session(self, facts: Facts, interface: Interface, hits: frozenset[Drop]) -> Outcome:
        error = facts.icmp_error
        key = quoted_key(facts) if error else packet_key(facts)
        wing = self.wings.get((*key, interface.token))
        session_id = wing.session_id if wing else 0

        def punted(reason: Punt) -> Outcome:
            return Outcome(punt=reason, session_id=session_id, hits=hits)

        if error:
            return punted(Punt.ICMP_ERROR)
        if facts.fragment:
            return punted(Punt.FRAGMENT)
        if wing is None:
            return punted(Punt.MISS)
        if wing.epoch != interface.epoch:
            return punted(Punt.STALE)
        if wing.out is None:
            return punted(Punt.SESSION)
        if facts.flags & 7:
            return punted(Punt.TCP_CONTROL)
        if facts.options or facts.extensions:
            return punted(Punt.SESSION)
        if facts.ttl <= 1:
            return punted(Punt.TTL_EXPIRED)
        frame = express(facts, wing)
        out = wing.out
        leaving = read(frame)
        found = screens.found(leaving, out.egress.limit)
        if leaving.src == facts.src and self._zone(leaving.src) != interface.zone:
            found |= {Drop.SCREEN_SPOOFING}
        egress = found & out.egress.on
        drop, counted = screens.verdict(egress, out.egress.alarm_only)
        if drop:
            return Outcome(egress_drop=drop, hits=hits, egress_hits=frozenset(counted))
        return Outcome(port=out.port, frame=frame, hits=hits, egress_hits=frozenset(counted))


def _sanity(facts: Facts, interface: Interface) -> tuple[Drop, Punt]:
    for drop, wrong in _checks(facts, interface):
        if isinstance(drop, Punt):
            if wrong:
                return Drop.NONE, drop
        elif wrong:
            return drop, Punt.NONE
    return Drop.NONE, Punt.NONE


def _checks(facts: Facts, interface: Interface) -> Iterable[tuple[Drop | Punt, bool]]:
    """In order; the first that holds names what becomes of the packet."""
    frame, to_us = facts.frame, facts.frame[:6] == interface.mac
    yield Drop.TRUNCATED, facts.truncated
    yield Drop.NOT_FOR_US, not to_us and not frame[0] & 1
    yield Punt.ARP, facts.ether_type == ARP
    yield Drop.ETHERTYPE, not facts.version
    room, at = len(frame) - facts.ip, facts.ip
    yield Drop.IP_VERSION, frame[at] >> 4 != facts.version
    if facts.version == 4:
        header, total = 4 * (frame[at] & 15), facts.u16(at + 2)
        yield Drop.IP_HEADER_LENGTH, header < 20
        yield Drop.IP_TOTAL_LENGTH, not header <= total <= room
        yield Drop.IP_CHECKSUM, ones_sum(frame[at : at + header]) != 0xFFFF
        yield Drop.MULTICAST, not to_us or facts.dst[0] >> 4 == 14 or facts.dst == b"\xff" * 4
        yield Drop.MARTIAN_SOURCE, facts.src[0] in (0, 127) or facts.src[0] >= 224
    else:
        payload = facts.u16(at + 4)
        yield Drop.IP_TOTAL_LENGTH, 40 + payload > room or payload < facts.chain_bytes
        yield Drop.IPV6_EXTENSION, facts.too_long
        neighbour = facts.is_icmp and not facts.fragment and facts.ttl == 255
        yield Punt.ND, neighbour and frame[facts.upper] in range(133, 137)
        yield Drop.MULTICAST, not to_us or facts.dst[0] == 255
        special = (bytes(16), bytes(15) + b"\1")
        yield Drop.MARTIAN_SOURCE, facts.src[0] == 255 or facts.src in special
    if facts.is_tcp:
        yield Drop.IP_TOTAL_LENGTH, facts.length < 20
        words = frame[facts.upper + 12] >> 4
        yield Drop.TCP_OFFSET, words < 5 or 4 * words > facts.length
    elif facts.is_udp:
        yield Drop.IP_TOTAL_LENGTH, facts.length < 8
        length = facts.u16(facts.upper + 4)
        yield Drop.UDP_LENGTH, length < 8 or (length > facts.length and not facts.fragment)
    elif facts.is_icmp:
        least = 8
        if facts.quoted:
            least += (20 if facts.version == 4 else 40) + 8
        yield Drop.IP_TOTAL_LENGTH, facts.length < least


def packet_key(facts: Facts) -> tuple[bytes, bytes, int, int, int]:
    """What a packet's wing is found by, the token aside."""
    return facts.src, facts.dst, facts.sport, facts.dport, facts.protocol


def quoted_key(facts: Facts) -> tuple[bytes, bytes, int, int, int]:
    """The key of the answers to the packet that an ICMP error quotes."""
    at, frame = facts.quoted, facts.frame
    # Where protocol and source stand in the header; the destination follows the source.
    kind, source, size, header = (9, 12, 4, 20) if facts.version == 4 else (6, 8, 16, 40)
    protocol, upper = frame[at + kind], at + header
    src = frame[at + source : at + source + size]
    dst = frame[at + source + size : at + source + 2 * size]
    sport = dport = 0
    if quoted_has_ports(facts):
        if protocol in (TCP, UDP):
            sport, dport = facts.u16(upper), facts.u16(upper + 2)
        else:
            sport, dport = echo_ports(protocol, frame[upper], facts.u16(upper + 4))
    return dst, src, dport, sport, protocol


def ones_sum(data: bytes) -> int:
    """Sum of 16-bit words in one's complement (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    return fold(sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)))


def fold(total: int) -> int:
    """A sum with its carries added."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def corrected(checksum: int, before: bytes, after: bytes) -> int:
    """RFC 1624, equation 3."""
    inverted = bytes(255 - byte for byte in before)
    words = sum(
        int.from_bytes(part[i : i + 2], "big")
        for part in (inverted, after)
        for i in range(0, len(part), 2)
    )
    return 0xFFFF - fold((0xFFFF - checksum) + words)


def express(facts: Facts, wing: Wing) -> bytes:
    """The frame as it leaves."""
    assert wing.out is not None
    packet = bytearray(facts.frame[facts.ip :])
    upper = facts.upper - facts.ip if facts.upper else 0
    if facts.version == 6:
        packet[7] -= 1
    else:
        assert wing.translated is not None
        src, dst, sport, dport = wing.translated
        before_addresses, after_addresses = bytes(packet[12:20]), src + dst
        ttl = bytes(packet[8:10])
        packet[8] -= 1
        packet[12:20] = after_addresses
        header = corrected(
            int.from_bytes(packet[10:12], "big"),
            ttl + before_addresses,
            bytes(packet[8:10]) + after_addresses,
        )
        packet[10:12] = header.to_bytes(2, "big")
        after = sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
        if facts.is_tcp or facts.is_udp:
            before = bytes(packet[upper : upper + 4])
            packet[upper : upper + 4] = after
            at = upper + (16 if facts.is_tcp else 6)
            old = int.from_bytes(packet[at : at + 2], "big")
            if facts.is_tcp or old:
                new = corrected(old, before_addresses + before, after_addresses + after)
                if facts.is_udp and not new:
                    new = 0xFFFF
                packet[at : at + 2] = new.to_bytes(2, "big")
        elif facts.is_icmp and packet[upper] in (8, 0):
            identifier = after[:2] if packet[upper] == 8 else after[2:]
            before = bytes(packet[upper + 4 : upper + 6])
            packet[upper + 4 : upper + 6] = identifier
            old = int.from_bytes(packet[upper + 2 : upper + 4], "big")
            packet[upper + 2 : upper + 4] = corrected(old, before, identifier).to_bytes(2, "big")
    link = wing.next_hop + wing.out.mac
    if wing.out.vlan:
        tag = facts.u16(14) & 0xF000 if facts.tagged else 0
        link += b"\x81\0" + (tag | wing.out.vlan).to_bytes(2, "big")
    return link + facts.ether_type.to_bytes(2, "big") + bytes(packet)


__all__ = ["ICMP", "ICMPV6", "Interface", "Key", "Npu", "Outcome", "Profile", "Wing"]
