"""SPUs that fail, join and drain: what becomes of flows, sessions, ports, gates and wings."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.central_point.fleet import QUARANTINE
from controller.config.schema import SECOND
from controller.config.stateless import STATELESS, Stateless
from controller.gate import Endpoint, GateOrder
from controller.messages import (
    Actor,
    InstallAck,
    InstallWing,
    OpenGates,
    PurgeSpu,
    Role,
    SessionClosed,
    SpuAccepted,
    SpuFailed,
    SpuJoined,
    SpuState,
)
from controller.reasons import Close, Drop
from controller.routing.fib import fib_of
from controller.spu import Spu

from .traffic import HASHED, Event, assert_agree, live_through, owners, set_up, settle
from .world import MILLISECOND, World, chassis, configuration, number, udp, with_nat


def test_sessions_of_an_spu_that_fails_go_everywhere_and_those_of_others_go_on() -> None:
    world = World(with_nat(), chassis(spus=2))
    set_up(world, range(1, 9))
    assert owners(world) == {1: 4, 2: 4}
    first = {v.id: v.forward.key.sport for v in world.sim.spus[1].sessions()}
    others = [v.forward.key.sport for v in world.sim.spus[2].sessions()]
    world.sim.fail_spu(1)
    settle(world)
    assert owners(world) == {2: 4}
    assert_agree(world)
    for npu in world.sim.npus.values():
        assert not {id_ for id_, _ in npu.owners.values()} & set(first)
    # Those of the other SPU never noticed; those of the lost one begin anew, elsewhere.
    for sport in (*others, *first.values()):
        world.pass_(world.a, udp(world.a, world.b, sport=sport), world.b)
    settle(world)
    assert owners(world) == {2: 8}
    assert_agree(world)
    changes = [(c.spu, c.state, c.sessions) for c in world.sim.spu_changes]
    assert changes == [(1, SpuState.CLEARING, 4), (1, SpuState.OFFLINE, 0)]


def test_sessions_of_an_spu_that_fails_end_with_a_record_that_npus_kept() -> None:
    world = World(with_nat(), chassis(spus=2))
    for _ in range(3):
        set_up(world, range(1, 5))
    views = {view.id: view for view in world.sim.spus[1].sessions()}
    assert len(views) == 2
    world.sim.run(SECOND)
    world.sim.fail_spu(1)
    settle(world)
    closed = world.sim.closed
    assert {record.session_id for record in closed} == set(views)
    assert world.sim.cp.members()[1].unrecorded == 0
    for record in closed:
        view = views[record.session_id]
        assert record.reason is Close.SPU_LOST
        assert (record.policy, record.policy_index) == ("trust-out", 1)
        assert (record.forward, record.reverse) == (view.forward, view.reverse)
        # The first packet found no entry yet; the SPU alone had counted it.
        assert record.packets == (2, 0)
        assert record.bytes[0] == 2 * view.bytes[0]
        assert record.duration >= SECOND
        assert record.nat_rules == ("r1", "")


def test_a_session_that_no_npu_had_a_wing_of_is_counted_without_a_record() -> None:
    world = World(with_nat(), chassis(spus=1))
    for npu in world.sim.npus.values():
        npu.capacity = 0
    set_up(world, range(1, 3))
    assert owners(world) == {1: 2}
    world.sim.fail_spu(1)
    settle(world)
    assert world.sim.closed == []
    assert world.sim.cp.members()[1].unrecorded == 2
    assert world.sim.spu_changes[-1].unrecorded == 2


def test_purged_wings_that_are_told_of_twice_count_once() -> None:
    world = World(with_nat(), chassis(spus=1))
    set_up(world, range(1, 2))
    set_up(world, range(1, 2))
    sim = world.sim
    told = []
    for _, message in sim.cp.handle(SpuFailed(1, "test"), sim.now):
        if isinstance(message, PurgeSpu):
            told += [
                answer for npu in sim.npus.values() for _, answer in npu.handle(message, sim.now)
            ]
    for message in (*told[:1], *told):
        sim.cp.handle(message, sim.now)
    ended = [m for _, m in sim.cp.tick(sim.now) if isinstance(m, SessionClosed)]
    assert [record.packets for record in ended] == [(1, 0)]


def test_packets_for_a_lost_spu_are_dropped_by_name_until_its_wings_are_gone() -> None:
    world = World(with_nat(), chassis(spus=2))
    set_up(world, range(1, 3))
    cp = world.sim.cp
    out = cp.handle(SpuFailed(1, "test"), world.sim.now)
    purges = [(to, m) for to, m in out if isinstance(m, PurgeSpu)]
    assert [to for to, _ in purges] == [Actor(Role.NPU, 0), Actor(Role.NPU, 1)]
    (lost,) = world.sim.spus[1].sessions()
    packet = udp(world.a, world.b, sport=lost.forward.key.sport)
    message = world.sim.npus[0].arrive(0, world.a.frame(packet), world.sim.now)
    ((_, dropped),) = cp.handle(message, world.sim.now)  # type: ignore[arg-type]
    assert dropped.reason is Drop.SPU_FAILED  # type: ignore[union-attr]


def test_a_flow_that_was_pending_there_is_forgotten_with_its_port() -> None:
    world = World(with_nat(), chassis(spus=2))
    world.b.answers_arp = False
    world.send(world.a, udp(world.a, world.b))
    world.sim.run(50 * MILLISECOND)
    assert world.sim.cp.counts().pending == 1
    assert world.sim.cp.nat.in_use()
    world.sim.fail_spu(1)
    world.sim.run(50 * MILLISECOND)
    assert world.sim.cp.audit() == []
    world.b.answers_arp = True
    world.send(world.a, udp(world.a, world.b))
    world.sim.run(3 * SECOND)
    assert len(world.b.received) == 1
    assert owners(world) == {2: 1}


def test_without_any_spu_first_packets_fall_by_name_and_with_one_they_pass() -> None:
    world = World(None, chassis(spus=1))
    world.sim.fail_spu(1)
    settle(world)
    world.send(world.a, udp(world.a, world.b))
    settle(world)
    assert world.reasons() == [Drop.NO_SPU]
    world.sim.join_spu(1)
    settle(world)
    world.pass_(world.a, udp(world.a, world.b), world.b)
    assert [c.state for c in world.sim.spu_changes][-1] is SpuState.ONLINE


def test_an_spu_that_joins_takes_its_share_and_ids_that_none_had() -> None:
    world = World(None, chassis(spus=2))
    set_up(world, range(1, 9))
    old = {view.id for view in world.sim.spus[1].sessions()}
    world.sim.fail_spu(1)
    settle(world)
    world.sim.join_spu(1)
    settle(world)
    set_up(world, range(11, 15))
    assert owners(world) == {1: 4, 2: 4}, "it has the least, so it gets all"
    new = {view.id for view in world.sim.spus[1].sessions()}
    assert new == {max(old) + n for n in range(1, 5)}
    assert_agree(world)


def test_an_spu_that_began_anew_unnoticed_is_cleared_first() -> None:
    world = World(with_nat(), chassis(spus=2))
    set_up(world, range(1, 5))
    sim = world.sim
    out = sim.cp.handle(SpuJoined(1, 7), sim.now)
    kinds = [type(message) for _, message in out]
    assert PurgeSpu in kinds
    assert SpuAccepted not in kinds
    assert sim.cp.handle(SpuJoined(1, 7), sim.now) == [], "it waits"


def test_what_a_lost_spu_said_last_changes_nothing() -> None:
    """Its wings and removals may still be under way when another SPU has the flow."""
    world = World(None, chassis(spus=2))
    set_up(world, range(1, 2))
    (view,) = world.sim.spus[1].sessions()
    install = next(message for _, message in world.sim.carried if isinstance(message, InstallWing))
    world.sim.fail_spu(1)
    settle(world)
    world.pass_(world.a, udp(world.a, world.b, sport=view.forward.key.sport), world.b)
    before = {n: npu.owners for n, npu in world.sim.npus.items()}
    npu = world.sim.npus[install.wing.ingress.npu]
    npu.handle(install, world.sim.now)
    assert {n: npu.owners for n, npu in world.sim.npus.items()} == before
    assert_agree(world)


def test_a_draining_spu_gets_nothing_new_and_keeps_what_it_has() -> None:
    world = World(None, chassis(spus=2))
    set_up(world, range(1, 5))
    kept = [view.forward.key.sport for view in world.sim.spus[1].sessions()]
    world.sim.drain_spu(1)
    settle(world)
    set_up(world, range(11, 19))
    assert owners(world) == {1: 2, 2: 10}
    for sport in kept:
        world.pass_(world.a, udp(world.a, world.b, sport=sport), world.b)
    world.sim.run(3600 * SECOND)
    assert [(c.state, c.why) for c in world.sim.spu_changes] == [
        (SpuState.DRAINING, "no new flows"),
        (SpuState.DRAINING, "drained: no session is left"),
    ]
    world.sim.join_spu(1)
    set_up(world, range(21, 25))
    assert owners(world) == {1: 2, 2: 2}


def test_gates_of_a_lost_spu_close() -> None:
    world = World(None, chassis(spus=2))
    set_up(world, range(1, 2))
    (view,) = world.sim.spus[1].sessions()
    key = view.forward.key
    listener = Endpoint(world.b.interface.addresses[0].ip.packed, 4000)
    order = GateOrder(
        protocol=17,
        token=3,
        source=None,
        hole=listener.address,
        listener=listener,
        timeout=SECOND,
    )
    world.sim.cp.handle(OpenGates(view.id, 1, key, 1, (order,)), world.sim.now)
    assert len(world.sim.cp.gates) == 1
    world.sim.fail_spu(1)
    settle(world)
    assert len(world.sim.cp.gates) == 0
    assert world.sim.cp.audit() == []


def test_a_fresh_spu_asks_until_it_is_accepted_and_passes_packets_on() -> None:
    spu = Spu(1, configuration(), fib_of(configuration()), chassis(), incarnation=5, trace=False)
    assert spu.is_joining
    assert spu.tick(0) == [(Actor(Role.CP), SpuJoined(1, 5))]
    assert spu.deadline() == SECOND
    assert spu.tick(SECOND) == [(Actor(Role.CP), SpuJoined(1, 5))]
    spu.handle(SpuAccepted(1, 4, 0), SECOND)
    assert spu.is_joining, "that was for another one"
    spu.handle(SpuAccepted(1, 5, 10_000_007), SECOND)
    assert not spu.is_joining
    assert spu.deadline() is None


def test_what_an_spu_failed_on_is_kept_from_the_others_for_a_while() -> None:
    world = World(None, chassis(spus=2))
    set_up(world, range(1, 3))
    (view,) = world.sim.spus[1].sessions()
    world.sim.fail_spu(1, "a fault", view.forward.key)
    settle(world)
    bad, good = view.forward.key.sport, 9
    for sport in (bad, good):
        world.send(world.a, udp(world.a, world.b, sport=sport))
    settle(world)
    assert world.reasons() == [Drop.INTERNAL]
    assert owners(world) == {2: 2}
    world.sim.run(QUARANTINE)
    world.send(world.a, udp(world.a, world.b, sport=bad))
    settle(world)
    assert world.reasons() == [Drop.INTERNAL]


# -- whatever happens, in any order -------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["fail", "join", "drain", "flows", "wait"]),
        st.integers(1, 3),
        st.integers(0, 3_000_000),
    ),
    min_size=3,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(events=EVENTS, seed=st.integers(0, 1 << 16), stateless=st.sampled_from([STATELESS, HASHED]))
def test_nothing_is_left_behind_whatever_comes_when(
    events: list[Event], seed: int, stateless: Stateless
) -> None:
    """Messages take up to 2 ms, so failures meet set-ups at every step."""
    config = with_nat(stateless=stateless)
    world = World(config, chassis(spus=3), seed=seed, delay=(1_000, 2_000_000), trace=False)
    live_through(world, events)
    assert_agree(world)
    assert [m.state for m in world.sim.cp.members().values()] == [SpuState.ONLINE] * 3
    got = len(world.b.received)
    world.send(world.a, udp(world.a, world.b, sport=2000, n=77))
    world.sim.run(SECOND)
    assert [number(packet) for packet in world.b.received[got:]] == [77]
    world.sim.run(7200 * SECOND)
    assert world.sim.left() == []
    # Every session that began has ended with one record, or is counted among those without.
    begun = {m.session_id for _, m in world.sim.carried if isinstance(m, InstallAck)}
    ended = Counter(record.session_id for record in world.sim.closed)
    assert set(ended) <= begun
    assert set(ended.values()) == {1}
    unrecorded = sum(member.unrecorded for member in world.sim.cp.members().values())
    assert len(begun) - len(ended) == unrecorded


@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_no_new_flow_is_given_to_an_spu_that_drains_or_is_gone(data: st.DataObject) -> None:
    world = World(None, chassis(spus=4))
    out = data.draw(st.dictionaries(st.integers(1, 4), st.booleans(), max_size=3))
    for spu, drains in out.items():
        world.sim.drain_spu(spu) if drains else world.sim.fail_spu(spu)
    settle(world)
    set_up(world, range(1, 40))
    assert not set(owners(world)) & set(out)
    assert sum(owners(world).values()) == 39


def test_an_unknown_spu_changes_nothing() -> None:
    world = World(None, chassis(spus=1))
    for message in (SpuFailed(9, ""), SpuJoined(9, 1)):
        assert world.sim.cp.handle(message, 0) == []


@pytest.mark.parametrize("loss", [1, 2])
def test_a_second_failure_while_the_first_is_cleared(loss: int) -> None:
    world = World(with_nat(), chassis(spus=2))
    set_up(world, range(1, 9))
    world.sim.fail_spu(1)
    if loss == 2:
        world.sim.fail_spu(2)
    settle(world)
    world.sim.join_spu(1)
    settle(world)
    assert_agree(world)
    world.pass_(world.a, udp(world.a, world.b, sport=1), world.b)
