"""The only place with asyncio: carries messages between the pure machines and the NPUs.

One queue, one loop: a message is handled, what comes of it is appended, until nothing is left. So
messages reach each receiver in the order they were sent, and a first packet's whole walk through
central point, SPU and neighbour table happens without a task switch; only NPUs answer later.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.central_point.machine import CentralPoint
from controller.config.schema import Chassis, Configuration
from controller.flow import Nanoseconds
from controller.messages import (
    CP,
    HOST,
    NEIGHBORS,
    OBSERVER,
    Actor,
    Message,
    Outbound,
    Reconfigure,
    Role,
)
from controller.npu.client import SESSIONS_PER_SPU, Npu
from controller.npu.pipeline import Pipeline
from controller.operate.observer import Observer
from controller.rejects import Rejects
from controller.routing.fabric import Fabric
from controller.routing.fib import fib_of
from controller.routing.neighbors import Neighbors
from controller.spu import SessionView, Spu

LOGGER = logging.getLogger(__name__)


class Machine(Protocol):
    """What takes messages and wants to be woken: pure, without I/O or clock."""

    def handle(self, message: Message, now: Nanoseconds) -> list[Outbound]:
        """Take a message; what to send."""
        ...

    def deadline(self) -> Nanoseconds | None:
        """When ``tick`` is due."""
        ...

    def tick(self, now: Nanoseconds) -> list[Outbound]:
        """Do what is due; what to send."""
        ...


@dataclass(slots=True)
class Faults:
    """Things that should never happen, counted."""

    undeliverable: int = 0
    """Messages to a machine that does not exist, such as the SPU of a stale table entry."""
    failed: int = 0
    """Messages that a machine failed on; the log has the details."""


class Runtime:
    """A whole controller. Create it within a running event loop, then ``start``."""

    def __init__(
        self,
        configuration: Configuration,
        chassis: Chassis,
        pipeline: Pipeline,
        clock: Callable[[], Nanoseconds] = time.monotonic_ns,
    ) -> None:
        self.configuration = configuration
        self.chassis = chassis
        self.clock = clock
        Fabric(chassis)  # Raises FabricError: every two NPUs must be joined.
        fib = fib_of(configuration)
        self.central_point = CentralPoint(configuration, chassis)
        self.neighbors = Neighbors(configuration)
        secret = os.urandom(32)
        self.spus: Mapping[int, Spu] = {
            number: Spu(number, configuration, fib, chassis, cookie_seed=secret)
            for number in chassis.spus
        }
        self.observer = Observer(configuration)
        self.npus: Mapping[int, Npu] = {
            number: Npu(site, pipeline, self.deliver, clock)
            for number, site in chassis.npus.items()
        }
        self.on_configuration: list[Callable[[Configuration], None]] = []
        """Called with each new configuration."""
        self.faults = Faults()
        self.is_ready = False
        """Whether all NPUs are programmed."""
        self._machines: dict[Actor, Machine] = {
            CP: self.central_point,
            NEIGHBORS: self.neighbors,
            HOST: Rejects(configuration),
        }
        self._machines |= {Actor(Role.SPU, number): spu for number, spu in self.spus.items()}
        self._queue: deque[Outbound] = deque()
        self._draining = False
        self._deadlines: dict[Actor, Nanoseconds] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: Nanoseconds = 0

    # -- life -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Program all NPUs. Raises ``NpuError``; then call ``close`` all the same."""
        configuration, chassis = self.configuration, self.chassis
        starts = [
            asyncio.create_task(npu.start(configuration, chassis)) for npu in self.npus.values()
        ]
        try:
            await asyncio.gather(*starts)
            self.is_ready = True
        finally:
            for task in starts:
                task.cancel()
            await asyncio.gather(*starts, return_exceptions=True)

    async def lost(self) -> str:
        """Wait until an NPU is gone; which one and why."""
        waits = [asyncio.create_task(npu.connection.lost()) for npu in self.npus.values()]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for task in waits:
                task.cancel()

    async def close(self) -> None:
        """Let what is under way finish, and disconnect."""
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*(npu.close() for npu in self.npus.values()))

    async def load(self, configuration: Configuration) -> None:
        """Put another configuration into force: machines first, then NPUs, so that no packet comes
        with a token that no machine knows. It was built with the one in force as ``previous``.

        Raises ``FibError`` or ``NpuError``; after an ``FibError`` nothing has changed.
        """
        fib_of(configuration)
        self.configuration = configuration
        self.observer.configuration = configuration
        for tell in self.on_configuration:
            tell(configuration)
        message = Reconfigure(configuration)
        for actor in self._machines:
            self.deliver(Outbound(actor, message))
        await asyncio.gather(
            *(npu.apply(configuration, self.chassis) for npu in self.npus.values())
        )

    def session(self, session_id: int) -> SessionView | None:
        """A session by its id."""
        spu = self.spus.get(session_id // SESSIONS_PER_SPU)
        return None if spu is None else spu.session(session_id)

    # -- messages -------------------------------------------------------------------------

    def deliver(self, outbound: Outbound) -> None:
        """Carry a message, and all that comes of it."""
        self._queue.append(outbound)
        if not self._draining:
            self._drain()

    def _drain(self) -> None:
        self._draining = True
        queue, machines, clock, take = self._queue, self._machines, self.clock, self.observer.take
        touched = set()
        try:
            while queue:
                to, message = queue.popleft()
                try:
                    if to is OBSERVER:
                        # Most messages are steps; they need no look-up of who gets them.
                        take(message)
                        continue
                    machine = machines.get(to)
                    if machine is not None:
                        queue.extend(machine.handle(message, clock()))
                        touched.add(to)
                    else:
                        self._elsewhere(to, message)
                except Exception:
                    # A fault of ours must not end the sessions of everybody else.
                    self.faults.failed += 1
                    LOGGER.exception("%s failed on %s", to, message)
        finally:
            self._draining = False
        self._reschedule(touched)

    def _elsewhere(self, to: Actor, message: Message) -> None:
        if to.role is Role.NPU and to.number in self.npus:
            self.npus[to.number].post(message)
        else:
            self.faults.undeliverable += 1

    # -- deadlines ------------------------------------------------------------------------

    def _reschedule(self, touched: set[Actor]) -> None:
        """Have the timer ring no later than the earliest deadline. Ringing early is harmless."""
        for actor in touched:
            deadline = self._machines[actor].deadline()
            if deadline is None:
                self._deadlines.pop(actor, None)
            else:
                self._deadlines[actor] = deadline
        if not self._deadlines:
            return
        earliest = min(self._deadlines.values())
        if self._timer is not None:
            if self._timer_at <= earliest:
                return
            self._timer.cancel()
        self._timer_at = earliest
        delay = max(0, earliest - self.clock()) / 1e9
        self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self.clock()
        due = {actor for actor, deadline in self._deadlines.items() if deadline <= now}
        for actor in due:
            try:
                self._queue.extend(self._machines[actor].tick(now))
            except Exception:
                self.faults.failed += 1
                LOGGER.exception("%s failed on its timer", actor)
        self._drain()
        self._reschedule(due)
