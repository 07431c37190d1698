"""What the parts of the central point share: its tables, the time of the message in hand, its
answers; and what becomes of a flow's share of the chassis when it ends."""

from __future__ import annotations

from collections.abc import Iterator

from controller.central_point.balance import Balance
from controller.central_point.fleet import Fleet
from controller.central_point.gates import GateTable
from controller.central_point.lost_sessions import LostSessions
from controller.central_point.nat_arbiter import NatArbiter
from controller.central_point.nat_desk import NatDesk
from controller.central_point.screens import Screens
from controller.central_point.sessions import Entry, SessionTable
from controller.central_point.watermarks import Watermarks
from controller.config.cards import Chassis
from controller.config.schema import Configuration
from controller.flow import FlowKey, Nanoseconds
from controller.messages import (
    CP,
    OBSERVER,
    Actor,
    NatNotice,
    Outbound,
    PacketDropped,
    Role,
    Step,
    StepTaken,
)
from controller.reasons import Drop


class Core:
    """Owned by ``CentralPoint``, which sets ``now`` and empties ``out`` for each message."""

    def __init__(
        self, config: Configuration, chassis: Chassis, nat_ports: range, trace: bool
    ) -> None:
        self.now: Nanoseconds = 0
        self.out: list[Outbound] = []
        self.trace = trace
        self.spus = {number: Actor(Role.SPU, number) for number in chassis.spus}
        self.sessions = SessionTable()
        self.balance = Balance(chassis.spus, chassis.cp)
        self.lost = LostSessions()
        self.fleet: Fleet[Entry] = Fleet(
            chassis,
            self.balance,
            now=lambda: self.now,
            send=lambda to, message: self.out.append((to, message)),
            surrender=self._surrender,
            forget=self._forget_lost,
            cleared=self.lost.forget,
        )
        self.nat = NatArbiter(nat_ports, config.nat)
        self.nat.tell = self._on_notice
        self.gates = GateTable(self.nat)
        self.desk = NatDesk(self.nat, self.gates, chassis.nat_faults)
        npus = {number: Actor(Role.NPU, number) for number in chassis.npus}
        self.screens = Screens(npus, self.sessions)
        self.watermarks: Watermarks | None = None
        """``None``: no session ends early."""
        self.follow(config)

    def follow(self, config: Configuration) -> None:
        """What is derived from the configuration."""
        self.config = config
        zoned = [i.token for i in config.interfaces.values() if i.zone]
        self.tokens: tuple[int, ...] = tuple(dict.fromkeys(zoned))
        """Tokens that packets come with, if they come from a zone."""
        self._mark(config)
        self.out += self.screens.configure(config, self.now)

    def _mark(self, config: Configuration) -> None:
        """A table that is too full is found by the next session."""
        aging, old = config.aging, self.watermarks
        if old is not None:
            if old.aging == aging:
                return
            self.out += old.stop()
        self.watermarks = None if aging is None else Watermarks(aging, self.balance, self.spus)

    # -- the end of a flow --------------------------------------------------------------------

    def forget(self, entry: Entry) -> None:
        """A session ended, or a flow is pending no more: all it had of the chassis is free."""
        was_pending = self.sessions.remove(entry)
        if not was_pending:
            self.gates.close(entry.session_id)
        if not self.balance.give_back(entry.spu, entry.forward) and not self.fleet.is_whole:
            self.fleet.emptied(entry.spu)
        if self.watermarks is not None:
            self.out += self.watermarks.left(entry.spu, self.now)
        if entry.nat is not None:
            self.release(entry)
        if self.desk.waiting:
            self.desk.forget(entry.forward)
        for lease in entry.leases:
            self.gates.leave(lease)
        screens = self.screens
        if screens.limits is not None or screens.left_out:
            self.out += screens.leave(entry.forward, was_pending)

    def release(self, entry: Entry) -> None:
        """What a flow was granted is free again, unless gates share it."""
        if entry.nat is not None:
            self.desk.release(entry.nat, (entry.forward.src, entry.forward.token))
            entry.nat = None

    def _surrender(self, spu: int) -> Iterator[Entry]:
        """An SPU is gone: give up its gates and pending flows. All entries of now, its sessions'
        among them (most of them twice)."""
        for gate in [gate for gate in self.gates if gate.spu == spu]:
            self.gates.remove(gate.id)
        table = self.sessions.by_key
        for flow in self.sessions.pending:
            entry = table[flow]
            if entry.spu == spu:
                self.forget(entry)
        return iter(list(table.values()))

    def _forget_lost(self, spu: int, entry: Entry) -> None:
        """A session, perhaps of an SPU that is gone, whose last words may have been of its end."""
        if entry.spu != spu or self.sessions.by_key.get(entry.forward) is not entry:
            return
        record = self.lost.close(entry, self.now)
        if record is None:
            self.fleet.members[spu].unrecorded += 1
        else:
            self.out.append((OBSERVER, record))
        self.forget(entry)

    # -- telling ------------------------------------------------------------------------------

    def step(self, step: Step, flow: FlowKey, detail: str, session_id: int = 0) -> None:
        """Report a step. Only asked with ``trace``."""
        taken = StepTaken(self.now, CP, step, flow, detail, session_id)
        self.out.append((OBSERVER, taken))

    def drop(self, reason: Drop, flow: FlowKey | None, detail: str) -> None:
        """Report a packet that goes no further."""
        self.out.append((OBSERVER, PacketDropped(self.now, CP, reason, flow, detail)))

    def _on_notice(self, notice: NatNotice) -> None:
        self.out.append((OBSERVER, notice))
