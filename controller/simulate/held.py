"""What machines hold for others beside sessions, and for how long: everything against everything.

Fragments of datagrams that are not whole; clients that SYN flood protection has answered; gates,
the ports that they hold, and what they let through.
"""

from __future__ import annotations

from collections import Counter

from controller.flow import Address, Nanoseconds
from controller.simulate import inside
from controller.simulate.ledger import Ledger
from controller.simulate.violation import Rule
from controller.spu import Spu
from controller.spu.syn_guard import HALF_OPEN_LIMIT

LATE: Nanoseconds = 1_000_000
"""How long after its time something may still be there: clocks ring in their turn."""


def audit_held(ledger: Ledger) -> None:
    """Look at all of it."""
    for number, spu in ledger.spus.items():
        _clients(ledger, number, spu)
        _servers(ledger, number, spu)
    _fragments(ledger)
    _gates(ledger)


def _gates(ledger: Ledger) -> None:
    """Each gate is found by what it lets through, and closes in time; a port that gates share with
    their parent is held as often as it is counted."""
    cp, broken = ledger.cp, ledger.broken
    for gate in inside.open_gates(cp):
        if gate.closes is None or gate.closes + LATE < ledger.now:
            broken(Rule.GATES, f"gate {gate.id} does not close", None, gate.parent)
        if gate.matches != gate.ports:
            what = f"gate {gate.id} is found by {gate.matches} ports, not by {gate.ports}"
            broken(Rule.GATES, what, None, gate.parent)
    known = inside.gate_ids(cp)
    for gate_id in known - {gate.id for gate in inside.open_gates(cp)}:
        broken(Rule.GATES, f"something is left of gate {gate_id}", None)
    ledger.gates.forget(known)
    shared, held = inside.shared_ports(cp), inside.sharers(cp)
    for binding, holders in shared.items():
        if holders != held[binding]:
            what = f"port {binding[2]} is shared by {held[binding]} gates, and counts {holders}"
            broken(Rule.PORTS, what, None)
    for binding in inside.waiting_ports(cp) - shared.keys():
        broken(Rule.PORTS, f"port {binding[2]} waits for gates that do not share it", None)


def _clients(ledger: Ledger, number: int, spu: Spu) -> None:
    """Who was answered and did not prove himself is forgotten; with SYN cookies at once."""
    broken, known = ledger.broken, set()
    for flow, expires, has_timer in inside.half_open(spu):
        known.add(flow)
        if not has_timer or expires + LATE < ledger.now:
            broken(Rule.HELD, f"SPU {number} still waits for {flow}, whom it has answered", flow)
    if len(known) > HALF_OPEN_LIMIT:
        broken(Rule.HELD, f"SPU {number} waits for {len(known)} clients at once", None)
    for flow in inside.half_open_timers(spu) - known:
        broken(Rule.TIMERS, f"a time-out at SPU {number} of a client who is forgotten", flow)


def _servers(ledger: Ledger, number: int, spu: Spu) -> None:
    """Connections that were let in: each is counted as long as it says nothing, and its server is
    asked as long as it is there."""
    silent: Counter[tuple[int, Address]] = Counter()
    asked = set()
    for session_id, session in inside.sessions(spu).items():
        splice = session.splice
        if splice is None:
            continue
        if splice.is_silent:
            key = session.wings[0].key
            silent[key.token, key.src] += 1
        if not splice.is_joined:
            asked.add(session_id)
    if silent != inside.silent_clients(spu):
        what = f"{silent.total()} clients of SPU {number} say nothing; it counts "
        ledger.broken(Rule.HELD, f"{what}{inside.silent_clients(spu).total()}", None)
    for session_id in inside.server_timers(spu) - asked:
        what = f"SPU {number} has a time-out for the server of a session that needs none"
        ledger.broken(Rule.TIMERS, what, None, session_id)


def _fragments(ledger: Ledger) -> None:
    """Buffers have an end, whatever becomes of their sessions, and know how much they hold."""
    for number, spu in ledger.spus.items():
        sizes = 0
        for flow, expires, size in inside.partials(spu):
            sizes += size
            if expires + LATE < ledger.now:
                what = f"SPU {number} still holds fragments of {flow}"
                ledger.broken(Rule.HELD, what, flow)
        if sizes != inside.bytes_held(spu):
            what = f"SPU {number} holds {sizes} bytes of fragments and counts "
            ledger.broken(Rule.HELD, f"{what}{inside.bytes_held(spu)}", None)
    for message, until in inside.cp_fragments(ledger.cp):
        if until + LATE < ledger.now:
            where = f"NPU {message.port.npu} port {message.port.port}"
            what = f"a fragment by {where} still waits for its first one"
            ledger.broken(Rule.HELD, what, None)
