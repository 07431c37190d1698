"""A child process that must come up, stay up and be taken down."""

from __future__ import annotations

import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from topologies.errors import TopologyError

_POLL_SECONDS = 0.02
_STOP_SECONDS = 5.0


class Service:
    """A program with its log; ``wait_until`` holds until it is of use."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._output = log.open("wb")
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                # A terminal's Ctrl-C is for the runner, which stops its services in order.
                start_new_session=True,
            )
        except FileNotFoundError:
            raise TopologyError(
                f"{name}: no program '{command[0]}' on PATH; install it, or leave SWITCH= out"
            ) from None

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise with the log's last words if the process is gone."""
        if not self.is_running:
            raise TopologyError(
                f"{self.name} {_end(self._process.returncode)}; "
                f"command: {shlex.join(self._command)}\n{self._last_words()}"
            )

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for ``condition``; raise if the process ends first or the time is up."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise TopologyError(
                    f"{self.name}: {what} did not happen within {seconds:g} s\n{self._last_words()}"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End the process: first politely, then surely. Idempotent."""
        if self.is_running:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._output.close()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"


def _end(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
