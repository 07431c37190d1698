"""A running topology, for tests that keep one up: ``gateways`` and others.

Programs on hosts are those of Debian, bounded in time; what they say is the assertion.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from topologies.attach import Running, inside, on_host

ROOT = Path(__file__).parents[2]
ENDS = Path(__file__).parent / "ends"
SWITCH = os.environ.get("SWITCH", "p4embed-switch")
TRUST, DMZ, UNTRUST = "10.1.1.10", "10.2.2.10", "203.0.113.10"
DMZ6, UNTRUST6 = "2001:db8:2::10", "2001:db8:3::10"
NAT = "203.0.113.1"
"""What untrust1 sees trust1 as."""
INTERFACES = """\
set system host-name wingpath
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-1/0/1 unit 0 family inet address 10.2.2.1/24
set interfaces ge-2/0/0 unit 0 family inet address 203.0.113.1/24
set security zones security-zone trust interfaces ge-1/0/0.0
set security zones security-zone dmz interfaces ge-1/0/1.0
set security zones security-zone untrust interfaces ge-2/0/0.0
"""
"""Where hosts are: a beginning for configurations of tests' own."""


class Topology:
    """What tests do with it: run and start programs on hosts, and ask the controller."""

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self.directory = directory
        """Of files for programs on hosts; gone afterwards."""
        self._run = directory / "run"
        self._run.mkdir()
        self._started: list[subprocess.Popen[str]] = []
        self._running = Running(0, {}, {}, 0)

    def up(self) -> None:
        """Bring it up."""
        command = [
            *("env", f"WINGPATH_RUN_DIRECTORY={self._run}"),
            *(sys.executable, "-m", "topologies", "--topology", self._name, "up"),
            *("--switch", SWITCH, "--logs", str(self.directory / "logs")),
        ]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._started.append(process)
        assert process.stdout is not None
        assert any("is up" in line for line in process.stdout), "it did not come up"
        self._running = Running(**json.loads((self._run / f"{self._name}.json").read_text()))

    def down(self) -> None:
        """End it; hosts and what runs on them end with it."""
        for process in reversed(self._started):
            process.terminate()
        for process in self._started:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # something that it did not read
                    process.stdin.close()

    def run(self, host: str, *command: str, seconds: float = 20) -> str:
        """What a command on a host prints, its errors too, and its exit status at the end."""
        done = subprocess.run(
            on_host(self._running, host, command),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
        )
        return f"{done.stdout}\nexit status {done.returncode}"

    def beside(self, npu: int, program: str) -> str:
        """What a program of ours prints that is given an NPU's address and device, and runs beside
        it."""
        site = self._running.npus[str(npu)]
        where = (str(site["address"]), str(site["device_id"]))
        command = inside(self._running, [sys.executable, str(ENDS / program), *where])
        return subprocess.run(
            command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=20
        ).stdout

    def start(
        self, host: str, *command: str, until: str = "", stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """Start a command on a host, and wait until it printed a line with some words."""
        process = subprocess.Popen(
            on_host(self._running, host, command),
            cwd=ROOT,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._started.append(process)
        if until:
            self.hear(process, until)
        return process

    def hear(self, process: subprocess.Popen[str], words: str) -> None:
        """Wait until what was started printed a line with some words."""
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if words in line:
                return
        raise AssertionError(f"{process.args} said no '{words}': {''.join(seen)}")

    def cli(self, command: str) -> str:
        """What an operator's command answers; no program is started for it."""
        answer = self._ask(command)
        assert "text" in answer, f"{command}: {answer}"
        return answer["text"]

    def ask(self, command: str) -> str:
        """Like ``cli``, with an error for an answer too."""
        answer = self._ask(command)
        return answer["text"] if "text" in answer else answer["error"]

    def load(self, text: str) -> None:
        """Put a configuration into force."""
        file = self.directory / "loaded.set"
        file.write_text(text)
        answer = self.cli(f"request configuration load {file}")
        assert answer.startswith("load complete"), answer

    def _ask(self, command: str) -> dict[str, str]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(20)
            line.connect(str(self._run / f"{self._name}.sock"))
            line.sendall(json.dumps({"command": command}).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer: dict[str, str] = json.loads(answers.readline())
        return answer

    def wait(self, condition: Callable[[], bool], seconds: float = 10) -> bool:
        """Whether something becomes true in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def sessions(self) -> str:
        """All sessions, at length."""
        return self.cli("show security flow session extensive")

    def clear(self) -> None:
        """End all sessions, and see that nothing of them is left, gates included."""
        self.cli("clear security flow session all")
        assert self.wait(
            lambda: (
                "Total sessions: 0" in self.cli("show security flow cp-session")
                and "Total gates: 0" in self.cli("show security flow gate summary")
            )
        ), self.cli("show security flow gate") + self.sessions()


@contextmanager
def running(name: str) -> Iterator[Topology]:
    """A topology that is up within the block."""
    directory = Path(tempfile.mkdtemp(prefix=f"wingpath-{name}-"))
    topology = Topology(name, directory)
    try:
        topology.up()
        yield topology
    finally:
        topology.down()
        shutil.rmtree(directory)


def gateways() -> AbstractContextManager[Topology]:
    """The topology of that name."""
    return running("gateways")
