#!/usr/bin/env python3
"""Cost of a packet by the number of tables it passes: generated programs, side by side.

    python -m bench.tables --switch p4embed-switch --switch "simple_switch_grpc -L off" \
        --out build/bench/tables.json

Each program is a chain of exact tables of 1024 entries; every packet hits in every one, and every
key depends on the table before. Per number of tables: CPU nanoseconds of a packet in the native
executor alone, and what each switch lets through when flooded, a second of its CPU time. Needs
root and a C compiler.
"""

from __future__ import annotations

import argparse
import ctypes as c
import json
import os
import shlex
import statistics
import struct
import subprocess
import sys
from pathlib import Path

from finsy.proto import p4r
from support.client import Client
from support.names import Names
from support.switch import (
    SetupError,
    create_ports,
    run_in_namespace,
    running_switch,
)

from bench.forwarding import ADDRESS, FRAME_BYTES, IN, OUT, Traffic, compiled, cpu_seconds
from bench.pipeline import load_bench
from bench.report import header
from p4embed.switch.engine import Entry, EntryKey, Op, Status, Update
from p4embed.switch.load import load_file
from p4embed.switch.native import NativeEngine

ROOT = Path(__file__).resolve().parents[1]
INSIDE = "WINGPATH_BENCH_INSIDE"
COUNTS = (1, 4, 16, 64)
FLOWS = 1024
PACKETS = 100_000


def source(tables: int, entries: int = FLOWS) -> str:
    """A program of so many tables, one after the other, each with room for so many entries."""
    declared = "\n".join(
        f"""
    table t{i} {{
        key = {{ hdr.head.flow : exact; meta.step : exact; }}
        actions = {{ go; @defaultonly drop; }}
        const default_action = drop();
        size = {entries};
    }}"""
        for i in range(tables)
    )
    applied = "\n".join(f"        t{i}.apply();" for i in range(tables))
    return f"""
#include <core.p4>
#include <v1model.p4>

header head_t {{ bit<48> dst; bit<48> src; bit<16> type; bit<32> flow; }}
struct headers_t {{ head_t head; }}
struct metadata_t {{ bit<16> step; }}

parser P(packet_in packet, out headers_t hdr, inout metadata_t meta,
         inout standard_metadata_t standard) {{
    state start {{ packet.extract(hdr.head); transition accept; }}
}}

control I(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {{
    action go(bit<16> step, bit<9> port) {{ meta.step = step; standard.egress_spec = port; }}
    action drop() {{ mark_to_drop(standard); exit; }}
{declared}
    apply {{
{applied}
    }}
}}

control E(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {{
    apply {{ }}
}}
control V(inout headers_t hdr, inout metadata_t meta) {{ apply {{ }} }}
control C(inout headers_t hdr, inout metadata_t meta) {{ apply {{ }} }}
control D(packet_out packet, in headers_t hdr) {{ apply {{ packet.emit(hdr.head); }} }}

V1Switch(P(), V(), I(), E(), C(), D()) main;
"""


def frame(flow: int) -> bytes:
    """A frame of a flow."""
    return bytes(12) + b"\x88\xb5" + struct.pack("!I", flow) + bytes(FRAME_BYTES - 18)


def build(name: str, program: str, out: Path) -> Path:
    """A program, compiled: its JSON, with the P4Info beside it."""
    text = out / f"{name}.p4"
    text.write_text(program)
    info = text.with_suffix(".p4info.txtpb")
    command = [sys.executable, "-m", "p4embed.compiler", "--target", "bmv2", "--arch", "v1model"]
    command += ["-o", str(out), "--p4runtime-files", str(info), str(text)]
    subprocess.run(command, check=True, cwd=ROOT)
    return text.with_suffix(".json")


def alone(program: Path, library: c.CDLL, rounds: int) -> list[float]:
    """CPU nanoseconds of a packet in the native executor, by round."""
    loaded = load_file(program)
    engine = NativeEngine(loaded)
    for index, table in enumerate(loaded.tables):
        if not table.key:
            continue
        step = int(table.name.rpartition("t")[2])
        go = next(a for a in table.actions if loaded.actions_by_id[a].params)
        rows = [
            Update(
                Op.INSERT,
                index,
                Entry(
                    EntryKey(struct.pack("!IH", flow, step)), go, struct.pack("!HH", step + 1, OUT)
                ),
            )
            for flow in range(FLOWS)
        ]
        assert set(engine.write(rows)) == {Status.OK}
    frames = b"".join(frame(n * 7919 % FLOWS) for n in range(PACKETS))
    left = c.c_uint64()
    costs = []
    for _ in range(rounds):
        took = library.bench_pipeline(engine._run, IN, frames, FRAME_BYTES, PACKETS, c.byref(left))
        assert left.value == PACKETS, f"{PACKETS - left.value} packets were dropped"
        costs.append(took / PACKETS)
    engine.close()
    return costs


def install(client: Client, tables: int) -> None:
    """The same entries through P4Runtime."""
    for step in range(tables):
        client.write(
            (
                p4r.Update.INSERT,
                client.names.entry(
                    f"t{step}", {"hdr.head.flow": flow, "meta.step": step},
                    "go", {"step": step + 1, "port": OUT},
                ),
            )
            for flow in range(FLOWS)
        )  # fmt: skip


def flooded(command: str, program: Path, tables: int, traffic: Traffic, seconds: float) -> float:
    """Packets that a switch lets through for each second of its CPU time."""
    out = program.parent
    with running_switch(shlex.split(command), (IN, OUT), ADDRESS, out / "switch.log") as process:
        client = Client(ADDRESS, Names(program.with_suffix(".p4info.txtpb")))
        client.set_pipeline(program.read_bytes())
        install(client, tables)
        traffic.send(1000, 0.2)
        before = traffic.arrived(), cpu_seconds(process)
        traffic.send(0, seconds)
        passed = traffic.arrived() - before[0], cpu_seconds(process) - before[1]
        client.close()
    return passed[0] / passed[1]


def run(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """All programs, inside the namespace."""
    create_ports((IN, OUT))
    out: Path = arguments.out.resolve().parent
    out.mkdir(parents=True, exist_ok=True)
    library = load_bench(out)
    frames = out / "frames-tables"
    with frames.open("wb") as file:
        for flow in range(FLOWS):
            data = frame(flow)
            file.write(struct.pack("<H", len(data)) + data)
    traffic = Traffic(compiled(out), frames)
    results: list[dict[str, object]] = []
    for tables in COUNTS:
        program = build(f"tables-{tables}", source(tables), out)
        costs = alone(program, library, arguments.rounds)
        rates: dict[str, list[float]] = {command: [] for command in arguments.switch}
        for _ in range(arguments.rounds):
            for command, found in rates.items():
                found.append(flooded(command, program, tables, traffic, arguments.seconds))
        results.append({"tables": tables, "ns_a_packet": costs, "per_cpu": rates})
        through = "".join(
            f"  {Path(command.split()[0]).name} {statistics.median(found) / 1000:.1f} k"
            for command, found in rates.items()
        )
        print(
            f"{tables:>3} tables  {statistics.median(costs):5.0f} ns a packet;"
            f" packets a CPU second:{through}",
            flush=True,
        )
    return results


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--switch", action="append", help="program and first arguments; again for another"
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench/tables.json"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each flood")
    arguments = parser.parse_args(words)
    arguments.switch = arguments.switch or ["p4embed-switch"]
    return arguments


def main(words: list[str]) -> int:
    arguments = parse(words)
    try:
        if INSIDE not in os.environ:
            os.environ[INSIDE] = "1"
            return run_in_namespace([sys.executable, "-m", "bench.tables", *words])
        results = run(arguments)
    except (SetupError, OSError, subprocess.CalledProcessError) as error:
        print(f"bench.tables: {error}", file=sys.stderr)
        return 2
    report = header(", ".join(arguments.switch), "") | {"results": results}
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
