"""Where a running topology leaves its socket and what others need to find it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topologies.errors import TopologyError

RUN_DIRECTORY = Path(os.environ.get("WINGPATH_RUN_DIRECTORY", "/run/wingpath"))


def record_path(topology: str) -> Path:
    """What a running topology says of itself, as JSON."""
    return RUN_DIRECTORY / f"{topology}.json"


def socket_path(topology: str) -> Path:
    """The controller's socket, for ``wingpath cli``."""
    return RUN_DIRECTORY / f"{topology}.sock"


def started_at(process: int | str) -> int:
    """When a process began, in clock ticks since the boot: tells it from a later one of the same
    number. Raises ``FileNotFoundError`` if there is none."""
    # proc(5): the 22nd field; the second is a name in parentheses, which may contain anything.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[22 - 3])


@contextmanager
def only_one(topology: str) -> Iterator[None]:
    """Hold the topology's name for this process: its socket and record exist once."""
    RUN_DIRECTORY.mkdir(parents=True, exist_ok=True)
    # The kernel lets go of the lock when the process ends, however it ends; the file stays.
    with (RUN_DIRECTORY / f"{topology}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TopologyError(
                f"{topology} is already up; end it with Ctrl-C where it was started"
            ) from None
        yield
