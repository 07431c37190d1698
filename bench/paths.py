"""Express Path against the SPU's: latency and packets a second of the same flows.

    python -m bench.paths [--switch p4embed-switch] [--out build/bench/paths.json]

UDP datagrams of 100 bytes through two NPUs, with source NAT, of sessions that stand: once with
``services-offload`` in their policy, so that the NPUs forward alone, once without, so that every
packet visits its SPU. Latency is that of lone packets, packets a second what comes through while
``WINDOW`` are under way. Traffic shares the machine's cores: what the NPUs could do on a machine of
their own is measured by ``bench.forwarding``.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import chassis
from bench.chassis import Build, compile_traffic, running
from bench.setups import Ends, Trial, warm

FLOWS = 64
WINDOW = 1024
PACE_SECONDS = 4.0
IDLE_RATE, IDLE_SECONDS = 200.0, 5.0


def path(build: Build, program: Path, express: bool) -> dict[str, Trial]:
    """Both measurements on one path."""
    with running(build, express=express) as system:
        ends = Ends(program, system)
        warm(ends)
        first = ends.next
        ends.run("udp", 4 * FLOWS, FLOWS / (4 * FLOWS))
        kind = f"udp:{FLOWS}"
        return {
            "idle": ends.run(kind, IDLE_RATE, IDLE_SECONDS, first=first),
            "pace": ends.run(kind, 0, PACE_SECONDS, WINDOW, first=first),
        }


def measure(build: Build) -> dict[str, Any]:
    """Both paths and their ratios; inside namespaces of our own, with ``make_links`` done."""
    with tempfile.TemporaryDirectory() as directory:
        program = compile_traffic("sessions", Path(directory))
        express, spu = path(build, program, True), path(build, program, False)
    found: dict[str, Any] = {
        name: {what: asdict(trial) for what, trial in trials.items()}
        for name, trials in (("express", express), ("spu", spu))
    }
    found["latency_ratio"] = spu["idle"].p50_ms / express["idle"].p50_ms
    found["rate_ratio"] = express["pace"].done / spu["pace"].done
    for name, trials in (("Express Path", express), ("SPU path", spu)):
        print(
            f"{name}: lone packets p50 {1000 * trials['idle'].p50_ms:.0f} us, "
            f"p99 {1000 * trials['idle'].p99_ms:.0f} us; {trials['pace'].done:.0f} packets/s, "
            f"lost {trials['pace'].lost} of {trials['pace'].begun}",
            file=sys.stderr,
            flush=True,
        )
    return found


def main(words: list[str]) -> int:
    return chassis.run(chassis.parser("paths", __doc__), words, lambda build, *_: measure(build))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
