"""Routes, virtual routers, ICMP errors through NAT, and the firewall's own addresses, seen by the
programs that people use to look for trouble: ping, traceroute, curl, hping3.

Behind host untrust1, which routes, is one more machine, and a way to it that takes 1300 bytes.

Needs root; run by ``make mininet``.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import DMZ, NAT, TRUST, UNTRUST, Topology, gateways

BEYOND, ROUTER = "198.18.0.2", "198.18.0.1"
SECOND = "203.0.113.11"
"""Another address of untrust1: a second next hop."""
PUBLIC, WEB = "203.0.113.90", "203.0.113.80"
"""What trust1 and dmz1's web server are called outside."""
MTU = 1300

POLICIES = "set security policies "
ROUTE = "set routing-options static route "
NATTED = "set security nat source rule-set hide "
INTERFACES = """\
set system host-name wingpath
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-2/0/0 unit 0 family inet address 203.0.113.1/24
set security zones security-zone trust interfaces ge-1/0/0.0
set security zones security-zone dmz interfaces ge-1/0/1.0
set security zones security-zone untrust interfaces ge-2/0/0.0
"""
BASE = (
    INTERFACES
    + f"""\
set interfaces ge-1/0/1 unit 0 family inet address 10.2.2.1/24
{ROUTE}198.18.0.0/24 next-hop {UNTRUST}
{POLICIES}default-policy permit-all
{NATTED}from zone trust
{NATTED}to zone untrust
{NATTED}rule all match source-address 10.0.0.0/8
{NATTED}rule all then source-nat interface
"""
)
EXPRESS = "".join(
    f"{POLICIES}from-zone trust to-zone untrust policy fast {words}\n"
    for words in (
        "match source-address any destination-address any application any",
        "then permit services-offload",
    )
)


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        serve = (sys.executable, "-m", "topologies.hosts.serve")
        script = str(Path(__file__).parent / "ends" / "beyond.sh")
        up.run("untrust1", "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
        up.run("untrust1", "ip", "address", "add", f"{SECOND}/24", "dev", "untrust1-eth0")
        up.start("untrust1", "sh", script, BEYOND, ROUTER, str(MTU), *serve, until="serving")
        for host in ("untrust1", "dmz1"):
            up.start(host, *serve, until="serving")
        yield up


def load(topology: Topology, text: str) -> None:
    """This configuration, and no session of another."""
    topology.load(text)
    topology.clear()


def trace(topology: Topology, host: str, address: str, *how: str) -> list[str]:
    """The hops that traceroute finds."""
    command = ("traceroute", "-n", "-w", "1", "-q", "1", "-m", "4", *how, address)
    return re.findall(r"^ \d  (\S+)", topology.run(host, *command), re.M)


def forge(topology: Topology, host: str, *options: str, to: str) -> None:
    """hping3 sends one packet in somebody's name."""
    said = topology.run(host, "hping3", "-q", "-c", "1", *options, to)
    assert "1 packets transmitted" in said, said


def last_drop(topology: Topology, of: str) -> str:
    """What the record of a packet that was dropped says; ``of`` is part of it."""
    found: list[str] = []

    def there() -> bool:
        records = topology.cli("show security packet-drop records last 20")
        found[:] = [line for line in records.splitlines() if of in line]
        return bool(found)

    assert topology.wait(there), topology.cli("show security packet-drop records last 20")
    return found[-1].partition("Dropped by ")[2]


# -- ICMP errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [BASE, BASE + EXPRESS], ids=["spu", "express"])
def test_a_traceroute_sees_every_hop_through_source_nat(topology: Topology, text: str) -> None:
    """Errors of the firewall, of a router and of a host beyond it; a program takes only those that
    quote its own packet."""
    load(topology, text)
    for how in ((), ("-I",), ("-T", "-p", "80")):
        assert trace(topology, "trust1", BEYOND, *how) == ["10.1.1.1", UNTRUST, BEYOND], how


def test_a_traceroute_from_outside_sees_what_the_inside_is_called(topology: Topology) -> None:
    """The errors come from inside and quote inside addresses."""
    load(
        topology,
        BASE
        + f"""\
set security nat proxy-arp interface ge-2/0/0.0 address {WEB} to {PUBLIC}
set security nat destination pool web address {DMZ}/32 port 80
set security nat destination rule-set in from zone untrust
set security nat destination rule-set in rule web match destination-address {WEB}/32
set security nat destination rule-set in rule web match destination-port 8080
set security nat destination rule-set in rule web then destination-nat pool web
set security nat static rule-set fixed from zone untrust
set security nat static rule-set fixed rule t match destination-address {PUBLIC}/32
set security nat static rule-set fixed rule t then static-nat prefix {TRUST}/32
""",
    )
    for how in ((), ("-I",)):
        assert trace(topology, "untrust1", PUBLIC, *how) == [NAT, PUBLIC], how
    assert trace(topology, "untrust1", WEB, "-T", "-p", "8080") == [NAT, WEB]
    curl = topology.run("untrust1", "curl", "-sS", "-m", "5", f"http://{PUBLIC}:81/")
    assert "exit status 7" in curl, curl


@pytest.mark.parametrize("text", [BASE, BASE + EXPRESS], ids=["spu", "express"])
def test_a_path_mtu_is_learned_through_source_nat(topology: Topology, text: str) -> None:
    load(topology, text)
    topology.run("trust1", "ip", "route", "flush", "cache")
    long = ("ping", "-n", "-c", "1", "-W", "2", "-M", "do", "-s", "1400", BEYOND)
    said = topology.run("trust1", *long)
    assert f"From {UNTRUST} icmp_seq=1 Frag needed and DF set (mtu = {MTU})" in said, said
    assert f"mtu {MTU}" in topology.run("trust1", "ip", "route", "get", BEYOND)


# -- which way ----------------------------------------------------------------------------------


def ask(topology: Topology, flows: int) -> None:
    """UDP questions from as many ports, each of them answered."""
    script = f"""
import socket
for port in range(6000, {6000 + flows}):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("{TRUST}", port))
        s.settimeout(5)
        s.sendto(b"which way?", ("{BEYOND}", 5353))
        s.recv(100)
"""
    said = topology.run("trust1", sys.executable, "-c", script)
    assert "exit status 0" in said, said


def gateways_of(topology: Topology) -> dict[int, str]:
    """The next hop of each flow, by source port."""
    text = topology.cli("show security flow session extensive protocol udp")
    found = re.findall(rf"In: {TRUST}/(\d+) -.*?Gateway: ([^,]+),", text, re.DOTALL)
    return {int(port): gateway for port, gateway in found}


def test_flows_share_equal_paths_and_only_those_of_a_lost_one_move(topology: Topology) -> None:
    flows = 24
    both = BASE.replace(f"next-hop {UNTRUST}", f"next-hop [ {UNTRUST} {SECOND} ]")
    load(topology, both)
    shown = topology.cli(f"show route destination {BEYOND}")
    assert re.findall(r"to (\S+) via", shown) == [UNTRUST, SECOND]
    ask(topology, flows)
    before = gateways_of(topology)
    assert len(before) == flows
    assert set(before.values()) == {UNTRUST, SECOND}
    topology.load(BASE)
    assert topology.wait(lambda: Counter(gateways_of(topology).values()) == {UNTRUST: flows})
    ask(topology, flows)
    listed = topology.cli("show security flow session protocol udp")
    # The same sessions: each has had two questions, and what moved kept its counters.
    assert listed.count("Pkts: 2,") == 2 * flows, listed


def test_a_session_without_route_goes_on_for_as_long_as_configured(topology: Topology) -> None:
    load(topology, BASE)
    ask(topology, 1)
    limited = BASE + "set security flow route-change-timeout 6\n"
    topology.load(limited.replace(f"{ROUTE}198.18.0.0/24 next-hop {UNTRUST}\n", ""))
    extensive = topology.cli("show security flow session extensive protocol udp")
    assert "Maximum timeout: 6," in extensive, extensive
    ping = topology.run("trust1", "ping", "-n", "-c", "1", "-W", "1", BEYOND)
    assert "From 10.1.1.1 icmp_seq=1 Destination Net Unreachable" in ping, ping
    ask(topology, 1)


def test_one_five_tuple_in_two_virtual_routers_is_two_connections(topology: Topology) -> None:
    """Hosts trust1 and dmz1 have the same address here, and use the same ports at the same time."""
    blue = "set routing-instances blue "
    load(
        topology,
        INTERFACES
        + f"""\
set interfaces ge-1/0/1 unit 0 family inet address 10.1.1.1/24
{blue}instance-type virtual-router
{blue}interface ge-1/0/1.0
{blue}routing-options static route 0.0.0.0/0 next-table inet.0
{POLICIES}default-policy permit-all
{NATTED}from routing-instance [ default blue ]
{NATTED}to zone untrust
{NATTED}rule all match source-address 10.0.0.0/8
{NATTED}rule all then source-nat interface
""",
    )
    topology.run("dmz1", "ip", "address", "add", f"{TRUST}/24", "dev", "dmz1-eth0")
    topology.run("dmz1", "ip", "route", "add", UNTRUST, "via", "10.1.1.1", "src", TRUST)
    slow = ("curl", "-sS", "-m", "20", "--limit-rate", "100k", "-o", "/dev/null")
    what = ("-w", "%{size_download}\n", "--local-port", "5000", f"http://{UNTRUST}/bytes/200000")
    try:
        running = [topology.start(host, *slow, *what) for host in ("trust1", "dmz1")]
        tokens: set[str] = set()

        def both() -> bool:
            text = topology.cli("show security flow session extensive source-port 5000")
            same = rf"In: {TRUST}/5000 --> {UNTRUST}/80;tcp,.*?Session token: (\S+),"
            tokens.update(re.findall(same, text, re.DOTALL))
            return len(tokens) == 2

        assert topology.wait(both), topology.sessions()
        for download in running:
            assert download.communicate(timeout=20)[0].strip() == "200000"
    finally:
        topology.run("dmz1", "ip", "route", "del", UNTRUST)
        topology.run("dmz1", "ip", "address", "del", f"{TRUST}/24", "dev", "dmz1-eth0")


def test_a_packet_that_cannot_be_answered_is_dropped_by_name(topology: Topology) -> None:
    load(topology, BASE)
    forge(topology, "trust1", "-S", "-p", "80", "-a", "192.168.77.1", to=UNTRUST)
    assert last_drop(topology, "192.168.77.1/") == (
        "FLOW:No reverse route (to the source 192.168.77.1)"
    )
    forge(topology, "trust1", "-S", "-p", "80", "-a", "198.18.0.77", to=DMZ)
    assert last_drop(topology, "198.18.0.77/") == (
        "FLOW:Asymmetric route (the source 198.18.0.77 is reached by ge-2/0/0.0 in zone untrust, "
        "but came from trust)"
    )


@pytest.mark.parametrize(
    ("client", "called", "stranger"),
    [("dmz1", DMZ, "trust1"), ("trust1", NAT, "dmz1")],
    ids=["plain", "source NAT"],
)
def test_an_answer_that_comes_by_another_zone_is_named_with_its_session(
    topology: Topology, client: str, called: str, stranger: str
) -> None:
    load(topology, BASE)
    idle = "import socket, sys; s = socket.create_connection(('{}', 80), 5, ('', 5001)); {}"
    script = idle.format(UNTRUST, "print('open', flush=True); sys.stdin.read()")
    open_ = topology.start(client, sys.executable, "-c", script, until="open", stdin=-1)
    shown = topology.cli("show security flow session source-port 5001")
    number = re.findall(r"Session ID: (\d+)", shown)[0]
    forge(topology, stranger, "-SA", "-k", "-s", "80", "-p", "5001", "-a", UNTRUST, to=called)
    name, zone = ("ge-1/0/0.0", "trust") if stranger == "trust1" else ("ge-1/0/1.0", "dmz")
    assert last_drop(topology, f"{UNTRUST}/80-->{called}/5001") == (
        f"FLOW:Asymmetric route (of session {number}, but by {name} from zone {zone})"
    )
    open_.communicate("", timeout=10)


def test_answers_by_another_card_of_their_zone_pass_and_are_shown(topology: Topology) -> None:
    """Two ways out of one zone, on two NPUs: the answers come by the one that has no wing."""
    outside = BASE.replace("zone dmz interfaces", "zone untrust interfaces")
    load(topology, outside.replace("source-nat interface", "source-nat off"))
    heard = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(("", 6100))
    s.settimeout(8)
    s.sendto(b"which way?", ("203.0.113.10", 5353))
    s.recv(100)
    print("answered", flush=True)
    s.recv(100)
"""
    waits = topology.start("trust1", sys.executable, "-c", heard, until="answered")
    time.sleep(1)  # a session younger than that may have wings under way
    forge(topology, "dmz1", "-2", "-k", "-s", "5353", "-p", "6100", "-a", UNTRUST, to=TRUST)
    assert waits.wait(timeout=10) == 0
    shown = topology.cli("show security flow session extensive source-port 6100")
    assert "    Asymmetric: packets come by ge-1/0/1.0, whose NPU has no wing of it" in shown, shown


# -- the firewall itself ------------------------------------------------------------------------


def test_the_firewall_answers_what_zone_and_interface_let_in(topology: Topology) -> None:
    inbound = "host-inbound-traffic system-services"
    zones = "set security zones security-zone "
    load(
        topology,
        BASE
        + f"{zones}trust {inbound} [ ping ssh ]\n{zones}dmz {inbound} ping\n"
        + f"{zones}dmz interfaces ge-1/0/1.0 {inbound} telnet\n",
    )
    shown = topology.cli("show security zones")
    assert re.findall(r"host-inbound traffic : (.*)", shown) == ["ping ssh", "telnet", "none"]
    for host, own, pings, port in (("trust1", "10.1.1.1", 1, 22), ("dmz1", "10.2.2.1", 0, 23)):
        for address in (own, NAT):  # any address of its own, by the interface it came in
            said = topology.run(host, "ping", "-n", "-c", "1", "-W", "1", address)
            assert f"{pings} received" in said, said
        for asked in (22, 23):
            curl = topology.run(host, "curl", "-sS", "-m", "1", f"http://{own}:{asked}/")
            # 7: refused, nobody listens; 28: nothing is heard.
            assert f"exit status {7 if asked == port else 28}" in curl, curl
    records = topology.cli("show security packet-drop records last 20")
    assert "FLOW:Host inbound (zone dmz, ge-1/0/1.0 does not allow ping)" in records


def test_a_disabled_interface_takes_its_routes_along(topology: Topology) -> None:
    load(topology, BASE + "set interfaces ge-2/0/0 disable\n")
    terse = topology.cli("show interfaces terse")
    assert re.search(r"ge-2/0/0\.0 +down +down", terse), terse
    said = topology.run("trust1", "ping", "-n", "-c", "1", "-W", "1", UNTRUST)
    assert "From 10.1.1.1 icmp_seq=1 Destination Net Unreachable" in said, said
    topology.load(BASE)
    said = topology.run("trust1", "ping", "-n", "-c", "1", "-W", "2", UNTRUST)
    assert " 0% packet loss" in said, said


def test_a_session_follows_a_neighbour_to_its_new_mac_address(topology: Topology) -> None:
    """As when a gateway fails over; the session is on Express Path, so NPUs alone know the way."""
    mac = "02:00:00:00:77:01"
    load(topology, BASE + EXPRESS)
    ping = ("ping", "-n", "-i", "0.2", "-c", "20", UNTRUST)
    process = topology.start("trust1", *ping, until="icmp_seq=2 ")
    topology.run("untrust1", "ip", "link", "set", "dev", "untrust1-eth0", "address", mac)
    # It asks for its gateway's address, and so is heard.
    topology.run("untrust1", "ping", "-n", "-c", "1", "-W", "1", NAT)
    topology.hear(process, "icmp_seq=20 ")
    assert mac in topology.cli("show arp")
    shown = topology.cli("show security flow session services-offload protocol icmp")
    assert shown.count("Session ID") == 1, shown
