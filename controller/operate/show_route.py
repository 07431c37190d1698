"""``show route``: the tables that packets are forwarded by.

Layout as Junos prints it, without ages: routes here are as old as the configuration. Next hops of
equal cost share the flows, so all of them are active.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from controller.config.schema import Configuration, Network, RouteAction, StaticRoute
from controller.operate.commands import CommandError, Options
from controller.operate.operator import Operator
from controller.operate.text import address, host_address
from controller.routing.fib import Fib, fib_of

_LEGEND = "+ = Active Route, - = Last Active, * = Both"


async def show(operator: Operator, options: Options) -> str:
    """``show route [table T] [destination A]``: with an address, the route that it takes."""
    configuration = operator.runtime.configuration
    fib = fib_of(configuration)
    names = dict(tables(configuration))
    wanted = options.get("table")
    if wanted is not None and wanted not in names:
        raise CommandError(f"no table '{wanted}'; tables are: {', '.join(names)}")
    blocks = []
    for name, (vr, version) in names.items():
        if wanted not in (None, name):
            continue
        routes = list(_routes(configuration, fib, vr, version))
        if "destination" in options:
            routes = _best(routes, options["destination"])
        if routes:
            blocks.append(_block(name, routes))
    return "\n".join(blocks)


_Route = tuple[Network, str, list[str]]
"""Prefix, protocol and preference, lines."""


def tables(configuration: Configuration) -> Iterator[tuple[str, tuple[str, int]]]:
    """Forwarding tables by name, each with its virtual router and IP version."""
    for vr in ("", *configuration.routing_instances):
        for family, version in (("inet", 4), ("inet6", 6)):
            yield (f"{vr}.{family}.0" if vr else f"{family}.0"), (vr, version)


def _routes(configuration: Configuration, fib: Fib, vr: str, version: int) -> Iterator[_Route]:
    for interface in configuration.interfaces.values():
        if interface.vr != vr or not interface.enabled:
            continue
        for own in interface.addresses:
            if own.version != version:
                continue
            if own.network.prefixlen < own.max_prefixlen:
                yield own.network, "Direct/0", [f">  via {interface.name}"]
            yield ip_network(own.ip), "Local/0", [f"   Local via {interface.name}"]
    static: dict[Network, list[StaticRoute]] = {}
    for route in configuration.routes:
        if route.vr == vr and route.prefix.version == version:
            static.setdefault(route.prefix, []).append(route)
    for prefix, routes in static.items():
        active = fib.target(prefix, vr)
        if isinstance(active, tuple):
            gateways = {gateway for _, gateway in active}
            used = [route for route in routes if route.next_hop in gateways]
            lines = [
                f">  to {address(gateway)} via {interface.name}"
                for interface, gateway in active
                if gateway is not None
            ]
        elif isinstance(active, RouteAction):
            used, lines = routes, [f"   {active.value.capitalize()}"]
        elif isinstance(active, str):
            family = "inet.0" if version == 4 else "inet6.0"
            used, lines = routes, [f"   to table {active + '.' if active else ''}{family}"]
        else:
            used, lines = [], []
        if used and lines:
            yield prefix, f"Static/{used[0].preference}", lines


def _best(routes: list[_Route], text: str) -> list[_Route]:
    packed = host_address(text)
    within = [route for route in routes if ip_address(packed) in route[0]]
    longest = max((route[0].prefixlen for route in within), default=0)
    return [route for route in within if route[0].prefixlen == longest]


def _block(name: str, routes: list[_Route]) -> str:
    routes.sort(key=lambda route: (int(route[0].network_address), route[0].prefixlen))
    count = len(routes)
    lines = [
        f"{name}: {count} destinations, {count} routes ({count} active, 0 holddown, 0 hidden)",
        _LEGEND,
        "",
    ]
    for prefix, protocol, hops in routes:
        head = f"{prefix!s:<18} *[{protocol}]"
        lines.append(head if len(str(prefix)) < 19 else f"{prefix}\n{'':<19}*[{protocol}]")
        lines += [f"{'':<20}{hop}" for hop in hops]
    return "\n".join(lines) + "\n"
