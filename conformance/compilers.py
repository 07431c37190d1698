"""Runs a P4 compiler by its command line and sorts what comes of it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conformance.replay import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler with the command line of p4c."""

    name: str
    command: tuple[str, ...]


P4EMBED = Compiler("p4embed-c", (sys.executable, "-m", "p4embed.compiler.cli"))


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """An error that a compiler reported."""

    file: str
    """Name without directories; empty if the error has no place."""
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiler made of a program: accepted is ``PASSED``."""

    outcome: Outcome
    json: Path | None = None
    p4info: Path | None = None
    errors: tuple[ErrorLine, ...] = ()


# p4embed-c: "file:3:7: error: ..."; p4c: "file(3): [--Werror=...] error: ..." (or "syntax error").
_ERROR = re.compile(
    r"^(?:(?P<file>[^\s:(][^:(\n]*)(?::(?P<l1>\d+)(?::\d+)?:|\((?P<l2>\d+)\):?) *)?"
    r"(?:\[--[^\]]*\] *)?(?:\w+ )?error: *(?P<message>.*)$",
    re.MULTILINE,
)
_BUG = re.compile(
    r"^(Traceback \(most recent call last\):|.*Compiler Bug.*|.*internal error.*)$", re.MULTILINE
)


def errors_in(stderr: str) -> tuple[ErrorLine, ...]:
    """The errors in what p4embed-c or p4c said, in its order."""
    return tuple(
        ErrorLine(
            Path(match["file"] or "").name,
            int(match["l1"] or match["l2"] or 0),
            match["message"].strip(),
        )
        for match in _ERROR.finditer(stderr)
    )


def compile_program(
    compiler: Compiler, source: Path, directory: Path, timeout: float = 60
) -> Compiled:
    """Compile ``source`` into ``directory``, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    p4info = directory / f"{source.stem}.p4info.txtpb"
    command = [
        *compiler.command, "--target", "bmv2", "--arch", "v1model",
        "-o", str(directory), "--p4runtime-files", str(p4info), str(source),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        return Compiled(Outcome(Verdict.CRASHED, f"not done after {timeout:.0f} s"))
    errors = errors_in(done.stderr)
    if bug := _BUG.search(done.stderr):
        last = done.stderr.strip().splitlines()[-1]
        reason = last if bug.group().startswith("Traceback") else bug.group().strip()
        return Compiled(Outcome(Verdict.CRASHED, reason), errors=errors)
    if done.returncode < 0:
        return Compiled(Outcome(Verdict.CRASHED, f"signal {-done.returncode}"), errors=errors)
    made = directory / f"{source.stem}.json"
    if done.returncode == 0 and made.exists():
        return Compiled(
            Outcome(Verdict.PASSED), made, p4info if p4info.exists() else None, errors
        )
    if errors:
        first = errors[0]
        reason = f"line {first.line}: {first.message}" if first.line else first.message
        if first.file and first.file != source.name:
            reason = f"{first.file} {reason}"
        return Compiled(Outcome(Verdict.REFUSED, reason), errors=errors)
    said = (done.stderr or done.stdout).strip().splitlines()
    reason = f"exit status {done.returncode}: {said[-1] if said else 'silent'}"
    return Compiled(Outcome(Verdict.CRASHED, reason))
