"""Each kind of address translation with real traffic through two NPUs: what the far side sees.

Needs root; run by ``make mininet``. Servers say which address and port a request came from, and a
watcher on the far side prints what arrives on its wire. Nobody but the firewall answers ARP and ND
for the addresses in question.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import DMZ, TRUST, UNTRUST, Topology, gateways

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: run 'make mininet'"),
]
WATCH = str(Path(__file__).parent / "ends" / "watch.py")
POOL = "203.0.113.100"
SERVER = "203.0.113.80"
STATIC = "203.0.113.90"
ELSEWHERE = "198.51.100.10"
"""Another address of host untrust1."""
STATIC6, TRUST6, UNTRUST6 = "2001:db8:3::90", "2001:db8:1::10", "2001:db8:3::10"

BASE = """\
set system host-name wingpath
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-1/0/0 unit 0 family inet6 address 2001:db8:1::1/64
set interfaces ge-1/0/1 unit 0 family inet address 10.2.2.1/24
set interfaces ge-2/0/0 unit 0 family inet address 203.0.113.1/24
set interfaces ge-2/0/0 unit 0 family inet6 address 2001:db8:3::1/64
set security zones security-zone trust interfaces ge-1/0/0.0
set security zones security-zone dmz interfaces ge-1/0/1.0
set security zones security-zone untrust interfaces ge-2/0/0.0
set routing-options static route 198.51.100.0/24 next-hop 203.0.113.10
set security nat proxy-arp interface ge-2/0/0.0 address 203.0.113.80 to 203.0.113.103
set security nat proxy-ndp interface ge-2/0/0.0 address 2001:db8:3::90
"""
_P = "set security policies from-zone {} to-zone {} policy p "
PAIRS = (("trust", "untrust"), ("untrust", "trust"), ("untrust", "dmz"), ("dmz", "untrust"))
EVERYTHING = "".join(
    f"{_P.format(*pair)}match source-address any\n{_P.format(*pair)}match destination-address any\n"
    f"{_P.format(*pair)}match application any\n{_P.format(*pair)}then permit services-offload\n"
    for pair in PAIRS
)
TO_POOL = """\
set security nat source rule-set out from zone trust
set security nat source rule-set out to zone untrust
set security nat source rule-set out rule all match source-address 10.0.0.0/8
set security nat source rule-set out rule all then source-nat pool p
"""


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        for host in ("untrust1", "dmz1", "trust1"):
            up.start(host, sys.executable, "-m", "topologies.hosts.serve", until="serving")
        yield up


def load(topology: Topology, text: str) -> None:
    file = topology.directory / "nat.set"
    file.write_text(BASE + EVERYTHING + text)
    answer = topology.cli(f"request configuration load {file}")
    assert answer.startswith("load complete"), answer
    topology.clear()


def seen_by(topology: Topology, host: str, address: str) -> str:
    """The address that a web server saw a host's request come from."""
    return topology.run(host, "curl", "-sS", "-m", "5", f"http://{address}/client").split(" ")[0]


def ask(topology: Topology, host: str, address: str) -> list[str]:
    """What a UDP server saw: address, port, and what it was asked."""
    said = topology.run(host, sys.executable, "-m", "topologies.hosts.ask", address, "hello")
    return said.split("\n")[0].split(" ")


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


def test_a_pool_translates_ports_and_its_address_is_answered_for(topology: Topology) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         "set security nat source pool p port range 5000 to 5999\n")  # fmt: skip
    topology.run("untrust1", "ip", "neigh", "flush", "all")
    assert seen_by(topology, "trust1", UNTRUST) == POOL
    address, port, text = ask(topology, "trust1", UNTRUST)
    assert (address, text) == (POOL, "hello")
    assert 5000 <= int(port) <= 5999
    neighbours = topology.run("untrust1", "ip", "neigh", "show", POOL)
    assert "lladdr 02:00:00:02:00:01" in neighbours, neighbours
    watcher = Watcher(topology, "untrust1")
    body = topology.run("trust1", "curl", "-sS", "-m", "10", "-o", "/dev/null", "-w",
                        "%{size_download}", f"http://{UNTRUST}/bytes/2000000")  # fmt: skip
    assert body.startswith("2000000"), body
    assert "0% packet loss" in topology.run("trust1", "ping", "-n", "-c", "2", UNTRUST)
    lines = watcher.stop()
    assert re.search(rf"^tcp {POOL} 5\d\d\d > {UNTRUST} 80$", lines, re.M), lines[:500]
    assert re.search(rf"^icmp {POOL} 5\d\d\d > {UNTRUST} echo$", lines, re.M), lines[-500:]
    assert TRUST not in lines
    listed = topology.cli("show security flow session services-offload")
    assert f"Out: {UNTRUST}/5353 --> {POOL}/5" in listed, listed


def test_without_port_translation_the_port_stays(topology: Topology) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         "set security nat source pool p port no-translation\n")  # fmt: skip
    said = topology.run("trust1", "curl", "-sS", "-m", "5", "--local-port", "2345",
                        f"http://{UNTRUST}/client")  # fmt: skip
    assert said.startswith(f"{POOL} 2345"), said


def test_hosts_are_shifted_and_ipv6_prefixes_exchanged(topology: Topology) -> None:
    load(topology, TO_POOL + "set security nat source pool p address 203.0.113.96/29\n"
         "set security nat source pool p host-address-base 10.1.1.8/32\n"
         "set security nat static rule-set s from zone untrust\n"
         "set security nat static rule-set s rule n match destination-address 2001:db8:9::/48\n"
         "set security nat static rule-set s rule n then static-nat nptv6-prefix 2001:db8:1::/48\n"
         )  # fmt: skip
    assert seen_by(topology, "trust1", UNTRUST) == "203.0.113.98"  # 10.1.1.10
    outside = seen_by(topology, "trust1", f"[{UNTRUST6}]")
    assert outside.startswith("2001:db8:9:"), outside
    assert seen_by(topology, "untrust1", f"[{outside}]") == UNTRUST6


def test_a_pool_that_is_exhausted_says_so(topology: Topology) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         "set security nat source pool p port range 5000\n")  # fmt: skip
    assert ask(topology, "trust1", UNTRUST)[:2] == [POOL, "5000"]
    assert ask(topology, "trust1", UNTRUST)[0] == "no"  # no answer
    drops = topology.cli("show security flow drops")
    assert re.search(r"NAT_EXHAUSTED +[1-9]", drops), drops
    assert "Failed allocations : 1" in topology.cli("show security nat source pool p")
    log = (topology.directory / "logs" / "controller.log").read_text()
    assert "RT_SRC_NAT_POOL_EXHAUSTED: nothing is left for a flow in source pool p" in log


TWO = """\
import socket
both = [socket.create_connection((to, 80), 5) for to in ("{}", "{}")]
for one in both:
    one.sendall(b"GET /client HTTP/1.0\\r\\n\\r\\n")
    print(one.makefile().read().splitlines()[-1])
"""
"""Two connections at once; what each server saw."""


def test_an_overloaded_port_serves_two_destinations(topology: Topology) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         "set security nat source pool p port range 5000\n"
         "set security nat source pool p port port-overloading-factor 2\n")  # fmt: skip
    said = topology.run("trust1", sys.executable, "-c", TWO.format(UNTRUST, ELSEWHERE))
    assert said.startswith(f"{POOL} 5000\n{POOL} 5000\n"), said


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
CALL = """\
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("{own}", 7777))
s.sendto(b"a call", ("{to}", {port}))
"""


@pytest.mark.parametrize("reach", ["any-remote-host", "target-host-port"])
def test_a_persistent_binding_can_be_called(topology: Topology, reach: str) -> None:
    rule = "set security nat source rule-set out rule all then source-nat pool persistent-nat "
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         f"{rule}permit {reach}\n")  # fmt: skip
    talker = topology.start("trust1", sys.executable, "-c", TALK.format(to=UNTRUST))
    assert talker.stdout is not None
    seen = talker.stdout.readline().split()
    assert seen[2:4] == [POOL, "4444"], seen
    table = topology.cli("show security nat source persistent-nat-table all")
    assert re.search(rf"{TRUST} 4444 +udp +{POOL} 4444 +udp +p +{reach}", table), table
    call = CALL.format(own=ELSEWHERE, to=POOL, port=4444)
    assert "exit status 0" in topology.run("untrust1", sys.executable, "-c", call)
    if reach == "any-remote-host":
        assert talker.stdout.readline() == "called with a call\n"
    else:
        drops = topology.cli("show security flow drops")
        assert "exit status 0" in topology.run("untrust1", sys.executable, "-c", call)
        assert drops != topology.cli("show security flow drops")
    talker.terminate()


def test_allocation_that_takes_time_suspends_the_first_packet(topology: Topology) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n")
    topology.cli("request security nat allocation delay 400")
    said = topology.run("trust1", "ping", "-n", "-c", "2", "-i", "0.2", UNTRUST)
    topology.cli("request security nat allocation")
    times = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", said)]
    assert len(times) == 2, said
    assert times[0] >= 400
    walk = topology.cli("show security flow walk last 1")
    assert "packet suspended" in walk
    assert "packet resumed" in walk


def test_ftp_to_a_server_behind_destination_nat(topology: Topology) -> None:
    files = topology.directory / "files"
    files.mkdir()
    files.chmod(0o777)
    (files / "file").write_bytes(b"x" * 50_000)
    server = ("-m", "topologies.hosts.ftp_server", str(files), DMZ, "2001:db8:2::10")
    topology.start("dmz1", sys.executable, *server, until="serving")
    load(topology, "set security nat destination pool ftp address 10.2.2.10/32\n"
         "set security nat destination rule-set in from zone untrust\n"
         f"set security nat destination rule-set in rule f match destination-address {SERVER}\n"
         "set security nat destination rule-set in rule f match application junos-ftp\n"
         "set security nat destination rule-set in rule f then destination-nat pool ftp\n"
         )  # fmt: skip
    for mode in (("--disable-epsv",), (), ("--ftp-port", "-")):
        watcher = Watcher(topology, "untrust1")
        said = topology.run("untrust1", "curl", "-sS", "-m", "10", *mode, "-o", "/dev/null", "-w",
                            "%{size_download}", f"ftp://{SERVER}/file")  # fmt: skip
        assert said.startswith("50000"), said
        lines = watcher.stop()
        assert f"tcp {SERVER} " in lines
        assert DMZ not in lines


def test_destination_nat_maps_address_and_port(topology: Topology) -> None:
    load(topology, "set security nat destination pool web address 10.2.2.10/32 port 80\n"
         "set security nat destination rule-set in from zone untrust\n"
         f"set security nat destination rule-set in rule web match destination-address {SERVER}\n"
         "set security nat destination rule-set in rule web match destination-port 8080\n"
         "set security nat destination rule-set in rule web then destination-nat pool web\n"
         )  # fmt: skip
    watcher = Watcher(topology, "dmz1")
    said = topology.run("untrust1", "curl", "-sS", "-m", "5", f"http://{SERVER}:8080/client")
    assert said.startswith(f"{UNTRUST} "), said
    lines = watcher.stop()
    assert re.search(rf"^tcp {UNTRUST} \d+ > {DMZ} 80$", lines, re.M), lines[:500]
    refused = topology.run("untrust1", "curl", "-sS", "-m", "1", f"http://{SERVER}:81/client")
    assert "exit status 0" not in refused


def test_static_nat_both_ways_and_over_ipv6(topology: Topology) -> None:
    load(topology, "set security nat static rule-set s from zone untrust\n"
         f"set security nat static rule-set s rule a match destination-address {STATIC}\n"
         f"set security nat static rule-set s rule a then static-nat prefix {TRUST}/32\n"
         f"set security nat static rule-set s rule c match destination-address {SERVER}\n"
         "set security nat static rule-set s rule c match destination-port 8080\n"
         f"set security nat static rule-set s rule c then static-nat prefix {DMZ} mapped-port 80\n"
         f"set security nat static rule-set s rule b match destination-address {STATIC6}\n"
         f"set security nat static rule-set s rule b then static-nat prefix {TRUST6}/128\n"
         )  # fmt: skip
    assert seen_by(topology, "trust1", UNTRUST) == STATIC
    assert seen_by(topology, "untrust1", STATIC) == UNTRUST
    assert seen_by(topology, "untrust1", f"{SERVER}:8080") == UNTRUST
    assert seen_by(topology, "trust1", f"[{UNTRUST6}]") == STATIC6
    topology.run("untrust1", "ip", "-6", "neigh", "flush", "all")
    watcher = Watcher(topology, "trust1")
    assert "0% packet loss" in topology.run("untrust1", "ping", "-n", "-c", "2", STATIC6)
    assert f"> {TRUST6} echo" in watcher.stop()
    neighbours = topology.run("untrust1", "ip", "-6", "neigh", "show", STATIC6)
    assert "lladdr 02:00:00:02:00:01" in neighbours, neighbours
    # An ICMP error about a translated packet reaches the sender, and names what it knows.
    traced = topology.run("untrust1", "traceroute", "-n", "-w", "1", "-q", "1", "-m", "3", STATIC)
    assert re.search(rf"^ \d  {re.escape(STATIC)} ", traced, re.M), traced
