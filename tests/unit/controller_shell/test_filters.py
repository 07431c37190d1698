"""What commands about flows can be asked for, and what they say of names that nothing has."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from controller.config.schema import SECOND
from controller.gate import Endpoint, GateOrder
from controller_shell.lab import Lab, first_packet, with_lab

FITS = (
    "source-prefix 10.1.1.0/24",
    "destination-prefix 203.0.113.9",
    "source-port 4000 destination-port 27015",
    "protocol udp",
    "protocol 17",
    "family inet",
)
MISSES = ("source-prefix 203.0.113.9", "destination-port 80", "destination-port http",
          "protocol tcp", "family inet6", "source-port 4000 protocol tcp")  # fmt: skip


@pytest.mark.parametrize("table", ["session", "cp-session", "walk"])
def test_every_table_of_flows_has_the_same_filters(tmp_path: Path, table: str) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        for words, found in ((FITS, True), (MISSES, False)):
            for each in words:
                said = await lab.ask(f"show security flow {table} {each}")
                assert ("10.1.1.2/4000 --> 203.0.113.9/27015;udp" in said) is found, said

    with_lab(tmp_path, test)


def test_a_port_may_be_named(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        (walk,) = lab.runtime.observer.walks.values()
        walk.flow = walk.flow._replace(dport=80)
        assert "203.0.113.9/80" in await lab.ask("show security flow walk destination-port http")

    with_lab(tmp_path, test)


def test_sessions_are_found_by_what_was_decided_of_them(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        for words, found in (
            ("interface ge-1/0/0.0", 1),
            ("interface ge-2/0/0.0", 1),
            ("application games", 1),
            ("application junos-http", 0),
            ("policy-id 4", 1),
            ("policy-id 5", 0),
            ("nat", 1),
            ("nat services-offload interface ge-1/0/0.0", 1),
        ):
            said = await lab.ask(f"show security flow session {words}")
            assert said.count("Session ID") == found, (words, said)

    with_lab(tmp_path, test)


def test_counts_are_those_of_what_was_asked_for(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        await first_packet(lab)
        for words, count in (("", 1), ("protocol udp", 1), ("protocol tcp", 0)):
            said = await lab.ask(f"show security flow cp-session {words} summary")
            assert f"\nTotal sessions: {count}\n" in said

    with_lab(tmp_path, test)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("show security flow session interface ge-1/0/9.0",
         "unknown interface 'ge-1/0/9.0'; did you mean 'ge-1/0/0.0'?"),
        ("clear security flow session interface x", "unknown interface 'x'"),
        ("show security flow session application gmaes",
         "unknown application 'gmaes'; did you mean 'games'?"),
        ("clear security flow session application x", "unknown application 'x'"),
        ("show security flow session application junos-ftp-data", "Total sessions: 0"),
        ("show security nat source persistent-nat-table pool x", "unknown source pool 'x'"),
        ("clear security nat source persistent-nat-table pool x", "unknown source pool 'x'"),
        ("show security nat source paired-address pool-name x", "unknown source pool 'x'"),
        ("show security nat source pool all rule all", "one of pool, rule and summary"),
        ("show security nat destination summary rule all", "one of pool, rule and summary"),
        ("show security flow session policy-id 99", "unknown policy index '99'"),
        ("show security policies from-zone trsut", "no zone 'trsut'; zones are: "),
        ("show security policies hit-count to-zone x", "no zone 'x'"),
        ("show security shadow-policies to-zone x", "no zone 'x'"),
        ("show security policies policy-name fats",
         "unknown policy 'fats'; did you mean 'fast'?"),
        ("show security flow trace packet-filter x",
         "unknown packet filter 'x'; there is no packet filter"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_has_is_said_to_be_wrong(
    tmp_path: Path, command: str, said: str
) -> None:
    async def test(lab: Lab) -> None:
        assert said in await lab.ask(command)

    with_lab(tmp_path, test)


def endpoint(address: str, port: int) -> Endpoint:
    return Endpoint(ip_address(address).packed, port)


def open_gates(lab: Lab) -> None:
    """One for media from anybody, one for a connection of one server."""
    phone, ftp = endpoint("10.1.1.2", 6000), endpoint("10.1.1.2", 20345)
    hole, server = endpoint("203.0.113.1", 0).address, endpoint("203.0.113.9", 0).address
    orders = (
        GateOrder(17, 2, None, hole, phone, 120 * SECOND, count=2, application="junos-sip-media"),
        GateOrder(6, 2, server, hole, ftp, 120 * SECOND, application="junos-ftp-data"),
    )
    assert lab.runtime.central_point.gates.open(7, 1, orders, lab.runtime.clock()) == [
        Endpoint(hole, 6000),
        Endpoint(hole, 20345),
    ]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["media", "data"]),
        ("brief", ["media", "data"]),
        ("protocol tcp", ["data"]),
        ("destination-port 6001", ["media"]),
        ("destination-port 6002", []),
        ("destination-prefix 203.0.113.0/24", ["media", "data"]),
        ("destination-prefix 203.0.113.2", []),
        ("source-prefix 203.0.113.9", ["media", "data"]),
        ("source-prefix 203.0.113.0/24 protocol tcp", ["data"]),
        ("source-prefix 198.51.100.0/24", ["media"]),
        ("source-prefix 2001:db8::/32", []),
        ("source-port 4000 protocol 6", ["data"]),
    ],
)
def test_gates_are_found_by_the_first_packets_that_they_let_in(
    tmp_path: Path, words: str, found: list[str]
) -> None:
    async def test(lab: Lab) -> None:
        open_gates(lab)
        said = await lab.ask(f"show security flow gate {words}")
        assert re.findall(r"Application: junos-\w+-(\w+)", said) == found, said
        assert f"\nTotal gates: {len(found)}\n" in said
        assert f"Total gates: {len(found)}\n" in await lab.ask(
            f"show security flow gate {words} summary".replace("brief ", "")
        )
        assert said.endswith("Maximum gates: 131072\n")

    with_lab(tmp_path, test)
