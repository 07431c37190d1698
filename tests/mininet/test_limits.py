"""What runs out, provoked by real traffic on a small chassis: each time there is a counter, a log
line, an alarm, a record and an end of the walk, and what has room goes on.

Needs root; run by ``make mininet``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from gateways import DMZ, UNTRUST, UNTRUST6, Topology, running

SILENT = "203.0.113.99"
"""Nobody has this address."""


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with running("limits") as up:
        for host in ("untrust1", "dmz1"):
            up.start(host, sys.executable, "-m", "topologies.hosts.serve", until="serving")
        yield up


@pytest.fixture(autouse=True)
def _nothing_is_left(topology: Topology) -> None:
    topology.clear()


def flows(topology: Topology, address: str, count: int) -> int:
    """How many of so many flows are answered."""
    said = topology.run(
        "trust1", sys.executable, "-m", "topologies.hosts.flows", address, str(count), "0.6"
    )
    rows = [line.split() for line in said.splitlines() if re.match(r"\d+ \d+ \d+ \d+$", line)]
    assert len(rows) == count, said
    answered = [int(row[2]) for row in rows]
    assert all(got == 0 or got >= int(row[1]) - 2 for got, row in zip(answered, rows, strict=True))
    return sum(got > 0 for got in answered)


def named(topology: Topology, who: str, reason: str, what: str, detail: str) -> None:
    """Everything that an operator has about it."""
    drops = topology.ask("show security flow drops")
    count = re.search(rf"^{who} +{reason} +(\d+)  ", drops, re.M)
    assert count is not None, drops
    log = (topology.directory / "logs" / "controller.log").read_text()
    assert re.search(rf"FLOW_{reason}: {who}: {what}: {detail}; \d+ packets? dropped", log), log
    alarms = topology.ask("show chassis alarms")
    where = {"SPU 1": "FPC3 PIC0", "SPU 2": "FPC4 PIC0"}.get(who, who)
    assert f"Minor  {where} {what}" in alarms, alarms
    words = reason.replace("_", " ").lower()
    records = topology.ask("show security packet-drop records")
    assert re.search(rf"Dropped by FLOW:{words} \({detail}\)", records, re.I), records
    walks = topology.ask("show security flow walk")
    assert re.search(rf"{who} +dropped: {reason} \({detail}\)", walks), walks


def failed(topology: Topology) -> int:
    summary = topology.ask("show security flow session summary")
    return sum(int(count) for count in re.findall(r"Failed-sessions: (\d+)", summary))


def places(topology: Topology) -> list[list[int]]:
    """Share in percent, sessions, those of IPv6, and maximum of each SPU."""
    rows = re.findall(
        r"^FPC\d PIC0 +\d \w+ +\w+ +(\d+)\S*% +(\d+) +(\d+) +(\d+)",
        topology.ask("show chassis spu"), re.M,
    )  # fmt: skip
    return [[int(word) for word in row] for row in rows]


def test_the_chassis_is_full_and_its_combo_spu_has_the_smaller_share(topology: Topology) -> None:
    before = failed(topology)
    assert flows(topology, UNTRUST, 12) == 10
    assert places(topology) == [[33, 3, 0, 4], [66, 7, 0, 8]]
    detail = "the chassis has 10 sessions, its maximum"
    named(topology, "CP", "SESSION_TABLE_FULL", "CP/Flow session table full", detail)
    assert failed(topology) > before
    assert "Maximum sessions: 10\nMaximum inet6 sessions: 5\n" in (
        topology.ask("show security flow cp-session summary")
    )


def test_sessions_of_ipv6_take_two_places(topology: Topology) -> None:
    assert flows(topology, UNTRUST6, 8) == 5
    assert "Room taken: 10 of 10" in topology.ask("show chassis spu")
    detail = "the chassis has 5 sessions, 5 of them IPv6, which count twice; its maximum is 10"
    records = topology.ask("show security packet-drop records last 1")
    assert f"Session table full ({detail})" in records


def test_the_spus_in_service_are_full(topology: Topology) -> None:
    topology.ask("request chassis spu 2 drain")
    try:
        assert flows(topology, UNTRUST, 6) == 4
    finally:
        topology.ask("request chassis spu 2 online")
    detail = "no SPU in service has room for a session"
    named(topology, "CP", "SPU_FULL", "Flow session table full", detail)


def test_no_port_is_left_in_a_pool(topology: Topology) -> None:
    before = failed(topology)
    assert flows(topology, DMZ, 5) == 3
    detail = "rule all of servers: nothing is left"
    for spu in ("SPU 1", "SPU 2"):
        if re.search(rf"^{spu} +NAT_EXHAUSTED", topology.ask("show security flow drops"), re.M):
            named(topology, spu, "NAT_EXHAUSTED", "source NAT ports exhausted", detail)
            break
    else:
        pytest.fail(topology.ask("show security flow drops"))
    assert failed(topology) > before


def test_a_queue_is_full_and_a_flow_waits_for_too_long(topology: Topology) -> None:
    before = failed(topology)
    topology.run(
        "trust1", sys.executable, "-m", "topologies.hosts.spray", "send", SILENT, "5353", "10",
        "200", "0.2",
    )  # fmt: skip
    assert topology.wait(lambda: "PENDING_TIMEOUT" in topology.ask("show security flow drops"), 3)
    rows = re.findall(
        r"^(SPU \d) +(QUEUE_FULL|PENDING_TIMEOUT) +(\d+)  ",
        topology.ask("show security flow drops"), re.M,
    )  # fmt: skip
    ((spu, timed_out),) = {(who, int(n)) for who, why, n in rows if why == "PENDING_TIMEOUT"}
    assert timed_out == 17, "the first packet, and 16 behind it"
    ((_, full),) = {(who, int(n)) for who, why, n in rows if why == "QUEUE_FULL"}
    assert full >= 20
    named(topology, spu, "QUEUE_FULL", "queue full", "16 packets wait already")
    named(topology, spu, "PENDING_TIMEOUT", "session set-up timed out", "waited for next hops")
    assert failed(topology) == before + 1
    assert "reclaimed so far: 1" in topology.ask("show security monitoring")
