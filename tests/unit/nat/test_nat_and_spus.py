"""SPUs that fail with sessions that have ports: each is free again in the end, none is twice."""

from __future__ import annotations

from controller_machines.traffic import Event, live_through
from controller_machines.world import MILLISECOND, World, chassis, udp
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import UDP

from controller.config.nat import Reach
from controller.config.schema import SECOND, Configuration

from .pools import block, pool, with_pools
from .test_persistent import keeping

CONFIGURATIONS: list[Configuration] = [
    with_pools(pool("small", block("10.0.2.100"), ports=range(5000, 5006))),
    with_pools(
        pool("small", block("10.0.2.100"), ports=range(5000, 5003), overflow="next"),
        pool("next", block("10.0.2.101")),
    ),
    keeping(Reach.ANY),
]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["fail", "join", "flows", "flows"]),
        st.integers(1, 2),
        st.integers(0, 2 * MILLISECOND),
    ),
    min_size=3,
    max_size=10,
)


@settings(max_examples=10, deadline=None)
@given(config=st.sampled_from(CONFIGURATIONS), events=EVENTS, seed=st.integers(0, 1 << 16))
def test_no_port_is_lost_with_an_spu_and_none_is_given_twice(
    config: Configuration, events: list[Event], seed: int
) -> None:
    world = World(config, chassis(spus=2), seed=seed, delay=(1_000, MILLISECOND), trace=False)
    live_through(world, events)
    views = [view for spu in world.sim.spus.values() for view in spu.sessions()]
    ports = [(v.forward.translated.src, v.forward.translated.sport) for v in views]
    assert len(set(ports)) == len(ports), "a port of two sessions to one destination"
    # Persistent bindings outlive their sessions by their own time-out.
    world.sim.run(1000 * SECOND)
    assert world.sim.left() == []
    assert world.sim.cp.nat.in_use() == {}
    got = len(world.b.received)
    world.send(world.a, udp(world.a, world.b, sport=1999))
    world.sim.run(SECOND)
    (packet,) = world.b.received[got:]
    assert packet[UDP].sport in range(5000, 5010)
