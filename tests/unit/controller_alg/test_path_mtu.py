"""A narrow place on the path: what a gateway repeats fits through it too."""

from __future__ import annotations

import pytest
from controller_machines.world import World, configuration, with_nat
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.packet import Packet

from .talk import Connection, payload
from .test_ftp import only_ftp

NARROW = 1280
MSS = (("MSS", 1440),)


def too_big(about: Packet, path_mtu: int = NARROW) -> Packet:
    """What a router says of a packet that it saw."""
    if IPv6 in about:
        ip6 = IPv6(src="2001:db8:2::fe", dst=about[IPv6].src)
        return ip6 / ICMPv6PacketTooBig(mtu=path_mtu) / about[IPv6]
    ip = IP(src="10.0.2.254", dst=about[IP].src)
    return ip / ICMP(type=3, code=4, nexthopmtu=path_mtu) / bytes(about[IP])[:28]


def length(packet: Packet) -> int:
    return packet[IPv6].plen + 40 if IPv6 in packet else int(packet[IP].len)


@pytest.mark.parametrize("six", [False, True])
@pytest.mark.parametrize("changed", [False, True])
def test_a_segment_too_long_for_the_path_is_cut_and_sent_again(six: bool, changed: bool) -> None:
    world = World(only_ftp(with_nat() if changed else configuration()))
    client = world.c if six else world.a
    control = Connection(world, client, world.b, 21, six=six, options=MSS)
    if changed and not six:
        # From now on the two sides count differently.
        assert control.say(control.client, b"PORT 10,0,1,2,39,16\r\n")
    line = b"STOR " + b"x" * 1380 + b"\r\n"
    before = len(world.b.received)
    world.send(client, control.client.segment("PA", line))
    control.client.seq += len(line)
    world.sim.run()
    (long,) = world.b.received[before:]
    assert length(long) > NARROW
    # The server has not heard it: the router said why.
    control.server.read = len(world.b.received)
    world.send(world.g, too_big(long))
    world.sim.run()
    again = world.b.received[before + 1 :]
    assert len(again) > 1
    assert all(length(packet) <= NARROW for packet in again)
    assert b"".join(map(payload, again)) == line
    assert again[0][TCP].seq == long[TCP].seq
    # Lost again, and repeated by the client as a whole: it is cut still.
    control.server.read = len(world.b.received)
    repeated = control.client.segment("PA", line, seq=control.client.seq - len(line))
    for _ in range(2):
        world.send(client, repeated)
        world.sim.run()
        control.settle()
    assert control.server.heard.endswith(line)
    assert control.client.acked == control.client.seq
    assert all(length(p) <= NARROW for p in world.b.received[before + 1 :] if TCP in p)


def test_a_forged_size_is_not_believed() -> None:
    """About a segment that was never sent; and nobody's path is as narrow as all that."""
    world = World(only_ftp(configuration()))
    control = Connection(world, world.a, world.b, 21, options=MSS)
    line = b"STOR " + b"x" * 1380 + b"\r\n"
    before = len(world.b.received)
    world.send(world.a, control.client.segment("PA", line))
    world.sim.run()
    (long,) = world.b.received[before:]
    forged = long.copy()
    forged[TCP].seq += 100_000
    world.send(world.g, too_big(forged))
    world.sim.run()
    assert len(world.b.received) == before + 1
    world.send(world.g, too_big(long, 68))
    world.sim.run()
    assert min(length(packet) for packet in world.b.received[before + 1 : before + 3]) > 500
