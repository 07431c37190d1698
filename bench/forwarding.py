#!/usr/bin/env python3
"""Packets a second through a switch, against a bare forwarder on the same machine.

    python -m bench.forwarding --switch p4embed-switch --switch "simple_switch_grpc -L off" \
        --json build/npu.json --p4info build/npu.p4info.txtpb --out build/bench/forwarding.json

npu.p4 in full, IPv4/UDP on Express Path with source NAT, over veth pairs in namespaces of their
own. Per round and number of flows: the highest rate with at most 0.1 % loss (binary search), what
comes through when flooded, and the one-way latency of lone packets. The bare forwarder (recvmmsg,
sendmmsg, nothing done to the frame) and all switches are measured in turn, round by round; the
ratio counts. Needs root and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from finsy.proto import p4r
from support.client import Client
from support.names import Names, Value
from support.switch import (
    SetupError,
    create_ports,
    run_in_namespace,
    running_switch,
    switch_side,
    test_side,
)

from bench.report import header

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "127.0.0.1:9559"
INSIDE = "WINGPATH_BENCH_INSIDE"
IN, OUT = 1, 2
"""Ports: frames arrive at one and leave by the other."""
FRAME_BYTES = 100
LOSS_ALLOWED = 0.001
WARM_SECONDS = 0.3
SETTLE_SECONDS = 0.3
"""What is under way when a sender stops gets this long to arrive."""


@dataclass
class Result:
    """One forwarder with one number of flows; rates in packets a second, times in microseconds."""

    forwarder: str
    flows: int
    loss_free: list[float] = field(default_factory=list)
    flooded: list[float] = field(default_factory=list)
    offered: list[float] = field(default_factory=list)
    """What the flood sent."""
    per_cpu: list[float] = field(default_factory=list)
    """Packets that came through for each second that the forwarder ran: tells little lies even on
    a machine that is busy with other things."""
    latency_p50: list[float] = field(default_factory=list)
    latency_p99: list[float] = field(default_factory=list)


# -- frames and entries -----------------------------------------------------------------------

GATEWAY_MAC = bytes.fromhex("020000000001")
HOST_MAC = bytes.fromhex("020000000011")


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def addresses(flow: int) -> tuple[int, int, int, int]:
    """Source and destination address, source and destination port of a flow."""
    return 0x0A000001 + flow // 50000, 0xC6336401, 1024 + flow % 50000, 53


def frame(flow: int) -> bytes:
    """An IPv4/UDP frame of a flow, with right checksums."""
    source, destination, source_port, destination_port = addresses(flow)
    payload = bytes(FRAME_BYTES - 42)
    udp_length = 8 + len(payload)
    pseudo = struct.pack("!IIBBH", source, destination, 0, 17, udp_length)
    udp = struct.pack("!HHHH", source_port, destination_port, udp_length, 0)
    total = checksum(pseudo + udp + payload)
    udp = struct.pack("!HHHH", source_port, destination_port, udp_length, total or 0xFFFF)
    head = struct.pack(
        "!BBHHHBBHII", 0x45, 0, 20 + udp_length, 0, 0, 64, 17, 0, source, destination
    )
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return GATEWAY_MAC + HOST_MAC + b"\x08\x00" + head + udp + payload


def write_frames(path: Path, flows: int) -> None:
    """The file that the sender reads: a frame of each flow, in random order."""
    order = list(range(flows))
    random.Random(0).shuffle(order)
    with path.open("wb") as file:
        for flow in order:
            data = frame(flow)
            file.write(struct.pack("<H", len(data)) + data)


def install(client: Client, flows: int) -> None:
    """Two interfaces, and a wing on Express Path for every flow."""
    for port in (IN, OUT):
        key: dict[str, Value] = {"port": port, "vlan": 0}
        nothing = {"zone": port, "extension_limit": 8, "vr": 0, "features": 0}
        nothing |= {"screens": 0, "alarm_only": 0}
        arrive: dict[str, Value] = {**nothing, "token": port, "mac": GATEWAY_MAC, "epoch": 0}
        client.insert("ingress_interface", key, "set_ingress_interface", arrive)
        client.insert("egress_interface", key, "set_egress_interface", {**nothing})
    batch = []
    for flow in range(flows):
        source, destination, source_port, destination_port = addresses(flow)
        key = {
            "src_addr": source,
            "dst_addr": destination,
            "src_port": source_port,
            "dst_port": destination_port,
            "protocol": 17,
            "token": IN,
        }
        params: dict[str, Value] = {
            "session_id": flow + 1,
            "wing": 0,
            "spu": 1,
            "epoch": 0,
            "src_addr": 0xC0000201,
            "dst_addr": destination,
            "src_port": 1024 + flow % 64000,
            "dst_port": destination_port,
            "src_mac": GATEWAY_MAC,
            "dst_mac": HOST_MAC,
            "vlan": 0,
            "port": OUT,
            "remote_port": 0,
        }
        batch.append(
            (p4r.Update.INSERT, client.names.entry("session_v4", key, "express_v4", params))
        )
        if len(batch) == 1000 or flow + 1 == flows:
            client.write(batch)
            batch.clear()


# -- measuring --------------------------------------------------------------------------------


def compiled(out: Path) -> Path:
    """The C program that forwards, sends and probes."""
    program = out / "traffic"
    source = ROOT / "bench" / "native" / "traffic.c"
    subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    return program


class Traffic:
    """The C program that sends and probes."""

    def __init__(self, program: Path, frames: Path) -> None:
        self.program = program
        self.frames = frames

    @staticmethod
    def arrived() -> int:
        """Frames that came out at the far end so far."""
        for line in Path("/proc/net/dev").read_text().splitlines():
            name, colon, counts = line.partition(":")
            if colon and name.strip() == test_side(OUT):
                return int(counts.split()[1])
        raise SetupError(f"{test_side(OUT)} is gone")

    def send(self, rate: float, seconds: float) -> tuple[float, float]:
        """Send at a rate (0: flood); packets a second sent, and received."""
        before = self.arrived()
        command = [self.program, "send", test_side(IN), self.frames, str(rate), str(seconds)]
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=True
        )
        sent, took = (float(word) for word in done.stdout.split())
        time.sleep(SETTLE_SECONDS)
        return sent / took, (self.arrived() - before) / took

    def loss_free(self, most: float, seconds: float) -> float:
        """The highest rate at which no more than ``LOSS_ALLOWED`` is lost."""
        low, high = 0.0, most
        while high - low > 0.03 * most:
            middle = (low + high) / 2
            sent, received = self.send(middle, seconds)
            if sent >= 0.98 * middle and received >= sent * (1 - LOSS_ALLOWED):
                low = middle
            else:
                high = middle
        return low

    def latency(self, count: int) -> tuple[float, float]:
        """Median and 99th percentile of the one-way time of lone packets, microseconds."""
        command = [self.program, "latency", test_side(IN), test_side(OUT), self.frames, str(count)]
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=True
        )
        times = [int(line) for line in done.stdout.split()]
        lost = times.count(-1)
        if lost > count // 20:
            raise SetupError(f"{lost} of {count} probes were lost: the switch does not forward")
        ordered = sorted(time_ns / 1000 for time_ns in times if time_ns >= 0)
        return statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))]


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """CPU time of all threads of a process."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def measure(
    result: Result,
    traffic: Traffic,
    process: subprocess.Popen[bytes],
    arguments: argparse.Namespace,
) -> None:
    """One round on what forwards now."""
    seconds: float = arguments.seconds
    traffic.send(10_000, WARM_SECONDS)
    p50, p99 = traffic.latency(arguments.probes)
    result.latency_p50.append(p50)
    result.latency_p99.append(p99)
    before = traffic.arrived(), cpu_seconds(process)
    offered, flooded = traffic.send(0, seconds)
    result.per_cpu.append((traffic.arrived() - before[0]) / (cpu_seconds(process) - before[1]))
    result.offered.append(offered)
    result.flooded.append(flooded)
    result.loss_free.append(traffic.loss_free(max(2 * flooded, 4000), seconds))


@contextmanager
def bare(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The bare forwarder."""
    process = subprocess.Popen([str(program), "forward", switch_side(IN), switch_side(OUT)])
    try:
        time.sleep(0.2)
        yield process
    finally:
        process.kill()
        process.wait()


def run(arguments: argparse.Namespace) -> list[Result]:
    """All rounds, inside the namespace."""
    create_ports((IN, OUT))
    out: Path = arguments.out.resolve().parent
    out.mkdir(parents=True, exist_ok=True)
    program = compiled(out)
    results: list[Result] = []
    for flows in arguments.flows:
        frames = out / f"frames-{flows}"
        write_frames(frames, flows)
        traffic = Traffic(program, frames)
        reference = Result("bare", flows)
        switches = [Result(command, flows) for command in arguments.switch]
        for _ in range(arguments.rounds):
            with bare(program) as process:
                measure(reference, traffic, process, arguments)
            for result in switches:
                command = shlex.split(result.forwarder)
                with running_switch(command, (IN, OUT), ADDRESS, out / "switch.log") as process:
                    client = Client(ADDRESS, Names(arguments.p4info))
                    client.set_pipeline(arguments.json.read_bytes())
                    install(client, flows)
                    measure(result, traffic, process, arguments)
                    client.close()
        for result in (reference, *switches):
            show(result, reference)
            results.append(result)
        frames.unlink()
    return results


def show(result: Result, reference: Result) -> None:
    """One line of the table."""
    loss_free, flooded = statistics.median(result.loss_free), statistics.median(result.flooded)
    base = statistics.median(reference.loss_free)
    print(
        f"{Path(result.forwarder.split()[0]).name:>24} {result.flows:>6} flows"
        f"  {loss_free / 1000:7.0f} kpps loss-free ({100 * loss_free / base:3.0f} %)"
        f"  {flooded / 1000:7.0f} kpps flooded"
        f"  {statistics.median(result.per_cpu) / 1000:5.0f} k a CPU second"
        f"  latency p50 {statistics.median(result.latency_p50):6.0f} us"
        f"  p99 {statistics.median(result.latency_p99):6.0f} us",
        flush=True,
    )


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--switch", action="append", help="program and first arguments; again for another"
    )
    parser.add_argument("--json", type=Path, default=Path("build/npu.json"))
    parser.add_argument("--p4info", type=Path, default=Path("build/npu.p4info.txtpb"))
    parser.add_argument("--out", type=Path, default=Path("build/bench/forwarding.json"))
    parser.add_argument("--flows", type=int, nargs="+", default=[1000, 50000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each trial")
    parser.add_argument("--probes", type=int, default=2000, help="of each latency measurement")
    arguments = parser.parse_args(words)
    arguments.switch = arguments.switch or ["p4embed-switch"]
    return arguments


def main(words: list[str]) -> int:
    arguments = parse(words)
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        try:
            return run_in_namespace([sys.executable, "-m", "bench.forwarding", *words])
        except SetupError as error:
            print(f"bench.forwarding: {error}", file=sys.stderr)
            return 2
    try:
        results = run(arguments)
    except (SetupError, OSError, subprocess.CalledProcessError) as error:
        print(f"bench.forwarding: {error}", file=sys.stderr)
        return 2
    report = header(", ".join(arguments.switch), "") | {
        "frame_bytes": FRAME_BYTES,
        "results": [asdict(result) for result in results],
    }
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
