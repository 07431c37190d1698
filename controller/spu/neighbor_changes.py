"""Neighbours that have another MAC address now: the sessions that go by them follow.

A gateway that fails over, or a host with another card, announces itself, or answers somebody else.
Flows that are set up from then on find the new address; the wings of live sessions carry the old
one, those on Express Path in their NPUs alone. So all sessions are looked at, some at a time, and
those concerned are written anew (``reroute``).
"""

from __future__ import annotations

from collections import deque

from controller.flow import Address, Direction
from controller.messages import NeighborChanged
from controller.routing.fib import Route
from controller.spu.core import Core
from controller.spu.reroute import Reroute
from controller.spu.session import AWAIT_INSTALL, Session, SessionState

SLICE = 2000
"""Sessions looked at without a break; most are none of those concerned."""


class NeighborChanges:
    """Brings an SPU's sessions in line with its neighbours."""

    def __init__(self, core: Core, reroute: Reroute) -> None:
        self._core = core
        self._reroute = reroute
        self._changed: dict[tuple[str, Address], bytes] = {}
        """What the round under way is about."""
        self._next: dict[tuple[str, Address], bytes] = {}
        """What came meanwhile."""
        self._left: deque[int] = deque()

    def take(self, message: NeighborChanged) -> None:
        """A neighbour has another MAC address."""
        core = self._core
        where = message.interface, message.address
        core.neighbors[where] = message.mac
        for pending in core.pending.values():
            if pending.stage is AWAIT_INSTALL:
                core.unchecked.add(pending.flow)
            if pending.mac is not None and _at(pending.route) == where:
                pending.mac = message.mac
            if pending.back_mac is not None and _at(pending.back) == where:
                pending.back_mac = message.mac
        self._next[where] = message.mac
        if not self._left:
            self._begin()
            self.go_on()

    @property
    def is_under_way(self) -> bool:
        """Whether ``go_on`` is due."""
        return bool(self._left)

    def go_on(self) -> None:
        """Look at some of the sessions that are left."""
        core = self._core
        for _ in range(min(SLICE, len(self._left))):
            session = core.sessions.get(self._left.popleft())
            if session is None or not self._goes_by(session):
                continue
            if session.state is SessionState.INSTALLING:
                core.unchecked.add(session.wings[0].key)
            elif session.state is SessionState.ACTIVE:
                self._reroute.check(session)
        if not self._left and self._next:
            self._begin()

    def _begin(self) -> None:
        self._changed, self._next = self._next, {}
        self._left = deque(self._core.sessions)

    def _goes_by(self, session: Session) -> bool:
        """Whether a wing leads to a neighbour that has changed, or may when it is installed."""
        for direction in Direction:
            hop = session.wings[direction].hop
            interface = self._core.interface(hop.port, hop.vlan)
            if interface is not None:
                mac = self._changed.get((interface.name, session.next_hops[direction]))
                if mac is not None and mac != hop.dst_mac:
                    return True
        return session.move is not None


def _at(route: Route) -> tuple[str, Address]:
    return route.interface.name, route.next_hop
