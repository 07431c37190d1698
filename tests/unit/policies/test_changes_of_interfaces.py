"""Interfaces that change while sessions, Express Path ones included, go by them."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from controller_machines.world import (
    BOTH,
    DMZ,
    MILLISECOND,
    TRUST,
    UNTRUST,
    Host,
    World,
    answer,
    configuration,
    policy,
    udp,
)
from scapy.layers.inet import ICMP, IP, UDP

from controller.config.schema import SECOND, Configuration, Interface, StaticRoute, Zone
from controller.flow import Path, Port
from controller.reasons import Close, Drop
from controller.spu.express import NotExpress

SECOND_UNTRUST = Interface(
    "ge-1/0/1.0",
    Port(1, 1),
    0,
    bytes.fromhex("020000000004"),
    (ip_interface("10.0.4.1/24"),),
    "untrust",
    3,
)
FAR = "192.0.2.9"


def site(*interfaces: Interface, **changes: object) -> Configuration:
    """The usual one, with these interfaces in addition or in place of their namesakes."""
    usual = {i.name: i for i in (TRUST, DMZ, UNTRUST)}
    usual |= {i.name: i for i in interfaces}
    return configuration(interfaces=usual, **changes)


def by(gateway: str) -> tuple[StaticRoute, ...]:
    return (StaticRoute(ip_network("192.0.2.0/24"), ip_address(gateway).packed),)


def long_one(world: World, dst: str) -> None:
    datagram = IP(src=world.c.ip, dst=dst, flags="DF") / UDP(sport=2000, dport=5000)
    world.send(world.c, datagram / bytes(700))
    world.sim.run()


def test_a_session_that_moves_to_an_interface_of_another_mtu_leaves_express_path() -> None:
    narrow = replace(SECOND_UNTRUST, mtu=600)
    world = World(site(narrow, routes=by("10.0.2.254")))
    world.pass_(world.c, udp(world.c, FAR), world.g)
    world.g.interface = narrow
    world.g.addresses = ("10.0.4.254", "2001:db8:4::fe")
    world.sim.reconfigure(site(narrow, routes=by("10.0.4.254")))
    world.sim.run(SECOND)
    (view,) = world.sim.spus[1].sessions()
    assert (view.path, view.not_express) == (Path.SPU, NotExpress.MTU)
    assert world.sim.spus[1].express_counts()[NotExpress.MTU] == 1
    received = len(world.g.received)
    long_one(world, FAR)
    assert len(world.g.received) == received
    error = world.c.received[-1][ICMP]
    assert (error.type, error.code, error.nexthopmtu) == (3, 4, 600)


def test_a_session_whose_interface_gets_another_mtu_leaves_express_path() -> None:
    world = World(site())
    there = world.pass_(world.c, udp(world.c, world.b), world.b)
    world.sim.reconfigure(site(replace(UNTRUST, mtu=600)))
    world.sim.run(SECOND)
    (view,) = world.sim.spus[1].sessions()
    assert (view.path, view.not_express) == (Path.SPU, NotExpress.MTU)
    long_one(world, world.b.ip)
    assert world.reasons() == [Drop.TOO_BIG]
    world.pass_(world.b, answer(there), world.c)
    world.sim.clear(view.id)
    world.sim.run()
    (closed,) = world.sim.closed
    assert closed.packets == (2, 1)
    world.assert_empty()


@BOTH
def test_a_unit_that_is_gone_ends_its_sessions(client: str) -> None:
    """Though its port has another one in the same zone."""
    more = (ip_interface("10.0.5.1/24"),)
    sibling = replace(UNTRUST, name="ge-1/0/0.50", vlan=50, addresses=more)
    world = World(site(sibling))
    host = getattr(world, client)
    world.pass_(host, udp(host, world.b), world.b)
    left = {i.name: i for i in (TRUST, DMZ, sibling)}
    zones = configuration().zones
    zones = {**zones, "untrust": replace(zones["untrust"], interfaces=(sibling.name,))}
    world.sim.reconfigure(configuration(interfaces=left, zones=zones, routes=()))
    world.sim.run(SECOND)
    assert world.closes() == [Close.INTERFACE_CHANGED]
    world.assert_empty()


@pytest.mark.parametrize("after", [1, 500], ids=["at once", "waiting"])
def test_a_packet_that_waits_while_its_interface_changes_zone(after: int) -> None:
    """It came from the zone where its interface was; what comes next is of the new one's."""
    world = World(site())
    world.b.answers_arp = False
    world.send(world.c, udp(world.c, world.b))
    world.sim.run(after * MILLISECOND)
    zones = dict(configuration().zones)
    zones["dmz"] = replace(zones["dmz"], interfaces=())
    zones["lab"] = Zone("lab", 9, (DMZ.name,))
    lab = site(
        replace(DMZ, zone="lab", token=9),
        zones=zones,
        policies=(policy("lab-out", 9, "lab", "untrust", services_offload=True),),
    )
    world.sim.reconfigure(lab)
    world.b.answers_arp = True
    world.sim.run(5 * SECOND)
    there = world.pass_(world.c, udp(world.c, world.b, n=2), world.b)
    world.pass_(world.b, answer(there), world.c)
    world.pass_(world.c, udp(world.c, world.b, n=3), world.b)
    (view,) = world.sim.spus[1].sessions()
    assert (view.forward.key.token, view.policy) == (9, "lab-out")
    world.sim.clear(view.id)
    world.assert_empty()


def test_a_unit_that_changes_its_zone_ends_its_sessions() -> None:
    """Though its port has another one in the zone where it was."""
    sibling = replace(DMZ, name="ge-0/0/1.50", vlan=50, addresses=(ip_interface("10.0.5.1/24"),))
    world = World(site(sibling))
    there = world.pass_(world.c, udp(world.c, world.b), world.b)
    zones = dict(configuration().zones)
    zones["dmz"] = replace(zones["dmz"], interfaces=(sibling.name,))
    zones["trust"] = replace(zones["trust"], interfaces=(TRUST.name, DMZ.name))
    world.sim.reconfigure(site(sibling, replace(DMZ, zone="trust", token=1), zones=zones))
    world.sim.run(SECOND)
    assert world.closes() == [Close.INTERFACE_CHANGED]
    world.pass_(world.c, udp(world.c, world.b), world.b)
    world.pass_(world.b, answer(there), world.c)
    (view,) = world.sim.spus[1].sessions()
    assert view.policy == "trust-out"


def test_a_narrower_way_back_keeps_a_session_off_express_path() -> None:
    """It came by one interface of its zone, and the way back is by a narrower one."""
    narrow = Interface(
        "ge-0/0/2.0",
        Port(0, 2),
        0,
        bytes.fromhex("020000000005"),
        (ip_interface("10.0.6.1/24"),),
        "dmz",
        2,
        mtu=600,
    )
    back = StaticRoute(ip_network("192.0.2.0/24"), ip_address("10.0.6.254").packed)
    world = World(site(narrow, routes=(back,)))
    world.hosts.append(Host("n", narrow, "02:00:00:00:00:0e", ("10.0.6.254", "::")))
    there = IP(src=FAR, dst=world.b.ip) / UDP(sport=2000, dport=5000) / b"data"
    world.pass_(world.c, there, world.b)
    (view,) = world.sim.spus[1].sessions()
    assert view.reverse.hop.port == narrow.port
    assert (view.path, view.not_express) == (Path.SPU, NotExpress.MTU)
