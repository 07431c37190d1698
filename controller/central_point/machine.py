"""The central point as a pure machine: who gets which message, step 4 of the first packet's walk,
and how it looks.

Every wing of every session is here, with its state and owner SPU. The machine relies on messages
between it and an SPU arriving in the order sent. From that follows the repair rule. An SPU that is
handed a packet of session S has had the acknowledgement of S, and if S ended, said so before it
sends the packet back. So if the packet comes back and S stands here, S is known here alone, and
goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.central_point.audit import Audit
from controller.central_point.core import Core
from controller.central_point.first_path import FirstPath
from controller.central_point.fleet import Member
from controller.central_point.gates import GateTable
from controller.central_point.nat_arbiter import NatArbiter
from controller.central_point.requests import Requests
from controller.central_point.sessions import CpCounts, CpWing, Entry
from controller.config.cards import Chassis
from controller.config.nat import PORTS
from controller.config.schema import Configuration
from controller.flow import Nanoseconds, text
from controller.messages import (
    AbandonSession,
    AllocateNat,
    AuditMissing,
    ClearPersistentNat,
    CloseGates,
    ConfirmSessions,
    CreateRequest,
    DrainSpu,
    FirstFragment,
    InjectNatFaults,
    InstallAck,
    InstallRefused,
    InstallSession,
    Message,
    OpenGates,
    Outbound,
    PacketIn,
    PendingExpired,
    Reconfigure,
    Redirect,
    ReleaseNat,
    RemoveSession,
    SpuFailed,
    SpuJoined,
    SpuPurged,
    Step,
    WingLeftOut,
    WingsPurged,
)
from controller.reasons import Drop


class CentralPoint:
    """``handle`` a message, ``tick`` when ``deadline`` has come; both return what to send."""

    def __init__(
        self,
        config: Configuration,
        chassis: Chassis,
        *,
        nat_ports: range = PORTS,
        trace: bool = True,
    ) -> None:
        """``nat_ports`` are those source NAT may use; without ``trace`` no steps are reported."""
        self._core = core = Core(config, chassis, nat_ports, trace)
        self._first = first = FirstPath(core, chassis.cp.pending_timeout)
        self._requests = requests = Requests(core)
        self._audit = Audit(core)
        self._reclaimed = 0
        self._handlers: dict[type, Callable[[Any], None]] = {
            PacketIn: first.packet_in,
            Reconfigure: self._on_reconfigure,
            Redirect: first.redirect,
            FirstFragment: first.first_fragment,
            CreateRequest: first.create_request,
            AllocateNat: requests.allocate,
            ReleaseNat: requests.release,
            ClearPersistentNat: core.desk.clear,
            InjectNatFaults: core.desk.inject,
            InstallSession: self._on_install,
            AbandonSession: self._on_abandon,
            RemoveSession: self._on_remove,
            WingLeftOut: self._on_wing_left_out,
            OpenGates: requests.open_gates,
            CloseGates: requests.close_gates,
            SpuFailed: core.fleet.failed,
            SpuJoined: core.fleet.joined,
            WingsPurged: core.lost.take,
            SpuPurged: core.fleet.purged,
            DrainSpu: core.fleet.drain,
            AuditMissing: self._audit.missing,
            ConfirmSessions: self._audit.confirm,
        }

    # -- the machine --------------------------------------------------------------------------

    def handle(self, message: Message, now: Nanoseconds) -> list[Outbound]:
        """Take a message of an NPU or an SPU."""
        core = self._core
        core.now = core.nat.now = now
        core.out = []
        self._handlers[type(message)](message)
        return core.out

    def deadline(self) -> Nanoseconds | None:
        """When ``tick`` is due."""
        core = self._core
        gates, pending = core.gates.deadline(), core.sessions.pending.next()
        deadline = pending
        if gates is not None and (deadline is None or gates < deadline):
            deadline = gates
        if len(self._first.fragments):
            fragments = self._first.fragments.deadline()
            if fragments is not None and (deadline is None or fragments < deadline):
                deadline = fragments
        desk = core.desk.deadline()
        if desk is not None and (deadline is None or desk < deadline):
            deadline = desk
        if core.sessions.active:
            audit = self._audit.round.when or self._audit.round.due(core.now)
            if deadline is None or audit < deadline:
                deadline = audit
        if not core.fleet.is_whole:
            fleet = core.fleet.deadline()
            if fleet is not None and (deadline is None or fleet < deadline):
                deadline = fleet
        return deadline

    def tick(self, now: Nanoseconds) -> list[Outbound]:
        """Reclaim wings that were pending for too long, gates, and what SPUs left behind."""
        core = self._core
        core.now = core.nat.now = now
        core.out = []
        core.gates.tick(now)
        core.nat.tick()
        self._requests.tick()
        for flow in core.sessions.pending.due(now):
            entry = core.sessions.by_key[flow]
            core.forget(entry)
            self._reclaimed += 1
            core.out.append((core.spus[entry.spu], PendingExpired(flow)))
        self._first.tick()
        core.fleet.tick()
        if core.sessions.active and self._audit.round.due(now) <= now:
            self._audit.ask()
        return core.out

    def _on_reconfigure(self, message: Reconfigure) -> None:
        """Sessions are their SPUs' business; the next first packet meets the new configuration."""
        config = message.configuration
        own = {a.packed for i in config.interfaces.values() for a in i.addresses}
        self._core.nat.configure(config.nat, own)
        self._core.follow(message.configuration)

    # -- sessions -----------------------------------------------------------------------------

    def _on_install(self, message: InstallSession) -> None:
        core = self._core
        table, forward, reverse = core.sessions.by_key, message.forward, message.reverse
        entry = table.get(forward)
        if entry is None or entry.spu != message.spu or entry.attempt != message.attempt:
            # What an attempt was granted is free once its time is over: it is not the next one's.
            overtaken = entry is not None and entry.reverse is not None
            self._refuse(message, Drop.NONE if overtaken else Drop.PENDING_TIMEOUT)
            return
        other = table.get(reverse)
        if other is not None:
            if other.reverse is not None or other is entry:
                core.forget(entry)
                self._refuse(message, Drop.WING_CLASH)
                return
            # Both ends spoke first: this install was first, so the other's flow is its answer.
            core.forget(other)
        core.sessions.activate(entry, reverse, message.session_id)
        member = core.fleet.members[message.spu]
        member.last_session_id = message.session_id
        member.created += 1
        if core.screens.limits is not None:
            core.screens.limits.install(forward, core.now)
        if core.trace:
            core.step(Step.ACTIVE, forward, f"SPU {entry.spu}", entry.session_id)
        ack = InstallAck(message.session_id, forward)
        core.out.append((core.spus[message.spu], ack))

    def _refuse(self, message: InstallSession, reason: Drop) -> None:
        refused = InstallRefused(message.session_id, message.forward, reason)
        self._core.out.append((self._core.spus[message.spu], refused))

    def _on_abandon(self, message: AbandonSession) -> None:
        entry = self._core.sessions.by_key.get(message.flow)
        if entry is not None and entry.reverse is None and entry.spu == message.spu:
            self._core.forget(entry)

    def _on_remove(self, message: RemoveSession) -> None:
        entry = self._core.sessions.session(message.forward, message.session_id)
        if entry is not None:
            self._core.forget(entry)

    def _on_wing_left_out(self, message: WingLeftOut) -> None:
        core = self._core
        if core.sessions.session(message.flow, message.session_id) is not None:
            core.out += core.screens.leave_out(message.flow, message.key)

    # -- what it looks like -------------------------------------------------------------------

    @property
    def trace(self) -> bool:
        """Whether steps are reported; may change at any time."""
        return self._core.trace

    @trace.setter
    def trace(self, on: bool) -> None:
        self._core.trace = on

    @property
    def config(self) -> Configuration:
        """What is in force."""
        return self._core.config

    @property
    def nat(self) -> NatArbiter:
        """Translated addresses and ports."""
        return self._core.nat

    @property
    def gates(self) -> GateTable:
        """Flows that are expected."""
        return self._core.gates

    @property
    def screen_hits(self) -> Counter[tuple[int, Drop]]:
        """What the screens of the central point found, by zone's number and screen."""
        return self._core.screens.hits

    def wings(self) -> Iterator[CpWing]:
        """Every wing in the global table."""
        return self._core.sessions.wings()

    def counts(self) -> CpCounts:
        """Sessions, pending wings and room."""
        sessions, balance = self._core.sessions, self._core.balance
        return CpCounts(
            sessions.active,
            len(sessions.pending),
            balance.maximum,
            dict(balance.load),
            dict(balance.ipv6),
            self._reclaimed,
        )

    @property
    def detours(self) -> tuple[int, int]:
        """Packets of sessions that came here and went on to their SPU, and packets that SPUs handed
        back, so far."""
        return self._first.delivered, self._first.redirected

    def members(self) -> Mapping[int, Member[Entry]]:
        """The SPUs and their states."""
        return self._core.fleet.members

    def audit(self) -> list[str]:
        """What is left, in words: nothing once every session is gone."""
        core = self._core
        left = core.sessions.audit()
        left += [
            f"{count} NAT ports of {text(address)}, protocol {protocol}"
            for (address, protocol), count in core.nat.in_use().items()
        ]
        left += [f"load {load} of SPU {spu}" for spu, load in core.balance.load.items() if load]
        left += [f"gate {gate}" for gate in core.gates]
        left += core.desk.audit()
        waiting = len(self._first.fragments)
        left += [f"{waiting} fragments wait"] if waiting else []
        return left + core.screens.audit()
