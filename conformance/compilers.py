"""Runs a P4 compiler by its command line and sorts what comes of it."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import p4embed.compiler.p4info.message  # noqa: F401  (once, not in every child that compiles)
from conformance.replay import Outcome, Verdict
from p4embed.compiler.cli import main as p4embed_main


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler with the command line of p4c."""

    name: str
    command: tuple[str, ...] | None
    """How to run it; ``None``: p4embed-c, in this process."""


P4EMBED = Compiler("p4embed-c", None)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command line."""

    status: int
    """Its exit status; of a signal, less than 0."""
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Error:
    """An error that a compiler reported."""

    file: str
    """Name without directories; empty if the error has no place."""
    line: int
    message: str
    also: tuple[tuple[str, int], ...] = ()
    """Further places that it names, as ``file`` and ``line``."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiler made of a program: accepted is ``PASSED``."""

    outcome: Outcome
    json: Path | None = None
    p4info: Path | None = None
    errors: tuple[Error, ...] = ()


# p4embed-c: "file:3:7: error: ..."; p4c: "file(3): [--Werror=...] error: ...", and for syntax
# "file(3):syntax error, ...".
_HEAD = re.compile(
    r"^(?:(?P<file>[^\s:()]+)(?:\((?P<p4c>\d+)\)|:(?P<ours>\d+):\d+): *)?"
    r"(?:\[--[^\]]*\] *)?(?:(?P<kind>error|warning|note|info):|(?=syntax error)) *"
    r"(?P<message>.*)$"
)
_PLACE = re.compile(r"^(?P<file>[^\s:()]+\.p4)\((?P<line>\d+)\)(?::|$)")
_BUG = re.compile(
    r"^(Traceback \(most recent call last\):|.*Compiler Bug.*|.*internal (?:error|fault).*)$",
    re.MULTILINE,
)


def errors_in(said: str) -> tuple[Error, ...]:
    """The errors in what p4embed-c or p4c said, in its order.

    p4c lists the places an error is about, the offending argument for one, on lines of their own.
    """
    found: list[Error] = []
    in_error = False
    for line in said.splitlines():
        if head := _HEAD.match(line):
            in_error = head["kind"] in ("error", None)
            if in_error:
                name = Path(head["file"] or "").name
                at = int(head["p4c"] or head["ours"] or 0)
                found.append(Error(name, at, head["message"]))
        elif in_error and (place := _PLACE.match(line)):
            also = (*found[-1].also, (Path(place["file"]).name, int(place["line"])))
            found[-1] = replace(found[-1], also=also)
    return tuple(found)


def _run(compiler: Compiler, arguments: Sequence[str], timeout: float) -> Ran:
    """Raises ``TimeoutExpired``."""
    if compiler.command is None:
        output, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            status = p4embed_main(arguments)
        return Ran(status, output.getvalue(), errors.getvalue())
    done = subprocess.run(
        [*compiler.command, *arguments],
        capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def compile_program(
    compiler: Compiler, source: Path, directory: Path, timeout: float = 60
) -> Compiled:
    """Compile ``source`` into ``directory``, which is made.

    ``timeout`` is in seconds, for a compiler that is a program; who calls in a process of its own
    (``isolation``) bounds the other.
    """
    directory.mkdir(parents=True, exist_ok=True)
    p4info = directory / f"{source.stem}.p4info.txtpb"
    arguments = [
        "--target", "bmv2", "--arch", "v1model",
        "-o", str(directory), "--p4runtime-files", str(p4info), str(source),
    ]  # fmt: skip
    try:
        done = _run(compiler, arguments, timeout)
    except subprocess.TimeoutExpired:
        return Compiled(Outcome(Verdict.CRASHED, f"not done after {timeout:.0f} s"))
    errors = errors_in(done.errors)
    if bug := _BUG.search(done.errors):
        last = done.errors.strip().splitlines()[-1]
        reason = last if bug.group().startswith("Traceback") else bug.group().strip()
        return Compiled(Outcome(Verdict.CRASHED, reason), errors=errors)
    if done.status < 0:
        return Compiled(Outcome(Verdict.CRASHED, f"signal {-done.status}"), errors=errors)
    made = directory / f"{source.stem}.json"
    if done.status == 0 and made.exists():
        return Compiled(Outcome(Verdict.PASSED), made, p4info if p4info.exists() else None, errors)
    if errors:
        first = errors[0]
        reason = f"line {first.line}: {first.message}" if first.line else first.message
        if first.file and first.file != source.name:
            reason = f"{first.file} {reason}"
        return Compiled(Outcome(Verdict.REFUSED, reason), errors=errors)
    said = (done.errors or done.output).strip().splitlines()
    reason = f"exit status {done.status}: {said[-1] if said else 'silent'}"
    verdict = Verdict.REFUSED if done.status == 1 and said else Verdict.CRASHED
    return Compiled(Outcome(verdict, reason))
