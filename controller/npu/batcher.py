"""Share one RPC between requests that come while another is under way; never wait for more.

A lone request leaves at once. Those that arrive during its round trip leave together in the next
one, so under load batches grow to what the target needs and no timer is involved. One RPC at a
time also keeps requests in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """``send`` gets up to ``limit`` items and answers each; ``done`` gets its item's answer."""

    def __init__(self, send: Callable[[list[T]], Awaitable[Sequence[R]]], limit: int) -> None:
        self._send = send
        self._limit = limit
        self._waiting: deque[tuple[T, Callable[[R], None]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self.batches = 0
        """RPCs made so far."""
        self.items = 0
        """Items in them."""

    def submit(self, item: T, done: Callable[[R], None]) -> None:
        """Have an item sent; ``done`` is called from the event loop, once."""
        self._waiting.append((item, done))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def drained(self) -> None:
        """Wait until everything submitted so far is answered."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), self._limit)
                batch = [self._waiting.popleft() for _ in range(count)]
                self.batches += 1
                self.items += count
                answers = await self._send([item for item, _ in batch])
                for (_, done), answer in zip(batch, answers, strict=True):
                    done(answer)
        finally:
            self._task = None
