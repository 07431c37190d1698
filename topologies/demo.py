"""The main job on real traffic: every claim is made by the hosts' own TCP/IP stacks.

The demo runs programs a newcomer knows (ping, curl) on the hosts, shows what the operator's
commands say meanwhile, and ends with a line for each expectation.
"""

from __future__ import annotations

import operator
import re
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from topologies.expectations import Expectations
from topologies.hosts.attack import SCREENS
from topologies.system import System

Seen = TypeVar("Seen")

SETTLE_SECONDS = 15.0

UNTRUST = "203.0.113.10"
UNTRUST_V6 = "2001:db8:3::10"
DMZ = "10.2.2.10"
DMZ_V6 = "2001:db8:2::10"
TRUST = "10.1.1.10"
BEYOND = "198.51.100.10"
"""An address of untrust1 that only the default route reaches."""
NAT_ADDRESS = "203.0.113.1"
"""Address of ge-2/0/0.0: what untrust hosts see trust hosts as."""

SCREEN_ROWS = {
    "land": "TCP land attack",
    "syn-fin": "TCP SYN FIN",
    "tcp-no-flag": "TCP no flag",
    "ping-death": "ICMP ping of death",
}
"""Screen -> its row in ``show security screen statistics``."""


def run_demo(system: System) -> int:
    """Run all scenes; 0 if every expectation was kept."""
    demo = Demo(system)
    system.start_servers()
    started = time.monotonic()
    for scene in (
        demo.first_and_second_packet,
        demo.udp_question,
        demo.express_path_download,
        demo.spu_download,
        demo.both_at_once,
        demo.ipv6,
        demo.denied,
        demo.screens,
        demo.counters,
        demo.nothing_left,
    ):
        scene()
    _heading("Expectations")
    demo.expectations.report()
    kept = demo.expectations.all_kept
    count = len(demo.expectations.outcomes)
    print(f"\n{'All' if kept else 'NOT all'} {count} expectations kept", end=" ")
    print(f"in {time.monotonic() - started:.1f} s.")
    return 0 if kept else 1


class Demo:
    """The scenes, in order; each is one method."""

    def __init__(self, system: System) -> None:
        self.expectations = Expectations()
        self._system = system
        print(system.layout.picture)

    def first_and_second_packet(self) -> None:
        """A ping: the first packet sets the session up, the second finds it."""
        _heading("A first packet: ping from trust1 to untrust1, through an SPU, with source NAT")
        output = self._on("trust1", "ping", "-c", "4", "-i", "0.2", "-W", "2", UNTRUST)
        times = [float(value) for value in re.findall(r"time=([\d.]+) ms", output)]
        self.expectations.expect(
            "ping through two NPUs: four of four answers", len(times) == 4, output
        )
        walk = self._cli(f"show security flow walk destination-prefix {UNTRUST}/32 protocol icmp")
        for actor, step in (
            ("CP", "wing pending, SPU chosen"),
            ("SPU", "policy search"),
            ("SPU", "packet suspended"),
            ("CP", "pending wing active, reverse wing installed"),
            ("SPU", "reverse wing on the egress NPU"),
            ("SPU", "forward wing on the ingress NPU"),
            ("SPU", "packet released"),
        ):
            self.expectations.expect(
                f"the walk shows: {actor}: {step}",
                any(actor in line and step in line for line in walk.splitlines()),
                walk,
            )
        order = [walk.find("reverse wing on the egress"), walk.find("forward wing on the ingress")]
        order.append(walk.find("packet released"))
        self.expectations.expect(
            "egress wing first, ingress wing second, then release",
            -1 not in order and order == sorted(order),
            walk,
        )
        if len(times) > 1:
            print(f"\n  round trip of the first packet  {times[0]:8.3f} ms (session set up)")
            print(f"  round trip of the second packet {times[1]:8.3f} ms (session found)")

    def udp_question(self) -> None:
        """A UDP question and its answer."""
        _heading("A UDP question and its answer")
        output = self._on(
            "trust1", sys.executable, "-m", "topologies.hosts.ask", UNTRUST, "which way?"
        )
        self.expectations.expect("UDP question answered", "which way?" in output, output)
        self.expectations.expect(
            f"UDP left as {NAT_ADDRESS} (source NAT)", output.startswith(NAT_ADDRESS + " "), output
        )

    def express_path_download(self) -> None:
        """An HTTP download that the NPUs carry alone once the session stands."""
        _heading("Express Path: an HTTP download from untrust1 with source NAT, NPUs only")
        self._download("Express Path", UNTRUST)
        output = self._on("trust1", "curl", "-sS", "-m", "10", f"http://{BEYOND}/client")
        self.expectations.expect(
            f"beyond the default route, a web server saw {NAT_ADDRESS}, not {TRUST}",
            output.startswith(NAT_ADDRESS + " "),
            output,
        )

    def spu_download(self) -> None:
        """The same through an SPU, between two interfaces of one NPU."""
        _heading("Normal session: an HTTP download from dmz1, every packet through its SPU")
        self._download("SPU path", DMZ)

    def both_at_once(self) -> None:
        """The session table while an Express Path and an SPU download run."""
        _heading("The session table while both kinds of session are busy")
        addresses = {"40001": UNTRUST, "40002": DMZ}
        downloads = [
            self._system.start(
                "trust1",
                *("curl", "-sS", "-m", "60", "-o", "/dev/null", "--local-port", port),
                f"http://{address}/held/600000",
            )
            for port, address in addresses.items()
        ]
        # Half of each has come before anybody looks, the rest comes when everybody has.
        busy = "show security flow session protocol tcp"
        _settled(lambda: self._cli(busy, quiet=True), lambda seen: _counting(seen, addresses) == 4)
        table = self._cli(busy)
        express = self._cli("show security flow session services-offload", quiet=True)
        self._cli("show security flow session summary")
        self.expectations.expect(
            "the session to untrust1 is on Express Path, the one to dmz1 is not",
            UNTRUST in express and DMZ not in express,
            express,
        )
        self.expectations.expect(
            "both wings of both sessions count packets", _counting(table, addresses) == 4, table
        )
        self.expectations.expect(
            f"the Out wing shows the translated address {NAT_ADDRESS}",
            re.search(rf"Out: {UNTRUST}/80 --> {re.escape(NAT_ADDRESS)}/\d+;tcp", table)
            is not None,
            table,
        )
        for address in addresses.values():
            self._system.run("trust1", "curl", "-sS", "-m", "10", f"http://{address}/release")
        for download, path in zip(downloads, ("Express Path", "SPU path"), strict=True):
            output, _ = download.communicate(timeout=70)
            self.expectations.expect(
                f"{path}: the download that was looked at completes",
                download.returncode == 0,
                output,
            )

    def ipv6(self) -> None:
        """IPv6, through an SPU and on Express Path across the fabric."""
        _heading("IPv6: ping and HTTP")
        output = self._on("trust1", "ping", "-6", "-c", "2", "-i", "0.2", "-W", "2", DMZ_V6)
        self.expectations.expect("IPv6 ping to dmz1", " 0% packet loss" in output, output)
        for host, address in (("dmz1", DMZ_V6), ("untrust1", UNTRUST_V6)):
            output = self._on("trust1", "curl", "-sS", "-m", "10", f"http://[{address}]/client")
            self.expectations.expect(
                f"IPv6 HTTP to {host}", output.startswith("2001:db8:1::10 "), output
            )

    def denied(self) -> None:
        """A flow that no policy permits."""
        _heading("A denied flow: untrust1 asks trust1 for a web page")
        output = self._on("untrust1", "curl", "-sS", "-m", "2", f"http://{TRUST}/")
        self.expectations.expect("the denied flow gets no answer", "timed out" in output, output)
        drops = self._cli("show security flow drops")
        self.expectations.expect("the drop has a name: POLICY_DENY", "POLICY_DENY" in drops, drops)

    def screens(self) -> None:
        """One packet for each screen; its counter moves by one, no other does."""
        _heading("Screens: one packet for each")
        mac = self._gateway_mac("untrust1", NAT_ADDRESS)
        before = self._screen_counts()
        for screen in SCREENS:
            self._on(
                "untrust1",
                *(sys.executable, "-m", "topologies.hosts.attack"),
                *(screen, UNTRUST, DMZ, mac, "untrust1-eth0"),
            )
            after = _settled(self._screen_counts, partial(operator.ne, before))
            row = SCREEN_ROWS[screen]
            moved = {
                name: after[name] - before[name] for name in after if after[name] != before[name]
            }
            self.expectations.expect(
                f"screen {screen}: its packet falls and is counted as '{row}'",
                moved == {row: 1},
                f"counters that moved: {moved}",
            )
            before = after
        self._cli("show security screen statistics zone untrust")

    def counters(self) -> None:
        """Policy hit counts."""
        _heading("Policies: how often each decided")
        table = self._cli("show security policies hit-count")
        for policy in ("web-express", "out", "to-dmz", "none-in"):
            row = re.search(rf"\s{policy}\s+(\d+)", table)
            self.expectations.expect(
                f"policy {policy} was hit", row is not None and int(row[1]) > 0, table
            )

    def nothing_left(self) -> None:
        """Cleared sessions leave nothing behind, in the controller or on an NPU."""
        _heading("Sessions gone leave nothing behind")
        self._cli("clear security flow session all")
        sessions = _settled(
            lambda: self._cli("show security flow session", quiet=True),
            lambda table: set(re.findall(r"Total sessions: (\d+)", table)) == {"0"},
        )
        pairs = self._cli("show security flow cp-session summary")
        self.expectations.expect(
            "no session after clear, on any SPU",
            set(re.findall(r"Total sessions: (\d+)", sessions)) == {"0"},
            sessions,
        )
        self.expectations.expect(
            "no session after clear, at the central point",
            set(re.findall(r"Total sessions:\s+(\d+)", pairs)) == {"0"},
            pairs,
        )
        wings = self._cli("show security np-cache summary")
        self.expectations.expect(
            "no wing after clear, on any NPU",
            set(re.findall(r"Wings: (\d+)", wings)) == {"0"},
            wings,
        )

    # -- helpers ------------------------------------------------------------------------------

    def _download(self, path: str, address: str) -> None:
        figures = "%{http_code} %{size_download} %{time_connect} %{time_total}"
        output = self._on(
            "trust1",
            *("curl", "-sS", "-m", "20", "-o", "/dev/null", "-w", figures),
            f"http://{address}/bytes/2000000",
        )
        words = output.split()
        complete = words[:2] == ["200", "2000000"]
        self.expectations.expect(f"{path}: 2,000,000 bytes over HTTP arrive", complete, output)
        if complete:
            seconds = float(words[3]) - float(words[2])
            print(f"  TCP connect {float(words[2]) * 1e3:.2f} ms, then ", end="")
            print(f"2,000,000 bytes in {seconds * 1e3:.1f} ms ({16 / seconds:.0f} Mbit/s)")

    def _screen_counts(self) -> dict[str, int]:
        table = self._cli("show security screen statistics zone untrust", quiet=True)
        return {
            name.strip(): int(count)
            for name, count in re.findall(r"^\s*(\S.*?)\s{2,}(\d+)\s*$", table, re.MULTILINE)
        }

    def _gateway_mac(self, host: str, gateway: str) -> str:
        self._system.run(host, "ping", "-c", "1", "-W", "1", gateway)  # has it ask by ARP
        output = self._system.run(host, "ip", "neighbor", "show", gateway).stdout
        found = re.search(r"lladdr (\S+)", output)
        self.expectations.expect(
            f"the firewall answers ARP for {gateway}", found is not None, output
        )
        return found[1] if found else "ff:ff:ff:ff:ff:ff"

    def _on(self, host: str, *command: str) -> str:
        shown = " ".join(command).replace(sys.executable, "python3")
        print(f"\n{host}$ {shown}")
        output = self._system.run(host, *command).stdout
        for line in output.rstrip().splitlines():
            print(f"  {line}")
        return output

    def _cli(self, command: str, quiet: bool = False) -> str:
        output = self._system.cli(command)
        if not quiet:
            print(f"\nwingpath> {command}")
            print(output.rstrip())
        return output


def _settled(read: Callable[[], Seen], done: Callable[[Seen], bool]) -> Seen:
    """Read until ``done`` or for a while: what was sent may still be on its way."""
    deadline = time.monotonic() + SETTLE_SECONDS
    seen = read()
    while not done(seen) and time.monotonic() < deadline:
        time.sleep(0.05)
        seen = read()
    return seen


def _counting(table: str, ports: Iterable[str]) -> int:
    """How many wings of sessions of trust1 from these ports have counted packets."""
    ours = [f"{TRUST}/{port} " for port in ports]
    blocks = [block for block in table.split("\n\n") if any(port in block for port in ours)]
    return sum(len(re.findall(r"Pkts: [1-9]", block)) for block in blocks)


def _heading(text: str) -> None:
    print(f"\n== {text}", flush=True)
