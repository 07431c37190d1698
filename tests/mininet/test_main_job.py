"""The main job in Mininet: a system comes up, carries traffic, and leaves nothing behind.

Needs root; run by ``make mininet``. The demo's own expectations are the assertions on traffic;
the tests here add what a demo does not show: clean ends and clear refusals.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SWITCH = os.environ.get("SWITCH", "p4embed-switch")
ROOT = Path(__file__).parents[2]


RUN_DIRECTORY = Path(tempfile.mkdtemp(prefix="wingpath-test-"))
MARK = f"WINGPATH_RUN_DIRECTORY={RUN_DIRECTORY}"
"""In the environment of all that these tests start, so that they see what is theirs and
nothing of a topology that is up beside them."""


def topologies(*arguments: str) -> list[str]:
    own = ["--logs", str(RUN_DIRECTORY / "logs")] if arguments[0] in ("up", "demo") else []
    return ["env", MARK, sys.executable, "-m", "topologies", *arguments, *own]


def run(*arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        topologies(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=seconds
    )


def remains() -> list[str]:
    """What of our topologies is on the machine: interfaces outside, processes anywhere."""
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    found = [line for line in links.splitlines() if line.startswith(("npu", "trust1-", "dmz1-"))]
    for process in Path("/proc").glob("[0-9]*"):
        if MARK in _read(process / "environ") and process.name != str(os.getpid()):
            found.append(f"{process.name} {_read(process / 'cmdline')}")
    return found


def remains_in_the_end(seconds: float = 10) -> list[str]:
    """What is left once the kernel had time to take a namespace apart."""
    deadline = time.monotonic() + seconds
    while (found := remains()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


@pytest.fixture
def up() -> Iterator[subprocess.Popen[str]]:
    """A topology that is up."""
    command = topologies("up", "--serve", "--switch", SWITCH)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if not any("is up" in line for line in process.stdout):
            pytest.fail(f"the topology did not come up; status {process.wait()}")
        yield process
        process.kill()


def test_demo_keeps_all_its_expectations() -> None:
    done = run("demo", "--switch", SWITCH)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "expectations kept in" in done.stdout
    assert remains_in_the_end() == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_however_it_ends(up: subprocess.Popen[str], name: str) -> None:
    assert remains()
    up.send_signal(signal.Signals[name])
    up.wait(timeout=15)
    assert remains_in_the_end() == []


def test_a_switch_that_dies_is_reported(up: subprocess.Popen[str]) -> None:
    """The runner names the switch that ended, and ends itself."""
    own = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if "--grpc-server-addr" in _read(path) and _is_below(int(path.parent.name), up.pid)
    ]
    assert len(own) >= 2
    os.kill(own[0], signal.SIGKILL)
    assert up.wait(timeout=20) != 0


def _is_below(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        status = _read(Path(f"/proc/{pid}/status"))
        pid = int(status.partition("PPid:")[2].split()[0]) if "PPid:" in status else 0
    return False


@pytest.mark.usefixtures("up")
def test_a_host_and_an_operator_can_look_in() -> None:
    """Traffic by 'exec', then its session by 'wingpath cli' and its end by 'clear'."""
    ping = run("exec", "trust1", "ping", "-c", "2", "-W", "2", "203.0.113.10")
    assert " 0% packet loss" in ping.stdout, ping.stdout + ping.stderr
    seen = run("exec", "trust1", "curl", "-sS", "-m", "10", "http://203.0.113.10/client")
    assert seen.stdout.startswith("203.0.113.1 "), seen.stdout + seen.stderr
    cli = [sys.executable, "-m", "controller", "cli", "--socket"]
    cli.append(str(RUN_DIRECTORY / "two_npus.sock"))

    def ask(command: str) -> str:
        return subprocess.run(
            [*cli, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout

    table = ask("show security flow session destination-prefix 203.0.113.0/24 protocol icmp")
    assert "203.0.113.10" in table
    assert "cleared" in ask("clear security flow session all")


@pytest.mark.usefixtures("up")
def test_a_second_one_beside_it_is_refused() -> None:
    done = run("up", "--switch", SWITCH)
    assert done.returncode == 1
    assert done.stderr == (
        "error: two_npus is already up; end it with Ctrl-C where it was started\n"
    )


@pytest.fixture(scope="module", autouse=True)
def run_directory() -> Iterator[None]:
    yield
    shutil.rmtree(RUN_DIRECTORY)


def test_unknown_switch_is_one_clear_line() -> None:
    done = run("up", "--switch", "no-such-switch")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        "error: no switch program 'no-such-switch' on PATH; leave SWITCH= out for p4embed-switch"
    ]


def test_commands_on_a_topology_that_is_not_up_say_so() -> None:
    done = run("exec", "trust1", "true")
    assert done.returncode == 1
    assert "two_npus is not up; 'make topology'" in done.stderr
    assert "Traceback" not in done.stderr
