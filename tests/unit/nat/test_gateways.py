"""Application layer gateways under each kind of NAT: what is announced is what others see."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from controller_alg.talk import Connection, addresses, payload
from controller_alg.test_sip import accepted, datagram, invite
from controller_machines.world import World, configuration, policy
from scapy.layers.inet import TCP, UDP

from controller.config.applications import PREDEFINED
from controller.config.nat import Nat, PortUse, zone
from controller.config.schema import SECOND, Configuration
from controller.spu.alg import text_message
from controller.spu.alg.sdp import Description

from .pools import block, both_ways, pool, to_pool, to_server

PUBLIC = "10.0.2.80"
FTP = (PREDEFINED["junos-ftp"],)
CONTROLS = (
    policy("in", 1, "untrust", "dmz", applications=FTP),
    policy("out", 2, "trust", "untrust", applications=FTP),
)
TO_SERVER = Nat(destination=(to_server(f"{PUBLIC}/32", block("10.0.3.2")),))
STATIC_SERVER = Nat(static=(both_ways(PUBLIC, "10.0.3.2"),))
PORT_MAPPED = Nat(
    static=(both_ways(PUBLIC, "10.0.3.2", outside_ports=range(21, 22), inside_ports=range(21, 22)),)
)


def controls(nat: Nat) -> Configuration:
    return configuration(nat=nat, policies=CONTROLS)


def finished(world: World, *connections: Connection) -> None:
    for connection in connections:
        connection.close()
    world.sim.run(3 * SECOND)
    world.assert_empty()


@pytest.mark.parametrize("nat", [TO_SERVER, STATIC_SERVER, PORT_MAPPED],
                         ids=["destination", "static", "static port"])  # fmt: skip
def test_an_ftp_server_behind_nat_is_reached_where_it_is_known(nat: Nat) -> None:
    world = World(controls(nat))
    control = Connection(world, world.b, world.c, listens_at=(PUBLIC, 21))
    assert addresses(control.syn) == (world.b.ip, world.c.ip)
    control.say(control.client, b"PASV\r\n")
    heard = control.say(control.server, b"227 Entering Passive Mode (10,0,3,2,100,1).\r\n")
    assert heard == b"227 Entering Passive Mode (10,0,2,80,100,1).\r\n"
    data = Connection(world, world.b, world.c, sport=41_000, listens_at=(PUBLIC, 25_601))
    assert addresses(data.syn) == (world.b.ip, world.c.ip)
    assert data.say(data.server, b"file") == b"file"
    # Active mode: the server calls, from the address by which it is known.
    assert control.say(control.client, b"PORT 10,0,2,2,80,1\r\n") == b"PORT 10,0,2,2,80,1\r\n"
    called = Connection(world, world.c, world.b, 80 * 256 + 1, sport=20)
    assert addresses(called.syn) == (PUBLIC, world.b.ip)
    assert called.say(called.client, b"more") == b"more"
    finished(world, data, called, control)


@pytest.mark.parametrize("nat", [TO_SERVER, STATIC_SERVER], ids=["destination", "static"])
def test_an_ftp_server_may_know_how_it_is_known(nat: Nat) -> None:
    """``pasv_address``, as servers behind NAT without a gateway are told."""
    world = World(controls(nat))
    control = Connection(world, world.b, world.c, listens_at=(PUBLIC, 21))
    answer = b"227 Entering Passive Mode (10,0,2,80,100,1).\r\n"
    assert control.say(control.server, answer) == answer
    data = Connection(world, world.b, world.c, sport=41_000, listens_at=(PUBLIC, 25_601))
    assert (addresses(data.syn)[1], data.syn[TCP].dport) == (world.c.ip, 25_601)
    finished(world, data, control)


def test_an_rtsp_server_behind_nat_names_the_address_that_it_is_known_by() -> None:
    """Clients send their reports to where the film is said to come from."""
    films = policy("in", 1, "untrust", "dmz", applications=(PREDEFINED["junos-rtsp"],))
    world = World(configuration(nat=STATIC_SERVER, policies=(films,)))
    control = Connection(world, world.b, world.c, listens_at=(PUBLIC, 554))
    text = "RTSP/1.0 200 OK\r\nTransport: RTP/AVP;{0};client_port=5000-5001;{1}\r\n\r\n"
    ports = "server_port=6970-6971"
    told = text.format("destination=10.0.2.2;source=10.0.3.2", ports).encode()
    heard = control.say(control.server, told)
    assert heard == text.format(f"destination=10.0.2.2;source={PUBLIC}", ports).encode()
    asked = "SETUP rtsp://10.0.2.80/film RTSP/1.0\r\nTransport: RTP/AVP;{0}client_port=5000\r\n\r\n"
    there = control.say(control.client, asked.format(f"source={PUBLIC};").encode())
    assert there == asked.format("source=10.0.3.2;").encode()


KEEP = pool("p", block("10.0.2.100", "10.0.2.103"), port_use=PortUse.KEEP)
SHIFT = pool(
    "p", block("10.0.2.100", "10.0.2.103"), port_use=PortUse.KEEP,
    host_base=ip_address("10.0.1.0").packed,
)  # fmt: skip
PAT = pool("p", block("10.0.2.100", "10.0.2.103"), ports=range(30_000, 30_100))


@pytest.mark.parametrize("of", [PAT, KEEP, SHIFT], ids=["translating", "keeping", "shifting"])
def test_an_ftp_client_behind_a_pool_names_the_pools_address(of: object) -> None:
    nat = Nat(source=(to_pool("p"),), source_pools={"p": of})  # type: ignore[dict-item]
    world = World(controls(nat))
    control = Connection(world, world.a, world.b, 21)
    own = addresses(control.syn)[0]
    assert own.startswith("10.0.2.10")
    heard = control.say(control.client, b"PORT 10,0,1,2,150,1\r\n")
    numbers = heard.split()[1].split(b",")
    assert b".".join(numbers[:4]).decode() == own
    port = int(numbers[4]) << 8 | int(numbers[5])
    assert (port in PAT.ports) if of is PAT else port == 38_401
    data = Connection(world, world.b, world.a, sport=20, listens_at=(own, port))
    assert data.syn[TCP].dport == 38_401
    assert data.say(data.client, b"x") == b"x"
    finished(world, data, control)


def test_a_sip_phone_behind_static_nat_speaks_of_its_outside_address() -> None:
    sip = tuple(app for app in PREDEFINED.values() if app.name.startswith("junos-sip"))
    config = configuration(
        nat=Nat(static=(both_ways("10.0.2.90", "10.0.1.2"),)),
        policies=(policy("sip", 1, "trust", "untrust", applications=sip),),
    )
    world = World(config)
    asked = world.pass_(world.a, datagram(world.a, world.b.ip, 5060, 5060, invite()), world.b)
    assert addresses(asked)[0] == "10.0.2.90"
    assert asked[UDP].sport == 5060
    parts = text_message.take_apart(payload(asked))
    assert parts is not None
    (media,) = Description(parts.body).media
    assert b"c=IN IP4 10.0.2.90\r\n" in parts.body
    assert media.endpoint.port == 6000
    ok = datagram(world.b, "10.0.2.90", 5060, 5060, accepted("10.0.2.90", 5060))
    assert payload(world.pass_(world.b, ok, world.a)) == accepted("10.0.1.2", 5060)
    # Media from both ends, to and from the outside address.
    voice = datagram(world.b, "10.0.2.90", 7000, 6000, b"voice")
    assert addresses(world.pass_(world.b, voice, world.a)) == (world.b.ip, world.a.ip)
    answer = world.pass_(world.a, datagram(world.a, world.b.ip, 6000, 7000, b"me"), world.b)
    assert addresses(answer)[0] == "10.0.2.90"
    world.sim.run(3700 * SECOND)
    world.assert_empty()


@pytest.mark.parametrize("media", [6000, 6001])
def test_where_ports_are_not_translated_those_of_media_are_not_either(media: int) -> None:
    keeping = pool("k", block("10.0.2.90"), port_use=PortUse.KEEP)
    sip = tuple(app for app in PREDEFINED.values() if app.name.startswith("junos-sip"))
    config = configuration(
        nat=Nat(source=(to_pool("k"),), source_pools={"k": keeping}),
        policies=(policy("sip", 1, "trust", "untrust", applications=sip),),
    )
    world = World(config)
    sent = datagram(world.a, world.b.ip, 5060, 5060, invite(media=media))
    asked = payload(world.pass_(world.a, sent, world.b))
    assert b"m=audio %d " % media in asked
    voice = datagram(world.b, "10.0.2.90", 7000, media + 1, b"voice")
    assert world.pass_(world.b, voice, world.a)[UDP].dport == media + 1
    world.sim.run(3700 * SECOND)
    world.assert_empty()


def test_a_gate_does_not_take_the_port_of_a_pools_session() -> None:
    """The data connection's port and those of other flows come from one space."""
    tight = pool("p", block("10.0.2.100"), ports=range(30_000, 30_003))
    nat = Nat(source=(to_pool("p"),), source_pools={"p": tight})
    world = World(controls(nat))
    control = Connection(world, world.a, world.b, 21)
    other = Connection(world, world.a, world.b, 21, sport=40_001)
    heard = control.say(control.client, b"PORT 10,0,1,2,150,1\r\n")
    port = int(heard.split(b",")[4]) << 8 | int(heard.split(b",")[5])
    assert {port, control.syn[TCP].sport, other.syn[TCP].sport} == set(tight.ports)
    for view in world.sim.spus[1].sessions():
        world.sim.clear(view.id)
    world.assert_empty()


def test_rules_of_a_zone_do_not_touch_children_of_another() -> None:
    """A child goes by its gate alone, whatever rules say about its own addresses."""
    nat = Nat(destination=(
        to_server("10.0.2.2/32", block("10.0.3.9"), origin=zone("dmz")),
        to_server(f"{PUBLIC}/32", block("10.0.3.2"), number=12),
    ))  # fmt: skip
    world = World(controls(nat))
    control = Connection(world, world.b, world.c, listens_at=(PUBLIC, 21))
    control.say(control.client, b"PORT 10,0,2,2,80,1\r\n")
    called = Connection(world, world.c, world.b, 80 * 256 + 1, sport=20)
    assert addresses(called.syn) == (PUBLIC, world.b.ip)
