"""Everything against everything: the tables of all machines, given the messages under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from controller.central_point.port_space import Peer
from controller.flow import Address, FlowKey, text
from controller.messages import (
    AbandonSession,
    CreateSession,
    InstallAck,
    Message,
    RemoveSession,
)
from controller.simulate import inside
from controller.simulate.held import audit_held
from controller.simulate.in_force import not_in_force
from controller.simulate.inside import Binding
from controller.simulate.ledger import Ledger
from controller.simulate.violation import Rule
from controller.spu.core import IDS_PER_SPU


def audit(ledger: Ledger, under_way: Iterable[Message]) -> None:
    """Compare all tables, given the messages that are under way between machines."""
    broken = ledger.broken
    asked, removed = set(), set()
    changing: set[FlowKey] = set()
    for message in under_way:
        match message:
            case CreateSession() | AbandonSession():
                changing.add(message.flow)
            case InstallAck():
                asked.add(message.session_id)
            case RemoveSession():
                removed.add(message.session_id)
    _entries(ledger, asked, removed)
    _pending(ledger, changing)
    _npus(ledger)
    _ports(ledger)
    for spu in ledger.spus.values():
        for session_id, session, rule, what in not_in_force(spu):
            broken(rule, what, session.wings[0].key, session_id)
    audit_held(ledger)
    for spu in ledger.spus.values():
        orphans = inside.timers(spu) - inside.sessions(spu).keys()
        for session_id in orphans:
            broken(Rule.TIMERS, "a timer of a session that is gone", None, session_id)
    for session_id in inside.gate_parents(ledger.cp) - ledger.by_session.keys():
        broken(Rule.GATES, "a gate of a session that is gone", None, session_id)


def _entries(ledger: Ledger, asked: set[int], removed: set[int]) -> None:
    broken = ledger.broken
    known = set()
    for key, found in inside.cp_entries(ledger.cp):
        entry = ledger.entries.get(found.forward)
        if entry is None or entry.session_id != found.session_id:
            broken(Rule.ENTRIES, f"an entry from nowhere: {key}", key, found.session_id)
        if not found.session_id:
            if not inside.cp_waits(ledger.cp, key):
                broken(Rule.TIMERS, "pending without a time-out", key)
            continue
        known.add(found.session_id)
        spu = ledger.spus.get(found.spu)
        if (
            spu is None
            or spu.is_joining
            or inside.is_clearing(ledger.cp, found.spu)
            or found.session_id in asked
            or found.session_id in removed
        ):
            continue
        if found.session_id not in inside.sessions(spu):
            what = f"SPU {found.spu} does not have it"
            broken(Rule.ENTRIES, what, key, found.session_id)
    for number, spu in ledger.spus.items():
        for session_id, session in inside.sessions(spu).items():
            ledger.check(number, session_id)
            if session_id not in known:
                key = session.wings[0].key
                broken(Rule.ENTRIES, "unknown to the central point", key, session_id)


def _pending(ledger: Ledger, changing: set[FlowKey]) -> None:
    """What is pending at the central point is so at its SPU, or was just given to it, or up."""
    for key in inside.cp_pending(ledger.cp):
        found = inside.cp_entry(ledger.cp, key)
        if found is None:
            ledger.broken(Rule.TIMERS, "a time-out of a wing that is gone", key)
            continue
        spu = ledger.spus.get(found.spu)
        if spu is None or spu.is_joining or not inside.is_online(ledger.cp, found.spu):
            continue
        if key not in changing and key not in inside.pending(spu):
            what = f"pending, but SPU {found.spu} does not set it up"
            ledger.broken(Rule.ENTRIES, what, key)


def _npus(ledger: Ledger) -> None:
    broken = ledger.broken
    for number, npu in ledger.npus.items():
        if npu.lost:
            continue  # and the controller with it, as soon as it notices
        for key, session_id in npu.entries().items():
            owner = session_id // IDS_PER_SPU
            spu = ledger.spus.get(owner)
            if spu is not None and session_id in inside.sessions(spu):
                continue
            is_gone = spu is None or spu.is_joining
            is_known = is_gone and inside.is_online(ledger.cp, owner)
            if not is_known and not inside.is_clearing(ledger.cp, owner):
                what = f"NPU {number} has a wing {key} of a session that is gone"
                broken(Rule.WINGS, what, key, session_id)


def _ports(ledger: Ledger) -> None:
    """What SPUs have is what the central point has granted them; and that is all of it."""
    broken = ledger.broken
    for spu in ledger.spus.values():
        for key, port in inside.bindings(spu, ledger.cp):
            if inside.has_port(ledger.cp, key) != port:
                broken(Rule.PORTS, f"port {port[2]} is held, but not granted", key)
    given = inside.ports_in_use(ledger.cp)
    held: Counter[tuple[Address, int]] = Counter()
    peers: dict[Binding, set[Peer | None]] = {}
    whose: dict[tuple[Address, int], FlowKey | None] = {}
    for port, peer, flow in inside.holders(ledger.cp):
        address, protocol, number = port
        held[address, protocol] += 1
        whose[address, protocol] = flow
        if inside.is_kept(ledger.cp, address):
            continue
        others = peers.setdefault(port, set())
        # Several flows may have it if each speaks to somebody else.
        if others and (peer is None or peer in others or None in others):
            broken(Rule.PORTS, f"port {number} has more than one holder", flow)
        others.add(peer)
        if not inside.is_granted(ledger.cp, *port):
            broken(Rule.PORTS, f"port {number} is held, but free", flow)
    for where in {**given, **held}:
        if given.get(where, 0) != held[where]:
            what = (
                f"{given.get(where, 0)} ports of {text(where[0])}, protocol {where[1]}, are given "
                f"out, {held[where]} are held"
            )
            broken(Rule.PORTS, what, whose.get(where))
