"""What an SPU tells the sender of a packet that it does not let pass: ICMP errors and RSTs.

Errors come from the interface by which the packet arrived (RFC 1812, 4.3.2.4). None is sent about
an ICMP error, nor to an address that is no single host's (RFC 1812, 4.3.2.7; RFC 4443, 2.4 e);
and no more than ``RATE`` a second, so that nobody can make the firewall flood somebody else.
"""

from __future__ import annotations

from typing import NamedTuple

from controller.config.schema import SECOND, Interface
from controller.flow import Address, Hop, Nanoseconds
from controller.icmp import error
from controller.messages import Transmit
from controller.packet import ACK, RST, TCP, UDP, Packet
from controller.reasons import Drop, Send
from controller.spu.core import Core
from controller.spu.session import Queued
from controller.tcp_segments import answer, reset

RATE = 1000
"""Replies a second (``system internet-options icmpv4-rate-limit packet-rate``, its default)."""
BURST = 1000
"""Replies that may go out at once."""


class _Kind(NamedTuple):
    """Type and code of an error, for ICMP and for ICMPv6."""

    v4: tuple[int, int]
    v6: tuple[int, int]


TIME_EXCEEDED = _Kind((11, 0), (3, 0))
NO_ROUTE = _Kind((3, 0), (1, 0))
HOST_UNREACHABLE = _Kind((3, 1), (1, 3))
PORT_UNREACHABLE = _Kind((3, 3), (1, 4))
TOO_BIG = _Kind((3, 4), (2, 0))

REASSEMBLY = _Kind((11, 1), (3, 1))

_ERRORS = {
    Drop.FRAGMENT_TIMEOUT: REASSEMBLY,
    Drop.TTL_EXPIRED: TIME_EXCEEDED,
    Drop.NO_ROUTE: NO_ROUTE,
    Drop.ROUTE_REJECT: NO_ROUTE,
    Drop.NO_NEIGHBOR: HOST_UNREACHABLE,
    Drop.TOO_BIG: TOO_BIG,
}


class RateLimit:
    """A token bucket."""

    __slots__ = ("_at", "_tokens", "granted", "suppressed")

    def __init__(self) -> None:
        self._tokens: float = BURST
        self._at: Nanoseconds = 0
        self.granted = 0
        """How often it said yes."""
        self.suppressed = 0
        """How often it said no."""

    def take(self, now: Nanoseconds) -> bool:
        """Whether one more may go out now."""
        self._tokens = min(BURST, self._tokens + (now - self._at) * RATE / SECOND)
        self._at = now
        if self._tokens < 1:
            self.suppressed += 1
            return False
        self._tokens -= 1
        self.granted += 1
        return True


class Replies:
    """Answers in the firewall's own name."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.limit = RateLimit()

    def dropped(self, reason: Drop, queued: Queued, mtu: int = 0) -> None:
        """A packet goes no further for this reason: tell its sender, where that is the custom."""
        kind = _ERRORS.get(reason)
        if kind is not None:
            self._error(queued, kind, mtu)
        elif reason is Drop.POLICY_REJECT or (
            reason is Drop.TCP_NOT_SYN and self._tells_strays(queued)
        ):
            self.refuse(queued)

    def refuse(self, queued: Queued) -> None:
        """As a closed port answers: RST for TCP, port unreachable for UDP, nothing otherwise."""
        packet = queued.packet
        if packet.protocol == UDP:
            self._error(queued, PORT_UNREACHABLE)
        elif packet.protocol == TCP and not packet.flags & RST and self._may(packet):
            self._send(queued, reset(packet, self.back(queued)))

    def acknowledge(self, queued: Queued, seq: int, ack: int, window: int) -> None:
        """Tell the sender of a TCP segment what the other side expects, in its name."""
        if self._may(queued.packet):
            frame = answer(queued.packet, self.back(queued), seq, ack, ACK, window)
            self._send(queued, frame)

    def _tells_strays(self, queued: Queued) -> bool:
        """Whether the zone that a packet came from says ``tcp-rst``."""
        core = self._core
        interface = core.interface(queued.message.port, queued.packet.vlan)
        zone = None if interface is None else core.config.zones.get(interface.zone)
        return zone is not None and zone.tcp_rst

    def _error(self, queued: Queued, kind: _Kind, rest: int = 0) -> None:
        packet = queued.packet
        if packet.is_icmp_error:
            return
        ingress = self._core.interface(queued.message.port, packet.vlan)
        source = None if ingress is None else own_address(ingress, packet.src)
        if source is None or not self._may(packet):
            return
        numbers = kind.v4 if packet.version == 4 else kind.v6
        self._send(queued, error(packet, source, self.back(queued), *numbers, rest))

    def _may(self, packet: Packet) -> bool:
        return is_one_host(packet.src) and self.limit.take(self._core.now)

    def back(self, queued: Queued) -> Hop:
        """To where the packet came from, without a route look-up: that hop is alive."""
        message, packet, _ = queued
        mac, vlan = packet.frame[0:6], packet.vlan
        return Hop(message.port, vlan, mac, packet.frame[6:12])

    def _send(self, queued: Queued, frame: bytes) -> None:
        port = queued.message.port
        self._core.send(self._core.npus[port.npu], Transmit(port, Send.RAW, frame))


def own_address(interface: Interface, neighbor: Address) -> Address | None:
    """An address of the interface in the family of ``neighbor``: in its subnet if there is one."""
    beside = interface.address_beside(neighbor)
    if beside is not None:
        return beside
    family = (own.packed for own in interface.addresses if len(own.packed) == len(neighbor))
    return next(family, None)


def is_one_host(address: Address) -> bool:
    """Whether an address is a single host's that may be answered."""
    if len(address) == 4:
        return 0 < address[0] < 224 and address[0] != 127
    return any(address) and address[0] != 0xFF
