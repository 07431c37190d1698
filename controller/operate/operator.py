"""What commands may look at and do: the running controller, seen by an operator."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.config.schema import Configuration
from controller.flow import Direction, FlowKey, Nanoseconds
from controller.messages import Actor, ClearSession, PacketDropped, Role
from controller.npu.readings import WingState
from controller.operate.exhaustion import SystemLog
from controller.operate.performance import History
from controller.operate.text import InterfaceNames
from controller.reasons import Drop
from controller.spu import SessionView

if TYPE_CHECKING:
    from controller.operate.show_flow import Account
    from controller.runtime import Runtime


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session with what the NPUs count right now."""

    view: SessionView
    packets: tuple[int, int]
    """Per direction, forward first."""
    bytes: tuple[int, int]
    timeout: Nanoseconds
    """Until it ages out."""
    keys: tuple[FlowKey, FlowKey]
    interfaces: tuple[str, str]
    """Where each wing's packets arrive."""


SYSTEM_LOGGER = logging.getLogger("wingpath")


class Operator:
    """Passed to every command."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.loading = asyncio.Lock()
        """Held while another configuration comes into force."""
        self.account_baseline: dict[int, Account] = {}
        """What NPUs had counted when statistics were cleared."""
        self.heard_baseline: Counter[int] = Counter()
        """Likewise, packets-in of each NPU."""
        self.drop_baseline = 0
        """Likewise, drops of CP and SPUs."""
        self.detour_baseline = (0, 0, 0)
        """Likewise, packets that went by the central point, or back to it, and repairs."""
        self.names = InterfaceNames(runtime.configuration)
        self.system_log = SystemLog(lambda spu: self.slots[spu], SYSTEM_LOGGER.warning)
        self.history = History(runtime, self._each_second)
        self._packets_out_dropped: Counter[int] = Counter()
        """By NPU, what the log has heard of."""
        runtime.observer.on_spu = self.system_log.spu
        runtime.observer.on_drop = runtime.observer.on_ran_out = self.system_log.ran_out
        runtime.observer.on_watermark = self.system_log.watermark
        runtime.on_configuration.append(self._configure)

    def _configure(self, configuration: Configuration) -> None:
        self.names = InterfaceNames(configuration)

    def _each_second(self) -> None:
        """Have the log say what nobody reports by itself."""
        now = self.runtime.clock()
        for number, npu in self.runtime.npus.items():
            dropped = npu.connection.packets_out_dropped
            more = dropped - self._packets_out_dropped[number]
            if more:
                self._packets_out_dropped[number] = dropped
                what = "packets for it wait, and it takes them too slowly"
                fell = PacketDropped(now, Actor(Role.NPU, number), Drop.QUEUE_FULL, None, what)
                self.system_log.ran_out(fell, more)
        self.system_log.tick(now)

    @property
    def slots(self) -> dict[int, str]:
        """Each SPU's place as the chassis shows it: services cards stand behind the I/O cards."""
        first = max(self.runtime.npus, default=0)
        return {number: f"FPC{first + number} PIC0" for number in sorted(self.runtime.chassis.spus)}

    async def live(self, views: Sequence[SessionView]) -> list[LiveSession]:
        """Sessions with live counters: one batched Read per NPU. Raises ``NpuError``."""
        wanted: dict[int, list[FlowKey]] = {number: [] for number in self.runtime.npus}
        for view in views:
            for wing in (view.forward, view.reverse):
                wanted[wing.ingress.npu].append(wing.key)
        numbers = [number for number, keys in wanted.items() if keys]
        results = await asyncio.gather(
            *(self.runtime.npus[number].wings.states(wanted[number]) for number in numbers)
        )
        states = dict(zip(numbers, results, strict=True))
        now = self.runtime.clock()
        return [self._session(view, states, now) for view in views]

    def _session(
        self, view: SessionView, states: dict[int, dict[FlowKey, WingState]], now: Nanoseconds
    ) -> LiveSession:
        wings = (view.forward, view.reverse)
        found = [states[wing.ingress.npu].get(wing.key) for wing in wings]
        idle = min((state.idle for state in found if state is not None), default=None)
        packets = [state.packets if state is not None else 0 for state in found]
        octets = [state.bytes if state is not None else 0 for state in found]
        fwd, rev = Direction.FORWARD, Direction.REVERSE
        view = view.seen(packets[fwd])
        return LiveSession(
            view,
            (view.packets[fwd] + packets[fwd], view.packets[rev] + packets[rev]),
            (view.bytes[fwd] + octets[fwd], view.bytes[rev] + octets[rev]),
            view.timeout_left(now, idle),
            (wings[fwd].key, wings[rev].key),
            (self._interface(view, fwd), self._interface(view, rev)),
        )

    def _interface(self, view: SessionView, direction: Direction) -> str:
        wing = view.forward if direction == Direction.FORWARD else view.reverse
        return self.names.name(wing.ingress, wing.key.token)

    def clear_sessions(self, views: Iterable[SessionView]) -> int:
        """End sessions now; how many."""
        count = 0
        for view in views:
            to = Actor(Role.SPU, view.spu)
            self.runtime.deliver((to, ClearSession(view.id)))
            count += 1
        return count
