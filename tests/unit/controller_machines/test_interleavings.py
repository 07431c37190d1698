"""Many flows at once, any order of events: what must hold after each one, and at the end.

After every event: a wing on an NPU belongs to a session of its SPU, each session of an SPU is
active at the central point, and no NAT binding is shared. At the end: every packet was delivered
once or dropped with a reason, and nothing is left anywhere.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.config.schema import SECOND

from .traffic import Flow, Traffic, some_flows
from .world import MILLISECOND, World, chassis, configuration, udp, with_nat


def play(seed: int, nat: bool, flows: list[Flow], capacity: int | None, clears: int) -> None:
    world = World(
        with_nat() if nat else configuration(),
        chassis(spus=3),
        seed=seed,
        delay=(1_000, 3 * MILLISECOND),
        nat_ports=range(2000, 2040),
    )
    for npu in world.sim.npus.values():
        npu.capacity = capacity
    traffic = Traffic(world, seed)
    traffic.flows(flows)
    for _ in range(clears):
        world.sim.run(traffic.random.randrange(0, 10 * MILLISECOND))
        for spu in world.sim.spus.values():
            for view in spu.sessions()[:2]:
                world.sim.clear(view.id)
    world.sim.run(4000 * SECOND)
    assert world.sim.left() == []
    assert traffic.accounted() == traffic.sent


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 2**16), st.booleans(), some_flows, st.sampled_from((None, 3)), st.integers(0, 4)
)
def test_any_interleaving_leaves_nothing_behind(
    seed: int, nat: bool, flows: list[Flow], capacity: int | None, clears: int
) -> None:
    play(seed, nat, flows, capacity, clears)


@pytest.mark.parametrize("seed", range(3))
def test_many_flows(seed: int) -> None:
    random = Random(seed)
    flows = [
        (random.randrange(2), random.randrange(3), 3000 + n, random.randrange(200 * MILLISECOND))
        for n in range(60)
    ]
    play(seed, True, flows, None, 3)


def test_the_same_seed_plays_the_same_walk() -> None:
    walks = []
    for _ in range(2):
        world = World(with_nat(), seed=5, delay=(1_000, MILLISECOND))
        for n in range(10):
            world.send(world.a, udp(world.a, world.b, sport=3000 + n, n=n))
        world.sim.run(100 * SECOND)
        walks.append((world.sim.carried, world.sim.sent))
    assert walks[0] == walks[1]
