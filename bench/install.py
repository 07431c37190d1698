"""How long a session takes to reach an NPU's table: *acknowledged*, *visible*, *delivered*.

**Acknowledged**: from the start of a Write to its return.

**Delivered**: from the start of a Write until a packet-out, sent when the Write had returned, came
out of its interface: what a first packet waits for at its last NPU.

**Visible**: from the start of a Write until a packet hits the entry. During the Write, numbered
probes of the entry's flow enter one of the target's ports. The NPU punts every one of them: with
session id 0 as long as the entry is not in effect, with the entry's own from then on. A probe is
sent when the one before has come back, never earlier: probes that queue up inside the target would
be looked up later than they were sent. The result is when the first probe that hit was half way
between its sending and its return; the resolution is a probe's round trip, which is reported too.
Of a batch, the probes belong to its last entry. This works for any target that runs the program
and has a port that we can send to. The probes share the client's processors with the Write, which
is slower for it than without them.

Usage: python -m bench.install --json build/npu.json --p4info build/npu.p4info.txtpb
       [--out DIRECTORY] [--target HOST:PORT --device-id 1 [--port-in INTERFACE --port 1]]
       [--switch PROGRAM]

Without --target, a switch is started in a network namespace of its own, measured and stopped. All
is measured twice then, the second time while the switch forwards other packets.
"""

from __future__ import annotations

import argparse
import itertools
import queue
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.chassis import compile_traffic
from bench.report import ACKNOWLEDGED, DELIVERED, VISIBLE, Report, Series, header
from bench.sandbox import OwnSwitch, enter
from bench.target import TOKEN, Target, TargetError, probe, sequence_of
from controller.flow import FlowKey
from controller.npu.pipeline import PipelineError, load_pipeline

ROUNDS = {1: 2000, 10: 500, 100: 200, 1000: 50}
"""Batch size to number of Writes."""
FILLS = (0, 10_000, 100_000, 1_000_000)
BACKGROUND = 20_000
"""Packets a second."""
FILL_BATCH = 1000
HIT_TIMEOUT_S = 10.0
PROBE_TIMEOUT_S = 0.5
UDP = 17
BUSY_PORT = 2
BUSY_FLOW = FlowKey(bytes((12, 0, 0, 1)), bytes((203, 0, 113, 9)), 1024, 9, UDP, TOKEN)
"""What the background traffic is of."""

# <linux/if_ether.h> and <linux/if_packet.h>; the standard library has no names for them.
_ALL = 0x0003
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    rounds: dict[int, int]
    fills: tuple[int, ...]
    backgrounds: tuple[int, ...]


def flows(net: int) -> Iterator[FlowKey]:
    """Distinct flows from ``<net>.0.0.1`` on."""
    for n in itertools.count(1):
        source = ((net << 24) + (n >> 14) + 1).to_bytes(4, "big")
        yield FlowKey(source, bytes((203, 0, 113, 9)), 1024 + (n & 0x3FFF), 9, UDP, TOKEN)


class Egress:
    """Sends a packet out of a port of the target, and says when it came."""

    def __init__(self, interface: str, port: int, target: Target) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._socket.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        self._socket.bind((interface, _ALL))
        self._socket.settimeout(HIT_TIMEOUT_S)
        self._port = port
        self._target = target
        self._number = 0

    def deliver(self, key: FlowKey) -> int:
        """When a packet-out of a flow was received (monotonic ns)."""
        self._number += 1
        self._target.packet_out(self._port, probe(key, self._number))
        try:
            while sequence_of(self._socket.recv(2048)) != self._number:
                pass
        except TimeoutError:
            raise TargetError(
                "no packet-out arrives; is --port the P4 port of --port-in?"
            ) from None
        return time.monotonic_ns()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Prober:
    """Sends probes of one flow, one at a time, until one of them hits."""

    def __init__(self, interface: str, target: Target) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind((interface, 0))
        self._target = target
        self._number = 0
        self.round_trips: list[int] = []
        """Nanoseconds from sending a probe to its return."""

    def watch(self, key: FlowKey, session: int) -> Future[int]:
        """Begin; the result is when the first probe that hit ``session`` was half way (monotonic
        ns). Returns once the first probe is back."""
        result: Future[int] = Future()
        running = threading.Event()
        arguments = (key, session, result, running)
        threading.Thread(target=self._run, args=arguments, daemon=True).start()
        running.wait(HIT_TIMEOUT_S)
        return result

    def _run(
        self, key: FlowKey, session: int, result: Future[int], running: threading.Event
    ) -> None:
        deadline = time.monotonic() + HIT_TIMEOUT_S
        while time.monotonic() < deadline:
            self._number += 1
            frame = probe(key, self._number)
            sent = time.monotonic_ns()
            self._socket.send(frame)
            found = self._answer(self._number)
            back = time.monotonic_ns()
            if found is not None:
                self.round_trips.append(back - sent)
            running.set()
            if found == session:
                result.set_result((sent + back) // 2)
                return
        result.set_exception(
            TargetError("no probe hits an installed entry; is --port the P4 port of --port-in?")
        )

    def _answer(self, number: int) -> int | None:
        """The session that a probe found; ``None`` if it is lost."""
        try:
            while True:
                hit = self._target.hits.get(timeout=PROBE_TIMEOUT_S)
                if hit.sequence == number:
                    return hit.session_id
        except queue.Empty:
            return None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


@contextmanager
def traffic(background: int) -> Iterator[None]:
    """Packets that the target forwards meanwhile, on Express Path, by its port ``BUSY_PORT``."""
    if not background:
        yield
        return
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        program = compile_traffic("traffic", directory)
        frame = probe(BUSY_FLOW, 0)
        frames = directory / "frames"
        frames.write_bytes(len(frame).to_bytes(2, "little") + frame)
        arguments = [OwnSwitch.background, str(frames), str(background), "86400"]
        command = [str(program), "send", *arguments]
        process = subprocess.Popen(command)
        try:
            time.sleep(0.3)  # the sender says nothing; by then it has its rate
            yield
        finally:
            process.kill()
            process.wait()


def measure(
    target: Target,
    prober: Prober | None,
    egress: Egress | None,
    plan: Plan,
    progress: Report,
) -> None:
    """Fill the report."""
    filler, fresh = flows(10), flows(11)
    filled = 0
    for fill in plan.fills:
        while filled < fill:
            batch = list(itertools.islice(filler, min(FILL_BATCH, fill - filled)))
            target.write(target.updates(batch, 1 + filled))
            filled += len(batch)
        for background, (size, rounds) in itertools.product(plan.backgrounds, plan.rounds.items()):
            beside = f", beside {background} packets/s" if background else ""
            progress.say(f"{fill} entries, batches of {size}: {rounds} Writes{beside}")
            with traffic(background):
                returned, delivered = _acknowledged(target, egress, fresh, size, rounds)
                progress.add(Series(ACKNOWLEDGED, fill, size, returned, background))
                if delivered:
                    progress.add(Series(DELIVERED, fill, size, delivered, background))
                if prober is not None:
                    seen = max(20, rounds // 4)
                    times = _visible(target, prober, fresh, size, seen)
                    progress.add(Series(VISIBLE, fill, size, times, background))


def _acknowledged(
    target: Target, egress: Egress | None, fresh: Iterator[FlowKey], size: int, rounds: int
) -> tuple[list[int], list[int]]:
    """Until the Write returned, and until the packet came out that was sent then."""
    times, delivered = [], []
    for _ in range(rounds):
        keys = list(itertools.islice(fresh, size))
        began, returned = target.write(target.updates(keys, 1))
        times.append(returned - began)
        if egress is not None:
            delivered.append(egress.deliver(keys[-1]) - began)
        target.write(target.deletes(keys))
    return times, delivered


def _visible(
    target: Target, prober: Prober, fresh: Iterator[FlowKey], size: int, rounds: int
) -> list[int]:
    times = []
    for session in range(1, rounds + 1):
        keys = list(itertools.islice(fresh, size))
        updates = target.updates(keys, session * 10_000)
        seen = prober.watch(keys[-1], session * 10_000 + size - 1)
        began, _ = target.write(updates)
        times.append(max(0, seen.result() - began))
        target.write(target.deletes(keys))
    return times


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    backgrounds = (0,) if options.target is not None else (0, BACKGROUND)
    plan = Plan(ROUNDS, FILLS, backgrounds)
    if options.quick:
        rounds = {size: max(5, rounds // 20) for size, rounds in ROUNDS.items()}
        plan = Plan(rounds, (0, 10_000), backgrounds)
    try:
        pipeline = load_pipeline(options.p4info, options.json)
        if options.target is None and not options.inside:
            return enter(arguments if arguments is not None else sys.argv[1:])
        own = None if options.target is not None else OwnSwitch(options.switch)
        try:
            address = options.target or own.start() if own is not None else options.target
            interface = own.interface if own is not None else options.port_in
            target = Target(address, options.device_id, pipeline)
            target.open()
            prober = egress = None
            if interface is not None:
                target.set_interface(options.port)
                prober = Prober(interface, target)
                egress = Egress(interface, options.port, target)
            if own is not None:
                target.set_interface(BUSY_PORT)
                target.forward(BUSY_FLOW, BUSY_PORT)
            report = Report(header(address, own.program if own is not None else ""))
            if prober is None:
                report.say("visible is not measured: it takes --port-in and --port")
            measure(target, prober, egress, plan, report)
            target.close()
            if prober is not None:
                report.round_trips = prober.round_trips
                prober.close()
            if egress is not None:
                egress.close()
            report.write(options.out)
        finally:
            if own is not None:
                own.stop()
    except (PipelineError, TargetError) as error:
        print(f"bench-install: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"bench-install: {error.strerror or error}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench.install", description="Latency of table installs, acknowledged and visible."
    )
    parser.add_argument("--json", type=Path, default=Path("build/npu.json"))
    parser.add_argument("--p4info", type=Path, default=Path("build/npu.p4info.txtpb"))
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="directory")
    parser.add_argument("--target", metavar="HOST:PORT", help="a running P4Runtime server")
    parser.add_argument("--device-id", type=int, default=1)
    parser.add_argument("--port-in", metavar="INTERFACE", help="leads into the target's --port")
    parser.add_argument("--port", type=int, default=1, help="P4 port behind --port-in")
    parser.add_argument("--switch", default="p4embed-switch", help="started without --target")
    parser.add_argument("--quick", action="store_true", help="few rounds, for a first look")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
