"""Live sessions follow their routes.

When the way to one end of a session changes, or the MAC address of its next hop, its wings are
taken off their NPUs, the new next hop is resolved, and the wings are written again; packets wait
meanwhile, in order. Where the new way leads into another zone, or the address it was translated to
belongs to the old way, the session ends: another policy, another translation would decide on it.
Where no route is left it goes on as it was for ``route-change-timeout``, if that is configured. A
session on Express Path whose interfaces have different MTUs from now on goes on through its SPU.
"""

from __future__ import annotations

from dataclasses import replace

from controller.config.nat import INTERFACE_POOL, SourceNatRule
from controller.config.schema import Interface
from controller.flow import Address, Direction, Hop, Path, Port
from controller.messages import (
    NEIGHBORS,
    NeighborResolved,
    RemoveWing,
    ResolveNeighbor,
    WingRemoved,
)
from controller.reasons import Close, Drop
from controller.routing.fib import Route
from controller.spu.core import Core
from controller.spu.installation import Installation
from controller.spu.instances import toward
from controller.spu.session import Move, Session, SessionState
from controller.spu.tcp_path import inactivity
from controller.spu.teardown import Teardown


class Reroute:
    """Moves sessions to the routes in force."""

    def __init__(self, core: Core, installation: Installation, teardown: Teardown) -> None:
        self._core = core
        self._installation = installation
        self._teardown = teardown

    def check(self, session: Session) -> None:
        """Compare an active session's next hops with the routing table's."""
        core = self._core
        if session.tcp is not None and session.tcp.is_over:
            return  # it ends soon
        forward, reverse = session.wings
        sides = ((reverse.ingress, reverse.key.token), (forward.ingress, forward.key.token))
        ends = (forward.translated.dst, forward.key.src)
        ingress = core.by_token[forward.ingress, forward.key.token]
        ahead = toward(core, ingress, session.destination_rule, session.parent)
        instances = (ahead, ingress.vr)
        routes: list[Route] = []
        moved = False
        for direction in Direction:
            wing, vr = session.wings[direction], instances[direction]
            where = wing.hop.port, wing.hop.vlan, session.next_hops[direction]
            same = next(
                (path for path in core.fib.paths(ends[direction], vr) if _place(path) == where),
                None,
            )
            if same is not None:
                routes.append(same)
                mac = core.neighbors.get((same.interface.name, same.next_hop))
                moved = moved or mac not in (None, wing.hop.dst_mac)
                continue
            interface = core.by_token[sides[direction]]
            route = core.fib.lookup(ends[direction], vr, forward.key.tuple5, prefer=interface)
            if route is None or route.is_local:
                self._lost(session)
                return
            if route.interface.token != interface.token:
                self._teardown.begin(session, Close.ROUTE_CHANGED)
                return
            moved = True
            routes.append(route)
        if session.without_route:
            session.without_route = False
            session.timeout = inactivity(session, core.config.tcp, None)
        if session.path is Path.EXPRESS and routes[0].interface.mtu != routes[1].interface.mtu:
            moved = True
        if moved:
            if not self._keeps_translation(session, routes[0].interface):
                self._teardown.begin(session, Close.ROUTE_CHANGED)
            else:
                self._begin(session, (routes[0], routes[1]))

    def _keeps_translation(self, session: Session, egress: Interface) -> bool:
        """Whether its source may stay what it is where it leaves from now on."""
        core = self._core
        forward = session.wings[0]
        rule = session.source_rule
        if rule is None or egress is core.interface(forward.hop.port, forward.hop.vlan):
            return True
        if isinstance(rule, SourceNatRule):
            return (
                session.nat is not None
                and session.nat.pool != INTERFACE_POOL
                and rule.target.holds(egress)
            )
        return rule.origin.holds(egress)

    def _lost(self, session: Session) -> None:
        """No way is left: the old one serves as long as it may."""
        core = self._core
        limit = core.config.route_change_timeout
        if limit is not None and not session.without_route:
            session.without_route = True
            session.timeout = min(session.timeout, limit)
            core.timers.set(session.id, core.now + session.timeout)

    def _begin(self, session: Session, routes: tuple[Route, Route]) -> None:
        core = self._core
        session.state = SessionState.INSTALLING
        session.probe = None
        core.timers.cancel(session.id)
        session.move = Move(routes)
        session.awaiting = 2
        for direction in Direction:
            wing = session.wings[direction]
            remove = RemoveWing(session.id, direction, core.number, wing.key)
            core.send(core.npus[wing.ingress.npu], remove)
        flow = session.wings[0].key
        for route in dict.fromkeys(routes):
            question = ResolveNeighbor(core.number, flow, route.interface.name, route.next_hop)
            core.send(NEIGHBORS, question)

    def wing_removed(self, session: Session, message: WingRemoved) -> None:
        """A wing of a session that moves is off its NPU; these are its counters so far."""
        session.packets[message.direction] += message.packets
        session.bytes[message.direction] += message.bytes
        session.awaiting -= 1
        self._go_on(session)

    def neighbor_resolved(self, session: Session, message: NeighborResolved) -> None:
        """One of the new next hops is known, or is not to be had: then the session ends."""
        move = session.move
        if move is None:
            return
        for direction, route in enumerate(move.routes):
            if (route.interface.name, route.next_hop) == (message.interface, message.address):
                move.macs[direction] = message.mac if message.mac is not None else b""
        self._go_on(session)

    def _go_on(self, session: Session) -> None:
        move = session.move
        if move is None or session.awaiting or None in move.macs:
            return
        session.move = None
        session.installed = 0
        if b"" in move.macs:
            core = self._core
            for _ in session.queue:
                core.drop(Drop.NO_NEIGHBOR, session.wings[0].key, "the new next hop is silent")
            session.queue.clear()
            session.state = SessionState.ACTIVE
            self._teardown.begin(session, Close.ROUTE_CHANGED)
            return
        ahead, back = (
            _hop(route, mac or b"") for route, mac in zip(move.routes, move.macs, strict=True)
        )
        forward, reverse = session.wings
        session.wings = (
            replace(forward, hop=ahead),
            replace(reverse, ingress=ahead.port, hop=back),
        )
        session.next_hops = (move.routes[0].next_hop, move.routes[1].next_hop)
        first, second = move.routes
        self._installation.reinstall(session, (first.interface.mtu, second.interface.mtu))


def _place(route: Route) -> tuple[Port, int, Address]:
    return route.interface.port, route.interface.vlan, route.next_hop


def _hop(route: Route, mac: bytes) -> Hop:
    interface = route.interface
    return Hop(interface.port, interface.vlan, interface.mac, mac)
