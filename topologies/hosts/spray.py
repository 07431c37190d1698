"""Send or count UDP datagrams.

``spray send ADDRESS PORT SIZE PACKETS_A_SECOND SECONDS`` prints how many were sent in how many
seconds; ``spray count PORT SECONDS`` how many datagrams and bytes came, up to some seconds of
silence, and how long that took.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time


def send(address: str, port: int, size: int, rate: int, seconds: float) -> tuple[int, float]:
    """Send datagrams at an even rate; how many, and in what time."""
    count = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect((address, port))
        start = time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            while count < now * rate:
                # An ICMP error about an earlier one is no reason to stop.
                with contextlib.suppress(OSError):
                    out.send(bytes(size))
                count += 1
            time.sleep(0.001)
    return count, now


def count(port: int, seconds: float) -> tuple[int, int, float]:
    """Datagrams and bytes that come until nothing does for some time, and in what time."""
    datagrams = size = 0
    first = last = 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("", port))
        print("counting", flush=True)
        here.settimeout(10)
        with contextlib.suppress(TimeoutError):
            while True:
                size += len(here.recv(65535))
                last = time.monotonic()
                first = first or last
                datagrams += 1
                here.settimeout(seconds)
    return datagrams, size, last - first


def main() -> None:
    """Do what the arguments say."""
    match sys.argv[1:]:
        case ["send", address, port, size, rate, seconds]:
            print(*send(address, int(port), int(size), int(rate), float(seconds)))
        case ["count", port, seconds]:
            print(*count(int(port), float(seconds)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
