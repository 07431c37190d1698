"""Where a running topology leaves its socket and what others need to find it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from topologies.errors import TopologyError

DEFAULT_TOPOLOGY = "two_npus"
RUN_DIRECTORY = Path(os.environ.get("WINGPATH_RUN_DIRECTORY", "/run/wingpath"))


def known_topology(name: str) -> None:
    """Raise ``TopologyError`` if there is no topology of that name."""
    known = sorted(path.parent.name for path in Path(__file__).parent.glob("*/chassis.toml"))
    if name not in known:
        raise TopologyError(f"no topology named '{name}'; there is: {', '.join(known)}")


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
def only_one(topology: str, logs: Path) -> Iterator[None]:
    """Hold the topology's name and its directory of logs for this process. Raises
    ``TopologyError`` if another has one of them, or they cannot be written."""
    end = "end it with Ctrl-C where it was started"
    with (
        _held(RUN_DIRECTORY, f"{topology}.lock", f"{topology} is already up; {end}", _RUN),
        _held(
            logs, ".lock", f"another topology writes its logs to {logs}; {end}, or {_LOGS}", _LOGS
        ),
    ):
        yield


_RUN = "name another directory with WINGPATH_RUN_DIRECTORY"
_LOGS = "choose another directory with --logs"


@contextmanager
def _held(directory: Path, name: str, taken: str, remedy: str) -> Iterator[None]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / name).open("w")
    except OSError as error:
        raise TopologyError(f"cannot write to {directory}: {error.strerror}; {remedy}") from error
    # The kernel lets go of the lock when the process ends, however it ends; the file stays.
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TopologyError(taken) from None
        yield
