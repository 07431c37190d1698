"""Pings for the firewall itself that are longer than a frame."""

from __future__ import annotations

from itertools import permutations

import pytest
from scapy.layers.inet import ICMP, IP, defragment, fragment
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrFragment,
    defragment6,
    fragment6,
)
from scapy.packet import Packet

from controller.config.schema import SECOND
from controller.reasons import Drop

from .world import MILLISECOND, World

BODY = bytes(range(256)) * 12
PIECES = 3


def ping(world: World, v6: bool = False, number: int = 7, seq: int = 1) -> list[Packet]:
    """Its fragments."""
    if v6:
        ip = IPv6(src=world.a.ip6, dst="2001:db8:1::1") / IPv6ExtHdrFragment(id=number)
        return list(fragment6(ip / ICMPv6EchoRequest(id=5, seq=seq, data=BODY), 1280))
    ip = IP(src=world.a.ip, dst="10.0.1.1", id=number)
    return list(fragment(ip / ICMP(id=5, seq=seq) / BODY, 1480))


def send(world: World, parts: list[Packet]) -> None:
    for part in parts:
        world.send(world.a, part, after=MILLISECOND)
        world.sim.run(MILLISECOND)
    world.sim.run()


def answers(world: World, v6: bool = False) -> list[bytes]:
    """The bodies of the answers, put together."""
    if v6:
        pieces = [packet[IPv6] for packet in world.a.received]
        whole = defragment6(pieces)
        return [bytes(IPv6(bytes(whole))[ICMPv6EchoReply].data)]
    pieces = [packet[IP] for packet in world.a.received]
    assert all(len(piece) <= 1500 for piece in pieces)
    found = [IP(bytes(packet)) for packet in defragment(pieces)]
    assert all(packet[ICMP].type == 0 for packet in found)
    return [bytes(packet[ICMP].payload) for packet in found]


@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
@pytest.mark.parametrize("order", list(permutations(range(PIECES))))
def test_a_ping_in_fragments_is_answered(v6: bool, order: tuple[int, ...]) -> None:
    world = World()
    parts = ping(world, v6)
    assert len(parts) == PIECES
    send(world, [parts[n] for n in order])
    assert answers(world, v6) == [BODY]
    assert world.reasons() == []
    world.assert_empty()


def test_the_next_one_is_answered_though_a_piece_of_this_one_is_lost() -> None:
    world = World()
    send(world, [*ping(world)[1:], *ping(world)[:1], *ping(world, number=8, seq=2)])
    assert len(answers(world)) == 2
    world = World()
    send(world, [*ping(world)[:2], *ping(world, number=8, seq=2)])
    assert answers(world) == [BODY]
    world.sim.run(10 * SECOND)
    # What is left of the first one is given up with its pending flow.
    assert set(world.reasons()) == {Drop.PENDING_TIMEOUT}
    world.assert_empty()


def test_half_a_ping_is_not_answered() -> None:
    world = World()
    send(world, ping(world)[:2])
    world.sim.run(10 * SECOND)
    assert world.a.received == []
    assert world.reasons() == [Drop.PENDING_TIMEOUT] * 2
    world.assert_empty()


def test_who_may_not_ping_hears_nothing() -> None:
    world = World()
    parts = [part.copy() for part in ping(world)]
    for part in parts:
        part[IP].src, part[IP].dst = world.b.ip, "10.0.2.1"
        del part[IP].chksum
        world.send(world.b, part)
    world.sim.run(10 * SECOND)
    assert world.b.received == []
    assert world.reasons() == [Drop.HOST_INBOUND] * PIECES
    world.assert_empty()
