"""Sessions that stand: forwarding, ageing, and each way to end; and that nothing stays behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, ICMPerror, IPerror, UDPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, IPerror6, IPv6
from scapy.packet import Packet, Raw

from controller.config.schema import SECOND
from controller.config.stateless import STATELESS, Distribution
from controller.flow import Direction, Path
from controller.messages import (
    CP,
    ClearSession,
    CreateSession,
    Deliver,
    InstallWing,
    PacketDropped,
    PacketIn,
    ReadWing,
    Redirect,
    RemoveSession,
    RemoveWing,
    WingIdle,
)
from controller.reasons import Close, Drop, Punt
from controller.spu import SessionState
from controller.spu.session import QUEUE_LIMIT

from .world import Host, World, answer, chassis, configuration, number, ping, tcp, udp, with_nat


def connect(world: World, src: Host, dst: Host, sport: int = 1025) -> Packet:
    """A TCP handshake; the SYN as it was received."""
    syn = world.pass_(src, tcp(src, dst, "S", sport), dst)
    world.pass_(dst, answer(syn), src)
    world.pass_(src, tcp(src, dst, "A", sport), dst)
    return syn


def reply(syn: Packet, flags: str) -> Packet:
    """A segment of the server to who it thinks its client is."""
    ip = IP(src=syn[IP].dst, dst=syn[IP].src)
    ack = syn[TCP].seq + 1
    return ip / TCP(sport=syn[TCP].dport, dport=syn[TCP].sport, flags=flags, ack=ack)


def closes(world: World) -> list[Close]:
    return [closed.reason for closed in world.sim.closed]


# Host a is a client of a normal session, host c of one on Express Path.
BOTH = pytest.mark.parametrize("client", ["a", "c"])


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


@pytest.mark.parametrize("mode", Distribution)
def test_a_wing_that_an_npu_lost_is_written_again(mode: Distribution) -> None:
    """By the central point, or hash-based at once: its packets miss and come to the owner."""
    world = World(configuration(stateless=replace(STATELESS, distribution=mode)))
    world.pass_(world.a, udp(world.a, world.b, n=1), world.b)
    npu = world.sim.npus[0]
    (key,) = npu.owners
    world.sim.run(10 * SECOND)
    before = npu.owners
    npu.handle(RemoveWing(before[key][0], Direction.FORWARD, 1, key), world.sim.now)
    assert npu.owners == {}
    world.pass_(world.a, udp(world.a, world.b, n=2), world.b)
    assert npu.owners == before
    assert world.sim.spus[1].repairs == 1
    world.pass_(world.a, udp(world.a, world.b, n=3), world.b)
    assert world.sim.spus[1].repairs == 1
    # Not while it may still be under way, nor again and again.
    for _ in range(3):
        npu.handle(RemoveWing(before[key][0], Direction.FORWARD, 1, key), world.sim.now)
        world.pass_(world.a, udp(world.a, world.b), world.b)
    assert world.sim.spus[1].repairs == 1


def test_a_wing_that_is_written_again_is_not_answered() -> None:
    """Its session may wait for another answer meanwhile: because it moves, for instance."""
    world = World()
    world.pass_(world.c, udp(world.c, world.b), world.b)
    world.sim.run(10 * SECOND)
    spu, now = world.sim.spus[1], world.sim.now
    (session,) = spu.sessions()
    frame, port = world.c.frame(udp(world.c, world.b)), world.c.interface.port
    missed = PacketIn(port, Punt.MISS, 1, 0, Direction.FORWARD, 0, frame, now)
    out = spu.handle(Deliver(session.forward.key, missed, session.id), now)
    ((_, renewal),) = [(to, message) for to, message in out if isinstance(message, InstallWing)]
    assert renewal.is_renewal
    assert world.sim.npus[port.npu].handle(renewal, now) == []


def test_owner_that_does_not_know_its_session_gives_it_up() -> None:
    world = World()
    world.pass_(world.a, udp(world.a, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    frame = world.a.frame(udp(world.a, world.b))
    port = world.a.interface.port
    packet = PacketIn(port, Punt.MISS, 1, 0, Direction.FORWARD, 0, frame, 0)
    world.sim.cp.handle(Redirect(session.forward.key, 1, packet, session.id), 0)
    assert world.sim.cp.counts().active == 0
    # The session, which the central point no longer knows, goes when that comes to light.
    ((_, created),) = world.sim.cp.handle(packet, 0)[2:]
    assert isinstance(created, CreateSession)
    out = [message for _, message in world.sim.spus[1].handle(created, 0)]
    assert [type(message) for message in out if isinstance(message, RemoveWing)] == [RemoveWing] * 2


# -- ageing -------------------------------------------------------------------------------------


@BOTH
def test_udp_ages_out_after_60_seconds_of_silence(client: str) -> None:
    world = World(with_nat())
    src = getattr(world, client)
    world.pass_(src, udp(src, world.b), world.b)
    world.sim.run(59 * SECOND)
    assert closes(world) == []
    world.sim.run(2 * SECOND)
    assert closes(world) == [Close.IDLE_TIMEOUT]
    world.assert_empty()


@BOTH
def test_one_busy_wing_keeps_the_session(client: str) -> None:
    world = World(with_nat())
    src = getattr(world, client)
    got = world.pass_(src, udp(src, world.b), world.b)
    for _ in range(20):
        world.sim.run(25 * SECOND)
        world.pass_(world.b, answer(got), src)
    assert closes(world) == []
    world.sim.run(62 * SECOND)
    assert closes(world) == [Close.IDLE_TIMEOUT]
    assert world.sim.closed[0].packets == (1, 20)
    world.assert_empty()


def test_repeated_notices_cost_one_question_per_wing() -> None:
    world = World()
    got = world.pass_(world.c, udp(world.c, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    world.sim.run(30 * SECOND)
    world.pass_(world.b, answer(got), world.c)
    spu = world.sim.spus[1]
    notice = WingIdle(session.id, Direction.FORWARD)
    questions = [m for _ in range(50) for _, m in spu.handle(notice, world.sim.now)]
    assert [type(m) for m in questions] == [ReadWing, ReadWing]


def test_half_open_connection_is_gone_after_20_seconds() -> None:
    world = World()
    world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    world.sim.run(19 * SECOND)
    assert closes(world) == []
    world.sim.run(2 * SECOND)
    assert closes(world) == [Close.IDLE_TIMEOUT]
    world.assert_empty()


def test_half_open_on_express_path_is_gone_although_the_server_answered() -> None:
    world = World()
    syn = world.pass_(world.c, tcp(world.c, world.b, "S"), world.b)
    world.pass_(world.b, answer(syn), world.c)
    world.sim.run(22 * SECOND)
    assert closes(world) == [Close.IDLE_TIMEOUT]
    world.assert_empty()


@BOTH
def test_established_connection_may_be_silent_for_its_time_out(client: str) -> None:
    world = World()
    src = getattr(world, client)
    connect(world, src, world.b)
    world.sim.run(290 * SECOND)  # junos-http: 300 s
    assert closes(world) == []
    world.sim.run(15 * SECOND)
    assert closes(world) == [Close.IDLE_TIMEOUT]
    world.assert_empty()


def test_ping_ages_out_after_4_seconds() -> None:
    world = World()
    world.pass_(world.a, ping(world.a, world.b), world.b)
    world.sim.run(5 * SECOND)
    assert closes(world) == [Close.IDLE_TIMEOUT]
    world.assert_empty()


# -- TCP ends -----------------------------------------------------------------------------------


@BOTH
def test_fin_both_ways(client: str) -> None:
    world = World(with_nat())
    src = getattr(world, client)
    syn = connect(world, src, world.b)
    world.pass_(src, tcp(src, world.b, "FA"), world.b)
    world.sim.run(30 * SECOND)
    assert closes(world) == [], "the other half is still open"
    world.pass_(world.b, reply(syn, "FA"), src)
    world.pass_(src, tcp(src, world.b, "A"), world.b)  # the last one still passes
    world.sim.run(3 * SECOND)
    assert closes(world) == [Close.TCP_FIN]
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
    assert closes(world) == [], "what is under way still passes"
    world.sim.run(2 * SECOND)
    by = {"client": Close.TCP_CLIENT_RST, "server": Close.TCP_SERVER_RST}
    assert closes(world) == [by[resets]]
    world.assert_empty()


def test_refused_connection_leaves_nothing() -> None:
    world = World(with_nat())
    syn = world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    world.pass_(world.b, reply(syn, "RA"), world.a)
    world.sim.run(3 * SECOND)
    assert closes(world) == [Close.TCP_SERVER_RST]
    world.assert_empty()


def test_ports_used_again_right_after_fin_make_a_new_session() -> None:
    world = World(with_nat())
    syn = connect(world, world.a, world.b)
    world.pass_(world.a, tcp(world.a, world.b, "FA"), world.b)
    world.pass_(world.b, reply(syn, "FA"), world.a)
    connect(world, world.a, world.b)
    assert closes(world) == [Close.TCP_FIN]
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
    assert closes(world) == [Close.CLEARED]
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
    assert closes(world) == [Close.CLEARED]
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


def test_order_of_the_end_is_wings_then_nat_then_central_point() -> None:
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
        "ReleaseNat",
        "RemoveSession",
    ]
    assert isinstance(world.sim.carried[-1][1], RemoveSession)


# -- ICMP errors --------------------------------------------------------------------------------


@BOTH
def test_port_unreachable_reaches_the_client_translated_and_ends_the_session(client: str) -> None:
    world = World(with_nat(), nat_ports=range(40000, 40010))
    src = getattr(world, client)
    asked = world.pass_(src, udp(src, world.b, sport=2000, dport=33434), world.b)
    assert asked[UDP].sport == 40000
    error = IP(src=world.b.ip, dst="10.0.2.1") / ICMP(type=3, code=3) / Raw(bytes(asked[IP]))
    got = world.pass_(world.b, error, src)
    assert (got[IP].src, got[IP].dst) == (world.b.ip, src.ip)
    assert (got[IPerror].src, got[IPerror].dst) == (src.ip, world.b.ip)
    assert (got[UDPerror].sport, got[UDPerror].dport) == (2000, 33434)
    assert_checksums(got)
    assert closes(world) == [Close.ICMP_ERROR]
    world.assert_empty()


def test_time_exceeded_from_a_router_on_the_way_keeps_the_session() -> None:
    world = World(with_nat())
    asked = world.pass_(world.a, ping(world.a, "198.51.100.7"), world.g)
    quoted = Raw(bytes(asked[IP])[:28])
    error = IP(src="10.0.2.254", dst="10.0.2.1") / ICMP(type=11, code=0) / quoted
    got = world.pass_(world.g, error, world.a)
    assert (got[IP].src, got[IP].dst) == ("10.0.2.254", world.a.ip)
    assert (got[IPerror].src, got[ICMPerror].id) == (world.a.ip, 77)
    assert closes(world) == []


@BOTH
def test_who_is_told_of_a_path_mtu_keeps_the_session_and_its_port(client: str) -> None:
    world = World(with_nat(), nat_ports=range(40000, 40010))
    src = getattr(world, client)
    asked = world.pass_(src, udp(src, world.b, sport=2000, dport=443), world.b)
    told = ICMP(type=3, code=4, nexthopmtu=1300) / Raw(bytes(asked[IP]))
    got = world.pass_(world.b, IP(src="10.0.2.77", dst="10.0.2.1") / told, src)
    assert got[ICMP].nexthopmtu == 1300
    assert closes(world) == []
    again = world.pass_(src, udp(src, world.b, sport=2000, dport=443), world.b)
    assert again[UDP].sport == asked[UDP].sport


def test_ipv6_error_is_forwarded() -> None:
    world = World()
    ask = IPv6(src=world.a.ip6, dst=world.b.ip6) / ICMPv6EchoRequest(id=9, seq=1, data=b"x")
    asked = world.pass_(world.a, ask, world.b)
    error = IPv6(src=world.b.ip6, dst=world.a.ip6) / ICMPv6DestUnreach() / Raw(bytes(asked[IPv6]))
    got = world.pass_(world.b, error, world.a)
    assert got[IPerror6].src == world.a.ip6
    assert_checksums(got)


def test_error_about_no_session_is_dropped_by_name() -> None:
    world = World()
    quoted = IP(src="10.0.1.2", dst=world.b.ip) / UDP(sport=1, dport=2)
    error = IP(src=world.b.ip, dst="10.0.1.2") / ICMP(type=3, code=3) / Raw(bytes(quoted))
    world.send(world.b, error)
    world.sim.run()
    assert world.reasons() == [Drop.ICMP_ERROR_UNMATCHED]
    world.assert_empty()


def assert_checksums(packet: Packet) -> None:
    """Every checksum is what scapy computes from scratch, those of a quoted packet too."""
    fresh = packet.copy()
    for layer, name in ((IP, "chksum"), (ICMP, "chksum"), (ICMPv6DestUnreach, "cksum")):
        if layer in fresh:
            fresh[layer].delfieldval(name)
    for layer in (IP, IPv6):
        if layer in packet:
            assert bytes(packet[layer]) == bytes(fresh[layer])
            break
    if IPerror in packet:
        inner = IP(bytes(packet[IPerror]))
        again = inner.copy()
        del again.chksum
        if UDP in again:
            del again[UDP].chksum
        assert bytes(inner) == bytes(again)


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
