"""SYNs above the attack threshold: answered, proved, and joined with a server that counts its own
way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from controller.config.schema import SECOND, SynFloodMode
from controller.flow import FlowKey, Path
from controller.messages import (
    AnswerSyn,
    CreateRequest,
    CreateSession,
    Message,
    PacketIn,
    Step,
    Transmit,
)
from controller.packet import parse
from controller.reasons import Close, Drop
from controller.spu.express import NotExpress
from controller.spu.syn_guard import HALF_OPEN_LIMIT

from .guarded import CLIENT_ISN, MOD, OPTIONS, SERVER_ISN, Talk, attack, protected
from .world import MILLISECOND, World, chassis, configuration, udp, with_nat


@pytest.fixture(params=list(SynFloodMode), ids=lambda mode: mode.value)
def mode(request: pytest.FixtureRequest) -> SynFloodMode:
    assert isinstance(request.param, SynFloodMode)
    return request.param


# -- the walk -----------------------------------------------------------------------------------


def test_the_walk_of_a_client_through_the_flood(mode: SynFloodMode) -> None:
    world = World(protected(mode=mode))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    answer = talk.syn()
    assert answer[TCP].flags == "SA"
    assert answer[TCP].ack == (CLIENT_ISN + 1) % MOD
    assert answer[TCP].window == 0
    assert dict(answer[TCP].options)["MSS"] == 1460
    assert dict(answer[TCP].options)["WScale"] == 7
    assert "SAckOK" in dict(answer[TCP].options)
    # Nothing is known of it: no wing, no flow, no step.
    assert list(world.sim.cp.wings()) == []
    assert world.steps() == []

    syn = talk.prove()
    assert syn[TCP].flags == "S"
    assert (syn[TCP].seq, syn[TCP].ack) == (CLIENT_ISN, 0)
    assert dict(syn[TCP].options)["MSS"] == 1460
    assert dict(syn[TCP].options)["WScale"] == 9
    assert syn[TCP].window == 65535  # 502 << 9, and no window of a SYN is scaled
    assert world.steps()[2:5] == [Step.CREATE, Step.ROUTE, Step.PROVED]
    assert world.steps()[-3:] == [Step.WING_REVERSE, Step.WING_FORWARD, Step.SERVER_SYN]

    talk.answer()
    third = talk.at_server()[TCP]
    assert (third.flags, third.seq, third.ack) == ("A", (CLIENT_ISN + 1) % MOD, SERVER_ISN + 1)
    opened = talk.at_client()[TCP]
    assert (opened.flags, opened.seq) == ("A", (talk.cookie + 1) % MOD)
    assert opened.ack == (CLIENT_ISN + 1) % MOD
    assert opened.window == 65160 >> 7
    assert world.steps()[-1] == Step.JOINED
    (session,) = world.sim.spus[1].sessions()
    assert (session.tcp, session.not_express) == ("established", NotExpress.POLICY)
    counts = world.sim.spus[1].guard_counts()
    assert (counts.proved, counts.joined, counts.half_open) == (1, 1, 0)
    assert world.reasons() == []


def test_numbers_windows_and_sack_blocks_are_translated_for_life(mode: SynFloodMode) -> None:
    world = World(protected(mode=mode))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.connect()
    client, server, ours = CLIENT_ISN + 1, SERVER_ISN + 1, talk.cookie + 1

    talk.up("PA", client, ours, b"question", window=300)
    seen = talk.at_server()[TCP]
    assert (seen.seq, seen.ack, seen.window) == (client % MOD, server, 300)
    assert bytes(seen.payload) == b"question"
    talk.down("PA", server, client + 8, b"answer", window=1000)
    seen = talk.at_client()[TCP]
    assert (seen.seq, seen.ack) == (ours % MOD, (client + 8) % MOD)
    assert seen.window == 1000 >> 2  # of 32 bytes each, in 128 bytes each
    # A client that lost the first part acknowledges the second one alone.
    blocks = ((ours + 6) % MOD, (ours + 9) % MOD)
    talk.up("A", client + 8, ours, options=[("NOP", None), ("NOP", None), ("SAck", blocks)])
    seen = talk.at_server()[TCP]
    assert seen.ack == server
    assert dict(seen.options)["SAck"] == (server + 6, server + 9)
    # And at an odd offset, where checksums are easily wrong.
    talk.up("A", client + 8, ours, options=[("NOP", None), ("SAck", blocks)])
    assert dict(talk.at_server()[TCP].options)["SAck"] == (server + 6, server + 9)
    # The server's blocks are about the client's own numbers.
    own = ((client + 20) % MOD, (client + 30) % MOD)
    talk.down("A", server + 6, client + 8, options=[("NOP", None), ("NOP", None), ("SAck", own)])
    assert dict(talk.at_client()[TCP].options)["SAck"] == own

    talk.up("FA", client + 8, ours + 6)
    talk.down("FA", server + 6, client + 9)
    assert talk.at_client()[TCP].seq == (ours + 6) % MOD
    talk.up("A", client + 9, ours + 7)
    assert talk.at_server()[TCP].ack == server + 7
    world.sim.run(10 * SECOND)
    (closed,) = world.sim.closed
    assert closed.reason is Close.TCP_FIN
    world.assert_empty()


@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
def test_through_source_nat_and_ipv6(mode: SynFloodMode, v6: bool) -> None:
    world = World(protected(with_nat(), mode))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b, v6=v6)
    talk.connect()
    seen = talk.at_server()
    assert (seen[IPv6].src if v6 else seen[IP].src) == ("2001:db8:2::1" if v6 else "10.0.2.1")
    talk.up("PA", CLIENT_ISN + 1, talk.cookie + 1, b"hello")
    assert bytes(talk.at_server()[TCP].payload) == b"hello"
    talk.down("PA", SERVER_ISN + 1, CLIENT_ISN + 6, b"world")
    back = talk.at_client()
    assert (back[TCP].seq, bytes(back[TCP].payload)) == ((talk.cookie + 1) % MOD, b"world")
    talk.down("RA", SERVER_ISN + 6, CLIENT_ISN + 6)
    assert talk.at_client()[TCP].seq == (talk.cookie + 6) % MOD
    world.sim.run(10 * SECOND)
    world.assert_empty()


def test_such_a_session_never_rides_express_path() -> None:
    world = World(protected())
    attack(world, world.b)
    Talk(world, world.c, world.b).connect()
    (session,) = world.sim.spus[1].sessions()
    assert session.policy == "dmz-express"
    assert (session.path, session.not_express) == (Path.SPU, NotExpress.SYN_PROXY)


# -- floods -------------------------------------------------------------------------------------


def test_a_flood_of_syns_leaves_nothing_behind() -> None:
    world = World(protected())
    attack(world, world.b)
    for n in range(200):
        source = f"10.0.1.{100 + n % 50}"
        syn = IP(src=source, dst=world.b.ip) / TCP(sport=2000 + n, dport=80, flags="S", seq=n)
        world.send(world.a, syn, after=n * 1000)
    world.sim.run()
    answers = [packet for packet in world.a.received if packet[TCP].flags == "SA"]
    assert len(answers) == 200
    assert len({packet[TCP].seq for packet in answers}) > 195
    assert sum(isinstance(m, AnswerSyn) for _, m in world.sim.carried) == 200
    assert not any(isinstance(m, CreateSession) for _, m in world.sim.carried)
    assert world.sim.spus[1].guard_counts().cookies == 200
    world.assert_empty()


def test_the_proxys_table_is_bounded_and_the_oldest_goes() -> None:
    world = World(protected(mode=SynFloodMode.PROXY))
    attack(world, world.b)
    syn = TCP(sport=1, dport=80, flags="S", seq=1)
    frame = world.a.frame(IP(src=world.a.ip, dst=world.b.ip) / syn)
    first = parse(frame)
    assert not isinstance(first, Drop)
    spu = world.sim.spus[1]
    packet = world.sim.npus[0].arrive(world.a.interface.port.port, frame, 0)
    for n in range(HALF_OPEN_LIMIT + 3):
        flow = FlowKey(first.src, first.dst, n % 65536, 80, 6, 1)
        spu.handle(AnswerSyn(flow, packet), 0)  # type: ignore[arg-type]
    counts = spu.guard_counts()
    assert (counts.half_open, counts.evicted) == (HALF_OPEN_LIMIT, 3)
    spu.tick(20 * SECOND)
    counts = spu.guard_counts()
    assert (counts.half_open, counts.expired) == (0, HALF_OPEN_LIMIT)
    world.assert_empty()


def test_the_proxy_repeats_its_answer_and_a_cookie_is_not_repeated(mode: SynFloodMode) -> None:
    world = World(protected(mode=mode))
    attack(world, world.b)
    Talk(world, world.a, world.b).syn()
    world.sim.run(30 * SECOND)
    answers = [packet for packet in world.a.received if TCP in packet]
    assert len({bytes(answer) for answer in answers}) == 1
    assert len(answers) == (1 if mode is SynFloodMode.COOKIE else 5)  # after 1, 3, 7 and 15 s
    world.assert_empty()


def test_below_the_threshold_all_is_as_ever() -> None:
    world = World(protected())
    talk = Talk(world, world.a, world.b)
    talk.up("S", CLIENT_ISN, options=OPTIONS)
    assert talk.at_server()[TCP].seq == CLIENT_ISN
    talk.answer()
    assert talk.at_client()[TCP].seq == SERVER_ISN


def test_a_syn_of_a_zone_that_is_not_protected_any_more_begins_a_session() -> None:
    world = World(protected())
    attack(world, world.b)
    frame = world.a.frame(IP(src=world.a.ip, dst=world.b.ip) / TCP(flags="S", seq=9))
    packet = world.sim.npus[0].arrive(world.a.interface.port.port, frame, 0)
    flow = FlowKey(*parse(frame).key(1))  # type: ignore[union-attr]
    world.sim.reconfigure(configuration())
    for to, message in world.sim.spus[1].handle(AnswerSyn(flow, packet), 0):  # type: ignore[arg-type]
        world.sim._deliver(to, [(to, message)])  # type: ignore[list-item]
    world.sim.run()
    assert world.b.received[-1][TCP].seq == 9


def test_hash_based_distribution_has_the_spu_answer_at_once(mode: SynFloodMode) -> None:
    """An NPU's hash table sends SYN and acknowledgement to the same SPU."""
    world = World(protected(mode=mode), chassis(spus=2))
    spu = world.sim.spus[2]

    def hand(flags: str, seq: int, ack: int) -> list[Message]:
        tcp = TCP(sport=1025, dport=80, flags=flags, seq=seq % MOD, ack=ack % MOD, options=OPTIONS)
        frame = world.a.frame(IP(src=world.a.ip, dst=world.b.ip) / tcp)
        packet = world.sim.npus[0].arrive(world.a.interface.port.port, frame, 0)
        assert isinstance(packet, PacketIn)
        return [message for _, message in spu.handle(replace(packet, spu=2), 0)]

    world.sim.npus[0].attacked.add((bytes((10, 0, 2, 2)), 80))
    (answer,) = hand("S", CLIENT_ISN, 0)
    assert isinstance(answer, Transmit)
    cookie = Ether(answer.frame)[TCP].seq
    (request,) = hand("A", CLIENT_ISN + 1, cookie + 1)
    assert isinstance(request, CreateRequest)
    ((_, create),) = world.sim.cp.handle(request, 0)[-1:]
    assert isinstance(create, CreateSession)
    spu.handle(create, 0)
    assert spu.guard_counts().proved == 1


# -- proofs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seq", "ack", "flags"),
    [(1, 2, "A"), (2, 1, "A"), (1, 1, "SA"), (1, 1, "RA"), (1, 1, "R")],
)
def test_who_did_not_have_our_answer_proves_nothing(
    mode: SynFloodMode, seq: int, ack: int, flags: str
) -> None:
    world = World(protected(mode=mode))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    talk.up(flags, CLIENT_ISN + seq, talk.cookie + ack)
    assert world.b.received == []
    assert world.reasons() == [Drop.TCP_NOT_SYN]
    world.sim.run(60 * SECOND)
    world.assert_empty()


def test_a_proof_is_good_on_every_spu_and_for_its_own_flow_only() -> None:
    world = World(protected(), chassis(spus=4))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    other = Talk(world, world.a, world.b, sport=1026)
    other.cookie = talk.cookie
    other.up("A", CLIENT_ISN + 1, talk.cookie + 1)
    assert world.reasons() == [Drop.TCP_NOT_SYN]
    for number, spu in world.sim.spus.items():
        assert (spu.guard_counts().cookies == 0) or number in world.sim.spus
    assert talk.prove()[TCP].flags == "S"


def test_a_client_that_is_refused_after_its_proof_is_told() -> None:
    """It thinks it is connected, so it hears of it even where a policy denies in silence."""
    world = World(protected())
    attack(world, world.c)
    zones = replace(world.sim.cp.config.zones["untrust"], screen="flood")
    config = world.sim.cp.config
    world.sim.reconfigure(replace(config, zones={**config.zones, "untrust": zones}))
    attack(world, world.a)
    talk = Talk(world, world.b, world.a)
    talk.syn()
    talk.up("A", CLIENT_ISN + 1, talk.cookie + 1)
    reset = talk.at_client()[TCP]
    assert (reset.flags, reset.seq) == ("R", (talk.cookie + 1) % MOD)
    assert world.reasons() == [Drop.POLICY_DENY]
    world.assert_empty()


def test_clients_that_connect_and_say_nothing_are_limited() -> None:
    world = World(protected(silent=2))
    attack(world, world.b)
    talks = [Talk(world, world.a, world.b, sport=1025 + n) for n in range(4)]
    for talk in talks[:2]:
        talk.connect()
    talks[2].syn()
    talks[2].up("A", CLIENT_ISN + 1, talks[2].cookie + 1)
    assert world.reasons() == [Drop.SYN_ACK_ACK_PROXY]
    assert world.sim.spus[1].guard_counts().screen_hits == {(1, Drop.SYN_ACK_ACK_PROXY): 1}
    # One says something, and another may come.
    talks[0].up("PA", CLIENT_ISN + 1, talks[0].cookie + 1, b"hello")
    talks[2].prove()
    talks[2].answer()
    world.sim.run(3600 * SECOND)
    world.assert_empty()


def test_udp_and_what_is_no_first_segment_are_not_concerned() -> None:
    world = World(protected())
    attack(world, world.b)
    world.pass_(world.a, udp(world.a, world.b), world.b)
    world.sim.run(MILLISECOND)
    world.sim.run(3600 * SECOND)
    world.assert_empty()
