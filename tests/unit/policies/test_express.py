"""Why a session is not on Express Path, and what happens when an NPU has no room."""

from dataclasses import replace

import pytest
from controller_machines.world import (
    DMZ,
    TRUST,
    UNTRUST,
    World,
    answer,
    configuration,
    number,
    policy,
    tcp,
    udp,
    with_nat,
)

from controller.config.schema import SECOND, Policy
from controller.flow import Path
from controller.operate.session_filter import matches
from controller.operate.text import InterfaceNames
from controller.reasons import Close
from controller.spu.express import NotExpress

OUT = policy("out", 1, "dmz", "untrust")
EXPRESS = replace(OUT, services_offload=True)


def why(rule: Policy, mtu: int = 1500) -> NotExpress | None:
    interfaces = {i.name: i for i in (TRUST, replace(DMZ, mtu=mtu), UNTRUST)}
    world = World(configuration(policies=(rule,), interfaces=interfaces))
    world.pass_(world.c, udp(world.c, world.b), world.b)
    (view,) = world.sim.spus[1].sessions()
    assert (view.path is Path.EXPRESS) == (view.not_express is None)
    assert world.sim.spus[1].express_counts() == {view.not_express: 1}
    return view.not_express


def test_the_reason_stays_with_the_session_and_is_counted() -> None:
    assert why(EXPRESS) is None
    assert why(OUT) is NotExpress.POLICY
    assert why(replace(OUT, no_services_offload=True)) is NotExpress.POLICY_OFF
    assert why(EXPRESS, mtu=1400) is NotExpress.MTU


@pytest.mark.parametrize("rule", [OUT, EXPRESS], ids=["spu", "express"])
@pytest.mark.parametrize("capacity", [(0, 0), (0, None), (None, 0)])
def test_nothing_is_dropped_when_an_npu_is_full(
    rule: Policy, capacity: tuple[int | None, int | None]
) -> None:
    world = World(configuration(policies=(rule,)))
    for npu in (0, 1):
        world.sim.npus[npu].capacity = capacity[npu]
    for n in range(3):
        there = world.pass_(world.c, udp(world.c, world.b, n=n), world.b)
        assert number(there) == n
        world.pass_(world.b, answer(there), world.c)
    assert world.reasons() == []
    (view,) = world.sim.spus[1].sessions()
    assert view.path is Path.SPU
    assert view.on_npus == (capacity[0] is None, capacity[1] is None)
    assert view.not_express is (NotExpress.POLICY if rule is OUT else NotExpress.TABLE_FULL)
    counted = {r: n for r, n in world.sim.spus[1].express_counts().items() if n}
    assert counted == {view.not_express: 1}, "each session once, for the reason it ended up with"
    names = InterfaceNames(configuration())
    assert matches(view, {"not-offloaded": view.not_express.word}, names)
    assert matches(view, {"not-offloaded": "any"}, names)
    assert not matches(view, {"not-offloaded": "mtu"}, names)
    # No NPU says when it is idle; its SPU knows all the same.
    world.sim.run(59 * SECOND)
    assert not world.sim.closed
    world.sim.run(2 * SECOND)
    (closed,) = world.sim.closed
    assert closed.reason is Close.IDLE_TIMEOUT
    assert closed.packets == (3, 3)
    world.assert_empty()


def test_a_connection_without_wings_lives_and_ends() -> None:
    world = World(with_nat())
    world.sim.npus[0].capacity = world.sim.npus[1].capacity = 0
    there = world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    world.pass_(world.b, answer(there), world.a)
    world.pass_(world.a, tcp(world.a, world.b, "A"), world.b)
    world.sim.run(299 * SECOND)
    assert not world.sim.closed
    world.pass_(world.a, tcp(world.a, world.b, "A"), world.b)
    world.sim.run(301 * SECOND)
    assert [closed.reason for closed in world.sim.closed] == [Close.IDLE_TIMEOUT]
    world.assert_empty()


def test_room_that_appears_is_used_by_the_next_session() -> None:
    world = World(configuration(policies=(EXPRESS,)))
    world.sim.npus[1].capacity = 0
    world.pass_(world.c, udp(world.c, world.b), world.b)
    world.sim.npus[1].capacity = None
    world.pass_(world.c, udp(world.c, world.b, sport=9), world.b)
    paths = [view.path for view in world.sim.spus[1].sessions()]
    assert paths == [Path.SPU, Path.EXPRESS]
