"""What is left to do when all that a turn of the event loop brought has been handled.

Packets of several NPUs arrive in one turn, and each has something to write to the others. Put off
to the turn's end, all of them are handled in one go, and what comes of them shares one Write and
one system call for each NPU; a lone packet waits for nothing, because its turn ends with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

Do = Callable[[], None]


class Turn:
    """The end of the turn in hand, of the event loop that runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._handlings: deque[Do] = deque()
        self._batches: deque[Do] = deque()
        self._flushes: deque[Do] = deque()
        self._will_end = False
        self.packets = 0
        """Those that the turn in hand has brought: a measure for how much of what was put off may
        be done with them."""

    def handle(self, do: Do) -> None:
        """Handle, once, what all of the turn brought."""
        self._handlings.append(do)
        self._end_soon()

    def batch(self, do: Do) -> None:
        """Put a batch together, once, from what is there when all is handled."""
        self._batches.append(do)
        self._end_soon()

    def flush(self, do: Do) -> None:
        """Send, once, after all batches are put together."""
        self._flushes.append(do)
        self._end_soon()

    def _end_soon(self) -> None:
        if not self._will_end:
            self._will_end = True
            self._loop.call_soon(self._end)

    def _end(self) -> None:
        try:
            for steps in (self._handlings, self._batches, self._flushes):
                # What a step asks for belongs to the next turn, unless it is for a later step.
                for _ in range(len(steps)):
                    steps.popleft()()
        finally:  # A step that fails takes no other with it.
            self._will_end = False
            self.packets = 0
            if self._handlings or self._batches or self._flushes:
                self._end_soon()
