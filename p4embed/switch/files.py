"""A data plane without interfaces: frames come from pcap files and go to pcap files.

As with simple_switch's ``--use-files``, a port with interface ``x`` reads ``x_in.pcap`` and writes
``x_out.pcap``. Frames of all files run in the order of their time stamps, one after the other
without waiting, and at those times: a replay ends the same each time. Controllers are served as
ever; packets-out run between frames.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from p4embed.switch.dataplane import Listener, Options, PortError
from p4embed.switch.engine import Engine, Learning, Sent
from p4embed.switch.pcap import PcapError, PcapWriter, read_pcap
from p4embed.switch.program import Program

log = logging.getLogger("p4embed.switch")

IDLE_INTERVAL_NS = 100_000_000
"""Recorded time between sweeps for idle entries."""

Frame = tuple[int, int, bytes]
"""Recorded time, port, frame."""


class FileDataplane:
    """A ``Dataplane`` on files, with engines of any kind."""

    def __init__(
        self, options: Options, make: Callable[[Program], Engine], wait_s: float = 0.0
    ) -> None:
        """``wait_s``: until the first frame, for a controller to bring program and entries."""
        self._options = options
        self._make = make
        self._wait_s = wait_s
        self._engine: Engine | None = None
        self._listener: Listener | None = None
        self._inputs: dict[int, Path] = {}
        self._outputs: dict[int, PcapWriter] = {}
        self._packets_out: deque[bytes] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.done = threading.Event()
        """Set once all files have been read."""

    @property
    def engine(self) -> Engine:
        """The state of the loaded program."""
        if self._engine is None:
            raise RuntimeError("no program is loaded")
        return self._engine

    def check(self, program: Program) -> None:
        """``RuntimeError`` where an engine cannot be made."""
        self._make(program).close()

    def prepare(self, program: Program) -> Engine:
        """Fresh state of a program."""
        return self._make(program)

    def use(self, engine: Engine) -> None:
        """Run another program from the next frame on."""
        old, self._engine = self._engine, engine
        if old is not None:
            old.close()

    def start(self, ports: Mapping[int, str], listener: Listener) -> None:
        """Open all files, or none."""
        self._listener = listener
        for port, name in ports.items():
            path = Path(f"{name}_in.pcap")
            if not path.is_file():
                raise PortError(f"no file '{path}' for port {port}")
            self._inputs[port] = path
        try:
            for port, name in ports.items():
                self._outputs[port] = PcapWriter(Path(f"{name}_out.pcap"))
        except OSError as error:
            self._close_files()
            raise PortError(f"cannot write {error.filename}: {error.strerror}") from None
        self._thread = threading.Thread(target=self._run, name="data plane", daemon=True)
        self._thread.start()

    def packet_out(self, frames: Sequence[bytes]) -> None:
        """Queue frames for the data thread."""
        self._packets_out.extend(frames)
        self._wake.set()

    def stop(self) -> None:
        """Stop and close all files."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(1.0)
        self._close_files()

    def _close_files(self) -> None:
        for output in self._outputs.values():
            output.close()
        self._outputs.clear()

    # -- data thread --------------------------------------------------------------------------

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stopping and (left := started + self._wait_s - time.monotonic()) > 0:
            self._wait(left)
        self._replay()
        log.info("all files are replayed")
        self.done.set()
        while not self._stopping:
            self._wait(None)

    def _wait(self, seconds: float | None) -> None:
        self._wake.wait(seconds)
        self._wake.clear()
        self._send_packets_out()

    def _send_packets_out(self) -> None:
        while self._packets_out:
            frame = self._packets_out.popleft()
            if self._options.cpu_port is not None:
                self._process(self._options.cpu_port, frame, time.monotonic_ns(), time.time_ns())

    def _replay(self) -> None:
        try:
            offset_ns, swept_ns = None, 0
            for recorded_ns, port, frame in heapq.merge(*map(self._frames, self._inputs)):
                if self._stopping:
                    return
                if offset_ns is None:
                    offset_ns = time.monotonic_ns() - recorded_ns
                now_ns = recorded_ns + offset_ns
                self._send_packets_out()
                self._process(port, frame, now_ns, recorded_ns)
                if now_ns - swept_ns >= IDLE_INTERVAL_NS:
                    swept_ns = now_ns
                    self._sweep(now_ns)
        except (OSError, PcapError) as error:
            log.error("the replay ends: %s", error)

    def _frames(self, port: int) -> Iterator[Frame]:
        path = self._inputs[port]
        try:
            for recorded in read_pcap(path):
                yield recorded.time_ns, port, recorded.frame
        except PcapError as error:
            raise PcapError(f"{path}: {error}") from None

    def _process(self, port: int, frame: bytes, now_ns: int, recorded_ns: int) -> None:
        engine = self._engine
        if engine is None:
            return
        for packet in engine.process(port, frame, now_ns):
            self._transmit(packet, recorded_ns)
        if isinstance(engine, Learning) and self._listener is not None:
            digests = engine.take_digests()
            if digests:
                self._listener.digests(digests)

    def _transmit(self, packet: Sent, recorded_ns: int) -> None:
        if packet.port == self._options.cpu_port:
            if self._listener is not None:
                self._listener.packets_in([packet.frame])
            return
        output = self._outputs.get(packet.port)
        if output is not None:
            output.write(packet.frame, recorded_ns)

    def _sweep(self, now_ns: int) -> None:
        if self._engine is not None and self._listener is not None:
            idle = self._engine.idle_entries(now_ns)
            if idle:
                self._listener.idle(idle)
