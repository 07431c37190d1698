"""Two wires, the C program that sends, probes and forwards over them, and its frames.

Frames arrive at port ``IN`` of what is measured and leave by ``OUT``; counts are the kernel's.
"""

from __future__ import annotations

import random
import statistics
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.switch import SetupError, switch_side, test_side

ADDRESS = "127.0.0.1:9559"
"""Of the P4Runtime server that is measured."""
IN, OUT = 1, 2
FRAME_BYTES = 100
LOSS_ALLOWED = 0.001
SETTLE_SECONDS = 0.3
"""What is under way when a sender stops gets this long to arrive."""


def compiled(out: Path) -> Path:
    """The C program."""
    program = out / "traffic"
    source = Path(__file__).parent / "native" / "traffic.c"
    subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    return program


def write_frames(path: Path, frame: Callable[[int], bytes], flows: int) -> None:
    """The file that the sender reads: a frame of each flow, in random order."""
    order = list(range(flows))
    random.Random(0).shuffle(order)
    with path.open("wb") as file:
        for flow in order:
            data = frame(flow)
            file.write(struct.pack("<H", len(data)) + data)


class Traffic:
    """The C program that sends and probes."""

    def __init__(self, program: Path, frames: Path) -> None:
        self.program = program
        self.frames = frames

    @staticmethod
    def arrived() -> int:
        """Frames that came out at the far end so far."""
        for line in Path("/proc/net/dev").read_text().splitlines():
            name, colon, counts = line.partition(":")
            if colon and name.strip() == test_side(OUT):
                return int(counts.split()[1])
        raise SetupError(f"{test_side(OUT)} is gone")

    def send(self, rate: float, seconds: float) -> tuple[float, float]:
        """Send at a rate (0: flood); packets a second sent, and received."""
        before = self.arrived()
        command = [self.program, "send", test_side(IN), self.frames, str(rate), str(seconds)]
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=True
        )
        sent, took = (float(word) for word in done.stdout.split())
        time.sleep(SETTLE_SECONDS)
        return sent / took, (self.arrived() - before) / took

    def flood(self, process: subprocess.Popen[bytes], seconds: float) -> tuple[float, float, float]:
        """Packets a second sent, and received; and received for each second that a process ran,
        which tells little lies even on a machine that is busy with other things."""
        before = self.arrived(), cpu_seconds(process.pid)
        offered, received = self.send(0, seconds)
        passed, ran = self.arrived() - before[0], cpu_seconds(process.pid) - before[1]
        return offered, received, passed / ran

    def loss_free(self, most: float, seconds: float) -> float:
        """The highest rate at which no more than ``LOSS_ALLOWED`` is lost."""
        low, high = 0.0, most
        while high - low > 0.03 * most:
            middle = (low + high) / 2
            sent, received = self.send(middle, seconds)
            if sent >= 0.98 * middle and received >= sent * (1 - LOSS_ALLOWED):
                low = middle
            else:
                high = middle
        return low

    def latency(self, count: int) -> tuple[float, float]:
        """Median and 99th percentile of the one-way time of lone packets, microseconds."""
        command = [self.program, "latency", test_side(IN), test_side(OUT), self.frames, str(count)]
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=True
        )
        times = [int(line) for line in done.stdout.split()]
        lost = times.count(-1)
        if lost > count // 20:
            raise SetupError(f"{lost} of {count} probes were lost: the switch does not forward")
        ordered = sorted(time_ns / 1000 for time_ns in times if time_ns >= 0)
        return statistics.median(ordered), ordered[int(0.99 * (len(ordered) - 1))]


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def bare(program: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The bare forwarder."""
    process = subprocess.Popen([str(program), "forward", switch_side(IN), switch_side(OUT)])
    try:
        time.sleep(0.2)  # until its sockets are open, of which it does not tell
        yield process
    finally:
        process.kill()
        process.wait()
