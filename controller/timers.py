"""Deadlines by key: a heap whose entries are dropped when they surface, not when they change.

Setting and cancelling cost a dictionary access and, at most, a push; a deadline that was moved or
cancelled leaves its old heap entry behind, to be skipped. The heap is rebuilt when most of it is
such leftovers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from controller.flow import Nanoseconds

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """At most one deadline per key. ``len()`` counts the deadlines that stand."""

    def __init__(self) -> None:
        self._at: dict[K, tuple[Nanoseconds, int, K]] = {}
        """The entries in the heap that stand, by key."""
        self._heap: list[tuple[Nanoseconds, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: K) -> bool:
        return key in self._at

    def __iter__(self) -> Iterator[K]:
        return iter(list(self._at))

    def set(self, key: K, at: Nanoseconds) -> None:
        """Set or move a key's deadline."""
        # The count keeps keys from being compared and equal times in order.
        self._count = count = self._count + 1
        self._at[key] = entry = (at, count, key)
        heap = self._heap
        heappush(heap, entry)
        if len(heap) > 2 * len(self._at) + 64:
            self._heap = list(self._at.values())
            heapify(self._heap)

    def cancel(self, key: K) -> None:
        """Drop a key's deadline, if it has one."""
        self._at.pop(key, None)

    def at(self, key: K) -> Nanoseconds | None:
        """A key's deadline, if it has one."""
        standing = self._at.get(key)
        return None if standing is None else standing[0]

    def next(self) -> Nanoseconds | None:
        """The earliest deadline."""
        heap, standing = self._heap, self._at
        while heap:
            entry = heap[0]
            if standing.get(entry[2]) is entry:
                return entry[0]
            heappop(heap)
        return None

    def due(self, now: Nanoseconds) -> Iterator[K]:
        """Take out, one by one, the keys whose deadline has come."""
        while (at := self.next()) is not None and at <= now:
            key = heappop(self._heap)[2]
            del self._at[key]
            yield key
