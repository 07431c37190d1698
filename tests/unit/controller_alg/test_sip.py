"""SIP through the chassis: a call from behind NAT, its signalling and its media."""

from __future__ import annotations

import pytest
from controller_machines.world import NAT_OUT, Host, World, configuration, policy, udp6
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet

from controller.config.applications import PREDEFINED
from controller.config.nat import SourceNatRule
from controller.config.schema import SECOND, Configuration
from controller.flow import Path
from controller.reasons import Drop
from controller.spu.alg import text_message
from controller.spu.alg.sdp import Description

from .talk import Connection, addresses, network, payload

N = "10.0.2.1"


def datagram(host: Host, to: str, sport: int, dport: int, data: bytes) -> Packet:
    return network(host.ip, to) / UDP(sport=sport, dport=dport) / data


def calls(*nat: SourceNatRule) -> Configuration:
    sip = tuple(app for app in PREDEFINED.values() if app.name.startswith("junos-sip"))
    rule = policy("sip", 1, "trust", "untrust", applications=sip, services_offload=True)
    return configuration(policies=(rule,), source_nat=nat)


def message(*lines: str, body: str = "") -> bytes:
    """A message with its length, and a description if there is a body."""
    head = list(lines)
    if body:
        head.append("Content-Type: application/sdp")
    head += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode() + body.encode()


def sdp(address: str, port: int, *more: str) -> str:
    lines = ["v=0", f"o=u 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0"]
    return "\r\n".join((*lines, f"m=audio {port} RTP/AVP 0", *more, ""))


def invite(host: str = "10.0.1.2", port: int = 5060, media: int = 6000, body: str = "") -> bytes:
    return message(
        "INVITE sip:bob@10.0.2.2:5060 SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK1",
        f"From: alice <sip:alice@{host}>;tag=1",
        "To: bob <sip:bob@10.0.2.2>",
        f"Call-ID: 7@{host}",
        f"Contact: <sip:alice@{host}:{port}>",
        "CSeq: 1 INVITE",
        body=body or sdp(host, media),
    )


def accepted(host: str, port: int, media: int = 7000) -> bytes:
    return message(
        "SIP/2.0 200 OK",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK1;received={host};rport={port}",
        f"From: alice <sip:alice@{host}>;tag=1",
        "To: bob <sip:bob@10.0.2.2>;tag=2",
        f"Call-ID: 7@{host}",
        "Contact: <sip:bob@10.0.2.2:5060>",
        "CSeq: 1 INVITE",
        body=sdp("10.0.2.2", media),
    )


def test_call_without_nat_opens_gates_for_media_of_both_sides() -> None:
    world = World(calls())
    heard = world.pass_(world.a, datagram(world.a, world.b.ip, 5060, 5060, invite()), world.b)
    assert payload(heard) == invite()
    ok = accepted("10.0.1.2", 5060)
    assert payload(world.pass_(world.b, datagram(world.b, world.a.ip, 5060, 5060, ok), world.a))
    for port in (6000, 6001):
        world.pass_(world.b, datagram(world.b, world.a.ip, 7000, port, b"media"), world.a)
    world.pass_(world.a, datagram(world.a, world.b.ip, 6001, 7001, b"report"), world.b)
    children = [s for s in world.sim.spus[1].sessions() if s.parent]
    assert len(children) == 3
    assert {child.path for child in children} == {Path.EXPRESS}
    assert {child.application for child in children} == {"junos-sip-media"}


def call(world: World) -> tuple[int, int]:
    """Alice behind NAT calls bob; what bob sees as her signalling and media port."""
    asked = world.pass_(world.a, datagram(world.a, world.b.ip, 5060, 5060, invite()), world.b)
    assert addresses(asked)[0] == N
    port = asked[UDP].sport
    text = payload(asked)
    assert b"10.0.1.2" not in text
    assert b"Via: SIP/2.0/UDP 10.0.2.1:%d;" % port in text
    assert b"<sip:alice@10.0.2.1:%d>" % port in text
    assert b"Call-ID: 7@10.0.2.1\r\n" in text
    parts = text_message.take_apart(text)
    assert parts is not None
    assert list(parts.values(b"content-length")) == [b"%d" % len(parts.body)]
    assert b"c=IN IP4 10.0.2.1\r\n" in parts.body
    (media,) = Description(parts.body).media
    ok = datagram(world.b, N, 5060, port, accepted(N, port))
    answer = payload(world.pass_(world.b, ok, world.a))
    assert answer == accepted("10.0.1.2", 5060), "alice sees herself as she is"
    return port, media.endpoint.port


def test_call_behind_nat_speaks_of_translated_ends_and_media_flow_both_ways() -> None:
    world = World(calls(NAT_OUT), nat_ports=range(30_001, 30_020))
    _, media = call(world)
    assert media % 2 == 0
    said = world.pass_(world.a, datagram(world.a, world.b.ip, 6000, 7000, b"hello"), world.b)
    assert (addresses(said)[0], said[UDP].sport) == (N, media), "she sends from where she listens"
    heard = world.pass_(world.b, datagram(world.b, N, 7000, media, b"hello"), world.a)
    assert (heard[UDP].dport, payload(heard)) == (6000, b"hello")
    heard = world.pass_(world.b, datagram(world.b, N, 7001, media + 1, b"report"), world.a)
    assert heard[UDP].dport == 6001
    assert len([s for s in world.sim.spus[1].sessions() if s.parent]) == 2, "one session each"
    world.sim.run(4000 * SECOND)
    world.assert_empty()


def test_answering_side_may_speak_first() -> None:
    world = World(calls(NAT_OUT))
    _, media = call(world)
    heard = world.pass_(world.b, datagram(world.b, N, 7000, media, b"hello"), world.a)
    assert heard[UDP].dport == 6000
    said = world.pass_(world.a, datagram(world.a, world.b.ip, 6000, 7000, b"hello"), world.b)
    assert said[UDP].sport == media


def test_a_telephone_may_ring_for_three_minutes() -> None:
    """As long as proxies wait for an answer (RFC 3261, section 16.6: timer C)."""
    world = World(calls(NAT_OUT))
    asked = world.pass_(world.a, datagram(world.a, world.b.ip, 5060, 5060, invite()), world.b)
    (gate,) = world.sim.cp.gates
    world.sim.run(200 * SECOND)
    port = asked[UDP].sport
    world.pass_(world.b, datagram(world.b, N, 5060, port, accepted(N, port)), world.a)
    heard = world.pass_(world.b, datagram(world.b, N, 7000, gate.hole.port, b"hello"), world.a)
    assert heard[UDP].dport == 6000


def test_message_again_names_the_same_ports_and_the_end_closes_the_gates() -> None:
    world = World(calls(NAT_OUT))
    port, media = call(world)
    assert call(world) == (port, media)
    assert len(world.sim.cp.gates) == 2
    bye = message(f"BYE sip:alice@10.0.2.1:{port} SIP/2.0", f"Call-ID: 7@{N}", "CSeq: 2 BYE")
    heard = payload(world.pass_(world.b, datagram(world.b, N, 5060, port, bye), world.a))
    assert heard.startswith(b"BYE sip:alice@10.0.1.2:5060 SIP/2.0\r\nCall-ID: 7@10.0.1.2\r\n")
    assert len(world.sim.cp.gates) == 0
    world.send(world.b, datagram(world.b, N, 7000, media, b"late"))
    world.sim.run()
    assert world.reasons()[-1] is Drop.HOST_INBOUND


def test_over_tcp_in_pieces() -> None:
    world = World(calls(NAT_OUT))
    line = Connection(world, world.a, world.b, 5060, sport=5060)
    text = invite()
    assert line.say(line.client, text[:100]) == b""
    heard = line.say(line.client, text[100:])
    parts = text_message.take_apart(heard)
    assert parts is not None
    assert b"c=IN IP4 10.0.2.1\r\n" in parts.body
    assert line.client.acked == line.client.seq
    answer = line.say(line.server, b"\r\n" + accepted(N, line.server.peer_port))
    assert answer == b"\r\n" + accepted("10.0.1.2", 5060)
    assert len(world.sim.cp.gates) == 2


@pytest.mark.parametrize(
    "body",
    [
        sdp("0.0.0.0", 6000),
        sdp("10.0.1.2", 0),
        sdp("10.0.1.2", 22),
        sdp("10.0.1.999", 6000),
        "no description",
    ],
)
def test_no_gate_for_media_on_hold_refused_or_to_services(body: str) -> None:
    world = World(calls())
    text = invite(body=body)
    world.pass_(world.a, datagram(world.a, world.b.ip, 5060, 5060, text), world.b)
    assert len(world.sim.cp.gates) == 0


@pytest.mark.parametrize("size", [20_000, 70_000])
def test_a_message_longer_than_is_read_passes_whole_and_the_next_is_read(size: int) -> None:
    world = World(calls(NAT_OUT))
    control = Connection(world, world.a, world.b, 5060, options=(("MSS", 1440),))
    long = message("MESSAGE sip:bob@10.0.2.2 SIP/2.0", "Call-ID: 1@10.0.1.2", body="x" * size)
    for at in range(0, len(long), 1400):
        control.say(control.client, long[at : at + 1400])
    assert control.server.heard == long
    assert b"c=IN IP4 10.0.2.1\r\n" in control.say(control.client, invite())


def test_what_is_no_message_passes_as_it_is() -> None:
    world = World(calls(NAT_OUT))
    for text in (b"\r\n\r\n", b"\xff" * 40, b"INVITE x SIP/2.0\r\nno colon\r\n\r\n", b"jaK"):
        sent = datagram(world.a, world.b.ip, 5060, 5060, text)
        assert payload(world.pass_(world.a, sent, world.b)) == text


def test_control_port_of_its_own() -> None:
    """``a=rtcp`` (RFC 3605): beside the media port, or elsewhere."""
    beside = Description(sdp("10.0.1.2", 6000, "a=rtcp:6001").encode())
    assert [(m.endpoint.port, m.count) for m in beside.media] == [(6000, 2)]
    apart = Description(sdp("10.0.1.2", 6000, "a=rtcp:9000 IN IP4 10.0.1.2").encode())
    assert [(m.endpoint.port, m.count) for m in apart.media] == [(6000, 1), (9000, 1)]
    new, old = bytes((10, 0, 2, 1)), frozenset((bytes((10, 0, 1, 2)),))
    for description, port in ((beside, b"a=rtcp:4001"), (apart, b"a=rtcp:4000 IN IP4 10.0.2.1")):
        holes = tuple(media.endpoint._replace(port=4000) for media in description.media)
        text = description.translated(holes, old, new)
        assert b"m=audio 4000 RTP/AVP 0" in text
        assert port in text


def test_names_within_longer_ones_are_not_touched() -> None:
    world = World(calls(NAT_OUT))
    text = message(
        "OPTIONS sip:10.0.2.2 SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.1.2;branch=z",
        "Call-ID: 110.0.1.2@10.0.1.23",
        "To: <sip:10.0.1.2@10.0.1.23>, <sip:[::ffff:10.0.1.2]>",
        "X-Note: 10.0.1.2.3 10.0.1.2",
    )
    sent = datagram(world.a, world.b.ip, 5060, 5060, text)
    heard = payload(world.pass_(world.a, sent, world.b))
    assert b"Via: SIP/2.0/UDP 10.0.2.1;" in heard
    assert b"Call-ID: 110.0.1.2@10.0.1.23\r\n" in heard
    assert b"To: <sip:10.0.1.2@10.0.1.23>, <sip:[::ffff:10.0.1.2]>\r\n" in heard
    assert b"X-Note: 10.0.1.2.3 10.0.2.1\r\n" in heard


def test_addresses_without_a_user_are_names_too() -> None:
    """As registrars and proxies are called: nothing but the scheme stands before them."""
    world = World(calls(NAT_OUT), nat_ports=range(30_001, 30_020))
    text = message(
        "REGISTER sip:10.0.1.2 SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.1.2:5060;branch=z",
        "Record-Route: <sip:10.0.1.2;lr>",
        "Contact: <sip:10.0.1.2:5060>, <sips:10.0.1.2:5061>",
        "Call-ID: 7@10.0.1.2",
    )
    sent = datagram(world.a, world.b.ip, 5060, 5060, text)
    heard = payload(world.pass_(world.a, sent, world.b))
    assert heard.startswith(b"REGISTER sip:10.0.2.1:30001 SIP/2.0\r\n")
    assert b"Record-Route: <sip:10.0.2.1:30001;lr>\r\n" in heard
    assert b"Contact: <sip:10.0.2.1:30001>, <sips:10.0.2.1:5061>\r\n" in heard


def test_what_passwords_are_proven_with_stays() -> None:
    """Both ends reckon with these words (RFC 3261, section 22): changed, no password is right."""
    world = World(calls(NAT_OUT))
    fields = (
        'Authorization: Digest username="alice", realm="10.0.1.2", uri="sip:10.0.1.2"',
        'Proxy-Authorization: Digest username="alice", realm="10.0.1.2", uri="sip:10.0.1.2"',
        'WWW-Authenticate: Digest realm="10.0.1.2", nonce="1"',
        'Proxy-Authenticate: Digest realm="10.0.1.2", nonce="1"',
    )
    text = message("REGISTER sip:10.0.2.2 SIP/2.0", "Call-ID: 7@10.0.1.2", *fields)
    sent = datagram(world.a, world.b.ip, 5060, 5060, text)
    heard = payload(world.pass_(world.a, sent, world.b)).decode()
    assert "Call-ID: 7@10.0.2.1\r\n" in heard
    for field in fields:
        assert f"{field}\r\n" in heard


@pytest.mark.parametrize("kind", ["application/sdp; charset=UTF-8", "Application/SDP ;x=1"])
def test_a_description_is_one_whatever_else_is_said_of_it(kind: str) -> None:
    world = World(calls(NAT_OUT))
    text = invite().replace(b"application/sdp", kind.encode())
    sent = datagram(world.a, world.b.ip, 5060, 5060, text)
    assert b"c=IN IP4 10.0.2.1\r\n" in payload(world.pass_(world.a, sent, world.b))
    assert len(world.sim.cp.gates) == 1


def test_a_description_among_other_parts_is_found() -> None:
    """RFC 5621: such as beside where somebody calls for help from."""
    world = World(calls(NAT_OUT))
    parts = (
        "--x\r\nContent-Type: application/pidf+xml\r\n\r\n<at>10.0.1.2</at>\r\n",
        f"--x\r\nContent-Type: application/sdp\r\n\r\n{sdp('10.0.1.2', 6000)}\r\n",
        "--x--\r\n",
    )
    text = invite(body="".join(parts))
    text = text.replace(b"application/sdp", b'multipart/mixed;boundary="x"', 1)
    sent = datagram(world.a, world.b.ip, 5060, 5060, text)
    heard = payload(world.pass_(world.a, sent, world.b))
    assert len(world.sim.cp.gates) == 1
    assert b"c=IN IP4 10.0.2.1\r\n" in heard
    body = heard.partition(b"\r\n\r\n")[2]
    assert b"Content-Length: %d\r\n" % len(body) in heard
    assert body.startswith(parts[0].encode())
    assert body.endswith(b"\r\n\r\n--x--\r\n")


@pytest.mark.parametrize("nat", [(), (NAT_OUT,)])
def test_media_of_the_other_family_are_not_translated(nat: tuple[SourceNatRule, ...]) -> None:
    """A phone with both families: its signalling by IPv4 behind NAT, its media by IPv6."""
    world = World(calls(*nat))
    a, b = "2001:db8:1::2", "2001:db8:2::2"
    body = sdp("10.0.1.2", 6000).replace("c=IN IP4 10.0.1.2", f"c=IN IP6 {a}")
    sent = datagram(world.a, world.b.ip, 5060, 5060, invite(body=body))
    asked = world.pass_(world.a, sent, world.b)
    assert f"c=IN IP6 {a}\r\n".encode() in payload(asked)
    here, port = addresses(asked)[0], asked[UDP].sport
    ok = accepted(here, port).replace(b"c=IN IP4 10.0.2.2", f"c=IN IP6 {b}".encode())
    world.pass_(world.b, datagram(world.b, here, 5060, port, ok), world.a)
    heard = world.pass_(world.b, udp6(world.b, world.a, 7000, 6001), world.a)
    assert heard[IPv6].src == b
    said = world.pass_(world.a, udp6(world.a, world.b, 6000, 7000), world.b)
    assert said[IPv6].src == a


def test_message_that_grows_beyond_the_mtu_leaves_in_fragments() -> None:
    world = World(calls(NAT_OUT), nat_ports=range(30_001, 30_020))
    text = message(
        "OPTIONS sip:10.0.2.2 SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.1.2;branch=z",
        "X-Padding: ",
    )
    text = text.replace(b"X-Padding: ", b"X-Padding: " + b"x" * (1472 - len(text)))
    world.send(world.a, datagram(world.a, world.b.ip, 5060, 5060, text))
    world.sim.run()
    first, second = (packet[IP] for packet in world.b.received[-2:])
    assert (first.frag, first.flags, second.flags) == (0, "MF", 0)
    whole = bytes(first.payload)[: first.len - 20] + bytes(second.payload)[: second.len - 20]
    assert second.frag * 8 == first.len - 20
    assert first.id == second.id != 0
    assert whole[8:] == text.replace(b"10.0.1.2;", b"10.0.2.1:30001;")
