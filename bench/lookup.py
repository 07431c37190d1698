#!/usr/bin/env python3
"""Cost of a lookup by the number of entries: one exact table, hit at random, side by side.

    python -m bench.lookup --switch p4embed-switch --switch "simple_switch_grpc -L off" \
        --out build/bench/lookup.json

Per number of entries: CPU nanoseconds of a packet in the native executor alone, and what each
switch lets through when flooded, a second of its CPU time. The program does little but look up
(it is bench/tables.py's with one table), so what memory costs shows. Needs root and a C compiler.
"""

from __future__ import annotations

import argparse
import ctypes as c
import json
import os
import random
import shlex
import statistics
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from finsy.proto import p4r
from support.names import Names, encode
from support.switch import SetupError, create_ports, run_in_namespace, running_switch

from bench import tables
from bench.forwarding import ADDRESS, FRAME_BYTES, IN, OUT, Traffic, compiled, cpu_seconds
from bench.pipeline import load_bench
from bench.report import header
from bench.writes import BATCH, Switch
from p4embed.switch.engine import Entry, EntryKey, Op, Status, Update
from p4embed.switch.load import load_file
from p4embed.switch.native import NativeEngine

INSIDE = "WINGPATH_BENCH_INSIDE"
COUNTS = (1000, 10_000, 100_000, 1_000_000)
PACKETS = 200_000


def alone(program: Path, library: c.CDLL, entries: int, rounds: int) -> list[float]:
    """CPU nanoseconds of a packet in the native executor, by round."""
    loaded = load_file(program)
    index = loaded.tables_by_name["I.t0"]
    go = next(a for a in loaded.tables[index].actions if loaded.actions_by_id[a].params)
    params = struct.pack("!HH", 1, OUT)
    engine = NativeEngine(loaded)
    for first in range(0, entries, BATCH):
        rows = [
            Update(Op.INSERT, index, Entry(EntryKey(struct.pack("!IH", flow, 0)), go, params))
            for flow in range(first, min(first + BATCH, entries))
        ]
        assert set(engine.write(rows)) == {Status.OK}
    rng = random.Random(0)
    frames = b"".join(tables.frame(rng.randrange(entries)) for _ in range(PACKETS))
    left = c.c_uint64()
    costs = []
    for _ in range(rounds):
        took = library.bench_pipeline(engine._run, IN, frames, FRAME_BYTES, PACKETS, c.byref(left))
        assert left.value == PACKETS, f"{PACKETS - left.value} packets were dropped"
        costs.append(took / PACKETS)
    engine.close()
    return costs


def requests(names: Names, entries: int) -> Iterator[bytes]:
    """Serialized Writes of all entries."""
    entry = names.entry("t0", {"hdr.head.flow": 1, "meta.step": 0}, "go", {"step": 1, "port": OUT})
    request = p4r.WriteRequest(device_id=1, election_id=p4r.Uint128(low=1))
    for flow in range(entries):
        entry.match[0].exact.value = encode(flow)
        request.updates.add(type=p4r.Update.INSERT).entity.table_entry.CopyFrom(entry)
        if len(request.updates) == BATCH or flow + 1 == entries:
            yield request.SerializeToString()
            del request.updates[:]


def flooded(
    command: str, program: Path, writes: list[bytes], traffic: Traffic, seconds: float
) -> float:
    """Packets that a switch lets through for each second of its CPU time."""
    log = program.parent / "switch.log"
    with running_switch(shlex.split(command), (IN, OUT), ADDRESS, log) as process:
        switch = Switch()
        switch.load(Names(program.with_suffix(".p4info.txtpb")), program.read_bytes())
        for request in writes:
            switch.write(request)
        traffic.send(1000, 0.2)
        before = traffic.arrived(), cpu_seconds(process)
        traffic.send(0, seconds)
        passed = traffic.arrived() - before[0], cpu_seconds(process) - before[1]
        switch.close()
    return passed[0] / passed[1]


def write_frames(path: Path, entries: int) -> None:
    """A frame for each entry, in random order."""
    order = list(range(entries))
    random.Random(0).shuffle(order)
    with path.open("wb") as file:
        for flow in order:
            data = tables.frame(flow)
            file.write(struct.pack("<H", len(data)) + data)


def run(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """All sizes, inside the namespace."""
    create_ports((IN, OUT))
    out: Path = arguments.out.resolve().parent
    library = load_bench(out)
    program = tables.build("lookup", tables.source(1, max(COUNTS)), out)
    names = Names(program.with_suffix(".p4info.txtpb"))
    frames = out / "frames-lookup"
    traffic = Traffic(compiled(out), frames)
    results: list[dict[str, object]] = []
    for entries in COUNTS:
        costs = alone(program, library, entries, arguments.rounds)
        write_frames(frames, entries)
        writes = list(requests(names, entries))
        rates: dict[str, list[float]] = {command: [] for command in arguments.switch}
        for _ in range(arguments.rounds):
            for command, found in rates.items():
                found.append(flooded(command, program, writes, traffic, arguments.seconds))
        results.append({"entries": entries, "ns_a_packet": costs, "per_cpu": rates})
        through = "".join(
            f"  {Path(command.split()[0]).name} {statistics.median(found) / 1000:.1f} k"
            for command, found in rates.items()
        )
        print(
            f"{entries:>8} entries  {statistics.median(costs):5.0f} ns a packet;"
            f" packets a CPU second:{through}",
            flush=True,
        )
    frames.unlink()
    return results


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--switch", action="append", help="program and first arguments; again for another"
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench/lookup.json"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each flood")
    arguments = parser.parse_args(words)
    arguments.switch = arguments.switch or ["p4embed-switch"]
    return arguments


def main(words: list[str]) -> int:
    arguments = parse(words)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if INSIDE not in os.environ:
            os.environ[INSIDE] = "1"
            return run_in_namespace([sys.executable, "-m", "bench.lookup", *words])
        results = run(arguments)
    except (SetupError, OSError, subprocess.CalledProcessError) as error:
        print(f"bench.lookup: {error}", file=sys.stderr)
        return 2
    report = header(", ".join(arguments.switch), "") | {"results": results}
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
