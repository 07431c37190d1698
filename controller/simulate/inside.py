"""Where the simulator looks into machines that are otherwise black boxes: one place for it.

The tables of the central point, of an SPU and of an NPU, as they stand, one entry at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from controller.central_point import CentralPoint
from controller.flow import Address, FlowKey
from controller.messages import PacketIn, SpuState
from controller.spu import Spu
from controller.spu.session import NatBinding, Pending, Session


class CpEntry(NamedTuple):
    """What the central point knows of a wing."""

    session_id: int
    """0 while pending."""
    spu: int
    forward: FlowKey
    reverse: FlowKey | None


def cp_entry(cp: CentralPoint, key: FlowKey) -> CpEntry | None:
    """The central point's entry of a wing."""
    entry = cp._table.get(key)
    if entry is None:
        return None
    return CpEntry(entry.session_id, entry.spu, entry.forward, entry.reverse)


def cp_entries(cp: CentralPoint) -> Iterator[tuple[FlowKey, CpEntry]]:
    """All wings at the central point."""
    for key, entry in cp._table.items():
        yield key, CpEntry(entry.session_id, entry.spu, entry.forward, entry.reverse)


def cp_waits(cp: CentralPoint, key: FlowKey) -> bool:
    """Whether a time-out runs for a pending wing."""
    return key in cp._pending


def cp_pending(cp: CentralPoint) -> Iterator[FlowKey]:
    """Wings whose time-out runs."""
    return iter(cp._pending)


def granted(cp: CentralPoint) -> set[tuple[Address, int, int]]:
    """Ports that are given out: address, protocol, port."""
    return {
        (address, protocol, port)
        for (address, protocol), pool in cp.nat._pools.items()
        for port in pool.granted
    }


def is_granted(cp: CentralPoint, address: Address, protocol: int, port: int) -> bool:
    """Whether a port is given out."""
    pool = cp.nat._pools.get((address, protocol))
    return pool is not None and port in pool.granted


def is_clearing(cp: CentralPoint, spu: int) -> bool:
    """Whether sessions of an SPU that failed are being cleared away."""
    return cp.members()[spu].state is SpuState.CLEARING


def is_online(cp: CentralPoint, spu: int) -> bool:
    """Whether the central point takes an SPU to be there."""
    return cp.members()[spu].state in (SpuState.ONLINE, SpuState.DRAINING)


def leased(cp: CentralPoint) -> set[tuple[Address, int, int]]:
    """Ports that belong to gates and to sessions that came through them."""
    leases = [state.lease for state in cp.gates._gates.values()]
    for entry in cp._table.values():
        leases += entry.leases
    return {(*binding,) for lease in leases for binding in lease.bindings}


def gates_of(cp: CentralPoint, session_id: int) -> int:
    """How many gates a control session has open."""
    return len(cp.gates._by_parent.get(session_id, ()))


def gate_parents(cp: CentralPoint) -> set[int]:
    """Sessions with open gates."""
    return set(cp.gates._by_parent)


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


def bindings(spu: Spu) -> Iterator[NatBinding]:
    """What an SPU's flows and sessions hold of the central point's ports."""
    core = spu._core
    for pending_flow in core.pending.values():
        if pending_flow.nat is not None:
            yield pending_flow.nat
    for session in core.sessions.values():
        if session.nat is not None:
            yield session.nat


def waiting(spu: Spu) -> Iterator[PacketIn]:
    """Packets in an SPU's queues."""
    core = spu._core
    for pending_flow in core.pending.values():
        yield pending_flow.first.message
        for queued in pending_flow.queue:
            yield queued.message
    for session in core.sessions.values():
        for queued in session.queue:
            yield queued.message
