"""The walk of a first packet, from arrival to release, and every way it can end early."""

from scapy.layers.inet import IP, TCP, UDP

from controller.config.schema import SECOND
from controller.flow import Direction, WingState
from controller.messages import (
    CP,
    Actor,
    CreateSession,
    InstallSession,
    InstallWing,
    Role,
    Step,
    Transmit,
)

from .world import World, answer, number, tcp, udp, with_nat


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
        Step.WING_REVERSE,
        Step.WING_FORWARD,
        Step.RELEASE,
    ]
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
