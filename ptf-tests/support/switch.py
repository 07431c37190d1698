"""Ports and process of the switch under test, inside a network namespace of its own.

A namespace for the network and one for processes hold everything a run creates: when its
first process ends, however it ends, the kernel takes the switch and the ports away.
"""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OFFLOADS = ("rx", "tx", "sg", "tso", "gso", "gro", "rxvlan", "txvlan")
"""What a kernel would do to frames on their way through a virtual link."""

START_SECONDS = 60.0
"""A switch that generates code at its first start may take a while."""
STOP_SECONDS = 5.0
POLL_SECONDS = 0.01

PR_SET_PDEATHSIG = 1
"""prctl(2): signal to get when the parent ends."""


class SetupError(Exception):
    """The run cannot start; the message says what to do."""


def switch_side(port: int) -> str:
    """Network device that the switch has as a port."""
    return f"npu-{port}"


def test_side(port: int) -> str:
    """Network device at the other end of it, which the cases hold."""
    return f"ptf-{port}"


def run_in_namespace(argv: list[str]) -> int:
    """Run ``argv`` in namespaces of its own and give its exit code.

    It ends with this process, and everything it started ends with it.
    """
    command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", *argv]
    try:
        # unshare turns a deaf ear to SIGTERM and SIGINT while its child runs; only SIGKILL ends
        # it, and then --kill-child its child, and with that the namespace.
        process = subprocess.Popen(command, preexec_fn=_die_with_parent)
    except FileNotFoundError:
        raise SetupError("unshare is not installed; it is in the package util-linux") from None
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal has told the child too: let it end its own way.
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return 130
    finally:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    """In a child, before it starts its program: SIGKILL when the parent is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def create_ports(ports: tuple[int, ...]) -> None:
    """A virtual link for every port, silent and without offloads."""
    for scope in ("all", "default"):
        knob = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
        if knob.exists():
            knob.write_text("1")
    _run("ip", "link", "set", "lo", "up")
    for port in ports:
        ends = (switch_side(port), test_side(port))
        _run("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end in ends:
            _run("ethtool", "-K", end, *(word for name in OFFLOADS for word in (name, "off")))
            _run("ip", "link", "set", end, "up")


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SetupError(f"{command[0]} is not installed; see the Debian packages needed") from None
    if done.returncode:
        raise SetupError(f"{' '.join(command)}: {done.stderr.strip()}")


@contextmanager
def running_switch(
    program: list[str], ports: tuple[int, ...], address: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The switch, from when it answers until it is gone."""
    command = [*program, "--device-id", "1"]
    for port in ports:
        command += ["-i", f"{port}@{switch_side(port)}"]
    command += ["--no-p4", "--", "--grpc-server-addr", address, "--cpu-port", "255"]
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        except OSError as error:
            raise SetupError(f"cannot start {program[0]}: {error.strerror}") from None
        try:
            _wait_until_it_serves(process, address, log)
            yield process
        finally:
            _stop(process)


def _wait_until_it_serves(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    # By hand: gRPC waits a second before it tries again.
    host, _, port = address.rpartition(":")
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1.0).close()
            return
        except OSError:
            if process.poll() is not None:
                raise SetupError(
                    f"the switch ended with code {process.returncode} before it served; "
                    f"its last words in {log}: {last_line(log)}"
                ) from None
            if time.monotonic() > give_up:
                raise SetupError(
                    f"the switch does not serve P4Runtime on {address} "
                    f"after {START_SECONDS:g} s; see {log}"
                ) from None
            time.sleep(POLL_SECONDS)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def last_line(log: Path) -> str:
    """The end of a log, for a message."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "(nothing)")
