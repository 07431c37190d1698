"""Going round a large table, a few keys every so often, while it changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from itertools import islice
from typing import Generic, TypeVar

from controller.config.schema import SECOND
from controller.flow import Nanoseconds

K = TypeVar("K", bound=Hashable)

PERIOD: Nanoseconds = 10 * SECOND
"""From some keys to the next: a round over all takes about half an hour, or less."""
LEAST = 64
"""Keys at a time, at least."""
STEPS = 200
"""A round takes about so many times, however large the table is."""
_AHEAD = 16
"""So many times' keys are taken from the table at once."""


class Round(Generic[K]):
    """The keys of a table in turn, over and over.

    Keys that come or go meanwhile shift the others, so one may be missed in a round; the next one
    has it. Little is held: a copy of all keys would keep those of what is long gone.
    """

    def __init__(self, table: Mapping[K, object]) -> None:
        self._table = table
        self._ahead: deque[K] = deque()
        self._at = 0
        self.when: Nanoseconds = 0
        """When the next few keys are due; 0: ``due`` was never asked."""

    def due(self, now: Nanoseconds) -> Nanoseconds:
        """When the next few keys are; the first ones, a period from now."""
        if not self.when:
            self.when = now + PERIOD
        return self.when

    def next(self, now: Nanoseconds) -> list[K]:
        """The next few keys; they may be gone from the table by now."""
        self.when = now + PERIOD
        table, ahead = self._table, self._ahead
        count = max(LEAST, len(table) // STEPS)
        if not ahead:
            if self._at >= len(table):
                self._at = 0
            ahead.extend(islice(table, self._at, self._at + _AHEAD * count))
            self._at += len(ahead)
        return [ahead.popleft() for _ in range(min(count, len(ahead)))]
