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
import shlex
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from finsy.proto import p4r
from support.client import Client
from support.names import Names, Value
from support.switch import create_ports, running_switch

from bench import beside
from bench.flows import GATEWAY_MAC, HOST_MAC, addresses, frame
from bench.traffic import ADDRESS, FRAME_BYTES, IN, OUT, Traffic, bare, compiled, write_frames

WARM_SECONDS = 0.3


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
    offered, flooded, per_cpu = traffic.flood(process, seconds)
    result.offered.append(offered)
    result.flooded.append(flooded)
    result.per_cpu.append(per_cpu)
    result.loss_free.append(traffic.loss_free(max(2 * flooded, 4000), seconds))


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """All rounds, inside the namespace."""
    create_ports((IN, OUT))
    out: Path = arguments.out.resolve().parent
    program = compiled(out)
    results: list[Result] = []
    for flows in arguments.flows:
        frames = out / f"frames-{flows}"
        write_frames(frames, frame, flows)
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
    return {"frame_bytes": FRAME_BYTES, "results": [asdict(result) for result in results]}


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


def main(words: list[str]) -> int:
    parser = beside.parser("forwarding", __doc__)
    beside.add_program(parser)
    parser.add_argument("--flows", type=int, nargs="+", default=[1000, 50000])
    parser.add_argument("--seconds", type=float, default=1.0, help="of each trial")
    parser.add_argument("--probes", type=int, default=2000, help="of each latency measurement")
    return beside.main(parser, run, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
