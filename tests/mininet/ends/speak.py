"""Ask UDP questions as told, and say what is answered: many flows, one process.

Each line of input is a JSON list: how many answers to wait for, ``SECONDS`` at most, then a flow
each, ``[own address, own port, server, port]``. They ask in this order. The line of output has an
answer each; none is an empty text.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from contextlib import ExitStack

SECONDS = 8.0


def ask(wanted: int, flows: list[tuple[str, int, str, int]]) -> list[str]:
    """Ask, and wait for so many answers."""
    with ExitStack() as opened:
        sockets = []
        for own, port, server, to in flows:
            one = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind((own, port))
            one.connect((server, to))
            one.send(b"hello")
            sockets.append(one)
        answers: dict[socket.socket, str] = {}
        deadline = time.monotonic() + SECONDS
        while len(answers) < wanted and (left := deadline - time.monotonic()) > 0:
            waiting = [one for one in sockets if one not in answers]
            for one in select.select(waiting, [], [], left)[0]:
                try:
                    answers[one] = one.recv(2048).decode()
                except OSError as error:
                    answers[one] = str(error)
        return [answers.get(one, "") for one in sockets]


def main() -> None:
    """Until the input ends."""
    print("listening", flush=True)
    for line in sys.stdin:
        wanted, *flows = json.loads(line)
        print(json.dumps(ask(wanted, flows)), flush=True)


if __name__ == "__main__":
    main()
