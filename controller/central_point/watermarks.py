"""Early ageing: sessions that are idle end early while the session table is too full.

The table of an SPU, and that of the chassis, has two watermarks in percent of its places. Above
the high one the SPUs concerned are told to end idle sessions until no more are left than the low
one allows; at the low one they are told to stop. Pending wings count.
"""

from __future__ import annotations

from collections.abc import Mapping

from controller.central_point.balance import Balance
from controller.config.schema import Aging
from controller.flow import Nanoseconds
from controller.messages import OBSERVER, Actor, AgeEarly, Outbound, WatermarkPassed

CHASSIS = 0
"""In place of an SPU's number."""


class Watermarks:
    """What is too full. Only made when a high watermark is configured."""

    def __init__(self, aging: Aging, balance: Balance, spus: Mapping[int, Actor]) -> None:
        self.aging = aging
        self._balance = balance
        self._spus = spus
        # Else it is never fuller than its fullest SPU.
        self._bounded = balance.maximum < balance.capacity
        self._over: set[int] = set()
        """SPUs, and the chassis, that passed the high watermark and not the low one since."""
        self._told: dict[int, int] = {}
        """How many places an SPU was told to keep."""

    def entered(self, spu: int, now: Nanoseconds) -> list[Outbound]:
        """An SPU has one session more."""
        balance, high = self._balance, self.aging.high
        out: list[Outbound] = []
        filled = balance.places_of(spu) * 100
        if filled > high * balance.capacity_of(spu) and spu not in self._over:
            self._over.add(spu)
            out.append(self._passed(spu, True, now))
            out += self._tell(spu)
        if self._bounded and balance.total * 100 > high * balance.maximum:
            if CHASSIS in self._over:
                return out
            self._over.add(CHASSIS)
            out.append(self._passed(CHASSIS, True, now))
            for each in self._spus:
                out += self._tell(each)
        return out

    def left(self, spu: int, now: Nanoseconds) -> list[Outbound]:
        """An SPU has one session less."""
        if not self._over:
            return []
        balance, low = self._balance, self.aging.low
        out: list[Outbound] = []
        if spu in self._over and balance.places_of(spu) * 100 <= low * balance.capacity_of(spu):
            self._over.remove(spu)
            out.append(self._passed(spu, False, now))
            out += self._tell(spu)
        if CHASSIS in self._over and balance.total * 100 <= low * balance.maximum:
            self._over.remove(CHASSIS)
            out.append(self._passed(CHASSIS, False, now))
            for each in self._spus:
                out += self._tell(each)
        return out

    def stop(self) -> list[Outbound]:
        """They are configured no more."""
        self._over.clear()
        return [outbound for spu in self._spus for outbound in self._tell(spu)]

    def _tell(self, spu: int) -> list[Outbound]:
        """How many places an SPU is to keep, unless it knows."""
        balance, low = self._balance, self.aging.low
        floors = []
        if spu in self._over:
            floors.append(low * balance.capacity_of(spu) // 100)
        if CHASSIS in self._over:
            # Each in proportion to what it has.
            share = balance.places_of(spu) / max(1, balance.total)
            floors.append(int(low * balance.maximum // 100 * share))
        floor = min(floors) if floors else None
        if self._told.get(spu) == floor:
            return []
        if floor is None:
            del self._told[spu]
        else:
            self._told[spu] = floor
        return [(self._spus[spu], AgeEarly(floor))]

    def _passed(self, where: int, high: bool, now: Nanoseconds) -> Outbound:
        balance = self._balance
        sessions = sum(balance.load.values()) if where == CHASSIS else balance.load_of(where)
        return (OBSERVER, WatermarkPassed(now, where, high, sessions))
