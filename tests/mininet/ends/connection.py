"""Both ends of TCP connections, by the kernel's own TCP, that do as they are told.

``serve ADDRESS PORT...`` answers each line: ``echo TEXT`` with TEXT, ``mss`` with what it may send
in one segment; ``fin`` and ``rst`` end the connection, ``forget`` does without a word to the other
side, ``drip N`` says a line a second, N times,
also to a client that has closed its side. ``connect ADDRESS PORT STEP...`` does step by step:
``say LINE``, ``hear TEXT`` (exit status 1 if something else comes), ``mss``, ``wait SECONDS``,
``half`` (close this side alone), ``fin``, ``rst``, ``forget``, ``again`` (another connection, from
the same port); ``chat FILE`` echoes ten times a second, until
this file has been there for half a second.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from pathlib import Path

TCP_REPAIR = 19
"""Of Linux; Python does not name it."""


def reset(connection: socket.socket) -> None:
    """Close it with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def forget(connection: socket.socket) -> None:
    """Close it as a host does that loses its power."""
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    connection.close()


def mss(connection: socket.socket) -> int:
    """What it may send in one segment."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def answer(connection: socket.socket) -> None:
    """The server's side of one connection."""
    try:
        for line in connection.makefile("r"):
            word, _, rest = line.strip().partition(" ")
            if word == "echo":
                connection.sendall(f"{rest}\n".encode())
            elif word == "mss":
                connection.sendall(f"{mss(connection)}\n".encode())
            elif word == "rst":
                reset(connection)
                return
            elif word == "forget":
                time.sleep(0.2)  # until it has acknowledged that
                forget(connection)
                return
            elif word == "drip":
                for number in range(int(rest)):
                    connection.sendall(f"{number}\n".encode())
                    time.sleep(1)
            elif word == "fin":
                break
    except OSError:
        pass  # the client reset it
    connection.close()


def serve(address: str, ports: list[str]) -> None:
    """Listen for ever."""
    listeners = []
    for port in ports:
        listener = socket.create_server((address, int(port)))
        listeners.append(threading.Thread(target=accept, args=(listener,)))
        listeners[-1].start()
    print("serving", flush=True)


def accept(listener: socket.socket) -> None:
    """Answer whoever comes."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def connect(address: str, port: str, steps: list[str]) -> int:
    """The client's side; the exit status."""
    connection = socket.create_connection((address, int(port)), timeout=6)
    print("port", connection.getsockname()[1], flush=True)
    answers = connection.makefile("r")
    for step in steps:
        word, _, rest = step.partition(" ")
        if word == "say":
            connection.sendall(f"{rest}\n".encode())
        elif word == "hear":
            heard = answers.readline().strip()
            if heard != rest:
                print(f"heard {heard!r} and not {rest!r}", flush=True)
                return 1
        elif word == "chat":
            number, left = 0, 5
            while left:
                number += 1
                left -= Path(rest).exists()
                connection.sendall(f"echo {number}\n".encode())
                if answers.readline().strip() != str(number):
                    print("no answer", flush=True)
                    return 1
                time.sleep(0.1)
        elif word == "mss":
            connection.sendall(b"mss\n")
            said = answers.readline().strip()
            if not said:
                print("the server closed the connection without an answer", flush=True)
                return 1
            print("mss", mss(connection), said, flush=True)
        elif word == "wait":
            time.sleep(float(rest))
        elif word == "half":
            connection.shutdown(socket.SHUT_WR)
        elif word == "rst":
            reset(connection)
        elif word == "forget":
            source = connection.getsockname()
            answers.close()
            forget(connection)
        elif word == "again":
            connection = socket.create_connection((address, int(port)), 6, source)
            answers = connection.makefile("r")
        elif word == "fin":
            answers.close()
            connection.close()
        print("done", step, flush=True)
    return 0


def main() -> int:
    """Exit status 0 if all went as it was told."""
    what, address, *rest = sys.argv[1:]
    if what == "serve":
        serve(address, rest)
        return 0
    return connect(address, rest[0], rest[1:])


if __name__ == "__main__":
    sys.exit(main())
