"""Hash-based distribution: NPUs know the SPU of each bucket, and it changes with the SPUs."""

from __future__ import annotations

from collections import Counter

from controller.central_point.balance import bucket_of
from controller.messages import CreateRequest, Step

from .traffic import HASHED, assert_agree, set_up, settle
from .world import World, chassis, configuration, udp


def test_npus_learn_of_the_buckets_of_those_in_service() -> None:
    world = World(None, chassis(spus=4))
    world.sim.fail_spu(2)
    settle(world)
    for npu in world.sim.npus.values():
        assert set(npu.buckets) == {1, 3, 4}
    world.sim.join_spu(2)
    settle(world)
    for npu in world.sim.npus.values():
        assert Counter(npu.buckets) == {1: 64, 2: 64, 3: 64, 4: 64}


def test_in_hash_based_distribution_a_flow_goes_to_the_spu_of_its_bucket() -> None:
    world = World(configuration(stateless=HASHED), chassis(spus=4))
    set_up(world, range(1, 30))
    buckets = world.sim.npus[0].buckets
    placed = {v.forward.key: n for n, spu in world.sim.spus.items() for v in spu.sessions()}
    assert len(placed) == 29
    assert all(spu == buckets[bucket_of(key)] for key, spu in placed.items())
    requests = [m for to, m in world.sim.carried if isinstance(m, CreateRequest)]
    assert len(requests) == 29, "the SPU asks, the central point decides"
    assert {step.detail for step in world.sim.steps if step.step is Step.MISS} == {
        f"port 0, token 1, to SPU {spu}, by its hash" for spu in set(placed.values())
    }


def test_in_hash_based_distribution_only_flows_of_the_lost_spu_move() -> None:
    world = World(configuration(stateless=HASHED), chassis(spus=4))
    set_up(world, range(1, 30))
    before = {v.forward.key: n for n, spu in world.sim.spus.items() for v in spu.sessions()}
    # First packets meet the failure before the NPUs have other buckets: nothing is lost for it.
    world.sim.fail_spu(3)
    lost = [key for key, spu in before.items() if spu == 3]
    for sport in range(31, 60):
        world.send(world.a, udp(world.a, world.b, sport=sport))
    settle(world)
    for key in lost:
        world.pass_(world.a, udp(world.a, world.b, sport=key.sport), world.b)
    after = {v.forward.key: n for n, spu in world.sim.spus.items() for v in spu.sessions()}
    assert len(after) == 58
    assert {key for key, spu in before.items() if after[key] != spu} == set(lost)
    assert len(world.b.received) == 58 + len(lost)
    assert_agree(world)
