"""Configurations that come into force at any time, between any two events.

Invariants after every event and accounts at the end are those of the machines' interleavings; what
the firewall says in its own name (ICMP errors, RSTs) is left out of the accounts.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from controller_machines.traffic import Flow, Traffic, some_flows
from controller_machines.world import (
    MILLISECOND,
    UNTRUST,
    World,
    chassis,
    configuration,
    policy,
    with_nat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, TCP, UDP

from controller.config.schema import SECOND, Action, Configuration, Rematch, StaticRoute

OUT = tuple(
    policy(f"{zone}-out", number, zone, "untrust", services_offload=zone == "dmz")
    for number, zone in enumerate(("trust", "dmz"), start=1)
)


def routed(gateway: str) -> tuple[StaticRoute, ...]:
    return (StaticRoute(ip_network("10.0.2.2/32"), ip_address(gateway).packed),)


BASE = with_nat(policies=OUT, policy_rematch=Rematch.ON)
CONFIGURATIONS: tuple[Configuration, ...] = (
    BASE,
    replace(BASE, policies=OUT[:1]),
    replace(BASE, policies=(replace(OUT[0], action=Action.DENY), OUT[1])),
    replace(BASE, policies=(), policy_rematch=Rematch.EXTENSIVE),
    replace(BASE, routes=routed("10.0.2.254")),
    replace(BASE, routes=routed("10.0.2.99"), route_change_timeout=6 * SECOND),
    replace(
        BASE,
        interfaces={
            **BASE.interfaces,
            UNTRUST.name: replace(UNTRUST, enabled=False),
        },
    ),
    replace(
        BASE,
        interfaces={
            **BASE.interfaces,
            UNTRUST.name: replace(UNTRUST, zone="dmz", token=2),
        },
    ),
    configuration(policies=OUT),
)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**16),
    some_flows,
    st.lists(
        st.tuples(st.integers(0, 12 * MILLISECOND), st.sampled_from(range(len(CONFIGURATIONS)))),
        max_size=5,
    ),
    st.sampled_from((None, None, 3)),
)
def test_any_change_at_any_time_leaves_nothing_behind(
    seed: int,
    flows: list[Flow],
    changes: list[tuple[int, int]],
    capacity: int | None,
) -> None:
    world = World(
        BASE,
        chassis(spus=3),
        seed=seed,
        delay=(1_000, 3 * MILLISECOND),
        nat_ports=range(2000, 2040),
    )
    for npu in world.sim.npus.values():
        npu.capacity = capacity
    traffic = Traffic(world, seed)
    traffic.flows(flows)
    for after, number in changes:
        world.sim.run(after)
        world.sim.reconfigure(CONFIGURATIONS[number])
    world.sim.run(4000 * SECOND)
    assert world.sim.left() == []
    received = sum(
        1
        for host in world.hosts
        for packet in host.received
        if UDP in packet or TCP in packet or (ICMP in packet and packet[ICMP].type in (0, 8))
    )
    unseen = sum(sum(npu.drops.values()) for npu in world.sim.npus.values())
    # More at most by ARP replies that met a disabled interface.
    assert received <= traffic.sent <= received + len(world.sim.dropped) + unseen
