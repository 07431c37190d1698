"""The reference data plane: one Python thread between interfaces and the reference engine.

Made to be right and traceable, not fast; see ``dataplane.py`` for what it promises.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from p4embed.switch.dataplane import Listener, Options, PortError
from p4embed.switch.engine import Engine, Sent
from p4embed.switch.interface import Interface
from p4embed.switch.pcap import PcapWriter
from p4embed.switch.program import Program
from p4embed.switch.reference import ReferenceEngine
from p4embed.switch.trace import Tracer

log = logging.getLogger("p4embed.switch")

BURST = 64
"""Frames taken from one interface before the next has its turn."""

IDLE_INTERVAL = 0.1
"""Seconds between sweeps for idle entries."""


class ReferenceDataplane:
    """A ``Dataplane`` on the reference engine."""

    def __init__(self, options: Options, trace: Tracer | None = None) -> None:
        self._options = options
        self._trace = trace
        self._engine: ReferenceEngine | None = None
        self._interfaces: dict[int, Interface] = {}
        self._pcaps: dict[tuple[str, str], PcapWriter] = {}
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._packets_out: deque[bytes] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._failed_sends = 0

    @property
    def engine(self) -> ReferenceEngine:
        """The state of the loaded program."""
        if self._engine is None:
            raise RuntimeError("no program is loaded")
        return self._engine

    def check(self, program: Program) -> None:
        """Whatever loads can run."""

    def prepare(self, program: Program) -> ReferenceEngine:
        """Fresh state of a program."""
        engine = ReferenceEngine(program, self._options.drop_port)
        engine.trace = self._trace
        return engine

    def use(self, engine: Engine) -> None:
        """Run another program from the next packet on."""
        if not isinstance(engine, ReferenceEngine):
            raise TypeError(f"{type(engine).__name__} is not of this data plane")
        self._engine = engine

    def start(self, ports: Mapping[int, str], listener: Listener) -> None:
        """Attach all interfaces, or none."""
        self._listener = listener
        try:
            for port, name in ports.items():
                self._interfaces[port] = Interface(port, name)
                if self._options.pcap_directory is not None:
                    self._open_pcaps(name, Path(self._options.pcap_directory))
        except PortError:
            self._detach()
            raise
        self._thread = threading.Thread(target=self._run, name="data plane", daemon=True)
        self._thread.start()

    def _open_pcaps(self, name: str, directory: Path) -> None:
        for direction in ("in", "out"):
            path = directory / f"{name}_{direction}.pcap"
            try:
                self._pcaps[name, direction] = PcapWriter(path)
            except OSError as error:
                raise PortError(f"cannot write {path}: {error.strerror}") from None

    def packet_out(self, frames: Sequence[bytes]) -> None:
        """Queue frames for the data thread."""
        self._packets_out.extend(frames)
        self._wake()

    def _wake(self) -> None:
        os.write(self._wake_write, b"\0")

    def stop(self) -> None:
        """Stop and detach."""
        if self._stopping:
            return
        self._stopping = True
        self._wake()
        if self._thread is not None:
            self._thread.join(1.0)
        self._detach()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _detach(self) -> None:
        for interface in self._interfaces.values():
            interface.close()
        self._interfaces.clear()
        for pcap in self._pcaps.values():
            pcap.close()
        self._pcaps.clear()

    # -- data thread --------------------------------------------------------------------------

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        by_descriptor = {i.socket.fileno(): i for i in self._interfaces.values()}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        next_sweep = time.monotonic() + IDLE_INTERVAL
        while not self._stopping:
            wait = max(next_sweep - time.monotonic(), 0)
            for descriptor, _events in poll.poll(wait * 1000):
                if descriptor == self._wake_read:
                    os.read(self._wake_read, 4096)
                    self._send_packets_out()
                    continue
                interface = by_descriptor[descriptor]
                try:
                    self._receive(interface)
                except OSError as error:
                    log.error("interface '%s' is lost: %s", interface.name, error.strerror)
                    poll.unregister(descriptor)
            if time.monotonic() >= next_sweep:
                next_sweep = time.monotonic() + IDLE_INTERVAL
                self._sweep()

    def _receive(self, interface: Interface) -> None:
        for _ in range(BURST):
            frame = interface.receive()
            if frame is None:
                return
            self._record(interface.name, "in", frame)
            self._process(interface.port, frame)

    def _send_packets_out(self) -> None:
        while self._packets_out and self._options.cpu_port is not None:
            self._process(self._options.cpu_port, self._packets_out.popleft())

    def _process(self, port: int, frame: bytes) -> None:
        engine = self._engine
        if engine is None:
            return
        self._transmit(engine.process(port, frame, time.monotonic_ns()))
        digests = engine.take_digests()
        if digests and self._listener is not None:
            self._listener.digests(digests)

    def _transmit(self, sent: list[Sent]) -> None:
        for packet in sent:
            if packet.port == self._options.cpu_port:
                assert self._listener is not None
                self._listener.packets_in([packet.frame])
                continue
            interface = self._interfaces.get(packet.port)
            if interface is None:
                continue
            self._record(interface.name, "out", packet.frame)
            if not interface.send(packet.frame):
                self._failed_sends += 1
                if self._failed_sends.bit_count() == 1:
                    log.warning(
                        "interface '%s' took no frame of %d bytes (%d refused so far)",
                        interface.name,
                        len(packet.frame),
                        self._failed_sends,
                    )

    def _record(self, name: str, direction: str, frame: bytes) -> None:
        pcap = self._pcaps.get((name, direction))
        if pcap is not None:
            pcap.write(frame)

    def _sweep(self) -> None:
        engine = self._engine
        if engine is None or self._listener is None:
            return
        idle = engine.idle_entries(time.monotonic_ns())
        if idle:
            self._listener.idle(idle)
