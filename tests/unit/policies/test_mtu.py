"""Packets that are longer than the interface they leave by lets pass."""

from dataclasses import replace

import pytest
from controller_machines.world import DMZ, TRUST, UNTRUST, World, configuration, with_nat
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP, IPOption_NOP, IPOption_Router_Alert, defragment
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import Ether

from controller.fragment import fragment, may_fragment
from controller.reasons import Drop

MTU = 600


def world() -> World:
    interfaces = {i.name: i for i in (TRUST, DMZ, replace(UNTRUST, mtu=MTU))}
    return World(with_nat(interfaces=interfaces))


def test_what_may_be_fragmented_is() -> None:
    w = world()
    body = bytes(range(256)) * 5
    w.send(w.a, IP(src=w.a.ip, dst=w.b.ip, id=7) / UDP(sport=1, dport=2) / body)
    w.sim.run()
    pieces = [frame[IP] for frame in w.b.received]
    assert len(pieces) == 3
    assert all(len(piece) <= MTU for piece in pieces)
    (whole,) = defragment(pieces)
    assert bytes(whole[UDP].payload) == body
    assert whole[IP].src == "10.0.2.1"


def test_what_may_not_is_too_big() -> None:
    w = world()
    w.send(w.a, IP(src=w.a.ip, dst=w.b.ip, flags="DF") / UDP(sport=1, dport=2) / bytes(700))
    w.sim.run()
    error = w.a.received[-1][ICMP]
    assert (error.type, error.code, error.nexthopmtu) == (3, 4, MTU)
    w = World(configuration(interfaces=world().sim.cp.config.interfaces))
    w.send(w.a, IPv6(src=w.a.ip6, dst=w.b.ip6) / UDP(sport=1, dport=2) / bytes(700))
    w.sim.run()
    assert w.a.received[-1][ICMPv6PacketTooBig].mtu == MTU
    assert w.reasons() == [Drop.TOO_BIG]


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=1, max_size=3000),
    st.integers(68, 1500),
    st.sampled_from(([], [IPOption_Router_Alert()], [IPOption_NOP(), IPOption_Router_Alert()])),
)
def test_fragments_make_the_packet_again(body: bytes, mtu: int, options: list[object]) -> None:
    packet = Ether() / IP(src="10.0.0.1", dst="10.0.0.2", id=3, proto=253, options=options) / body
    frame = bytes(packet)
    pieces = [Ether(piece)[IP] for piece in fragment(frame, 14, mtu)]
    assert all(len(piece) <= mtu for piece in pieces)
    for piece in pieces:
        again = piece.copy()
        del again.chksum
        assert IP(bytes(again)).chksum == piece.chksum
        assert any("RouterAlert" in type(o).__name__.replace("_", "") for o in piece.options) == (
            any("Router" in type(option).__name__ for option in options)
        )
    (whole,) = defragment(pieces) if len(pieces) > 1 else pieces
    assert bytes(whole.payload) == body


@pytest.mark.parametrize(("flags", "may"), [("DF", False), (0, True), ("MF", True)])
def test_dont_fragment(flags: object, may: bool) -> None:
    assert may_fragment(bytes(Ether() / IP(flags=flags) / UDP()), 14) is may
