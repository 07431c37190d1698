"""NAT from one routing instance into another: where a translated destination is looked up."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from controller_alg.talk import Connection, addresses
from controller_machines.world import (
    DMZ,
    TRUST,
    UNTRUST,
    World,
    answer,
    configuration,
    policy,
    tcp,
    udp,
)
from scapy.layers.inet import IP

from controller.config.applications import PREDEFINED
from controller.config.build import parse
from controller.config.nat import DestinationNatRule, DestinationPool, Nat, zone
from controller.config.problems import ConfigurationError
from controller.config.schema import SECOND, Configuration, StaticRoute
from controller.reasons import Close, Drop

from .pools import block, both_ways

PUBLIC = "10.0.2.80"
BLUE = replace(DMZ, vr="blue", token=256)
"""Dmz in a virtual router of its own: no table of it leads out, and none leads there."""
POOL = DestinationPool("servers", 1, block("10.0.3.2"), instance="blue")
TO_BLUE = Nat(
    destination=(
        DestinationNatRule(
            "in", "d", zone("untrust"), destinations=(ip_network(f"{PUBLIC}/32"),), id=11, pool=POOL
        ),
    )
)
STATIC = Nat(static=(both_ways(PUBLIC, "10.0.3.2", instance="blue"),))
OUT = StaticRoute(ip_network("0.0.0.0/0"), None, "blue", next_table="")


def apart(nat: Nat, *routes: StaticRoute, **more: object) -> Configuration:
    return configuration(
        interfaces={i.name: i for i in (TRUST, BLUE, UNTRUST)},
        routing_instances={"blue": 1},
        nat=nat,
        policies=(policy("in", 1, "untrust", "dmz"), policy("out", 2, "dmz", "untrust")),
        routes=(StaticRoute(ip_network("0.0.0.0/0"), ip_address("10.0.2.254").packed), *routes),
        **more,
    )


@pytest.mark.parametrize("nat", [TO_BLUE, STATIC], ids=["destination", "static"])
def test_a_server_in_another_routing_instance_is_reached_and_answers(nat: Nat) -> None:
    config = apart(nat)
    world = World(config)
    there = world.pass_(world.b, tcp(world.b, PUBLIC, "S"), world.c)
    assert there[IP].dst == "10.0.3.2"
    back = world.pass_(world.c, answer(there), world.b)
    assert back[IP].src == PUBLIC
    # Another configuration in which nothing of it changed leaves it alone.
    world.sim.reconfigure(replace(config, host_name="other"))
    world.sim.run()
    (view,) = world.sim.spus[1].sessions()
    assert (view.forward.key.token, view.reverse.key.token) == (3, 256)
    world.sim.clear(view.id)
    world.assert_empty()


def test_without_the_instance_the_flows_own_one_is_asked() -> None:
    own = replace(POOL, instance=None)
    world = World(apart(Nat(destination=(replace(TO_BLUE.destination[0], pool=own),))))
    world.send(world.b, tcp(world.b, PUBLIC, "S"))
    world.sim.run()
    # The default route leads it back to where it came from, for which there is no policy.
    assert world.reasons() == [Drop.POLICY_DENY]


def test_a_session_ends_when_its_server_is_looked_for_elsewhere() -> None:
    world = World(apart(TO_BLUE))
    world.pass_(world.b, udp(world.b, PUBLIC), world.c)
    changed = replace(TO_BLUE.destination[0], pool=replace(POOL, instance=""))
    world.sim.reconfigure(apart(replace(TO_BLUE, destination=(changed,))))
    world.sim.run()
    assert [closed.reason for closed in world.sim.closed] == [Close.NAT_CHANGED]
    world.assert_empty()


def test_static_nat_translates_hosts_of_its_instance_alone() -> None:
    world = World(apart(STATIC, OUT))
    there = world.pass_(world.c, udp(world.c, world.b), world.b)
    assert there[IP].src == PUBLIC
    world = World(apart(Nat(static=(both_ways(PUBLIC, "10.0.3.2", instance=""),)), OUT))
    there = world.pass_(world.c, udp(world.c, world.b), world.b)
    assert there[IP].src == world.c.ip


FTP = (PREDEFINED["junos-ftp"],)


@pytest.mark.parametrize("nat", [TO_BLUE, STATIC], ids=["destination", "static"])
def test_data_connections_find_both_instances(nat: Nat) -> None:
    config = apart(nat)
    world = World(replace(config, policies=(policy("in", 1, "untrust", "dmz", applications=FTP),)))
    control = Connection(world, world.b, world.c, listens_at=(PUBLIC, 21))
    control.say(control.client, b"PASV\r\n")
    control.say(control.server, b"227 Entering Passive Mode (10,0,3,2,100,1).\r\n")
    data = Connection(world, world.b, world.c, sport=41_000, listens_at=(PUBLIC, 25_601))
    assert data.say(data.server, b"file") == b"file"
    control.say(control.client, b"PORT 10,0,2,2,80,1\r\n")
    called = Connection(world, world.c, world.b, 80 * 256 + 1, sport=20)
    assert addresses(called.syn) == (PUBLIC, world.b.ip)
    # Children stay what they are when the configuration changes elsewhere.
    world.sim.reconfigure(
        replace(config, policies=(policy("in", 1, "untrust", "dmz", applications=FTP),),
                route_change_timeout=6 * SECOND)
    )  # fmt: skip
    world.sim.run(7 * SECOND)
    assert called.say(called.client, b"more") == b"more"
    assert data.say(data.server, b"more") == b"more"
    for connection in (data, called, control):
        connection.close()
    world.sim.run(3 * SECOND)
    world.assert_empty()


LINES = """\
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-1/0/1 unit 0 family inet address 10.1.1.1/24
set interfaces ge-2/0/0 unit 0 family inet address 203.0.113.1/24
set security zones security-zone a interfaces ge-1/0/0.0
set security zones security-zone b interfaces ge-1/0/1.0
set security zones security-zone out interfaces ge-2/0/0.0
set routing-instances blue instance-type virtual-router
set routing-instances blue interface ge-1/0/1.0
set security nat source pool p address 203.0.113.9
set security nat source pool p routing-instance default
set security nat source rule-set s from zone a
set security nat source rule-set s to zone out
set security nat source rule-set s rule r match source-address 10.0.0.0/8
set security nat source rule-set s rule r then source-nat pool p
set security nat destination pool w address 10.1.1.5 port 80
set security nat destination pool w routing-instance blue
set security nat destination rule-set d from zone out
set security nat destination rule-set d rule r match destination-address 203.0.113.8
set security nat destination rule-set d rule r then destination-nat pool w
set security nat static rule-set t from zone out
set security nat static rule-set t rule r match destination-address 203.0.113.7
set security nat static rule-set t rule r then static-nat prefix 10.1.1.7 routing-instance blue
"""


def test_instances_are_configured_as_in_junos() -> None:
    nat = parse(LINES).nat
    assert nat.source_pools["p"].instance == ""
    assert nat.destination_pools["w"].instance == "blue"
    assert nat.static[0].instance == "blue"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("pool w routing-instance blue", "pool w routing-instance blu",
         "unknown routing instance 'blu'; did you mean 'blue'?"),
        ("10.1.1.7 routing-instance blue", "10.1.1.7 routing-instance x",
         "unknown routing instance 'x'"),
        ("p routing-instance default", "p routing-instance blue",
         "flows of rule r leave by ge-2/0/0.0 in the routing instance default, but its pool p is "
         "in blue"),
    ],
)  # fmt: skip
def test_a_wrong_instance_is_named(old: str, new: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text) as caught:
        parse(LINES.replace(old, new))
    assert len(caught.value.problems) == 1
