"""Session limits: the central point counts, and NPUs drop what would be refused."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.config.schema import SECOND, Configuration, ScreenProfile
from controller.messages import CP, LimitSessions
from controller.reasons import Drop

from .world import (
    MILLISECOND,
    World,
    chassis,
    configuration,
    ping,
    tcp,
    udp,
)

SOURCE = Drop.SCREEN_SESSION_LIMIT_SOURCE
DESTINATION = Drop.SCREEN_SESSION_LIMIT_DESTINATION
TRUST_ZONE = 1


def limited(
    source: int = 0, destination: int = 0, *, alarm: bool = False, **changes: object
) -> Configuration:
    """The usual configuration with session limits in zone trust."""
    wanted = {SOURCE: source, DESTINATION: destination}
    thresholds = {screen: number for screen, number in wanted.items() if number}
    plain = configuration(**changes)
    zones = {**plain.zones, "trust": replace(plain.zones["trust"], screen="limits")}
    profile = ScreenProfile("limits", frozenset(thresholds), alarm, thresholds)
    return replace(plain, zones=zones, screens={"limits": profile})


def told(world: World) -> list[tuple[int, LimitSessions]]:
    """What NPUs were told, and which."""
    carried = world.sim.carried
    return [(to.number, message) for to, message in carried if isinstance(message, LimitSessions)]


def dropped_by_npu(world: World) -> int:
    """First packets that the NPU of trust dropped itself."""
    return sum(world.sim.npus[0].drops.values())


def open_sessions(world: World, count: int, first: int = 2000) -> None:
    for n in range(count):
        world.pass_(world.a, udp(world.a, world.b, sport=first + n), world.b)


def test_a_source_at_its_limit_gets_no_more_sessions_until_one_ends() -> None:
    world = World(limited(source=3))
    open_sessions(world, 3)
    world.send(world.a, udp(world.a, world.b, sport=3000))
    world.sim.run()
    assert len(world.b.received) == 3
    assert world.reasons() == [SOURCE]
    assert world.sim.dropped[0].who == CP
    assert world.sim.cp.screen_hits == {(TRUST_ZONE, SOURCE): 1}
    # What has a session goes on.
    world.pass_(world.a, udp(world.a, world.b, sport=2001), world.b)
    (first, *_) = world.sim.spus[1].sessions()
    world.sim.clear(first.id)
    world.sim.run()
    world.pass_(world.a, udp(world.a, world.b, sport=3000), world.b)


def test_other_sources_zones_and_ways_are_not_concerned() -> None:
    world = World(limited(source=1))
    open_sessions(world, 1)
    other = replace(world.a, addresses=("10.0.1.3", "2001:db8:1::3"), received=[])
    world.hosts.append(other)
    world.pass_(other, udp(other, world.b), world.b)
    for n in range(3):
        world.pass_(world.c, udp(world.c, world.b, sport=2000 + n), world.b)
    # An answer is no session of its own.
    world.pass_(world.b, udp(world.b, world.a, sport=5000, dport=2000), world.a)
    assert world.reasons() == []


def test_a_destination_has_its_own_limit_whoever_asks() -> None:
    world = World(limited(destination=2))
    open_sessions(world, 2)
    other = replace(world.a, addresses=("10.0.1.3", "2001:db8:1::3"), received=[])
    world.hosts.append(other)
    world.send(other, udp(other, world.b))
    world.sim.run()
    assert world.reasons() == [DESTINATION]
    world.pass_(other, udp(other, world.g), world.g)


def test_pending_sessions_count_and_refused_ones_do_not() -> None:
    world = World(limited(source=2))
    world.b.answers_arp = False
    for n in range(2):
        world.send(world.a, udp(world.a, world.b, sport=2000 + n))
    world.sim.run(500 * MILLISECOND)
    world.send(world.a, udp(world.a, world.g, sport=3000))
    world.sim.run(500 * MILLISECOND)
    assert world.reasons() == [SOURCE]
    # The neighbour never answers, and the two are given up.
    world.sim.run(10 * SECOND)
    world.pass_(world.a, udp(world.a, world.g, sport=3000), world.g)
    world.sim.run(120 * SECOND)
    world.assert_empty()


def test_alarm_without_drop_counts_and_lets_pass() -> None:
    world = World(limited(source=1, alarm=True))
    open_sessions(world, 4)
    world.sim.run(5 * SECOND)
    open_sessions(world, 1, 3000)
    assert world.sim.cp.screen_hits == {(TRUST_ZONE, SOURCE): 4}
    assert world.reasons() == []
    assert told(world) == []


# -- what NPUs are told -------------------------------------------------------------------------


def test_npus_of_the_zone_drop_early_once_all_wings_are_in_place() -> None:
    world = World(limited(source=1))
    open_sessions(world, 1)
    world.send(world.a, udp(world.a, world.b, sport=3000))
    world.sim.run()
    assert told(world) == []  # Its session is too young.
    world.sim.run(SECOND)
    for _ in range(3):
        world.send(world.a, udp(world.a, world.b, sport=3000), after=MILLISECOND)
        world.sim.run()
    address = bytes((10, 0, 1, 2))
    assert told(world) == [(0, LimitSessions(SOURCE, TRUST_ZONE, address, True))]
    assert dropped_by_npu(world) == 2
    assert world.reasons() == [SOURCE] * 2
    # The session's own packets find their wing.
    world.pass_(world.a, udp(world.a, world.b, sport=2000), world.b)
    (session,) = world.sim.spus[1].sessions()
    world.sim.clear(session.id)
    world.sim.run()
    assert told(world)[1:] == [(0, LimitSessions(SOURCE, TRUST_ZONE, address, False))]
    world.pass_(world.a, udp(world.a, world.b, sport=3000), world.b)


def test_npus_are_not_told_while_a_wing_has_no_room() -> None:
    """Packets of such a session look like first packets to its NPU."""
    world = World(limited(source=1))
    world.sim.npus[0].capacity = 0
    open_sessions(world, 1)
    world.sim.run(5 * SECOND)
    for _ in range(3):
        world.send(world.a, udp(world.a, world.b, sport=3000))
        world.sim.run()
    assert world.reasons() == [SOURCE] * 3
    assert told(world) == []
    world.pass_(world.a, udp(world.a, world.b, sport=2000), world.b)
    (session,) = world.sim.spus[1].sessions()
    world.sim.clear(session.id)
    world.assert_empty()


def test_limits_that_come_by_configuration_count_what_is_there_and_go_with_it() -> None:
    world = World()
    open_sessions(world, 3)
    world.sim.reconfigure(limited(source=2))
    world.sim.run(SECOND)
    world.send(world.a, udp(world.a, world.b, sport=3000))
    world.sim.run()
    assert world.reasons() == [SOURCE]
    assert len(told(world)) == 1
    world.sim.reconfigure(limited(source=9))
    world.sim.run()
    assert [message.at_limit for _, message in told(world)] == [True, False]
    world.pass_(world.a, udp(world.a, world.b, sport=3000), world.b)
    world.sim.reconfigure(configuration())
    world.sim.run(120 * SECOND)
    world.assert_empty()


@settings(max_examples=25, deadline=None)
@given(
    maximum=st.integers(1, 4),
    seed=st.integers(0, 2**16),
    actions=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=30),
)
def test_never_more_sessions_than_the_limit_and_nothing_is_left(
    maximum: int, seed: int, actions: list[tuple[int, int]]
) -> None:
    world = World(
        limited(source=maximum, destination=maximum),
        chassis(spus=2),
        seed=seed,
        delay=(1_000, 5 * MILLISECOND),
        trace=False,
    )

    def within_limits() -> None:
        for flows in (lambda key: key.src, lambda key: key.dst):
            forward = [
                flows(wing.key)
                for wing in world.sim.cp.wings()
                if wing.direction == 0 and wing.key.token == TRUST_ZONE
            ]
            assert all(forward.count(address) <= maximum for address in forward)

    world.sim.on_event = within_limits
    for action, n in actions:
        if action < 3:
            world.send(world.a, udp(world.a, (world.b, world.g)[n % 2], sport=2000 + n))
        elif action < 5:
            world.send(world.a, ping(world.a, world.b, identifier=n + 1))
        elif action == 5:
            world.send(world.a, tcp(world.a, world.b, "S", sport=1025 + n))
        elif action == 6:
            world.sim.run(n * 700 * MILLISECOND)
        else:
            for spu in world.sim.spus.values():
                for session in spu.sessions()[:n]:
                    world.sim.clear(session.id)
        world.sim.run(n * MILLISECOND)
    world.sim.run(3600 * SECOND)
    world.assert_empty()
    # And no address is still on an NPU's list.
    states: dict[tuple[int, Drop, bytes], bool] = {}
    for npu, message in told(world):
        states[npu, message.screen, message.address] = message.at_limit
    assert not any(states.values())
