"""Load balancing: which SPU gets a new session."""

from __future__ import annotations

from collections.abc import Mapping

from controller.config.schema import SpuSite


class Balance:
    """Picks the SPU that is fullest the least, in proportion to its capacity.

    Pending wings count like sessions, so a burst of first packets spreads too. Of equally full
    SPUs the lowest number gets the session.
    """

    def __init__(self, sites: Mapping[int, SpuSite]) -> None:
        self._capacity = {number: sites[number].max_sessions for number in sorted(sites)}
        self._load = dict.fromkeys(self._capacity, 0)

    def pick(self) -> int | None:
        """The SPU for a new session, counted as its load already; ``None``: all are full."""
        best = None
        least = 1.0
        capacity = self._capacity
        for spu, load in self._load.items():
            fill = load / capacity[spu] if capacity[spu] else 1.0
            if fill < least:
                best, least = spu, fill
        if best is not None:
            self._load[best] += 1
        return best

    def take(self, spu: int) -> bool:
        """Count a session for a given SPU; whether it had room and exists."""
        if self._load.get(spu, 0) >= self._capacity.get(spu, 0):
            return False
        self._load[spu] += 1
        return True

    def give_back(self, spu: int) -> None:
        """A session or pending wing of an SPU is gone."""
        self._load[spu] -= 1

    @property
    def load(self) -> Mapping[int, int]:
        """Sessions and pending wings by SPU."""
        return dict(self._load)

    @property
    def capacity(self) -> int:
        """Sessions that all SPUs together can hold."""
        return sum(self._capacity.values())
