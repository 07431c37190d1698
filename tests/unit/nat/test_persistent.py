"""Persistent NAT, as packets see it: one outside endpoint for an inside one, and who may call."""

from dataclasses import replace
from ipaddress import ip_interface

import pytest
from controller_machines.world import (
    DMZ,
    NAT_OUT,
    TRUST,
    UNTRUST,
    World,
    answer,
    configuration,
    policy,
    udp,
)
from scapy.layers.inet import IP, UDP

from controller.config.nat import Nat, Persistence, Reach
from controller.config.schema import SECOND, Configuration
from controller.messages import ClearPersistentNat, Step
from controller.reasons import Drop

from .pools import block, pool, to_pool

BOTH = (policy("out", 1, "trust", "untrust"), policy("in", 2, "untrust", "trust"))


def keeping(reach: Reach, max_sessions: int = 8) -> Configuration:
    kept = Persistence(reach, 300 * SECOND, max_sessions)
    nat = Nat(
        source=(to_pool("p", persistence=kept),),
        source_pools={"p": pool("p", block("10.0.2.100"), ports=range(5000, 5010))},
    )
    return configuration(nat=nat, policies=BOTH)


def test_an_inside_endpoint_keeps_its_outside_one_whomever_it_speaks_to() -> None:
    world = World(keeping(Reach.ANY))
    first = world.pass_(world.a, udp(world.a, world.b, sport=2000), world.b)
    second = world.pass_(world.a, udp(world.a, world.g, sport=2000), world.g)
    assert first[UDP].sport == second[UDP].sport == 5000
    other = world.pass_(world.a, udp(world.a, world.b, sport=2001), world.b)
    assert other[UDP].sport == 5001
    world.sim.run(61 * SECOND)
    # The sessions are over; the binding stands for its inactivity time-out.
    assert sum(world.sim.cp.nat.in_use().values()) == 2
    again = world.pass_(world.a, udp(world.a, world.b, sport=2000), world.b)
    assert again[UDP].sport == 5000
    world.sim.run(362 * SECOND)
    world.assert_empty()
    assert world.sim.cp.nat.in_use() == {}


def call(world: World, port: int, sport: int, by: str = "g") -> bool:
    """Whether somebody outside reaches the inside endpoint."""
    caller = world.g if by == "g" else world.b
    before = len(world.a.received)
    world.send(caller, udp(caller, "10.0.2.100", sport=sport, dport=port))
    world.sim.run()
    return len(world.a.received) > before


@pytest.mark.parametrize(
    ("reach", "stranger", "other_port", "same"),
    [
        (Reach.ANY, True, True, True),
        (Reach.HOST, False, True, True),
        (Reach.HOST_PORT, False, False, True),
    ],
)
def test_who_may_call(reach: Reach, stranger: bool, other_port: bool, same: bool) -> None:
    world = World(keeping(reach))
    assert not call(world, 5000, 700), "nobody is there yet"
    world.pass_(world.a, udp(world.a, world.b, sport=2000, dport=700), world.b)
    world.sim.run(61 * SECOND)
    assert call(world, 5000, 700, "g") == stranger
    assert call(world, 5000, 701, "b") == other_port
    assert call(world, 5000, 700, "b") == same
    called = world.a.received[-1]
    assert (called[IP].dst, called[UDP].dport) == (world.a.ip, 2000)
    back = world.pass_(world.a, answer(called), world.b)
    assert (back[IP].src, back[UDP].sport) == ("10.0.2.100", 5000)
    assert Step.DESTINATION_NAT in world.steps()
    world.sim.run(362 * SECOND)
    world.assert_empty()


def test_a_call_needs_a_policy() -> None:
    world = World(keeping(Reach.ANY))
    world.pass_(world.a, udp(world.a, world.b, sport=2000), world.b)
    config = keeping(Reach.ANY)
    world.sim.reconfigure(configuration(nat=config.nat, policies=BOTH[:1]))
    world.sim.run()
    assert not call(world, 5000, 7)
    assert world.reasons() == [Drop.POLICY_DENY]


def test_sessions_of_a_binding_are_limited_whoever_begins_them() -> None:
    world = World(keeping(Reach.ANY, max_sessions=8))
    for n in range(7):
        world.pass_(world.a, udp(world.a, world.b, sport=2000, dport=100 + n), world.b)
    assert call(world, 5000, 700)
    assert not call(world, 5000, 701)
    world.send(world.a, udp(world.a, world.b, sport=2000, dport=200))
    world.sim.run()
    assert world.reasons()[-1] is Drop.NAT_EXHAUSTED
    world.sim.run(362 * SECOND)
    world.assert_empty()


def test_an_operator_clears_what_has_no_sessions() -> None:
    world = World(keeping(Reach.ANY))
    world.pass_(world.a, udp(world.a, world.b, sport=2000), world.b)
    world.sim.cp.handle(ClearPersistentNat(), world.sim.now)
    assert len(world.sim.cp.nat.persistent) == 1
    world.sim.run(61 * SECOND)
    world.sim.cp.handle(ClearPersistentNat("other"), world.sim.now)
    assert len(world.sim.cp.nat.persistent) == 1
    world.sim.cp.handle(ClearPersistentNat("p"), world.sim.now)
    assert len(world.sim.cp.nat.persistent) == 0
    assert world.sim.cp.nat.in_use() == {}


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("of", ["pool", "interface"])
def test_bindings_of_addresses_that_are_no_more_serve_nobody(of: str, busy: bool) -> None:
    """A pool has others, or an interface: a flow is not translated to what nobody answers to."""
    kept = Persistence(Reach.ANY, 300 * SECOND, 8)

    def config(last: int) -> Configuration:
        if of == "interface":
            own = (ip_interface(f"10.0.2.{last}/24"), *UNTRUST.addresses[1:])
            changed = replace(UNTRUST, addresses=own)
            interfaces = {i.name: i for i in (TRUST, DMZ, changed)}
            nat = Nat(source=(replace(NAT_OUT, persistence=kept),))
            return configuration(nat=nat, policies=BOTH, interfaces=interfaces)
        pools = {"p": pool("p", block(f"10.0.2.{last}"))}
        nat = Nat(source=(to_pool("p", persistence=kept),), source_pools=pools)
        return configuration(nat=nat, policies=BOTH)

    world = World(config(1))
    before = world.pass_(world.a, udp(world.a, world.b), world.b)
    assert before[IP].src == "10.0.2.1"
    if not busy:
        world.sim.run(61 * SECOND)
    world.sim.reconfigure(config(9))
    world.sim.run(SECOND)
    assert world.pass_(world.a, udp(world.a, world.b), world.b)[IP].src == "10.0.2.9"
    assert len(world.sim.cp.nat.persistent) == 1
    world.sim.run(400 * SECOND)
    world.assert_empty()


def test_bindings_go_with_their_rule() -> None:
    world = World(keeping(Reach.ANY))
    world.pass_(world.a, udp(world.a, world.b, sport=2000), world.b)
    world.sim.reconfigure(configuration(nat=Nat(source=(NAT_OUT,)), policies=BOTH))
    world.sim.run(SECOND)
    assert len(world.sim.cp.nat.persistent) == 0
    world.assert_empty()
