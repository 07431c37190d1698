"""Express Path against the SPU's: latency and packets a second of the same flows.

    python -m bench.paths [--switch p4embed-switch] [--out build/bench/paths.json]

UDP datagrams of 100 bytes, with source NAT, of sessions that stand: once with ``services-offload``
in their policy, so that the NPUs forward alone, once without, so that every packet visits its SPU.
Both where one NPU has both interfaces, so that a packet on Express Path leaves by the NPU that it
entered (as Junos' page "Understanding Express Path Functionality" describes it), and across two
NPUs. Latency is that of lone packets, packets a second what comes
through while ``WINDOW`` are under way. Paths are measured in turn, round by round; figures are
medians. Traffic shares the machine's cores: what one NPU carries with a core of its own is measured
by ``bench.forwarding``.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import chassis
from bench.chassis import ONE_NPU, TWO_NPUS, Build, Layout, compile_traffic, running
from bench.setups import Ends, Trial, warm

FLOWS = 64
WINDOW = 1024
PACE_SECONDS = 4.0
IDLE_RATE, IDLE_SECONDS = 200.0, 5.0
ROUNDS = 5
LAYOUTS = {"one NPU": ONE_NPU, "two NPUs": TWO_NPUS}
PATHS = {"Express Path": True, "SPU path": False}


@dataclass(frozen=True, slots=True)
class Round:
    """One path, once."""

    idle: Trial
    """Lone packets."""
    pace: Trial
    """``WINDOW`` under way."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One path, medians of all rounds."""

    p50_us: float
    p99_us: float
    packets_per_second: float
    busiest_us: float
    """CPU time of a packet in the process that it keeps busiest, which is what limits a chassis
    whose NPUs and SPUs have processors of their own."""
    lost: int
    """Packets, of all rounds."""


def measure_path(build: Build, program: Path, layout: Layout, express: bool) -> Round:
    """A system of its own."""
    with running(build, express=express, layout=layout) as system:
        ends = Ends(program, system)
        warm(ends)
        first = ends.next
        ends.run("udp", 4 * FLOWS, FLOWS / (4 * FLOWS))
        kind = f"udp:{FLOWS}"
        return Round(
            ends.run(kind, IDLE_RATE, IDLE_SECONDS, first=first),
            ends.run(kind, 0, PACE_SECONDS, WINDOW, first=first),
        )


def summary(rounds: list[Round]) -> Summary:
    """The medians."""
    return Summary(
        1000 * median(one.idle.p50_ms for one in rounds),
        1000 * median(one.idle.p99_ms for one in rounds),
        median(one.pace.done for one in rounds),
        median(max(one.pace.cpu_us.values()) for one in rounds),
        sum(one.idle.lost + one.pace.lost for one in rounds),
    )


def measure(build: Build) -> dict[str, Any]:
    """By layout: both paths, and how many times the SPU's Express Path is as good. Inside
    namespaces of our own, with ``make_links`` done."""
    rounds: dict[tuple[str, str], list[Round]] = {}
    with tempfile.TemporaryDirectory() as directory:
        program = compile_traffic("sessions", Path(directory))
        for _ in range(ROUNDS):
            for where, layout in LAYOUTS.items():
                for name, express in PATHS.items():
                    one = measure_path(build, program, layout, express)
                    rounds.setdefault((where, name), []).append(one)
    found: dict[str, Any] = {}
    for where in LAYOUTS:
        paths = {name: summary(rounds[where, name]) for name in PATHS}
        for name, path in paths.items():
            print(f"{where}, {name}: {show(path)}", file=sys.stderr, flush=True)
        offloaded, normal = (paths[name] for name in PATHS)
        found[where] = {
            "paths": {name: asdict(path) for name, path in paths.items()},
            "latency_ratio": normal.p50_us / offloaded.p50_us,
            "rate_ratio": offloaded.packets_per_second / normal.packets_per_second,
            "busiest_ratio": normal.busiest_us / offloaded.busiest_us,
            "rounds": {name: [asdict(one) for one in rounds[where, name]] for name in PATHS},
        }
    return found


def show(path: Summary) -> str:
    """A line of the report."""
    return (
        f"lone packets p50 {path.p50_us:.0f} us, p99 {path.p99_us:.0f} us; "
        f"{path.packets_per_second:.0f} packets/s, lost {path.lost}; "
        f"CPU time of a packet in the busiest process {path.busiest_us:.1f} us"
    )


def main(words: list[str]) -> int:
    return chassis.run(chassis.parser("paths", __doc__), words, lambda build, *_: measure(build))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
