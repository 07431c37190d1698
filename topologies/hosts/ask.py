"""Ask a UDP question and print the answer: ``ask ADDRESS TEXT``."""

from __future__ import annotations

import socket
import sys

from topologies.hosts.serve import UDP_PORT

WAIT_SECONDS = 3.0


def main() -> int:
    """Exit status 0 with an answer, 1 without."""
    address, text = sys.argv[1:3]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asker:
        asker.settimeout(WAIT_SECONDS)
        asker.connect((address, UDP_PORT))
        asker.send(text.encode())
        try:
            print(asker.recv(2048).decode())
        except OSError as error:
            print(f"no answer: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
