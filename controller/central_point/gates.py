"""Gates (pinholes): flows that are expected because a session announced them.

An ALG that reads "I shall connect to you on port 20345" in a control session asks for a gate. The
first packet that matches becomes a session on the SPU of the gate's parent.

**Ports under address translation.** A gate's hole has ports that the arbiter granted; a child's
source may get one too. They belong to a *lease*: one of the gate, held by the gate and by every
child that came through it, and one of the child. A port is free again when nobody holds its lease
any more, so a gate may close while its children live on, and nothing is freed twice. A hole may
also share a port with the parent's own binding; whoever releases last, frees it.

Protocols without ports (GRE, ESP) have one binding an address, which is one host's. All gates and
children of that host share its lease: it may have tunnels to several peers, and what arranges them
anew (another call of PPTP, another key of IKE) finds the old one standing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from controller.central_point.leases import Binding, Lease
from controller.central_point.nat_arbiter import NatArbiter
from controller.central_point.nat_pools import Host
from controller.central_point.port_space import WITH_PORTS, Peer
from controller.flow import Address, FlowKey, Nanoseconds, Tuple5
from controller.gate import Endpoint, GateOrder, Passage
from controller.reasons import Drop
from controller.timers import Timers

K = TypeVar("K")

MAXIMUM = 131_072
"""Gates that the table holds (seen as ``Maximum gates`` on the original)."""

_PAIR_ATTEMPTS = 64
"""Ports to try in search of consecutive ones; half of those granted are even."""


@dataclass(frozen=True, slots=True)
class Gate:
    """An expected flow."""

    id: int
    parent: int
    """Session id of the control session."""
    spu: int
    """The parent's SPU; children are created there."""
    order: GateOrder
    hole: Endpoint
    """Its first port."""
    expires: Nanoseconds


@dataclass(slots=True)
class _State:
    """A gate that is open."""

    gate: Gate
    lease: Lease
    left: int
    """Uses to come; -1: any number."""


_Match = tuple[int, int, Address, int, Address | None]
"""Protocol, token, hole's address, port, source."""


class GateTable:
    """Gates by what the first packet must look like: two dictionary accesses a lookup."""

    def __init__(self, arbiter: NatArbiter, maximum: int = MAXIMUM) -> None:
        self.maximum = maximum
        self._arbiter = arbiter
        self._gates: dict[int, _State] = {}
        self._by_match: dict[_Match, list[int]] = {}
        self._by_hole: dict[Binding, list[int]] = {}
        """Gates for anybody whose listener is behind translation, by each of their ports."""
        self._by_parent: dict[int, dict[int, None]] = {}
        self._timers: Timers[int] = Timers()
        self._shared: dict[Binding, int] = {}
        """Holders of bindings that are the parents' own."""
        self._orphans: dict[Binding, list[tuple[Host | None, Peer | None]]] = {}
        """Those of them that the parent has released, and for whom they were granted."""
        self._tunnels: dict[Binding, tuple[Host, Lease]] = {}
        """Of protocols without ports: the host that has a binding, and its lease."""
        self._count = 0

    def __len__(self) -> int:
        return len(self._gates)

    def __iter__(self) -> Iterator[Gate]:
        return iter([state.gate for state in self._gates.values()])

    def holders(self, gate_id: int) -> int:
        """How many sessions came through a gate that still live."""
        return self._gates[gate_id].lease.holders - 1

    # -- opening and closing ------------------------------------------------------------------

    def open(
        self, parent: int, spu: int, orders: tuple[GateOrder, ...], now: Nanoseconds
    ) -> list[Endpoint] | Drop:
        """Open all gates of a control session's announcement, or none; where the holes are.

        What is announced again, such as by a retransmitted message, renews the gate that stands.
        """
        opened: list[int] = []
        holes: list[Endpoint] = []
        for order in orders:
            known = self._standing(parent, order)
            if known is not None:
                self._renew(known, order, now)
                holes.append(known.gate.hole)
                continue
            made = self._open(parent, spu, order, now)
            if isinstance(made, Drop):
                for gate_id in opened:
                    self.remove(gate_id)
                return made
            opened.append(made.id)
            holes.append(made.hole)
        return holes

    def _open(self, parent: int, spu: int, order: GateOrder, now: Nanoseconds) -> Gate | Drop:
        if len(self._gates) >= self.maximum:
            return Drop.GATE_TABLE_FULL
        lease, port = Lease(), order.listener.port
        if order.shared_port is not None:
            port = order.shared_port
            binding = Binding(order.hole, order.protocol, port)
            self._shared[binding] = self._shared.get(binding, 0) + 1
            lease = Lease([binding], is_shared=True)
        elif order.hole != order.listener.address:
            host = order.listener.address, order.listener_token
            tunnel = self._tunnel(order.hole, order.protocol, host)
            if tunnel is not None:
                lease = tunnel
                lease.holders += 1
            else:
                granted = self._grant(order)
                if granted is None:
                    return Drop.NAT_EXHAUSTED
                lease.bindings += granted
                self._note(lease, host)
            port = lease.bindings[0].port
        self._count += 1
        gate = Gate(
            self._count, parent, spu, order, Endpoint(order.hole, port), now + order.timeout
        )
        self._gates[gate.id] = _State(gate, lease, order.uses or -1)
        for match in _matches(gate):
            self._by_match.setdefault(match, []).append(gate.id)
        for binding in _translated(gate):
            self._by_hole.setdefault(binding, []).append(gate.id)
        self._by_parent.setdefault(parent, {})[gate.id] = None
        self._timers.set(gate.id, gate.expires)
        return gate

    def _grant(self, order: GateOrder) -> list[Binding] | None:
        """Consecutive ports on the hole's address, the listener's own if they are free; others of a
        pair begin with an even one (RFC 3550, section 11)."""
        allocate = self._arbiter.allocate
        wanted, rejected, found = order.listener.port, list[Binding](), None
        for _ in range(_PAIR_ATTEMPTS):
            port = allocate(order.hole, order.protocol, wanted)
            if port is None:
                break
            run = [Binding(order.hole, order.protocol, port)]
            if order.count > 1 and (port % 2 == 0 or port == order.listener.port):
                for n in range(1, order.count):
                    more = allocate(order.hole, order.protocol, port + n)
                    if more is None:
                        break
                    run.append(Binding(order.hole, order.protocol, more))
            if [binding.port for binding in run] == list(range(port, port + order.count)):
                found = run
                break
            rejected += run
            wanted = port + 1
        for binding in rejected:
            self._arbiter.release(*binding)
        return found

    def _tunnel(self, address: Address, protocol: int, host: Host) -> Lease | None:
        """What a host has of an address already, for a protocol without ports."""
        if protocol in WITH_PORTS:
            return None
        owner, lease = self._tunnels.get(Binding(address, protocol, 0), (None, None))
        return lease if owner == host else None

    def _note(self, lease: Lease, host: Host) -> None:
        binding = lease.bindings[0]
        if binding.protocol not in WITH_PORTS:
            self._tunnels[binding] = host, lease

    def standing(self, parent: int, order: GateOrder) -> Gate | None:
        """The gate that stands for what a control session announced; ``None``: not yet."""
        state = self._standing(parent, order)
        return None if state is None else state.gate

    def _standing(self, parent: int, order: GateOrder) -> _State | None:
        for gate_id in self._by_parent.get(parent, ()):
            state = self._gates[gate_id]
            known = state.gate.order
            if (
                known.listener == order.listener
                and (known.protocol, known.token, known.hole, known.count, known.source)
                == (order.protocol, order.token, order.hole, order.count, order.source)
                and known.shared_port == order.shared_port
            ):
                return state
        return None

    def _renew(self, state: _State, order: GateOrder, now: Nanoseconds) -> None:
        if state.gate.order.call != order.call:
            state.gate = replace(state.gate, order=order)
        state.left = order.uses or -1
        self._timers.set(state.gate.id, now + order.timeout)

    def remove(self, gate_id: int) -> bool:
        """Close a gate; whether it was open."""
        state = self._gates.pop(gate_id, None)
        if state is None:
            return False
        gate = state.gate
        self._timers.cancel(gate_id)
        for match in _matches(gate):
            _discard(self._by_match, match, gate_id)
        for binding in _translated(gate):
            _discard(self._by_hole, binding, gate_id)
        siblings = self._by_parent[gate.parent]
        del siblings[gate_id]
        if not siblings:
            del self._by_parent[gate.parent]
        self.leave(state.lease)
        return True

    def close(self, parent: int, call: str | None = None) -> int:
        """Close the gates of a session that ended, or of a call within it; how many there were."""
        ids = [
            gate_id
            for gate_id in self._by_parent.get(parent, ())
            if call is None or self._gates[gate_id].gate.order.call == call
        ]
        for gate_id in ids:
            self.remove(gate_id)
        return len(ids)

    # -- first packets ------------------------------------------------------------------------

    def match(self, flow: FlowKey) -> Gate | None:
        """The gate a first packet may pass; one for its source comes first, then the oldest."""
        if not self._gates:
            return None
        wanted = (flow.protocol, flow.token, flow.dst, flow.dport)
        for source in (flow.src, None):
            ids = self._by_match.get((*wanted, source))
            if ids:
                return self._gates[ids[0]].gate
        return None

    def enter(self, gate: Gate, flow: FlowKey) -> tuple[Passage, list[Lease]] | None:
        """A first packet passes a gate that it matched: what becomes of it, and what its session
        holds from now on. ``None``: no port is left for its source."""
        state = self._gates[gate.id]
        order = gate.order
        source = Endpoint(flow.src, flow.sport)
        leases = [state.lease]
        if order.source_as is not None:
            announced = self._announced(
                gate.parent, order.source_as, source, flow.protocol, flow.token
            )
            if announced is not None:
                # What the source announced as its own it uses: symmetric RTP.
                leases.append(announced[0])
                source = announced[1]
            else:
                port = self._arbiter.allocate(order.source_as, flow.protocol, flow.sport)
                if port is None:
                    return None
                own = Lease([Binding(order.source_as, flow.protocol, port)], 0)
                self._note(own, (flow.src, flow.token))
                leases.append(own)
                source = Endpoint(order.source_as, port)
        listener = _listener(gate, flow.dport)
        behind = self._by_hole.get(Binding(listener.address, flow.protocol, listener.port))
        if behind:
            # It was announced by who knows it as the other side does, and is on this side.
            found = self._gates[behind[0]]
            leases.append(found.lease)
            listener = _listener(found.gate, listener.port)
        for lease in leases:
            lease.holders += 1
        out = Tuple5(source.address, listener.address, source.port, listener.port, flow.protocol)
        if state.left > 0:
            state.left -= 1
            if not state.left:
                self.remove(gate.id)
        return Passage(gate.id, gate.parent, out, order.application), leases

    def _announced(
        self, parent: int, address: Address, inside: Endpoint, protocol: int, token: int
    ) -> tuple[Lease, Endpoint] | None:
        """The hole that a sibling gate has for an endpoint, or what its host has of the address
        anyway."""
        for gate_id in self._by_parent.get(parent, ()):
            state = self._gates[gate_id]
            order = state.gate.order
            offset = inside.port - order.listener.port
            if (
                order.listener.address == inside.address
                and 0 <= offset < order.count
                and order.protocol == protocol
                and order.hole == address
            ):
                return state.lease, Endpoint(address, state.gate.hole.port + offset)
        tunnel = self._tunnel(address, protocol, (inside.address, token))
        return None if tunnel is None else (tunnel, Endpoint(address, 0))

    # -- leases -------------------------------------------------------------------------------

    def leave(self, lease: Lease) -> None:
        """A holder of a lease is gone; with the last one go its ports."""
        lease.holders -= 1
        if lease.holders:
            return
        for binding in lease.bindings:
            self._tunnels.pop(binding, None)
            if lease.is_shared:
                self._leave_shared(binding)
            elif not self.defers(*binding):
                self._arbiter.release(*binding)

    def _leave_shared(self, binding: Binding) -> None:
        self._shared[binding] -= 1
        if not self._shared[binding]:
            del self._shared[binding]
            for host, peer in self._orphans.pop(binding, ()):
                self._arbiter.release(*binding, host, peer)

    def defers(
        self,
        address: Address,
        protocol: int,
        port: int,
        host: Host | None = None,
        peer: Peer | None = None,
    ) -> bool:
        """Whether the release of a session's own port has to wait for gates that share it."""
        if not self._shared:
            return False
        binding = Binding(address, protocol, port)
        if binding not in self._shared:
            return False
        self._orphans.setdefault(binding, []).append((host, peer))
        return True

    # -- time ---------------------------------------------------------------------------------

    def deadline(self) -> Nanoseconds | None:
        """When the next gate expires."""
        return self._timers.next()

    def tick(self, now: Nanoseconds) -> None:
        """Close what has expired."""
        # The timer of what is due is gone already; remove() does not mind.
        for gate_id in list(self._timers.due(now)):
            self.remove(gate_id)

    def left(self, gate_id: int, now: Nanoseconds) -> Nanoseconds:
        """How long a gate will stay open."""
        at = self._timers.at(gate_id)
        return 0 if at is None else max(0, at - now)


def _matches(gate: Gate) -> Iterator[_Match]:
    order = gate.order
    for n in range(order.count):
        yield order.protocol, order.token, order.hole, gate.hole.port + n, order.source


def _translated(gate: Gate) -> Iterator[Binding]:
    order, hole = gate.order, gate.hole
    if order.source is None and hole.address != order.listener.address:
        for n in range(order.count):
            yield Binding(hole.address, order.protocol, hole.port + n)


def _listener(gate: Gate, port: int) -> Endpoint:
    """Where packets to a port of a gate go."""
    listener = gate.order.listener
    return Endpoint(listener.address, listener.port + port - gate.hole.port)


def _discard(index: dict[K, list[int]], key: K, gate_id: int) -> None:
    index[key].remove(gate_id)
    if not index[key]:
        del index[key]
