"""The install benchmark's arithmetic and probes."""

import itertools

import pytest

from bench.install import flows
from bench.report import ACKNOWLEDGED, Report, Series
from bench.target import probe, sequence_of
from controller.packet import Packet, parse


def test_percentiles_are_of_the_nearest_rank_and_not_guessed_from_few() -> None:
    series = Series(ACKNOWLEDGED, 0, 1, list(range(1000, 0, -1)))
    assert series.percentile(50) == 500
    assert series.percentile(99) == 990
    assert series.percentile(99.9) == 999
    few = Series(ACKNOWLEDGED, 0, 1, [3, 1, 2])
    assert few.percentile(50) == 2
    assert few.percentile(99) is None


def test_the_table_says_entries_per_second(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report({"target": "t"})
    report.add(Series(ACKNOWLEDGED, 100_000, 10, [2_000_000] * 1000, 500))
    row = report.table().splitlines()[1].split()
    times = ["2.000"] * 3
    assert row == ["100000", "500", "10", "acknowledged", *times, "5000", "1000"]
    assert capsys.readouterr().out == "target:   t\n"


def test_a_probe_is_a_packet_of_its_flow_and_carries_its_number() -> None:
    for key in itertools.islice(flows(10), 0, 40_000, 9_973):
        frame = probe(key, 77)
        packet = parse(frame)
        assert isinstance(packet, Packet)
        assert packet.key(key.token) == key
        # RFC 1071: over a header with its checksum in place the sum is all ones.
        total = sum(int.from_bytes(frame[i : i + 2], "big") for i in range(14, 34, 2))
        assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
        assert sequence_of(frame) == 77
    assert sequence_of(b"another frame") is None


def test_flows_are_distinct() -> None:
    assert len(set(itertools.islice(flows(10), 100_000))) == 100_000
