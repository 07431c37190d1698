"""A whole system to measure: NPUs and a controller between two interfaces, all our own.

    clients -- veth -- NPU 1 ==== fabric ==== NPU 2 -- veth -- servers
                          \\                   /
                           `-- controller ---'        (CP, SPUs; P4Runtime on loopback)

or, of one NPU that has both wires:

    clients -- veth -- NPU 1 -- veth -- servers
                          |
                      controller

Clients are behind a router in zone trust, servers behind sixteen routers in sixteen subnets of
zone untrust, so that source NAT by interface address has sixteen times 64512 ports. Everything
lives in namespaces that end with the benchmark (``topologies.sandbox``).
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import header
from bench.traffic import cpu_seconds
from controller.config.build import load
from controller.config.chassis import load_chassis
from p4embed.switch import native
from topologies.errors import TopologyError
from topologies.process import Service
from topologies.sandbox import run_inside

CLIENTS, SERVERS = "clients", "servers"
"""Interfaces that a traffic program uses."""
_READY_SECONDS = 60.0
_IO = Path(native.__file__).parent
"""The switch's packet I/O."""
_ADDRESSES = {1: "127.0.0.1:9559", 2: "127.0.0.1:9560"}
SUBNETS = 16


@dataclass(frozen=True, slots=True)
class Layout:
    """Which NPUs there are, and which of their interfaces is which."""

    ports: dict[int, dict[int, str]]
    """The interface of each port, by NPU."""
    fabric: dict[int, dict[int, int]]
    """The port towards each other NPU, by NPU."""
    clients: str
    servers: str
    """The firewall's names of the interfaces with the wires."""


ONE_NPU = Layout({1: {1: "ge-clients", 2: "ge-servers"}}, {}, "ge-1/0/0", "ge-1/0/1")
TWO_NPUS = Layout(
    {1: {1: "ge-clients", 202: "fabric-1"}, 2: {1: "ge-servers", 201: "fabric-2"}},
    {1: {2: 202}, 2: {1: 201}},
    *("ge-1/0/0", "ge-2/0/0"),
)


@dataclass(frozen=True, slots=True)
class Build:
    """What is measured."""

    pipeline: Path
    p4info: Path
    switch: str
    """A command, with general options if need be: ``p4embed-switch --io copied``."""


@dataclass(frozen=True, slots=True)
class Running:
    """A system that is up."""

    processes: dict[str, int]
    """Process ids by part: ``controller``, ``npu1`` and so on."""
    gateways: tuple[str, str]
    """MAC addresses of the firewall towards clients and towards servers."""
    socket: Path
    """Where operators reach the controller."""

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time that each part has taken so far, all threads."""
        return {name: cpu_seconds(pid) for name, pid in self.processes.items()}


def chassis_text(layout: Layout = TWO_NPUS) -> str:
    """``chassis.toml``: no limit to punts, room for every session."""
    npus = ""
    for n in layout.ports:
        npus += f'[[npu]]\nnumber = {n}\naddress = "{_ADDRESSES[n]}"\ndevice_id = {n}\n'
        for other, port in layout.fabric.get(n, {}).items():
            npus += f"fabric = {{ {other} = {port} }}\n"
    spus = "".join(f"[[spu]]\nnumber = {n}\nmax_sessions = 2000000\n" for n in (1, 2))
    reasons = ("miss", "session", "tcp_control")
    return npus + spus + "[punt_rates]\n" + "".join(f"{r} = 10000000\n" for r in reasons)


def configuration_text(express: bool, layout: Layout = TWO_NPUS, timeout: int = 0) -> str:
    """The Junos configuration, with or without ``services-offload``; source NAT always. With a
    ``timeout``, UDP sessions end when they have been idle for so many seconds."""
    lines = [
        f"set interfaces {layout.clients} unit 0 family inet address 192.168.1.1/24",
        "set routing-options static route 10.0.0.0/8 next-hop 192.168.1.2",
        f"set security zones security-zone trust interfaces {layout.clients}.0",
        f"set security zones security-zone untrust interfaces {layout.servers}.0",
        "set security nat source rule-set hide from zone trust",
        "set security nat source rule-set hide to zone untrust",
        "set security nat source rule-set hide rule all match source-address 10.0.0.0/8",
        "set security nat source rule-set hide rule all then source-nat interface",
    ]
    for net in range(SUBNETS):
        lines += [
            f"set interfaces {layout.servers} unit 0 family inet "
            f"address 203.0.113.{4 * net + 1}/30",
            f"set routing-options static route 198.18.{net}.0/24 next-hop 203.0.113.{4 * net + 2}",
        ]
    policy = "set security policies from-zone trust to-zone untrust policy out"
    lines += [f"{policy} match {what} any" for what in ("source-address", "destination-address")]
    applications = ["any"]
    if timeout:
        applications = ["short-lived", "junos-tcp-any"]
        lines += [
            "set applications application short-lived protocol udp",
            f"set applications application short-lived inactivity-timeout {timeout}",
        ]
    lines += [f"{policy} match application {name}" for name in applications]
    lines += [
        f"{policy} then permit" + (" services-offload" if express else ""),
    ]
    return "\n".join(lines) + "\n"


def make_links() -> None:
    """The wires, inside a network namespace of our own."""
    links = ((CLIENTS, "ge-clients"), (SERVERS, "ge-servers"), ("fabric-1", "fabric-2"))
    commands = []
    for near, far in links:
        commands.append(f"ip link add {near} type veth peer name {far}")
        for name in (near, far):
            commands += [
                f"sysctl -qw net.ipv6.conf.{name}.disable_ipv6=1",
                f"ip link set {name} mtu 2000 up",
            ]
    for command in commands:
        subprocess.run(command.split(), check=True)


def compile_traffic(name: str, directory: Path) -> Path:
    """A C program of ``bench/native``."""
    program = directory / name
    sources = [Path(__file__).parent / "native" / f"{name}.c", _IO / "ring.c", _IO / "xsk.c"]
    subprocess.run(["cc", "-O2", f"-I{_IO}", "-o", program, *sources], check=True)
    return program


@contextmanager
def running(
    build: Build, *, express: bool, layout: Layout = TWO_NPUS, timeout: int = 0
) -> Iterator[Running]:
    """A system that forwards while the block runs; ``timeout`` as in ``configuration_text``.
    Raises ``TopologyError``."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        chassis, configuration = directory / "chassis.toml", directory / "wingpath.set"
        chassis.write_text(chassis_text(layout))
        configuration.write_text(configuration_text(express, layout, timeout))
        services = {}
        for number, ports in layout.ports.items():
            services[f"npu{number}"] = Service(
                f"npu{number}",
                [
                    *(*shlex.split(build.switch), "--device-id", str(number)),
                    *(f"--interface={port}@{name}" for port, name in ports.items()),
                    *("--no-p4", "--", "--grpc-server-addr", _ADDRESSES[number]),
                    *("--cpu-port", "255"),
                ],
                directory / f"npu{number}.log",
            )
            stack.callback(services[f"npu{number}"].stop)
        ready = directory / "ready"
        services["controller"] = Service(
            "controller",
            [
                *(sys.executable, "-m", "controller", "run", "--config", str(configuration)),
                *("--chassis", str(chassis), "--pipeline", str(build.pipeline)),
                *("--p4info", str(build.p4info), "--socket", str(directory / "socket")),
                *("--ready-file", str(ready)),
            ],
            directory / "controller.log",
        )
        stack.callback(services["controller"].stop)
        services["controller"].wait_until(ready.exists, "getting ready", _READY_SECONDS)
        interfaces = load(configuration, load_chassis(chassis)).interfaces
        gateways = [
            interfaces[f"{name}.0"].mac.hex(":") for name in (layout.clients, layout.servers)
        ]
        yield Running(
            {part: service.pid for part, service in services.items()},
            (gateways[0], gateways[1]),
            directory / "socket",
        )
        for service in services.values():
            service.check()


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """The arguments of every benchmark of a whole system."""
    made = argparse.ArgumentParser(f"bench.{name}", description=(doc or "").partition("\n")[0])
    made.add_argument("--switch", default="p4embed-switch")
    made.add_argument("--json", type=Path, default=Path("build/npu.json"))
    made.add_argument("--p4info", type=Path, default=Path("build/npu.p4info.txtpb"))
    made.add_argument("--out", type=Path, default=Path(f"build/bench/{name}.json"))
    return made


def run(
    made: argparse.ArgumentParser,
    words: Sequence[str],
    measure: Callable[[Build, argparse.Namespace, dict[str, Any]], dict[str, Any]],
) -> int:
    """Parse, measure inside namespaces of our own, write what was found; an exit status.

    ``measure`` is told what heads the results: commit, machine, load.
    """
    arguments = made.parse_args(words)

    def work(_pid: int) -> int:
        make_links()
        head = header("NPUs, a controller, two ends", arguments.switch)
        build = Build(arguments.json, arguments.p4info, arguments.switch)
        report = {**head, **measure(build, arguments, head)}
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n")
        print(f"written: {arguments.out}")
        return 0

    try:
        return run_inside(work)
    except (TopologyError, subprocess.CalledProcessError) as error:
        print(f"{made.prog}: {error}", file=sys.stderr)
        return 2
