"""Screens of the way out, with real traffic: what the SPUs tell them of packets is right.

Needs root; run by ``make mininet``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from gateways import UNTRUST, Topology, gateways

CONFIGURATION = """\
set system host-name wingpath
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-2/0/0 unit 0 family inet address 203.0.113.1/24
set security zones security-zone trust interfaces ge-1/0/0.0
set security zones security-zone untrust interfaces ge-2/0/0.0
set security zones security-zone untrust screen out
set security screen ids-option out match-direction output
set security screen ids-option out ip spoofing
set security screen ids-option out udp port-scan threshold 1000000
set security policies from-zone trust to-zone untrust policy all match source-address any
set security policies from-zone trust to-zone untrust policy all match destination-address any
set security policies from-zone trust to-zone untrust policy all match application any
set security policies from-zone trust to-zone untrust policy all then permit {offload}
"""
NAT = """\
set security nat source rule-set out from zone trust
set security nat source rule-set out to zone untrust
set security nat source rule-set out rule all match source-address 0.0.0.0/0
set security nat source rule-set out rule all then source-nat interface
"""

TARGETS = 10
"""Ports that a scan is let through to."""
SCAN = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("", 4000))
for port in range(7000, 7014):
    out.sendto(b"x", (sys.argv[1], port))
"""
LISTEN = """
import selectors, socket, sys
waiting = selectors.DefaultSelector()
for port in range(7000, 7014):
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.bind(("", port))
    waiting.register(here, selectors.EVENT_READ)
print("listening", flush=True)
found, wait = set(), 10
while ready := waiting.select(wait):
    for key, _ in ready:
        key.fileobj.recv(99)
        found.add(key.fileobj.getsockname()[1])
    wait = 1
print(len(found), flush=True)
"""


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        yield up


def load(topology: Topology, text: str) -> None:
    """Put a configuration into force, with no sessions from before."""
    topology.load(text)
    topology.clear()
    topology.cli("clear security screen statistics")


def hits(topology: Topology, row: str) -> int:
    """What a screen of zone untrust found."""
    rows = topology.cli("show security screen statistics zone untrust")
    line = re.search(rf"^  {row} +(\d+)$", rows, re.MULTILINE)
    assert line is not None, rows
    return int(line[1])


def scanned(topology: Topology) -> int:
    """Ports that a scan of fourteen gets through to."""
    there = topology.start("untrust1", sys.executable, "-c", LISTEN, until="listening")
    topology.run("trust1", sys.executable, "-c", SCAN, UNTRUST)
    assert there.stdout is not None
    return int(there.stdout.readline())


def pings(topology: Topology) -> None:
    """Ordinary traffic passes."""
    ping = topology.run("trust1", "ping", "-c", "3", "-i", "0.2", "-w", "5", UNTRUST)
    assert " 0% packet loss" in ping, ping
    assert hits(topology, "IP spoofing") == 0


def test_a_scan_falls_where_it_leaves(topology: Topology) -> None:
    load(topology, CONFIGURATION.format(offload=""))
    topology.run("untrust1", "ip", "route", "add", "10.1.1.0/24", "via", "203.0.113.1")
    pings(topology)
    assert scanned(topology) == TARGETS
    assert hits(topology, "UDP port scan") == 14 - TARGETS


def test_express_path_is_not_spoofed(topology: Topology) -> None:
    load(topology, CONFIGURATION.format(offload="services-offload"))
    pings(topology)


def test_an_address_of_many_is_no_scanner(topology: Topology) -> None:
    load(topology, CONFIGURATION.format(offload="services-offload") + NAT)
    pings(topology)
    assert scanned(topology) == 14
    assert hits(topology, "UDP port scan") == 0
