"""Connections that SYN flood protection let in: what says that a segment went no further quotes the
numbers that the segment's sender knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6

from controller.config.tcp import TcpSettings
from controller.reasons import Drop

from .guarded import CLIENT_ISN, SERVER_ISN, Talk, attack, protected
from .world import DMZ, TRUST, UNTRUST, World, configuration, with_nat

MTU = 1280


def connected(world: World, **options: object) -> Talk:
    attack(world, world.b)
    talk = Talk(world, world.a, world.b, **options)  # type: ignore[arg-type]
    talk.connect()
    return talk


def test_an_icmp_error_of_a_client_quotes_numbers_that_the_server_knows() -> None:
    world = World(protected())
    talk = connected(world)
    talk.down("PA", SERVER_ISN + 1, CLIENT_ISN + 1, b"too long for the client's way")
    quoted = talk.at_client()[IP]
    world.send(world.a, IP(src=world.a.ip, dst=world.b.ip) / ICMP(type=3, code=4) / quoted)
    world.sim.run()
    error = world.b.received[-1]
    assert error[ICMP].type == 3
    assert error["TCP in ICMP"].seq == SERVER_ISN + 1


@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
def test_too_big_for_the_way_to_the_client_is_told_in_numbers_of_the_server(v6: bool) -> None:
    interfaces = {i.name: i for i in (replace(TRUST, mtu=MTU), DMZ, UNTRUST)}
    make = configuration if v6 else with_nat
    world = World(protected(make(interfaces=interfaces)))
    talk = connected(world, v6=v6)
    before = len(world.b.received)
    ip = IPv6() if v6 else IP(flags="DF")
    seen = talk.at_server()
    ip.src, ip.dst = (seen[type(ip)].dst, seen[type(ip)].src)
    segment = TCP(sport=80, dport=seen[TCP].sport, flags="A", seq=SERVER_ISN + 1,
                  ack=(CLIENT_ISN + 1) % (1 << 32))  # fmt: skip
    world.send(world.b, ip / segment / bytes(1400))
    world.sim.run()
    (error,) = world.b.received[before:]
    told = error[ICMPv6PacketTooBig].mtu if v6 else error[ICMP].nexthopmtu
    assert told == MTU
    quoted = error["TCP in ICMP"] if not v6 else IPv6(bytes(error[ICMPv6PacketTooBig].payload))[TCP]
    assert quoted.seq == SERVER_ISN + 1
    assert world.reasons() == [Drop.TOO_BIG]


def test_a_server_whose_rst_is_not_exact_is_told_its_own_numbers() -> None:
    world = World(replace(protected(), tcp=TcpSettings(rst_sequence_check=True)))
    # No window scale on the server's side: what the client offers is spelled out for it.
    talk = connected(world, options=[("WScale", 2)], server_options=[])
    talk.up("PA", CLIENT_ISN + 1, talk.cookie + 1, b"question", window=1000)
    before = len(world.b.received)
    talk.down("R", SERVER_ISN + 7)
    assert world.reasons() == [Drop.TCP_RST_SEQUENCE]
    (told,) = world.b.received[before:]
    assert (told[TCP].flags, told[TCP].seq) == ("A", (CLIENT_ISN + 9) % (1 << 32))
    assert told[TCP].ack == SERVER_ISN + 1
    assert told[TCP].window == 4000
    talk.down("R", told[TCP].ack)
    assert talk.at_client()[TCP].flags == "R"
