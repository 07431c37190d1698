"""RTSP, PPTP and IKE through the chassis: what their control sessions let in."""

from __future__ import annotations

import pytest
from controller_machines.world import NAT_OUT, TRUST, Host, World, configuration, policy
from scapy.layers.inet import IP, UDP
from scapy.packet import Packet

from controller.config.applications import PREDEFINED
from controller.config.nat import SourceNatRule
from controller.config.schema import DEFAULT_ALGS, SECOND, Alg, Configuration
from controller.flow import Path
from controller.reasons import Close, Drop

from .talk import Connection, addresses, network, payload

N = "10.0.2.1"
BOTH = pytest.mark.parametrize("nat", [(), (NAT_OUT,)])


def only(name: str, nat: tuple[SourceNatRule, ...], **more: object) -> Configuration:
    rule = policy("out", 1, "trust", "untrust", applications=(PREDEFINED[name],))
    return configuration(policies=(rule,), source_nat=nat, **more)


def datagram(host: Host, to: str, sport: int, dport: int, data: bytes) -> Packet:
    return network(host.ip, to) / UDP(sport=sport, dport=dport) / data


def bare(host: Host, to: str, protocol: int, data: bytes = b"tunnelled") -> Packet:
    return IP(src=host.ip, dst=to, proto=protocol) / data


def rtsp(line: str, transport: str) -> bytes:
    return f"{line}\r\nCSeq: 3\r\nTransport: {transport}\r\n\r\n".encode()


@BOTH
def test_rtsp_media_come_to_the_ports_that_the_client_named(nat: tuple[SourceNatRule, ...]) -> None:
    world = World(only("junos-rtsp", nat), nat_ports=range(40_001, 40_100))
    line = Connection(world, world.a, world.b, 554)
    transport = "RTP/AVP;unicast;client_port={0}-{1}"
    setup = "SETUP rtsp://10.0.2.2/film/track1 RTSP/1.0"
    heard = line.say(line.client, rtsp(setup, transport.format(5000, 5001)))
    port = 40_002 if nat else 5000
    assert heard == rtsp(setup, transport.format(port, port + 1))
    agreed = transport + ";server_port=6970-6971"
    answer = line.say(line.server, rtsp("RTSP/1.0 200 OK", agreed.format(port, port + 1)))
    assert answer == rtsp("RTSP/1.0 200 OK", agreed.format(5000, 5001))
    to = N if nat else world.a.ip
    for n in (0, 1):
        film = world.pass_(world.b, datagram(world.b, to, 6970 + n, port + n, b"film"), world.a)
        assert film[UDP].dport == 5000 + n
    # A report of the client before the server's first: by the server's gate, from the same port.
    world.sim.run(100 * SECOND)
    report = world.pass_(world.a, datagram(world.a, world.b.ip, 5001, 6971, b"report"), world.b)
    assert report[UDP].sport == port + 1
    line.say(line.client, b"TEARDOWN rtsp://10.0.2.2/film RTSP/1.0\r\nCSeq: 4\r\n\r\n")
    assert len(world.sim.cp.gates) == 0
    line.close()
    world.sim.run(100 * SECOND)
    world.assert_empty()


def test_rtsp_frames_between_messages_pass_unread() -> None:
    world = World(only("junos-rtsp", (NAT_OUT,)))
    line = Connection(world, world.a, world.b, 554)
    frame = b"$\0\0\x08" + b"\r\n\r\nfilm"
    assert line.say(line.server, frame[:3]) == b""
    assert line.say(line.server, frame[3:] + frame) == frame + frame
    setup = rtsp("SETUP rtsp://10.0.2.2/x RTSP/1.0", "RTP/AVP/TCP;unicast;interleaved=0-1")
    assert line.say(line.client, setup) == setup
    low = rtsp("SETUP rtsp://10.0.2.2/x RTSP/1.0", "RTP/AVP;unicast;client_port=22-23")
    assert line.say(line.client, low) == low
    assert len(world.sim.cp.gates) == 0


def pptp(kind: int, rest: bytes = bytes(20)) -> bytes:
    body = b"\0\1" + bytes.fromhex("1a2b3c4d") + kind.to_bytes(2, "big") + b"\0\0" + rest
    return (len(body) + 2).to_bytes(2, "big") + body


ACCEPTED = b"\0\5" + b"\0\6" + b"\1\0" + bytes(14)
"""Call identifiers of server and client, connected, no error."""


@BOTH
@pytest.mark.parametrize("client_first", [False, True])
def test_pptp_call_brings_gre(nat: tuple[SourceNatRule, ...], client_first: bool) -> None:
    world = World(only("junos-pptp", nat))
    line = Connection(world, world.a, world.b, 1723)
    assert line.say(line.client, pptp(7)) == pptp(7)
    assert len(world.sim.cp.gates) == 0
    assert line.say(line.server, pptp(8, ACCEPTED)) == pptp(8, ACCEPTED)
    to = N if nat else world.a.ip
    if not client_first:
        assert world.pass_(world.b, bare(world.b, to, 47), world.a)[IP].dst == world.a.ip
    assert addresses(world.pass_(world.a, bare(world.a, world.b.ip, 47), world.b))[0] == to
    assert world.pass_(world.b, bare(world.b, to, 47), world.a)[IP].dst == world.a.ip
    (child,) = [s for s in world.sim.spus[1].sessions() if s.parent]
    assert (child.application, child.path) == ("junos-gre", Path.SPU)
    line.say(line.client, pptp(12))
    assert len(world.sim.cp.gates) == 0
    line.close()
    world.sim.run(2000 * SECOND)
    world.assert_empty()


def test_pptp_call_that_is_refused_brings_nothing() -> None:
    world = World(only("junos-pptp", ()))
    line = Connection(world, world.a, world.b, 1723)
    line.say(line.server, pptp(8, b"\0\5\0\6\4\0" + bytes(14)))
    line.say(line.client, pptp(8, ACCEPTED))
    assert len(world.sim.cp.gates) == 0


def test_pptp_behind_one_address_serves_one_client_at_a_time() -> None:
    world = World(only("junos-pptp", (NAT_OUT,)))
    first = Connection(world, world.a, world.b, 1723)
    first.say(first.server, pptp(8, ACCEPTED))
    other = Host("d", TRUST, "02:00:00:00:00:0d", ("10.0.1.3",))
    world.hosts.append(other)
    second = Connection(world, other, world.b, 1723, sport=40_001)
    assert second.say(second.server, pptp(8, ACCEPTED)) == b""
    assert world.reasons() == [Drop.NAT_EXHAUSTED]


def tunnel(world: World, line: Connection, peer: Host) -> None:
    """A call stands, and GRE passes both ways."""
    assert line.say(line.server, pptp(8, ACCEPTED)) == pptp(8, ACCEPTED)
    told = world.pass_(world.a, bare(world.a, peer.ip, 47), peer)
    world.pass_(peer, bare(peer, addresses(told)[0], 47), world.a)


def children(world: World) -> list[str]:
    return [s.application for s in world.sim.spus[1].sessions() if s.parent]


@BOTH
def test_a_client_has_tunnels_to_several_servers(nat: tuple[SourceNatRule, ...]) -> None:
    world = World(only("junos-pptp", nat))
    lines = [
        Connection(world, world.a, peer, 1723, sport=40_000 + n)
        for n, peer in enumerate((world.b, world.g))
    ]
    for line in lines:
        tunnel(world, line, line.server.host)
    assert children(world) == ["junos-gre", "junos-gre"]
    for line in lines:
        line.close()
    world.sim.run(10 * SECOND)
    world.assert_empty()


@BOTH
@pytest.mark.parametrize("how", ["call", "connection"])
def test_a_tunnel_ends_with_its_call_and_may_come_again(
    nat: tuple[SourceNatRule, ...], how: str
) -> None:
    world = World(only("junos-pptp", nat))
    first = Connection(world, world.a, world.b, 1723)
    tunnel(world, first, world.b)
    if how == "call":
        first.say(first.client, pptp(12))
        again = first
    else:
        first.close()
        again = Connection(world, world.a, world.b, 1723, sport=40_001)
        # The old connection lingers yet, and its tunnel serves the new one.
        tunnel(world, again, world.b)
        world.sim.run(3 * SECOND)
    assert children(world) == []
    assert [c.reason for c in world.sim.closed if c.forward.key.protocol == 47] == [
        Close.PARENT_ENDED
    ]
    tunnel(world, again, world.b)
    again.close()
    world.sim.run(10 * SECOND)
    world.assert_empty()
    assert world.reasons() == []


def ike(exchange: int) -> bytes:
    return bytes(18) + bytes((exchange,)) + bytes(9)


@BOTH
@pytest.mark.parametrize("exchange", [32, 35])
def test_ike_brings_esp(nat: tuple[SourceNatRule, ...], exchange: int) -> None:
    world = World(only("junos-ike", nat, algs=DEFAULT_ALGS | {Alg.IKE_ESP}))
    asked = world.pass_(world.a, datagram(world.a, world.b.ip, 500, 500, ike(34)), world.b)
    to, port = addresses(asked)[0], asked[UDP].sport
    assert to == (N if nat else world.a.ip)
    for kind in (34, exchange):
        answer = datagram(world.b, to, 500, port, ike(kind))
        assert payload(world.pass_(world.b, answer, world.a)) == ike(kind)
        assert len(world.sim.cp.gates) == (0 if kind == 34 else 2)
    world.pass_(world.b, bare(world.b, to, 50), world.a)
    world.pass_(world.a, bare(world.a, world.b.ip, 50), world.b)
    assert [s.application for s in world.sim.spus[1].sessions() if s.parent] == ["junos-esp"]
    world.sim.run(4000 * SECOND)
    world.assert_empty()


@BOTH
def test_esp_outlives_its_ike_and_is_keyed_anew(nat: tuple[SourceNatRule, ...]) -> None:
    world = World(only("junos-ike", nat, algs=DEFAULT_ALGS | {Alg.IKE_ESP}))
    for n in range(3):
        asked = world.pass_(world.a, datagram(world.a, world.b.ip, 500, 500, ike(36)), world.b)
        to, port = addresses(asked)[0], asked[UDP].sport
        answer = datagram(world.b, to, 500, port, ike(36))
        assert payload(world.pass_(world.b, answer, world.a)) == ike(36)
        world.pass_(world.a, bare(world.a, world.b.ip, 50), world.b)
        assert children(world) == ["junos-esp"]
        # IKE is silent for longer than its session lives.
        world.sim.run((70 + n) * SECOND)
    assert len(world.sim.spus[1].sessions()) == 1
    assert world.reasons() == []
    world.sim.run(4000 * SECOND)
    world.assert_empty()


def test_ike_is_switched_on_by_name_only() -> None:
    world = World(only("junos-ike", ()))
    world.pass_(world.a, datagram(world.a, world.b.ip, 500, 500, ike(35)), world.b)
    world.pass_(world.b, datagram(world.b, world.a.ip, 500, 500, ike(35)), world.a)
    assert len(world.sim.cp.gates) == 0
