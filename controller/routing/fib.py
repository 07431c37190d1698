"""The forwarding table: longest prefix match over connected and static routes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from controller.config.schema import Configuration, Interface, Network
from controller.flow import Address, text


@dataclass(frozen=True, slots=True)
class Route:
    """Where a destination is reached."""

    interface: Interface
    next_hop: Address
    """The gateway, or the destination itself when it is on the wire."""
    is_local: bool = False
    """The destination is an address of the firewall's own."""


class FibError(ValueError):
    """A route that leads nowhere."""


class _Table:
    """One address family: a dictionary per prefix length, longest first."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._by_length: dict[int, dict[int, tuple[Interface, Address | None]]] = {}
        self._search: list[tuple[int, dict[int, tuple[Interface, Address | None]]]] = []

    def add(
        self, prefix: Network, interface: Interface, gateway: Address | None, replace: bool
    ) -> None:
        shift = self.bits - prefix.prefixlen
        routes = self._by_length.setdefault(shift, {})
        value = int(prefix.network_address) >> shift
        if replace or value not in routes:
            routes[value] = (interface, gateway)
        self._search = sorted(self._by_length.items())

    def items(self) -> Iterator[tuple[int, int, Interface]]:
        """Bits behind the prefix, the prefix's bits, and the interface."""
        for shift, routes in self._search:
            for value, (interface, _) in routes.items():
                yield shift, value, interface

    def find(self, value: int) -> tuple[Interface, Address | None] | None:
        for shift, routes in self._search:
            found = routes.get(value >> shift)
            if found is not None:
                return found
        return None


class Fib:
    """Routes of a configuration. ``lookup`` costs a dictionary access per prefix length in use.

    A connected route beats a static one for the same prefix; of two static routes for one prefix
    the first stands. A static route's next hop must be on a connected subnet: ``FibError`` if it
    is not.
    """

    def __init__(self, config: Configuration) -> None:
        self._v4 = _Table(32)
        self._v6 = _Table(128)
        self._local: dict[Address, Interface] = {}
        self._unusable: set[Address] = set()
        for interface in config.interfaces.values():
            for address in interface.addresses:
                network: Network = address.network
                self._table(address.packed).add(network, interface, None, replace=False)
                self._local[address.packed] = interface
                if address.version == 4 and network.prefixlen < 31:
                    self._unusable.add(network.network_address.packed)
                    self._unusable.add(network.broadcast_address.packed)
        self._unusable -= self._local.keys()
        statics = []
        for route in config.routes:
            found = self._table(route.next_hop).find(int.from_bytes(route.next_hop, "big"))
            if found is None:
                raise FibError(
                    f"route {route.prefix}: next hop {text(route.next_hop)} is on no "
                    "connected subnet; give an interface an address in the next hop's subnet"
                )
            if route.next_hop in self._local:
                raise FibError(
                    f"route {route.prefix}: next hop {text(route.next_hop)} is an address "
                    f"of {self._local[route.next_hop].name}; it must be a neighbour's"
                )
            statics.append((route, found[0]))
        # After all lookups, so that no static route is reached over another one.
        for route, interface in statics:
            self._table(route.next_hop).add(route.prefix, interface, route.next_hop, replace=False)

    def routes(self) -> Iterator[tuple[Network, Interface]]:
        """Every prefix and the interface that it is reached by."""
        for table, network in ((self._v4, IPv4Network), (self._v6, IPv6Network)):
            for shift, value, interface in table.items():
                yield network((value << shift, table.bits - shift)), interface

    def _table(self, address: Address) -> _Table:
        return self._v4 if len(address) == 4 else self._v6

    def lookup(self, destination: Address) -> Route | None:
        """The route to an address; ``None`` for what is not routed: no route, multicast,
        link-local addresses, subnet broadcast addresses."""
        local = self._local.get(destination)
        if local is not None:
            return Route(local, destination, True)
        first = destination[0]
        if len(destination) == 4:
            if first >= 224 or first == 127 or first == 0 or destination in self._unusable:
                return None
            found = self._v4.find(int.from_bytes(destination, "big"))
        else:
            if first == 0xFF or (first == 0xFE and destination[1] & 0xC0 == 0x80):
                return None
            found = self._v6.find(int.from_bytes(destination, "big"))
        if found is None:
            return None
        interface, gateway = found
        return Route(interface, destination if gateway is None else gateway)
