"""Early ageing: a table that is too full loses its idle sessions, and no others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import IP

from controller.config.build import parse
from controller.config.problems import ConfigurationError
from controller.config.schema import SECOND, Aging, Configuration
from controller.operate.exhaustion import SystemLog
from controller.reasons import Close

from .world import MILLISECOND, World, chassis, configuration, udp, udp6

AGING = Aging(10 * SECOND, 40, 80)


def aged(aging: Aging | None = AGING, **changes: object) -> Configuration:
    return configuration(aging=aging, **changes)


def open_sessions(world: World, count: int, first: int = 2000, host: str = "a") -> None:
    for n in range(count):
        source = getattr(world, host)
        world.pass_(source, udp(source, world.b, sport=first + n), world.b)


def ends(world: World) -> list[Close]:
    return [closed.reason for closed in world.sim.closed]


@pytest.mark.parametrize("host", ["a", "c"], ids=["spu", "express"])
def test_above_the_high_watermark_idle_sessions_end_down_to_the_low_one(host: str) -> None:
    world = World(aged(), chassis(max_sessions=10))
    open_sessions(world, 8, host=host)
    world.sim.run(30 * SECOND)
    assert ends(world) == []  # at the watermark, not above
    open_sessions(world, 1, 3000, host)
    world.sim.run(SECOND)
    assert ends(world) == [Close.EARLY_AGEOUT] * 5
    left = world.sim.spus[1].sessions()
    assert [view.forward.key.sport for view in left] == [2005, 2006, 2007, 3000]  # oldest first
    assert [(w.spu, w.high, w.sessions) for w in world.sim.watermarks] == [
        (1, True, 9),
        (1, False, 4),
    ]
    world.sim.run(20 * SECOND)
    assert len(ends(world)) == 5
    assert not world.sim.spus[1].is_ageing_early
    world.sim.run(120 * SECOND)
    world.assert_empty()


@pytest.mark.parametrize("host", ["a", "c"], ids=["spu", "express"])
def test_sessions_that_are_used_stay_and_others_go_as_they_fall_idle(host: str) -> None:
    world = World(aged(), chassis(max_sessions=10))
    source = getattr(world, host)
    open_sessions(world, 9, host=host)
    for n in range(24):
        world.sim.run(SECOND // 2)
        for sport in (2000, 2001, 2003, 2008):
            world.pass_(source, udp(source, world.b, sport=sport, n=n), world.b)
    assert ends(world) == [Close.EARLY_AGEOUT] * 5
    left = [view.forward.key.sport for view in world.sim.spus[1].sessions()]
    assert left == [2000, 2001, 2003, 2008]


def test_it_goes_on_until_enough_are_idle_and_stops_with_its_configuration() -> None:
    world = World(aged(), chassis(max_sessions=10))
    open_sessions(world, 9)
    world.sim.run(5 * SECOND)
    assert world.sim.spus[1].is_ageing_early
    world.sim.reconfigure(aged(None))
    world.sim.run(30 * SECOND)
    assert not world.sim.spus[1].is_ageing_early
    assert ends(world) == []


def test_the_chassis_has_watermarks_of_its_own() -> None:
    site = chassis(spus=2, max_sessions=100)
    site = replace(site, cp=replace(site.cp, max_sessions=10))
    world = World(aged(), site)
    open_sessions(world, 8)
    world.sim.run(15 * SECOND)
    open_sessions(world, 1, 3000)
    world.sim.run(2 * SECOND)
    assert [(w.spu, w.high) for w in world.sim.watermarks] == [(0, True), (0, False)]
    assert ends(world) == [Close.EARLY_AGEOUT] * 5
    assert all(0 < len(spu.sessions()) < 4 for spu in world.sim.spus.values())
    assert not any(spu.is_ageing_early for spu in world.sim.spus.values())


def test_sessions_of_ipv6_fill_the_table_twice_as_fast() -> None:
    world = World(aged(), chassis(max_sessions=20))
    for n in range(7):
        world.pass_(world.a, udp6(world.a, world.b, sport=2000 + n), world.b)
    open_sessions(world, 2)
    world.sim.run(15 * SECOND)
    assert ends(world) == []  # 16 places are at the watermark, not above
    open_sessions(world, 1, 3000)
    world.sim.run(2 * SECOND)
    # Down to 8 places: the oldest go, 9 places of 5 sessions.
    assert ends(world) == [Close.EARLY_AGEOUT] * 5
    assert [(w.spu, w.high, w.sessions) for w in world.sim.watermarks] == [
        (1, True, 10),
        (1, False, 5),
    ]


def test_pending_sessions_fill_the_table_too_and_what_is_full_recovers() -> None:
    world = World(aged(Aging(SECOND, 0, 50)), chassis(max_sessions=10))
    open_sessions(world, 4)
    world.sim.run(3 * SECOND)
    world.g.answers_arp = False
    for n in range(8):
        world.send(world.a, udp(world.a, world.g, sport=3000 + n), after=n * MILLISECOND)
    world.sim.run(500 * MILLISECOND)
    assert ends(world) == [Close.EARLY_AGEOUT] * 4
    world.sim.run(30 * SECOND)
    assert not world.sim.spus[1].is_ageing_early
    world.pass_(world.a, udp(world.a, world.b, sport=2000), world.b)
    assert world.b.received[-1][IP].src == world.a.ip


# -- words --------------------------------------------------------------------------------------


def test_set_lines() -> None:
    line = "set security flow aging "
    text = f"{line}early-ageout 30\n{line}low-watermark 60\n{line}high-watermark 80\n"
    assert parse(text).aging == Aging(30 * SECOND, 60, 80)
    assert parse(f"{line}high-watermark 90\n{line}low-watermark 50").aging == Aging(
        20 * SECOND, 50, 90
    )
    assert parse(f"{line}early-ageout 30").aging is None
    with pytest.raises(ConfigurationError, match="low-watermark 90 is above high-watermark 80"):
        parse(f"{line}high-watermark 80\n{line}low-watermark 90")
    with pytest.raises(ConfigurationError, match="from 0 to 100"):
        parse(f"{line}high-watermark 101")


def test_watermarks_are_logged_as_junos_does() -> None:
    lines: list[str] = []
    log = SystemLog(lambda spu: f"FPC{spu + 2} PIC0", lines.append)
    world = World(aged(), chassis(max_sessions=10))
    open_sessions(world, 9)
    world.sim.run(20 * SECOND)
    for passed in world.sim.watermarks:
        log.watermark(passed)
    assert lines == [
        "FLOW_HIGH_WATERMARK_TRIGGERED: SPU 1 (FPC3 PIC0): above the high watermark: idle sessions "
        "end early; current session count: 9",
        "FLOW_LOW_WATERMARK_TRIGGERED: SPU 1 (FPC3 PIC0): down at the low watermark; current "
        "session count: 4",
    ]
