"""Control sessions that SYN flood protection let in, and announcements in fragments."""

from __future__ import annotations

import re

from controller_machines.test_syn_flood import (
    CLIENT_ISN,
    MOD,
    SERVER_ISN,
    Talk,
    attack,
    protected,
)
from controller_machines.world import NAT_OUT, World, configuration, policy
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6

from controller.config.applications import PREDEFINED
from controller.config.schema import SECOND

from .talk import network, payload
from .test_sip import calls, invite, sdp


def test_ftp_through_a_flood_announces_its_port() -> None:
    """Numbers are translated twice: by the gateway, whose words grow, and by protection."""
    ftp = (PREDEFINED["junos-ftp"],)
    rule = policy("ftp", 1, "trust", "untrust", applications=ftp)
    world = World(protected(configuration(policies=(rule,), source_nat=(NAT_OUT,))))
    attack(world, world.b, port=21)
    talk = Talk(world, world.a, world.b, dport=21)
    talk.connect()
    client, server, ours = CLIENT_ISN + 1, SERVER_ISN + 1, talk.cookie + 1

    talk.down("PA", server, client, b"220 ready\r\n")
    heard = talk.at_client()[TCP]
    assert (heard.seq, payload(talk.at_client())) == (ours % MOD, b"220 ready\r\n")
    said = b"PORT 10,0,1,2,15,160\r\n"
    talk.up("PA", client, ours + 11, said)
    heard = talk.at_server()[TCP]
    match = re.fullmatch(rb"PORT 10,0,2,1,(\d+),(\d+)\r\n", bytes(heard.payload))
    assert match is not None
    assert (heard.seq, heard.ack) == (client % MOD, server + 11)
    talk.down("PA", server + 11, client + len(bytes(heard.payload)), b"200 fine\r\n")
    heard = talk.at_client()[TCP]
    assert (heard.seq, heard.ack) == ((ours + 11) % MOD, (client + len(said)) % MOD)
    port = int(match[1]) << 8 | int(match[2])
    syn = IP(src=world.b.ip, dst="10.0.2.1") / TCP(sport=20, dport=port, flags="S", seq=1)
    data = world.pass_(world.b, syn, world.a)
    assert (data[IP].dst, data[TCP].dport) == ("10.0.1.2", 15 << 8 | 160)
    talk.up("R", client + len(said))
    world.sim.run(3600 * SECOND)
    world.assert_empty()


def test_an_invitation_in_fragments_is_read_as_a_whole() -> None:
    world = World(calls(NAT_OUT))
    body = sdp("10.0.1.2", 6000, *(f"a=x-filler-{n}:{'y' * 40}" for n in range(30)))
    whole = network(world.a.ip, world.b.ip) / UDP(sport=5060, dport=5060) / invite(body=body)
    parts = fragment(whole, 600)
    for part in (parts[1], parts[0], *parts[2:]):
        world.send(world.a, part)
        world.sim.run()
    heard = [packet for packet in world.b.received if UDP in packet or packet[IP].frag]
    pieces = {packet[IP].frag: bytes(packet[IP].payload) for packet in heard}
    text = b"".join(pieces[at] for at in sorted(pieces))
    assert b"c=IN IP4 10.0.2.1\r\n" in text
    assert b"10.0.1.2" not in text
    assert len(world.sim.cp.gates) == 1
    assert world.reasons() == []


def test_the_same_over_ipv6_may_grow_beyond_the_mtu() -> None:
    """The gateway puts it together, and what leaves is the firewall's own: in fragments again."""
    world = World(calls())
    body = sdp("10.0.1.2", 6000, *(f"a=x-filler-{n}:{'y' * 40}" for n in range(30)))
    ip = IPv6(src=world.a.ip6, dst=world.b.ip6) / IPv6ExtHdrFragment(id=9)
    for part in fragment6(ip / UDP(sport=5060, dport=5060) / invite(body=body), 1280):
        world.send(world.a, part)
        world.sim.run()
    assert world.reasons() == []
    assert len(world.b.received) == 2
    assert all(len(bytes(packet)) - 14 <= 1500 for packet in world.b.received)
