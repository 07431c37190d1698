#!/usr/bin/env python3
"""Start, Writes and memory of switches, side by side.

    python -m bench.writes --switch p4embed-switch --switch "simple_switch_grpc -L off" \
        --json build/npu.json --p4info build/npu.p4info.txtpb --out build/bench/writes.json

Per round, each switch in turn: seconds from its start until npu.p4 is loaded, with an empty cache
and with a full one; the time of Writes of one wing each; wings a second in Writes of 1000; and
what resident memory a session takes (two wings, 40 bytes of metadata each) when that many are in.
Requests are serialized beforehand, so what is timed is the switch and gRPC. Needs root.
"""

from __future__ import annotations

import argparse
import os
import queue
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import grpc
from finsy.proto import p4r, p4r_grpc
from support.names import Names, Value, encode
from support.switch import create_ports, running_switch

from bench import beside
from bench.flows import GATEWAY_MAC, HOST_MAC
from bench.flows import wings as session
from bench.traffic import ADDRESS, cpu_seconds

PORTS = (1, 2)
METADATA = bytes(40)
LONE = 2000
"""Writes of one wing each, in each round."""
BATCH = 1000
IDLE_NS = 60 * 10**9


@dataclass
class Result:
    """One switch; a figure for each round."""

    switch: str
    sessions: int
    cold_start_s: list[float] = field(default_factory=list)
    warm_start_s: list[float] = field(default_factory=list)
    lone_p50_us: list[float] = field(default_factory=list)
    lone_p99_us: list[float] = field(default_factory=list)
    wings_a_second: list[float] = field(default_factory=list)
    cpu_us_a_wing: list[float] = field(default_factory=list)
    bytes_a_session: list[float] = field(default_factory=list)
    empty_mb: list[float] = field(default_factory=list)


class Switch:
    """A switch that serves, and us as its primary controller."""

    def __init__(self) -> None:
        self._channel = grpc.insecure_channel(ADDRESS)
        self._stub = p4r_grpc.P4RuntimeStub(self._channel)
        self._requests: queue.Queue[Any] = queue.Queue()
        self._stream = self._stub.StreamChannel(iter(self._requests.get, None))
        hello = p4r.StreamMessageRequest()
        hello.arbitration.device_id = 1
        hello.arbitration.election_id.low = 1
        self._requests.put(hello)
        next(self._stream)
        # Bytes in, bytes out.
        self.write: Callable[[bytes], bytes] = self._channel.unary_unary(
            "/p4.v1.P4Runtime/Write", bytes, bytes
        )

    def load(self, names: Names, program: bytes) -> None:
        """Load a compiled program."""
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=1,
            election_id=p4r.Uint128(low=1),
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
        )
        request.config.p4info.CopyFrom(names.p4info)
        request.config.p4_device_config = program
        self._stub.SetForwardingPipelineConfig(request)

    def close(self) -> None:
        self._requests.put(None)
        self._stream.cancel()
        self._channel.close()


def wings(names: Names, sessions: int) -> Iterator[Any]:
    """Both wings of so many sessions, as entries; each is gone when the next is asked for."""
    fields = dict.fromkeys(names.actions["express_v4"].params, 0)
    key: dict[str, Value] = dict.fromkeys(names.tables["session_v4"].fields, 0)
    params: dict[str, Value] = {**fields, "src_mac": GATEWAY_MAC, "dst_mac": HOST_MAC, "spu": 1}
    entry = names.entry("session_v4", key, "express_v4", params)
    entry.idle_timeout_ns, entry.metadata = IDLE_NS, METADATA
    match = {name: entry.match[i] for i, name in enumerate(names.tables["session_v4"].fields)}
    param = {name: entry.action.action.params[i] for i, name in enumerate(params)}
    for flow in range(sessions):
        for wing, (old, new) in enumerate(session(flow)):
            names_of = ("src_addr", "dst_addr", "src_port", "dst_port")
            for name, before, after in zip(names_of, old, new, strict=True):
                match[name].exact.value = encode(before)
                param[name].value = encode(after)
            match["protocol"].exact.value = b"\x11"
            match["token"].exact.value = encode(1 + wing)
            param["session_id"].value = encode(flow + 1)
            param["wing"].value = encode(wing)
            param["port"].value = encode(2 - wing)
            yield entry


def requests(names: Names, sessions: int) -> tuple[list[bytes], list[bytes]]:
    """Writes that insert all wings: the first ``LONE`` alone, the rest ``BATCH`` at a time."""
    lone: list[bytes] = []
    batches: list[bytes] = []
    request = p4r.WriteRequest(device_id=1, election_id=p4r.Uint128(low=1))
    for entry in wings(names, sessions):
        update = request.updates.add(type=p4r.Update.INSERT)
        update.entity.table_entry.CopyFrom(entry)
        if len(lone) < LONE:
            lone.append(request.SerializeToString())
            del request.updates[:]
        elif len(request.updates) == BATCH:
            batches.append(request.SerializeToString())
            del request.updates[:]
    if request.updates:
        batches.append(request.SerializeToString())
    return lone, batches


def resident(process: subprocess.Popen[bytes]) -> int:
    """Bytes of memory that a process has."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


def measure(
    result: Result, names: Names, program: bytes, made: tuple[list[bytes], list[bytes]], out: Path
) -> None:
    """One round of one switch."""
    command = shlex.split(result.switch)
    lone, batches = made
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        for starts in (result.cold_start_s, result.warm_start_s):
            begun = time.monotonic()
            with running_switch(command, PORTS, ADDRESS, out / "switch.log") as process:
                switch = Switch()
                switch.load(names, program)
                starts.append(time.monotonic() - begun)
                if starts is result.warm_start_s:
                    write(result, switch, process, lone, batches)
                switch.close()


def write(
    result: Result,
    switch: Switch,
    process: subprocess.Popen[bytes],
    lone: list[bytes],
    batches: list[bytes],
) -> None:
    """The Writes of a round."""
    before = resident(process)
    result.empty_mb.append(before / 1e6)
    times = []
    for request in lone:
        begun = time.monotonic_ns()
        switch.write(request)
        times.append((time.monotonic_ns() - begun) / 1000)
    times.sort()
    result.lone_p50_us.append(statistics.median(times))
    result.lone_p99_us.append(times[int(0.99 * (len(times) - 1))])
    start, cpu = time.monotonic(), cpu_seconds(process.pid)
    for request in batches:
        switch.write(request)
    count = 2 * result.sessions - len(lone)
    result.wings_a_second.append(count / (time.monotonic() - start))
    result.cpu_us_a_wing.append(1e6 * (cpu_seconds(process.pid) - cpu) / count)
    result.bytes_a_session.append((resident(process) - before) / result.sessions)


def show(result: Result) -> None:
    """One line of the table: medians."""
    middle = statistics.median
    print(
        f"{result.switch:>32}  start {middle(result.cold_start_s):.2f} s cold,"
        f" {middle(result.warm_start_s):.2f} s warm"
        f"  Write p50 {middle(result.lone_p50_us):.0f} us p99 {middle(result.lone_p99_us):.0f} us"
        f"  {middle(result.wings_a_second) / 1000:.0f} k wings/s by {BATCH}"
        f"  ({middle(result.cpu_us_a_wing):.2f} us of CPU each)"
        f"  {middle(result.bytes_a_session):.0f} bytes a session at {result.sessions}"
        f"  ({middle(result.empty_mb):.0f} MB without any)",
        flush=True,
    )


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """All rounds, inside the namespace."""
    create_ports(PORTS)
    out: Path = arguments.out.resolve().parent
    names, program = Names(arguments.p4info), arguments.json.read_bytes()
    made = requests(names, arguments.sessions)
    results = [Result(command, arguments.sessions) for command in arguments.switch]
    for _ in range(arguments.rounds):
        for result in results:
            measure(result, names, program, made, out)
    for result in results:
        show(result)
    return {"results": [asdict(result) for result in results]}


def main(words: list[str]) -> int:
    parser = beside.parser("writes", __doc__)
    beside.add_program(parser)
    parser.add_argument("--sessions", type=int, default=50_000)
    return beside.main(parser, run, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
