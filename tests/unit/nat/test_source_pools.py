"""Source NAT with pools, as packets see it: the walk, what comes back, and what is left over."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from controller_machines.world import (
    World,
    answer,
    chassis,
    configuration,
    number,
    ping,
    policy,
    tcp,
    udp,
)
from scapy.layers.inet import ICMP, IP, TCP, UDP

from controller.central_point.port_space import PortSpace
from controller.config.cards import NatFaults
from controller.config.nat import Nat, PortUse
from controller.config.schema import SECOND
from controller.flow import Path
from controller.messages import NatNotice, Step
from controller.reasons import Close, Drop

from .pools import block, pool, to_pool, with_pools

ONE = pool("p", block("10.0.2.100"), ports=range(5000, 5003))


def test_a_flow_gets_an_address_and_port_of_its_pool_and_gives_them_back() -> None:
    world = World(with_pools(ONE))
    there = world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    assert (there[IP].src, there[TCP].sport) == ("10.0.2.100", 5000)
    back = world.pass_(world.b, answer(there), world.a)
    assert (back[IP].dst, back[TCP].dport) == (world.a.ip, 1025)
    steps = world.steps()
    assert steps.index(Step.POLICY) < steps.index(Step.NAT_SUSPEND) < steps.index(Step.NAT_RESUME)
    (view,) = world.sim.spus[1].sessions()
    assert view.nat_pool == "p"
    assert view.source_rule is not None
    assert view.source_rule.name == "r1"
    world.sim.clear(view.id)
    world.assert_empty()
    (closed,) = world.sim.closed
    assert closed.nat_rules == ("r1", "")


def test_a_pool_that_is_exhausted_drops_by_name_and_recovers() -> None:
    world = World(with_pools(ONE))
    seen = []
    for n in range(4):
        world.send(world.a, udp(world.a, world.b, sport=2000 + n))
        world.sim.run()
        seen = [packet[UDP].sport for packet in world.b.received]
    assert seen == [5000, 5001, 5002]
    assert world.reasons() == [Drop.NAT_EXHAUSTED]
    assert "rule r1 of out" in world.sim.dropped[0].detail
    assert world.sim.notices == [NatNotice(world.sim.notices[0].at, "p", 100, None)]
    world.sim.run(61 * SECOND)
    world.assert_empty()
    again = world.pass_(world.a, udp(world.a, world.b, sport=9), world.b)
    assert again[UDP].sport == 5000


def test_what_a_pool_lacks_its_overflow_pool_has() -> None:
    for overflow, address in (("q", "10.0.2.200"), ("interface", "10.0.2.1")):
        small = pool("p", block("10.0.2.100"), ports=range(5000, 5001), overflow=overflow)
        world = World(with_pools(small, pool("q", block("10.0.2.200"))))
        sources = []
        for n in range(2):
            there = world.pass_(world.a, udp(world.a, world.b, sport=2000 + n), world.b)
            sources.append(there[IP].src)
        assert sources == ["10.0.2.100", address]
        assert [view.nat_pool for view in world.sim.spus[1].sessions()] == ["p", overflow]
        world.sim.run(61 * SECOND)
        world.assert_empty()


def test_addresses_take_turns_unless_hosts_are_paired() -> None:
    for is_paired in (False, True):
        config = with_pools(pool("p", block("10.0.2.100", "10.0.2.102"), is_paired=is_paired))
        world = World(config)
        sources = {
            world.pass_(world.a, udp(world.a, world.b, sport=2000 + n), world.b)[IP].src
            for n in range(3)
        }
        assert len(sources) == (1 if is_paired else 3)
        world.sim.run(61 * SECOND)
        world.assert_empty()


def test_address_persistent_keeps_no_state_and_gives_the_same_address() -> None:
    nat = Nat(
        source=(to_pool("p"),),
        source_pools={"p": pool("p", block("10.0.2.100", "10.0.2.109"))},
        address_persistent=True,
    )
    world = World(configuration(nat=nat))
    sources = set()
    for n in range(3):
        sources.add(world.pass_(world.a, udp(world.a, world.b, sport=2000 + n), world.b)[IP].src)
        world.sim.run(61 * SECOND)
        world.assert_empty()
    assert len(sources) == 1


def test_without_port_translation_a_host_has_an_address_for_itself() -> None:
    kept = pool("p", block("10.0.2.100"), port_use=PortUse.KEEP)
    world = World(with_pools(kept))
    for n in range(3):
        there = world.pass_(world.a, udp(world.a, world.b, sport=2000 + n), world.b)
        assert (there[IP].src, there[UDP].sport) == ("10.0.2.100", 2000 + n)
    # Another host of that zone finds none left.
    other = udp(world.a, world.b)
    other[IP].src = "10.0.1.77"
    world.a.addresses = (*world.a.addresses, "10.0.1.77")
    world.send(world.a, other)
    world.sim.run()
    assert world.reasons() == [Drop.NAT_EXHAUSTED]
    world.sim.run(61 * SECOND)
    world.assert_empty()
    there = world.pass_(world.a, other, world.b)
    assert there[IP].src == "10.0.2.100"


def test_host_address_base_shifts_hosts_one_by_one() -> None:
    shifted = pool(
        "p", block("10.0.2.100", "10.0.2.107"), port_use=PortUse.KEEP,
        host_base=ip_address("10.0.1.0").packed,
    )  # fmt: skip
    world = World(with_pools(shifted))
    there = world.pass_(world.a, ping(world.a, world.b), world.b)
    assert there[IP].src == "10.0.2.102"  # 10.0.1.2
    assert there[ICMP].id == 77
    world.pass_(world.b, answer(there), world.a)
    outside = udp(world.a, world.b)
    outside[IP].src = "10.0.1.77"
    world.a.addresses = (*world.a.addresses, "10.0.1.77")
    world.send(world.a, outside)
    world.sim.run()
    assert world.reasons() == [Drop.NAT_EXHAUSTED]


def test_an_overloaded_port_serves_different_destinations_at_once() -> None:
    tight = pool("p", block("10.0.2.100"), ports=range(5000, 5001), overloading=2)
    world = World(with_pools(tight))
    first = world.pass_(world.a, udp(world.a, world.b, sport=2000, dport=7), world.b)
    second = world.pass_(world.a, udp(world.a, world.b, sport=2001, dport=8), world.b)
    assert first[UDP].sport == second[UDP].sport == 5000
    for there, sport in ((first, 2000), (second, 2001)):
        assert world.pass_(world.b, answer(there), world.a)[UDP].dport == sport
    for dport in (7, 9):  # the same destination; a third flow
        world.send(world.a, udp(world.a, world.b, sport=2002, dport=dport))
    world.sim.run()
    assert world.reasons() == [Drop.NAT_EXHAUSTED] * 2
    world.sim.run(61 * SECOND)
    world.assert_empty()


def test_what_one_destination_has_no_port_for_another_has() -> None:
    """Of several addresses, too: none is exhausted for everybody."""
    tight = pool("p", block("10.0.2.100", "10.0.2.101"), ports=range(5000, 5002), overloading=2)
    world = World(with_pools(tight))
    for n in range(4):
        world.pass_(world.a, udp(world.a, world.b, sport=2000 + n, dport=7), world.b)
    world.send(world.a, udp(world.a, world.b, sport=2004, dport=7))
    world.sim.run()
    assert world.reasons() == [Drop.NAT_EXHAUSTED]
    shared = {
        (heard[IP].src, heard[UDP].sport)
        for n in range(4)
        for heard in [world.pass_(world.a, udp(world.a, world.b, 3000 + n, dport=8), world.b)]
    }
    assert len(shared) == 4
    world.sim.run(61 * SECOND)
    world.assert_empty()


def test_a_port_that_can_be_shared_is_found_behind_all_that_cannot() -> None:
    there, elsewhere = (bytes((192, 0, 2, n)) for n in (1, 2))
    space = PortSpace(17, range(2000, 2400), 2)
    assert all(space.take(2000, (there, 7)) >= 0 for _ in range(200))
    assert all(space.take(2000, (elsewhere, 7)) >= 0 for _ in range(200))
    shared = {space.take(2000, (there, 7)) for _ in range(200)}
    assert shared == set(range(2200, 2400))
    assert space.take(2000, (there, 7)) < 0
    assert not space.is_full
    assert space.give(2000, (there, 7))
    assert space.take(0, (there, 7)) == 2000


def test_a_higher_overloading_factor_helps_at_once() -> None:
    tight = pool("p", block("10.0.2.100"), ports=range(5000, 5001), overloading=2)
    world = World(with_pools(tight))
    for dport in (7, 8):
        world.pass_(world.a, udp(world.a, world.b, dport=dport), world.b)
    world.send(world.a, udp(world.a, world.b, dport=9))
    world.sim.run()
    assert world.reasons() == [Drop.NAT_EXHAUSTED]
    world.sim.reconfigure(with_pools(replace(tight, overloading=3)))
    world.sim.run()
    assert world.pass_(world.a, udp(world.a, world.b, dport=9), world.b)[UDP].sport == 5000


def test_an_alarm_is_raised_and_cleared() -> None:
    watched = pool(
        "p", block("10.0.2.100"), ports=range(5000, 5010), raise_threshold=80, clear_threshold=50
    )
    world = World(with_pools(watched))
    for n in range(9):
        world.pass_(world.a, udp(world.a, world.b, sport=2000 + n), world.b)
    assert [(n.is_raised, n.utilization) for n in world.sim.notices] == [(True, 80)]
    world.sim.run(61 * SECOND)
    world.assert_empty()
    assert [(n.is_raised, n.utilization) for n in world.sim.notices[1:]] == [(False, 40)]


def test_sessions_of_a_pool_ride_express_path() -> None:
    rules = (policy("out", 1, "trust", "untrust", services_offload=True),)
    world = World(with_pools(ONE, policies=rules))
    there = world.pass_(world.a, udp(world.a, world.b), world.b)
    before = len(world.sim.carried)
    again = world.pass_(world.a, udp(world.a, world.b), world.b)
    assert (again[IP].src, again[UDP].sport) == (there[IP].src, there[UDP].sport)
    assert len(world.sim.carried) == before, "the NPU translates by itself"
    (view,) = world.sim.spus[1].sessions()
    assert view.path is Path.EXPRESS


@pytest.mark.parametrize("n_th", [0, 2])
def test_allocation_that_takes_time_suspends_the_packet_and_queues_the_next(n_th: int) -> None:
    site = replace(chassis(), nat_faults=NatFaults(2 * SECOND, n_th))
    world = World(with_pools(ONE), site)
    for n in range(3):
        world.send(world.a, udp(world.a, world.b, n=n), after=n)
    world.sim.run(SECOND)
    assert world.b.received == []
    assert Step.NAT_SUSPEND in world.steps()
    assert Step.NAT_RESUME not in world.steps()
    world.sim.run(2 * SECOND)
    assert [number(packet) for packet in world.b.received] == [0, 1, 2]
    world.send(world.a, udp(world.a, world.b, sport=2001))
    world.sim.run(3 * SECOND)
    assert world.reasons() == ([Drop.NAT_EXHAUSTED] if n_th else [])
    world.sim.run(65 * SECOND)
    world.assert_empty()


def test_a_pool_keeps_its_bindings_by_name_and_a_changed_rule_ends_them() -> None:
    world = World(with_pools(ONE))
    there = world.pass_(world.a, udp(world.a, world.b), world.b)
    wider = pool("p", block("10.0.2.100", "10.0.2.101"), ports=range(5000, 5010))
    world.sim.reconfigure(with_pools(wider))
    world.sim.run()
    assert not world.sim.closed
    world.pass_(world.b, answer(there), world.a)
    # The port is still taken in the wider pool.
    granted = set()
    for n in range(19):
        packet = world.pass_(world.a, udp(world.a, world.b, sport=3000 + n), world.b)
        granted.add((packet[IP].src, packet[UDP].sport))
    assert len(granted) == 19
    assert (there[IP].src, there[UDP].sport) not in granted
    world.sim.reconfigure(with_pools(pool("q", block("10.0.2.150"))))
    world.sim.run()
    assert {closed.reason for closed in world.sim.closed} == {Close.NAT_CHANGED}
    world.assert_empty()
