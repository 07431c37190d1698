"""Both ends of the ports: what the switch forwards between, and what listens to it."""

from __future__ import annotations

import queue
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from native_programs import table_program

from p4embed.switch.engine import Digested, Entry, EntryKey, IdleEntry, Op, Update
from p4embed.switch.program import MatchKind, Program

CPU = 255
WAIT = 5.0
"""Seconds that nothing takes unless it never comes."""
SILENCE = 0.2
"""Seconds after which what has not come is taken not to come."""
KEY = bytes.fromhex("02000000000102000000000288b6")
"""The key of all programs here is an Ethernet header."""


def ip(*words: str) -> None:
    """The command ``ip``."""
    subprocess.run(["ip", *words], check=True)


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.frames: queue.Queue[bytes] = queue.Queue()
        self.idles: queue.Queue[IdleEntry] = queue.Queue()
        self.learned: queue.Queue[Digested] = queue.Queue()

    def packets_in(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            self.frames.put(frame)

    def idle(self, entries: Sequence[IdleEntry]) -> None:
        for entry in entries:
            self.idles.put(entry)

    def digests(self, digests: Sequence[Digested]) -> None:
        for digest in digests:
            self.learned.put(digest)


def forwarding(size: int = 1024) -> Program:
    return table_program(MatchKind.EXACT, [48, 48, 16], size=size)


class Far:
    """The far end of a port."""

    def __init__(self, number: int) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((f"far{number}", 3))

    def send(self, frame: bytes) -> None:
        self.socket.send(frame)

    def receive(self, wait: float = WAIT) -> bytes | None:
        """The next frame, VLAN tag restored by hand; ``None``: nothing came."""
        self.socket.settimeout(wait)
        with suppress(TimeoutError):
            return self.socket.recv(65536)
        return None


def send_to(port: int, key: bytes = KEY, tag: int = 0x0200, idle_ns: int = 0) -> Update:
    """An entry that sends to a port; the tag, two bytes, then stands in front of the frame."""
    params = port.to_bytes(2, "big") + tag.to_bytes(2, "big")
    return Update(Op.INSERT, 0, Entry(EntryKey(key), 1, params, idle_ns))
