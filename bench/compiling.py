#!/usr/bin/env python3
"""How long compilers take for npu.p4, side by side.

    python -m bench.compiling --compiler p4embed-c --compiler p4c --out build/bench/compiling.json

Wall-clock seconds of whole processes, JSON and P4Info written, each compiler in turn. The figures
contain the start of the process, as a user meets it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.report import header

PROGRAM = Path(__file__).resolve().parents[1] / "p4src" / "npu.p4"


def once(compiler: str) -> float:
    """Seconds."""
    with tempfile.TemporaryDirectory() as out:
        words = [compiler, "--target", "bmv2", "--arch", "v1model", "-o", out]
        words += ["--p4runtime-files", f"{out}/npu.p4info.txtpb", str(PROGRAM)]
        begun = time.monotonic()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.monotonic() - begun


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--compiler", action="append", help="program; again for another")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("build/bench/compiling.json"))
    arguments = parser.parse_args(words)
    seconds: dict[str, list[float]] = {name: [] for name in arguments.compiler or ["p4embed-c"]}
    try:
        for _ in range(arguments.rounds):
            for name, found in seconds.items():
                found.append(once(name))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"bench.compiling: {error}", file=sys.stderr)
        return 2
    for name, found in seconds.items():
        print(f"{name:>16}  {statistics.median(found):.2f} s for npu.p4")
    report = header(", ".join(seconds), "") | {"seconds": seconds}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
