"""The native data plane: a C thread that forwards, and Python threads that listen.

One takes digests, if the program has any; one sweeps for idle entries: all of them every 0.1 s
while they are few, every second when they are many, a slice at a time. A third waits for frames to
the CPU port, unless an event loop collects them.
"""

from __future__ import annotations

import ctypes as c
import errno
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from enum import Flag

from p4embed.switch.dataplane import Listener, Options, PortError
from p4embed.switch.engine import Engine
from p4embed.switch.native.binding import END, NO_CPU_PORT, PortCounts, runtime
from p4embed.switch.native.build import NativeError
from p4embed.switch.native.engine import SWEEP, NativeEngine, generated
from p4embed.switch.native.idle import PackedIdle
from p4embed.switch.native.packets import PackedFrames, packed
from p4embed.switch.program import Program

log = logging.getLogger("p4embed.switch")

IDLE_INTERVAL = 0.1
"""Seconds between slices of the sweep for idle entries."""
DIGEST_INTERVAL = 0.02
"""Seconds between looks for digests."""
_SLICES = 10
"""Slices of a sweep over tables too large for one."""
_FETCH_ROOM = 1 << 17
"""Bytes of frames for the controller that one call brings; more than the longest frame."""


class Way(Flag):
    """What of a port goes by memory shared with the kernel; as ``wp_dataplane_mapped``."""

    RECEIVES = 1
    SENDS = 2


class NativeDataplane:
    """A ``Dataplane`` on the native engine."""

    def __init__(self, options: Options) -> None:
        """``NativeError`` if the runtime cannot be built."""
        self._options = options
        self._c = runtime()
        cpu_port = NO_CPU_PORT if options.cpu_port is None else options.cpu_port
        self._handle: int | None = self._c.wp_dataplane_open(cpu_port, options.mapped)
        if self._handle is None:
            raise NativeError("no memory for the data plane")
        self._engine: NativeEngine | None = None
        self._cursors: dict[int, int] = {}
        self._listener: Listener | None = None
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._has_digests = threading.Event()
        self._is_collected = False
        self._room = c.create_string_buffer(_FETCH_ROOM)
        self._count = c.c_uint32()

    @property
    def engine(self) -> NativeEngine:
        """The state of the loaded program."""
        if self._engine is None:
            raise RuntimeError("no program is loaded")
        return self._engine

    def check(self, program: Program) -> None:
        """``NativeError`` where the program uses what the native executor does not have."""
        generated(program)

    def prepare(self, program: Program) -> NativeEngine:
        """Compile the program if it is not cached, and make fresh state."""
        return NativeEngine(program, self._options.drop_port)

    def use(self, engine: Engine) -> None:
        """Run an engine from now on."""
        if not isinstance(engine, NativeEngine):
            raise TypeError(f"{type(engine).__name__} is not of this data plane")
        with self._lock:
            old, self._engine = self._engine, engine
            self._cursors = {
                index: 0
                for index, table in enumerate(engine.program.tables)
                if table.support_timeout
            }
            if not self._stopping.is_set():
                self._check(self._c.wp_dataplane_use(self._handle, engine.handle))
            if engine.program.digests:
                self._has_digests.set()
        if old is not None:
            old.close()

    @staticmethod
    def _check(error: int) -> None:
        if error:
            raise RuntimeError(f"the data thread cannot run: {os.strerror(error)}")

    def start(self, ports: Mapping[int, str], listener: Listener) -> None:
        """Attach all interfaces, or none."""
        self._listener = listener
        directory = self._options.pcap_directory
        if directory is not None and not os.access(directory, os.W_OK | os.X_OK):
            raise PortError(f"cannot write pcap files to '{directory}': no writable directory")
        attached: list[int] = []
        try:
            for port, name in ports.items():
                self._attach(port, name)
                attached.append(port)
        except PortError:
            for port in attached:
                self._c.wp_dataplane_detach(self._handle, port)
            raise
        for target, name in (
            (self._listen, "packets in"),
            (self._sweep, "idle sweep"),
            (self._learn, "digests"),
        ):
            if target == self._listen and self._is_collected:
                continue
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _attach(self, port: int, name: str) -> None:
        error = self._c.wp_dataplane_attach(
            self._handle, port, name.encode(), (self._options.pcap_directory or "").encode()
        )
        match error:
            case 0:
                self._tell_way(port, name)
                return
            case errno.ENODEV:
                reason = "does not exist; create it, or name another with -i"
                reason += f" {port}@<interface>"
            case errno.EPERM | errno.EACCES:
                reason = "needs root (CAP_NET_RAW) to be opened; use sudo"
            case errno.ERANGE:
                reason = "cannot be attached: port numbers of the native executor end at 511"
            case _:
                reason = f"cannot be opened: {os.strerror(error)}"
        raise PortError(f"interface '{name}' of port {port} {reason}")

    def _tell_way(self, port: int, name: str) -> None:
        """Say so where the way that was asked for is not to be had."""
        missing = (Way.RECEIVES | Way.SENDS) & ~self.way(port)
        if self._options.mapped and missing:
            log.info("port %d: '%s' goes without memory that is mapped (%s)", port, name, missing)

    def way(self, port: int) -> Way:
        """Which ways of a port go by memory shared with the kernel at the moment."""
        with self._lock:
            return Way(self._c.wp_dataplane_mapped(self._handle, port))

    def packet_out(self, frames: Sequence[bytes]) -> None:
        """Run frames through the program now; they have left when this returns."""
        with self._lock:
            if self._stopping.is_set() or self._options.cpu_port is None:
                return
            batch = packed(frames)
            self._c.wp_dataplane_inject(self._handle, batch, len(frames))

    def counts(self, port: int) -> PortCounts | None:
        """What passed a port and what was lost there; ``None`` if nothing is attached."""
        counts = PortCounts()
        with self._lock:
            if self._stopping.is_set():
                return None
            found = self._c.wp_dataplane_counts(self._handle, port, c.byref(counts))
        return counts if found else None

    def stop(self) -> None:
        """Stop and detach."""
        with self._lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
            self._has_digests.set()
            self._check(self._c.wp_dataplane_use(self._handle, None))
            self._c.wp_dataplane_end_fetch(self._handle)
        for thread in self._threads:
            thread.join()
        lost = self._c.wp_dataplane_cpu_lost(self._handle)
        if lost:
            log.warning("%d frames for the controller were lost: it took them too slowly", lost)
        self._c.wp_dataplane_close(self._handle)
        self._handle = None
        if self._engine is not None:
            self._engine.close()

    # -- frames for the controller --------------------------------------------------------------

    def bell(self) -> int:
        """Have frames collected from now on; see ``Collected``."""
        self._is_collected = True
        return int(self._c.wp_dataplane_bell(self._handle))

    def collect(self) -> None:
        """Tell the listener of frames that wait, as many as fit into one call."""
        if self._stopping.is_set():
            return
        used = self._c.wp_dataplane_try_fetch(
            self._handle, self._room, _FETCH_ROOM, c.byref(self._count)
        )
        if used:
            self._tell(used)

    # -- listening threads --------------------------------------------------------------------

    def _listen(self) -> None:
        while used := self._c.wp_dataplane_fetch(
            self._handle, self._room, _FETCH_ROOM, c.byref(self._count)
        ):
            self._tell(used)

    def _tell(self, used: int) -> None:
        assert self._listener is not None
        self._listener.packets_in(PackedFrames(c.string_at(self._room, used), self._count.value))

    def _sweep(self) -> None:
        assert self._listener is not None
        while not self._stopping.wait(IDLE_INTERVAL):
            with self._lock:
                engine, cursors = self._engine, dict(self._cursors)
            if engine is None:
                continue
            found: list[PackedIdle] = []
            try:
                for table, cursor in cursors.items():
                    cursors[table] = _slice(engine, table, cursor, found)
            except RuntimeError:  # closed meanwhile: another program was loaded
                continue
            with self._lock:
                if engine is self._engine:
                    self._cursors = cursors
            for idle in found:
                self._listener.idle(idle)

    def _learn(self) -> None:
        assert self._listener is not None
        self._has_digests.wait()
        while not self._stopping.wait(DIGEST_INTERVAL):
            engine = self._engine
            if engine is None or not engine.program.digests:
                continue
            try:
                digests = engine.take_digests()
            except RuntimeError:  # closed meanwhile: another program was loaded
                continue
            if digests:
                self._listener.digests(digests)


def _slice(engine: NativeEngine, table: int, cursor: int, found: list[PackedIdle]) -> int:
    """Sweep a tenth of a table, or all of it if that is little; where to go on. Idle entries are
    added to ``found``."""
    left = max(engine.entry_count(table) // _SLICES, _SLICES * SWEEP)
    now_ns = time.monotonic_ns()
    while left > 0:
        idle, cursor = engine.sweep(table, now_ns, cursor, SWEEP)
        if idle:
            found.append(idle)
        left -= SWEEP
        if cursor == END:
            return 0
    return cursor
