"""Keep UDP flows alive: ``flows ADDRESS COUNT SECONDS``.

Each flow asks the answerer of ``serve`` ten times a second from a port of its own. In the end there
is a line a flow: its port, questions, answers, the longest time without an answer in milliseconds.
A line ``flowing`` comes once every flow has been answered.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from dataclasses import dataclass

from topologies.hosts.serve import UDP_PORT

PERIOD_SECONDS = 0.1


@dataclass
class Flow:
    """A socket and what came of its questions."""

    socket: socket.socket
    asked: int = 0
    answered: int = 0
    last: float = 0.0
    longest: float = 0.0


def run(address: str, count: int, seconds: float) -> list[Flow]:
    """Ask and count for some time."""
    flows = []
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            one = socket.socket(family, socket.SOCK_DGRAM)
            one.connect((address, UDP_PORT))
            one.setblocking(False)
            flows.append(Flow(one))
            selector.register(one, selectors.EVENT_READ, flows[-1])
        start = next_round = time.monotonic()
        said = False
        while (now := time.monotonic()) < start + seconds:
            if now >= next_round:
                next_round += PERIOD_SECONDS
                for flow in flows:
                    flow.socket.send(b"?")
                    flow.asked += 1
            for key, _ in selector.select(max(0, next_round - time.monotonic())):
                key.data.socket.recv(2048)
                _answered(key.data, time.monotonic())
            if not said and all(flow.answered for flow in flows):
                said = True
                print("flowing", flush=True)
    for flow in flows:
        flow.longest = max(flow.longest, time.monotonic() - (flow.last or start))
    return flows


def _answered(flow: Flow, now: float) -> None:
    if flow.last:
        flow.longest = max(flow.longest, now - flow.last)
    flow.answered += 1
    flow.last = now


def main() -> None:
    """Print what came of each flow."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    for flow in run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])):
        port = flow.socket.getsockname()[1]
        print(port, flow.asked, flow.answered, round(1000 * flow.longest), flush=True)


if __name__ == "__main__":
    main()
