"""The forwarding tables: longest prefix match over connected and static routes, one table for each
virtual router and address family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from zlib import crc32

from controller.config.schema import Configuration, Interface, Network, RouteAction, StaticRoute
from controller.flow import Address, AnyFlow, text
from controller.reasons import Drop
from controller.value import value

MAX_TABLES = 8
"""Tables that ``next-table`` may lead a look-up through, as a guard against circles."""


@value
class Route:
    """Where a destination is reached."""

    interface: Interface
    next_hop: Address
    """The gateway, or the destination itself when it is on the wire."""
    is_local: bool = False
    """The destination is an address of the firewall's own."""


class FibError(ValueError):
    """A route that leads nowhere."""


_Path = tuple[Interface, Address | None]
_Target = tuple[_Path, ...] | RouteAction | str
"""Paths of equal cost, a refusal, or the virtual router whose table goes on."""


class Table:
    """One address family: a dictionary per prefix length, longest first."""

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._by_length: dict[int, dict[int, _Target]] = {}
        self._search: list[tuple[int, dict[int, _Target]]] = []

    def add(self, prefix: Network, target: _Target) -> None:
        """The first target of a prefix stands."""
        shift = self.bits - prefix.prefixlen
        routes = self._by_length.setdefault(shift, {})
        routes.setdefault(int(prefix.network_address) >> shift, target)
        self._search = sorted(self._by_length.items())

    def exact(self, prefix: Network) -> _Target | None:
        shift = self.bits - prefix.prefixlen
        return self._by_length.get(shift, {}).get(int(prefix.network_address) >> shift)

    def items(self) -> Iterator[tuple[Network, _Target]]:
        """All prefixes, the longest first."""
        network = IPv4Network if self.bits == 32 else IPv6Network
        for shift, routes in self._search:
            for bits, target in routes.items():
                yield network((bits << shift, self.bits - shift)), target

    def find(self, value: int) -> _Target | None:
        for shift, routes in self._search:
            found = routes.get(value >> shift)
            if found is not None:
                return found
        return None

    def connected(self, value: int) -> Interface | None:
        """The interface on whose subnet an address is."""
        found = self.find(value)
        return found[0][0] if isinstance(found, tuple) else None


class _Router:
    """The tables of one virtual router."""

    def __init__(self, interfaces: Iterable[Interface]) -> None:
        self.v4 = Table(32)
        self.v6 = Table(128)
        self.local: dict[Address, Interface] = {}
        self.unusable: set[Address] = set()
        for interface in interfaces:
            for address in interface.addresses:
                network: Network = address.network
                self.table(address.packed).add(network, ((interface, None),))
                self.local[address.packed] = interface
                if address.version == 4 and network.prefixlen < 31:
                    self.unusable.add(network.network_address.packed)
                    self.unusable.add(network.broadcast_address.packed)
        self.unusable -= self.local.keys()

    def table(self, address: Address) -> Table:
        return self.v4 if len(address) == 4 else self.v6


class Fib:
    """Routes of a configuration. ``lookup`` costs a dictionary access per prefix length in use.

    A connected route beats static ones for the same prefix; of those, the ones with the lowest
    preference that have a usable next hop stand, all of them together (ECMP). A static route's next
    hop must be on a connected subnet of its virtual router: ``FibError`` if it is not. Interfaces
    that are disabled have no routes, and next hops behind them are not usable.
    """

    def __init__(self, config: Configuration) -> None:
        names = {"", *config.routing_instances}
        by_router: dict[str, list[Interface]] = {name: [] for name in names}
        down: dict[str, list[Interface]] = {name: [] for name in names}
        for interface in config.interfaces.values():
            (by_router if interface.enabled else down)[interface.vr].append(interface)
        self._routers = {name: _Router(of) for name, of in by_router.items()}
        behind = {name: _Router(of) for name, of in down.items()}
        groups: dict[tuple[str, Network], list[StaticRoute]] = {}
        for route in config.routes:
            groups.setdefault((route.vr, route.prefix), []).append(route)
        # All targets before any is added, so that no static route is reached over another one.
        found = [
            (name, prefix, self._target(name, routes, behind[name]))
            for (name, prefix), routes in groups.items()
        ]
        for name, prefix, target in found:
            if target is not None:
                self._routers[name].table(prefix.network_address.packed).add(prefix, target)

    def routes(self, vr: str = "", depth: int = MAX_TABLES) -> dict[Network, Interface | None]:
        """Every prefix of a virtual router and the interface of the first path to it; ``None``:
        what it leads to is refused. Prefixes that another table resolves are spelled out."""
        router = self._routers[vr]
        found: dict[Network, Interface | None] = {}
        for table in (router.v4, router.v6):
            for prefix, target in table.items():
                # What the table itself says of a part of the prefix comes first.
                own = [other for other in found if _covers(prefix, other)]
                found[prefix] = target[0][0] if isinstance(target, tuple) else None
                if isinstance(target, str) and depth:
                    for other, interface in self._within(prefix, target, depth - 1):
                        if not any(_covers(part, other) for part in own):
                            found[other] = interface
        return found

    def _within(
        self, prefix: Network, vr: str, depth: int
    ) -> Iterator[tuple[Network, Interface | None]]:
        """What another table says of a prefix: of the whole, and of parts of it."""
        whole: tuple[Network, Interface | None] | None = None
        for other, interface in self.routes(vr, depth).items():
            if _covers(other, prefix):
                if whole is None or whole[0].prefixlen < other.prefixlen:
                    whole = other, interface
            elif _covers(prefix, other):
                yield other, interface
        if whole is not None:
            yield prefix, whole[1]

    def _target(self, name: str, routes: list[StaticRoute], behind: _Router) -> _Target | None:
        usable: dict[int, list[_Path]] = {}
        for route in routes:
            if route.next_hop is not None:
                interface = self._next_hop(self._routers[name], behind, route)
                if interface is not None:
                    usable.setdefault(route.preference, []).append((interface, route.next_hop))
        others = [route for route in routes if route.next_hop is None]
        best = min(usable, default=None)
        for route in others:
            if best is None or route.preference < best:
                return route.next_table if route.next_table is not None else route.action
        return None if best is None else tuple(dict.fromkeys(usable[best]))

    def _next_hop(self, router: _Router, behind: _Router, route: StaticRoute) -> Interface | None:
        hop = route.next_hop
        assert hop is not None
        value = int.from_bytes(hop, "big")
        if hop in router.local:
            raise FibError(
                f"route {route.prefix}: next hop {text(hop)} is an address of "
                f"{router.local[hop].name}; it must be a neighbour's"
            )
        interface = router.table(hop).connected(value)
        if interface is None and behind.table(hop).connected(value) is None:
            raise FibError(
                f"route {route.prefix}: next hop {text(hop)} is on no connected subnet; give an "
                "interface an address in the next hop's subnet"
            )
        return interface

    def lookup(
        self,
        destination: Address,
        vr: str = "",
        flow: AnyFlow | None = None,
        prefer: Interface | None = None,
    ) -> Route | None:
        """The route to an address; ``None`` for what is not routed (``refusal`` says why): no
        route, multicast, link-local addresses, subnet broadcast addresses.

        Of several paths, the one by the interface ``prefer`` or else one into its zone, if there
        is one; of several of these, the same one for the same flow always, and when a path goes
        away only its flows move.
        """
        target = self._find(destination, vr)
        if isinstance(target, Interface):
            return Route(target, destination, True)
        if not isinstance(target, tuple):
            return None
        interface, gateway = target[0] if len(target) == 1 else _pick(target, flow, prefer)
        return Route(interface, destination if gateway is None else gateway)

    def refusal(self, destination: Address, vr: str = "") -> Drop:
        """Why ``lookup`` finds nothing."""
        match self._find(destination, vr):
            case RouteAction.REJECT:
                return Drop.ROUTE_REJECT
            case RouteAction.DISCARD:
                return Drop.ROUTE_DISCARD
            case _:
                return Drop.NO_ROUTE

    def paths(self, destination: Address, vr: str = "") -> tuple[Route, ...]:
        """All routes of equal cost to an address."""
        target = self._find(destination, vr)
        if not isinstance(target, tuple):
            return ()
        return tuple(Route(i, destination if gateway is None else gateway) for i, gateway in target)

    def target(
        self, prefix: Network, vr: str = ""
    ) -> tuple[tuple[Interface, Address | None], ...] | RouteAction | str | None:
        """What stands for a prefix: paths of equal cost, a refusal, the virtual router whose table
        goes on, or ``None``."""
        return self._routers[vr].table(prefix.network_address.packed).exact(prefix)

    def _find(self, destination: Address, vr: str) -> _Target | Interface | None:
        first = destination[0]
        for _ in range(MAX_TABLES):
            router = self._routers[vr]
            local = router.local.get(destination)
            if local is not None:
                return local
            if len(destination) == 4:
                if first >= 224 or first == 127 or first == 0 or destination in router.unusable:
                    return None
                found = router.v4.find(int.from_bytes(destination, "big"))
            else:
                if first == 0xFF or (first == 0xFE and destination[1] & 0xC0 == 0x80):
                    return None
                found = router.v6.find(int.from_bytes(destination, "big"))
            if not isinstance(found, str):
                return found
            vr = found
        return None


def _covers(outer: Network, inner: Network) -> bool:
    return (
        outer.version == inner.version
        and outer.prefixlen <= inner.prefixlen
        and inner.network_address in outer
    )


def _pick(paths: tuple[_Path, ...], flow: AnyFlow | None, prefer: Interface | None) -> _Path:
    if prefer is not None:
        here = tuple(path for path in paths if path[0] is prefer)
        paths = here or tuple(path for path in paths if path[0].zone == prefer.zone) or paths
    if flow is None or len(paths) == 1:
        return paths[0]
    # Rendezvous hashing: every path bids for the flow, and the highest bid wins.
    seed = b"%b%b%d,%d,%d" % flow[:5]
    return max(paths, key=lambda path: crc32(seed, crc32((path[1] or b"") + path[0].mac)))


_latest: list[tuple[Configuration, Fib]] = []


def fib_of(config: Configuration) -> Fib:
    """The forwarding tables of a configuration; machines of one process share them."""
    if not _latest or _latest[0][0] is not config:
        _latest[:] = [(config, Fib(config))]
    return _latest[0][1]
