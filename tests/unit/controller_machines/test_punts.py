"""What the complete data plane punts beyond misses and packets of sessions."""

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    fragment6,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from controller.flow import Direction, Path, Port
from controller.messages import (
    CP,
    OBSERVER,
    UNMARKED,
    Actor,
    CreateRequest,
    CreateSession,
    InstallWing,
    Mark,
    Message,
    PacketDropped,
    PacketIn,
    Redirect,
    Role,
    Transmit,
)
from controller.packet import parse
from controller.reasons import Drop, Punt, Send
from controller.rejects import Rejects
from controller_machines.world import World, chassis, configuration, number, udp, with_nat

SPU = Actor(Role.SPU, 1)


def punt(frame: bytes, reason: Punt, port: Port, token: int, **more: object) -> PacketIn:
    """A packet-in."""
    message = PacketIn(port, reason, token, 0, Direction.FORWARD, 0, frame, 0)
    return replace(message, **more)  # type: ignore[arg-type]


def with_session(world: World) -> int:
    """Have a UDP session from a to b; its id."""
    world.pass_(world.a, udp(world.a, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    return session.id


def hand(world: World, message: PacketIn) -> list[Message]:
    """What the SPU makes of a packet-in."""
    out = world.sim.spus[1].handle(message, world.sim.now)
    return [sent for to, sent in out if to.role in (Role.NPU, Role.CP)]


# -- fragments ------------------------------------------------------------------------------------


def test_a_datagram_in_fragments_crosses_with_its_source_translated() -> None:
    world = World(with_nat())
    body = bytes(range(250)) * 10
    whole = IP(src=world.a.ip, dst=world.b.ip, id=7) / UDP(sport=2000, dport=5000) / body
    for part in fragment(whole, 1000):
        world.send(world.a, part)
    world.sim.run()
    assert len(world.b.received) == 3
    parts = sorted((packet[IP] for packet in world.b.received), key=lambda ip: ip.frag)
    assert {ip.src for ip in parts} == {"10.0.2.1"}
    assert world.b.received[0][IP].frag == 0
    glued = b"".join(bytes(ip.payload) for ip in parts)
    expected = IP(src="10.0.2.1", dst=world.b.ip) / UDP(glued)
    checksum = expected[UDP].chksum
    del expected[UDP].chksum
    assert UDP(bytes(expected[UDP])).chksum == checksum
    assert glued[8:] == body
    for ip in parts:
        kept, rebuilt = ip.chksum, ip.copy()
        del rebuilt.chksum
        assert IP(bytes(rebuilt)).chksum == kept
    (session,) = world.sim.spus[1].sessions()
    assert session.packets[0] == 3


def test_ipv6_fragments_cross() -> None:
    world = World()
    whole = (
        IPv6(src=world.a.ip6, dst=world.b.ip6)
        / IPv6ExtHdrFragment(id=9)
        / UDP(sport=2000, dport=5000)
        / bytes(2000)
    )
    for part in fragment6(whole, 1280):
        world.send(world.a, part)
    world.sim.run()
    assert [p[IPv6ExtHdrFragment].offset > 0 for p in world.b.received] == [False, True]


def test_a_later_fragment_is_known_by_the_session_its_npu_names() -> None:
    world = World(with_nat())
    session = with_session(world)
    later = IP(src=world.a.ip, dst=world.b.ip, frag=100, proto=17) / b"the rest"
    message = punt(
        world.a.frame(later), Punt.FRAGMENT, Port(0, 0), 1, session_id=session, spu=1,
        mark=Mark(True, 5, 1),
    )  # fmt: skip
    (sent,) = hand(world, message)
    assert isinstance(sent, Transmit)
    assert sent.send is Send.EGRESS
    assert sent.mark == Mark(True, 5, 1)
    out = Ether(sent.frame)[IP]
    assert (out.src, out.frag, bytes(out.payload)) == ("10.0.2.1", 100, b"the rest")
    other = IP(src="10.0.1.3", dst=world.b.ip, frag=100, proto=17) / b"the rest"
    (back,) = hand(world, replace(message, frame=world.a.frame(other)))
    assert isinstance(back, Redirect)


# -- IPv6 extension headers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "chain",
    [
        IPv6ExtHdrHopByHop(),
        IPv6ExtHdrDestOpt(),
        IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / IPv6ExtHdrRouting(segleft=0),
        IPv6ExtHdrFragment(id=3),
    ],
    ids=["hop-by-hop", "destination", "three", "atomic fragment"],
)
def test_a_packet_with_extension_headers_belongs_to_the_session_of_its_ports(
    chain: Packet,
) -> None:
    world = World()
    packet = IPv6(src=world.a.ip6, dst=world.b.ip6) / chain / UDP(sport=5, dport=6) / b"abcd"
    got = world.pass_(world.a, packet, world.b)
    assert number(got) == int.from_bytes(b"abcd", "big")
    (session,) = world.sim.spus[1].sessions()
    assert (session.forward.key.sport, session.forward.key.dport) == (5, 6)


# -- sessions whose wing is stale, packets without a hop left -------------------------------------


def test_a_stale_wing_of_a_session_that_stands_is_written_again() -> None:
    world = World()
    session = with_session(world)
    frame = world.a.frame(udp(world.a, world.b, n=5))
    message = punt(frame, Punt.STALE, Port(0, 0), 1, session_id=session, spu=1)
    install, sent = hand(world, message)
    assert isinstance(install, InstallWing)
    assert (install.session_id, install.direction) == (session, Direction.FORWARD)
    assert install.path is Path.SPU
    assert install.record
    assert isinstance(sent, Transmit)


def test_a_stale_wing_of_no_session_makes_its_packet_a_first_one() -> None:
    world = World()
    frame = world.a.frame(udp(world.a, world.b))
    message = punt(frame, Punt.STALE, Port(0, 0), 1, session_id=10_000_099, spu=1)
    (back,) = hand(world, message)
    assert isinstance(back, Redirect)
    *_, (to, create) = world.sim.cp.handle(back, world.sim.now)
    assert to == SPU
    assert isinstance(create, CreateSession)


def test_the_owner_of_an_express_path_session_says_that_no_hop_is_left() -> None:
    world = World()
    session = with_session(world)
    dying = udp(world.a, world.b)
    dying.ttl = 1
    message = punt(world.a.frame(dying), Punt.TTL_EXPIRED, Port(0, 0), 1, session_id=session, spu=1)
    (sent,) = hand(world, message)
    assert isinstance(sent, Transmit)
    assert (sent.port, sent.send) == (Port(0, 0), Send.RAW)
    answer = Ether(sent.frame)
    assert (answer[ICMP].type, answer[ICMP].code, answer[IP].src) == (11, 0, "10.0.1.1")


def test_an_icmp_error_goes_with_the_wing_that_its_npu_names() -> None:
    world = World(with_nat())
    session = with_session(world)
    quoted = bytes(world.b.received[-1][IP])
    error = IP(src="10.0.2.9", dst="10.0.2.1") / ICMP(type=11, code=0) / quoted
    message = punt(
        world.b.frame(error), Punt.ICMP_ERROR, Port(1, 0), 3, session_id=session, spu=1,
        direction=Direction.REVERSE,
    )  # fmt: skip
    (sent,) = hand(world, message)
    assert isinstance(sent, Transmit)
    assert Ether(sent.frame)[IP].dst == world.a.ip
    (session_view,) = world.sim.spus[1].sessions()
    assert session_view.packets[1] == 0, "its NPU's entry counts it"
    strange = (
        IP(src="10.0.2.9", dst="10.0.2.1")
        / ICMP(type=11)
        / bytes(IP(src="10.0.2.1", dst="10.0.2.2") / UDP(sport=1, dport=2))
    )
    (back,) = hand(world, replace(message, frame=world.b.frame(strange)))
    assert isinstance(back, Redirect)
    out = world.sim.cp.handle(back, world.sim.now)
    assert [sent.reason for _, sent in out] == [Drop.ICMP_ERROR_UNMATCHED]  # type: ignore[union-attr]


# -- hash-based distribution ----------------------------------------------------------------------


def test_a_miss_at_the_spu_of_its_bucket_is_arbitrated_by_the_central_point() -> None:
    world = World(site=chassis(spus=3))
    frame = world.a.frame(udp(world.a, world.b))
    message = punt(frame, Punt.MISS, Port(0, 0), 1, spu=3)
    out = world.sim.spus[3].handle(message, 0)
    packet = parse(frame)
    assert not isinstance(packet, Drop)
    flow = packet.key(1)
    assert out == [(CP, CreateRequest(flow, 3, message))]
    *_, (to, create) = world.sim.cp.handle(out[0][1], 0)
    assert to == Actor(Role.SPU, 3)
    assert create == CreateSession(flow, message, attempt=1)
    # Another packet finds the flow pending, wherever it was sent; so does one at its SPU.
    world.sim.spus[3].handle(create, 0)
    assert world.sim.spus[3].handle(message, 0)[-1][0] == OBSERVER
    ((to, _),) = world.sim.cp.handle(CreateRequest(flow, 2, message), 0)
    assert to == Actor(Role.SPU, 3)


def test_a_full_spu_is_passed_over() -> None:
    world = World(site=chassis(spus=2, max_sessions=1))
    for n, owner in ((1, 2), (2, 1)):
        frame = world.a.frame(udp(world.a, world.b, sport=n))
        message = punt(frame, Punt.SYN_PROXY, Port(0, 0), 1, spu=2)
        ((_, request),) = world.sim.spus[2].handle(message, 0)
        *_, (to, _) = world.sim.cp.handle(request, 0)
        assert to == Actor(Role.SPU, owner)


# -- filters that reject --------------------------------------------------------------------------


def test_an_input_filter_that_rejects_is_answered_where_the_packet_came_from() -> None:
    world = World()
    rejects = Rejects(configuration())
    message = punt(world.a.frame(udp(world.a, world.b)), Punt.FILTER_REJECT, Port(0, 0), 1)
    (_, dropped), (to, sent) = rejects.handle(message, 0)
    assert isinstance(dropped, PacketDropped)
    assert dropped.reason is Drop.FILTER_REJECT
    assert to == Actor(Role.NPU, 0)
    assert isinstance(sent, Transmit)
    assert (sent.port, sent.send, sent.mark) == (Port(0, 0), Send.RAW, UNMARKED)
    answer = Ether(sent.frame)
    assert (answer.dst, answer[IP].src, answer[IP].dst) == (world.a.mac, "10.0.1.1", "10.0.1.2")
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 13)


def test_an_output_filter_that_rejects_is_answered_through_the_session() -> None:
    """The packet was translated already: the error is, too, before the sender gets it."""
    world = World(with_nat())
    with_session(world)
    left = bytes(world.b.received[-1])
    leaving = left[:6] + bytes.fromhex("020000000003") + left[12:]
    rejects = Rejects(with_nat())
    ((to, arrival),) = rejects.handle(
        punt(leaving, Punt.FILTER_REJECT, Port(1, 200), 0, is_outward=True), 0
    )
    assert to == CP
    assert isinstance(arrival, PacketIn)
    ((_, deliver),) = world.sim.cp.handle(arrival, world.sim.now)
    out = world.sim.spus[1].handle(deliver, world.sim.now)
    sent = next(message for _, message in out if isinstance(message, Transmit))
    answer = Ether(sent.frame)
    assert (sent.port, answer[IP].dst) == (Port(0, 0), world.a.ip)
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 13)
    assert answer["IP in ICMP"].src == world.a.ip


@pytest.mark.parametrize(
    "packet",
    [
        IP(src="224.0.0.1", dst="10.0.2.2") / UDP(),
        IP(src="10.0.1.2", dst="10.0.2.2", frag=9, proto=17) / b"rest",
        IP(src="10.0.1.2", dst="10.0.2.2") / ICMP(type=3) / IP() / UDP(),
    ],
    ids=["group", "later fragment", "ICMP error"],
)
def test_nobody_is_told_of_what_no_error_is_sent_about(packet: Packet) -> None:
    world = World()
    message = punt(world.a.frame(packet), Punt.FILTER_REJECT, Port(0, 0), 1)
    assert len(Rejects(configuration()).handle(message, 0)) == 1
