"""FTP, TFTP and DNS with programs of Debian through two NPUs: curl and vsftpd, tftp and tftpd-hpa,
dig and dnsmasq.

Needs root; run by ``make mininet``. Policies permit control connections alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from gateways import ENDS, NAT, ROOT, UNTRUST, UNTRUST6, Topology, gateways
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


BEYOND, ROUTER, NARROW = "192.0.2.10", "192.0.2.1", 1280
ANSWERS = """
import socket
with socket.create_server(("", 21)) as server:
    print("answers", flush=True)
    while True:
        client = server.accept()[0]
        for line in client.makefile("rb"):
            client.sendall(b"200 %d\\r\\n" % len(line))
"""
SAYS = f"""
import socket
with socket.create_connection(("{BEYOND}", 21), 10) as server:
    heard = server.makefile("rb")
    for size in (10, 1400, 9000):
        server.sendall(b"x" * size + b"\\r\\n")
        print(heard.readline().decode(), end="", flush=True)
"""


def test_long_lines_through_a_narrow_place_behind_the_router(topology: Topology) -> None:
    """The machine does not say how little fits: its router does, of segments that it drops."""
    plain = (ROOT / "topologies/gateways/wingpath.set").read_text()
    to = "set routing-options static route 192.0.2.0/24 next-hop"
    topology.load(f"{plain}\n{to} {UNTRUST}\n")
    script = str(ENDS / "beyond.sh")
    wide = f'ip route change default via {ROUTER} advmss 1460; exec {PYTHON} -c "$0"'
    machine = ("sh", script, BEYOND, ROUTER, str(NARROW), "sh", "-c", wide, ANSWERS)
    topology.start("untrust1", *machine, until="answers")
    said = topology.run("trust1", PYTHON, "-c", SAYS)
    assert said.split("\n")[:3] == ["200 12", "200 1402", "200 9002"], said
    assert int(topology.run("untrust1", "nstat", "-asz", "IpFragFails").split()[2]) > 0
    topology.load(plain)
