"""Requests for translated addresses and ports at the central point: answered, put off, released."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from controller.central_point.gates import GateTable
from controller.central_point.nat_arbiter import NatArbiter
from controller.central_point.nat_pools import Host
from controller.config.cards import NatFaults
from controller.flow import FlowKey, Nanoseconds
from controller.messages import (
    AllocateNat,
    ClearPersistentNat,
    Grant,
    InjectNatFaults,
    NatGranted,
    NatRefused,
)
from controller.reasons import Drop


class NatDesk:
    """Between the central point and its arbiter. What ``NatFaults`` inject happens here."""

    def __init__(self, arbiter: NatArbiter, gates: GateTable, faults: NatFaults) -> None:
        self._arbiter = arbiter
        self._gates = gates
        self._faults = faults
        self.is_slow = faults.delay > 0
        """Whether requests wait before they are answered."""
        self._queue: deque[tuple[Nanoseconds, AllocateNat]] = deque()
        self.waiting: dict[FlowKey, int] = {}
        """Flows whose request waits, and its serial: of one that began anew the newer one."""
        self._answered = 0

    def add(self, ask: AllocateNat, now: Nanoseconds) -> None:
        """A request that is answered later."""
        at = now + self._faults.delay
        if self._queue:
            at = max(at, self._queue[-1][0])
        self._queue.append((at, ask))
        self.waiting[ask.flow] = ask.serial

    def forget(self, flow: FlowKey) -> None:
        """A flow is gone: nobody waits for its answer."""
        self.waiting.pop(flow, None)

    def due(self, now: Nanoseconds) -> Iterator[AllocateNat]:
        """Requests whose time has come, in order."""
        while self._queue and self._queue[0][0] <= now:
            ask = self._queue.popleft()[1]
            if self.waiting.get(ask.flow) == ask.serial:
                del self.waiting[ask.flow]
                yield ask

    def deadline(self) -> Nanoseconds | None:
        """When a request is to be answered, or a persistent binding ends."""
        ends = self._arbiter.persistent.deadline()
        answers = self._queue[0][0] if self._queue else None
        if ends is None or answers is None:
            return answers if ends is None else ends
        return min(ends, answers)

    def answer(self, ask: AllocateNat) -> tuple[Grant | None, NatGranted | NatRefused]:
        """What the flow has from now on, and what its SPU is told."""
        refuses = self._faults.refuse_every and self._refuses()
        granted = None if refuses else self._arbiter.grant(ask)
        if granted is None:
            return None, NatRefused(ask.flow, Drop.NAT_EXHAUSTED, ask.serial)
        return granted, NatGranted(ask.flow, granted, ask.serial)

    def _refuses(self) -> bool:
        self._answered += 1
        return self._answered % self._faults.refuse_every == 0

    def release(self, granted: Grant, host: Host | None) -> None:
        """A flow does not need what it had. Gates that share it may need it still."""
        address, protocol, port, _, peer, is_persistent = granted
        if not self._gates.defers(address, protocol, port, host, peer):
            self._arbiter.release(address, protocol, port, host, peer, is_persistent=is_persistent)

    def inject(self, message: InjectNatFaults) -> None:
        """An operator wants allocations to take time, or to fail. Those that wait go on waiting."""
        self._faults = message.faults
        self.is_slow = self._faults.delay > 0

    def clear(self, message: ClearPersistentNat) -> None:
        """An operator wants persistent bindings gone."""
        chosen = [
            binding
            for binding in self._arbiter.persistent.all()
            if (not message.pool or binding.pool == message.pool)
            and (message.address is None or binding.inside.address == message.address)
        ]
        self._arbiter.clear_persistent(chosen)

    def audit(self) -> list[str]:
        """What is left, in words."""
        return [f"NAT allocation for {flow} under way" for flow in self.waiting]
