"""SPUs that go, come and drain under live traffic: who notices, and who does not.

Needs root; run by ``make mininet``.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator

import pytest
from gateways import SWITCH, UNTRUST, Topology, gateways
from test_policies import EXPRESS, PERMIT

FLOWS = (sys.executable, "-m", "topologies.hosts.flows", UNTRUST)
HASHED = (
    "set security forwarding-process application-services session-distribution-mode hash-based\n"
)
NAT = """\
set security nat source rule-set hide from zone trust
set security nat source rule-set hide to zone untrust
set security nat source rule-set hide rule all match source-address 10.0.0.0/8
set security nat source rule-set hide rule all then source-nat interface
"""
LOG = "set security policies from-zone trust to-zone untrust policy out then log session-close\n"


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with gateways() as up:
        up.start("untrust1", sys.executable, "-m", "topologies.hosts.serve", until="serving")
        yield up


def owners(topology: Topology) -> dict[int, int]:
    """The SPU of each session by its client's port."""
    listed = topology.ask("show security flow session")
    return {
        int(port): int(session) // 10_000_000
        for session, port in re.findall(r"^Session ID: (\d+),.*\n  In: \S+?/(\d+) ", listed, re.M)
    }


def state(topology: Topology, spu: int) -> str:
    row = re.search(rf"^FPC\d+ PIC0 +{spu} \w+ +(\w+)", topology.ask("show chassis spu"), re.M)
    assert row is not None
    return row[1]


def log(topology: Topology) -> str:
    return (topology.directory / "logs" / "controller.log").read_text()


def lost(topology: Topology) -> int:
    """Sessions that ended with their SPU."""
    row = re.search(r"^SPU lost +(\d+)$", topology.ask("show security flow closed"), re.M)
    return 0 if row is None else int(row[1])


@pytest.mark.parametrize("mode", [PERMIT, EXPRESS, PERMIT + HASHED],
                         ids=["spu", "express", "hash"])  # fmt: skip
def test_an_spu_is_taken_out_and_put_in_under_traffic(topology: Topology, mode: str) -> None:
    topology.load(mode + NAT + LOG)
    topology.clear()
    lost_before = lost(topology)
    flows = topology.start("trust1", *FLOWS, "12", "4", until="flowing")
    before = owners(topology)
    assert set(before.values()) == {1, 2}, before
    assert "offline initiated" in topology.ask("request chassis spu 1 offline")
    assert topology.wait(lambda: state(topology, 1) == "Offline")
    assert topology.wait(lambda: owners(topology) == dict.fromkeys(before, 2)), owners(topology)
    records = log(topology)
    for port in (port for port, spu in before.items() if spu == 1):
        record = re.search(rf"closed SPU lost: \S+/{port}->.* all N/A 17 out .* (\d+)\(", records)
        assert record is not None, f"flow {port} has no close record"
        assert int(record[1]) > 0, "what its NPU had counted"
    assert lost(topology) - lost_before == sum(spu == 1 for spu in before.values())
    assert flows.stdout is not None
    rows = [[int(word) for word in line.split()] for line in flows.stdout if line[0].isdigit()]
    assert len(rows) == 12
    for port, asked, answered, silent in rows:
        if before[port] == 2:
            assert answered == asked, f"flow {port} of SPU 2 lost packets"
        else:
            assert answered >= asked - 5, f"flow {port} of SPU 1 did not go on"
            assert silent < 1000
    np_cache = topology.ask("show security np-cache summary")
    wings = [int(count) for count in re.findall(r" Wings: (\d+)", np_cache)]
    assert sum(wings) == 24, np_cache
    assert "undeliverable" not in topology.ask("show security flow drops")

    assert "online initiated" in topology.ask("request chassis spu 1 online")
    assert topology.wait(lambda: state(topology, 1) == "Online")
    topology.start("trust1", *FLOWS, "12", "1", until="flowing").wait(timeout=10)
    now = owners(topology)
    assert sum(spu == 1 for port, spu in now.items() if port not in before) > 0, now


@pytest.mark.skipif(
    SWITCH == "simple_switch_grpc", reason="its P4Runtime server gives no role to a second client"
)
def test_wings_that_an_npu_lost_are_written_again_and_no_packet_is_lost(
    topology: Topology,
) -> None:
    topology.load(EXPRESS)
    topology.clear()
    topology.ask("clear security flow statistics")
    flows = topology.start("trust1", *FLOWS, "4", "4", until="flowing")
    time.sleep(1.2)  # A session that has just been set up is given a second.
    assert topology.beside(1, "unwing.py") == "4 entries deleted\n"
    again = "    Wings written again: 4\n"
    assert topology.wait(lambda: again in topology.ask("show security flow statistics"))
    assert flows.stdout is not None
    rows = [[int(word) for word in line.split()] for line in flows.stdout if line[0].isdigit()]
    assert [asked - answered for _, asked, answered, _ in rows] == [0] * 4
    wings = topology.ask("show security np-cache summary")
    assert wings.count("NP-cache/services-offload Wings: 4\n") == 2, wings
    walk = topology.ask("show security flow walk last 1").splitlines()[-1]
    assert "wing written again: its NPU did not have it (NPU 1, forward wing)" in walk


def test_a_draining_spu_keeps_what_it_has_and_gets_nothing_new(topology: Topology) -> None:
    topology.load(PERMIT + NAT)
    topology.clear()
    flows = topology.start("trust1", *FLOWS, "6", "3", until="flowing")
    before = owners(topology)
    assert sum(spu == 1 for spu in before.values()) == 3
    assert "SPU 1 drains, 3 sessions go on" in topology.ask("request chassis spu 1 drain")
    topology.start("trust1", *FLOWS, "6", "1", until="flowing").wait(timeout=10)
    new = {port: spu for port, spu in owners(topology).items() if port not in before}
    assert new
    assert set(new.values()) == {2}
    assert flows.stdout is not None
    rows = [[int(word) for word in line.split()] for line in flows.stdout if line[0].isdigit()]
    assert [asked - answered for _, asked, answered, _ in rows] == [0] * 6
    topology.clear()
    assert topology.wait(lambda: "no session is left" in topology.ask("show chassis spu"))
    topology.ask("request chassis spu 1 online")
    topology.start("trust1", *FLOWS, "2", "1", until="flowing").wait(timeout=10)
    assert 1 in owners(topology).values()


def test_without_any_spu_nothing_new_passes_and_the_operator_hears_of_it(
    topology: Topology,
) -> None:
    topology.load(PERMIT)
    topology.clear()
    for spu in (1, 2):
        topology.ask(f"request chassis spu {spu} offline")
    said = topology.run("trust1", "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", UNTRUST)
    assert "100% packet loss" in said
    assert re.search(r"^CP +NO_SPU +2  ", topology.ask("show security flow drops"), re.M)
    alarms = topology.ask("show chassis alarms")
    assert "Minor  CP no SPU in service" in alarms, alarms
    assert alarms.count("Major") == 2
    for spu in (1, 2):
        topology.ask(f"request chassis spu {spu} online")
    assert topology.wait(lambda: state(topology, 2) == "Online")
    said = topology.run("trust1", "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", UNTRUST)
    assert " 0% packet loss" in said
    said = log(topology)
    assert "CHASSIS_SPU_OFFLINE: SPU 1 (FPC3 PIC0) is offline" in said
    assert "FLOW_NO_SPU: CP: no SPU in service" in said
