"""What protects servers and the firewall itself, against real programs.

Needs root; run by ``make mininet``. Each test loads the configuration that it is about.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from gateways import DMZ, INTERFACES, NAT, SWITCH, TRUST, UNTRUST, UNTRUST6, Topology, gateways

ASK = (sys.executable, "-m", "topologies.hosts.ask")

BASE = (
    INTERFACES
    + """\
set interfaces ge-1/0/0 unit 0 family inet6 address 2001:db8:1::1/64
set interfaces ge-1/0/1 unit 0 family inet6 address 2001:db8:2::1/64
set interfaces ge-2/0/0 unit 0 family inet6 address 2001:db8:3::1/64
set routing-options static route 0.0.0.0/0 next-hop 203.0.113.10
set security zones security-zone trust host-inbound-traffic system-services ping
"""
)


def permit(from_zone: str, to_zone: str, then: str = "permit") -> str:
    """A policy that permits everything between two zones."""
    line = f"set security policies from-zone {from_zone} to-zone {to_zone} policy all "
    return (
        f"{line}match source-address any\n{line}match destination-address any\n"
        f"{line}match application any\n{line}then {then}\n"
    )


def screen(zone: str, *lines: str) -> str:
    """A zone's screens."""
    said = "".join(f"set security screen ids-option {zone}-screen {line}\n" for line in lines)
    return f"{said}set security zones security-zone {zone} screen {zone}-screen\n"


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        for host in ("untrust1", "dmz1"):
            up.start(host, sys.executable, "-m", "topologies.hosts.serve", until="serving")
        yield up


def load(topology: Topology, *parts: str) -> None:
    """Put a configuration into force, with no sessions from before."""
    topology.load("".join(parts))
    topology.clear()
    topology.cli("clear security screen statistics")


def hits(topology: Topology, zone: str, row: str) -> int:
    """What a screen found."""
    rows = topology.cli(f"show security screen statistics zone {zone}")
    line = re.search(rf"^  {row} +(\d+)$", rows, re.MULTILINE)
    assert line is not None, rows
    return int(line[1])


def test_a_source_has_no_more_sessions_than_its_limit(topology: Topology) -> None:
    load(
        topology,
        BASE,
        permit("trust", "untrust"),
        permit("trust", "dmz"),
        screen("trust", "limit-session source-ip-based 3"),
    )
    assert "Session source limit threshold             3" in topology.cli(
        "show security screen ids-option trust-screen"
    )
    for n in range(3):
        assert topology.run("trust1", *ASK, DMZ, str(n)).endswith("exit status 0")
    refused = topology.run("trust1", *ASK, UNTRUST, "one too many")
    assert "no answer" in refused, refused
    assert hits(topology, "trust", "Source session limit") == 1
    # From the second refusal on the NPU does it.
    topology.run("trust1", *ASK, UNTRUST, "again")
    topology.run("trust1", "ping", "-c", "3", "-i", "0.2", "-W", "1", DMZ)
    assert hits(topology, "trust", "Source session limit") == 5
    drops = topology.cli("show security flow drops")
    assert re.search(r"SCREEN_SESSION_LIMIT_SOURCE", drops), drops
    topology.clear()
    assert topology.run("trust1", *ASK, UNTRUST, "free again").endswith("exit status 0")


OUTSIDE = (
    BASE.replace("zone trust", "zone outside")
    .replace("security-zone dmz", "security-zone outside")
    .replace("0.0.0.0/0 next-hop 203.0.113.10", "0.0.0.0/0 next-hop 10.2.2.10")
)
"""Hosts trust1 and dmz1 are outside, one zone; the rest of the world is behind dmz1."""
FLOOD = screen(
    "outside",
    "tcp syn-flood attack-threshold 50",
    "tcp syn-flood source-threshold 1000000",
    "tcp syn-flood destination-threshold 1000000",
)
HIDE = """\
set security nat source rule-set hide from zone outside
set security nat source rule-set hide to zone untrust
set security nat source rule-set hide rule all match source-address 0.0.0.0/0
set security nat source rule-set hide rule all then source-nat interface
"""


PATIENT = ("curl", "-sS", "-m", "30", "--retry", "2", "--retry-all-errors")
"""A client on a machine that is as busy as a flood makes it."""


def protection(topology: Topology, row: str) -> int:
    """What SPUs did, all together."""
    shown = topology.cli("show security flow syn-flood-protection")
    line = re.search(rf"^{row} +(\d+) +(\d+)$", shown, re.MULTILINE)
    assert line is not None, shown
    return int(line[1]) + int(line[2])


@pytest.mark.parametrize(
    ("mode", "nat", "answered"),
    [
        ("syn-cookie", HIDE, "SYNs answered with a cookie"),
        ("syn-proxy", "", "SYNs answered by proxy"),
    ],
)
def test_a_client_gets_through_a_flood_of_syns(
    topology: Topology, mode: str, nat: str, answered: str
) -> None:
    """hping3 makes up a source for each SYN, as fast as it can, or as the switch can."""
    # The way to the client is narrow, so servers have to believe what they are told of segments
    # that are too big for it.
    line = f"set security flow syn-flood-protection-mode {mode}\n"
    line += "set interfaces ge-1/0/0 mtu 1414\n"
    load(
        topology, OUTSIDE, permit("outside", "untrust", "permit services-offload"), FLOOD, line, nat
    )
    before = {row: protection(topology, row) for row in (answered, "Servers that answered")}
    # BMv2 has one queue for all that comes, packets of the controller too: it drowns by itself.
    rate = "--flood" if "p4embed" in SWITCH else "-i u1000"
    hping3 = f"hping3 -q -S -p 80 {rate} --rand-source {UNTRUST}"
    flood = topology.start("dmz1", "sh", "-c", f"echo $$; exec nice -n 10 {hping3} 2>/dev/null")
    assert flood.stdout is not None
    number = flood.stdout.readline().strip()
    try:
        assert topology.wait(lambda: protection(topology, answered) > before[answered] + 200, 30)
        for _ in range(3):
            # Its first SYN may be one of too many; the next one passes.
            got = topology.run(
                "trust1",
                *(*PATIENT, "-o", "/dev/null", "-w", "%{size_download}"),
                f"http://{UNTRUST}/bytes/300000",
                seconds=100,
            )
            assert "300000" in got, got
        seen = topology.run("trust1", *PATIENT, f"http://{UNTRUST}/client", seconds=100)
        assert seen.startswith(NAT + " " if nat else TRUST + " "), seen
        # The controller answers meanwhile.
        sessions = topology.cli("show security flow session destination-prefix 203.0.113.10/32")
        assert f"In: {TRUST}/" in sessions, sessions[:2000]
        assert "SYN flood protection" in topology.cli("show security np-cache reasons")
    finally:
        topology.run("dmz1", "kill", number)
        flood.wait(timeout=10)
    # Some SYNs of the client may have been below the threshold, which begins anew now and then.
    assert protection(topology, "Servers that answered") > before["Servers that answered"]
    assert hits(topology, "outside", "TCP SYN flood") > 200
    topology.clear()


def test_a_table_that_is_too_full_loses_idle_sessions(topology: Topology) -> None:
    """With watermarks of 0, any session is one too many once it is idle."""
    line = "set security flow aging "
    load(
        topology,
        BASE,
        permit("trust", "untrust", "permit services-offload"),
        f"{line}early-ageout 2\n{line}low-watermark 0\n{line}high-watermark 0\n",
    )
    for n in range(5):
        assert topology.run("trust1", *ASK, UNTRUST, str(n)).endswith("exit status 0")
    # All of them ride Express Path, so the NPUs have to say that they are idle.
    assert topology.wait(
        lambda: "Total sessions: 0" in topology.cli("show security flow cp-session"), 20
    )
    assert "Watermarks: high 0 %, low 0 %" in topology.cli("show security flow status")


BACKWARDS = """
import os, socket, sys
from scapy.config import conf
from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.sendrecv import send
conf.verb = 0
words = bytes(range(256)) * 20
for target in sys.argv[1:]:
    v6, number = ":" in target, int.from_bytes(os.urandom(4), "big")
    with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(5)
        asker.connect((target, 5353))
        here = asker.getsockname()
        end = UDP(sport=here[1], dport=5353) / words
        if v6:
            whole = IPv6(src=here[0], dst=target) / IPv6ExtHdrFragment(id=number) / end
            parts = fragment6(whole, 1280)
        else:
            parts = fragment(IP(src=here[0], dst=target, id=number & 0xFFFF) / end, 1000)
        for part in reversed(parts):
            send(part)
        print("whole" if asker.recv(65535).endswith(words) else "broken")
"""


@pytest.mark.parametrize("words", ["", "set security flow force-ip-reassembly\n"])
def test_fragments_in_reverse_order_make_one_question(topology: Topology, words: str) -> None:
    """The answer comes in fragments of the server's own; the kernels at both ends judge."""
    load(topology, BASE, permit("trust", "untrust"), permit("trust", "dmz"), words)
    topology.cli("clear security flow statistics")
    said = topology.run("trust1", sys.executable, "-c", BACKWARDS, UNTRUST, UNTRUST6, DMZ)
    assert said.count("whole") == 3, said
    big = topology.run("trust1", "ping", "-c", "2", "-i", "0.2", "-s", "4000", "-W", "2", UNTRUST)
    assert " 0% packet loss" in big, big
    shown = topology.cli("show security flow statistics")
    count = re.search(r"Datagrams reassembled: (\d+)", shown)
    assert count is not None
    assert int(count[1]) == (10 if words else 0), shown
