"""Filters, a policer, screens, tracing and hash-based distribution with real traffic.

Needs root; run by ``make mininet``. What programs on hosts see is held against what the NPUs
counted.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator

import pytest
from gateways import DMZ, UNTRUST, Topology, running

SPRAY = (sys.executable, "-m", "topologies.hosts.spray")
ASK = (sys.executable, "-m", "topologies.hosts.ask")


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with running("data_plane") as up:
        for host in ("untrust1", "dmz1"):
            up.start(host, sys.executable, "-m", "topologies.hosts.serve", until="serving")
        yield up


def counter(topology: Topology, name: str) -> int:
    """Packets that a filter's counter found."""
    line = re.search(rf"^{name} +\d+ +(\d+)$", topology.cli("show firewall"), re.MULTILINE)
    assert line is not None
    return int(line[1])


def hits(topology: Topology, zone: str, screen: str) -> int:
    """What a screen found."""
    rows = topology.cli(f"show security screen statistics zone {zone}")
    line = re.search(rf"^  {screen} +(\d+)$", rows, re.MULTILINE)
    assert line is not None
    return int(line[1])


def test_a_filter_rejects_discards_and_counts(topology: Topology) -> None:
    before = counter(topology, "telnet"), counter(topology, "discards")
    refused = topology.run("trust1", sys.executable, "-c", CONNECT, UNTRUST, "23")
    assert "No route to host" in refused or "Permission denied" in refused, refused
    assert counter(topology, "telnet") == before[0] + 1
    assert " R " in topology.cli("show firewall log")
    topology.run("trust1", *SPRAY, "send", UNTRUST, "6500", "10", "100", "0.1")
    assert counter(topology, "discards") > before[1]
    assert topology.run("trust1", *ASK, UNTRUST, "passes").endswith("exit status 0")
    topology.cli("clear firewall all")
    assert counter(topology, "telnet") == 0


def test_an_output_filter_rejects_on_the_way_out(topology: Topology) -> None:
    """The session is set up, its first packet falls at the far interface, and who sent it hears
    of it through the session."""
    refused = topology.run("trust1", sys.executable, "-c", CONNECT, DMZ, "22")
    assert "No route to host" in refused or "Permission denied" in refused, refused
    assert counter(topology, "ssh") >= 1
    assert topology.run("trust1", *ASK, DMZ, "passes").endswith("exit status 0")


CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
    print("connected")
except OSError as error:
    print(error)
"""


def test_a_policer_holds_the_rate(topology: Topology) -> None:
    """Sent at 16 Mbit/s, about half arrives: 8 Mbit/s, and what the burst lets through."""
    before = counter(topology, "bulk")
    there = topology.start("untrust1", *SPRAY, "count", "7000", "1", until="counting")
    said = topology.run("trust1", *SPRAY, "send", UNTRUST, "7000", "1000", "2000", "3")
    sent = int(said.split()[0])
    assert there.stdout is not None
    datagrams, _, seconds = map(float, there.stdout.readline().split())
    # A frame is 42 bytes longer than its datagram's content; 50 kB may come at once.
    allowed = (1_000_000 * seconds + 50_000) / 1042
    # A busy target may lose some before the program sees them, and takes its time for the rest.
    offered = counter(topology, "bulk") - before
    assert 1.2 * datagrams < offered <= sent
    assert 0.7 * allowed < datagrams < 1.1 * allowed
    assert "POLICER" in topology.cli("show security flow drops")


def test_a_rate_screen_lets_the_slow_pass_and_stops_the_flood(topology: Topology) -> None:
    slow = topology.run("trust1", "ping", "-c", "5", "-i", "0.1", "-w", "5", UNTRUST)
    assert " 0% packet loss" in slow, slow
    before = hits(topology, "trust", "ICMP flood")
    flood = topology.run("trust1", "ping", "-c", "120", "-i", "0.002", "-W", "1", UNTRUST)
    lost = re.search(r"([\d.]+)% packet loss", flood)
    assert lost is not None
    assert float(lost[1]) > 50, flood
    assert hits(topology, "trust", "ICMP flood") > before
    time.sleep(2.1)  # The rest of the second and the next.
    again = topology.run("trust1", "ping", "-c", "2", "-i", "0.2", "-w", "5", UNTRUST)
    assert " 0% packet loss" in again, again
    shown = topology.cli("show security screen ids-option trust-screen")
    assert re.search(r"ICMP flood threshold +20$", shown, re.MULTILINE)


def test_a_spoofed_source_falls(topology: Topology) -> None:
    before = hits(topology, "trust", "IP spoofing")
    topology.run("trust1", "ip", "address", "add", "203.0.113.77/32", "dev", "lo")
    ping = topology.run("trust1", "ping", "-c", "2", "-W", "1", "-I", "203.0.113.77", DMZ)
    topology.run("trust1", "ip", "address", "delete", "203.0.113.77/32", "dev", "lo")
    assert "100% packet loss" in ping, ping
    assert hits(topology, "trust", "IP spoofing") == before + 2


def test_a_large_ping_falls_and_fragments_pass(topology: Topology) -> None:
    """Fragments have no screen on untrust's side: a big datagram crosses in parts."""
    large = topology.run("trust1", "ping", "-c", "1", "-W", "1", "-s", "1200", UNTRUST)
    assert "100% packet loss" in large, large
    assert hits(topology, "trust", "ICMP large packet") >= 1
    there = topology.start("untrust1", *SPRAY, "count", "7100", "1", until="counting")
    topology.run("trust1", *SPRAY, "send", UNTRUST, "7100", "4000", "20", "1")
    assert there.stdout is not None
    datagrams, size = map(int, there.stdout.readline().split()[:2])
    assert datagrams >= 15
    assert size == 4000 * datagrams
    assert re.search(r"FRAGMENT +\d+ +0$", topology.cli("show security flow statistics"), re.M)


def test_hash_based_distribution_uses_both_spus_by_weight(topology: Topology) -> None:
    assert "Distribution mode: Hash-based" in topology.cli("show security flow status")
    topology.cli("clear security flow session all")
    for n in range(24):
        assert topology.run("trust1", *ASK, DMZ, str(n)).endswith("exit status 0")
    walks = topology.cli("show security flow cp-session")
    owners = re.findall(r"SPU: (\d+), Valid", walks)
    assert len(owners) >= 24
    assert owners.count("2") > owners.count("1") > 0


def test_a_traced_packet_is_followed_through_both_npus(topology: Topology) -> None:
    assert topology.run("trust1", *ASK, UNTRUST, "traced").endswith("exit status 0")
    trace = topology.cli("show security flow trace")
    assert "matched filter udp7:" in trace
    assert re.search(r"NPU 1 ge-1/0/0\.0 in: session: punt \(MISS\)", trace)
    assert re.search(r"NPU 2 \S+ out: ", trace)


def test_dropped_packets_have_records(topology: Topology) -> None:
    topology.run("untrust1", *ASK, "10.1.1.10", "denied")
    records = topology.cli("show security packet-drop records")
    assert re.search(
        r"^\d\d:\d\d:\d\d\.\d{6}:LSYS-ID-00 203\.0\.113\.10/\d+-->10\.1\.1\.10/5353;udp,.*"
        r"Dropped by POLICY:Policy deny",
        records,
        re.MULTILINE,
    )


def test_what_arrived_is_forwarded_punted_or_dropped(topology: Topology) -> None:
    """From a quiet moment on: what a target's own queues lose in a flood, no program counts."""
    topology.cli("clear security flow statistics")
    topology.run("trust1", "ping", "-c", "3", "-i", "0.2", UNTRUST)
    topology.run("trust1", *ASK, DMZ, "counted")

    def statistics() -> str:
        return topology.cli("show security flow statistics")

    assert topology.wait(lambda: re.findall(r"Under way +(\d+)", statistics()) == ["0", "0"]), (
        statistics()
    )
    punted = re.findall(r"(?:Punted|heard by the controller) +(\d+)", statistics())
    assert punted[0::2] == punted[1::2]
    received = re.search(r"Packets received: (\d+)", statistics())
    assert received is not None
    # Three pings, a question, and their answers; neighbours may ask for addresses beside them.
    assert 8 <= int(received[1]) < 30
