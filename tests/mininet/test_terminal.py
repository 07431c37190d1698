"""A topology and the terminal that it was started in: closed, impatient, shared.

Needs root; run by ``make mininet``.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SWITCH = os.environ.get("SWITCH", "p4embed-switch")
ROOT = Path(__file__).parents[2]


def command(run: Path, *arguments: str, topology: str = "two_npus") -> list[str]:
    """``python -m topologies`` with a run directory of its own."""
    own = ["env", f"WINGPATH_RUN_DIRECTORY={run}", sys.executable, "-m", "topologies"]
    return [*own, "--topology", topology, *arguments]


class Terminal:
    """A topology in the foreground of a terminal of its own."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.pid, self.tty = pty.fork()
        if not self.pid:
            os.chdir(ROOT)
            line = command(run, "up", "--switch", SWITCH, "--logs", str(run / "logs"))
            os.execvp(line[0], line)
        self.said = ""
        self.has_ended = False

    def hear(self, words: str, seconds: float = 40) -> None:
        """Wait until the terminal shows some words."""
        deadline = time.monotonic() + seconds
        while words not in self.said:
            assert time.monotonic() < deadline, self.said
            self.said += os.read(self.tty, 4096).decode(errors="replace")

    def ends(self, seconds: float = 20) -> int:
        """Its exit status."""
        deadline = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.has_ended = True
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, "it does not end"
            time.sleep(0.02)  # waitpid knows no time-out

    def kill(self) -> None:
        """What a test that failed leaves."""
        if not self.has_ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def left(self) -> list[str]:
        """Files of the run directory that tell of a topology that is up."""
        names = ("two_npus.json", "two_npus.sock", "logs/controller.ready")
        return [name for name in names if (self.run / name).exists()]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    shown = Terminal(tmp_path)
    try:
        shown.hear("two_npus is up")
        assert "two_npus.json" in shown.left()
        yield shown
    finally:
        shown.kill()


def test_a_closed_terminal_leaves_no_record(terminal: Terminal) -> None:
    os.close(terminal.tty)
    with suppress(ProcessLookupError):
        for _ in range(20):  # the shell of a terminal tells its children, too
            os.kill(terminal.pid, signal.SIGHUP)
            time.sleep(0.03)  # one after the other, all along its end
    assert terminal.ends() in (129, 130, -signal.SIGHUP)
    assert terminal.left() == []


def test_who_presses_ctrl_c_again_and_again_leaves_no_record_either(terminal: Terminal) -> None:
    for _ in range(20):
        os.write(terminal.tty, b"\x03")
        time.sleep(0.03)  # as fast as fingers are
    assert terminal.ends() == 130
    assert terminal.left() == []
    rest = b""
    try:
        while more := os.read(terminal.tty, 4096):
            rest += more
    except OSError:
        pass  # nobody has the terminal any more
    os.close(terminal.tty)
    assert b"Traceback" not in rest
    assert b"internal fault" not in rest


def test_two_topologies_do_not_write_the_same_logs(terminal: Terminal, tmp_path: Path) -> None:
    other = tmp_path / "other"
    line = command(
        other, "up", "--switch", SWITCH, "--logs", str(terminal.run / "logs"), topology="limits"
    )
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=40)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: another topology writes its logs to {terminal.run}/logs; end it with Ctrl-C where "
        "it was started, or choose another directory with --logs\n"
    )
    os.write(terminal.tty, b"\x03")
    assert terminal.ends() == 130
    os.close(terminal.tty)


def test_who_reads_no_more_is_told_nothing(tmp_path: Path) -> None:
    """``make topology | head``: the pipe breaks, and no fault is reported."""
    line = command(tmp_path, "up", "--switch", SWITCH, "--logs", str(tmp_path / "logs"))
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        line, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=40
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 141


def test_logs_where_nobody_can_write_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = command(tmp_path, "up", "--switch", SWITCH, "--logs", str(tmp_path / "file" / "logs"))
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=40)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: cannot write to {tmp_path}/file/logs: Not a directory; choose another "
        "directory with --logs\n"
    )
