"""Sessions set up per second through the whole path, and what a first packet waits.

    python -m bench.setups [--switch p4embed-switch] [--seconds 60] [--out build/bench/setups.json]

A first packet enters NPU 1 by a wire, misses, and is punted; central point and SPU decide on it,
with source NAT; both wings are installed, one on each NPU; the packet leaves by a wire of NPU 2.
Sessions are on Express Path. UDP sessions are one datagram; they stay until the end. TCP sessions
are whole connections of six segments, so their rate includes both directions and the ends of
sessions: four segments visit the SPU, both wings are read and removed.

First the system's own pace is found: ``WINDOW`` sessions are under way at any time. Then, anew,
nine tenths of that are held for ``--seconds``; if a single session is lost, four fifths of that,
and so on. Nothing is ever sent twice. Everything, traffic included, shares the machine's cores.
Needs root and a C compiler.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import chassis
from bench.chassis import CLIENTS, SERVERS, Build, Running, compile_traffic, running

WINDOW = {"udp": 128, "tcp": 64}
PACE_SECONDS = 5.0
SHARE = 0.9
STEP_DOWN = 0.8
TRIES = 4
IDLE_RATE, IDLE_SECONDS = 50.0, 20.0
"""Sessions a second that leave a system idle in between, and for how long they come."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the traffic program."""

    kind: str
    offered: float
    """Sessions begun a second."""
    done: float
    """Sessions set up (TCP: connections finished) a second."""
    begun: int
    lost: int
    """Sessions whose first packet did not come out (TCP: that did not finish)."""
    repeated: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    """From a first packet in to the first packet out."""
    cpu_us: dict[str, float]
    """CPU time for each session, by process."""


class Ends:
    """Clients and servers of a running system."""

    def __init__(self, program: Path, system: Running) -> None:
        self._program = program
        self._system = system
        self.next = 0
        """Number of the next new session."""

    def run(
        self, kind: str, rate: float, seconds: float, window: int = 0, first: int | None = None
    ) -> Trial:
        """New sessions at a rate (0: as many as keep ``window`` under way). With ``first``, of
        sessions that stand from that number on."""
        before = self._system.cpu_seconds()
        done = subprocess.run(
            [
                *(self._program, CLIENTS, SERVERS, kind, str(rate), str(seconds)),
                str(self.next if first is None else first),
                *(str(window), *self._system.gateways),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        after = self._system.cpu_seconds()
        counts: dict[str, Any] = json.loads(done.stdout)
        if first is None:
            self.next += counts["begun"]
        finished = counts["finished"] if kind == "tcp" else counts["up"]
        span = counts["elapsed_ns"] / 1e9
        return Trial(
            kind,
            counts["begun"] / span,
            finished / span,
            counts["begun"],
            counts["begun"] - finished,
            counts["repeated"],
            counts.get("p50_ns", 0) / 1e6,
            counts.get("p99_ns", 0) / 1e6,
            counts.get("p999_ns", 0) / 1e6,
            {part: 1e6 * (after[part] - before[part]) / max(1, finished) for part in after},
        )


def warm(ends: Ends) -> None:
    """Neighbours are resolved, programs compiled, caches filled."""
    ends.run("udp", 100, 1.0)
    ends.run("tcp", 100, 1.0)


def held(build: Build, program: Path, kind: str, seconds: float) -> list[Trial]:
    """The system's own pace, and then trials of holding nine tenths of it, the last without loss
    if that was possible."""
    with running(build, express=True) as system:
        ends = Ends(program, system)
        warm(ends)
        trials = [ends.run(kind, 0, PACE_SECONDS, WINDOW[kind])]
    rate = SHARE * trials[0].done
    for _ in range(TRIES):
        with running(build, express=True) as system:
            ends = Ends(program, system)
            warm(ends)
            trials.append(ends.run(kind, rate, seconds))
        if not trials[-1].lost:
            break
        rate *= STEP_DOWN
    return trials


def idle(build: Build, program: Path, kind: str) -> Trial:
    """First packets that meet an idle system."""
    with running(build, express=True) as system:
        ends = Ends(program, system)
        warm(ends)
        return ends.run(kind, IDLE_RATE, IDLE_SECONDS)


def show(what: str, trial: Trial) -> str:
    """A line of the report."""
    cpu = ", ".join(f"{part} {value:.0f}" for part, value in trial.cpu_us.items())
    return (
        f"{trial.kind} {what}: offered {trial.offered:.0f}/s, done {trial.done:.0f}/s, "
        f"lost {trial.lost} of {trial.begun}; first packet p50 {trial.p50_ms:.2f} ms, "
        f"p99 {trial.p99_ms:.2f} ms; CPU us a session: {cpu}"
    )


def measure(build: Build, seconds: float) -> dict[str, Any]:
    """Both protocols; inside namespaces of our own, with ``make_links`` done."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as directory:
        program = compile_traffic("sessions", Path(directory))
        for kind in ("udp", "tcp"):
            trials = held(build, program, kind, seconds)
            for what, trial in zip(["pace"] + ["held"] * TRIES, trials, strict=False):
                print(show(what, trial), file=sys.stderr, flush=True)
            lone = idle(build, program, kind)
            print(show("idle", lone), file=sys.stderr, flush=True)
            found[kind] = {
                "pace": asdict(trials[0]),
                "held": [asdict(trial) for trial in trials[1:]],
                "idle": asdict(lone),
            }
    return found


def main(words: list[str]) -> int:
    parser = chassis.parser("setups", __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="that a rate is held for")
    return chassis.run(parser, words, lambda build, given, _: measure(build, given.seconds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
