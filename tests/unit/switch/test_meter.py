"""Meters: the marker by itself, and meters and direct meters in a program."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from p4embed.switch.engine import Entry, EntryKey, MeterConfig, Op, Update
from p4embed.switch.meter import GREEN, RED, YELLOW, Meter
from p4embed.switch.reference import ReferenceEngine

from .programs import assign, call, const, field, load, meta, one_action, one_table

SECOND = 10**9
CONFIG = MeterConfig(cir=2, cburst=2, pir=5, pburst=3)


def test_bursts_then_rates() -> None:
    meter = Meter(CONFIG, now_ns=SECOND)
    assert [meter.color(1, SECOND) for _ in range(4)] == [GREEN, GREEN, YELLOW, RED]
    # A fifth of a second is worth one peak token and no committed one.
    assert [meter.color(1, SECOND + SECOND // 5) for _ in range(2)] == [YELLOW, RED]
    assert [meter.color(1, 100 * SECOND) for _ in range(4)] == [GREEN, GREEN, YELLOW, RED]


def test_a_packet_that_is_too_large_takes_nothing() -> None:
    meter = Meter(MeterConfig(0, 100, 0, 200), 0)
    assert meter.color(201, 0) == RED
    assert meter.color(150, 0) == YELLOW
    assert meter.color(50, 0) == GREEN
    assert meter.color(1, SECOND) == RED


def test_time_that_runs_backwards_earns_nothing() -> None:
    meter = Meter(MeterConfig(1000, 1, 1000, 1), SECOND)
    assert [meter.color(1, now) for now in (0, SECOND // 2, 0)] == [GREEN, RED, RED]


@given(
    st.tuples(*[st.integers(0, 2000)] * 4).map(lambda t: MeterConfig(*t)),
    st.lists(st.tuples(st.integers(0, 300_000_000), st.integers(1, 500)), max_size=40),
)
@settings(max_examples=40, deadline=None)
def test_no_more_passes_than_rate_and_burst_allow(
    config: MeterConfig, packets: list[tuple[int, int]]
) -> None:
    meter, now = Meter(config, 0), 0
    passed = {GREEN: 0, YELLOW: 0, RED: 0}
    for wait, size in packets:
        now += wait
        passed[meter.color(size, now)] += size
        assert passed[GREEN] <= config.cburst + config.cir * now / SECOND
        assert passed[GREEN] + passed[YELLOW] <= config.pburst + config.pir * now / SECOND


class Bench:
    """A program whose frames show the color in their first byte."""

    def __init__(self, made: dict[str, Any]) -> None:
        self.now = 0
        self.engine = ReferenceEngine(load(made), clock=lambda: self.now)

    def color(self, frame: str = "00000000") -> int:
        (sent,) = self.engine.process(1, bytes.fromhex(frame), self.now)
        return sent.frame[0]


def indirect(kind: str) -> Bench:
    body = call(
        "execute_meter", {"type": "meter_array", "value": "m"}, field("h", "value"),
        field("h", "kind"),
    )  # fmt: skip
    meter = {"name": "m", "id": 0, "type": kind, "rate_count": 2, "size": 2, "is_direct": False}
    return Bench(one_action(body, meter_arrays=[meter]))


def test_without_configuration_all_is_green() -> None:
    bench = indirect("packets")
    assert [bench.color() for _ in range(5)] == [GREEN] * 5
    assert bench.engine.meter(0, 0) is None


def test_cells_are_apart_and_out_of_range_changes_nothing() -> None:
    bench = indirect("packets")
    bench.engine.set_meter(0, 1, MeterConfig(0, 0, 0, 0))
    assert [bench.color("07" + cell) for cell in ("000000", "000100", "000200")] == [GREEN, RED, 7]
    assert bench.engine.meter(0, 1) == MeterConfig(0, 0, 0, 0)
    bench.engine.set_meter(0, 1, None)
    assert bench.color("07000100") == GREEN


def test_bytes_are_those_of_the_received_frame() -> None:
    bench = indirect("bytes")
    bench.engine.set_meter(0, 0, MeterConfig(0, 6, 0, 11))
    assert [bench.color("00000000" + "55" * 2) for _ in range(2)] == [GREEN, RED]
    assert bench.color("00000000" + "55") == YELLOW


def direct() -> Bench:
    made = one_table([("exact", "h", "kind")], meter="m")
    made["actions"][1]["primitives"] = [assign(meta("egress_spec"), const(1))]
    return Bench(made)


def test_a_direct_meter_runs_on_a_hit_before_the_action() -> None:
    bench = direct()
    key = EntryKey(b"\x09")
    entry = Entry(key, 3, b"\0\x01")
    assert not bench.engine.set_direct_meter(0, key, CONFIG)
    bench.engine.write([Update(Op.INSERT, 0, entry)])
    assert bench.color("09000000") == GREEN
    assert bench.engine.set_direct_meter(0, key, MeterConfig(0, 0, 0, 1))
    assert bench.engine.direct_meter(0, key) == MeterConfig(0, 0, 0, 1)
    assert [bench.color("09000000") for _ in range(2)] == [YELLOW, RED]
    assert bench.color("0a000000") == 0x0A, "a miss runs no meter"
    bench.engine.write([Update(Op.MODIFY, 0, entry)])
    assert bench.engine.direct_meter(0, key) is None
    assert bench.color("09000000") == GREEN
