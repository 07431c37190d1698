"""Every kind of NAT under any order of events: allocations that take time or fail, and rules and
pools that change meanwhile. Invariants after every event are those of the machines' interleavings.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from controller_machines.traffic import Flow, Traffic, some_flows
from controller_machines.world import MILLISECOND, NAT_OUT, World, chassis, configuration, policy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.config.cards import NatFaults
from controller.config.nat import Nat, Persistence, PortUse, Reach, SourcePool, zone
from controller.config.schema import SECOND

from .pools import block, both_ways, pool, to_pool

RULES = tuple(
    policy(f"{zone}-out", number, zone, "untrust", services_offload=zone == "dmz")
    for number, zone in enumerate(("trust", "dmz"), start=1)
)
PERSISTENT = Persistence(Reach.ANY, 60 * SECOND, 4)


def by_pool(of: SourcePool, number: int = 1, kept: Persistence | None = None) -> Nat:
    both = tuple(
        replace(to_pool("p", number + n, persistence=kept), origin=zone(of))
        for n, of in enumerate(("trust", "dmz"))
    )
    return Nat(source=both, source_pools={"p": of, "q": pool("q", block("10.0.2.150"))})


FEW = pool("p", block("10.0.2.100", "10.0.2.101"), ports=range(2000, 2003), raise_threshold=50,
           clear_threshold=40)  # fmt: skip
NATS = (
    by_pool(FEW),
    by_pool(replace(FEW, ports=range(2001, 2009), overflow="q")),
    by_pool(replace(FEW, is_paired=True)),
    by_pool(replace(FEW, overloading=3, overflow="interface")),
    by_pool(FEW, 5, PERSISTENT),
    by_pool(pool("p", block("10.0.2.100", "10.0.2.103"), port_use=PortUse.KEEP)),
    by_pool(pool("p", block("10.0.2.100", "10.0.2.103"), port_use=PortUse.KEEP,
                 host_base=ip_address("10.0.1.0").packed)),
    Nat(static=(both_ways("10.0.2.98", "10.0.1.2"),), source=(NAT_OUT,)),
    Nat(),
)  # fmt: skip
CONFIGURATIONS = tuple(configuration(policies=RULES, nat=nat) for nat in NATS)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**16),
    some_flows,
    st.integers(0, len(NATS) - 1),
    st.lists(st.tuples(st.integers(0, 12 * MILLISECOND), st.integers(0, len(NATS) - 1)),
             max_size=4),
    st.sampled_from((NatFaults(), NatFaults(4 * MILLISECOND), NatFaults(MILLISECOND, 3))),
)  # fmt: skip
# A persistent binding that was asked of a pool which keeps ports by the time of the answer: flows
# of later rules have the same address and port.
@example(0, [(0, 0, 3000, 0), (0, 1, 3000, 0), *[(0, 0, 3000, 0)] * 4], 4, [(5_117_810, 5)],
         NatFaults(4 * MILLISECOND))  # fmt: skip
def test_nothing_is_shared_and_nothing_is_left(
    seed: int,
    flows: list[Flow],
    first: int,
    changes: list[tuple[int, int]],
    faults: NatFaults,
) -> None:
    site = replace(chassis(spus=3), nat_faults=faults)
    world = World(CONFIGURATIONS[first], site, seed=seed, delay=(1_000, 3 * MILLISECOND))
    traffic = Traffic(world, seed)
    traffic.flows(flows)
    for after, number in changes:
        world.sim.run(after)
        world.sim.reconfigure(CONFIGURATIONS[number])
    world.sim.run(4000 * SECOND)
    left = world.sim.left()
    assert not left, left
    arbiter = world.sim.cp.nat
    assert arbiter.in_use() == {}
    assert list(arbiter.pairs()) == []
    for name in ("p", "q"):
        view = arbiter.pool(name)
        assert view is None or (view.used, view.is_alarmed) == (0, False)
