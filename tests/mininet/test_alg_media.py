"""Calls, films and tunnels through two NPUs, by gates: sipp, aiortsp, pycrate, pptp and pptpd; ESP.

Needs root; run by ``make mininet``. Policies permit control connections alone.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import DMZ, NAT, TRUST, UNTRUST, Topology, gateways
from servers import pptp, pptpd

SCENARIO = Path(__file__).parent / "sipp" / "caller.xml"
ENDS = Path(__file__).parent / "ends"
SECOND_OF_SOUND = 8000


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        shutil.copy(SCENARIO, up.directory)
        # Any bytes are sound in PCMU.
        (up.directory / "tone.ulaw").write_bytes(bytes(range(256)) * (SECOND_OF_SOUND // 256))
        yield up


@pytest.fixture(autouse=True)
def nothing_left(topology: Topology) -> Iterator[None]:
    yield
    topology.clear()


def sipp(topology: Topology, *arguments: str) -> tuple[str, ...]:
    """A command within the directory of the scenario, without sipp's screen."""
    line = " ".join(("exec sipp -nostdin -m 1 -timeout 25 -timeout_error", *arguments))
    return "sh", "-c", f"cd {topology.directory} && {line}"


@pytest.mark.parametrize("transport", ["u1", "t1"])
@pytest.mark.parametrize(("host", "own"), [("trust1", TRUST), ("dmz1", DMZ)])
def test_call_with_sound_both_ways(topology: Topology, host: str, own: str, transport: str) -> None:
    """sipp calls sipp; trust1 is behind NAT, dmz1's sound is on Express Path."""
    media = f"-t {transport} -mi"
    answering = topology.start(
        "untrust1",
        *sipp(topology, f"-sn uas -i {UNTRUST} {media} {UNTRUST} -mp 7000 -rtp_echo -trace_msg"),
    )
    assert topology.wait(lambda: _listens(topology, transport))
    calling = topology.start(
        host, *sipp(topology, f"-sf caller.xml -i {own} {media} {own} {UNTRUST}")
    )
    assert topology.wait(lambda: "junos-sip-media" in topology.cli("show security flow gate"), 8)
    assert topology.wait(
        lambda: [a for a, *both in _media(topology) if min(both) > 50] == ["junos-sip-media"], 8
    ), topology.sessions()
    assert "SIP ALG, control session" in topology.sessions()
    assert calling.wait(timeout=25) == 0, calling.stdout.read() if calling.stdout else ""
    assert answering.wait(timeout=25) == 0, answering.stdout.read() if answering.stdout else ""
    assert "Total gates: 0" in topology.cli("show security flow gate summary"), "BYE closes them"
    heard = b"".join(path.read_bytes() for path in topology.directory.glob("uas_*messages.log"))
    for path in topology.directory.glob("uas_*messages.log"):
        path.unlink()
    seen = NAT if host == "trust1" else own
    assert f"c=IN IP4 {seen}\r\n".encode() in heard
    assert (TRUST.encode() in heard) is False, "nothing tells of the address behind NAT"


def _listens(topology: Topology, transport: str) -> bool:
    kind = "--tcp" if transport == "t1" else "--udp"
    return f"{UNTRUST}:5060" in topology.run("untrust1", "ss", "-ln", kind)


def _media(topology: Topology) -> list[tuple[str, int, int]]:
    """Application and packets both ways of the children among the sessions."""
    found = []
    for block in topology.sessions().split("Session ID: "):
        if "child of session" in block:
            application = re.search(r"Application: ([^/]+)/", block)
            packets = [int(n) for n in re.findall(r"Pkts: (\d+)", block)]
            assert application is not None
            found.append((application[1], packets[0], packets[1]))
    return found


@pytest.mark.parametrize(("host", "seen"), [("trust1", NAT), ("dmz1", DMZ)])
def test_film_by_rtsp(topology: Topology, host: str, seen: str) -> None:
    """``aiortsp`` names ports in SETUP; the film comes there, reports go back."""
    server = topology.start(
        "untrust1", sys.executable, str(ENDS / "rtsp_server.py"), UNTRUST, until="serving"
    )
    client = (sys.executable, str(ENDS / "rtsp_client.py"))
    said = topology.run(host, *client, f"rtsp://{UNTRUST}/film", "200", seconds=30)
    assert said.startswith("film: 0 lost, reports: True\n"), said
    assert {application for application, _, _ in _media(topology)} == {"junos-rtsp-media"}
    assert "Total gates: 0" in topology.cli("show security flow gate summary"), "TEARDOWN"
    assert server.stdout is not None
    told = server.stdout.read()
    assert f"client at {seen} ports" in told
    assert f" bytes from {seen}:" in told, "reports go back"


@pytest.mark.parametrize(("host", "own", "seen"), [("trust1", TRUST, NAT), ("dmz1", DMZ, DMZ)])
def test_esp_comes_with_its_ike(topology: Topology, host: str, own: str, seen: str) -> None:
    """Both ways, which no policy permits."""
    end = (sys.executable, str(ENDS / "tunnel.py"))
    listening = topology.start("untrust1", *end, "listen", UNTRUST, until="serving")
    said = topology.run(host, *end, "call", own, UNTRUST)
    assert said.startswith(f"tunnel: answer from {UNTRUST}\n"), said
    assert listening.stdout is not None
    assert listening.stdout.read() == f"tunnel: question from {seen}\n"
    assert _media(topology) == [("junos-esp", 1, 1)]


def test_pptp_calls_and_calls_again(topology: Topology) -> None:
    """``pptp`` and ``pptpd``; GRE, which no policy permits, ends with its call, so that the next
    one, and behind NAT that of another peer, finds its way."""
    pptpd(topology, "untrust1", UNTRUST)
    for host in ("trust1", "dmz1", "trust1"):
        calling = pptp(topology, host, UNTRUST)
        topology.hear(calling, "echo: question answered")
        assert calling.wait(timeout=10) == 0
        assert topology.wait(lambda: "junos-pptp" not in topology.sessions()), topology.sessions()
        assert _media(topology) == []
    log = (topology.directory / "logs/controller.log").read_text()
    ends = re.findall(rf"control session ended: {TRUST}/0->{UNTRUST}/0 junos-gre (.*)", log)
    counts = [[int(n) for n in re.findall(r" (\d+)\(\d+\)", end)] for end in ends]
    assert len(counts) == 2, log
    assert all(min(count) > 0 for count in counts), log


@pytest.mark.parametrize(("host", "own", "seen"), [("trust1", TRUST, NAT), ("dmz1", DMZ, DMZ)])
def test_h323_call_by_fast_connect(topology: Topology, host: str, own: str, seen: str) -> None:
    """Messages made and read by pycrate; sound goes where the Setup says, and comes back."""
    end = (sys.executable, str(ENDS / "h323.py"))
    listening = topology.start("untrust1", *end, "listen", UNTRUST, until="serving")
    said = topology.run(host, *end, "call", own, UNTRUST)
    assert said.startswith(f"heard sound and report from {UNTRUST}\n"), said
    assert listening.stdout is not None
    assert listening.stdout.read() == (
        f"call of {seen}, pair of ports: True\nsound back from where it went: True\n"
    )
