"""Sessions set up per second through the whole path, and what a first packet waits.

    python -m bench.setups [--switch p4embed-switch] [--seconds 60] [--out build/bench/setups.json]

A first packet enters NPU 1 by a wire, misses, and is punted; central point and SPU decide on it,
with source NAT; both wings are installed, one on each NPU; the packet leaves by a wire of NPU 2.
Sessions are on Express Path. UDP sessions are one datagram; they stay until the end. TCP sessions
are whole connections of six segments, so their rate includes both directions and the ends of
sessions: four segments visit the SPU, both wings are read and removed. In the steady state UDP
sessions are one datagram and end ``TIMEOUT`` seconds later, as many as begin at the same time: the
rate is then what can be kept up for ever.

First the system's own pace is found: ``WINDOW`` sessions are under way at any time. Then, anew,
nine tenths of that are held for ``--seconds``; if a single session is lost, four fifths of that,
and so on (in the steady state, also if sessions do not end as fast as they begin). Nothing is ever
sent twice. Everything, traffic included, shares the machine's cores.
Needs root and a C compiler.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench import chassis
from bench.chassis import CLIENTS, SERVERS, Build, Running, compile_traffic, running
from controller.operate.shell import Client

WINDOW = {"udp": 128, "tcp": 64, "steady": 128}
"""By what is measured; ``steady``: UDP sessions of which as many end as begin."""
PACE_SECONDS = 5.0
SHARE = 0.9
STEP_DOWN = 0.8
TRIES = 4
TIMEOUT = 4
"""Of sessions in the steady state, in seconds: the shortest that Junos takes."""
LEAD_SECONDS = 3.0 * TIMEOUT
"""From the first session to the steady state: until one time-out has passed nothing ends, and at
own pace sessions begin the faster."""
KEEPS_UP = 0.95
"""Sessions that end for each that begins, at least. (How late notices come varies.)"""
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
    ended: int | None = None
    """Sessions that ended meanwhile; ``None``: nobody looked."""

    @property
    def is_kept_up(self) -> bool:
        """Whether it could have gone on like this."""
        return not self.lost and (self.ended is None or self.ended >= KEEPS_UP * self.begun)


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

    def in_use(self) -> int:
        """Sessions that stand, as an operator is told."""
        client = Client(self._system.socket)
        try:
            text = client.ask(command="show security flow session summary")["text"]
        finally:
            client.close()
        return sum(int(count) for count in re.findall(r"Sessions-in-use: (\d+)", text))

    def run_steadily(self, rate: float, seconds: float, window: int = 0) -> Trial:
        """Like ``run`` of UDP sessions, begun when as many end as begin."""
        self.run("udp", rate, LEAD_SECONDS, window)
        before = self.in_use()
        trial = self.run("udp", rate, seconds, window)
        return replace(trial, ended=trial.begun - self.in_use() + before)


def warm(ends: Ends) -> None:
    """Neighbours are resolved, programs compiled, caches filled."""
    ends.run("udp", 100, 1.0)
    ends.run("tcp", 100, 1.0)


def held(build: Build, program: Path, kind: str, seconds: float) -> list[Trial]:
    """The system's own pace, and then trials of holding nine tenths of it, the last without loss
    if that was possible. ``kind`` may be ``steady``."""

    def trial(rate: float, seconds: float, window: int = 0) -> Trial:
        timeout = TIMEOUT if kind == "steady" else 0
        with running(build, express=True, timeout=timeout) as system:
            ends = Ends(program, system)
            warm(ends)
            if timeout:
                return ends.run_steadily(rate, seconds, window)
            return ends.run(kind, rate, seconds, window)

    trials = [trial(0, PACE_SECONDS, WINDOW[kind])]
    rate = SHARE * trials[0].done
    for _ in range(TRIES):
        trials.append(trial(rate, seconds))
        if trials[-1].is_kept_up:
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
    ended = "" if trial.ended is None else f"{trial.ended} ended; "
    return (
        f"{what}: offered {trial.offered:.0f}/s, done {trial.done:.0f}/s, "
        f"lost {trial.lost} of {trial.begun}; {ended}first packet p50 {trial.p50_ms:.2f} ms, "
        f"p99 {trial.p99_ms:.2f} ms; CPU us a session: {cpu}"
    )


def measure(build: Build, seconds: float) -> dict[str, Any]:
    """Both protocols, and the steady state; inside namespaces of our own, with ``make_links``
    done."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as directory:
        program = compile_traffic("sessions", Path(directory))
        for kind in WINDOW:
            trials = held(build, program, kind, seconds)
            for what, trial in zip(["pace"] + ["held"] * TRIES, trials, strict=False):
                print(show(f"{kind} {what}", trial), file=sys.stderr, flush=True)
            found[kind] = {
                "pace": asdict(trials[0]),
                "held": [asdict(trial) for trial in trials[1:]],
            }
            if kind != "steady":
                lone = idle(build, program, kind)
                print(show(f"{kind} idle", lone), file=sys.stderr, flush=True)
                found[kind]["idle"] = asdict(lone)
    return found


def main(words: list[str]) -> int:
    parser = chassis.parser("setups", __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="that a rate is held for")
    return chassis.run(parser, words, lambda build, given, _: measure(build, given.seconds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
