"""Commands on what NPUs did to single packets, against NPUs that are servers in this process."""

import asyncio
import re
from pathlib import Path

import pytest
from controller_shell.lab import PIPELINE, Lab, with_lab
from controller_shell.sample import CHASSIS, SET_LINES
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from controller.config.build import parse
from controller.npu.connection import NpuError
from controller.reasons import Drop, Punt, Stage, Verdict

FEATURES = """
set interfaces ge-1/0/0 unit 0 family inet filter input f
set interfaces ge-2/0/0 unit 0 family inet filter output g
set firewall policer p if-exceeding bandwidth-limit 8m
set firewall policer p if-exceeding burst-size-limit 15k
set firewall policer p then discard
set firewall family inet filter f term a then count web
set firewall family inet filter f term a then policer p
set firewall family inet filter g term a then count back
set firewall family inet filter g term a then log
set security screen ids-option edge icmp flood threshold 77
set security screen ids-option edge udp flood white-list friends
set security screen white-list friends address 10.1.1.0/24
set security screen ids-option edge match-direction input
set security flow traceoptions flag basic-datapath
set security flow traceoptions packet-filter pf protocol udp
"""
CONFIGURATION = parse(SET_LINES + FEATURES, "fw1.set", CHASSIS)
TRUST, UNTRUST = "02:00:00:01:00:01", "02:00:00:02:00:01"


def frame(src: str, dst: str, sport: int = 1024, dport: int = 53, mac: str = TRUST) -> bytes:
    """A UDP datagram to an interface."""
    ether = Ether(src="00:00:00:00:00:c1", dst=mac)
    return bytes(ether / IP(src=src, dst=dst, id=9) / UDP(sport=sport, dport=dport))


def copied(lab: Lab, npu: int, **header: int) -> None:
    """Have an NPU send a copy."""
    lab.fakes[npu].punt(frame("10.1.1.2", "203.0.113.9"), reason=Punt.TRACE, **header)


def test_counters_of_filters_are_summed_over_npus_and_cleared(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        lab.count(1, "filter_counts", 1, 3, 300)
        lab.count(2, "filter_counts", 1, 2, 200)
        lab.count(2, "output_filter_counts", 2, 5, 50)
        lab.count(1, "policer_drops", 1, 7, 70)
        lab.count(2, "output_policer_drops", 1, 1, 10)
        text = await lab.ask("show firewall")
        assert re.search(
            r"Filter: f\nCounters:\n.*\nweb +500 +5\nPolicers:\n.*\np-a +80 +8$", text, re.M
        )
        assert re.search(r"Filter: g\nCounters:\n.*\nback +50 +5$", text, re.M)
        assert "Filter: f" not in await lab.ask("show firewall filter g")
        assert "no filter 'x'; configured are: f, g" in await lab.ask("show firewall filter x")
        assert await lab.ask("clear firewall filter f") == ""
        text = await lab.ask("show firewall")
        assert re.search(r"^web +0 +0$", text, re.M)
        assert re.search(r"^p-a +0 +0$", text, re.M)
        assert re.search(r"^back +50 +5$", text, re.M)

    with_lab(tmp_path, test, CONFIGURATION)


def test_statistics_add_up_and_start_anew(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        for alias, cell, packets in (
            ("arrived", 1, 100), ("arrived", 200, 10), ("arrived", 255, 7),
            ("forwarded", 1, 60), ("forwarded", 200, 20),
            ("punts", Punt.MISS, 5), ("punts", Punt.FRAGMENT, 2), ("punts_refused", Punt.MISS, 9),
            ("drops", Drop.PUNT_LIMIT, 9), ("drops", Drop.SCREEN_LAND, 15),
            ("egress_drops", Drop.FILTER, 6), ("copies", Verdict.DROP, 3),
        ):  # fmt: skip
            lab.count(1, alias, cell, packets)
        text = await lab.ask("show security flow statistics")
        for row in (
            "Packets received: 100", "Packets transmitted: 60", "Packets forwarded/queued: 7",
            "Packets copied: 3", "Packets dropped: 30", "Fragment packets: 2",
            "Services-offload packets processed: 69",
        ):  # fmt: skip
            assert f"    {row}\n" in text
        rows = dict(re.findall(r"^    (\S.*?) +(\d+)$", text.split("NPU 2")[0], re.M))
        assert rows["Arrived, sum"] == rows["Forwarded, punted and dropped, sum"] == "117"
        assert rows["Under way"] == "0"
        assert re.search(r"^    MISS +5 +9$", text, re.M)
        heard = r"Punted and heard by the controller +(\d+)"
        lab.fakes[2].punt(frame("10.1.1.2", "203.0.113.9"), reason=Punt.MISS)
        copied(lab, 2, spu=Verdict.DROP)
        async with asyncio.timeout(5):
            while re.findall(heard, text) != ["0", "1"]:
                text = await lab.ask("show security flow statistics")
        await lab.ask("clear security flow statistics")
        lab.count(1, "arrived", 1, 104)
        text = await lab.ask("show security flow statistics")
        assert "    Packets received: 4\n" in text
        assert "    Packets dropped: 0\n" in text
        assert re.search(r"^    Under way +4$", text, re.M)
        assert re.findall(heard, text) == ["0", "0"]

    with_lab(tmp_path, test, CONFIGURATION)


def test_screens_are_listed_and_their_hits_are_summed(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        text = await lab.ask("show security screen ids-option edge")
        assert re.search(r"^  ICMP flood threshold +77$", text, re.M)
        assert re.search(r"^  TCP land attack +enabled$", text, re.M)
        assert "winnuke" not in text
        assert re.search(r"^  Flood white list entries +2$", text, re.M)
        assert re.search(r"^  Match direction +input$", text, re.M)
        zone = 2 * 64
        for bit, packets in ((36, 3), (37, 4), (38, 5)):
            lab.count(2, "screen_hits", zone + bit, packets)
        lab.count(1, "egress_screen_hits", zone + 20, 6)
        text = await lab.ask("show security screen statistics zone untrust")
        assert re.search(r"^  TCP SYN flood +12$", text, re.M)
        assert re.search(r"^  IPv6 extension hop by hop header +6$", text, re.M)
        await lab.ask("clear security screen statistics zone untrust")
        text = await lab.ask("show security screen statistics zone untrust")
        assert re.search(r"^  TCP SYN flood +0$", text, re.M)

    with_lab(tmp_path, test, CONFIGURATION)


def test_copies_are_a_trace_a_log_and_records_of_drops(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        copied(
            lab, 1, ingress_port=1, stage=Stage.SESSION, verdict=Verdict.PUNT, detail=Punt.MISS,
            filter=1,
        )  # fmt: skip
        copied(
            lab, 1, ingress_port=1, stage=Stage.SCREENS, verdict=Verdict.DROP,
            detail=Drop.SCREEN_SPOOFING, filter=1,
        )  # fmt: skip
        copied(lab, 2, ingress_port=201, stage=Stage.TRANSMIT, verdict=Verdict.FORWARD,
               egress_port=1)  # fmt: skip
        await lab.until(lambda: len(lab.runtime.observer.copies) == 3)
        trace = await lab.ask("show security flow trace")
        assert "<10.1.1.2/1024->203.0.113.9/53;17> matched filter pf:" in trace
        assert "NPU 1 ge-1/0/0.0 in: session: punt (MISS)\n" in trace
        assert "NPU 1 ge-1/0/0.0 in: screens: drop (SCREEN_SPOOFING)\n" in trace
        assert "NPU 2 ge-2/0/0.0 out: transmit: forward\n" in trace
        assert len((await lab.ask("show security flow trace last 1")).splitlines()) == 2
        assert "TRANSMIT" not in await lab.ask("show security flow trace packet-filter pf")
        (record,) = (await lab.ask("show security packet-drop records")).splitlines()
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d\.\d{6}:LSYS-ID-00 10\.1\.1\.2/1024-->203\.0\.113\.9/53;udp,ipid-9,"
            r"ge-1/0/0\.0,Dropped by IDS:IP spoofing",
            record,
        )
        log = (await lab.ask("show firewall log")).splitlines()
        assert len(log) == 3
        assert re.search(r"pfe +A +ge-2/0/0\.0 +UDP +10\.1\.1\.2 +203\.0\.113\.9$", log[2])

    with_lab(tmp_path, test, CONFIGURATION)


def test_copies_need_their_clone_session(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        assert {n: fake.clone_sessions for n, fake in lab.fakes.items()} == {
            1: {1: [255]}, 2: {1: [255]},
        }  # fmt: skip

    with_lab(tmp_path, test, CONFIGURATION)


def test_a_packet_that_an_input_filter_rejects_is_answered(tmp_path: Path) -> None:
    async def test(lab: Lab) -> None:
        syn = bytes(
            Ether(src="00:00:00:00:00:c1", dst=TRUST)
            / IP(src="10.1.1.2", dst="203.0.113.9")
            / TCP(sport=5, dport=23)
        )
        lab.fakes[1].punt(syn, reason=Punt.FILTER_REJECT, ingress_port=1, token=1)
        out = await asyncio.wait_for(lab.fakes[1].packets_out.get(), 5)
        answer = Ether(out.payload)
        assert (answer[IP].src, answer[IP].dst) == ("10.1.1.1", "10.1.1.2")
        assert (answer["ICMP"].type, answer["ICMP"].code) == (3, 13)
        assert "host" in await lab.ask("show security flow drops")

    with_lab(tmp_path, test, CONFIGURATION)


def test_another_configuration_is_written_by_its_differences(tmp_path: Path) -> None:
    """Hash-based distribution on, tracing off, another policer: and back again."""

    async def test(lab: Lab) -> None:
        before = dict(lab.fakes[1].entries)
        meters = dict(lab.fakes[1].meters)
        assert "Distribution mode: Normal" in await lab.ask("show security flow status")
        lines = [
            line
            for line in (SET_LINES + FEATURES).replace("limit 8m", "limit 80m").splitlines()
            if "traceoptions" not in line
        ]
        lines.append("set security forwarding-process application-services "
                     "session-distribution-mode hash-based")  # fmt: skip
        other = parse("\n".join(lines), "fw1.set", CHASSIS, previous=CONFIGURATION)
        lab.fakes[1].writes.clear()
        await lab.runtime.load(other)
        assert len(lab.entries(1, "spu_bucket")) == 256
        assert lab.entries(1, "trace_v4") == []
        assert lab.fakes[1].meters[PIPELINE.meters["policers"], 1].cir == 10_000_000
        assert "Distribution mode: Hash-based" in await lab.ask("show security flow status")
        # Buckets, mode, policer, the features of three interfaces (trace), the trace filters.
        assert sum(lab.fakes[1].writes) < 256 + 12
        await lab.runtime.load(parse(SET_LINES + FEATURES, "fw1.set", CHASSIS, previous=other))
        assert lab.fakes[1].entries == before
        assert lab.fakes[1].meters == meters

    with_lab(tmp_path, test, CONFIGURATION)


def test_what_an_npu_refuses_is_named_and_written_when_there_is_room(tmp_path: Path) -> None:
    """A configuration that does not fit leaves the NPU known: the next one is a difference."""

    async def test(lab: Lab) -> None:
        before = dict(lab.fakes[1].entries)
        mode = "set security forwarding-process application-services session-distribution-mode "
        hashed = parse(SET_LINES + FEATURES + mode + "hash-based", "fw1.set", CHASSIS)
        lab.fakes[1].capacity = len(before) + 100
        with pytest.raises(NpuError, match=r"NPU 1 .* refuses session-distribution-mode"):
            await lab.runtime.load(hashed)
        await lab.runtime.load(CONFIGURATION)
        assert lab.fakes[1].entries == before
        lab.fakes[1].capacity = 1000
        await lab.runtime.load(hashed)
        assert len(lab.entries(1, "spu_bucket")) == 256

    with_lab(tmp_path, test, CONFIGURATION)
