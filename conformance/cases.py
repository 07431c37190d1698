"""The cases of a run, and what each does: compile, load, replay.

A case runs in a process of its own (``isolation``), so it may be slow, hang or crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance import stf
from conformance.compilers import Compiled, Compiler, compile_program
from conformance.engines import EngineTarget
from conformance.naming import Names
from conformance.replay import Outcome, Target, Verdict, replay
from p4embed.switch.engine import Engine
from p4embed.switch.load import LoadError, load_bytes
from p4embed.switch.program import Program


class CannotRun(Exception):
    """An executor does not run a program; one line says why."""


@dataclass(frozen=True, slots=True)
class Executor:
    """What runs compiled programs."""

    name: str
    kind: str
    """``reference``, ``native`` or ``bmv2``."""
    path: str = ""
    """The switch program of ``bmv2``."""


@dataclass(frozen=True, slots=True)
class CompileCase:
    """A sample for a compiler."""

    compiler: Compiler
    source: Path
    directory: Path

    def run(self) -> Compiled:
        """Compile it."""
        return compile_program(self.compiler, self.source, self.directory)


@dataclass(frozen=True, slots=True)
class ReplayCase:
    """A compiled sample for an executor."""

    compiler: str
    executor: Executor
    source: Path
    json: Path
    p4info: Path | None

    def run(self) -> Outcome:
        """Load it and replay the script beside its source."""
        try:
            script = stf.parse(self.source.with_suffix(".stf").read_text("utf-8"))
        except stf.StfError as error:
            return Outcome(Verdict.REFUSED, f"script: {error}")
        names = Names.of(self.json.read_bytes())
        try:
            with self._target() as target:
                return replay(script, names, target)
        except (LoadError, CannotRun) as error:
            return Outcome(Verdict.REFUSED, str(error))

    @contextmanager
    def _target(self) -> Iterator[Target]:
        match self.executor.kind:
            case "reference":
                with _engine_target(self.json, _reference) as target:
                    yield target
            case "native":
                with _engine_target(self.json, _native) as target:
                    yield target
            case _:
                with _bmv2_target(self) as target:
                    yield target


@contextmanager
def _engine_target(json: Path, make: Callable[[Program], Engine]) -> Iterator[Target]:
    program = load_bytes(json.read_bytes())
    engine = make(program)
    try:
        yield EngineTarget(program, engine)
    finally:
        engine.close()


def _reference(program: Program) -> Engine:
    from p4embed.switch.reference import ReferenceEngine

    return ReferenceEngine(program)


def _native(program: Program) -> Engine:
    from p4embed.switch.native import NativeEngine
    from p4embed.switch.native.build import NativeError

    try:
        return NativeEngine(program)
    except NativeError as error:
        raise CannotRun(str(error)) from None


@contextmanager
def _bmv2_target(case: ReplayCase) -> Iterator[Target]:
    # grpc must not be in use where processes are forked: only this child imports it.
    from conformance.bmv2 import Bmv2Refused, Bmv2Target

    if case.p4info is None:
        raise CannotRun(f"{case.compiler} wrote no P4Info")
    log = case.json.with_suffix(".bmv2.log")
    try:
        with Bmv2Target(case.executor.path, case.json, case.p4info, log) as target:
            yield target
    except Bmv2Refused as error:
        raise CannotRun(str(error)) from None
