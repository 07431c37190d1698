"""SYN flood protection in front of a translated server: the client proves itself to the public
address, the server is asked by its own, from a pool."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from controller_machines.test_syn_flood import Talk, protected
from controller_machines.world import Host, World, configuration
from scapy.layers.inet import IP, TCP
from scapy.packet import Packet

from controller.config.nat import Nat, zone
from controller.config.schema import SynFloodMode

from .pools import block, both_ways, pool, to_pool, to_server

PUBLIC = "10.0.9.80"
DESTINATION = Nat(
    destination=(to_server(f"{PUBLIC}/32", block("10.0.2.2"), 8080, origin=zone("trust")),),
    source=(to_pool("p"),),
    source_pools={"p": pool("p", block("10.0.2.100"), ports=range(5000, 5010))},
)
STATIC = replace(
    DESTINATION,
    destination=(),
    static=(both_ways(PUBLIC, "10.0.2.2", origin=zone("trust")),),
)


class PublicTalk(Talk):
    """The client knows the server by its public address."""

    def _ip(self, src: Host, dst: Host) -> Packet:  # noqa: ARG002
        return IP(src=src.ip, dst=PUBLIC)


@pytest.mark.parametrize("mode", list(SynFloodMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("nat", [DESTINATION, STATIC], ids=["destination", "static"])
def test_a_client_reaches_a_translated_server_through_the_flood(
    nat: Nat, mode: SynFloodMode
) -> None:
    world = World(protected(configuration(nat=nat), mode=mode))
    for npu in world.sim.npus.values():
        npu.attacked |= {(ip_address(PUBLIC).packed, 80)}
    talk = PublicTalk(world, world.a, world.b)
    answer = talk.syn()
    assert (answer[IP].src, answer[TCP].sport) == (PUBLIC, 80)
    assert world.b.received == [], "the server knows nothing yet"
    assert world.sim.cp.nat.in_use() == {}, "nor is anything granted"
    asked = talk.prove()
    port = 8080 if nat is DESTINATION else 80
    assert (asked[IP].src, asked[TCP].sport) == ("10.0.2.100", 5000)
    assert (asked[IP].dst, asked[TCP].dport) == (world.b.ip, port)
    talk.answer()
    talk.up("PA", 0xFFFFFFF1, talk.cookie + 1, b"GET", window=502)
    assert bytes(talk.at_server()[TCP].payload).startswith(b"GET")
    talk.down("PA", 5001, talk.at_server()[TCP].seq + 3, b"200")
    heard = talk.at_client()
    assert (heard[IP].src, heard[TCP].sport) == (PUBLIC, 80)
    assert bytes(heard[TCP].payload).startswith(b"200")
    world.sim.clear(world.sim.spus[1].sessions()[0].id)
    world.assert_empty()
