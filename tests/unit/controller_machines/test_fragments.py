"""Fragments: in any order to the same place, put together where that is wanted."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.layers.inet6 import (
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    fragment6,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from controller.central_point import fragments as held
from controller.config.build import parse as parse_configuration
from controller.config.schema import SECOND, Configuration
from controller.fragment import fragment6 as cut6
from controller.fragment import place_of, whole
from controller.messages import FirstFragment
from controller.packet import parse
from controller.reasons import Drop
from controller.spu import reassembly

from .world import (
    DMZ,
    MILLISECOND,
    TRUST,
    UNTRUST,
    Host,
    World,
    configuration,
    number,
    udp,
    with_nat,
)

BODY = bytes(range(256)) * 12


def forced(plain: Configuration | None = None, **changes: object) -> Configuration:
    return replace(plain or configuration(), force_reassembly=True, **changes)  # type: ignore[arg-type]


def datagram(world: World, *, v6: bool = False, identification: int = 7) -> list[Packet]:
    """A datagram from a to b in fragments."""
    end = UDP(sport=2000, dport=5000)
    if not v6:
        return list(
            fragment(IP(src=world.a.ip, dst=world.b.ip, id=identification) / end / BODY, 1000)
        )
    ip = IPv6(src=world.a.ip6, dst=world.b.ip6) / IPv6ExtHdrHopByHop()
    return list(fragment6(ip / IPv6ExtHdrFragment(id=identification) / end / BODY, 1280))


def send(world: World, parts: list[Packet], host: Host | None = None) -> None:
    for part in parts:
        world.send(host or world.a, part, after=MILLISECOND)
        world.sim.run(MILLISECOND)
    world.sim.run()


def together(packets: list[Packet]) -> bytes:
    """What a receiver makes of the fragments that it got."""
    pieces = {}
    for packet in packets:
        parsed = parse(bytes(packet))
        assert not isinstance(parsed, Drop)
        if not parsed.fragment:
            return bytes(packet[UDP].payload)
        place = place_of(parsed)
        pieces[place.offset] = place.data
    return b"".join(pieces[at] for at in sorted(pieces))[8:]


# -- to the same place --------------------------------------------------------------------------


@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_fragments_of_a_new_flow_come_in_any_order(v6: bool, order: tuple[int, ...]) -> None:
    world = World(with_nat())
    parts = datagram(world, v6=v6)
    send(world, [parts[n] for n in (*order, *range(3, len(parts)))])
    assert world.reasons() == []
    assert together(world.b.received) == BODY
    assert len(world.b.received) == len(parts)
    world.sim.run(120 * SECOND)
    world.assert_empty()


def test_one_before_its_first_waits_though_the_session_stands() -> None:
    """The first one goes to the session's SPU, which tells the central point."""
    world = World()
    world.pass_(world.a, udp(world.a, world.b, sport=2000, dport=5000), world.b)
    parts = datagram(world)
    send(world, [parts[2], parts[1]])
    assert len(world.b.received) == 1
    send(world, [parts[0], parts[3]])
    assert together(world.b.received[1:]) == BODY
    assert any(isinstance(message, FirstFragment) for _, message in world.sim.carried)
    (session,) = world.sim.spus[1].sessions()
    world.sim.run(10 * SECOND)
    assert world.reasons() == []
    world.sim.run(120 * SECOND)
    (closed,) = world.sim.closed
    assert closed.packets == (5, 0)
    assert session.id == closed.session_id


def test_one_whose_first_never_comes_is_given_up_by_name() -> None:
    world = World()
    send(world, datagram(world)[1:])
    assert world.reasons() == []
    world.sim.run(4 * SECOND)
    assert world.reasons() == []
    world.sim.run(2 * SECOND)
    assert world.reasons() == [Drop.FRAGMENT_TIMEOUT] * 3
    world.assert_empty()


def test_what_waits_is_bounded() -> None:
    world = World()
    later = datagram(world)[1]
    for n in range(held.HELD + 5):
        later[IP].id = n
        del later[IP].chksum
        world.send(world.a, later)
    world.sim.run()
    assert world.reasons() == [Drop.FRAGMENT_LIMIT] * 5
    world.sim.run(10 * SECOND)
    assert len(world.reasons()) == held.HELD + 5
    world.assert_empty()


def test_a_flood_of_fragments_without_first_ones_does_not_stop_those_that_overtook_theirs() -> None:
    world = World(with_nat())
    for n in range(held.HELD + 200):
        lone = IP(src=world.b.ip, dst=world.a.ip, id=n, frag=100, proto=17) / BODY[:16]
        world.send(world.b, lone)
    world.sim.run()
    parts = datagram(world)
    send(world, [parts[2], parts[1], parts[0], parts[3]])
    assert together(world.a.received + world.b.received) == BODY
    assert set(world.reasons()) == {Drop.FRAGMENT_LIMIT}
    world.sim.run(120 * SECOND)
    world.assert_empty()


def test_waiting_for_the_first_of_a_flow_that_is_denied_leaves_nothing() -> None:
    world = World()
    parts = list(fragment(IP(src=world.b.ip, dst=world.a.ip, id=7) / UDP() / BODY, 1000))
    send(world, [parts[1], parts[0], parts[2]], world.b)
    assert set(world.reasons()) == {Drop.POLICY_DENY}
    world.sim.run(10 * SECOND)
    world.assert_empty()


# -- force-ip-reassembly ------------------------------------------------------------------------


@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
def test_a_datagram_is_put_together_and_cut_again_by_the_mtu(v6: bool) -> None:
    world = World(forced(with_nat()))
    parts = datagram(world, v6=v6)
    shuffled = parts[:]
    Random(1).shuffle(shuffled)
    send(world, shuffled)
    counts = world.sim.spus[1].fragment_counts()
    assert (counts.reassembled, counts.generated) == (1, 3)
    assert together(world.b.received) == BODY
    received = [bytes(packet)[14:] for packet in world.b.received]
    assert max(map(len, received)) > 1400  # larger than they came
    assert all(len(packet) <= 1500 for packet in received)
    first = world.b.received[0]
    if v6:
        assert first[IPv6].src == "2001:db8:2::1"
        assert {packet[IPv6ExtHdrFragment].id for packet in world.b.received} == {7}
        assert IPv6ExtHdrHopByHop in first
    else:
        assert first[IP].src == "10.0.2.1"
        assert {packet[IP].id for packet in world.b.received} == {7}
    world.sim.run(120 * SECOND)
    world.assert_empty()


def test_one_that_fits_leaves_whole() -> None:
    world = World(forced())
    whole_one = IP(src=world.a.ip, dst=world.b.ip, id=9) / UDP(sport=2000, dport=5000) / BODY[:1200]
    send(world, list(fragment(whole_one, 400)))
    (packet,) = world.b.received
    assert packet[IP].frag == 0
    assert packet[IP].flags == 0
    assert bytes(packet[UDP].payload) == BODY[:1200]
    again = Ether(bytes(packet))
    del again[IP].chksum
    del again[UDP].chksum
    again = Ether(bytes(again))
    assert (again[IP].chksum, again[UDP].chksum) == (packet[IP].chksum, packet[UDP].chksum)


@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
def test_the_size_of_fragments_is_kept_on_request(v6: bool) -> None:
    world = World(forced(preserve_fragment_size=True))
    parts = datagram(world, v6=v6)
    send(world, parts)
    assert together(world.b.received) == BODY
    largest = max(len(bytes(part)) for part in parts)
    assert max(len(bytes(packet)) - 14 for packet in world.b.received) == largest


def test_packets_that_come_whole_are_not_concerned() -> None:
    world = World(forced())
    packet = world.pass_(world.a, udp(world.a, world.b, n=5), world.b)
    assert number(packet) == 5
    assert world.sim.spus[1].fragment_counts().reassembled == 0


@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
def test_what_overlaps_costs_the_datagram(v6: bool) -> None:
    world = World(forced())
    parts = datagram(world, v6=v6)
    other = parts[1].copy()
    if v6:
        other[IPv6ExtHdrFragment].offset -= 2
        other[IPv6ExtHdrFragment].payload.load = bytes(len(other[IPv6ExtHdrFragment].payload))
    else:
        other[IP].frag -= 2
    send(world, [parts[0], other, *parts[1:]])
    assert world.b.received == []
    assert set(world.reasons()) == {Drop.FRAGMENT_OVERLAP}
    send(world, datagram(world, v6=v6, identification=8))
    assert together(world.b.received) == BODY
    world.sim.run(120 * SECOND)
    world.assert_empty()


def test_a_repeated_fragment_is_ignored() -> None:
    world = World(forced())
    parts = datagram(world)
    send(world, [parts[0], parts[1], parts[1], parts[0], *parts[2:]])
    assert together(world.b.received) == BODY
    assert world.reasons() == []


@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
def test_an_incomplete_datagram_is_given_up_and_its_sender_hears_of_it(v6: bool) -> None:
    world = World(forced(reassembly_timeout=2 * SECOND))
    send(world, datagram(world, v6=v6)[:2])
    world.sim.run(3 * SECOND)
    assert world.reasons() == [Drop.FRAGMENT_TIMEOUT]
    error = world.a.received[-1]
    if v6:
        assert error[ICMPv6TimeExceeded].code == 1
    else:
        assert (error[ICMP].type, error[ICMP].code) == (11, 1)
    world.sim.run(120 * SECOND)
    world.assert_empty()


def test_datagrams_and_fragments_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reassembly, "DATAGRAMS", 4)
    monkeypatch.setattr(reassembly, "FRAGMENTS", 8)
    world = World(forced())
    for n in range(6):
        send(world, datagram(world, identification=20 + n)[:1])
    assert world.reasons() == [Drop.FRAGMENT_LIMIT] * 2
    world.sim.run(6 * SECOND)
    assert world.reasons() == [Drop.FRAGMENT_LIMIT] * 2 + [Drop.FRAGMENT_TIMEOUT] * 4
    small = IP(src=world.a.ip, dst=world.b.ip, id=9) / UDP(sport=2000, dport=5000) / BODY
    send(world, list(fragment(small, 256)))
    assert Drop.FRAGMENT_LIMIT in world.reasons()[6:]
    assert world.b.received == []


def test_bytes_held_are_bounded_however_datagrams_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """They all begin small; the oldest make room, those that are growing among them."""
    bound = 12_000
    monkeypatch.setattr(reassembly, "BYTES", bound)
    world = World(forced())
    many = [datagram(world, identification=20 + n) for n in range(8)]
    for place in range(3):
        for parts in many:
            send(world, parts[place : place + 1])
            held_now = [left for left in world.sim.left() if "bytes of fragments" in left]
            assert all(int(left.split()[2]) <= bound for left in held_now)
    assert Drop.FRAGMENT_LIMIT in world.reasons()
    send(world, many[-1][3:])
    assert together(world.b.received) == BODY
    world.sim.run(120 * SECOND)
    world.assert_empty()


def test_hosts_with_a_narrow_link_behind_get_what_fits() -> None:
    """The way out is narrower than the way in, and the sender forbade nothing."""
    interfaces = (TRUST, DMZ, replace(UNTRUST, mtu=600))
    world = World(forced(interfaces={i.name: i for i in interfaces}))
    send(world, datagram(world))
    assert all(len(bytes(packet)) - 14 <= 600 for packet in world.b.received)
    assert together(world.b.received) == BODY


# -- the arithmetic -----------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(0, 3000),
    mtu=st.integers(88, 1600),
    extensions=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_ipv6_in_pieces_is_whole_again(size: int, mtu: int, extensions: int, seed: int) -> None:
    ip: Packet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IPv6(
        src="2001:db8::1", dst="2001:db8::2"
    )
    for extension in (IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt)[:extensions]:
        ip /= extension()
    frame = bytes(ip / UDP() / Random(seed).randbytes(size))
    pieces = cut6(frame, 14, mtu, 99)
    assert all(len(piece) - 14 <= mtu for piece in pieces)
    if len(pieces) == 1:
        assert pieces == [frame]
        return
    parsed = [parse(piece) for piece in pieces]
    found = {}
    for packet in parsed:
        assert not isinstance(packet, Drop)
        place = place_of(packet)
        assert place.identification == 99
        found[place.offset] = place.data
    first = parsed[0]
    assert not isinstance(first, Drop)
    assert not first.is_later_fragment
    assert whole(first, b"".join(found[at] for at in sorted(found))) == frame


def test_set_lines() -> None:
    line = "set security flow "
    said = parse_configuration(
        f"{line}force-ip-reassembly\n{line}preserve-incoming-fragment-size\n"
        f"{line}fragment-reassembly-timeout 9\n"
    )
    assert (said.force_reassembly, said.preserve_fragment_size) == (True, True)
    assert said.reassembly_timeout == 9 * SECOND
    plain = parse_configuration("")
    assert (plain.force_reassembly, plain.preserve_fragment_size) == (False, False)
    assert plain.reassembly_timeout == 5 * SECOND
