"""Sessions that stand: forwarding, ageing, and each way to end; and that nothing stays behind."""

from __future__ import annotations

from collections import Counter

import pytest
from scapy.layers.inet import IP

from controller.config.schema import SECOND
from controller.flow import Direction, Path
from controller.messages import (
    CP,
    ClearSession,
    Deliver,
    PacketDropped,
    PacketIn,
    ReadWing,
    Redirect,
    RemoveSession,
    RemoveWing,
    SessionClosed,
    WingRead,
    WingRemoved,
    WingsIdle,
)
from controller.reasons import Close, Drop, Punt
from controller.spu import SessionState
from controller.spu.session import QUEUE_LIMIT

from .world import (
    BOTH,
    World,
    answer,
    chassis,
    configuration,
    connect,
    number,
    ping,
    reply,
    tcp,
    udp,
    with_nat,
)

# -- forwarding ---------------------------------------------------------------------------------


@BOTH
def test_every_hop_costs_one_of_the_ttl(client: str) -> None:
    world = World()
    src = getattr(world, client)
    for ttl in (64, 2):
        packet = udp(src, world.b)
        packet.ttl = ttl
        assert world.pass_(src, packet, world.b)[IP].ttl == ttl - 1


def test_spu_believes_no_session_id_that_the_packet_does_not_bear_out() -> None:
    world = World()
    world.pass_(world.a, udp(world.a, world.b, sport=5, n=1), world.b)
    world.pass_(world.a, udp(world.a, world.b, sport=6, n=2), world.b)
    first, second = world.sim.spus[1].sessions()
    frame = world.a.frame(udp(world.a, world.b, sport=6, n=3))
    wrong = PacketIn(
        world.a.interface.port, Punt.SESSION, 1, first.id, Direction.FORWARD, 1, frame, 0
    )
    out = world.sim.spus[1].handle(wrong, world.sim.now)
    assert [(to, message) for to, message in out] == [(CP, Redirect(second.forward.key, 1, wrong))]


def test_central_point_takes_a_misdelivered_packet_to_its_owner() -> None:
    world = World(site=chassis(spus=2))
    world.pass_(world.a, udp(world.a, world.b, sport=5, n=1), world.b)
    (session,) = world.sim.spus[1].sessions()
    frame = world.a.frame(udp(world.a, world.b, sport=5, n=2))
    astray = PacketIn(
        world.a.interface.port, Punt.SESSION, 1, session.id, Direction.FORWARD, 2, frame, 0
    )
    (redirect,) = world.sim.spus[2].handle(astray, world.sim.now)
    ((to, deliver),) = world.sim.cp.handle(redirect[1], world.sim.now)
    assert to.number == 1
    assert deliver == Deliver(session.forward.key, astray, session.id)


# -- ageing -------------------------------------------------------------------------------------


@BOTH
def test_udp_ages_out_after_60_seconds_of_silence(client: str) -> None:
    world = World(with_nat())
    src = getattr(world, client)
    world.pass_(src, udp(src, world.b), world.b)
    world.sim.run(59 * SECOND)
    assert world.closes() == []
    world.sim.run(2 * SECOND)
    assert world.closes() == [Close.IDLE_TIMEOUT]
    world.assert_empty()


@BOTH
def test_one_busy_wing_keeps_the_session(client: str) -> None:
    world = World(with_nat())
    src = getattr(world, client)
    got = world.pass_(src, udp(src, world.b), world.b)
    for _ in range(20):
        world.sim.run(25 * SECOND)
        world.pass_(world.b, answer(got), src)
    assert world.closes() == []
    world.sim.run(62 * SECOND)
    assert world.closes() == [Close.IDLE_TIMEOUT]
    assert world.sim.closed[0].packets == (1, 20)
    world.assert_empty()


def test_repeated_notices_cost_one_question_per_wing() -> None:
    world = World()
    got = world.pass_(world.c, udp(world.c, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    world.sim.run(30 * SECOND)
    world.pass_(world.b, answer(got), world.c)
    spu = world.sim.spus[1]
    notice = WingsIdle((session.id,))
    questions = [m for _ in range(50) for _, m in spu.handle(notice, world.sim.now)]
    assert [type(m) for m in questions] == [ReadWing, ReadWing]


def test_idle_sessions_end_with_one_question_per_wing_and_all_that_was_counted() -> None:
    world = World(with_nat())
    sources = [udp(world.c, world.b, sport=5000 + n) for n in range(3)]
    for first in sources:
        got = world.pass_(world.c, first, world.b)
        for _ in range(4):
            world.pass_(world.b, answer(got), world.c)
            world.pass_(world.c, first, world.b)
    before = len(world.sim.carried)
    world.sim.run(70 * SECOND)
    counts = Counter(type(m) for _, m in world.sim.carried[before:])
    assert (counts[ReadWing], counts[RemoveWing], counts[RemoveSession]) == (6, 6, 3)
    assert [closed.packets for closed in world.sim.closed] == [(5, 4)] * 3
    world.assert_empty()


def test_a_session_whose_wing_is_missing_is_counted_where_it_has_one() -> None:
    """What a Read does not find may be there by the time it is removed."""
    world = World(with_nat())
    world.pass_(world.c, udp(world.c, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    spu = world.sim.spus[1]
    now = world.sim.now + 100 * SECOND
    spu.handle(WingsIdle((session.id,)), now)
    spu.handle(WingRead(session.id, Direction.FORWARD, 90 * SECOND, 7, 700), now)
    sent = spu.handle(WingRead(session.id, Direction.REVERSE, None, 0, 0), now)
    assert [(m.direction, m.is_counted) for _, m in sent if isinstance(m, RemoveWing)] == [
        (Direction.FORWARD, True),
        (Direction.REVERSE, False),
    ]
    spu.handle(WingRemoved(session.id, Direction.FORWARD, 0, 0), now)
    sent = spu.handle(WingRemoved(session.id, Direction.REVERSE, 5, 500), now)
    (closed,) = (m for _, m in sent if isinstance(m, SessionClosed))
    assert closed.packets == (8, 5)


def test_half_open_connection_is_gone_after_20_seconds() -> None:
    world = World()
    world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    world.sim.run(19 * SECOND)
    assert world.closes() == []
    world.sim.run(2 * SECOND)
    assert world.closes() == [Close.IDLE_TIMEOUT]
    world.assert_empty()


def test_half_open_on_express_path_is_gone_although_the_server_answered() -> None:
    world = World()
    syn = world.pass_(world.c, tcp(world.c, world.b, "S"), world.b)
    world.pass_(world.b, answer(syn), world.c)
    world.sim.run(22 * SECOND)
    assert world.closes() == [Close.IDLE_TIMEOUT]
    world.assert_empty()


@BOTH
def test_established_connection_may_be_silent_for_its_time_out(client: str) -> None:
    world = World()
    src = getattr(world, client)
    connect(world, src, world.b)
    world.sim.run(290 * SECOND)  # junos-http: 300 s
    assert world.closes() == []
    world.sim.run(15 * SECOND)
    assert world.closes() == [Close.IDLE_TIMEOUT]
    world.assert_empty()


def test_ping_ages_out_after_4_seconds() -> None:
    world = World()
    world.pass_(world.a, ping(world.a, world.b), world.b)
    world.sim.run(5 * SECOND)
    assert world.closes() == [Close.IDLE_TIMEOUT]
    world.assert_empty()


# -- TCP ends -----------------------------------------------------------------------------------


@BOTH
def test_fin_both_ways(client: str) -> None:
    world = World(with_nat())
    src = getattr(world, client)
    syn = connect(world, src, world.b)
    world.pass_(src, tcp(src, world.b, "FA"), world.b)
    world.sim.run(30 * SECOND)
    assert world.closes() == [], "the other half is still open"
    world.pass_(world.b, reply(syn, "FA"), src)
    world.pass_(src, tcp(src, world.b, "A"), world.b)  # the last one still passes
    world.sim.run(3 * SECOND)
    assert world.closes() == [Close.TCP_FIN]
    world.assert_empty()


@BOTH
@pytest.mark.parametrize("resets", ["client", "server"])
def test_rst_is_forwarded_and_ends_the_session_soon(client: str, resets: str) -> None:
    world = World(with_nat())
    src = getattr(world, client)
    syn = connect(world, src, world.b)
    if resets == "client":
        world.pass_(src, tcp(src, world.b, "R"), world.b)
    else:
        world.pass_(world.b, reply(syn, "RA"), src)
    world.sim.run(SECOND)
    assert world.closes() == [], "what is under way still passes"
    world.sim.run(2 * SECOND)
    by = {"client": Close.TCP_CLIENT_RST, "server": Close.TCP_SERVER_RST}
    assert world.closes() == [by[resets]]
    world.assert_empty()


def test_refused_connection_leaves_nothing() -> None:
    world = World(with_nat())
    syn = world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    world.pass_(world.b, reply(syn, "RA"), world.a)
    world.sim.run(3 * SECOND)
    assert world.closes() == [Close.TCP_SERVER_RST]
    world.assert_empty()


@pytest.mark.parametrize("capacity", [None, 0])
def test_ports_used_again_right_after_fin_make_a_new_session(capacity: int | None) -> None:
    """Without wings nothing has to come off an NPU: the old session is gone before its successor
    waits."""
    world = World(with_nat())
    for npu in world.sim.npus.values():
        npu.capacity = capacity
    syn = connect(world, world.a, world.b)
    world.pass_(world.a, tcp(world.a, world.b, "FA"), world.b)
    world.pass_(world.b, reply(syn, "FA"), world.a)
    connect(world, world.a, world.b)
    assert world.closes() == [Close.TCP_FIN]
    (session,) = world.sim.spus[1].sessions()
    assert session.tcp == "established"
    assert world.reasons() == []


# -- other ends ---------------------------------------------------------------------------------


@BOTH
def test_cleared_by_an_operator(client: str) -> None:
    world = World(with_nat())
    src = getattr(world, client)
    connect(world, src, world.b)
    (session,) = world.sim.spus[1].sessions()
    world.sim.clear(session.id)
    world.assert_empty()
    assert world.closes() == [Close.CLEARED]
    removed = [m.direction for _, m in world.sim.carried if isinstance(m, RemoveWing)]
    assert removed == [Direction.FORWARD, Direction.REVERSE]


def test_clearing_a_session_that_is_gone_is_no_error() -> None:
    world = World()
    world.sim.clear(10_000_001)
    world.assert_empty()


def test_bounded_even_while_a_session_ends() -> None:
    world = World()
    world.pass_(world.a, udp(world.a, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    spu, frame = world.sim.spus[1], world.a.frame(udp(world.a, world.b))
    spu.handle(ClearSession(session.id), 0)
    packet = PacketIn(
        world.a.interface.port, Punt.SESSION, 1, session.id, Direction.FORWARD, 1, frame, 0
    )
    out = [message for _ in range(QUEUE_LIMIT + 2) for _, message in spu.handle(packet, 0)]
    assert [m.reason for m in out if isinstance(m, PacketDropped)] == [Drop.QUEUE_FULL] * 2
    assert len(out) == 2


def test_packets_that_arrive_while_a_session_ends_begin_anew() -> None:
    world = World(with_nat())
    world.pass_(world.a, udp(world.a, world.b, n=1), world.b)
    (session,) = world.sim.spus[1].sessions()
    world.sim.clear(session.id)
    for n in (2, 3, 4):
        world.send(world.a, udp(world.a, world.b, n=n), after=n * 400)
    world.sim.run()
    assert sorted(number(packet) for packet in world.b.received) == [1, 2, 3, 4]
    assert world.closes() == [Close.CLEARED]
    (again,) = world.sim.spus[1].sessions()
    assert again.id != session.id
    assert world.reasons() == []


@BOTH
def test_close_record_counts_every_packet_once(client: str) -> None:
    world = World()
    src = getattr(world, client)
    sizes = []
    for n in range(3):  # one makes the session, two wait behind it
        sizes.append(len(world.send(src, udp(src, world.b, n=n), after=n)))
    world.sim.run()
    world.sim.run(10 * SECOND)
    for n in range(5):
        sizes.append(len(world.send(src, udp(src, world.b, n=n))))
    back = world.send(world.b, answer(world.b.received[0]))
    world.sim.run()
    (session,) = world.sim.spus[1].sessions()
    assert session.packets == (3, 0), "those that no NPU entry counted"
    world.sim.clear(session.id)
    world.sim.run()
    (closed,) = world.sim.closed
    assert closed.packets == (8, 1)
    assert closed.bytes == (sum(sizes), len(back))
    assert 10 * SECOND <= closed.duration < 11 * SECOND
    assert closed.policy == ("trust-out" if client == "a" else "dmz-express")


def test_order_of_the_end_is_wings_then_central_point() -> None:
    world = World(with_nat())
    world.pass_(world.a, udp(world.a, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    before = len(world.sim.carried)
    world.sim.clear(session.id)
    world.sim.run()
    assert [type(m).__name__ for _, m in world.sim.carried[before:]] == [
        "ClearSession",
        "RemoveWing",
        "RemoveWing",
        "WingRemoved",
        "WingRemoved",
        "RemoveSession",
    ]
    assert isinstance(world.sim.carried[-1][1], RemoveSession)


# -- views --------------------------------------------------------------------------------------


def test_view_tells_what_an_operator_asks_for() -> None:
    world = World(with_nat())
    connect(world, world.c, world.b)
    world.sim.run(25 * SECOND)  # by then the NPU was asked whether the handshake was completed
    (view,) = world.sim.spus[1].sessions()
    assert world.sim.spus[1].session(view.id) == view
    assert (view.state, view.spu, view.path) == (SessionState.ACTIVE, 1, Path.EXPRESS)
    assert (view.policy, view.policy_index, view.application) == ("dmz-express", 3, "junos-http")
    world.sim.run(100 * SECOND)
    now = world.sim.now
    assert view.timeout_left(now, idle=40 * SECOND) == view.timeout - 40 * SECOND
    assert view.timeout_left(view.last_seen) == view.timeout
    assert world.sim.spus[1].session(1) is None


def test_hit_counts_per_policy() -> None:
    world = World(configuration())
    for sport in (1, 2, 3):
        world.pass_(world.a, udp(world.a, world.b, sport=sport), world.b)
    world.send(world.b, tcp(world.b, world.c, "S", dport=23))
    world.sim.run()
    assert world.sim.spus[1].policy_hits() == {1: 3, 4: 1}
    world.sim.spus[1].clear_policy_hits()
    assert world.sim.spus[1].policy_hits() == {}
