"""What the benchmarks that hold switches side by side share as programs.

Each runs itself again in namespaces of its own, which vanish with it, measures its switches in
turn, round by round, and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from support.switch import SetupError, run_in_namespace

from bench.report import header

INSIDE = "WINGPATH_BENCH_INSIDE"


def parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """The arguments that all of them take."""
    made = argparse.ArgumentParser(f"bench.{name}", description=(doc or "").partition("\n")[0])
    made.add_argument(
        "--switch", action="append", help="program and first arguments; again for another"
    )
    made.add_argument("--out", type=Path, default=Path(f"build/bench/{name}.json"))
    made.add_argument("--rounds", type=int, default=3)
    return made


def add_program(made: argparse.ArgumentParser) -> None:
    """The arguments of those that measure npu.p4."""
    made.add_argument("--json", type=Path, default=Path("build/npu.json"))
    made.add_argument("--p4info", type=Path, default=Path("build/npu.p4info.txtpb"))


def main(
    made: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], Mapping[str, object]],
    words: Sequence[str],
) -> int:
    """Parse, enter the namespaces, run there, write what ``run`` returns; an exit status."""
    arguments = made.parse_args(words)
    arguments.switch = arguments.switch or ["p4embed-switch"]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if INSIDE not in os.environ:
            os.environ[INSIDE] = "1"
            return run_in_namespace([sys.executable, "-m", made.prog, *words])
        report: dict[str, Any] = header(", ".join(arguments.switch), "") | dict(run(arguments))
    except (SetupError, OSError, subprocess.CalledProcessError, grpc.RpcError) as error:
        print(f"{made.prog}: {error}", file=sys.stderr)
        return 2
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0
