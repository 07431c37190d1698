"""The switch as a process: from a command line to an exit status.

Every failure is one line on standard error with what to do about it, and exit status 1 (2 for a
wrong command line). SIGTERM and SIGINT stop the switch within a second.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from p4embed.switch.dataplane import Dataplane, Options, PortError
from p4embed.switch.engine import Engine
from p4embed.switch.files import FileDataplane
from p4embed.switch.load import LoadError, load_bytes
from p4embed.switch.native import NativeDataplane, NativeEngine, NativeError
from p4embed.switch.options import Settings, UsageError, parse
from p4embed.switch.p4runtime import Server, ServerError, Service
from p4embed.switch.ports import ReferenceDataplane
from p4embed.switch.program import Program
from p4embed.switch.reference import ReferenceEngine

log = logging.getLogger("p4embed.switch")

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}


class StartError(Exception):
    """The switch cannot start: why, and what to do."""


def run(arguments: Sequence[str]) -> int:
    """Run the switch until it is told to stop; the exit status."""
    try:
        settings = parse(arguments)
    except UsageError as error:
        print(f"p4embed-switch: {error} (see --help)", file=sys.stderr)
        return 2
    try:
        _serve(settings)
    except (StartError, PortError, ServerError) as error:
        print(f"p4embed-switch: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings) -> None:
    stop = threading.Event()
    # Before anything is opened, so that an early signal finds its way too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    _start_log(settings)
    for line in settings.ignored:
        print(f"p4embed-switch: {line}", file=sys.stderr)
    dataplane = make_dataplane(settings)
    service = Service(settings.device_id, dataplane)
    try:
        _load(settings, dataplane)
        server = Server(service, settings.address, settings.tls)
        try:
            dataplane.start(settings.ports, service)
            server.start()
            print(
                f"p4embed-switch: device {settings.device_id} ready, P4Runtime on"
                f" {settings.address}, {len(settings.ports)} ports, {settings.executor} executor",
                flush=True,
            )
            stop.wait()
        finally:
            server.stop()
    finally:
        dataplane.stop()


def _load(settings: Settings, dataplane: Dataplane) -> None:
    if settings.program is None:
        return
    try:
        text = settings.program.read_bytes()
        dataplane.use(dataplane.prepare(load_bytes(text)))
    except OSError as error:
        raise StartError(
            f"cannot read '{settings.program}': {error.strerror}; compile one with p4embed-c"
        ) from None
    except (LoadError, RuntimeError) as error:
        raise StartError(f"'{settings.program}': {error}") from None


def make_dataplane(settings: Settings) -> Dataplane:
    """The executor that was asked for; ``StartError`` if this machine cannot run it."""
    options = Options(
        settings.cpu_port, settings.drop_port, settings.pcap_directory, settings.mapped
    )
    if settings.files_wait_s is not None:
        return FileDataplane(options, _engine_maker(settings), settings.files_wait_s)
    if settings.executor == "reference":
        return ReferenceDataplane(options, print if settings.trace else None)
    try:
        return NativeDataplane(options)
    except NativeError as error:
        raise StartError(str(error)) from None


def _engine_maker(settings: Settings) -> Callable[[Program], Engine]:
    def reference(program: Program) -> Engine:
        engine = ReferenceEngine(program, settings.drop_port)
        engine.trace = print if settings.trace else None
        return engine

    def native(program: Program) -> Engine:
        return NativeEngine(program, settings.drop_port)

    return reference if settings.executor == "reference" else native


def _start_log(settings: Settings) -> None:
    """Warnings to standard error; more to the console or a file if asked for."""
    handlers: list[logging.Handler] = []
    if settings.log_console:
        handlers.append(logging.StreamHandler(sys.stdout))
    if settings.log_file is not None:
        try:
            handlers.append(logging.FileHandler(settings.log_file))
        except OSError as error:
            raise StartError(f"cannot write {settings.log_file}: {error.strerror}") from None
    log.setLevel(_LEVELS[settings.log_level])
    log.propagate = False
    for handler in handlers or [logging.StreamHandler(sys.stderr)]:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
    if not handlers:
        log.setLevel(max(log.level, logging.WARNING))
