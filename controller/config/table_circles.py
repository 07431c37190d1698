"""Tables that hand look-ups on to each other for ever (``next-table``).

What a look-up finds changes only where some prefix begins or has just ended, so these addresses
stand for all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address

from controller.config.schema import Interface, Network, StaticRoute
from controller.routing.fib import Table

_SPECIAL = {4: (1 << 24, 128 << 24, 224 << 24), 6: (1, 0xFF << 120)}
"""Where addresses end that are never looked up (0/8, 127/8), or begin: no prefix says so."""


def circles(
    routes: Sequence[StaticRoute], interfaces: Iterable[Interface]
) -> Iterator[tuple[StaticRoute, str, list[str]]]:
    """Each route with a ``next-table`` that begins a circle: an address that goes round, and the
    virtual routers in whose tables it is looked up, the first one again at the end."""
    handing = [route for route in routes if route.next_table is not None]
    if not handing:
        return
    tables: dict[tuple[str, int], Table] = {}
    edges: dict[int, set[int]] = {version: set(values) for version, values in _SPECIAL.items()}

    targets: list[tuple[str, Network, str | None]] = [
        (interface.vr, address.network, None)
        for interface in interfaces
        for address in interface.addresses
    ]
    # What a table may resolve itself is no part of a circle: it comes first, and stands.
    targets += [(r.vr, r.prefix, None) for r in routes if r.next_table is None]
    targets += [(r.vr, r.prefix, r.next_table) for r in handing]
    for vr, prefix, on in targets:
        table = tables.setdefault((vr, prefix.version), Table(prefix.max_prefixlen))
        table.add(prefix, () if on is None else on)
        edges[prefix.version].add(int(prefix.network_address))
        edges[prefix.version].add(int(prefix.broadcast_address) + 1)
    ordered = {version: sorted(values) for version, values in edges.items()}
    for route in handing:
        version, first = route.prefix.version, int(route.prefix.network_address)
        last = int(route.prefix.broadcast_address)
        known, size = ordered[version], route.prefix.max_prefixlen // 8
        for value in known[bisect_left(known, first) : bisect_left(known, last + 1)]:
            if not _is_looked_up(version, value):
                continue
            path = _path(tables, route.vr, version, value)
            if len(path) > 2 and path[-1] == path[0]:  # else it names its own table
                yield route, str(ip_address(value.to_bytes(size, "big"))), path
                break


def _is_looked_up(version: int, value: int) -> bool:
    if version == 4:
        return value >> 24 not in (0, 127) and value >> 24 < 224
    return value >> 120 != 0xFF


def _path(tables: dict[tuple[str, int], Table], vr: str, version: int, value: int) -> list[str]:
    """The tables that a look-up goes through, up to one that it has been in."""
    path = [vr]
    while True:
        table = tables.get((path[-1], version))
        target = None if table is None else table.find(value)
        if not isinstance(target, str):
            return path
        path.append(target)
        if target in path[:-1]:
            return path
