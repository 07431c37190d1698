"""Counts of policies and what resets them; IPv6 neighbours."""

from __future__ import annotations

import re
from pathlib import Path

from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

from controller.config.build import parse
from controller.reasons import Punt
from controller_shell.lab import Lab, first_packet, with_lab
from controller_shell.sample import CHASSIS, SET_LINES

COUNTED = SET_LINES + (
    "set security policies from-zone trust to-zone untrust policy fast then count\n"
)


def test_hit_counts_begin_anew(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        async def hits() -> list[str]:
            return re.findall(r"fast +(\d+)", await lab.ask("show security policies hit-count"))

        await first_packet(lab)
        assert await hits() == ["1"]
        assert await lab.ask("clear security policies hit-count") == ""
        assert await hits() == ["0"]

    with_lab(tmp_path, test)


def test_what_ended_sessions_of_a_policy_carried_is_forgotten_live_ones_count_on(
    tmp_path: Path,
) -> None:
    async def test(lab: Lab) -> None:
        async def counted() -> tuple[int, int]:
            said = await lab.ask("show security policies policy-name fast detail")
            packets = re.search(r"Input  packets +: +(\d+)", said)
            active = re.search(r"Active sessions +: +(\d+)", said)
            assert packets is not None, said
            assert active is not None, said
            return int(packets[1]), int(active[1])

        await first_packet(lab)
        assert await counted() == (1, 1)
        await lab.ask("clear security policies statistics")
        assert await counted() == (1, 1), "it is live"
        await lab.ask("clear security flow session")
        await lab.until(lambda: bool(lab.log))
        assert await counted() == (1, 0)
        await lab.ask("clear security policies statistics")
        assert await counted() == (0, 0)

    with_lab(tmp_path, test, parse(COUNTED, "counted.set", CHASSIS))


def test_an_ipv6_neighbor_that_asked_is_shown(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        mac = "02:00:00:00:00:0a"
        question = (
            Ether(src=mac, dst="33:33:ff:00:00:01")
            / IPv6(src="2001:db8:1::2", dst="ff02::1:ff00:1", hlim=255)
            / ICMPv6ND_NS(tgt="2001:db8:1::1")
            / ICMPv6NDOptSrcLLAddr(lladdr=mac)
        )
        lab.fakes[1].punt(bytes(question), reason=Punt.ND, ingress_port=1, token=1)
        await lab.sent(1)
        head, row, total = (await lab.ask("show ipv6 neighbors")).splitlines()
        assert row.split()[:3] == ["2001:db8:1::2", mac, "reachable"]
        assert row.split()[-1] == "ge-1/0/0.0"
        for word, value in (("Linklayer", mac), ("State", "reachable"), ("Interface", "ge-")):
            assert head.index(word) == row.index(value)
        assert total == "Total entries: 1"

    with_lab(tmp_path, test)
