"""All measurements of the control plane in one run, as JSON and as a table in Markdown.

    python -m bench.control_plane [--seconds 60] [--out build/bench/control_plane.json]

Some twelve minutes: set-ups and ends through the whole path (``bench.setups``), Express Path
against the SPU's (``bench.paths``), the machines alone and memory of a session
(``bench.machines``). Needs root and a C compiler.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import chassis, page, paths, setups
from bench.chassis import Build

MARKS = (
    "<!-- control plane: begin (make bench-control-plane writes from here to the end mark) -->",
    "<!-- control plane: end -->",
)
MACHINES_TARGET = "20,000; 50,000"
_NAMES = {
    "udp": "UDP sessions set up",
    "tcp": "TCP connections of six segments set up",
    "steady": f"UDP sessions begun and, {setups.TIMEOUT} s later, ended",
}


def machines(held: int) -> dict[str, Any]:
    """``bench.machines`` in a process of its own, whose memory nothing else has used."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.machines", "--held", str(held)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(report: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What was measured, the result, the target."""
    for kind, name in _NAMES.items():
        found = report["setups"][kind]
        last = found["held"][-1]
        seconds = report["seconds"]
        lost = f", {last['lost']} lost" if last["lost"] else ", none lost"
        ended = "" if last["ended"] is None else f", {last['ended']} ended meanwhile"
        yield (
            f"{name} a second, held for {seconds:g} s",
            f"{last['done']:.0f} of {last['begun']}{lost}{ended}",
            "3,500; 10,000",
        )
        yield (
            f"the same, own pace for {setups.PACE_SECONDS:g} s",
            f"{found['pace']['done']:.0f}",
            "",
        )
        cpu = found["held"][-1]["cpu_us"]
        parts = ", ".join(f"{part} {value:.0f}" for part, value in cpu.items())
        yield f"CPU time for each of them, us: {parts}", f"{sum(cpu.values()):.0f}", ""
        lone = found.get("idle")
        if lone is None:
            continue
        yield (
            f"first packet in to first packet out, idle, {kind.upper()}, ms",
            f"p50 {lone['p50_ms']:.2f}, p99 {lone['p99_ms']:.2f}",
            "p50 2.5, p99 10; p50 1",
        )
    for where, found in report["paths"].items():
        for name, path in found["paths"].items():
            yield (
                f"{name}, {where}: lone packets, us; packets/s; us of CPU in the busiest process",
                f"p50 {path['p50_us']:.0f}, p99 {path['p99_us']:.0f}; "
                f"{path['packets_per_second']:.0f}; {path['busiest_us']:.1f}",
                "",
            )
        ratios = (found[f"{what}_ratio"] for what in ("latency", "rate", "busiest"))
        yield (
            f"Express Path against SPU path, {where}: latency; packets/s; CPU",
            "; ".join(f"{ratio:.1f}" for ratio in ratios),
            "5; 5",
        )
    alone = report["machines"]
    for kind, value in alone["set_ups_per_second"].items():
        yield (
            f"machines alone, {kind.upper()}, set-ups/s of a core",
            f"{value:.0f}",
            MACHINES_TARGET,
        )
    yield (
        f"controller memory of a session, of {alone['held']}, bytes",
        f"{alone['bytes_per_session']:.0f}",
        "2,560; 1,024",
    )


def table(report: dict[str, Any]) -> str:
    """In Markdown."""
    lines = ["| | measured | target; stretch |", "|---|---|---|"]
    lines += [f"| {what} | {result} | {target} |" for what, result, target in rows(report)]
    conditions = f"commit {report['commit']}, Linux {report['kernel']}, {report['cores']} cores"
    return "\n".join(lines) + f"\n\n{conditions}, load {report['load'][0]} at the beginning.\n"


def summary(report: dict[str, Any]) -> str:
    """The few figures that a reader wants first."""
    made, found = report["setups"], []
    for kind, name in _NAMES.items():
        last = made[kind]["held"][-1]
        lost = f"{last['lost']} lost" if last["lost"] else "none lost"
        found.append(
            (f"{name}, a second", f"{last['done']:,.0f}, {lost} in {report['seconds']:g} s")
        )
    lone = made["udp"]["idle"]
    found.append(
        ("a first packet, in to out, p50 / p99", f"{lone['p50_ms']:.2f} / {lone['p99_ms']:.2f} ms")
    )
    for where, ratios in report["paths"].items():
        found.append(
            (
                f"Express Path against SPU path, {where}",
                f"latency {ratios['latency_ratio']:.1f} x, packets/s {ratios['rate_ratio']:.1f} x",
            )
        )
    head = (
        f"Through NPUs and a controller that share {report['cores']} cores, with source NAT, "
        f"commit {report['commit']}:\n\n"
    )
    return head + page.table(["", "measured"], found)


def measure(build: Build, arguments: argparse.Namespace, head: dict[str, Any]) -> dict[str, Any]:
    """All of it; the table goes beside the results, and into the page."""
    report: dict[str, Any] = {
        "seconds": arguments.seconds,
        "machines": machines(arguments.held),
        "setups": setups.measure(build, arguments.seconds),
        "paths": paths.measure(build),
    }
    text = table({**head, **report})
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.with_suffix(".md").write_text(text)
    print(text)
    if arguments.page is not None:
        page.replace(arguments.page, text, MARKS)
    if arguments.summary is not None:
        page.replace(arguments.summary, summary({**head, **report}), MARKS)
    return report


def main(words: list[str]) -> int:
    parser = chassis.parser("control_plane", __doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="that a rate is held for")
    parser.add_argument("--held", type=int, default=500_000, help="sessions, to measure memory")
    parser.add_argument("--page", type=Path, help="put the table into this page")
    parser.add_argument("--summary", type=Path, help="put a few figures into this page")
    try:
        return chassis.run(parser, words, measure)
    except page.NoMarks as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
