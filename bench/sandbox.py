"""A switch of our own to measure, in a network namespace that vanishes with the benchmark."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from bench.target import TargetError

ADDRESS = "127.0.0.1:9559"
START_SECONDS = 60
"""A switch may compile its program's native code first."""


def enter(arguments: Sequence[str]) -> int:
    """Run this benchmark again in namespaces of its own; its exit status."""
    # With its own process ids, nothing started inside can outlive it.
    command = [
        *("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
        *(sys.executable, "-m", "bench.install", "--inside", *arguments),
    ]
    try:
        return subprocess.run(command).returncode
    except FileNotFoundError as error:
        raise TargetError("'unshare' is missing; it is in Debian's package util-linux") from error


class OwnSwitch:
    """One switch with two ports, on veth pairs whose other ends are ``interface`` and
    ``background``."""

    interface = "probe0"
    background = "probe1"

    def __init__(self, program: str) -> None:
        self.program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it

    def start(self) -> str:
        """Start it; the address of its P4Runtime server. Raises ``TargetError``."""
        if shutil.which(self.program) is None:
            raise TargetError(f"there is no program '{self.program}'; name one with --switch")
        _ip("link set lo up")
        for near, far in (("port1", self.interface), ("port2", self.background)):
            _ip(f"link add {near} type veth peer name {far}")
            for name in (near, far):
                _ip(f"link set {name} up")
        command = [
            *(self.program, "--device-id", "1", "-i", "1@port1"),
            *("-i", "2@port2", "--no-p4", "--"),
            *("--grpc-server-addr", ADDRESS, "--cpu-port", "255"),
        ]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        host, port = ADDRESS.split(":")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return ADDRESS
            except OSError:
                time.sleep(0.1)
        self._log.seek(0)
        last = self._log.read().decode(errors="replace").strip().splitlines()[-1:]
        raise TargetError(f"{self.program} does not start: {' '.join(last) or 'no output'}")

    def stop(self) -> None:
        """Stop it. Idempotent."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._log.close()


def _ip(arguments: str) -> None:
    done = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True)
    if done.returncode:
        raise TargetError(f"'ip {arguments}' fails: {done.stderr.strip()}; run this as root")
