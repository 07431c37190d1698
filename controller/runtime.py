"""The only place with asyncio: carries messages between the pure machines and the NPUs.

One queue, one loop: a message is handled, what comes of it is appended, until nothing is left. So
messages reach each receiver in the order they were sent, and a first packet's whole walk through
central point, SPU and neighbour table happens without a task switch; only NPUs answer later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from controller.central_point.machine import CentralPoint
from controller.config.cards import Chassis
from controller.config.schema import Configuration
from controller.flow import FlowKey, Nanoseconds
from controller.messages import (
    CP,
    HOST,
    NEIGHBORS,
    OBSERVER,
    Actor,
    CreateSession,
    Deliver,
    DrainSpu,
    Message,
    Outbound,
    PacketDropped,
    PacketIn,
    Reconfigure,
    Role,
)
from controller.npu.client import Npu
from controller.npu.pipeline import Pipeline
from controller.npu.purge import SESSIONS_PER_SPU
from controller.npu.turn import Turn
from controller.operate.observer import Observer
from controller.reasons import Drop
from controller.rejects import Rejects
from controller.routing.fabric import Fabric
from controller.routing.fib import fib_of
from controller.routing.neighbors import Neighbors
from controller.spu import SessionView, Spu
from controller.spu_bay import SpuBay, flow_of, stray

LOGGER = logging.getLogger(__name__)

_PAUSE_S = 1.0
"""For how long steps are not reported once there are too many."""


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
        fib_of(configuration)  # Raises FibError.
        self.central_point = CentralPoint(configuration, chassis)
        self.neighbors = Neighbors(configuration)
        self._secret = os.urandom(32)
        """Of SYN cookies."""
        self.bay = SpuBay(list(chassis.spus), self._make_spu)
        self.observer = Observer(configuration)
        self._turn = turn = Turn()
        self.npus: Mapping[int, Npu] = {
            number: Npu(site, pipeline, self._gather, clock, turn)
            for number, site in chassis.npus.items()
        }
        self.on_configuration: list[Callable[[Configuration], None]] = []
        """Called with each new configuration."""
        self.faults = Faults()
        self.at_work: Actor | None = None
        """Whose message is being handled right now."""
        self.is_ready = False
        """Whether all NPUs are programmed."""
        self._machines: dict[Actor, Machine] = {
            CP: self.central_point,
            NEIGHBORS: self.neighbors,
            HOST: Rejects(configuration),
        }
        self._machines |= {Actor(Role.SPU, number): spu for number, spu in self.bay.spus.items()}
        self._posts = {Actor(Role.NPU, number): npu.post for number, npu in self.npus.items()}
        self._queue: deque[Outbound] = deque()
        self._draining = False
        self._will_drain = False
        self._deadlines: dict[Actor, Nanoseconds] = {}
        self._touched: set[Actor] = set()
        """Machines whose deadline may have changed in this turn of the event loop."""
        self._will_reschedule = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: Nanoseconds = 0
        self.observer.on_crowd = self._pause_steps

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
        for actor in list(self._machines):
            self.deliver((actor, message))
        await asyncio.gather(
            *(npu.apply(configuration, self.chassis) for npu in self.npus.values())
        )

    @property
    def spus(self) -> Mapping[int, Spu]:
        """The SPUs that are there, by number."""
        return self.bay.spus

    def session(self, session_id: int) -> SessionView | None:
        """A session by its id."""
        spu = self.spus.get(session_id // SESSIONS_PER_SPU)
        return None if spu is None else spu.session(session_id)

    # -- SPUs that come and go ------------------------------------------------------------

    def take_spu_out(self, number: int, why: str) -> None:
        """An operator takes an SPU out: its sessions end, and it stays out."""
        self._remove_spu(number, why, comes_back=False)

    def put_spu_in(self, number: int) -> None:
        """A fresh SPU in the place of one that is out; one that drains gets flows again."""
        out = self.bay.insert(number)
        actor = Actor(Role.SPU, number)
        if not out:
            self._machines[actor] = self.bay.spus[number]
            self._touched.add(actor)
            self._reschedule_soon()
        for outbound in out:
            self.deliver(outbound)

    def drain_spu(self, number: int) -> None:
        """No new flows for an SPU; those it has go on."""
        self.deliver((CP, DrainSpu(number)))

    def _remove_spu(
        self, number: int, why: str, *, comes_back: bool, flow: FlowKey | None = None
    ) -> None:
        actor = Actor(Role.SPU, number)
        self._machines.pop(actor, None)
        self._deadlines.pop(actor, None)
        now = self.clock()
        for outbound in self.bay.remove(number, why, now, comes_back=comes_back, flow=flow):
            self.deliver(outbound)

    def _make_spu(self, number: int, incarnation: int) -> Spu:
        return Spu(
            number,
            self.configuration,
            fib_of(self.configuration),
            self.chassis,
            incarnation=incarnation,
            cookie_seed=self._secret,
        )

    # -- messages -------------------------------------------------------------------------

    def deliver(self, outbound: Outbound) -> None:
        """Carry a message, and all that comes of it."""
        self._queue.append(outbound)
        if not self._draining:
            self._drain()

    def _gather(self, outbound: Outbound) -> None:
        """Carry a message from an NPU when the turn is over, with all others that it brings."""
        self._queue.append(outbound)
        if not self._will_drain:
            self._will_drain = True
            self._turn.handle(self._drain)

    def _drain(self) -> None:
        self._will_drain = False
        self._draining = True
        queue, machines, posts, clock = self._queue, self._machines, self._posts, self.clock
        touch = self._touched.add
        try:
            while queue:
                to, message = queue.popleft()
                self.at_work = to
                try:
                    if to is OBSERVER:
                        # Most messages are steps; they need no look-up of who gets them.
                        self.observer.take(message)
                        continue
                    machine = machines.get(to)
                    if machine is not None:
                        queue.extend(machine.handle(message, clock()))
                        touch(to)
                        continue
                    post = posts.get(to)
                    if post is not None:
                        post(message)
                    else:
                        self._elsewhere(to, message)
                except Exception as error:  # One SPU's error is its own end, not the system's.
                    LOGGER.exception("%s failed on %s", to, message)
                    self._failed(to, error, message)
        finally:
            self._draining = False
            self.at_work = None
            self._reschedule_soon()

    def _failed(self, actor: Actor, error: Exception, message: Message | None) -> None:
        """A fault of ours must not end the sessions of everybody else. An SPU's ends those of the
        SPU: what it knows may be wrong now. The packet that it failed on goes nowhere else: it
        might fail there too."""
        self.faults.failed += 1
        flow = None
        with contextlib.suppress(Exception):  # Reading the packet may be what failed.
            flow = None if message is None else flow_of(message)
        if actor.role is Role.SPU and actor in self._machines:
            why = f"{type(error).__name__}: {error}"
            self._remove_spu(actor.number, why, comes_back=True, flow=flow)
        if isinstance(message, PacketIn | CreateSession | Deliver):
            reason = Drop.SPU_FAILED if actor.role is Role.SPU else Drop.INTERNAL
            detail = f"{actor} failed on this packet"
            self.observer.take(PacketDropped(self.clock(), actor, reason, flow, detail))

    def _elsewhere(self, to: Actor, message: Message) -> None:
        if to.role is Role.SPU and to.number in self.chassis.spus:
            instead = stray(to, message)
            if instead is not None:
                self._queue.append(instead)
        else:
            self.faults.undeliverable += 1

    # -- steps ----------------------------------------------------------------------------

    def _pause_steps(self) -> None:
        """More first packets come than anybody can read of."""
        if not self.central_point.trace:
            return
        self._report_steps(False)
        asyncio.get_running_loop().call_later(_PAUSE_S, self._report_steps, True)

    def _report_steps(self, on: bool) -> None:
        self.central_point.trace = on
        for spu in self.spus.values():
            spu.trace = on

    # -- deadlines ------------------------------------------------------------------------

    def _reschedule_soon(self) -> None:
        """Look at the deadlines of machines that did something, when the turn is over."""
        if not self._will_reschedule:
            self._will_reschedule = True
            self._turn.batch(self._reschedule)

    def _reschedule(self) -> None:
        """Have the timer ring no later than the earliest deadline. Ringing early is harmless."""
        self._will_reschedule = False
        for actor in self._touched:
            machine = self._machines.get(actor)
            deadline = None if machine is None else machine.deadline()
            if deadline is None:
                self._deadlines.pop(actor, None)
            else:
                self._deadlines[actor] = deadline
        self._touched.clear()
        earliest = min(self._deadlines.values(), default=None)
        back = self.bay.deadline()
        if back is not None and (earliest is None or back < earliest):
            earliest = back
        if earliest is None:
            return
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
        for actor in [actor for actor, at in self._deadlines.items() if at <= now]:
            try:
                self._queue.extend(self._machines[actor].tick(now))
            except Exception as error:  # as in _drain
                LOGGER.exception("%s failed on its timer", actor)
                self._failed(actor, error, None)
            self._touched.add(actor)
        for number in self.bay.due(now):
            self.put_spu_in(number)
        self._drain()
