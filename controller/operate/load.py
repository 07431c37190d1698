"""Who is at work: which machine the controller's one thread serves, looked at often.

All SPUs and the central point share a thread, so what one of them uses shows only if somebody looks
who has it. A second thread does, fifty times a second; that costs the machines a store a message.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from controller.messages import Actor

if TYPE_CHECKING:
    from controller.runtime import Runtime

PERIOD_SECONDS = 0.02


class Load:
    """Counts looks; ``take`` gives the shares since the last time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._looks: Counter[Actor | None] = Counter()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from now on, in a thread."""
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Look once."""
        self._looks[self._runtime.at_work] += 1

    def take(self) -> dict[Actor, int]:
        """Percent of the time that each was at work since the last call."""
        looks, self._looks = self._looks, Counter()
        total = sum(looks.values())
        return {who: 100 * n // total for who, n in looks.items() if who is not None}

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_SECONDS):
            self.look()
