"""Policies and routes with programs of Debian through two NPUs, and configurations that are loaded
while packets flow.

Needs root; run by ``make mininet``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from gateways import INTERFACES, TRUST, UNTRUST, UNTRUST6, Topology, gateways

ELSEWHERE = "198.51.100.10"
"""Another address of host untrust1, reached by a static route."""

BASE = (
    INTERFACES
    + """\
set interfaces ge-1/0/0 unit 0 family inet6 address 2001:db8:1::1/64
set interfaces ge-2/0/0 unit 0 family inet6 address 2001:db8:3::1/64
set security zones security-zone trust host-inbound-traffic system-services [ ping traceroute ]
set routing-options static route 198.51.100.0/24 next-hop 203.0.113.10
set security policies policy-rematch
"""
)


def policy(name: str, then: str, application: str = "any") -> str:
    line = f"set security policies from-zone trust to-zone untrust policy {name} "
    return (
        f"{line}match source-address any\n{line}match destination-address any\n"
        f"{line}match application {application}\n{line}then {then}\n"
    )


PERMIT = BASE + policy("out", "permit")
EXPRESS = BASE + policy("out", "permit services-offload")


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        # Linux answers no more than six closed ports at once, and traceroute knocks at many.
        up.run("untrust1", "sysctl", "-q", "-w", "net.ipv4.icmp_ratelimit=0")
        yield up


def pings(topology: Topology, address: str, count: int = 2) -> str:
    return topology.run("trust1", "ping", "-n", "-c", str(count), "-i", "0.2", "-W", "1", address)


def test_rejected_connections_and_datagrams_are_refused_at_once(topology: Topology) -> None:
    topology.load(BASE + policy("no", "reject"))
    for address in (UNTRUST, "[2001:db8:3::10]"):
        said = topology.run("trust1", "curl", "-sS", "-m", "5", f"http://{address}:81/")
        assert "exit status 7" in said, said  # "failed to connect", after milliseconds
    traced = topology.run("trust1", "traceroute", "-n", "-w", "1", "-q", "1", "-m", "3", UNTRUST)
    # The first probe has TTL 1; the next one is for the policy, which says port unreachable.
    assert re.findall(r"^ \d  (\S+)", traced, re.M) == ["10.1.1.1", "10.1.1.1"], traced
    assert "no  " in topology.cli("show security policies hit-count greater-than 1")


def test_a_denied_connection_times_out(topology: Topology) -> None:
    topology.load(BASE + policy("no", "deny"))
    said = topology.run("trust1", "curl", "-sS", "-m", "1", f"http://{UNTRUST}:81/")
    assert "exit status 28" in said, said  # "time-out was reached"


@pytest.mark.parametrize("text", [PERMIT, EXPRESS], ids=["spu", "express"])
def test_a_traceroute_shows_our_hop(topology: Topology, text: str) -> None:
    topology.load(text)
    for address in (UNTRUST, ELSEWHERE):
        traced = topology.run(
            "trust1", "traceroute", "-n", "-w", "1", "-q", "1", "-m", "4", address
        )
        assert re.findall(r"^ \d  (\S+)", traced, re.M) == ["10.1.1.1", address], traced
    itself = topology.run("trust1", "traceroute", "-n", "-w", "1", "-q", "1", "-m", "2", "10.1.1.1")
    assert re.findall(r"^ \d  (\S+)", itself, re.M) == ["10.1.1.1"], itself
    late = topology.run("trust1", "ping", "-n", "-c", "1", "-W", "1", "-t", "1", UNTRUST)
    assert "From 10.1.1.1 icmp_seq=1 Time to live exceeded" in late, late


@pytest.mark.parametrize("text", [PERMIT, EXPRESS], ids=["spu", "express"])
def test_sessions_end_when_their_policy_denies(topology: Topology, text: str) -> None:
    topology.load(text)
    topology.clear()
    running = topology.start(
        "trust1", "ping", "-n", "-i", "0.1", "-w", "5", UNTRUST, until="icmp_seq=3"
    )
    listed = topology.cli("show security flow session")
    assert f"In: {TRUST}/" in listed, listed
    offloaded = topology.cli("show security flow session services-offload")
    assert (f"In: {TRUST}/" in offloaded) == (text == EXPRESS)
    topology.load(BASE + policy("out", "deny"))
    assert topology.wait(lambda: f"In: {TRUST}/" not in topology.cli("show security flow session"))
    assert "100% packet loss" in pings(topology, UNTRUST)
    running.wait(timeout=15)
    topology.load(text)
    assert " 0% packet loss" in pings(topology, UNTRUST)


PING = ("ping", "-n", "-c", "1", "-W", "1", UNTRUST)
CONNECT = ("curl", "-s", "-m", "1", f"http://{UNTRUST}:81/")
OFFLOAD = policy("out", "permit services-offload")
TCP = "set security flow tcp-session "
NOT_EXPRESS = {
    "policy": (policy("out", "permit"), PING),
    "policy-off": (policy("out", "permit no-services-offload"), PING),
    "alg-control": (
        OFFLOAD,
        (sys.executable, "-c", "from socket import *; socket(AF_INET, SOCK_DGRAM).sendto("
         rf"b'\1\1\1\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1', ('{UNTRUST}', 53))"),
    ),
    "protocol": (
        OFFLOAD,
        (sys.executable, "-c", "from socket import *; "
         f"socket(AF_INET, SOCK_RAW, 132).sendto(bytes(32), ('{UNTRUST}', 0))"),
    ),
    "fragment": (OFFLOAD, (*PING, "-s", "3000")),
    "ipv6-nat": (
        OFFLOAD
        + "set security nat static rule-set s from zone untrust\n"
        + "set security nat static rule-set s rule r match destination-address 2001:db8:3::90/128\n"
        + "set security nat static rule-set s rule r then static-nat prefix 2001:db8:1::10/128\n",
        ("ping", "-n", "-c", "1", "-W", "1", UNTRUST6),
    ),
    "mtu": (f"{OFFLOAD}set interfaces ge-2/0/0 mtu 1400\n", PING),
    "strict-syn": (f"{OFFLOAD}{TCP}strict-syn-check\n", CONNECT),
    "rst-check": (f"{OFFLOAD}{TCP}rst-sequence-check\n", CONNECT),
    "sequence-check": (
        f"{OFFLOAD}{TCP}no-sequence-check\n"
        "set security policies from-zone trust to-zone untrust policy out then permit tcp-options "
        "sequence-check-required\n",
        CONNECT,
    ),
}  # fmt: skip
"""A configuration and traffic for each reason. (``syn-proxy`` is for ``test_protection``;
``table-full`` takes a million sessions.)"""


def totals(topology: Topology) -> dict[str, int]:
    """Sessions so far by why they were not on Express Path."""
    shown = topology.ask("show security np-cache reasons")
    return {word: int(total) for word, total in re.findall(r"^(\S+) +\d+ +(\d+)", shown, re.M)}


def test_each_reason_against_express_path_is_met_counted_and_told(topology: Topology) -> None:
    for word, (text, traffic) in NOT_EXPRESS.items():
        topology.load(BASE + text)
        topology.clear()
        before = totals(topology)
        topology.run("trust1", *traffic)
        after = totals(topology)
        assert {w: n - before[w] for w, n in after.items() if n != before[w]} == {word: 1}, word
        walk = topology.ask("show security flow walk last 1")
        assert "Express Path decided on (no: " in walk, walk
    rest = {"yes", "syn-proxy", "table-full"}
    assert totals(topology).keys() == NOT_EXPRESS.keys() | rest, "the list is closed"


def test_routes_that_change_are_followed(topology: Topology) -> None:
    topology.load(EXPRESS)
    assert " 0% packet loss" in pings(topology, ELSEWHERE)
    route = "set routing-options static route 198.51.100.0/24 "
    topology.load(EXPRESS.replace(f"{route}next-hop 203.0.113.10", f"{route}reject"))
    topology.clear()
    refused = pings(topology, ELSEWHERE)
    assert "From 10.1.1.1 icmp_seq=1 Destination Net Unreachable" in refused, refused
    topology.load(EXPRESS)
    assert " 0% packet loss" in pings(topology, ELSEWHERE)


def test_a_wrong_file_is_refused_with_its_errors(topology: Topology) -> None:
    file = topology.directory / "wrong.set"
    file.write_text("set security polices\n")
    refused = topology.ask(f"request configuration load {file}")
    assert f"{file}:1:14: error: unknown word 'polices'; did you mean 'policies'?" in refused
    assert "nothing has changed" in refused
    assert " 0% packet loss" in pings(topology, UNTRUST)
