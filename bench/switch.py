#!/usr/bin/env python3
"""Everything that is measured of the switch, in one run: JSON and the tables of a page.

    python -m bench.switch --switch p4embed-switch --against "simple_switch_grpc -L off" \
        --compiler p4embed-c --compiler p4c --out build/bench --page docs/PERFORMANCE.md

Runs bench.compiling, pipeline, lookup (twice: by entries, by tables), writes (twice: few sessions
often, 500,000 once) and forwarding one after the other, each of which measures what is compared in
turn. Writes ``switch.json`` with all of their results and ``switch.md`` with the tables; these go
into the page, too, between its two marks, and a few figures into the README. Ten minutes on a quiet
machine. Needs root, and build/npu.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import page
from bench.report import header

SESSIONS = 500_000


def steps(arguments: argparse.Namespace) -> list[tuple[str, list[str]]]:
    """What to run: a name, and the module with its arguments."""
    out: Path = arguments.out
    switches = [word for name in arguments.switches for word in ("--switch", name)]
    compilers = [word for name in arguments.compiler for word in ("--compiler", name)]

    def step(name: str, module: str, *words: object) -> tuple[str, list[str]]:
        command = [sys.executable, "-m", f"bench.{module}", *map(str, words)]
        return name, [*command, "--out", str(out / f"{name}.json")]

    return [
        step("compiling", "compiling", *compilers),
        step("pipeline", "pipeline"),
        step("lookup", "lookup", "--by", "entries", *switches, "--rounds", 2, "--seconds", 0.5),
        step("tables", "lookup", "--by", "tables", *switches, "--rounds", 3, "--seconds", 0.5),
        step("writes", "writes", *switches, "--rounds", arguments.rounds),
        step("sessions", "writes", *switches, "--rounds", 1, "--sessions", SESSIONS),
        step("forwarding", "forwarding", *switches, "--rounds", arguments.rounds,
             "--seconds", 0.5),
    ]  # fmt: skip


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All steps. ``CalledProcessError`` if one fails, which has then said why."""
    measured = header(", ".join(arguments.switches), "")
    for name, command in steps(arguments):
        begun = time.monotonic()
        print(f"==> {name}", flush=True)
        subprocess.run(command, check=True)
        print(f"    {time.monotonic() - begun:.0f} s", flush=True)
        measured[name] = json.loads((arguments.out / f"{name}.json").read_text())
    return measured


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--switch", default="p4embed-switch")
    parser.add_argument("--against", help="what it is held against: program and first arguments")
    parser.add_argument("--compiler", action="append", help="program; again for another")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--page", type=Path, help="put the tables into this page")
    parser.add_argument("--summary", type=Path, help="put a few figures into this one")
    arguments = parser.parse_args(words)
    arguments.switches = [arguments.switch, *filter(None, [arguments.against])]
    arguments.compiler = arguments.compiler or ["p4embed-c"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        measured = run(arguments)
    except subprocess.CalledProcessError as error:
        print(f"bench.switch: {' '.join(error.cmd[2:4])} failed", file=sys.stderr)
        return error.returncode
    (arguments.out / "switch.json").write_text(json.dumps(measured, indent=1) + "\n")
    text = page.render(measured)
    (arguments.out / "switch.md").write_text(text)
    print(text)
    if arguments.page is not None:
        page.replace(arguments.page, text)
    if arguments.summary is not None:
        page.replace(arguments.summary, page.summary(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
