"""Send or count UDP datagrams: ``spray send ADDRESS PORT SIZE PACKETS_A_SECOND SECONDS``, or
``spray count PORT SECONDS``, which prints how many datagrams and bytes came."""

from __future__ import annotations

import contextlib
import socket
import sys
import time


def send(address: str, port: int, size: int, rate: int, seconds: float) -> int:
    """Send datagrams at an even rate; how many."""
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
    return count


def count(port: int, seconds: float) -> tuple[int, int]:
    """Datagrams and bytes that come in some time, which begins with the first one."""
    datagrams = size = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("", port))
        print("counting", flush=True)
        here.settimeout(10)
        end = 0.0
        try:
            while not end or time.monotonic() < end:
                size += len(here.recv(65535))
                datagrams += 1
                if not end:
                    end = time.monotonic() + seconds
                    here.settimeout(seconds)
        except TimeoutError:
            pass
    return datagrams, size


def main() -> None:
    """Do what the arguments say."""
    match sys.argv[1:]:
        case ["send", address, port, size, rate, seconds]:
            print(send(address, int(port), int(size), int(rate), float(seconds)))
        case ["count", port, seconds]:
            print(*count(int(port), float(seconds)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
