"""Runs each case in a process of its own, several at a time, so that one crash costs one case."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

K = TypeVar("K")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Crash:
    """A case that came to no result."""

    reason: str
    """A line: the exception and where it was raised, the signal, or the time-out."""


@dataclass(slots=True)
class _Running(Generic[K]):
    key: K
    process: BaseProcess
    deadline: float


def run_all(
    work: Callable[[K], R], keys: Iterable[K], jobs: int, timeout: float
) -> Iterator[tuple[K, R | Crash]]:
    """``work(key)`` for each key, in forked children; results as they come, a ``Crash`` for none.

    ``timeout`` is in seconds, for each case. Results must be picklable.
    """
    context = multiprocessing.get_context("fork")
    waiting = iter(keys)
    running: dict[Connection, _Running[K]] = {}
    exhausted = False
    try:
        while True:
            while not exhausted and len(running) < jobs:
                try:
                    key = next(waiting)
                except StopIteration:
                    exhausted = True
                    break
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_child, args=(work, key, theirs))
                process.start()
                theirs.close()
                running[ours] = _Running(key, process, time.monotonic() + timeout)
            if not running:
                return
            ready = wait(list(running), timeout=0.2)
            for pipe, case in list(running.items()):
                if pipe in ready:
                    yield case.key, _result(pipe, case.process)
                elif time.monotonic() > case.deadline:
                    _kill_group(case.process)
                    yield case.key, Crash(f"no result within {timeout:.0f} s")
                else:
                    continue
                pipe.close()
                del running[pipe]
    finally:
        for case in running.values():
            _kill_group(case.process)


def _result(pipe: Connection, process: BaseProcess) -> Any:
    try:
        found = pipe.recv()
    except EOFError:
        process.join()
        code = process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return Crash(f"the process died: {how}")
    process.join()
    return found


def _kill_group(process: BaseProcess) -> None:
    """The child and what it started; it leads a process group."""
    if process.pid is not None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
    process.join()


def _child(work: Callable[[K], R], key: K, pipe: Connection) -> None:
    os.setpgid(0, 0)
    try:
        result: object = work(key)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{os.path.basename(frame.filename)}:{frame.lineno}"
        result = Crash(f"{type(error).__name__} at {where}: {_line(str(error))}")
    pipe.send(result)
    pipe.close()


def _line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""
