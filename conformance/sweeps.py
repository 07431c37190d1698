"""The sweeps: scripts on every pair of compiler and executor, all programs, and the errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance import report
from conformance.cases import CompileCase, Executor, ReplayCase
from conformance.compilers import P4EMBED, Compiled, Compiler
from conformance.isolation import Crash, run_all
from conformance.replay import Outcome, Verdict
from conformance.samples import ErrorSample

TIMEOUT_S = 120.0
"""For one case."""

Say = Callable[[str], None]


@dataclass
class Sweeps:
    """One run of the command."""

    compilers: Sequence[Compiler]
    executors: Sequence[Executor]
    directory: Path
    """Where compiled programs go."""
    jobs: int
    say: Say
    compiled: dict[str, dict[Path, Compiled]] = field(default_factory=dict)
    """By compiler, then by source."""

    def compile_all(self, sources: Sequence[Path]) -> None:
        """Compile each source with each compiler."""
        for compiler in self.compilers:
            done = self.compiled.setdefault(compiler.name, {})
            cases = [
                CompileCase(compiler, source, self.directory / compiler.name / source.stem)
                for source in sources
                if source not in done
            ]
            self.say(f"compiling {len(cases)} programs with {compiler.name}")
            for case, found in run_all(CompileCase.run, cases, self.jobs, TIMEOUT_S):
                if isinstance(found, Crash):
                    found = Compiled(Outcome(Verdict.CRASHED, found.reason))
                done[case.source] = found

    # -- scripts ------------------------------------------------------------------------------

    def scripts(self, sources: Sequence[Path]) -> dict[str, dict[str, Outcome]]:
        """Replay the scripts; outcomes by pair of compiler and executor, then by sample."""
        self.compile_all(sources)
        found: dict[str, dict[str, Outcome]] = {}
        cases = []
        for compiler in self.compilers:
            for executor in self.executors:
                pair = found.setdefault(_pair(compiler.name, executor), {})
                for source in sources:
                    made = self.compiled[compiler.name][source]
                    if made.json is None:
                        pair[source.stem] = made.outcome
                    else:
                        cases.append(
                            ReplayCase(compiler.name, executor, source, made.json, made.p4info)
                        )
        self.say(f"replaying {len(cases)} scripts")
        for case, outcome in run_all(ReplayCase.run, cases, self.jobs, TIMEOUT_S):
            if isinstance(outcome, Crash):
                outcome = Outcome(Verdict.CRASHED, outcome.reason)
            found[_pair(case.compiler, case.executor)][case.source.stem] = outcome
        return found

    # -- programs -----------------------------------------------------------------------------

    def programs(self, sources: Sequence[Path]) -> None:
        """Compile all, and say which of them p4embed-c does not."""
        self.compile_all(sources)
        ours = self.compiled[P4EMBED.name]
        self.say("")
        self.say(
            report.verdicts(
                "v1model programs compiled",
                [(name, [made.outcome for made in done.values()])
                 for name, done in self.compiled.items()],
            )
        )  # fmt: skip
        self.say(
            report.reasons(
                "p4embed-c does not accept",
                [(f"{source.stem}{self._other(source)}", made.outcome)
                 for source, made in ours.items()],
            )
        )  # fmt: skip
        more = [source.stem for source, made in ours.items()
                if made.json is not None and self._other(source)]  # fmt: skip
        if more:
            self.say(f"\naccepted by p4embed-c, not by p4c:\n  {', '.join(more)}")

    def _other(self, source: Path) -> str:
        """That another compiler does not accept it either, if so."""
        for name, done in self.compiled.items():
            if name != P4EMBED.name and done[source].json is None:
                return f" (nor does {name})"
        return ""


def _pair(compiler: str, executor: Executor) -> str:
    return f"{compiler} on {executor.name}"


def errors(
    samples: Sequence[ErrorSample], directory: Path, jobs: int, say: Say
) -> dict[str, list[str]]:
    """Compile programs that p4c rejects; names by what p4embed-c makes of them."""
    say(f"compiling {len(samples)} programs that p4c rejects")
    cases = {
        CompileCase(P4EMBED, sample.source, directory / "errors" / sample.source.stem): sample
        for sample in samples
    }
    found: dict[str, list[str]] = {kind: [] for kind in ("right", "wrong", "accepted", "crashed")}
    for case, made in run_all(CompileCase.run, cases, jobs, TIMEOUT_S):
        kind, remark = _judge(cases[case], made)
        found[kind].append(f"{case.source.stem}{remark}")
    return found


def _judge(sample: ErrorSample, made: Compiled | Crash) -> tuple[str, str]:
    if isinstance(made, Crash):
        return "crashed", f": {made.reason}"
    match made.outcome.verdict:
        case Verdict.PASSED:
            where = f"line {min(sample.lines)}: " if sample.lines else ""
            return "accepted", f": {where}{sample.first.message}"
        case Verdict.REFUSED:
            ours = {error.line for error in made.errors if error.file == sample.source.name}
            if not sample.lines or ours & sample.lines:
                return "right", ""
            lines = ", ".join(map(str, sorted(sample.lines)))
            return "wrong", f": p4c names line {lines}; p4embed-c: {made.outcome.reason}"
        case _:
            return "crashed", f": {made.outcome.reason}"
