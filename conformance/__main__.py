"""``python -m conformance P4C_CHECKOUT``: see the package's description."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from conformance import report, samples, sweeps
from conformance.cases import Executor
from conformance.compilers import P4EMBED, Compiler
from conformance.replay import Verdict

BASELINE = "p4c on simple_switch_grpc"
"""The pair whose passed scripts p4embed is measured by."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if nothing failed or crashed, 1 if something did, 2 for a wrong call."""
    options = _options(arguments)
    try:
        found = samples.find(options.checkout)
    except samples.NoCheckout as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _pick(options.only, found)
    p4c, switch = shutil.which("p4c"), shutil.which("simple_switch_grpc")
    compilers = [P4EMBED] + ([Compiler("p4c", (p4c,))] if p4c else [])
    executors = [Executor("reference", "reference"), Executor("native", "native")]
    if switch:
        executors.append(Executor("simple_switch_grpc", "bmv2", switch))
    for name, path in (("p4c", p4c), ("simple_switch_grpc", switch)):
        if not path:
            _say(f"SKIPPED: pairs with {name}, which is not on PATH")
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        directory = options.keep or Path(temporary)
        run = sweeps.Sweeps(compilers, executors, directory.resolve(), options.jobs, _say)
        good = True
        if "scripts" in options.sweep:
            good = _scripts(run, _picked(options.only, found.scripted))
        if "programs" in options.sweep:
            run.programs(_picked(options.only, found.v1model))
            ours = run.compiled[P4EMBED.name].values()
            good &= all(made.outcome.verdict is not Verdict.CRASHED for made in ours)
        if "errors" in options.sweep:
            wanted = [e for e in found.errors if not options.only or e.source.stem in options.only]
            good &= _errors(sweeps.errors(wanted, run.directory, options.jobs, _say))
    return 0 if good else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="conformance", description="Judge p4embed by the samples of a p4c checkout."
    )
    parser.add_argument("checkout", type=Path, help="a checkout of p4c")
    parser.add_argument(
        "--sweep", action="append", choices=("scripts", "programs", "errors"), default=None,
        help="only this one (may be repeated; default: all)",
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", metavar="SAMPLE", help="only these samples")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep compiled programs here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="cases at a time (default: one per processor)")  # fmt: skip
    options = parser.parse_args(arguments)
    options.sweep = options.sweep or ["scripts", "programs", "errors"]
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    return options


def _pick(only: Sequence[str] | None, found: samples.Samples) -> None:
    known = {path.stem for path in found.v1model} | {e.source.stem for e in found.errors}
    unknown = sorted(set(only or ()) - known)
    if unknown:
        sys.exit(f"error: no sample {', '.join(unknown)}; give names of files without '.p4'")


def _picked(only: Sequence[str] | None, sources: Sequence[Path]) -> list[Path]:
    return [source for source in sources if not only or source.stem in only]


def _scripts(run: sweeps.Sweeps, sources: Sequence[Path]) -> bool:
    found = run.scripts(sources)
    _say("\n" + report.verdicts("scripts", [(k, v.values()) for k, v in found.items()]))
    if BASELINE in found:
        able = {name for name, o in found[BASELINE].items() if o.verdict is Verdict.PASSED}
        rows = []
        for pair, outcomes in found.items():
            passed = sum(outcomes[name].verdict is Verdict.PASSED for name in able)
            rows.append((pair, [passed, len(able), round(100 * passed / max(len(able), 1))]))
        _say("\n" + report.table(f"of what passes with {BASELINE}", ["passed", "of", "%"], rows))
    for pair, outcomes in found.items():
        _say(report.reasons(pair, outcomes.items()))
    bad = (Verdict.FAILED, Verdict.CRASHED)
    return not any(o.verdict in bad for pair in found.values() for o in pair.values())


def _errors(found: dict[str, list[str]]) -> bool:
    counts = [len(names) for names in found.values()]
    _say("\n" + report.table("programs that p4c rejects", [*found, "of"],
                             [(P4EMBED.name, [*counts, sum(counts)])]))  # fmt: skip
    for kind in ("crashed", "accepted", "wrong"):
        if found[kind]:
            _say(f"\n{kind}:")
            for name in sorted(found[kind]):
                _say(f"  {report.shorten(name)}")
    return not found["crashed"]


def _say(text: str) -> None:
    if text:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
