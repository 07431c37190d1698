"""The walk of a first packet, from arrival to release, and every way it can end early."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

from controller.config.cards import PENDING_TIMEOUT
from controller.config.schema import SECOND
from controller.flow import Direction, Path, WingState
from controller.messages import (
    CP,
    Actor,
    CreateSession,
    InstallSession,
    InstallWing,
    RemoveWing,
    Role,
    Step,
    Transmit,
)
from controller.reasons import Close, Drop
from controller.spu import SessionState
from controller.spu.express import NotExpress
from controller.spu.session import QUEUE_LIMIT

from .world import (
    MILLISECOND,
    World,
    answer,
    chassis,
    configuration,
    number,
    ping,
    policy,
    tcp,
    udp,
    with_nat,
)


def test_walk_step_by_step() -> None:
    world = World()
    world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    assert world.steps() == [
        Step.MISS,
        Step.PENDING,
        Step.CREATE,
        Step.ROUTE,
        Step.POLICY,
        Step.NEIGHBOR,
        Step.NEIGHBOR,
        Step.NEIGHBOR_FOUND,
        Step.NEIGHBOR_FOUND,
        Step.INSTALL,
        Step.ACTIVE,
        Step.ACK,
        Step.EXPRESS,
        Step.WING_REVERSE,
        Step.WING_FORWARD,
        Step.RELEASE,
    ]
    details = {taken.step: taken.detail for taken in world.sim.steps}
    assert details[Step.EXPRESS] == "no: its policy does not say services-offload"
    whos = {taken.step: taken.who for taken in world.sim.steps}
    assert whos[Step.MISS] == Actor(Role.NPU, 0)
    assert whos[Step.ACTIVE] == CP
    assert whos[Step.POLICY] == Actor(Role.SPU, 1)
    times = [taken.at for taken in world.sim.steps]
    assert times == sorted(times)
    assert world.reasons() == []


def test_egress_npu_is_written_first_and_then_the_ingress_npu() -> None:
    world = World()
    world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    walk = [
        (to, message)
        for to, message in world.sim.carried
        if isinstance(message, CreateSession | InstallSession | InstallWing)
        or (isinstance(message, Transmit) and message.frame[12:14] == b"\x08\x00")
    ]
    assert [to for to, _ in walk] == [
        Actor(Role.SPU, 1),
        CP,
        Actor(Role.NPU, 1),
        Actor(Role.NPU, 0),
        Actor(Role.NPU, 1),
    ]
    installs = [message for _, message in walk if isinstance(message, InstallWing)]
    assert [install.direction for install in installs] == [Direction.REVERSE, Direction.FORWARD]


def test_source_nat_suspends_and_resumes() -> None:
    world = World(with_nat())
    packet = world.pass_(world.a, udp(world.a, world.b, sport=3000, n=7), world.b)
    steps = world.steps()
    assert steps.index(Step.POLICY) < steps.index(Step.NAT_SUSPEND) < steps.index(Step.NAT_RESUME)
    assert steps.index(Step.NAT_RESUME) < steps.index(Step.NEIGHBOR)
    assert (packet[IP].src, packet[UDP].sport) == ("10.0.2.1", 3000)
    assert number(packet) == 7
    back = world.pass_(world.b, answer(packet), world.a)
    assert (back[IP].src, back[IP].dst, back[UDP].dport) == ("10.0.2.2", "10.0.1.2", 3000)


def test_answer_finds_its_wing_and_both_wings_are_active() -> None:
    world = World()
    syn = world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    assert syn[IP].ttl == 63
    world.pass_(world.b, answer(syn), world.a)
    world.pass_(world.a, tcp(world.a, world.b, "A"), world.b)
    assert {wing.state for wing in world.sim.cp.wings()} == {WingState.ACTIVE}
    assert world.sim.cp.counts().active == 1
    assert world.steps().count(Step.MISS) == 1
    (session,) = world.sim.spus[1].sessions()
    assert session.tcp == "established"
    assert session.timeout == 300 * SECOND
    assert (session.policy, session.application) == ("trust-out", "junos-http")


def test_gateway_is_the_next_hop_beyond_the_subnet() -> None:
    world = World()
    packet = world.pass_(world.a, tcp(world.a, "198.51.100.7", "S"), world.g)
    assert packet[IP].dst == "198.51.100.7"
    assert packet[TCP].dport == 80


# -- queue --------------------------------------------------------------------------------------


def test_further_packets_wait_and_leave_in_order() -> None:
    world = World(with_nat())
    for n in range(5):
        world.send(world.a, udp(world.a, world.b, n=n), after=n * 100)
    world.sim.run()
    assert [number(packet) for packet in world.b.received] == [0, 1, 2, 3, 4]
    assert world.steps().count(Step.QUEUED) == 4
    assert world.steps().count(Step.RELEASE) == 5
    assert world.steps().count(Step.MISS) == 1


def test_queue_is_bounded_and_says_so() -> None:
    world = World()
    for n in range(QUEUE_LIMIT + 4):
        world.send(world.a, udp(world.a, world.b, n=n), after=n)
    world.sim.run()
    assert [number(packet) for packet in world.b.received] == list(range(QUEUE_LIMIT + 1))
    assert world.reasons() == [Drop.QUEUE_FULL] * 3


def test_no_packet_is_lost_or_doubled_while_wings_come_into_effect() -> None:
    """Order is kept per way: one that took the detour by the central point may be overtaken by
    one that found its wing."""
    world = World(delay=(MILLISECOND, MILLISECOND))
    world.pass_(world.a, udp(world.a, world.b, sport=9), world.b)  # neighbours are known now
    for n in range(16):
        world.send(world.a, udp(world.a, world.b, n=n), after=n * MILLISECOND)
    world.sim.run()
    got = [number(packet) for packet in world.b.received[1:]]
    assert sorted(got) == list(range(16))
    assert got[:7] == list(range(7))
    assert world.reasons() == []


# -- failures while installing ------------------------------------------------------------------


def test_lost_npu_rolls_back_and_removes_what_it_may_have_written() -> None:
    world = World()
    world.sim.npus[0].lost = True
    world.send(world.a, udp(world.a, world.b))
    world.send(world.a, udp(world.a, world.b), after=10)
    world.sim.run()
    assert world.reasons() == [Drop.NPU_LOST] * 2
    removed = [m.direction for _, m in world.sim.carried if isinstance(m, RemoveWing)]
    assert removed == [Direction.FORWARD, Direction.REVERSE]
    world.assert_empty()


def test_cleared_while_it_is_being_installed() -> None:
    world = World()
    world.send(world.a, udp(world.a, world.b))
    while not world.sim.spus[1].sessions():
        world.sim.run(100)
    (session,) = world.sim.spus[1].sessions()
    assert session.state is SessionState.INSTALLING
    world.sim.clear(session.id)
    world.sim.run()
    assert len(world.b.received) == 1
    assert [closed.reason for closed in world.sim.closed] == [Close.CLEARED]
    world.assert_empty()


@pytest.mark.parametrize(("delay", "waits_for"), [(2000, "next hops"), (2600, "NAT allocation")])
def test_set_up_that_takes_too_long_is_given_up_everywhere(delay: int, waits_for: str) -> None:
    world = World(with_nat(), delay=(delay * MILLISECOND, delay * MILLISECOND))
    for n in range(3):
        world.send(world.a, udp(world.a, world.b, n=n))
    world.sim.run(60 * SECOND)
    assert world.reasons() == [Drop.PENDING_TIMEOUT] * 3
    assert waits_for in world.sim.dropped[0].detail
    assert world.b.received == []
    world.assert_empty()


def test_install_that_comes_too_late_is_refused_and_gives_its_port_back() -> None:
    delay = 800 * MILLISECOND
    world = World(with_nat(), delay=(delay, delay))
    world.send(world.a, udp(world.a, world.b))
    world.sim.run(60 * SECOND)
    assert Step.INSTALL in world.steps()
    assert world.reasons() == [Drop.PENDING_TIMEOUT]
    world.assert_empty()


def test_install_that_comes_too_late_serves_no_packet_that_came_meanwhile() -> None:
    """The flow is pending again, and the port of before may be another's by now."""
    delay = 800 * MILLISECOND
    world = World(with_nat(), delay=(delay, delay))
    for n in range(2):
        world.send(world.a, udp(world.a, world.b, n=n), after=n * (PENDING_TIMEOUT + delay // 2))
    world.sim.run(20 * SECOND)
    assert world.steps().count(Step.INSTALL) == 2
    assert world.reasons() == [Drop.PENDING_TIMEOUT]
    assert [number(packet) for packet in world.b.received] == [1]
    world.sim.run(200 * SECOND)
    world.assert_empty()


# -- both ends speak first ----------------------------------------------------------------------


@pytest.mark.parametrize("spus", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_both_ends_speak_first_and_share_one_session(seed: int, spus: int) -> None:
    both = (policy("out", 1, "trust", "untrust"), policy("in", 2, "untrust", "trust"))
    world = World(
        configuration(policies=both),
        chassis(spus=spus),
        seed=seed,
        delay=(1_000, 400_000),
    )
    world.send(world.a, udp(world.a, world.b, sport=7, dport=8, n=1))
    world.send(world.b, udp(world.b, world.a, sport=8, dport=7, n=2), after=seed * 20_000)
    world.sim.run()
    assert [number(packet) for packet in world.b.received] == [1]
    assert [number(packet) for packet in world.a.received] == [2]
    assert sum(len(spu.sessions()) for spu in world.sim.spus.values()) == 1
    assert world.reasons() == []
    world.sim.run(200 * SECOND)
    world.assert_empty()


# -- IPv6, ICMP, Express Path -------------------------------------------------------------------


def test_ipv6() -> None:
    world = World()
    syn = IPv6(src=world.a.ip6, dst=world.b.ip6) / TCP(sport=1, dport=80, flags="S")
    got = world.pass_(world.a, syn, world.b)
    assert (got[IPv6].src, got[IPv6].hlim) == (world.a.ip6, 63)
    world.pass_(world.b, answer(got), world.a)


def test_ipv6_translated_goes_through_the_spu() -> None:
    world = World(with_nat())
    packet = IPv6(src=world.c.ip6, dst=world.b.ip6) / UDP(sport=1025, dport=9) / b"data"
    got = world.pass_(world.c, packet, world.b)
    assert got[IPv6].src == "2001:db8:2::1"
    (session,) = world.sim.spus[1].sessions()
    assert session.not_express is NotExpress.IPV6_NAT
    back = world.pass_(world.b, answer(got), world.c)
    assert (back[IPv6].dst, back[UDP].dport) == (world.c.ip6, 1025)


def test_ping_with_nat_gets_an_identifier_of_its_own() -> None:
    world = World(with_nat(), nat_ports=range(2000, 3000))
    got = world.pass_(world.a, ping(world.a, world.b, identifier=5), world.b)
    assert (got[IP].src, got[ICMP].id) == ("10.0.2.1", 2000)
    back = world.pass_(world.b, answer(got), world.a)
    assert (back[IP].dst, back[ICMP].type, back[ICMP].id) == (world.a.ip, 0, 5)


def test_ping_ipv6() -> None:
    world = World()
    ask = IPv6(src=world.a.ip6, dst=world.b.ip6) / ICMPv6EchoRequest(id=9, seq=1, data=b"x")
    got = world.pass_(world.a, ask, world.b)
    back = world.pass_(world.b, answer(got), world.a)
    assert back[ICMPv6EchoReply].id == 9


def test_express_path_by_policy() -> None:
    world = World(with_nat())
    syn = world.pass_(world.c, tcp(world.c, world.b, "S"), world.b)
    back = world.pass_(world.b, answer(syn), world.c)
    assert back.vlan == 30
    before = len(world.sim.carried)
    world.pass_(world.c, tcp(world.c, world.b, "A"), world.b)
    world.pass_(world.b, answer(world.b.received[-1]), world.c)
    assert len(world.sim.carried) == before, "data of an Express Path session met the control plane"
    (session,) = world.sim.spus[1].sessions()
    assert (session.path, session.not_express) == (Path.EXPRESS, None)


def test_reason_for_not_being_on_express_path_stays_with_the_session() -> None:
    world = World()
    world.pass_(world.a, udp(world.a, world.b), world.b)
    assert world.sim.spus[1].sessions()[0].not_express is NotExpress.POLICY


def test_without_trace_no_steps_are_reported() -> None:
    world = World(trace=False)
    world.pass_(world.a, udp(world.a, world.b), world.b)
    world.send(world.b, tcp(world.b, world.a, "S"))
    world.sim.run()
    assert world.steps() == []
    assert world.reasons() == [Drop.POLICY_DENY]


def test_session_ids_name_their_spu() -> None:
    world = World(site=chassis(spus=2))
    for sport in (1, 2):
        world.pass_(world.a, udp(world.a, world.b, sport=sport), world.b)
    ids = [s.id for spu in world.sim.spus.values() for s in spu.sessions()]
    assert ids == [10_000_001, 20_000_001]
