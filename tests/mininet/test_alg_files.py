"""FTP, TFTP and DNS with programs of Debian through two NPUs: curl and vsftpd, tftp and tftpd-hpa,
dig and dnsmasq.

Needs root; run by ``make mininet``. Policies permit control connections alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from gateways import NAT, UNTRUST, UNTRUST6, Topology, gateways
from servers import files_of, tftpd, vsftpd

SIZE = 200_000
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        (files_of(up) / "file").write_bytes(os.urandom(SIZE))
        vsftpd(up, "untrust1")
        tftpd(up, "untrust1", UNTRUST)
        up.start(
            "untrust1",
            *("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root"),
            *("--log-facility=-", "--bind-interfaces", f"--listen-address={UNTRUST}"),
            *("--address=/wingpath.test/192.0.2.7", "--pid-file="),
            until="started",
        )
        yield up


@pytest.fixture(autouse=True)
def nothing_left(topology: Topology) -> Iterator[None]:
    yield
    topology.clear()


MODES = {
    "active PORT": ("--ftp-port", "-", "--disable-eprt"),
    "active EPRT": ("--ftp-port", "-"),
    "passive PASV": ("--disable-epsv",),
    "passive EPSV": (),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("host", ["trust1", "dmz1"])
def test_ftp_both_ways(topology: Topology, host: str, mode: str) -> None:
    """``curl`` fetches and sends a file; trust1 is behind NAT, dmz1's data is on Express Path."""
    got, url = topology.directory / "got", f"ftp://{UNTRUST}/"
    common = ("curl", "--silent", "--show-error", "--max-time", "15", *MODES[mode])
    said = topology.run(host, *common, "-o", str(got), url + "file")
    assert said.endswith("exit status 0"), said
    assert got.read_bytes() == (topology.directory / "files/file").read_bytes()
    sent = topology.run(host, *common, "-T", str(got), url + "sent/file")
    assert sent.endswith("exit status 0"), sent
    uploaded = topology.directory / "files/sent/file"
    assert uploaded.read_bytes() == got.read_bytes()
    uploaded.unlink()


@pytest.mark.parametrize("active", [True, False])
def test_ftp_over_ipv6(topology: Topology, active: bool) -> None:
    got = topology.directory / "got6"
    mode = ("--ftp-port", "-") if active else ()
    said = topology.run(
        *("dmz1", "curl", "--silent", "--show-error", "--max-time", "15", *mode),
        *("-o", str(got), f"ftp://[{UNTRUST6}]/file"),
    )
    assert said.endswith("exit status 0"), said
    assert got.stat().st_size == SIZE


def test_ftp_shows_control_and_child_sessions(topology: Topology) -> None:
    """A slow download is looked at: the control session at its SPU, its child on Express Path."""
    topology.start(
        "dmz1",
        *("curl", "--silent", "--max-time", "10", "--limit-rate", "30K"),
        *("-o", "/dev/null", f"ftp://{UNTRUST}/file"),
    )
    assert topology.wait(lambda: "junos-ftp-data" in topology.sessions())
    shown = topology.sessions()
    control = re.search(r"Session ID: (\d+)(?:.*\n){3}.*gateway reads along", shown)
    assert control is not None, shown
    assert "Resource information : FTP ALG, control session" in shown
    assert f"Resource information : child of session {control[1]}" in shown
    assert "Services-offload: yes" in shown


def test_tftp_get_and_put(topology: Topology) -> None:
    """The server answers from another port than it was asked at; trust1 is behind NAT."""
    got = topology.directory / "tftp-got"
    for host in ("trust1", "dmz1"):
        script = f"cd {topology.directory} && tftp -m binary {UNTRUST} -c get file tftp-got"
        said = topology.run(host, "sh", "-c", script)
        assert got.read_bytes() == (topology.directory / "files/file").read_bytes(), said
        put_it = f"tftp -m binary {UNTRUST} -c put {host} sent/{host}"
        script = f"cd {topology.directory} && mv tftp-got {host} && {put_it}"
        said = topology.run(host, "sh", "-c", script)
        put = topology.directory / "files/sent" / host
        assert topology.wait(lambda put=put: put.exists() and put.stat().st_size == SIZE), said


def test_dns_session_ends_with_its_answer(topology: Topology) -> None:
    for host in ("trust1", "dmz1"):
        said = topology.run(
            host, "dig", "+short", "+tries=1", "+time=3", f"@{UNTRUST}", "wingpath.test"
        )
        assert said.startswith("192.0.2.7\n"), said
    assert topology.wait(
        lambda: "Total sessions: 0" in topology.cli("show security flow cp-session"), 3
    ), "a session of UDP alone would stay for a minute"
    log = (topology.directory / "logs/controller.log").read_text()
    assert "session closed response received: 10.1.1.10/" in log
    assert f"->{UNTRUST}/53 junos-dns-udp {NAT}/" in log


def test_only_announced_flows_pass(topology: Topology) -> None:
    """What nobody announced is refused: the server's ports are not simply open."""
    code = (
        "import socket; s = socket.socket(); s.settimeout(2);"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1);"
        f"s.bind(('{UNTRUST}', 20)); s.connect(('{NAT}', 40000))"
    )
    said = topology.run("untrust1", PYTHON, "-c", code)
    assert "timed out" in said, said
    assert "HOST_INBOUND" in topology.cli("show security flow drops")


def test_gateways_are_listed(topology: Topology) -> None:
    status = topology.cli("show security alg status")
    assert status.startswith("ALG Status:\n  DNS      : Enabled\n  FTP      : Enabled\n")
    assert "  MGCP     : Not implemented\n" in status
