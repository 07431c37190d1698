"""Neighbours that get another MAC address, or another wire, while sessions go by them."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP
from scapy.packet import Packet

from controller.config.schema import SECOND
from controller.messages import NeighborForgotten, Reconfigure
from controller.reasons import Drop
from controller.routing.neighbors import LIFETIME
from controller.spu import neighbor_changes

from .test_neighbors import Table, reason_of, request
from .world import BOTH, DMZ, TRUST, UNTRUST, Host, World, answer, configuration, policy, udp, udp6

MOVED = "02:00:00:00:00:66"


def move(world: World, host: Host) -> None:
    """A host announces its new MAC address unasked, as after a failover."""
    host.mac = MOVED
    for address in host.addresses:
        if ":" in address:
            told = IPv6(src=address, dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=address, R=0, O=1)
            world.send(host, told / ICMPv6NDOptDstLLAddr(lladdr=MOVED))
        else:
            world.send(host, ARP(op=1, hwsrc=MOVED, psrc=address, pdst=address))


@BOTH
@pytest.mark.parametrize("datagram", [udp, udp6], ids=["ipv4", "ipv6"])
def test_sessions_follow_a_neighbour_to_its_new_mac(
    client: str, datagram: Callable[..., Packet]
) -> None:
    world = World()
    host, server = getattr(world, client), world.b
    there = world.pass_(host, datagram(host, server, n=1), server)
    world.pass_(server, answer(there), host)
    move(world, server)
    world.sim.run(SECOND)
    assert world.pass_(host, datagram(host, server, n=2), server).dst == MOVED
    move(world, host)
    world.sim.run(SECOND)
    assert world.pass_(server, answer(there), host).dst == MOVED
    (view,) = world.sim.spus[1].sessions()
    assert not world.sim.closed
    world.sim.clear(view.id)
    world.sim.run()
    (closed,) = world.sim.closed
    assert closed.packets == (2, 2)
    world.assert_empty()


def test_what_is_sent_while_a_session_follows_arrives_in_order() -> None:
    world = World()
    world.pass_(world.c, udp(world.c, world.b, n=0), world.b)
    move(world, world.b)
    for n in range(1, 30):
        world.send(world.c, udp(world.c, world.b, n=n), n * 20_000)
    world.sim.run(SECOND)
    assert not world.sim.closed
    numbers = [int.from_bytes(bytes(p["UDP"].payload)[:4], "big") for p in world.b.received]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 29


def test_a_neighbour_that_was_forgotten_meanwhile_is_followed_too() -> None:
    never = configuration(policies=(policy("dmz-express", 3, "dmz", "untrust"),))
    world = World(never)
    world.pass_(world.c, udp(world.c, world.b), world.b)
    for _ in range(LIFETIME // (50 * SECOND) + 2):  # the session lives, its neighbour's entry ages
        world.sim.run(50 * SECOND)
        world.pass_(world.c, udp(world.c, world.b), world.b)
    assert not world.sim.neighbors.snapshot(world.sim.now)
    move(world, world.b)
    world.sim.run(SECOND)
    assert world.pass_(world.c, udp(world.c, world.b), world.b).dst == MOVED
    assert not world.sim.closed


def test_many_sessions_follow_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbor_changes, "SLICE", 2)
    world = World()
    for sport in range(2000, 2007):
        world.pass_(world.c, udp(world.c, world.b, sport=sport), world.b)
    move(world, world.b)
    world.sim.run(SECOND)
    for sport in range(2000, 2007):
        assert world.pass_(world.c, udp(world.c, world.b, sport=sport), world.b).dst == MOVED
    assert not world.sim.closed


def test_neighbours_of_an_interface_on_another_vlan_are_others() -> None:
    table = Table()
    table.hear(request("10.0.1.1"))
    table.resolve("10.0.1.2")
    tagged = replace(TRUST, vlan=7)
    other = configuration(interfaces={i.name: i for i in (tagged, DMZ, UNTRUST)})
    told = [message for _, message in table.machine.handle(Reconfigure(other), 0)]
    assert told == [NeighborForgotten(TRUST.name, ip_address("10.0.1.2").packed)]
    assert table.known() == {}


def test_a_neighbour_that_announces_itself_asks_nothing() -> None:
    table = Table()
    table.hear(request("10.0.1.1"))
    moved = "02:00:00:00:00:66"
    assert table.hear(request("10.0.1.2", mac=moved)) == [], "no answer, and no drop"
    assert table.known() == {"10.0.1.2": moved}
    assert reason_of(table.hear(request("10.0.9.9", src="10.0.9.9"))) is Drop.NOT_FOR_US
