"""Run a command inside a topology that is up in another terminal."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from topologies.errors import TopologyError
from topologies.sandbox import require_root
from topologies.state import DEFAULT_TOPOLOGY, known_topology, record_path, started_at


@dataclass(frozen=True, slots=True)
class Running:
    """A topology that is up, as its record says."""

    pid: int
    hosts: dict[str, int]
    npus: dict[str, dict[str, object]]
    started: int
    """When the process of that number began."""


def find_running(topology: str) -> Running:
    """The running topology of that name."""
    require_root()
    try:
        running = Running(**json.loads(record_path(topology).read_text()))
        os.stat(
            f"/proc/{running.pid}/ns/net"
        )  # one that ended has none while it waits to be reaped
        is_up = started_at(running.pid) == running.started
    except FileNotFoundError:
        is_up = False
    if not is_up:
        # A record outlives a topology that was killed, and its number may be another process's.
        known_topology(topology)
        other = "" if topology == DEFAULT_TOPOLOGY else f" TOPOLOGY={topology}"
        raise TopologyError(
            f"{topology} is not up; 'make topology{other}' in another terminal brings it up"
        )
    return running


def run_on_host(topology: str, host: str, command: Sequence[str]) -> int:
    """Run ``command`` on a host and return its exit status."""
    return subprocess.run(on_host(find_running(topology), host, command)).returncode


def on_host(running: Running, host: str, command: Sequence[str]) -> list[str]:
    """The command that runs ``command`` on a host; an empty one is a shell."""
    if host not in running.hosts:
        raise TopologyError(f"no host '{host}'; there is: {', '.join(sorted(running.hosts))}")
    return inside(running, ["mnexec", "-a", str(running.hosts[host]), *(command or ["bash"])])


def open_shell(topology: str, npu: str, python: str) -> int:
    """Open p4runtime-shell on an NPU.

    The controller holds a higher election id, so the shell is a backup client: it reads
    everything and writes nothing.
    """
    running = find_running(topology)
    if npu not in running.npus:
        known = ", ".join(sorted(running.npus))
        raise TopologyError(f"no NPU '{npu}'; there is: {known} (make shell NPU=1)")
    site = running.npus[npu]
    shell = [
        *(python, "-m", "p4runtime_sh"),
        *("--grpc-addr", str(site["address"]), "--device-id", str(site["device_id"])),
        *("--election-id", "0,1"),
    ]
    return subprocess.run(inside(running, shell)).returncode


def inside(running: Running, command: Sequence[str]) -> list[str]:
    """The command that runs ``command`` where the controller and the NPUs run."""
    # A new mount namespace would start at its root directory.
    enter = ["nsenter", "--target", str(running.pid), "--mount", "--pid", "--net"]
    enter += [f"--wdns={os.getcwd()}", "--"]
    return [*enter, *command]
