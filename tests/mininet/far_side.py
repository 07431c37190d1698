"""What the far side sees of hosts behind NAT: a server that says it, a watcher on its wire."""

from __future__ import annotations

import json
import subprocess
import sys

from gateways import ENDS, UNTRUST, Topology

WATCH, SPEAK = str(ENDS / "watch.py"), str(ENDS / "speak.py")
TRUST_OTHERS = ("10.1.1.11", "10.1.1.12")
"""More addresses of host trust1: other hosts, as NAT sees it."""
TALK = """\
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.bind(("", 4444))
s.sendto(b"hello", ("{to}", 5353))
print("seen as", s.recv(99).decode(), flush=True)
print("called with", s.recv(99).decode(), flush=True)
s.close()
"""
"""A program that says something from port 4444, and prints what it hears."""
CALL = """\
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("{own}", 7777))
s.sendto(b"a call of {own}", ("{to}", {port}))
"""
"""One that says something to a port of somebody's."""


class Speaker:
    """UDP flows from addresses of trust1, all from one process."""

    def __init__(self, topology: Topology) -> None:
        for address in TRUST_OTHERS:
            topology.run("trust1", "ip", "address", "add", f"{address}/24", "dev", "trust1-eth0")
        self._process = topology.start(
            "trust1", sys.executable, SPEAK, until="listening", stdin=subprocess.PIPE
        )

    def ask(self, *flows: tuple[str, int], answers: int | None = None) -> list[list[str]]:
        """The address and port that each flow (own address, own port) was seen with by the server,
        empty without an answer. Waits for that many ``answers``; default: all."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        wanted = len(flows) if answers is None else answers
        told = [[own, port, UNTRUST, 5353] for own, port in flows]
        stdin.write(json.dumps([wanted, *told]) + "\n")
        stdin.flush()
        return [answer.split()[:2] for answer in json.loads(stdout.readline())]


def seen_by(topology: Topology, host: str, address: str) -> str:
    """The address that a web server saw a host's request come from."""
    return topology.run(host, "curl", "-sS", "-m", "5", f"http://{address}/client").split(" ")[0]


class Watcher:
    """What reaches a host, until it is asked."""

    def __init__(self, topology: Topology, host: str) -> None:
        self._file = topology.directory / f"seen-{host}"
        self._file.write_text("")
        self._process = topology.start(
            host, sys.executable, WATCH, str(self._file), until="watching"
        )

    def stop(self) -> str:
        """What it saw, a line a packet."""
        seen = self._file.read_text()
        self._file.unlink()
        self._process.wait(timeout=10)
        return seen
