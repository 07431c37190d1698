"""What runs out is named: its drop reason, where, and that nothing else is lost with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.config.cards import Balancing, Chassis, CpSite, SpuSite
from controller.config.schema import QueueDepth
from controller.flow import FlowKey
from controller.gate import Endpoint, GateOrder
from controller.messages import (
    CP,
    Actor,
    AuditMissing,
    AuditSessions,
    GatesRefused,
    OpenGates,
    Role,
    SessionsUnknown,
    Step,
)
from controller.reasons import Close, Drop
from controller.rounds import LEAST, Round

from .world import MILLISECOND, World, chassis, configuration, number, udp, udp6, with_nat


def limited(cp: CpSite, *rooms: int) -> Chassis:
    spus = {n: SpuSite(n, room) for n, room in enumerate(rooms, start=1)}
    return replace(chassis(), spus=spus, cp=cp)


def fill(world: World, flows: int) -> None:
    for sport in range(1, flows + 1):
        world.send(world.a, udp(world.a, world.b, sport=sport))
    world.sim.run(100 * MILLISECOND)


def test_the_chassis_is_full_before_its_spus() -> None:
    world = World(None, limited(CpSite(max_sessions=3), 2, 2))
    fill(world, 5)
    assert world.reasons() == [Drop.SESSION_TABLE_FULL] * 2
    assert world.sim.dropped[0].detail == "the chassis has 3 sessions, its maximum"
    assert world.sim.dropped[0].who == CP
    assert world.sim.cp.counts().active == 3
    assert len(world.b.received) == 3


def test_sessions_of_ipv6_fill_the_chassis_twice_as_fast() -> None:
    world = World(None, limited(CpSite(max_sessions=5), 9))
    for sport in range(1, 5):
        world.send(world.a, udp6(world.a, world.b, sport=sport), after=sport * MILLISECOND)
    world.sim.run(100 * MILLISECOND)
    assert world.reasons() == [Drop.SESSION_TABLE_FULL] * 2
    assert world.sim.dropped[0].detail == (
        "the chassis has 2 sessions, 2 of them IPv6, which count twice; its maximum is 5"
    )
    assert world.sim.cp.counts().by_spu == {1: 2}
    assert world.sim.cp.counts().ipv6_by_spu == {1: 2}
    fill(world, 1)
    assert world.sim.cp.counts().by_spu == {1: 3}, "for one of IPv4 there is room"


def test_spus_in_service_are_full_while_the_chassis_is_not() -> None:
    world = World(None, limited(CpSite(), 2, 2))
    world.sim.drain_spu(2)
    fill(world, 3)
    assert world.reasons() == [Drop.SPU_FULL]


def test_a_gate_leads_to_a_full_spu() -> None:
    """Children are created where their parent is, or not at all."""
    world = World(None, limited(CpSite(), 1, 5))
    fill(world, 1)
    (parent,) = world.sim.spus[1].sessions()
    listener = Endpoint(world.b.interface.addresses[0].ip.packed, 4000)
    order = GateOrder(17, 1, None, listener.address, listener, 10**9)
    opened = OpenGates(parent.id, 1, parent.forward.key, 1, (order,))
    world.sim.cp.handle(opened, world.sim.now)
    world.send(world.a, udp(world.a, str(world.b.interface.addresses[0].ip), dport=4000))
    world.sim.run(10 * MILLISECOND)
    assert world.reasons() == [Drop.SPU_FULL]
    assert "where gate 1 leads" in world.sim.dropped[0].detail


def test_no_port_is_left_for_source_nat() -> None:
    world = World(with_nat(), chassis(), nat_ports=range(2000, 2002))
    fill(world, 3)
    assert world.reasons() == [Drop.NAT_EXHAUSTED]
    assert Step.NAT_SUSPEND in world.steps()


@pytest.mark.parametrize("depth", QueueDepth)
def test_the_queue_is_as_deep_as_configured(depth: QueueDepth) -> None:
    world = World(configuration(queue_depth=depth))
    for n in range(depth.packets + 3):
        world.send(world.a, udp(world.a, world.b, n=n), after=n)
    world.sim.run()
    assert [number(packet) for packet in world.b.received] == list(range(depth.packets + 1))
    assert world.reasons() == [Drop.QUEUE_FULL] * 2


def test_another_depth_takes_effect_at_once() -> None:
    world = World(configuration())
    world.sim.reconfigure(configuration(queue_depth=QueueDepth.MODERATE))
    for n in range(30):
        world.send(world.a, udp(world.a, world.b, n=n), after=n)
    world.sim.run()
    assert len(world.b.received) == 30


def test_a_wing_that_is_pending_for_too_long_is_reclaimed_and_its_packets_named() -> None:
    world = World(None, limited(CpSite(pending_timeout=MILLISECOND), 9))
    world.b.answers_arp = False
    for n in range(2):
        world.send(world.a, udp(world.a, world.b, n=n), after=n)
    world.sim.run(10 * MILLISECOND)
    assert world.reasons() == [Drop.PENDING_TIMEOUT] * 2
    assert world.sim.cp.counts().reclaimed == 1
    assert world.sim.cp.audit() == []


def test_the_gate_table_is_full() -> None:
    world = World()
    fill(world, 1)
    (parent,) = world.sim.spus[1].sessions()
    world.sim.cp.gates.maximum = 0
    listener = Endpoint(b"\1\2\3\4", 4000)
    order = GateOrder(17, 1, None, listener.address, listener, 10**9)
    opened = OpenGates(parent.id, 1, parent.forward.key, 7, (order,))
    ((_, answer),) = world.sim.cp.handle(opened, world.sim.now)
    assert answer == GatesRefused(parent.id, 7, Drop.GATE_TABLE_FULL)


@pytest.mark.parametrize("way", Balancing)
def test_whatever_the_balance_full_means_full(way: Balancing) -> None:
    world = World(None, limited(CpSite(way), 3, 4))
    fill(world, 8)
    assert world.reasons() == [Drop.SESSION_TABLE_FULL]
    assert world.sim.cp.counts().by_spu == {1: 3, 2: 4}


# -- audit: what a lost message leaves behind -----------------------------------------------------


def test_an_entry_without_session_is_found_and_forgotten() -> None:
    world = World(with_nat())
    fill(world, 3)
    spu = world.sim.spus[1]
    lost = spu.sessions()[1]
    # Its SPU never hears of it again.
    for wing in (lost.forward, lost.reverse):
        del spu._core.by_key[wing.key]
    del spu._core.sessions[lost.id]
    world.sim.run(11_000 * MILLISECOND)
    kept = {wing.session_id for wing in world.sim.cp.wings()}
    assert kept == {view.id for view in spu.sessions()}
    assert sum(world.sim.cp.nat.in_use().values()) == 2, "its port is free"


def test_a_session_without_entry_is_found_and_ended() -> None:
    world = World(with_nat())
    fill(world, 3)
    lost = world.sim.spus[1].sessions()[2]
    unknown = SessionsUnknown(1, ((lost.id, lost.forward.key),))
    core = world.sim.cp._core
    core.forget(core.sessions.by_key[lost.forward.key])
    world.sim.run(11_000 * MILLISECOND)
    assert [m for _, m in world.sim.carried if isinstance(m, SessionsUnknown)] == [unknown]
    (closed,) = world.sim.closed
    assert (closed.session_id, closed.reason) == (lost.id, Close.CP_LOST)
    assert sum(world.sim.cp.nat.in_use().values()) == 2


def test_a_round_meets_all_keys_though_they_change() -> None:
    table = dict.fromkeys(range(3000))
    around = Round(table)
    met: list[int] = []
    for _ in range(3000 // LEAST + 1):
        met += around.next(0)
    assert met[:3000] == list(range(3000)), "in order, each once"
    met.clear()
    for step in range(200):
        del table[next(iter(table))]
        table[3000 + step] = None
        met += around.next(0)
    for _ in range(2 * 3000 // LEAST):
        met += around.next(0)
    assert set(range(200, 3200)) <= set(met), "those that stay are met, sooner or later"
    table.clear()
    while around.next(0):
        pass
    assert around.next(0) == []


def test_agreement_is_silent() -> None:
    world = World(with_nat())
    fill(world, 3)
    world.sim.run(21_000 * MILLISECOND)
    kinds = [type(m) for _, m in world.sim.carried]
    assert kinds.count(AuditSessions) == 2
    assert AuditMissing not in kinds
    assert SessionsUnknown not in kinds


def test_a_session_that_ended_meanwhile_is_not_missed() -> None:
    """The question crosses the end of the session: what comes of it meets nothing."""
    world = World()
    fill(world, 1)
    (view,) = world.sim.spus[1].sessions()
    key: FlowKey = view.forward.key
    world.sim.clear(view.id)
    world.sim.run(MILLISECOND)
    ask = AuditSessions(1, ((view.id, key),))
    ((to, missing),) = world.sim.spus[1].handle(ask, world.sim.now)
    assert to == Actor(Role.CP)
    assert world.sim.cp.handle(missing, world.sim.now) == []
    assert world.sim.cp.audit() == []
