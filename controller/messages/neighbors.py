"""SPUs and the neighbour table."""

from __future__ import annotations

from controller.flow import Address, FlowKey
from controller.value import value


@value
class ResolveNeighbor:
    """SPU -> neighbour table: the MAC address of a next hop, by ARP or ND if need be."""

    spu: int
    flow: FlowKey
    interface: str
    address: Address


@value
class NeighborResolved:
    """Neighbour table -> SPU; ``mac`` is ``None`` if nobody answered. The SPU may keep what it is
    told until ``NeighborForgotten``."""

    flow: FlowKey
    interface: str
    address: Address
    mac: bytes | None


@value
class NeighborForgotten:
    """Neighbour table -> SPU, if it was told: no MAC address of it is known any more. Who needs it
    asks again."""

    interface: str
    address: Address


@value
class NeighborChanged:
    """Neighbour table -> SPU, if it was told: the address has another MAC address now. Sessions
    that go by it follow."""

    interface: str
    address: Address
    mac: bytes


NeighborMessage = ResolveNeighbor | NeighborResolved | NeighborForgotten | NeighborChanged
