"""The six match criteria, wings and sessions.

A session is two *wings*: a->b as it arrives and b->a as the answer arrives, after translation.
A packet belongs to a wing when six things match: both addresses, both ports, protocol and the
session token of the interface it came in on (see ``docs/ARCHITECTURE.md`` for ICMP's ports).
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum, IntEnum
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct
from typing import NamedTuple

from controller.value import value

Address = bytes
"""An IPv4 or IPv6 address in network byte order: 4 or 16 bytes."""

Nanoseconds = int
"""A point in time (monotonic) or a span, in nanoseconds."""


def text(address: Address) -> str:
    """An address as people write it. (Several times faster than ``ipaddress``.)"""
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


class Tuple5(NamedTuple):
    """Addresses, ports and protocol of one direction."""

    src: Address
    dst: Address
    sport: int
    dport: int
    protocol: int

    def reversed(self) -> Tuple5:
        """What the answer to this packet looks like."""
        return Tuple5(self.dst, self.src, self.dport, self.sport, self.protocol)


class FlowKey(NamedTuple):
    """The six criteria: what an NPU, the central point and an SPU each look up."""

    src: Address
    dst: Address
    sport: int
    dport: int
    protocol: int
    token: int

    @property
    def tuple5(self) -> Tuple5:
        """The key without its token."""
        return Tuple5(self.src, self.dst, self.sport, self.dport, self.protocol)


AnyFlow = FlowKey | Tuple5
"""Addresses, ports and protocol; a token matters to nobody who takes this."""


def places(flow: FlowKey) -> int:
    """How much of a session table's maximum a session takes: IPv6 counts as two, because it needs
    twice the memory (Juniper's page on ``flow-session`` of security profiles)."""
    return 2 if len(flow[0]) == 16 else 1


class FragmentId(NamedTuple):
    """What all fragments of a datagram have in common."""

    src: Address
    dst: Address
    protocol: int
    identification: int
    token: int


class Direction(IntEnum):
    """Which wing of a session; the value is the ``wing`` field on the CPU port."""

    FORWARD = 0
    REVERSE = 1


# By names of their own, where every packet asks: reading a member from its class takes ten times
# as long (``Enum`` looks for it in Python). Likewise elsewhere.
FORWARD, REVERSE = Direction


class WingState(Enum):
    """State of a wing at the central point."""

    PENDING = "pending"
    ACTIVE = "active"


class Port(NamedTuple):
    """A port of one NPU: (NPU number, P4 port number)."""

    npu: int
    port: int


@value
class Hop:
    """Where and how a wing's packets leave."""

    port: Port
    vlan: int
    """802.1Q VLAN of the egress interface; 0: untagged."""
    src_mac: bytes
    dst_mac: bytes
    packed: bytes = field(init=False, repr=False, compare=False)
    """As session records have it: NPU, port and VLAN, 2 bytes each, and both MAC addresses."""

    def __post_init__(self) -> None:
        npu, port = self.port
        packed = _HOP.pack(npu, port, self.vlan, self.src_mac, self.dst_mac)
        self.packed = packed  # type: ignore[misc]  # it is still being made


_HOP = Struct("!HHH6s6s")


@lru_cache(4096)
def hop_to(port: Port, vlan: int, src_mac: bytes, dst_mac: bytes) -> Hop:
    """A hop as one object, however many wings have it."""
    return Hop(port, vlan, src_mac, dst_mac)


@value
class Wing:
    """One direction of a session, complete: what arrives, where, and what it becomes."""

    key: FlowKey
    ingress: Port
    """Where its packets arrive; the NPU that holds its table entry is ``ingress.npu``."""
    translated: Tuple5
    """Addresses and ports as they leave; equal to the key's when nothing is translated."""
    hop: Hop

    @property
    def is_translated(self) -> bool:
        """Whether any address or port changes on the way through."""
        return self.translated != self.key.tuple5


class Path(Enum):
    """Who forwards a session's packets once it is installed."""

    SPU = "spu"
    EXPRESS = "express"
