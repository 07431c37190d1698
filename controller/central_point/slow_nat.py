"""NAT allocation that takes time, or refuses: injected, for tests and labs (``NatFaults``)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from controller.config.schema import NatFaults
from controller.flow import Nanoseconds
from controller.messages import AllocateNat


class SlowNat:
    """Requests that wait for their time, in order."""

    def __init__(self, faults: NatFaults) -> None:
        self._faults = faults
        self._waiting: deque[tuple[Nanoseconds, AllocateNat]] = deque()
        self._answered = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, ask: AllocateNat, now: Nanoseconds) -> None:
        """A request came."""
        self._waiting.append((now + self._faults.delay, ask))

    def deadline(self) -> Nanoseconds | None:
        """When the next one is to be answered."""
        return self._waiting[0][0] if self._waiting else None

    def due(self, now: Nanoseconds) -> Iterator[AllocateNat]:
        """Those whose time has come."""
        while self._waiting and self._waiting[0][0] <= now:
            yield self._waiting.popleft()[1]

    def refuses(self) -> bool:
        """Whether the answer in hand is to be a refusal."""
        self._answered += 1
        every = self._faults.refuse_every
        return bool(every) and self._answered % every == 0
