"""Each kind of address translation with real traffic through two NPUs: what the far side sees.

Needs root; run by ``make mininet``. Servers say which address and port a request came from, and a
watcher on the far side prints what arrives on its wire. Nobody but the firewall answers ARP and ND
for the addresses in question.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from far_side import CALL, TALK, TRUST_OTHERS, Speaker, Watcher, seen_by
from gateways import DMZ, INTERFACES, NAT, TRUST, UNTRUST, Topology, gateways
from servers import files_of, vsftpd

POOL, POOL_NEXT, POOL_OTHER = "203.0.113.100", "203.0.113.101", "203.0.113.103"
SERVER = "203.0.113.80"
STATIC = "203.0.113.90"
ELSEWHERE = "198.51.100.10"
"""Another address of host untrust1."""
STATIC6, TRUST6, UNTRUST6 = "2001:db8:3::90", "2001:db8:1::10", "2001:db8:3::10"

BASE = (
    INTERFACES
    + """\
set interfaces ge-1/0/0 unit 0 family inet6 address 2001:db8:1::1/64
set interfaces ge-2/0/0 unit 0 family inet6 address 2001:db8:3::1/64
set routing-options static route 198.51.100.0/24 next-hop 203.0.113.10
set security nat proxy-arp interface ge-2/0/0.0 address 203.0.113.80 to 203.0.113.103
set security nat proxy-ndp interface ge-2/0/0.0 address 2001:db8:3::90
"""
)
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
        serve = (sys.executable, "-m", "topologies.hosts.serve")
        servers = [up.start(host, *serve) for host in ("untrust1", "dmz1", "trust1")]
        for server in servers:
            up.hear(server, "serving")
        yield up


@pytest.fixture(scope="module")
def speaker(topology: Topology) -> Speaker:
    return Speaker(topology)


def load(topology: Topology, text: str) -> None:
    topology.load(BASE + EVERYTHING + text)
    topology.clear()


def test_a_pool_translates_ports_and_its_address_is_answered_for(
    topology: Topology, speaker: Speaker
) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         "set security nat source pool p port range 5000 to 5999\n")  # fmt: skip
    topology.run("untrust1", "ip", "neigh", "flush", "all")
    assert seen_by(topology, "trust1", UNTRUST) == POOL
    [[address, port]] = speaker.ask((TRUST, 4001))
    assert address == POOL
    assert 5000 <= int(port) <= 5999
    neighbours = topology.run("untrust1", "ip", "neigh", "show", POOL)
    assert "lladdr 02:00:00:02:00:01" in neighbours, neighbours
    watcher = Watcher(topology, "untrust1")
    body = topology.run("trust1", "curl", "-sS", "-m", "10", "-o", "/dev/null", "-w",
                        "%{size_download}", f"http://{UNTRUST}/bytes/300000")  # fmt: skip
    assert body.startswith("300000"), body
    assert "0% packet loss" in topology.run("trust1", "ping", "-n", "-c", "2", "-i", "0.2", UNTRUST)
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


def dropped(topology: Topology) -> int:
    """Packets dropped for want of an address or port, all told."""
    rows = re.findall(r"NAT_EXHAUSTED +(\d+)", topology.cli("show security flow drops"))
    return sum(map(int, rows))


def log(topology: Topology) -> str:
    """What the controller wrote."""
    return (topology.directory / "logs" / "controller.log").read_text()


def test_a_pool_that_is_exhausted_says_so(topology: Topology, speaker: Speaker) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         "set security nat source pool p port range 5000\n")  # fmt: skip
    before = dropped(topology)
    assert speaker.ask((TRUST, 4001)) == [[POOL, "5000"]]
    speaker.ask((TRUST, 4002), answers=0)
    assert topology.wait(lambda: dropped(topology) == before + 1)
    assert "Failed allocations : 1" in topology.cli("show security nat source pool p")
    line = "RT_SRC_NAT_POOL_EXHAUSTED: nothing is left for a flow in source pool p, "
    assert f"{line}utilization 100%" in log(topology)


@pytest.mark.parametrize(("overflow", "outside"), [("interface", NAT), ("q", POOL_OTHER)])
def test_a_pool_flows_over_when_it_is_exhausted(
    topology: Topology, speaker: Speaker, overflow: str, outside: str
) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         "set security nat source pool p port range 5000\n"
         f"set security nat source pool p overflow-pool {overflow}\n"
         f"set security nat source pool q address {POOL_OTHER}/32\n")  # fmt: skip
    before = dropped(topology), log(topology).count("RT_SRC_NAT_POOL_EXHAUSTED")
    assert speaker.ask((TRUST, 4001)) == [[POOL, "5000"]]
    assert speaker.ask((TRUST, 4002), (TRUST, 4003)) == [[outside, "4002"], [outside, "4003"]]
    # Who flows over is told of, and nothing is dropped.
    after = dropped(topology), log(topology).count("RT_SRC_NAT_POOL_EXHAUSTED")
    assert after == (before[0], before[1] + 1)
    # What is given back is used again, the pool before what it flows over to.
    topology.clear()
    assert speaker.ask((TRUST, 4004)) == [[POOL, "5000"]]


def test_a_paired_host_keeps_its_address(topology: Topology, speaker: Speaker) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL} to {POOL_NEXT}\n"
         "set security nat source pool p port range 5000 to 5002\n"
         "set security nat source pool p address-pooling paired\n")  # fmt: skip
    other = TRUST_OTHERS[0]
    seen = {}
    for host in (TRUST, other):
        answers = speaker.ask(*((host, port) for port in (4001, 4002, 4003)))
        assert sorted(port for _, port in answers) == ["5000", "5001", "5002"]
        seen[host] = {address for address, _ in answers}
    assert seen in ({TRUST: {a}, other: {b}} for a, b in ((POOL, POOL_NEXT), (POOL_NEXT, POOL)))
    pairs = topology.cli("show security nat source paired-address pool-name p")
    for host in seen:
        assert re.search(rf"^p +{host} +{seen[host].pop()}$", pairs, re.M), pairs
    # Ports of the other host's address, free as they are, are not for it.
    topology.cli(f"clear security flow session source-prefix {other}/32")
    show = "show security nat source pool p"
    assert topology.wait(lambda: "Total used ports   : 3" in topology.cli(show)), topology.cli(show)
    before = dropped(topology)
    speaker.ask((TRUST, 4004), answers=0)
    assert topology.wait(lambda: dropped(topology) == before + 1)


def test_a_persistent_address_outlives_its_sessions(topology: Topology, speaker: Speaker) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL} to {POOL_OTHER}\n"
         "set security nat source address-persistent\n")  # fmt: skip
    hosts = (TRUST, *TRUST_OTHERS)
    flows = [(host, port) for host in hosts for port in (4001, 4002, 4003)]
    first = speaker.ask(*flows)
    topology.clear()
    assert speaker.ask(*reversed(flows)) == first[::-1]
    addresses = [{address for address, _ in first[at : at + 3]} for at in (0, 3, 6)]
    assert all(len(each) == 1 for each in addresses), addresses
    assert len(set.union(*addresses)) > 1, addresses


def test_a_pool_that_runs_low_raises_an_alarm(topology: Topology, speaker: Speaker) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n"
         "set security nat source pool p port range 5000 to 5003\n"
         "set security nat source pool p pool-utilization-alarm raise-threshold 75\n"
         "set security nat source pool p pool-utilization-alarm clear-threshold 50\n"
         )  # fmt: skip
    alarm = "Source NAT pool p utilization"
    assert all(speaker.ask((TRUST, 4001), (TRUST, 4002)))
    assert alarm not in topology.cli("show chassis alarms")
    assert all(speaker.ask((TRUST, 4003)))
    assert f"{alarm} 75%" in topology.cli("show chassis alarms")
    raised = "RT_SRC_NAT_ALARM_RAISE: utilization alarm raised for source pool p, utilization 75%"
    assert raised in log(topology)
    # At the threshold it stays; below it goes.
    topology.cli("clear security flow session source-port 4003")
    assert topology.wait(lambda: f"{alarm} 50%" in topology.cli("show chassis alarms"))
    topology.cli("clear security flow session source-port 4002")
    assert topology.wait(lambda: alarm not in topology.cli("show chassis alarms"))
    cleared = "RT_SRC_NAT_ALARM_CLEAR: utilization alarm cleared for source pool p, utilization 25%"
    assert cleared in log(topology)


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


def refused(topology: Topology) -> int:
    """Packets to addresses of NAT that nobody inside is behind: they would go back to untrust."""
    rows = re.findall(r"POLICY_DENY +(\d+)", topology.cli("show security flow drops"))
    return sum(map(int, rows))


@pytest.mark.parametrize("reach", ["any-remote-host", "target-host", "target-host-port"])
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
    strangers = {"any-remote-host": (), "target-host": (ELSEWHERE,)}.get(
        reach, (ELSEWHERE, UNTRUST)
    )
    callers = {"any-remote-host": (ELSEWHERE,), "target-host": (UNTRUST,)}.get(reach, ())
    for own in (*strangers, *callers):
        before = refused(topology)
        call = CALL.format(own=own, to=POOL, port=4444)
        assert "exit status 0" in topology.run("untrust1", sys.executable, "-c", call)
        if own in callers:
            assert talker.stdout.readline() == f"called with a call of {own}\n"
        else:
            assert topology.wait(lambda before=before: refused(topology) == before + 1)
    talker.terminate()


def test_allocation_that_takes_time_suspends_the_first_packet(topology: Topology) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n")
    before = dropped(topology)
    topology.cli("request security nat allocation delay 400")
    try:
        said = topology.run("trust1", "ping", "-n", "-c", "2", "-i", "0.2", UNTRUST)
        walk = topology.cli("show security flow walk protocol icmp last 1")
        connected = topology.run("trust1", "curl", "-sS", "-m", "5", "-o", "/dev/null", "-w",
                                 "%{time_connect}\\n", f"http://{UNTRUST}/client")  # fmt: skip
    finally:
        topology.cli("request security nat allocation")
    times = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", said)]
    assert len(times) == 2, said
    assert times[0] >= 400
    assert "packet suspended" in walk
    assert "packet resumed" in walk
    assert float(connected.split("\n")[0]) >= 0.4, connected
    assert dropped(topology) == before


def test_allocation_that_is_refused_drops_and_counts(topology: Topology, speaker: Speaker) -> None:
    load(topology, TO_POOL + f"set security nat source pool p address {POOL}/32\n")
    before = dropped(topology)
    try:
        topology.cli("request security nat allocation refuse-every 1")
        said = topology.run("trust1", "ping", "-n", "-c", "1", "-W", "0.3", UNTRUST)
        assert "100% packet loss" in said, said
        assert dropped(topology) == before + 1
        topology.cli("request security nat allocation refuse-every 2")
        answers = speaker.ask(*((TRUST, port) for port in (4001, 4002, 4003, 4004)), answers=2)
        assert [bool(answer) for answer in answers].count(True) == 2, answers
        assert topology.wait(lambda: dropped(topology) == before + 3)
    finally:
        topology.cli("request security nat allocation")
    # Nothing is left of what was refused: the same flows pass now.
    assert all(speaker.ask(*((TRUST, port) for port in (4001, 4002, 4003, 4004))))


def test_ftp_to_a_server_behind_destination_nat(topology: Topology) -> None:
    (files_of(topology) / "file").write_bytes(b"x" * 50_000)
    vsftpd(topology, "dmz1")
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
    refused = topology.run("untrust1", "curl", "-sS", "-m", "0.4", f"http://{SERVER}:81/client")
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
    assert "0% packet loss" in topology.run(
        "untrust1", "ping", "-n", "-c", "2", "-i", "0.2", STATIC6
    )
    assert f"> {TRUST6} echo" in watcher.stop()
    neighbours = topology.run("untrust1", "ip", "-6", "neigh", "show", STATIC6)
    assert "lladdr 02:00:00:02:00:01" in neighbours, neighbours
    # An ICMP error about a translated packet reaches the sender, and names what it knows.
    traced = topology.run("untrust1", "traceroute", "-n", "-w", "1", "-q", "1", "-m", "3", STATIC)
    assert re.search(rf"^ \d  {re.escape(STATIC)} ", traced, re.M), traced


def test_hosts_in_another_routing_instance(topology: Topology) -> None:
    """No table leads from untrust to dmz: NAT says where its addresses are looked up."""
    load(topology, "set routing-instances blue instance-type virtual-router\n"
         "set routing-instances blue interface ge-1/0/1.0\n"
         "set routing-instances blue routing-options static route 0.0.0.0/0 next-table inet.0\n"
         "set security nat destination pool web address 10.2.2.10/32 port 80\n"
         "set security nat destination pool web routing-instance blue\n"
         "set security nat destination rule-set in from zone untrust\n"
         f"set security nat destination rule-set in rule web match destination-address {SERVER}\n"
         "set security nat destination rule-set in rule web match destination-port 8080\n"
         "set security nat destination rule-set in rule web then destination-nat pool web\n"
         "set security nat static rule-set s from zone untrust\n"
         f"set security nat static rule-set s rule a match destination-address {STATIC}\n"
         f"set security nat static rule-set s rule a then static-nat prefix {DMZ} "
         "routing-instance blue\n"
         )  # fmt: skip
    for outside in (f"{SERVER}:8080", STATIC):
        assert seen_by(topology, "untrust1", outside) == UNTRUST
    assert seen_by(topology, "dmz1", UNTRUST) == STATIC
    assert "Host routing-instance      : blue" in topology.cli("show security nat static rule a")
    assert "Routing instance: blue" in topology.cli("show security nat destination pool web")
