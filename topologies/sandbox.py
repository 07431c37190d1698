"""A private place for a topology: nothing of it can outlive its process.

``run_inside`` forks a child that is process 1 of a PID namespace and lives in its own network and
mount namespaces. Switches, hosts, links and the controller all start below it. When it ends, by
itself, by Ctrl-C or by SIGKILL, the kernel ends every process in the namespace and with them go
the interfaces; when its parent ends, the parent-death signal ends it. So there is no clean-up code
that could be skipped, and a topology cannot clash with names or ports of the machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from topologies.errors import TopologyError

# <linux/sched.h> and <sys/prctl.h>; the standard library of Python 3.11 has no unshare().
_CLONE_NEWNS = 0x00020000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a topology in order."""
_AGAIN_SECONDS = 1.0
"""Two signals that are no further apart are one wish."""

_libc = ctypes.CDLL(None, use_errno=True)


def require_root() -> None:
    """Refuse to go on without root, which namespaces and raw sockets need."""
    if os.geteuid() != 0:
        raise TopologyError("this needs root; run it through make, which uses sudo, or as root")


def run_inside(work: Callable[[int], int]) -> int:
    """Run ``work(pid)`` in fresh namespaces and return its exit status.

    ``pid`` is the child's process number as the outside sees it: what ``nsenter --target`` takes.
    SIGINT, SIGTERM and SIGHUP are handed on; in the child they arrive as ``KeyboardInterrupt``.
    """
    require_root()
    parent = os.getpid()
    if _libc.unshare(_CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise TopologyError(f"cannot make namespaces: {reason}; a container needs CAP_SYS_ADMIN")
    sys.stdout.flush()
    # Nobody is interrupted before there is somebody to hear of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    child = os.fork()
    if child == 0:
        _end_with(parent)
        os._exit(_inside(work))
    return _wait_for(child)


def _end_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # /proc is still the outside's: it says whether the parent was gone before the call above.
    with open("/proc/self/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    if int(fields["PPid"]) != parent:
        os._exit(1)


def let_nobody_interrupt() -> None:
    """From here on, what ends a topology is under way: another Ctrl-C would cut it short."""
    for name in _ENDS:
        signal.signal(name, signal.SIG_IGN)


def _inside(work: Callable[[int], int]) -> int:
    outside_pid = int(os.readlink("/proc/self"))
    interrupts = _Interrupts()
    for name in _ENDS:
        signal.signal(name, interrupts)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
        for command in (
            ("mount", "--make-rprivate", "/"),
            ("mount", "-t", "proc", "proc", "/proc"),
            ("ip", "link", "set", "lo", "up"),
        ):
            subprocess.run(command, check=True)
        status = work(outside_pid)
    except TopologyError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        # Whoever read what this prints has gone, such as 'head'.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 128 + signal.SIGPIPE
    except Exception as error:
        # This is a forked child: an exception must not run on into its parent's code.
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{place.filename}:{place.lineno}"
        print(f"error: internal fault, please report: {error!r} at {where}", file=sys.stderr)
        status = 70
    with contextlib.suppress(OSError):  # a terminal that is closed
        sys.stdout.flush()
        sys.stderr.flush()
    return status


class _Interrupts:
    """A signal as ``KeyboardInterrupt``. One end may be told twice: a terminal tells all of its
    foreground, and our parent hands it on."""

    def __init__(self) -> None:
        self._last = -math.inf

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last > _AGAIN_SECONDS:
            self._last = now
            raise KeyboardInterrupt


def _wait_for(child: int) -> int:
    def hand_on(number: int, _frame: FrameType | None) -> None:
        # A terminal's Ctrl-C reaches the child by itself; it does not mind to hear it again.
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, hand_on)
    # Ctrl-C reaches the whole foreground group; a SIGINT sent to this process alone does not.
    signal.signal(signal.SIGINT, hand_on if not sys.stdin.isatty() else signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
