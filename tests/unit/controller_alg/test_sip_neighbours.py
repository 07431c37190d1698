"""Two telephones behind one address call each other by a proxy outside."""

from __future__ import annotations

from controller_machines.world import NAT_OUT, TRUST, Host, World
from scapy.layers.inet import UDP

from controller.config.schema import SECOND
from controller.spu.alg.sdp import Description

from .talk import addresses, payload
from .test_sip import N, accepted, calls, datagram, invite, message


def media_of(text: bytes) -> int:
    (media,) = Description(text.partition(b"\r\n\r\n")[2]).media
    return media.endpoint.port


def test_neighbours_find_each_other_by_names_and_media() -> None:
    world = World(calls(NAT_OUT), nat_ports=range(30_001, 30_040))
    alice, proxy = world.a, world.b
    erin = Host("e", TRUST, "02:00:00:00:00:0e", ("10.0.1.5", "2001:db8:1::5"))
    world.hosts.append(erin)
    register = message(
        "REGISTER sip:10.0.2.2 SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.1.5:5060;branch=z9hG4bK0",
        "Call-ID: r@10.0.1.5",
        "Contact: <sip:erin@10.0.1.5:5060>",
    )
    known = world.pass_(erin, datagram(erin, proxy.ip, 5060, 5060, register), proxy)
    port = known[UDP].sport
    assert b"Contact: <sip:erin@10.0.2.1:%d>\r\n" % port in payload(known)
    asked = world.pass_(alice, datagram(alice, proxy.ip, 5060, 5060, invite()), proxy)
    hers = asked[UDP].sport
    assert hers != port
    # The proxy passes it on as proxies do.
    via = b"Via: SIP/2.0/UDP 10.0.2.1:%d;branch=z9hG4bK1" % hers
    own = b"Via: SIP/2.0/UDP 10.0.2.2;branch=z9hG4bKp\r\nRecord-Route: <sip:10.0.2.2;lr>\r\n"
    came = via + b";received=10.0.2.1;rport=%d" % hers
    passed = payload(asked).replace(via, own + came)
    passed = passed.replace(b"sip:bob@10.0.2.2:5060", b"sip:erin@10.0.2.1:%d" % port)
    heard = payload(world.pass_(proxy, datagram(proxy, N, 5060, port, passed), erin))
    assert heard.startswith(b"INVITE sip:erin@10.0.1.5:5060 SIP/2.0\r\n")
    assert own + came in heard, "alice's way back is not hers"
    assert b"Contact: <sip:alice@10.0.2.1:%d>\r\n" % hers in heard
    # What erin answers finds its way to alice, who sees herself.
    ok = accepted("10.0.2.1", hers, 7000).replace(b"10.0.2.2", b"10.0.1.5")
    ok = ok.replace(b"<sip:bob@10.0.1.5:5060>", b"<sip:erin@10.0.1.5:5060>")
    said = payload(world.pass_(erin, datagram(erin, proxy.ip, 5060, 5060, ok), proxy))
    assert came in said
    assert b"Contact: <sip:erin@10.0.2.1:%d>\r\n" % port in said
    answer = payload(world.pass_(proxy, datagram(proxy, N, 5060, hers, said), alice))
    assert b"Via: SIP/2.0/UDP 10.0.1.2:5060;branch=z9hG4bK1;received=10.0.1.2;rport=5060" in answer
    assert b"Contact: <sip:erin@10.0.2.1:%d>\r\n" % port in answer
    # Each sends to where the other is known.
    to_alice, to_erin = media_of(heard), media_of(answer)
    voice = world.pass_(alice, datagram(alice, N, 6000, to_erin, b"hello"), erin)
    assert (addresses(voice)[0], voice[UDP].sport, voice[UDP].dport) == (N, to_alice, 7000)
    back = world.pass_(erin, datagram(erin, N, 7000, to_alice, b"hello"), alice)
    assert (addresses(back)[0], back[UDP].sport, back[UDP].dport) == (N, to_erin, 6000)
    report = world.pass_(erin, datagram(erin, N, 7001, to_alice + 1, b"report"), alice)
    assert (report[UDP].sport, report[UDP].dport) == (to_erin + 1, 6001)
    world.sim.run(4000 * SECOND)
    world.assert_empty()
