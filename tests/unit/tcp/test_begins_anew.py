"""Ends that have forgotten a connection which the firewall remembers, or the other way round: how
they find out, and begin another with the same ports (RFC 9293, section 3.5.1)."""

from __future__ import annotations

import pytest
from controller_alg.talk import Connection, End
from controller_machines.world import Host, World, answer, tcp
from scapy.layers.inet import IP, TCP
from scapy.packet import Packet

from controller.config.schema import SECOND
from controller.reasons import Close, Drop

from .connections import BOTH, closes, state, web, world

CHECK = pytest.mark.parametrize("check", [True, False], ids=["checked", "unchecked"])
ISN, PEER_ISN = 5_000_000, 9_000_000


def settled(walk: World, client: str) -> Connection:
    """A connection on which both sides have spoken."""
    talk = web(walk, client)
    assert talk.say(talk.client, b"GET /") == b"GET /"
    assert talk.say(talk.server, b"200 OK") == b"200 OK"
    return talk


def begin_anew(talk: Connection) -> Packet:
    """The client's new SYN, the server's answer, which is lost, and the SYN again."""
    walk, client, server = talk.world, talk.client, talk.server
    syn = client.segment("S", seq=ISN)
    mirrored(walk, server, walk.pass_(client.host, syn, server.host))
    return walk.pass_(client.host, syn, server.host)


def mirrored(walk: World, server: End, syn: Packet, isn: int = PEER_ISN) -> None:
    """A server that has forgotten all answers a SYN."""
    told = answer(syn)
    told[TCP].seq = isn
    walk.send(server.host, told)
    walk.sim.run()


@BOTH
@CHECK
def test_both_ends_have_forgotten_it(client: str, check: bool) -> None:
    """What was a session is none any more: the new connection gets one of its own."""
    walk = world(sequence_check=check)
    talk = settled(walk, client)
    (old,) = walk.sim.spus[1].sessions()
    host, server = talk.client.host, talk.server
    syn = begin_anew(talk)
    assert closes(walk) == [Close.TCP_ANEW]
    (new,) = walk.sim.spus[1].sessions()
    assert new.id != old.id
    mirrored(walk, server, syn)
    talk.client.seq, talk.client.ack = ISN + 1, PEER_ISN + 1
    walk.pass_(host, talk.client.segment("A"), server.host)
    heard = walk.pass_(host, talk.client.segment("PA", b"hello"), server.host)
    assert bytes(heard[TCP].payload) == b"hello"
    walk.pass_(host, talk.client.segment("RA", seq=ISN + 6), server.host)
    walk.sim.run(3 * SECOND)
    assert closes(walk) == [Close.TCP_ANEW, Close.TCP_CLIENT_RST]
    assert walk.reasons() == [Drop.TCP_SEQUENCE]
    walk.assert_empty()


@BOTH
@CHECK
def test_half_closed_and_forgotten(client: str, check: bool) -> None:
    walk = world(sequence_check=check)
    talk = settled(walk, client)
    talk.say(talk.client, b"", "FA")
    begin_anew(talk)
    assert closes(walk) == [Close.TCP_ANEW]
    assert state(walk) == "opening"


@BOTH
@CHECK
def test_a_syn_that_comes_again_is_none_of_another_connection(client: str, check: bool) -> None:
    """The answer to it, too: the session goes on."""
    walk = world(sequence_check=check)
    host = getattr(walk, client)
    syn = tcp(host, walk.b, "S")
    syn[TCP].seq = 70
    seen = walk.pass_(host, syn, walk.b)
    told = answer(seen)
    told[TCP].seq = 90
    walk.pass_(walk.b, told, host)
    walk.pass_(host, syn, walk.b)
    walk.pass_(walk.b, told, host)
    ack = tcp(host, walk.b, "A")
    ack[TCP].seq, ack[TCP].ack = 71, 91
    walk.pass_(host, ack, walk.b)
    walk.pass_(walk.b, told, host)
    assert closes(walk) == []
    assert walk.reasons() == []


@BOTH
def test_a_server_that_remembers_it_says_so_and_the_client_resets_it(client: str) -> None:
    """RFC 9293, figure 9; then the client's SYN comes again."""
    walk = world()
    talk = settled(walk, client)
    host, server = talk.client.host, talk.server
    walk.pass_(host, talk.client.segment("S", seq=ISN), server.host)
    told = walk.pass_(server.host, server.segment("A"), host)
    walk.pass_(host, talk.client.segment("R", seq=told[TCP].ack), server.host)
    assert state(walk) == "reset"
    syn = walk.pass_(host, talk.client.segment("S", seq=ISN), server.host)
    assert closes(walk) == [Close.TCP_CLIENT_RST]
    mirrored(walk, server, syn)
    assert walk.reasons() == []


@BOTH
def test_a_server_that_does_not_want_another_refuses_it(client: str) -> None:
    walk = world()
    talk = settled(walk, client)
    host, server = talk.client.host, talk.server
    seen = walk.pass_(host, talk.client.segment("S", seq=ISN), server.host)
    forged = answer(seen)
    forged[TCP].flags, forged[TCP].seq, forged[TCP].ack = "RA", 1 << 31, ISN + 77_000
    walk.send(server.host, forged)
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_SEQUENCE]
    refusal = answer(seen)
    refusal[TCP].flags, refusal[TCP].seq = "RA", 0
    walk.pass_(server.host, refusal, host)
    walk.sim.run(3 * SECOND)
    assert closes(walk) == [Close.TCP_SERVER_RST]


@BOTH
def test_the_firewall_has_forgotten_it_and_the_server_not(client: str) -> None:
    """The server acknowledges what it knows, and the client's RST has that number, which is none
    of its new connection."""
    walk = world()
    host = getattr(walk, client)
    seen = walk.pass_(host, numbered(host, walk.b, "S", ISN), walk.b)
    old = answer(seen)
    old[TCP].flags, old[TCP].seq, old[TCP].ack = "A", 123, 3_000_000
    told = walk.pass_(walk.b, old, host)
    walk.pass_(host, numbered(host, walk.b, "R", told[TCP].ack), walk.b)
    seen = walk.pass_(host, numbered(host, walk.b, "S", ISN), walk.b)
    assert walk.reasons() == []
    assert closes(walk) == [Close.TCP_CLIENT_RST]
    walk.pass_(walk.b, answer(seen), host)


@BOTH
def test_a_server_that_answers_an_earlier_syn_is_reset(client: str) -> None:
    """RFC 9293, figure 8. On the SPU's path the answer goes no further."""
    walk = world()
    host = getattr(walk, client)
    seen = walk.pass_(host, numbered(host, walk.b, "S", ISN), walk.b)
    early = answer(seen)
    early[TCP].seq, early[TCP].ack = PEER_ISN, 400_000
    walk.send(walk.b, early)
    walk.sim.run()
    if client == "c":
        walk.pass_(host, numbered(host, walk.b, "R", 400_000), walk.b)
        seen = walk.pass_(host, numbered(host, walk.b, "S", ISN), walk.b)
    walk.pass_(walk.b, answer(seen), host)
    assert walk.reasons() == ([Drop.TCP_SEQUENCE] if client == "a" else [])
    assert state(walk) == "answered"


@BOTH
def test_an_answer_to_data_that_came_with_the_first_of_two_syns(client: str) -> None:
    """RFC 7413: a SYN that comes again has no data any more, but the server has them."""
    walk = world()
    host = getattr(walk, client)
    syn = numbered(host, walk.b, "S", ISN)
    walk.pass_(host, syn / (b"d" * 100), walk.b)
    seen = walk.pass_(host, syn, walk.b)
    told = answer(seen)
    told[TCP].ack = ISN + 101
    walk.pass_(walk.b, told, host)
    assert walk.reasons() == []


@BOTH
def test_a_connection_with_ports_used_again_may_be_idle(client: str) -> None:
    """And each of two connections has what was its own in its record."""
    walk = world()
    web(walk, client).close()
    again = web(walk, client)
    assert again.say(again.client, b"last words") == b"last words"
    walk.sim.run(200 * SECOND)
    assert closes(walk) == [Close.TCP_FIN]
    again.close()
    walk.sim.run(3 * SECOND)
    assert [closed.packets for closed in walk.sim.closed] == [(5, 3), (6, 4)]
    walk.assert_empty()


@BOTH
def test_one_with_ports_used_again_that_says_nothing_lives_on(client: str) -> None:
    walk = world()
    web(walk, client).close()
    web(walk, client)
    walk.sim.run(200 * SECOND)
    assert closes(walk) == [Close.TCP_FIN]


def numbered(src: Host, dst: Host, flags: str, seq: int) -> Packet:
    packet = tcp(src, dst, flags)
    packet[TCP].seq = seq
    assert IP in packet
    return packet
