#!/usr/bin/env python3
"""Cost of a packet by the number of entries, and by the number of tables that it passes.

    python -m bench.lookup --by entries --switch p4embed-switch \
        --switch "simple_switch_grpc -L off" --out build/bench/lookup.json

Generated programs that do little but look up, in a chain of exact tables that are hit at random:
one table of 1000 to 1,000,000 entries, or 1 to 64 tables of 1024. CPU nanoseconds of a packet in
the native executor alone, and what each switch lets through when flooded, a second of its CPU
time. Needs root and a C compiler.
"""

from __future__ import annotations

import argparse
import ctypes as c
import shlex
import statistics
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice, product
from pathlib import Path

from finsy.proto import p4r
from support.names import Names, encode
from support.switch import create_ports, running_switch

from bench import beside
from bench.pipeline import load_bench, packet_costs
from bench.traffic import ADDRESS, FRAME_BYTES, IN, OUT, Traffic, compiled, write_frames
from bench.writes import BATCH, Switch
from p4embed.switch.engine import Entry, EntryKey, Op, Status, Update
from p4embed.switch.load import load_file
from p4embed.switch.native import NativeEngine

WARM_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Chain:
    """Exact tables, one after the other, each with so many entries; every packet hits in every
    one, and every key depends on the table before."""

    tables: int
    entries: int

    def rows(self) -> Iterator[tuple[int, int]]:
        """All entries: the number of the table, and the flow."""
        return product(range(self.tables), range(self.entries))

    def __str__(self) -> str:
        return f"{self.tables:>3} tables of {self.entries:>8} entries"


SWEEPS = {
    "entries": [Chain(1, entries) for entries in (1000, 10_000, 100_000, 1_000_000)],
    "tables": [Chain(tables, 1024) for tables in (1, 4, 16, 64)],
}


def source(chain: Chain) -> str:
    """Its program."""
    declared = "\n".join(
        f"""
    table t{i} {{
        key = {{ hdr.head.flow : exact; meta.step : exact; }}
        actions = {{ go; @defaultonly drop; }}
        const default_action = drop();
        size = {chain.entries};
    }}"""
        for i in range(chain.tables)
    )
    applied = "\n".join(f"        t{i}.apply();" for i in range(chain.tables))
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


def build(chain: Chain, out: Path) -> Path:
    """Its program, compiled: the JSON, with the P4Info beside it."""
    text = out / f"chain-{chain.tables}-{chain.entries}.p4"
    text.write_text(source(chain))
    info = text.with_suffix(".p4info.txtpb")
    command = [sys.executable, "-m", "p4embed.compiler", "--target", "bmv2", "--arch", "v1model"]
    command += ["-o", str(out), "--p4runtime-files", str(info), str(text)]
    subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[1])
    return text.with_suffix(".json")


def alone(program: Path, library: c.CDLL, chain: Chain, rounds: int) -> list[float]:
    """CPU nanoseconds of a packet in the native executor, by round."""
    loaded = load_file(program)
    engine = NativeEngine(loaded)
    tables = [loaded.tables_by_name[f"I.t{step}"] for step in range(chain.tables)]
    actions = [
        next(a for a in loaded.tables[table].actions if loaded.actions_by_id[a].params)
        for table in tables
    ]
    updates = (
        Update(
            Op.INSERT,
            tables[step],
            Entry(
                EntryKey(struct.pack("!IH", flow, step)),
                actions[step],
                struct.pack("!HH", step + 1, OUT),
            ),
        )
        for step, flow in chain.rows()
    )
    while batch := list(islice(updates, BATCH)):
        assert set(engine.write(batch)) == {Status.OK}
    costs = packet_costs(library, engine, frame, chain.entries, rounds)
    engine.close()
    return costs


def requests(names: Names, chain: Chain) -> Iterator[bytes]:
    """Serialized Writes of all entries."""
    rows = chain.rows()
    while batch := list(islice(rows, BATCH)):
        request = p4r.WriteRequest(device_id=1, election_id=p4r.Uint128(low=1))
        for step, rows_of_step in groupby(batch, lambda row: row[0]):
            key, to = {"hdr.head.flow": 1, "meta.step": step}, {"step": step + 1, "port": OUT}
            entry = names.entry(f"t{step}", key, "go", to)
            for _, flow in rows_of_step:
                entry.match[0].exact.value = encode(flow)
                request.updates.add(type=p4r.Update.INSERT).entity.table_entry.CopyFrom(entry)
        yield request.SerializeToString()


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
        traffic.send(1000, WARM_SECONDS)
        _, _, per_cpu = traffic.flood(process, seconds)
        switch.close()
    return per_cpu


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """A sweep, inside the namespace."""
    create_ports((IN, OUT))
    out: Path = arguments.out.resolve().parent
    library = load_bench(out)
    frames = out / "frames-lookup"
    traffic = Traffic(compiled(out), frames)
    results: list[dict[str, object]] = []
    for chain in SWEEPS[arguments.by]:
        program = build(chain, out)
        costs = alone(program, library, chain, arguments.rounds)
        write_frames(frames, frame, chain.entries)
        writes = list(requests(Names(program.with_suffix(".p4info.txtpb")), chain))
        rates: dict[str, list[float]] = {command: [] for command in arguments.switch}
        for _ in range(arguments.rounds):
            for command, found in rates.items():
                found.append(flooded(command, program, writes, traffic, arguments.seconds))
        size = {"entries": chain.entries, "tables": chain.tables}
        results.append({**size, "ns_a_packet": costs, "per_cpu": rates})
        through = "".join(
            f"  {Path(command.split()[0]).name} {statistics.median(found) / 1000:.1f} k"
            for command, found in rates.items()
        )
        print(
            f"{chain}  {statistics.median(costs):5.0f} ns a packet; packets a CPU second:{through}",
            flush=True,
        )
    frames.unlink()
    return {"results": results}


def main(words: list[str]) -> int:
    parser = beside.parser("lookup", __doc__)
    parser.add_argument("--by", choices=SWEEPS, default="entries", help="what grows")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each flood")
    return beside.main(parser, run, words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
