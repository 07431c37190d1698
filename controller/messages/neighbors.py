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
    """Neighbour table -> SPU; ``mac`` is ``None`` if nobody answered."""

    flow: FlowKey
    interface: str
    address: Address
    mac: bytes | None
