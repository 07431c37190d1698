"""TCP connections of the kernel, curl and http.server through two NPUs: each way to end, forged
segments, and the maximum segment size that the far host sees.

Needs root; run by ``make mininet``. Host trust1 is behind NAT and goes through SPUs, dmz1 rides
Express Path.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import DMZ, INTERFACES, TRUST, UNTRUST, Topology, gateways

PYTHON = "/usr/bin/python3"
CONNECTION = str(Path(__file__).parent / "ends" / "connection.py")
FORGE = str(Path(__file__).parent / "ends" / "forge.py")
LONG, SHORT, WEB, CLOSED = "7000", "7004", "8000", "7999"
"""Ports: time-out of 1800 s, of 4 s; http.server; nobody."""

HOSTS = {"trust1": TRUST, "dmz1": DMZ}


def policy_of(zone: str) -> str:
    return f"set security policies from-zone {zone} to-zone untrust policy {zone}"


def permit(zone: str, then: str) -> str:
    line = f"{policy_of(zone)} "
    return (
        f"{line}match source-address any\n{line}match destination-address any\n"
        f"{line}match application any\n{line}then {then}\n{line}then log session-close\n"
    )


BASE = (
    INTERFACES
    + """\
set applications application short protocol tcp destination-port 7004 inactivity-timeout 4
set security nat source rule-set hide from zone trust
set security nat source rule-set hide to zone untrust
set security nat source rule-set hide rule all match source-address 10.0.0.0/8
set security nat source rule-set hide rule all then source-nat interface
"""
    + permit("trust", "permit")
    + permit("dmz", "permit services-offload")
)
SESSION = "set security flow tcp-session "


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        up.start("untrust1", PYTHON, CONNECTION, "serve", UNTRUST, LONG, SHORT, until="serving")
        web = ("-u", "-m", "http.server", "--bind", UNTRUST, WEB, "--directory", str(up.directory))
        up.start("untrust1", PYTHON, *web, until="Serving")
        yield up


class Client:
    """A connection of a host, on its way through some steps."""

    def __init__(
        self, topology: Topology, host: str, *steps: str, port: str = LONG, until: str = "port "
    ) -> None:
        self._topology = topology
        self._host = host
        self._from = len(log(topology))
        command = (PYTHON, CONNECTION, "connect", UNTRUST, port, *steps)
        self._process = topology.start(host, *command)
        said = self._read("port ")
        self.port = said.split()[-1]
        if until != "port ":
            self._read(until)

    def _read(self, until: str) -> str:
        """The next line with these words."""
        assert self._process.stdout is not None
        seen = []
        for line in self._process.stdout:
            seen.append(line)
            if until in line:
                return line
        raise AssertionError(f"it said no '{until}': {''.join(seen)}")

    def end(self) -> str:
        """What it printed, once it has done all well."""
        said = self._rest()
        if self._process.returncode != 0:
            raise AssertionError(
                f"exit status {self._process.returncode}, port {self.port}: {said}\n"
                f"{self._topology.cli('show security packet-drop records last 20')}\n"
                f"{self._topology.cli('show security flow session extensive')}"
            )
        return said

    def fail(self) -> str:
        """What it printed, once something went wrong."""
        said = self._rest()
        assert self._process.returncode != 0, said
        return said

    def _rest(self) -> str:
        """What else it prints, to its end, which its steps bound."""
        assert self._process.stdout is not None
        said = self._process.stdout.read()  # with what is buffered, unlike ``communicate``
        self._process.wait(timeout=20)
        return said

    def close_reason(self, seconds: float = 10) -> str:
        """Why its session ended, once it has."""
        return close_reason(
            self._topology, self._from, f"{HOSTS[self._host]}/{self.port}->", seconds
        )


def load(topology: Topology, *lines: str) -> None:
    """This configuration, and no session of another."""
    topology.load(BASE + "".join(f"{line}\n" for line in lines))
    topology.clear()


def log(topology: Topology) -> str:
    return (topology.directory / "logs/controller.log").read_text()


def close_reason(topology: Topology, start: int, who: str, seconds: float = 10) -> str:
    """Why a session ended, of which the log says so behind ``start``."""
    pattern = re.compile(rf"session closed ([^:]+): \S*{who}")
    assert topology.wait(lambda: bool(pattern.search(log(topology), start)), seconds), (
        topology.sessions()
    )
    found = pattern.search(log(topology), start)
    assert found
    return found[1]


def states(topology: Topology) -> list[str]:
    return sorted(re.findall(r"TCP: ([a-z-]+)", topology.sessions()))


def drops(topology: Topology, reason: str) -> int:
    rows = re.findall(rf"{reason}\s+(\d+)", topology.cli("show security flow drops"))
    return sum(map(int, rows))  # of all SPUs


# -- how connections end: each at once on either path -------------------------------------------


def test_every_way_to_end_has_its_reason(topology: Topology) -> None:
    zone = "set security zones security-zone "
    load(topology, f"{zone}trust tcp-rst", f"{zone}dmz tcp-rst")
    greet = ("say echo hello", "hear hello")
    start = len(log(topology))
    silent = [
        Client(topology, host, *greet, "wait 8", "say echo again", "hear again", port=SHORT)
        for host in HOSTS
    ]
    cleared = [Client(topology, host, *greet, "wait 1", until="hear") for host in HOSTS]
    for client in cleared:
        only = f"source-port {client.port}"
        answer = topology.cli(f"clear security flow session {only}")
        assert answer == "1 active sessions cleared\n"
    resets = [
        (Client(topology, host, *greet, "wait 1", *how), f"TCP {by} RST")
        for host in HOSTS
        for by, how in (("CLIENT", ("rst",)), ("SERVER", ("say rst", "wait 1")))
    ]
    for host in HOSTS:
        page = f"http://{UNTRUST}:{WEB}/"
        fetched = topology.run(host, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", page)
        assert "200" in fetched, fetched
        refused = topology.run(host, "curl", "-sS", f"http://{UNTRUST}:{CLOSED}/")
        assert "exit status 7" in refused, refused
    for host, address in HOSTS.items():
        assert close_reason(topology, start, rf"{address}/\d+->{UNTRUST}/{WEB}") == "TCP FIN", host
        end = close_reason(topology, start, rf"{address}/\d+->{UNTRUST}/{CLOSED}")
        assert end == "TCP SERVER RST", host
    for client, reason in resets:
        assert client.close_reason() == reason
    for client in cleared:
        assert client.close_reason() == "Closed by operator"
    for client in silent:
        assert client.close_reason() == "idle Timeout"
        # Its session is gone, so it is a stray, and the zone tells it.
        assert "ConnectionResetError" in client.fail()


def test_sessions_end_at_once_if_so_configured(topology: Topology) -> None:
    load(topology, SESSION + "rst-invalidate-session", SESSION + "fin-invalidate-session")
    ends = {"rst": "TCP CLIENT RST", "half": "TCP FIN"}
    for host in HOSTS:
        for step, reason in ends.items():
            client = Client(topology, host, "say echo on", "hear on", "wait 1", step, "wait 0.1")
            client.end()
            assert client.close_reason(0.5) == reason


def test_time_wait_and_half_closed_connections_last_as_configured(topology: Topology) -> None:
    state = SESSION + "time-wait-state "
    load(topology, state + "session-timeout 4", state + "apply-to-half-close-state")
    hears = [f"hear {number}" for number in range(3)]
    dripping = [
        # The server has much to say, and then nothing for longer than it may be silent.
        Client(topology, host, "say drip 3", "half", *hears, "wait 6", until="done half")
        for host in HOSTS
    ]
    deadline = time.monotonic() + 5
    while states(topology) != ["half-closed"] * 2:  # The FINs are on their way.
        assert time.monotonic() < deadline, topology.sessions()
    waiting = [
        Client(topology, host, "say echo on", "hear on", "wait 1", "say fin", "hear ", "fin")
        for host in HOSTS
    ]
    for client in waiting:
        client.end()
    assert states(topology).count("time-wait") >= 2, topology.sessions()
    for client in waiting:
        assert client.close_reason() == "TCP FIN"
    for client in dripping:
        client.end()
        assert client.close_reason() == "TCP FIN"


def test_ports_of_a_connection_that_ends_have_forgotten_may_be_used_again(
    topology: Topology,
) -> None:
    """As after a power failure, of both hosts, or of the client and the firewall."""
    load(topology)
    first, then = ("say echo on", "hear on"), ("again", "say echo anew", "hear anew", "fin")
    for host in HOSTS:
        both = Client(topology, host, *first, "say forget", "wait 0.5", "forget", *then)
        both.end()
        assert both.close_reason() == "TCP connection began anew"
        one = Client(topology, host, *first, "forget", "wait 1", *then, until="done forget")
        topology.clear()
        one.end()
        assert one.close_reason() == "Closed by operator"


# -- strangers ----------------------------------------------------------------------------------


def throw_into_a_chat(topology: Topology, host: str, *kinds: str) -> None:
    """Somebody forges segments while a connection talks, and it talks on to the end."""
    thrown = topology.directory / "thrown"
    thrown.unlink(missing_ok=True)
    client = Client(topology, host, f"chat {thrown}", "fin")
    sent = topology.run(host, sys.executable, FORGE, f"{host}-eth0", client.port, *kinds)
    thrown.touch()
    assert f"sent {len(kinds)}" in sent, sent
    client.end()
    assert client.close_reason() == "TCP FIN"


def test_what_is_out_of_the_window_does_no_harm(topology: Topology) -> None:
    load(topology)
    before = drops(topology, "TCP_SEQUENCE")
    throw_into_a_chat(topology, "trust1", "far-rst", "far-data", "far-fin")
    assert drops(topology, "TCP_SEQUENCE") == before + 3
    # On Express Path, too, nobody sent as much as this RST says.
    throw_into_a_chat(topology, "dmz1", "far-rst")
    assert drops(topology, "TCP_SEQUENCE") == before + 4


def test_a_rst_in_the_window_does_none_if_it_has_to_be_exact(topology: Topology) -> None:
    load(topology, SESSION + "rst-sequence-check")
    before = drops(topology, "TCP_RST_SEQUENCE")
    throw_into_a_chat(topology, "trust1", "near-rst")
    assert drops(topology, "TCP_RST_SEQUENCE") == before + 1
    Client(topology, "dmz1", "say echo on", "hear on").end()
    assert "rst-sequence-check" in topology.cli("show security np-cache reasons")


# -- maximum segment size -----------------------------------------------------------------------

_TIME_STAMPS = 12
"""Bytes of options that Linux leaves room for."""


def test_both_ends_see_the_mss_of_the_firewall(topology: Topology) -> None:
    load(topology, "set security flow tcp-mss all-tcp mss 1000")
    expected = 1000 - _TIME_STAMPS
    for host in HOSTS:
        assert f"mss {expected} {expected}" in Client(topology, host, "mss", "fin").end()
    lines = [f"{policy_of(zone)} then permit tcp-options " for zone in ("trust", "dmz")]
    limits = [
        f"{line}{limit}"
        for line in lines
        for limit in ("initial-tcp-mss 900", "reverse-tcp-mss 800")
    ]
    load(topology, *limits)
    for host in HOSTS:
        # What the client announces is what the server may send.
        said = Client(topology, host, "mss", "fin").end()
        assert f"mss {800 - _TIME_STAMPS} {900 - _TIME_STAMPS}" in said
