"""Digests on their way from the data plane to controllers: a thread that keeps the time."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence

from finsy.proto import p4r

from p4embed.switch.engine import Digested
from p4embed.switch.p4runtime.pipeline import Pipeline

log = logging.getLogger("p4embed.switch")

MAX_QUEUED = 1024
"""Batches of digests that may wait; more are dropped, as the specification allows."""

_TICK = 0.1
"""Seconds after which a changed configuration is looked at, at the latest."""


class Learner:
    """Feeds the running pipeline's ``Digests``, and sends what they return."""

    def __init__(
        self,
        pipeline: Pipeline,
        lock: threading.RLock,
        send: Callable[[p4r.StreamMessageResponse], None],
    ) -> None:
        self._pipeline = pipeline
        self._lock = lock
        self._send = send
        self._queue: queue.Queue[tuple[Digested, ...]] = queue.Queue(MAX_QUEUED)
        self.dropped = 0
        threading.Thread(target=self._run, name="digests", daemon=True).start()

    def learn(self, digests: Sequence[Digested]) -> None:
        """Queue digests; never waits."""
        try:
            self._queue.put_nowait(tuple(digests))
        except queue.Full:
            self.dropped += len(digests)
            if self.dropped.bit_count() == 1:
                log.warning("digests come faster than they are sent: %d dropped", self.dropped)

    def _run(self) -> None:
        wait: float | None = None
        while True:
            try:
                digests = self._queue.get(timeout=wait)
            except queue.Empty:
                digests = ()
            wait = self._pass_on(digests)

    def _pass_on(self, digests: Sequence[Digested]) -> float | None:
        """Seconds until there is something to do; ``None``: when the next digest comes."""
        now_ns = time.monotonic_ns()
        with self._lock:
            target = self._pipeline.running
            if target is None:
                return None
            messages = target.digests.learned(digests, now_ns)
            messages += target.digests.passed(now_ns)
            due_ns = target.digests.due_ns()
        for message in messages:
            message.digest.timestamp = time.time_ns()
            self._send(message)
        if due_ns is None:
            return None
        return min(max(due_ns - now_ns, 0) / 1e9, _TICK)
