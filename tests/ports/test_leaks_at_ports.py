"""Nothing leaks over a million frames through real ports."""

from __future__ import annotations

import queue
import random
from contextlib import suppress

from ends import CPU, KEY, SILENCE, Far, Heard, send_to
from malloc import in_use

from p4embed.switch.native import NativeDataplane

ROUNDS = 5
FRAMES = 220_000
"""Taken from the port in each round."""
ALLOWED = 16_384
"""Bytes that Python may hold more or less at the end of a round."""


def keys() -> list[bytes]:
    return [KEY[:5] + bytes([number]) + KEY[6:] for number in range(8)]


def frames(rng: random.Random) -> list[bytes]:
    """Forwarded, sent back, to the controller, to no port, missed; short ones to jumbo."""
    return [
        rng.choice(keys()) + rng.randbytes(rng.choice((0, 46, 60, 500, 9000))) for _ in range(200)
    ]


def received(dataplane: NativeDataplane) -> int:
    counts = dataplane.counts(1)
    assert counts is not None
    return counts.rx_packets


def test_over_a_million_frames(
    dataplane: NativeDataplane, far: dict[int, Far], heard: Heard
) -> None:
    for key, port in zip(keys(), (2, 2, 2, 1, CPU, 300), strict=False):
        dataplane.engine.write([send_to(port, key)])
    left = []
    for _ in range(ROUNDS):
        offered = frames(random.Random(1))  # the same in every round
        end = received(dataplane) + FRAMES
        while received(dataplane) < end:
            for frame in offered:
                with suppress(OSError):  # no room at the moment
                    far[1].send(frame)
            dataplane.packet_out(offered[:4])
            while not heard.frames.empty():
                heard.frames.get()
        with suppress(queue.Empty):  # Those on their way to the controller take memory, too.
            while True:
                heard.frames.get(timeout=SILENCE)
        left.append(in_use())
    assert left[-1] - left[2] < ALLOWED, f"bytes in use after each round: {left}"
