"""A controller as a running process: started, ready, and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from pathlib import Path

from controller.config.cards import Chassis
from controller.config.schema import Configuration
from controller.npu.pipeline import Pipeline
from controller.operate.operator import Operator
from controller.operate.server import OperatorServer
from controller.operate.session_log import SessionLog
from controller.runtime import Runtime

SESSION_LOGGER = logging.getLogger("RT_FLOW")


async def serve(
    configuration: Configuration,
    chassis: Chassis,
    pipeline: Pipeline,
    socket: Path,
    ready_file: Path | None = None,
) -> int:
    """Control a chassis until SIGINT or SIGTERM (0), or until an NPU is gone (1).

    Prints one line that starts with ``ready:`` once packets are forwarded; writes it into
    ``ready_file`` too. Raises ``NpuError``, ``SocketError`` or ``FabricError`` when it cannot
    start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runtime = Runtime(configuration, chassis, pipeline)
    log = SessionLog(configuration, runtime.session, SESSION_LOGGER.info)
    runtime.observer.on_close = log.closed
    runtime.observer.on_create = log.created
    runtime.observer.on_deny = log.denied
    runtime.observer.on_nat = log.nat
    runtime.on_configuration.append(log.configure)
    operator = Operator(runtime)
    server = OperatorServer(operator, socket)
    sampling = asyncio.ensure_future(operator.history.run())
    try:
        starting = asyncio.ensure_future(_start(runtime, server))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            return 0
        starting.result()
        calm_garbage_collection()
        ready = f"ready: {_cards(chassis)}; operators at {socket}"
        print(ready, flush=True)
        if ready_file is not None:
            _write(ready_file, ready + "\n")
        lost = asyncio.ensure_future(runtime.lost())
        await asyncio.wait((lost, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            lost.cancel()
            return 0
        print(f"wingpath: {lost.result()}; stopping", file=sys.stderr)
        return 1
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
        sampling.cancel()
        await server.close()
        await runtime.close()


def _write(path: Path, line: str) -> None:
    """Raises ``OSError``, with the file's name whatever it is that fails."""
    try:
        path.write_text(line, encoding="utf-8")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def calm_garbage_collection() -> None:
    """Sessions live long and form no cycles: looking through all of them again and again would
    only stop packets. Collect rarely, and never what start-up made."""
    gc.collect()
    gc.freeze()
    # The youngest 20,000 objects in 2 ms, with those before them in 4 ms: packets wait meanwhile,
    # and ten times as long where others have the processor. All of them rarely.
    gc.set_threshold(20_000, 0, 2750)


async def _start(runtime: Runtime, server: OperatorServer) -> None:
    await server.start()
    await runtime.start()


def _cards(chassis: Chassis) -> str:
    return f"{len(chassis.npus)} NPUs, {len(chassis.spus)} SPUs"
