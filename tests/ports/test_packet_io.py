"""What the ways of packet I/O have to keep: every frame, its order, its counts, its interface."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from ends import KEY, SILENCE, WAIT, Far, Heard, forwarding, ip, send_to
from native_programs import header_type

from p4embed.switch.dataplane import Options
from p4embed.switch.native import NativeDataplane
from p4embed.switch.native.binding import PortCounts
from p4embed.switch.native.dataplane import Way

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces"),
]

BOTH = Way.RECEIVES | Way.SENDS
TAGGED = KEY[:12] + b"\x81\x00"
RING = 4096
"""Frames that a ring holds."""


def numbered(number: int, size: int, key: bytes = KEY) -> bytes:
    return key + number.to_bytes(4, "big") + bytes([number % 251]) * size


def out(frame: bytes) -> bytes:
    """As the program of these tests sends it."""
    return b"\x02\x00" + frame


def settled(dataplane: NativeDataplane, packets: int) -> PortCounts:
    """The counts of port 2 once so many packets have left the switch there, or were lost."""
    end = time.monotonic() + WAIT
    while (counts := dataplane.counts(2)) is not None:
        if counts.tx_packets + counts.tx_lost == packets:
            return counts
        assert time.monotonic() < end, f"{counts.tx_packets} + {counts.tx_lost} of {packets}"
        time.sleep(0.005)  # nobody tells when the last has left
    pytest.fail("port 2 is not attached")


def test_the_way_is_the_one_that_was_asked_for(
    dataplane: NativeDataplane, options: Options
) -> None:
    assert {dataplane.way(n) for n in (1, 2)} == {BOTH if options.mapped else Way(0)}


def test_long_and_short_frames_keep_their_order(
    dataplane: NativeDataplane, far: dict[int, Far]
) -> None:
    # Lengths about what a slot, a buffer and a segment hold.
    sizes = [0, 9000, 46, 1480, 1560, 1590, 1600, 1700, 2020, 2030, 2048, 4000, 9200]
    assert dataplane.engine.write([send_to(2), send_to(2, TAGGED)])
    frames = [
        numbered(n, sizes[n % len(sizes)], KEY if n % 3 else TAGGED + b"\x00\x07\x08\x00")
        for n in range(20 * len(sizes))
    ]
    for frame in frames:
        far[1].send(frame)
    for frame in frames:
        assert far[2].receive() == out(frame)
    counts = settled(dataplane, len(frames))
    assert counts.tx_lost == 0
    assert counts.tx_bytes == sum(len(out(frame)) for frame in frames)


def test_a_program_that_adds_much_to_a_frame(
    dataplane: NativeDataplane, far: dict[int, Far]
) -> None:
    """As much in front of it as a headroom is for."""
    built = forwarding()
    wide = header_type("result_t", 16, *[64] * 100)
    headers = (*built.headers[:2], replace(built.headers[2], type=wide))
    types = tuple(wide if kind.name == wide.name else kind for kind in built.header_types)
    dataplane.use(dataplane.prepare(replace(built, header_types=types, headers=headers)))
    dataplane.engine.write([send_to(2)])
    for frame in (numbered(1, 50), numbered(2, 1400), numbered(3, 8000), numbered(4, 50)):
        far[1].send(frame)
        assert far[2].receive() == b"\x02\x00" + bytes(800) + frame


def test_frames_from_before_a_program_are_not_for_it(
    options: Options, far: dict[int, Far], heard: Heard
) -> None:
    plane = NativeDataplane(options)
    plane.start({1: "npu1", 2: "npu2"}, heard)
    long, short = numbered(1, 9000), numbered(2, 46)
    sent = RING + 500
    for n in range(sent):
        far[1].send(short if n % 50 else long)
    plane.use(plane.prepare(forwarding()))
    plane.engine.write([send_to(2)])
    later = [numbered(n, 9000 - n) for n in range(3, 9)]
    for frame in later:
        far[1].send(frame)
    assert [far[2].receive() for _ in later] == [out(frame) for frame in later]
    counts = plane.counts(1)
    assert counts is not None
    assert counts.rx_packets == len(later)
    assert counts.rx_lost == (sent - RING if options.mapped else 0)
    plane.stop()


def test_an_interface_that_is_down_takes_no_frames_and_no_time(
    dataplane: NativeDataplane, options: Options, far: dict[int, Far]
) -> None:
    dataplane.engine.write([send_to(2), send_to(1, TAGGED)])
    far[1].send(numbered(0, 50))
    assert far[2].receive() == out(numbered(0, 50))
    ip("link", "set", "npu2", "down")
    for n in range(100):
        far[1].send(numbered(n, 50))
    counts = settled(dataplane, 101)
    assert (counts.tx_packets, counts.tx_lost) == (1, 100)
    assert counts.tx_bytes == len(out(numbered(0, 50)))
    ip("link", "set", "npu1", "down")
    assert running_share() < 0.5, "the data thread does not rest"
    ip("link", "set", "npu1", "up")
    ip("link", "set", "npu2", "up")
    assert far[2].receive(SILENCE) is None, "an old frame was sent"
    came = b""
    for n in range(200, 250):  # the link comes up in its own time
        with suppress(OSError):
            far[1].send(numbered(n, 50))
        if received := far[2].receive(SILENCE):
            came = received
            break
    assert came == out(numbered(n, 50))
    far[2].send(TAGGED + b"\x00\x07\x08\x00" + bytes(50))
    assert far[1].receive() == out(TAGGED + b"\x00\x07\x08\x00" + bytes(50))
    end = time.monotonic() + WAIT
    while options.mapped and dataplane.way(2) != BOTH:
        assert time.monotonic() < end, "it goes without mapped memory ever after"
        far[1].send(numbered(0, 50))
        time.sleep(0.001)  # the kernel frees the old socket in its own time


def running_share() -> float:
    """How often any thread but this one is seen running."""
    tasks = [
        t for t in Path("/proc/self/task").iterdir() if int(t.name) != threading.get_native_id()
    ]
    seen = 0
    for _ in range(40):
        time.sleep(0.005)  # between two looks
        with suppress(FileNotFoundError):
            seen += any(
                t.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "R" for t in tasks
            )
    return seen / 40


def test_frames_that_the_mtu_forbids_are_lost(
    dataplane: NativeDataplane, far: dict[int, Far]
) -> None:
    dataplane.engine.write([send_to(2)])
    far[1].send(numbered(1, 1000))
    assert far[2].receive() == out(numbered(1, 1000))
    ip("link", "set", "npu2", "mtu", "900")
    for n in range(300):  # an MTU is looked at now and then
        far[1].send(numbered(n, 50))
        assert far[2].receive() == out(numbered(n, 50))
    far[1].send(numbered(1, 1000))
    far[1].send(numbered(2, 800))
    assert far[2].receive() == out(numbered(2, 800))
    counts = settled(dataplane, 303)
    assert (counts.tx_packets, counts.tx_lost) == (302, 1)


def test_a_far_end_without_power_costs_counted_frames(
    dataplane: NativeDataplane, far: dict[int, Far]
) -> None:
    dataplane.engine.write([send_to(2)])
    ip("link", "set", "far2", "down")
    frames = [numbered(n, 50 + n) for n in range(100)]
    for frame in frames:
        far[1].send(frame)
    counts = settled(dataplane, 100)
    assert (counts.tx_packets, counts.tx_bytes, counts.tx_lost) == (0, 0, 100)


def test_a_capture_sees_what_comes(dataplane: NativeDataplane, far: dict[int, Far]) -> None:
    dataplane.engine.write([send_to(2)])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as capture:
        capture.bind(("npu1", 3))
        capture.settimeout(WAIT)
        far[1].send(numbered(1, 50))
        assert capture.recv(100) == numbered(1, 50)
    assert far[2].receive() == out(numbered(1, 50))


def test_an_interface_that_others_use(
    dataplane: NativeDataplane, options: Options, far: dict[int, Far], heard: Heard
) -> None:
    """Another switch on the same interface: one of them has its mapped memory."""
    dataplane.engine.write([send_to(2)])
    other = NativeDataplane(replace(options, cpu_port=None))
    other.use(other.prepare(forwarding()))
    other.start({1: "npu1", 2: "npu2"}, heard)
    other.engine.write([send_to(2)])
    assert other.way(2) == (Way.RECEIVES if options.mapped else Way(0))
    far[1].send(numbered(1, 50))
    assert [far[2].receive() for _ in range(2)] == [out(numbered(1, 50))] * 2
    other.stop()
    far[1].send(numbered(2, 9000))
    assert far[2].receive() == out(numbered(2, 9000))
    assert far[2].receive(SILENCE) is None


def test_a_bridge_is_told_what_a_frame_is(
    options: Options, far: dict[int, Far], heard: Heard
) -> None:
    """An AF_XDP socket would not tell it."""
    ip("link", "add", "bridge", "mtu", "9300", "type", "bridge", "mcast_snooping", "0")
    ip("link", "set", "npu2", "master", "bridge")
    ip("link", "set", "bridge", "up")
    plane = NativeDataplane(options)
    plane.use(plane.prepare(forwarding()))
    plane.start({1: "npu1", 2: "bridge"}, heard)
    assert plane.way(2) == (Way.RECEIVES if options.mapped else Way(0))
    plane.engine.write([send_to(2)])
    far[1].send(numbered(1, 50))
    assert far[2].receive() == out(numbered(1, 50))
    plane.stop()


def test_a_switch_that_starts_again_at_once(
    options: Options, far: dict[int, Far], heard: Heard
) -> None:
    for n in range(5):
        plane = NativeDataplane(options)
        plane.use(plane.prepare(forwarding()))
        plane.start({1: "npu1", 2: "npu2"}, heard)
        assert plane.way(2) == (BOTH if options.mapped else Way(0))
        plane.engine.write([send_to(2)])
        far[1].send(numbered(n, 50))
        assert far[2].receive() == out(numbered(n, 50))
        plane.stop()


@contextmanager
def one_core() -> Iterator[None]:
    """All threads there are, and the one that takes frames at far2, on one core: that one gets it
    when no other wants it."""
    before = os.sched_getaffinity(0)
    (reader,) = (
        int(comm.parent.name)
        for comm in Path("/proc").glob("[0-9]*/comm")
        if comm.read_text().startswith("napi/far2")
    )
    tasks = [reader, *(int(task.name) for task in Path("/proc/self/task").iterdir())]
    os.sched_setscheduler(reader, os.SCHED_IDLE, os.sched_param(0))
    for task in tasks:
        os.sched_setaffinity(task, {min(before)})
    try:
        yield
    finally:
        for task in tasks:
            os.sched_setaffinity(task, before)


def test_a_slow_far_end_delays_frames_or_costs_counted_ones(
    dataplane: NativeDataplane, options: Options, far: dict[int, Far]
) -> None:
    # A thread of the kernel's takes frames at far2 out of a queue of 256; full, it stops npu2.
    subprocess.run(["ethtool", "-K", "far2", "gro", "on"], check=True, capture_output=True)
    subprocess.run(["tc", "qdisc", "add", "dev", "npu2", "root", "pfifo"], check=True)
    threaded = "mount -t sysfs none /mnt && echo 1 > /mnt/class/net/far2/threaded"
    subprocess.run(["unshare", "-m", "sh", "-c", threaded], check=True)
    dataplane.engine.write([send_to(2)])
    frames = [numbered(n, 50) for n in range(500)]
    with one_core():
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        for frame in frames:  # meanwhile the switch does nothing
            far[1].send(frame)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        settled(dataplane, len(frames))
    received = []
    while (frame_out := far[2].receive(SILENCE)) is not None:
        received.append(frame_out)
    counts = dataplane.counts(2)
    assert counts is not None
    if options.mapped:
        assert received == [out(frame) for frame in frames]
    else:
        assert received[:256] == [out(frame) for frame in frames[:256]]
    assert (counts.tx_packets, counts.tx_lost) == (len(received), len(frames) - len(received))
