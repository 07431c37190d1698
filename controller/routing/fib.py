"""The forwarding table: longest prefix match over connected and static routes."""

from __future__ import annotations

from dataclasses import dataclass

from controller.config.schema import Interface
from controller.flow import Address


@dataclass(frozen=True, slots=True)
class Route:
    """Where a destination is reached."""

    interface: Interface
    next_hop: Address
    """The gateway, or the destination itself when it is on the wire."""
    is_local: bool = False
    """The destination is an address of the firewall's own."""
