"""Share one RPC between requests that come while another is under way; never wait for more.

A lone request leaves when the event loop's turn is over. Those that arrive during its round trip
leave together in the next one, so under load batches grow to what the target needs and no timer is
involved. One RPC at a time also keeps requests in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from controller.npu.turn import Turn

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C")
Answer = Callable[[Sequence[R]], None]


class Batcher(Generic[T, R]):
    """``send`` gets up to ``limit`` items, and a function to call with an answer for each; ``done``
    of ``submit`` gets its item's answer."""

    def __init__(self, turn: Turn, send: Callable[[list[T], Answer[R]], None], limit: int) -> None:
        self._turn = turn
        self._send = send
        self._limit = limit
        self._waiting: deque[tuple[T, Callable[[Any, R], None], Any]] = deque()
        self._under_way: list[tuple[T, Callable[[Any, R], None], Any]] = []
        self._is_busy = False
        self._drained: list[asyncio.Future[None]] = []

    def submit(self, item: T, done: Callable[[C, R], None], about: C) -> None:
        """Have an item sent; ``done`` is called from the event loop, once, with ``about`` and the
        answer. (A function that remembers by itself would have to be made for every item.)"""
        self._waiting.append((item, done, about))
        if not self._is_busy:
            self._is_busy = True
            self._turn.batch(self._next)

    async def drained(self) -> None:
        """Wait until everything submitted so far is answered."""
        while self._is_busy:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drained.append(future)
            await future

    def _next(self) -> None:
        waiting = self._waiting
        if not waiting:
            self._is_busy = False
            for future in self._drained:
                if not future.done():
                    future.set_result(None)
            self._drained.clear()
            return
        take = waiting.popleft
        batch = [take() for _ in range(min(len(waiting), self._limit))]
        self._under_way = batch
        self._send([item for item, _, _ in batch], self._answered)

    def _answered(self, answers: Sequence[R]) -> None:
        under_way, self._under_way = self._under_way, []
        try:
            for (_, done, about), answer in zip(under_way, answers, strict=True):
                done(about, answer)
        finally:
            # Together with what the answers' own consequences have to write.
            self._turn.batch(self._next)


def chunks(items: Sequence[T], size: int) -> Iterable[list[T]]:
    """Items that are all there, ``size`` at a time."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
