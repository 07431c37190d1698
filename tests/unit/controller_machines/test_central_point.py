"""The central point alone: its table, its timers, what it grants, and whom it picks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.central_point import CentralPoint
from controller.central_point.balance import Balance
from controller.central_point.nat_arbiter import NatArbiter
from controller.config.cards import PENDING_TIMEOUT, SpuSite
from controller.flow import Direction, FlowKey, WingState
from controller.messages import (
    AbandonSession,
    Actor,
    AllocateNat,
    CreateSession,
    Deliver,
    Grant,
    InstallAck,
    InstallRefused,
    InstallSession,
    Message,
    NatGranted,
    NatRefused,
    PacketDropped,
    PacketIn,
    PendingExpired,
    Redirect,
    ReleaseNat,
    RemoveSession,
    Role,
)
from controller.reasons import Drop, Punt

from .world import World, chassis, configuration, tcp, udp

WORLD = World()
NAT = b"\1\2\3\4"
FLOW = FlowKey(NAT, NAT, 1, 2, 17, 1)


class Cp:
    """A central point and the packets of host a."""

    def __init__(self, spus: int = 2, max_sessions: int = 3, **options: object) -> None:
        site = chassis(spus, max_sessions)
        self.machine = CentralPoint(configuration(), site, trace=False, **options)  # type: ignore[arg-type]
        self.now = 0
        self.attempts: dict[FlowKey, int] = {}
        """The last of each flow."""

    def take(self, message: Message) -> list[tuple[Actor, Message]]:
        return [(to, m) for to, m in self.machine.handle(message, self.now)]

    def packet(self, sport: int = 1) -> PacketIn:
        frame = WORLD.a.frame(udp(WORLD.a, WORLD.b, sport=sport, dport=2))
        return PacketIn(WORLD.a.interface.port, Punt.MISS, 1, 0, Direction.FORWARD, 0, frame, 0)

    def create(self, sport: int = 1) -> tuple[int, FlowKey]:
        """A first packet; the SPU that gets it."""
        ((to, message),) = self.take(self.packet(sport))
        assert isinstance(message, CreateSession)
        self.attempts[message.flow] = message.attempt
        return to.number, message.flow

    def install(
        self, spu: int, flow: FlowKey, session: int = 1, token: int = 3, attempt: int = 0
    ) -> Message:
        reverse = FlowKey(*flow.tuple5.reversed(), token)
        asked = InstallSession(session, spu, attempt or self.attempts[flow], flow, reverse)
        ((to, answer),) = self.take(asked)
        assert to == Actor(Role.SPU, spu)
        return answer


def test_pending_then_active_then_gone() -> None:
    cp = Cp()
    spu, flow = cp.create()
    assert [(w.state, w.key) for w in cp.machine.wings()] == [(WingState.PENDING, flow)]
    assert cp.install(spu, flow) == InstallAck(1, flow)
    assert [(w.direction, w.state, w.session_id) for w in cp.machine.wings()] == [
        (Direction.FORWARD, WingState.ACTIVE, 1),
        (Direction.REVERSE, WingState.ACTIVE, 1),
    ]
    assert cp.machine.counts().active == 1
    assert cp.machine.counts().pending == 0
    cp.take(RemoveSession(1, spu, flow, FlowKey(*flow.tuple5.reversed(), 3)))
    assert cp.machine.audit() == []


def test_further_packets_go_to_the_same_spu_pending_or_active() -> None:
    cp = Cp()
    spu, flow = cp.create()
    assert cp.take(cp.packet()) == [(Actor(Role.SPU, spu), Deliver(flow, cp.packet(), 0))]
    cp.install(spu, flow, 1)
    assert cp.take(cp.packet()) == [(Actor(Role.SPU, spu), Deliver(flow, cp.packet(), 1))]


def test_pending_wing_is_reclaimed() -> None:
    cp = Cp()
    spu, flow = cp.create()
    assert cp.machine.deadline() == PENDING_TIMEOUT
    assert list(cp.machine.tick(PENDING_TIMEOUT)) == [(Actor(Role.SPU, spu), PendingExpired(flow))]
    assert cp.machine.audit() == []
    assert cp.install(spu, flow) == InstallRefused(1, flow, Drop.PENDING_TIMEOUT)


def test_what_was_reclaimed_is_not_installed_as_what_is_pending_again() -> None:
    """Its port, for one, was freed with it, and may be somebody else's."""
    cp = Cp(spus=1)
    spu, flow = cp.create()
    before = cp.attempts[flow]
    cp.machine.tick(PENDING_TIMEOUT)
    assert cp.create() == (spu, flow)
    late = cp.install(spu, flow, attempt=before)
    assert late == InstallRefused(1, flow, Drop.PENDING_TIMEOUT)
    assert cp.install(spu, flow, 2) == InstallAck(2, flow)


def test_spu_that_no_longer_owns_the_flow_cannot_install_or_abandon_it() -> None:
    cp = Cp()
    spu, flow = cp.create()
    cp.machine.tick(PENDING_TIMEOUT)
    blocker, _ = cp.create(9)
    assert blocker == spu
    other, _ = cp.create()
    assert other != spu
    assert cp.install(spu, flow) == InstallRefused(1, flow, Drop.PENDING_TIMEOUT)
    cp.take(AbandonSession(flow, spu, Drop.NO_NEIGHBOR))
    assert cp.install(other, flow, 2) == InstallAck(2, flow)


def test_reverse_wing_of_another_session_is_a_clash() -> None:
    cp = Cp()
    spu, flow = cp.create(1)
    cp.install(spu, flow, 1)
    spu2, flow2 = cp.create(7)
    reverse = FlowKey(*flow.tuple5.reversed(), 3)
    ((_, answer),) = cp.take(InstallSession(2, spu2, cp.attempts[flow2], flow2, reverse))
    assert answer == InstallRefused(2, flow2, Drop.WING_CLASH)
    assert cp.machine.counts().active == 1
    assert cp.machine.counts().pending == 0
    cp.take(RemoveSession(1, spu, flow, reverse))
    assert cp.machine.audit() == []


def test_session_that_would_be_its_own_answer_is_a_clash() -> None:
    cp = Cp()
    spu, flow = cp.create()
    ((_, answer),) = cp.take(InstallSession(1, spu, cp.attempts[flow], flow, flow))
    assert answer == InstallRefused(1, flow, Drop.WING_CLASH)
    assert cp.machine.audit() == []


def test_flow_that_became_the_answer_of_another_is_told_so() -> None:
    cp = Cp()
    spu, flow = cp.create()
    answer = WORLD.b.frame(udp(WORLD.b, WORLD.a, sport=2, dport=1))
    packet = PacketIn(WORLD.b.interface.port, Punt.MISS, 3, 0, Direction.FORWARD, 0, answer, 0)
    ((to, created),) = cp.take(packet)
    assert isinstance(created, CreateSession)
    cp.attempts[created.flow] = created.attempt
    assert cp.install(spu, flow) == InstallAck(1, flow)
    refused = cp.install(to.number, created.flow, 2, token=1)
    assert refused == InstallRefused(2, created.flow, Drop.NONE)
    redirected = cp.take(Redirect(created.flow, to.number, packet))
    assert redirected == [(Actor(Role.SPU, spu), Deliver(created.flow, packet, 1))]
    assert cp.machine.counts().by_spu == {spu: 1, 3 - spu: 0}


def test_packet_that_comes_back_from_its_session_s_spu_ends_the_entry() -> None:
    cp = Cp()
    spu, flow = cp.create()
    cp.install(spu, flow, 1)
    ((_, deliver),) = cp.take(Redirect(flow, spu, cp.packet()))
    assert deliver == Deliver(flow, cp.packet(), 1), "no sign yet that the SPU knew better"
    ((_, dropped),) = cp.take(Redirect(flow, spu, cp.packet(), 1))
    assert isinstance(dropped, PacketDropped)
    assert dropped.reason is Drop.STALE_SESSION
    assert cp.machine.audit() == []


def test_late_messages_about_what_is_gone_do_nothing() -> None:
    cp = Cp()
    spu, flow = cp.create()
    reverse = FlowKey(*flow.tuple5.reversed(), 3)
    cp.install(spu, flow)
    for late in (
        AbandonSession(flow, spu, Drop.NONE),
        RemoveSession(99, spu, flow, reverse),
        ReleaseNat(b"\1\2\3\4", 17, 5000),
    ):
        assert cp.take(late) == []
    assert cp.machine.counts().active == 1


def test_table_full() -> None:
    cp = Cp(spus=2, max_sessions=1)
    assert {cp.create(1)[0], cp.create(2)[0]} == {1, 2}
    ((_, dropped),) = cp.take(cp.packet(3))
    assert isinstance(dropped, PacketDropped)
    assert dropped.reason is Drop.SESSION_TABLE_FULL


@pytest.mark.parametrize(
    ("frame", "punt", "reason"),
    [
        (b"\0" * 60, Punt.MISS, Drop.ETHERTYPE),
        (b"", Punt.MISS, Drop.TRUNCATED),
        (b"", Punt.FRAGMENT, Drop.TRUNCATED),
    ],
)
def test_what_cannot_be_a_first_packet(frame: bytes, punt: Punt, reason: Drop) -> None:
    cp = Cp()
    ((_, dropped),) = cp.take(replace(cp.packet(), frame=frame, reason=punt))
    assert isinstance(dropped, PacketDropped)
    assert dropped.reason is reason
    assert cp.machine.audit() == []


def test_nat_answers() -> None:
    cp = Cp(nat_ports=range(2000, 2001))
    asks = [AllocateNat(flow, spu, NAT, 17, 5000) for spu, flow in (cp.create(1), cp.create(2))]
    (granted,) = cp.take(asks[0])
    assert granted == (Actor(Role.SPU, asks[0].spu), NatGranted(asks[0].flow, Grant(NAT, 17, 2000)))
    (refused,) = cp.take(asks[1])
    assert refused[1] == NatRefused(asks[1].flow, Drop.NAT_EXHAUSTED)
    cp.take(ReleaseNat(NAT, 17, 2000, asks[0].flow, asks[0].spu))
    assert isinstance(cp.take(asks[1])[0][1], NatGranted)


def test_a_binding_goes_with_its_flow_at_the_latest() -> None:
    cp = Cp(nat_ports=range(2000, 2001))
    spu, flow = cp.create(1)
    cp.take(AllocateNat(flow, spu, NAT, 17, 5000))
    cp.take(AbandonSession(flow, spu, Drop.NO_NEIGHBOR))
    assert cp.machine.nat.in_use() == {}
    other, second = cp.create(2)
    assert isinstance(cp.take(AllocateNat(second, other, NAT, 17, 1))[0][1], NatGranted)
    cp.take(ReleaseNat(NAT, 17, 2000, flow, spu))
    assert cp.machine.nat.in_use(), "what one flow had is another's now, and stays"


def test_a_flow_that_is_gone_gets_no_port() -> None:
    cp = Cp()
    spu, flow = cp.create(1)
    cp.machine.tick(PENDING_TIMEOUT)
    ((_, answer),) = cp.take(AllocateNat(flow, spu, NAT, 17, 5000))
    assert answer == NatRefused(flow, Drop.PENDING_TIMEOUT)
    assert cp.machine.nat.in_use() == {}


# -- balance ------------------------------------------------------------------------------------


def test_only_the_spu_that_has_a_port_gives_it_back() -> None:
    """An SPU gave a flow up before its answer came, and another one has the flow now, and the same
    port: what the first one says of it when its answer comes at last is of the past."""
    cp = Cp()
    first, flow = cp.create()
    assert cp.take(AllocateNat(flow, first, NAT, 17, 2000))
    cp.take(AbandonSession(flow, first, Drop.NONE))
    cp.create(sport=7)  # the first SPU has something to do
    ((to, _),) = cp.take(Redirect(flow, first, cp.packet()))
    assert to.number != first
    ((_, granted),) = cp.take(AllocateNat(flow, to.number, NAT, 17, 2000))
    assert granted == NatGranted(flow, Grant(NAT, 17, 2000))

    cp.take(ReleaseNat(NAT, 17, 2000, flow, first))
    other, another = cp.create(sport=8)
    ((_, granted),) = cp.take(AllocateNat(another, other, NAT, 17, 2000))
    assert isinstance(granted, NatGranted)
    assert granted.grant.port != 2000
    cp.take(ReleaseNat(NAT, 17, 2000, flow, to.number))
    assert len(cp.machine.nat.in_use()) == 1


def test_load_follows_capacity() -> None:
    balance = Balance({1: SpuSite(1, 100), 2: SpuSite(2, 300), 3: SpuSite(3, 0)})
    for _ in range(200):
        balance.pick(FLOW)
    assert balance.load == {1: 50, 2: 150, 3: 0}
    for _ in range(200):
        assert balance.pick(FLOW) is not None
    assert balance.pick(FLOW) is None
    balance.give_back(1, FLOW)
    assert balance.pick(FLOW) == 1
    assert not balance.take(2, FLOW)
    assert not balance.take(9, FLOW)


# -- NAT arbiter against a model ----------------------------------------------------------------

ADDRESSES = st.sampled_from([b"\1\1\1\1", b"\2\2\2\2"])
PROTOCOLS = st.sampled_from([6, 17, 1, 47])


class NatModel(RuleBasedStateMachine):
    """What is granted is a set; a grant is a free port, the wanted one if it can be."""

    def __init__(self) -> None:
        super().__init__()
        self.ports = range(2000, 2006)
        self.arbiter = NatArbiter(self.ports)
        self.granted: dict[tuple[bytes, int], set[int]] = {}

    @rule(address=ADDRESSES, protocol=PROTOCOLS, wanted=st.integers(1998, 2008))
    def allocate(self, address: bytes, protocol: int, wanted: int) -> None:
        held = self.granted.setdefault((address, protocol), set())
        ports = range(1) if protocol == 47 else self.ports
        got = self.arbiter.allocate(address, protocol, wanted)
        if len(held) == len(ports):
            assert got is None
            return
        assert got is not None
        assert got in ports
        assert got not in held
        if wanted in ports and wanted not in held:
            assert got == wanted
        held.add(got)

    @precondition(lambda self: any(self.granted.values()))
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        every = [(key, port) for key, held in self.granted.items() for port in sorted(held)]
        (address, protocol), port = data.draw(st.sampled_from(every))
        assert self.arbiter.release(address, protocol, port)
        assert not self.arbiter.release(address, protocol, port)
        self.granted[address, protocol].remove(port)

    @invariant()
    def counts_agree(self) -> None:
        expected = {key: len(held) for key, held in self.granted.items() if held}
        assert self.arbiter.in_use() == expected


NatModel.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestNatArbiter = NatModel.TestCase


def test_released_port_rests_before_it_is_granted_again() -> None:
    arbiter = NatArbiter(range(2000, 2004))
    first = arbiter.allocate(b"\1\1\1\1", 17, 0)
    assert first is not None
    arbiter.release(b"\1\1\1\1", 17, first)
    others = [arbiter.allocate(b"\1\1\1\1", 17, 0) for _ in range(3)]
    assert first not in others
    assert arbiter.allocate(b"\1\1\1\1", 17, 0) == first


def test_denied_flow_leaves_the_table_at_once() -> None:
    world = World()
    world.send(world.b, tcp(world.b, world.a, "S"))
    world.sim.run()
    assert world.sim.cp.audit() == []
