"""Central point and SPUs alone: set-ups a second of one core, and memory of a session. No I/O.

    python -m bench.machines [--sessions 20000] [--rounds 5] [--held 500000]

First packets of new flows, source NAT by interface address, Express Path: from the NPU's packet-in
to the packet-out, through central point and SPU; NPUs and neighbours are an answer each.
Rates are CPU time of this process, medians of several rounds. Memory is what a controller keeps
when it holds many sessions: resident memory of the whole process before and after, the shadow of
the NPUs' tables (``Npu``) included.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from struct import Struct
from typing import Any

from bench.chassis import chassis_text, configuration_text
from controller.central_point import CentralPoint
from controller.config.build import parse
from controller.config.chassis import parse_chassis
from controller.flow import Direction, Port
from controller.messages import (
    CP,
    NEIGHBORS,
    Actor,
    InstallWing,
    Message,
    NeighborResolved,
    Outbound,
    PacketIn,
    ResolveNeighbor,
    Role,
    Transmit,
    WingInstalled,
)
from controller.packet import TCP, UDP
from controller.reasons import Punt
from controller.routing.fib import fib_of
from controller.service import calm_garbage_collection
from controller.spu import Spu

_IP = Struct("!BBHHHBBHIIHH")
PORT = Port(1, 1)
_MAC = bytes.fromhex("02000000fe01")


def first_packet(number: int, protocol: int) -> bytes:
    """The first frame of a flow, as ``bench/native/sessions.c`` numbers them. Checksums are zero:
    nobody looks at those of a packet that is passed on, they are adjusted."""
    source, destination = 0x0A000001 + (number >> 15), 0xC6120001 + ((number & 15) << 8)
    size = 20 if protocol == TCP else 66
    head = _IP.pack(
        0x45, 0, 20 + size, 0, 0, 64, protocol, 0, source, destination,
        1024 + (number & 32767), 9000,
    )  # fmt: skip
    if protocol == TCP:
        rest = bytes(8) + b"\x50\x02\xff\xff" + bytes(4)
    else:
        rest = size.to_bytes(2, "big") + bytes(size - 6)
    return _MAC + _MAC + b"\x08\x00" + head + rest


class Machines:
    """A controller's machines, with NPUs and neighbours that answer at once."""

    def __init__(self) -> None:
        chassis = parse_chassis(chassis_text())
        configuration = parse(configuration_text(express=True), chassis=chassis)
        fib = fib_of(configuration)
        self.shadows: list[dict[Any, int]] = [{}, {}, {}]
        """What an ``Npu`` keeps of its table, by NPU."""
        self.machines: dict[Actor, CentralPoint | Spu] = {
            CP: CentralPoint(configuration, chassis, trace=False)
        }
        self._spus = {number: Actor(Role.SPU, number) for number in chassis.spus}
        for number, actor in self._spus.items():
            self.machines[actor] = Spu(number, configuration, fib, chassis, trace=False)
        self.sent = 0
        self._queue: deque[Outbound] = deque()

    def take(self, packet: PacketIn) -> None:
        """A packet-in, and all that comes of it."""
        queue, machines, now = self._queue, self.machines, packet.at
        queue.append((CP, packet))
        while queue:
            to, message = queue.popleft()
            machine = machines.get(to)
            if machine is not None:
                queue.extend(machine.handle(message, now))
            else:
                self._answer(to, message)

    def _answer(self, to: Actor, message: Message) -> None:
        if isinstance(message, InstallWing):
            wing = message.session_id * 2 + message.direction
            self.shadows[to.number][message.wing.key] = wing
            answer = WingInstalled(message.session_id, message.direction, None)
            self._queue.append((self._spus[message.spu], answer))
        elif isinstance(message, Transmit):
            self.sent += 1
        elif isinstance(message, ResolveNeighbor) and to == NEIGHBORS:
            resolved = NeighborResolved(message.flow, message.interface, message.address, _MAC)
            self._queue.append((self._spus[message.spu], resolved))
        else:
            raise AssertionError(f"{to} has no answer to {message}")


def packets(first: int, count: int, protocol: int) -> Iterator[PacketIn]:
    """Packet-ins of new flows, a millisecond apart."""
    for number in range(first, first + count):
        frame = first_packet(number, protocol)
        yield PacketIn(Port(1, 1), Punt.MISS, 1, 0, Direction.FORWARD, 0, frame, 1_000_000 * number)


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured."""

    set_ups_per_second: dict[str, float]
    """Of one core, by protocol."""
    bytes_per_session: float
    held: int
    """Sessions that this is the average of."""


def rate(sessions: int, rounds: int, protocol: int) -> float:
    """Set-ups a second of CPU time: the median of several rounds."""
    machines = Machines()
    rates = []
    for turn in range(rounds + 1):  # the first one warms up
        batch = list(packets(turn * sessions, sessions, protocol))
        start = time.process_time()
        for packet in batch:
            machines.take(packet)
        rates.append(sessions / (time.process_time() - start))
        assert machines.sent == (turn + 1) * sessions, "a first packet did not come out"
    return median(rates[1:])


def memory(held: int) -> float:
    """Bytes that a process grows by for each session that it holds."""
    machines = Machines()
    warm = 1000
    for packet in packets(0, warm, UDP):
        machines.take(packet)
    gc.collect()
    before = _resident()
    for packet in packets(warm, held, UDP):
        machines.take(packet)
    gc.collect()
    assert machines.sent == warm + held, "a first packet did not come out"
    return (_resident() - before) / held


def _resident() -> int:
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def measure(sessions: int, rounds: int, held: int) -> Result:
    """Everything."""
    calm_garbage_collection()
    # Memory first: what the rates leave behind would be used again and not be seen.
    size = memory(held)
    rates = {
        name: rate(sessions, rounds, protocol) for name, protocol in (("udp", UDP), ("tcp", TCP))
    }
    return Result(rates, size, held)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=20_000, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--held", type=int, default=500_000, help="to measure memory with")
    arguments = parser.parse_args(words)
    result = measure(arguments.sessions, arguments.rounds, arguments.held)
    for name, value in result.set_ups_per_second.items():
        print(f"{name}: {value:8.0f} set-ups a second of one core", file=sys.stderr)
    print(f"{result.bytes_per_session:13.0f} bytes a session, of {result.held}", file=sys.stderr)
    print(
        json.dumps(
            {
                "set_ups_per_second": result.set_ups_per_second,
                "bytes_per_session": result.bytes_per_session,
                "held": result.held,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
