#!/usr/bin/env python3
"""The native executor without packet I/O: cost of a packet, of an update, of memory.

    python -m bench.pipeline --json build/npu.json --out build/bench/pipeline.json

npu.p4 in full, IPv4/UDP on Express Path with NAT; for each number of sessions: CPU nanoseconds a
packet over flows in random order, CPU microseconds an update in batches of 1000 and alone, and
bytes of memory a session (two wings, 40 bytes of metadata each). Times are CPU times of one
thread, medians of several rounds. Needs no root.
"""

from __future__ import annotations

import argparse
import ctypes as c
import json
import random
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.flows import GATEWAY_MAC, HOST_MAC, frame, wings
from bench.report import header
from bench.traffic import FRAME_BYTES, IN
from p4embed.switch.engine import Entry, EntryKey, Op, Status, Update
from p4embed.switch.load import load_file
from p4embed.switch.native import NativeEngine
from p4embed.switch.native.build import RUNTIME, runtime_library
from p4embed.switch.program import Program, byte_width

ROUNDS = 5
PACKETS = 200_000
METADATA = bytes(40)


class Npu:
    """npu.p4 with what is needed of it by name; parameters that are not named are 0."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.actions = {a.name.split(".")[-1]: a for a in program.actions}
        self.tables = {t.name.split(".")[-1]: i for i, t in enumerate(program.tables)}

    def insert(self, table: str, key: bytes, action: str, **params: int) -> Update:
        """An update that inserts an entry."""
        called = self.actions[action]
        packed = b"".join(
            params.pop(param.name, 0).to_bytes(byte_width(param.width), "big")
            for param in called.params
        )
        if params:
            raise ValueError(f"action {action} has no parameters {sorted(params)}")
        return Update(Op.INSERT, self.tables[table], Entry(EntryKey(key), called.id, packed))

    def interfaces(self) -> list[Update]:
        """Ports 1 and 2, both directions, no screens."""
        updates = []
        for port in (1, 2):
            key = struct.pack("!HH", port, 0)
            common = {"zone": port, "extension_limit": 8}
            mac = int.from_bytes(GATEWAY_MAC, "big")
            updates += [
                self.insert(
                    "ingress_interface", key, "set_ingress_interface", **common, token=port, mac=mac
                ),
                self.insert("egress_interface", key, "set_egress_interface", **common),
            ]
        return updates

    def wings(self, flow: int) -> list[Update]:
        """Both wings of a session: the one that packets here hit, and its answer."""
        updates = []
        for wing, (key, to) in enumerate(wings(flow)):
            update = self.insert(
                "session_v4",
                struct.pack("!IIHHBH", *key, 17, 1 + wing),
                "express_v4",
                **dict(zip(("src_addr", "dst_addr", "src_port", "dst_port"), to, strict=True)),
                session_id=flow + 1,
                wing=wing,
                spu=1,
                src_mac=int.from_bytes(GATEWAY_MAC, "big"),
                dst_mac=int.from_bytes(HOST_MAC, "big"),
                port=2 - wing,
            )
            entry = update.entry._replace(idle_timeout_ns=60 * 10**9, metadata=METADATA)
            updates.append(update._replace(entry=entry))
        return updates


def load_bench(out: Path) -> c.CDLL:
    """The measuring loop, compiled."""
    library = out / "pipeline.so"
    source = Path(__file__).parent / "native" / "pipeline.c"
    flags = ["-std=gnu11", "-O2", "-fPIC", "-shared", f"-I{RUNTIME}"]
    subprocess.run(["cc", *flags, source, runtime_library(), "-o", library], check=True)
    loaded = c.CDLL(str(library))
    loaded.bench_pipeline.restype = c.c_uint64
    loaded.bench_pipeline.argtypes = (
        c.c_void_p, c.c_uint32, c.c_char_p, c.c_uint32, c.c_uint32, c.POINTER(c.c_uint64),
    )  # fmt: skip
    return loaded


def packet_costs(
    library: c.CDLL, engine: NativeEngine, frame: Callable[[int], bytes], flows: int, rounds: int
) -> list[float]:
    """CPU nanoseconds of a packet, flows in random order, by round."""
    rng = random.Random(0)
    frames = b"".join(frame(rng.randrange(flows)) for _ in range(PACKETS))
    left = c.c_uint64()
    costs = []
    for _ in range(rounds):
        took = library.bench_pipeline(engine._run, IN, frames, FRAME_BYTES, PACKETS, c.byref(left))
        assert left.value == PACKETS, f"{PACKETS - left.value} packets were dropped"
        costs.append(took / PACKETS)
    return costs


def measure(npu: Npu, library: c.CDLL, sessions: int) -> dict[str, float]:
    """One size."""
    engine = NativeEngine(npu.program)
    engine.write(npu.interfaces())
    batch: list[Update] = []
    spent: list[float] = []
    for flow in range(sessions):
        batch += npu.wings(flow)
        if len(batch) >= 1000 or flow + 1 == sessions:
            start = time.thread_time()
            statuses = engine.write(batch)
            spent.append((time.thread_time() - start) / len(batch))
            assert all(status is Status.OK for status in statuses)
            batch = []
    single = []
    for flow in range(min(sessions, 500)):
        one = npu.wings(flow)[0]._replace(op=Op.MODIFY)
        start = time.thread_time()
        engine.write([one])
        single.append(time.thread_time() - start)
    costs = packet_costs(library, engine, frame, sessions, ROUNDS)
    memory = engine.table_memory(npu.tables["session_v4"]) / sessions
    engine.close()
    return {
        "sessions": sessions,
        "ns_a_packet": statistics.median(costs),
        "us_an_update_batched": 1e6 * statistics.median(spent),
        "us_a_lone_update": 1e6 * statistics.median(single),
        "bytes_a_session": memory,
    }


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, default=Path("build/npu.json"))
    parser.add_argument("--out", type=Path, default=Path("build/bench/pipeline.json"))
    parser.add_argument("--sessions", type=int, nargs="+", default=[500, 5000, 50_000, 500_000])
    arguments = parser.parse_args(words)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    library = load_bench(arguments.out.resolve().parent)
    npu = Npu(load_file(arguments.json))
    results = []
    for sessions in arguments.sessions:
        result = measure(npu, library, sessions)
        results.append(result)
        print(
            f"{sessions:>8} sessions  {result['ns_a_packet']:6.0f} ns a packet"
            f"  {result['us_an_update_batched']:5.2f} us an update of 1000"
            f"  {result['us_a_lone_update']:5.1f} us a lone one"
            f"  {result['bytes_a_session']:5.0f} bytes a session",
            flush=True,
        )
    report = header("the native executor", "") | {"results": results}
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
