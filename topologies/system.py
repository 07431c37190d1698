"""A whole running system: network, switches, controller; up in order, down in reverse."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mininet.net import Mininet
from mininet.node import Host

from controller.config.chassis import load_chassis
from topologies.errors import TopologyError
from topologies.layout import Layout
from topologies.network import Npu, build_network
from topologies.process import Service
from topologies.sandbox import let_nobody_interrupt
from topologies.state import record_path, socket_path, started_at

READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Build:
    """What runs: the compiled program and the switch binary."""

    pipeline: Path
    p4info: Path
    switch: str


class System:
    """Context manager: inside the block, the system is up and forwards packets."""

    def __init__(self, layout: Layout, build: Build, outside_pid: int, logs: Path) -> None:
        self.layout = layout
        self.socket = socket_path(layout.name)
        self.net: Mininet
        self.controller: Service | None = None
        self._build = build
        self._outside_pid = outside_pid
        self._logs = logs
        self._record = record_path(layout.name)
        for path in (build.pipeline, build.p4info):
            if not path.exists():
                raise TopologyError(f"no {path}; 'make build' compiles it")

    def __enter__(self) -> Self:
        chassis = load_chassis(self.layout.chassis)
        self.net = build_network(self.layout, chassis, self._build.switch, self._logs)
        try:
            for npu in self.net.switches:
                npu.start([])
            self._start_controller()
            self._record.write_text(
                json.dumps(
                    {
                        "pid": self._outside_pid,
                        "started": started_at("self"),
                        "hosts": {host.name: host.pid for host in self.net.hosts},
                        "npus": {
                            str(number): {"address": site.address, "device_id": site.device_id}
                            for number, site in chassis.npus.items()
                        },
                    }
                )
            )
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def host(self, name: str) -> Host:
        """A host of the topology."""
        return self.net.get(name)

    def run(
        self, host: str, *command: str, seconds: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host and return what it printed (both streams in ``stdout``)."""
        process = self.start(host, *command)
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, output, "")

    def start(self, host: str, *command: str) -> subprocess.Popen[str]:
        """Start a command on a host, its output piped as text."""
        process: subprocess.Popen[str] = self.host(host).popen(
            list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return process

    def start_servers(self) -> None:
        """Start a web server and a UDP answerer on each host that serves."""
        for host in (spec.name for spec in self.layout.hosts if spec.serves):
            server = self.start(host, sys.executable, "-m", "topologies.hosts.serve")
            assert server.stdout is not None
            if server.stdout.readline().strip() != "serving":
                raise RuntimeError(f"the server on {host} did not start: {server.stdout.read()}")

    def cli(self, command: str) -> str:
        """An operator's command, as ``wingpath cli -c`` prints it."""
        done = subprocess.run(
            [*_WINGPATH, "cli", "--socket", str(self.socket), "-c", command],
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode != 0:
            self.check()
            raise TopologyError(f"'{command}' failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def check(self) -> None:
        """Raise if a switch or the controller has ended."""
        for service in self._services():
            service.check()

    def wait(self) -> None:
        """Stay up until interrupted or until a part ends."""
        while True:
            self.check()
            time.sleep(0.5)

    def _start_controller(self) -> None:
        ready = self._logs / "controller.ready"
        command: Sequence[str] = [
            *(*_WINGPATH, "run"),
            *("--config", str(self.layout.configuration), "--chassis", str(self.layout.chassis)),
            *("--pipeline", str(self._build.pipeline), "--p4info", str(self._build.p4info)),
            *("--socket", str(self.socket), "--ready-file", str(ready)),
        ]
        ready.unlink(missing_ok=True)
        self.controller = Service("controller", command, self._logs / "controller.log")
        self.controller.wait_until(ready.exists, "getting ready", READY_SECONDS)

    def _services(self) -> list[Service]:
        services = [npu.service for npu in self.net.switches if isinstance(npu, Npu)]
        return [service for service in (*services, self.controller) if service is not None]

    def _stop(self) -> None:
        let_nobody_interrupt()
        if self.controller is not None:
            self.controller.stop()
        self.net.stop()
        self._record.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)


_WINGPATH = (sys.executable, "-m", "controller")
