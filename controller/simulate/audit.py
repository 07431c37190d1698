"""Everything against everything: the tables of all machines, given the messages under way."""

from __future__ import annotations

from collections.abc import Iterable

from controller.messages import InstallAck, Message, RemoveSession
from controller.simulate import inside
from controller.simulate.held import audit_held
from controller.simulate.inside import Binding
from controller.simulate.ledger import Ledger
from controller.simulate.violation import Rule
from controller.spu.core import IDS_PER_SPU


def audit(ledger: Ledger, under_way: Iterable[Message]) -> None:
    """Compare all tables, given the messages that are under way between machines."""
    broken = ledger.broken
    asked, removed = set(), set()
    for message in under_way:
        match message:
            case InstallAck():
                asked.add(message.session_id)
            case RemoveSession():
                removed.add(message.session_id)
    _entries(ledger, asked, removed)
    _npus(ledger)
    _ports(ledger)
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
    for key in inside.cp_pending(ledger.cp):
        if inside.cp_entry(ledger.cp, key) is None:
            broken(Rule.TIMERS, "a time-out of a wing that is gone", key)
    for number, spu in ledger.spus.items():
        for session_id, session in inside.sessions(spu).items():
            ledger.check(number, session_id)
            if session_id not in known:
                key = session.wings[0].key
                broken(Rule.ENTRIES, "unknown to the central point", key, session_id)


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
        for key, port in inside.bindings(spu):
            if inside.has_port(ledger.cp, key) != port:
                broken(Rule.PORTS, f"port {port[2]} is held, but not granted", key)
    flows: dict[Binding, int] = {}
    for key, port in inside.ports_held(ledger.cp):
        flows[port] = flows.get(port, 0) + 1
        if flows[port] > 1 and not inside.may_share(ledger.cp, *port):
            broken(Rule.PORTS, f"port {port[2]} has {flows[port]} holders", key)
        if not inside.may_share(ledger.cp, *port) and not inside.is_granted(ledger.cp, *port):
            broken(Rule.PORTS, f"port {port[2]} is held, but free", key)
    held: dict[tuple[bytes, int], int] = {}
    for address, protocol, _ in flows.keys() | inside.leased(ledger.cp):
        held[address, protocol] = held.get((address, protocol), 0) + 1
    for where, used, is_shared in inside.ports_in_use(ledger.cp):
        if used != held.get(where, 0) and not is_shared:
            what = f"{used} ports of an address are given out, {held.get(where, 0)} are held"
            broken(Rule.PORTS, what, None)
