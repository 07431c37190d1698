"""What would be longer than an IP packet can say falls by name, and harms nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from controller_alg.talk import Connection
from controller_alg.test_sip import calls, invite, sdp
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.packet import Packet

from controller.config.applications import PREDEFINED
from controller.reasons import Drop

from .world import NAT_OUT, Host, World, configuration, ping, with_nat

PIECE = 1448
"""Bytes in a fragment."""


def pieces(world: World, size: int, *, v6: bool) -> list[Packet]:
    """An echo request from a to b of so many bytes in fragments."""
    body = b"\x80\0\0\0\0\1\0\1" if v6 else b"\x08\0\0\0\0\1\0\1"
    body += bytes(size - len(body))
    found = []
    for at in range(0, size, PIECE):
        more = at + PIECE < size
        if v6:
            ip = IPv6(src=world.a.ip6, dst=world.b.ip6) / IPv6ExtHdrHopByHop()
            head = ip / IPv6ExtHdrFragment(id=7, offset=at // 8, m=more, nh=58)
        else:
            head = IP(src=world.a.ip, dst=world.b.ip, id=7, frag=at // 8, proto=1)
            head.flags = "MF" if more else 0
        found.append(head / body[at : at + PIECE])
    return found


def send(world: World, host: Host, packets: list[Packet]) -> None:
    for packet in packets:
        world.send(host, packet)
        world.sim.run()


@pytest.mark.parametrize(("v6", "size"), [(False, 65516), (False, 65535), (True, 65528)])
def test_fragments_of_more_than_ip_can_carry(v6: bool, size: int) -> None:
    """The "ping of death"."""
    world = World(replace(configuration(), force_reassembly=True))
    send(world, world.a, pieces(world, size, v6=v6))
    assert world.reasons() == [Drop.MALFORMED]
    assert "more than IP can carry" in world.sim.dropped[0].detail
    assert world.b.received == []
    world.pass_(world.a, ping(world.a, world.b, identifier=8), world.b)


@pytest.mark.parametrize(("v6", "size"), [(False, 65515), (True, 65527)])
def test_the_longest_passes(v6: bool, size: int) -> None:
    world = World(replace(configuration(), force_reassembly=True))
    send(world, world.a, pieces(world, size, v6=v6))
    assert world.reasons() == []
    assert len(world.b.received) >= 45 or v6


def test_a_message_that_translation_makes_too_long() -> None:
    world = World(calls(NAT_OUT), nat_ports=range(30_001, 30_020))
    empty = invite(body=sdp("10.0.1.2", 6000, f"a=x:{'y' * 50_000}"))
    text = invite(body=sdp("10.0.1.2", 6000, f"a=x:{'y' * (50_000 + 65507 - len(empty))}"))
    assert len(text) == 65507
    said = IP(src=world.a.ip, dst=world.b.ip) / UDP(sport=5060, dport=5060) / text
    send(world, world.a, list(fragment(said, 1480)))
    assert world.reasons() == [Drop.ALG_MALFORMED]
    short = IP(src=world.a.ip, dst=world.b.ip) / UDP(sport=5060, dport=5060) / invite()
    world.pass_(world.a, short, world.b)


def test_an_end_of_a_control_connection_that_takes_anything_is_not_sent_more_than_fits() -> None:
    world = World(with_nat(applications=PREDEFINED))
    options = (("MSS", 65535), ("WScale", 7))
    talk = Connection(world, world.a, world.b, 21, options=options)
    wide = talk.server.segment("A")
    wide[TCP].window = 60_000
    world.send(world.b, wide)
    lines = b"NOOP\r\n" * 10_920
    start = talk.client.seq
    behind = [
        talk.client.segment("A", lines[at : at + 1400], start + at)
        for at in range(1, len(lines), 1400)
    ]
    send(world, world.a, [*behind, talk.client.segment("A", lines[:1], start)])
    assert world.reasons() == []
    assert sum(len(p[IP].payload) for p in world.b.received if p[IP].frag or p[IP].flags) > 65_000
