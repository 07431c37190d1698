"""Where the simulator looks into machines that are otherwise black boxes: one place for it.

The tables of the central point, of an SPU and of an NPU, as they stand, one entry at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from controller.central_point import CentralPoint
from controller.central_point.persistent_nat import Outside
from controller.central_point.port_space import Peer
from controller.config.schema import Configuration
from controller.flow import Address, FlowKey, Nanoseconds
from controller.messages import PacketIn, SpuState
from controller.spu import Spu
from controller.spu.session import Pending, Session

Binding = tuple[Address, int, int]
"""A port that is given out: address, protocol, port."""


class CpEntry(NamedTuple):
    """What the central point knows of a wing."""

    session_id: int
    """0 while pending."""
    spu: int
    forward: FlowKey
    reverse: FlowKey | None


def cp_entry(cp: CentralPoint, key: FlowKey) -> CpEntry | None:
    """The central point's entry of a wing."""
    entry = cp._core.sessions.by_key.get(key)
    if entry is None:
        return None
    return CpEntry(entry.session_id, entry.spu, entry.forward, entry.reverse)


def cp_entries(cp: CentralPoint) -> Iterator[tuple[FlowKey, CpEntry]]:
    """All wings at the central point."""
    for key, entry in cp._core.sessions.by_key.items():
        yield key, CpEntry(entry.session_id, entry.spu, entry.forward, entry.reverse)


def cp_waits(cp: CentralPoint, key: FlowKey) -> bool:
    """Whether a time-out runs for a pending wing."""
    return key in cp._core.sessions.pending


def cp_pending(cp: CentralPoint) -> Iterator[FlowKey]:
    """Wings whose time-out runs."""
    return iter(cp._core.sessions.pending)


def cp_waiting(cp: CentralPoint) -> Iterator[PacketIn]:
    """Later fragments whose first one did not come yet."""
    return iter(cp._first.fragments)


def cp_fragments(cp: CentralPoint) -> Iterator[tuple[PacketIn, Nanoseconds]]:
    """The same, and until when they may wait."""
    for messages, until in cp._first.fragments._held.values():
        for message in messages:
            yield message, until


def partials(spu: Spu) -> Iterator[tuple[FlowKey, Nanoseconds, int]]:
    """Datagrams that are not whole: whose, until when they may wait, and bytes that are there."""
    for partial in spu._live.reassembly._partials.values():
        yield partial.flow, partial.expires, sum(map(len, (partial.pieces or {}).values()))


def bytes_held(spu: Spu) -> int:
    """How much of datagrams an SPU thinks that it holds."""
    return spu._live.reassembly._held


def half_open(spu: Spu) -> Iterator[tuple[FlowKey, Nanoseconds, bool]]:
    """Clients that an SPU has answered by SYN proxy: until when they may prove themselves, and
    whether a time-out runs."""
    guard = spu._guard
    for flow, known in guard._half_open.items():
        yield flow, known.expires, flow in guard.timers


def half_open_timers(spu: Spu) -> set[FlowKey]:
    """Time-outs of such clients."""
    return set(spu._guard.timers)


def silent_clients(spu: Spu) -> Counter[tuple[int, Address]]:
    """Connections that were let in and have said nothing, as the SPU counts them."""
    return spu._guard._silent


def server_timers(spu: Spu) -> set[int]:
    """Sessions whose server was asked for in the client's stead."""
    return set(spu._core.syn_timers)


def is_granted(cp: CentralPoint, address: Address, protocol: int, port: int) -> bool:
    """Whether a port is given out."""
    space = cp.nat._spaces.get((address, protocol))
    return space is not None and port not in space._free


def may_share(cp: CentralPoint, address: Address, protocol: int, port: int) -> bool:
    """Whether several flows may have a port at a time: it is overloaded, belongs to a persistent
    binding, or to an address whose ports are not translated."""
    if is_persistent(cp, (address, protocol, port)):
        return True
    space = cp.nat._spaces.get((address, protocol))
    return space is None or space.factor > 1


def ports_in_use(cp: CentralPoint) -> dict[tuple[Address, int], int]:
    """How many ports are given out, by address and protocol."""
    used = {key: space.used for key, space in cp.nat._spaces.items()}
    for address, standing in cp.nat._kept.items():
        for protocol, count in standing.counts.items():
            used[address, protocol] = used.get((address, protocol), 0) + count
    return used


def is_kept(cp: CentralPoint, address: Address) -> bool:
    """Whether a host has an address for itself, with all its ports."""
    return address in cp.nat._kept


def has_port(cp: CentralPoint, key: FlowKey) -> Binding | None:
    """What the central point has granted to a flow."""
    entry = cp._core.sessions.by_key.get(key)
    if entry is None or entry.nat is None:
        return None
    return entry.nat.address, entry.nat.protocol, entry.nat.port


def holders(cp: CentralPoint) -> Iterator[tuple[Binding, Peer | None, FlowKey | None]]:
    """Everybody who holds a port: which, for whom alone (``None``: for all), and the flow, if it
    is one. Flows that share a persistent binding are not among them, but that is, once."""
    persistent, gates = cp.nat.persistent, cp.gates
    leases = {id(state.lease): state.lease for state in gates._gates.values()}
    for entry in cp._core.sessions.entries():
        if entry.nat is not None and not entry.nat.is_persistent:
            yield entry.nat[:3], entry.nat.peer, entry.forward
        for lease in entry.leases:
            leases[id(lease)] = lease
    for lease in leases.values():
        for binding in lease.bindings:
            # A port that a gate shares is its parent's, or an orphan.
            if binding not in gates._shared and not is_persistent(cp, binding):
                yield binding, None, None
    for binding, heirs in gates._orphans.items():
        if not is_persistent(cp, binding):
            for _, peer in heirs:
                yield binding, peer, None
    for standing in persistent.all():
        address, port, protocol = standing.outside
        yield (address, protocol, port), None, None


def is_clearing(cp: CentralPoint, spu: int) -> bool:
    """Whether sessions of an SPU that failed are being cleared away."""
    return cp.members()[spu].state is SpuState.CLEARING


def is_online(cp: CentralPoint, spu: int) -> bool:
    """Whether the central point takes an SPU to be there."""
    return cp.members()[spu].state in (SpuState.ONLINE, SpuState.DRAINING)


def is_persistent(cp: CentralPoint, binding: Binding) -> bool:
    """Whether a port belongs to a persistent binding."""
    address, protocol, port = binding
    return cp.nat.persistent.at(Outside(address, port, protocol)) is not None


def is_leased(cp: CentralPoint, binding: Binding) -> bool:
    """Whether a port belongs to a gate, to sessions that came through it, or to a persistent
    binding. Dear if it does not."""
    gates = cp.gates
    if is_persistent(cp, binding) or binding in gates._shared or binding in gates._orphans:
        return True
    leases = [state.lease for state in gates._gates.values()]
    for entry in cp._core.sessions.by_key.values():
        leases += entry.leases
    return any(binding in lease.bindings for lease in leases)


def gates_of(cp: CentralPoint, session_id: int) -> int:
    """How many gates a control session has open."""
    return len(cp.gates._by_parent.get(session_id, ()))


def gates(cp: CentralPoint, parent: int) -> Iterator[tuple[int, int]]:
    """Gates of a control session, and how many sessions each lets through; 0: any number."""
    for gate_id in cp.gates._by_parent.get(parent, ()):
        yield gate_id, cp.gates._gates[gate_id].gate.order.uses


class OpenGate(NamedTuple):
    """A gate that stands."""

    id: int
    parent: int
    closes: Nanoseconds | None
    """``None``: nothing will close it."""
    matches: int
    """How many first packets it is found by."""
    ports: int
    """How many it should be."""


def open_gates(cp: CentralPoint) -> Iterator[OpenGate]:
    """All gates."""
    table = cp.gates
    found = Counter(gate_id for ids in table._by_match.values() for gate_id in ids)
    for gate_id, state in table._gates.items():
        gate = state.gate
        closes = table._timers.at(gate_id)
        yield OpenGate(gate_id, gate.parent, closes, found[gate_id], gate.order.count)


def gate_ids(cp: CentralPoint) -> set[int]:
    """Gates that anything knows of: by what first packets look like, by parent, by their time."""
    table = cp.gates
    known = {gate_id for ids in table._by_match.values() for gate_id in ids}
    known.update(gate_id for ids in table._by_parent.values() for gate_id in ids)
    return known | set(table._timers) | table._gates.keys()


def shared_ports(cp: CentralPoint) -> dict[Binding, int]:
    """Ports of control sessions that gates share, and by how many they think that they are held."""
    return {(b.address, b.protocol, b.port): holders for b, holders in cp.gates._shared.items()}


def sharers(cp: CentralPoint) -> Counter[Binding]:
    """Who holds such ports: leases of gates and of sessions that came through them."""
    table = cp.gates
    leases = {id(state.lease): state.lease for state in table._gates.values()}
    for entry in cp._core.sessions.by_key.values():
        leases.update((id(lease), lease) for lease in entry.leases)
    return Counter(
        (b.address, b.protocol, b.port)
        for lease in leases.values()
        if lease.is_shared
        for b in lease.bindings
    )


def waiting_ports(cp: CentralPoint) -> set[Binding]:
    """Ports that a control session has released, and that wait for gates that share them."""
    return {(b.address, b.protocol, b.port) for b in cp.gates._orphans}


def gate_parents(cp: CentralPoint) -> set[int]:
    """Sessions with open gates."""
    return set(cp.gates._by_parent)


def config_of(spu: Spu) -> Configuration:
    """What an SPU takes to be in force."""
    return spu._core.config


def is_reconfiguring(spu: Spu) -> bool:
    """Whether an SPU still holds its sessions against its configuration."""
    return spu._reconfiguration.is_under_way


def sessions(spu: Spu) -> dict[int, Session]:
    """An SPU's sessions by id."""
    return spu._core.sessions


def by_key(spu: Spu) -> dict[FlowKey, Session]:
    """An SPU's sessions by wing."""
    return spu._core.by_key


def pending(spu: Spu) -> dict[FlowKey, Pending]:
    """An SPU's flows that are being set up."""
    return spu._core.pending


def has_timer(spu: Spu, session_id: int) -> bool:
    """Whether a deadline of a session stands."""
    return session_id in spu._core.timers or session_id in spu._core.alg_timers


def timers(spu: Spu) -> set[int]:
    """Sessions with deadlines."""
    return {*spu._core.timers, *spu._core.alg_timers}


def doubt(spu: Spu, session_id: int) -> PacketIn | None:
    """The segment of a session that waits for what its NPU has counted."""
    session = spu._core.sessions.get(session_id)
    if session is None or session.tcp is None or session.tcp.doubt is None:
        return None
    return session.tcp.doubt.message


def bindings(spu: Spu, cp: CentralPoint) -> Iterator[tuple[FlowKey, Binding]]:
    """What an SPU's flows and sessions hold of the central point's ports. (Not flows that the
    central point has given up: they go on until the SPU hears so, and are never installed.)"""
    core, table = spu._core, cp._core.sessions.by_key
    for key, flow in core.pending.items():
        entry = table.get(key)
        if entry is None or entry.forward != key:
            continue
        is_pending = entry.attempt == flow.attempt
        is_acknowledged = not entry.attempt and entry.session_id == flow.session_id
        if flow.nat is not None and (is_pending or is_acknowledged):
            yield key, (flow.nat.address, flow.nat.protocol, flow.nat.port)
    for session in core.sessions.values():
        if session.nat is not None:
            nat = session.nat
            yield session.wings[0].key, (nat.address, nat.protocol, nat.port)


def empty(machine: object) -> None:
    """Take its tables from a machine that is gone. Its parts refer to each other, so they stay for
    a while; what it knew of sessions need not."""
    if isinstance(machine, Spu):
        core = machine._core
        for table in (core.sessions, core.by_key, core.pending):
            table.clear()
    elif isinstance(machine, CentralPoint):
        machine._core.sessions.by_key.clear()


def waiting(spu: Spu) -> Iterator[PacketIn]:
    """Packets in an SPU's queues, datagrams that wait for gates, and RSTs that wait for what their
    NPUs have counted."""
    core = spu._core
    for pending_flow in core.pending.values():
        yield pending_flow.first.message
        for queued in pending_flow.queue:
            yield queued.message
    for session in core.sessions.values():
        for queued in session.queue:
            yield queued.message
        if session.tcp is not None and session.tcp.doubt is not None:
            yield session.tcp.doubt.message
        if session.gateway is not None:
            for announcing in session.gateway.waiting.values():
                for queued, _ in announcing:
                    yield queued.message
