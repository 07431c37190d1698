"""An NPU that can fail: refuse wings, lose its controller, lose its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from controller.config.schema import SECOND, Configuration
from controller.flow import Address, FlowKey, Nanoseconds
from controller.messages import (
    Actor,
    Distribute,
    InstallWing,
    Message,
    Outbound,
    ReadWing,
    RemoveWing,
    Role,
    WingInstalled,
    WingRead,
    WingRemoved,
)
from controller.npu.purge import Fences
from controller.packet import Packet
from controller.reasons import Drop
from controller.simulate.dice import Dice
from controller.simulated_npu import SimulatedNpu


class FaultyNpu(SimulatedNpu):
    """Adds to the NPU of ``controller.simulated_npu`` what goes wrong with real ones.

    While it is ``lost`` to the controller it answers everything with an error, and has done what it
    was asked to or not.
    """

    def __init__(
        self, number: int, config: Configuration, capacity: int | None, dice: Dice
    ) -> None:
        super().__init__(number, config, capacity)
        self._dice = dice
        self._second = 0
        self._syns: Counter[tuple[Address, int]] = Counter()
        """In that second, by destination and port."""

    def configure(self, config: Configuration) -> None:
        super().configure(config)
        self._thresholds = {}
        for interface in config.interfaces.values():
            zone = config.zones.get(interface.zone)
            profile = None if zone is None else config.screens.get(zone.screen)
            if profile is not None and Drop.SCREEN_SYN_FLOOD_ATTACK in profile.screens:
                most = profile.thresholds[Drop.SCREEN_SYN_FLOOD_ATTACK]
                self._thresholds[interface.token] = most

    def _is_attacked(self, packet: Packet, token: int, now: Nanoseconds) -> bool:
        most = self._thresholds.get(token)
        if most is None:
            return False
        if now // SECOND != self._second:
            self._second = now // SECOND
            self._syns.clear()
        self._syns[packet.dst, packet.dport] += 1
        return self._syns[packet.dst, packet.dport] > most

    def holds(self, key: FlowKey) -> int:
        """The session id of a wing's entry; 0: there is none."""
        entry = self._table.get(key)
        return 0 if entry is None else entry.install.session_id

    def entries(self) -> dict[FlowKey, int]:
        """Session ids of all wings."""
        return {key: entry.install.session_id for key, entry in self._table.items()}

    def _install(self, message: InstallWing, now: Nanoseconds) -> list[Outbound]:
        if not self.lost:
            return super()._install(message, now)
        if self._dice.hits(500) and not self.holds(message.wing.key):
            self._obey(super()._install, message, now)
        if message.is_renewal:
            return []
        to = Actor(Role.SPU, message.spu)
        failed = WingInstalled(message.session_id, message.direction, Drop.NPU_LOST)
        return [(to, failed)]

    def _remove(self, message: RemoveWing, now: Nanoseconds) -> list[Outbound]:
        if not self.lost:
            return super()._remove(message, now)
        if self._dice.hits(500):
            self._obey(super()._remove, message, now)
        answer = WingRemoved(message.session_id, message.direction, 0, 0)
        return [(Actor(Role.SPU, message.spu), answer)]

    def _read(self, message: ReadWing, now: Nanoseconds) -> list[Outbound]:
        if not self.lost:
            return super()._read(message, now)
        answer = WingRead(message.session_id, message.direction, None, 0, 0)
        return [(Actor(Role.SPU, message.spu), answer)]

    def _distribute(self, message: Distribute, now: Nanoseconds) -> list[Outbound]:
        return [] if self.lost else super()._distribute(message, now)

    def _obey(
        self, do: Callable[[Any, Nanoseconds], list[Outbound]], message: Message, now: Nanoseconds
    ) -> None:
        """Do as told, although nobody will hear of it."""
        self.lost = False
        do(message, now)
        self.lost = True

    def forget(self) -> None:
        """Lose all wings, and what its controller knew: another one has begun."""
        self._fences = Fences()
        for key in list(self._table):
            del self._table[key]
            self._idle.cancel(key)
