"""Connections through a chassis: what is checked, what falls and by what name, and how they end.

Host a is the client of a normal session, host c of one on Express Path; host b serves both.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from controller_alg.talk import Connection, checksum_is_right
from controller_machines.world import (
    World,
    answer,
    configuration,
    policy,
    tcp,
    udp,
    with_nat,
)
from scapy.layers.inet import IP, TCP

from controller.config.applications import PREDEFINED
from controller.config.schema import SECOND
from controller.config.tcp import TcpOptions, TcpSettings
from controller.flow import Path
from controller.reasons import Close, Drop
from controller.spu.express import NotExpress

from .connections import BOTH, closes, state, web, world

# -- sequence check -----------------------------------------------------------------------------


def test_what_is_out_of_the_window_falls_and_the_connection_goes_on() -> None:
    walk = world()
    talk = web(walk)
    assert talk.say(talk.client, b"GET /") == b"GET /"
    client = talk.client
    for forged in (
        client.segment("PA", b"evil", client.seq + 9000),
        client.segment("R", seq=client.seq + 9000),
        client.segment("RA", seq=client.seq - 9000),
        client.segment("FA", seq=client.seq + 70_000),
    ):
        walk.send(walk.a, forged)
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_SEQUENCE] * 4
    assert "seq" in walk.sim.dropped[0].detail
    assert state(walk) == "established"
    assert talk.say(talk.server, b"200 OK") == b"200 OK"
    talk.close()
    walk.sim.run(3 * SECOND)
    assert closes(walk) == [Close.TCP_FIN]
    walk.assert_empty()


def test_a_blind_ack_establishes_nothing() -> None:
    """Else sessions of senders who never see an answer would live for half an hour."""
    walk = world()
    syn = walk.pass_(walk.a, tcp(walk.a, walk.b, "S"), walk.b)
    walk.pass_(walk.b, answer(syn), walk.a)
    blind = tcp(walk.a, walk.b, "A")
    blind[TCP].seq, blind[TCP].ack = 1, 1_000_000
    walk.send(walk.a, blind)
    blind[TCP].ack = (1 << 32) - 1_000
    walk.send(walk.a, blind)
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_SEQUENCE] * 2
    assert state(walk) == "answered"
    walk.sim.run(25 * SECOND)
    assert closes(walk) == [Close.IDLE_TIMEOUT]
    walk.assert_empty()


def test_no_sequence_check_lets_them_pass() -> None:
    walk = world(sequence_check=False)
    talk = web(walk)
    walk.pass_(walk.a, talk.client.segment("PA", b"far", talk.client.seq + 9000), walk.b)
    assert walk.reasons() == []


def test_data_on_express_path_is_not_checked() -> None:
    walk = world()
    talk = web(walk, "c")
    (view,) = walk.sim.spus[1].sessions()
    assert view.path is Path.EXPRESS
    walk.pass_(walk.c, talk.client.segment("PA", b"far", talk.client.seq + 9000), walk.b)
    assert walk.reasons() == []


@pytest.mark.parametrize("at_once", [False, True])
def test_a_rst_on_express_path_is_one_that_its_sender_may_have_come_to(at_once: bool) -> None:
    """Its NPU knows how much its sender has sent."""
    walk = world(rst_invalidate=at_once)
    talk = web(walk, "c")
    for _ in range(10):
        talk.say(talk.client, b"x" * 1000)
    for off in (-11_000, 80_000, 1 << 31):
        walk.send(walk.c, talk.client.segment("R", seq=talk.client.seq + off))
    walk.send(walk.b, talk.server.segment("RA", seq=talk.server.seq + 70_000))
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_SEQUENCE] * 4
    assert talk.say(talk.server, b"still here") == b"still here"
    walk.pass_(walk.c, talk.client.segment("R"), walk.b)
    walk.sim.run(3 * SECOND)
    assert closes(walk) == [Close.TCP_CLIENT_RST]
    assert walk.reasons() == [Drop.TCP_SEQUENCE] * 4, "what has left is not looked at once more"
    walk.assert_empty()


def test_a_rst_that_waits_for_its_npu_is_not_lost_if_the_session_ends() -> None:
    walk = world()
    talk = web(walk, "c")
    (view,) = walk.sim.spus[1].sessions()
    walk.send(walk.c, talk.client.segment("R"))
    walk.sim.clear(view.id)
    walk.sim.run()
    assert closes(walk) in ([Close.CLEARED], [Close.TCP_CLIENT_RST])
    assert len(walk.reasons()) + sum("R" in str(p[TCP].flags) for p in walk.b.received) == 1
    walk.assert_empty()


@BOTH
def test_a_refusal_has_to_name_its_connection(client: str) -> None:
    walk = world()
    src = getattr(walk, client)
    there = walk.pass_(src, tcp(src, walk.b, "S"), walk.b)
    refusal = answer(there)
    refusal[TCP].flags, refusal[TCP].ack = "RA", 500_000
    walk.send(walk.b, refusal)
    bare = answer(there)
    bare[TCP].flags = "R"
    walk.send(walk.b, bare)
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_SEQUENCE] * 2
    assert state(walk) == "opening"
    refusal[TCP].ack = 1
    walk.pass_(walk.b, refusal, src)
    assert state(walk) == "reset"


def test_a_connection_that_express_path_has_no_room_for_is_checked() -> None:
    walk = world()
    walk.sim.npus[1].capacity = 0
    talk = web(walk, "c")
    walk.send(walk.c, talk.client.segment("R", seq=talk.client.seq + 9000))
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_SEQUENCE]
    assert state(walk) == "established"


def test_windows_of_a_control_session_are_those_of_either_side_of_its_gateway() -> None:
    """The server is told other text than the client said, so their numbers differ."""
    ftp = PREDEFINED["junos-ftp"]
    walk = World(with_nat(applications={ftp.name: ftp}))
    talk = Connection(walk, walk.a, walk.b, 21)
    heard = b""
    for port in range(1, 6):
        heard += talk.say(talk.client, b"PORT 10,0,1,2,80,%d\r\n" % port)
        talk.say(talk.server, b"200 fine\r\n")
    assert heard.count(b"10,0,2,1") == 5
    assert walk.reasons() == []
    for end in (talk.client, talk.server):
        walk.send(end.host, end.segment("R", seq=end.seq + 9000))
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_SEQUENCE] * 2
    assert talk.say(talk.server, b"200 still here\r\n") == b"200 still here\r\n"


# -- how it begins ------------------------------------------------------------------------------


@BOTH
def test_no_syn_check_takes_up_connections_in_their_middle(client: str) -> None:
    walk = world(syn_check=False)
    src = getattr(walk, client)
    there = walk.pass_(src, tcp(src, walk.b, "PA"), walk.b)
    walk.pass_(walk.b, answer(there), src)
    assert state(walk) == "established"
    (view,) = walk.sim.spus[1].sessions()
    assert view.timeout == 300 * SECOND
    # Nobody knows its numbers, so none are checked.
    far = tcp(src, walk.b, "A")
    far[TCP].seq = 1 << 31
    walk.pass_(src, far, walk.b)
    walk.send(src, tcp(src, walk.b, "R", sport=9))
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_NOT_SYN], "a RST begins nothing"


def test_policy_may_require_a_syn_all_the_same() -> None:
    policies = (
        policy("checked", 1, "trust", "untrust", tcp=TcpOptions(syn_check=True)),
        policy("trust-dmz", 2, "trust", "dmz"),
    )
    walk = World(configuration(policies=policies, tcp=TcpSettings(syn_check=False)))
    walk.send(walk.a, tcp(walk.a, walk.b, "A"))
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_NOT_SYN]
    assert "checked" in walk.sim.dropped[0].detail
    walk.pass_(walk.a, tcp(walk.a, walk.c, "A"), walk.c)
    walk.pass_(walk.a, udp(walk.a, walk.b), walk.b)


def test_strict_syn_check_holds_data_up_until_the_handshake_is_complete() -> None:
    walk = world(strict_syn_check=True)
    syn = walk.pass_(walk.a, tcp(walk.a, walk.b, "S"), walk.b)
    early = tcp(walk.a, walk.b, "PA") / b"early"
    early[TCP].seq = 1
    walk.send(walk.a, early)
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_STRICT_SYN]
    walk.pass_(walk.b, answer(syn), walk.a)
    eager = answer(syn) / b"banner"
    eager[TCP].flags, eager[TCP].seq = "PA", 1
    walk.send(walk.b, eager)
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_STRICT_SYN] * 2
    early[TCP].ack = 1
    walk.pass_(walk.a, early, walk.b)  # its ACK completes the handshake
    walk.pass_(walk.b, eager, walk.a)


def test_a_syn_with_data_is_data() -> None:
    walk = world(strict_syn_check=True)
    walk.send(walk.a, tcp(walk.a, walk.b, "S") / b"fast open")
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_STRICT_SYN]
    walk.sim.run(30 * SECOND)
    walk.assert_empty()


@pytest.mark.parametrize(
    ("settings", "options", "why"),
    [
        ({"strict_syn_check": True}, None, NotExpress.STRICT_SYN),
        ({"rst_sequence_check": True}, None, NotExpress.RST_CHECK),
        (
            {"sequence_check": False},
            TcpOptions(sequence_check=True),
            NotExpress.SEQUENCE_CHECK,
        ),
        ({}, TcpOptions(initial_mss=900), None),
    ],
)
def test_what_only_an_spu_can_check_keeps_connections_with_it(
    settings: dict[str, bool], options: TcpOptions | None, why: NotExpress | None
) -> None:
    express = policy("fast", 1, "dmz", "untrust", services_offload=True, tcp=options)
    walk = World(configuration(policies=(express,), tcp=TcpSettings(**settings)))  # type: ignore[arg-type]
    talk = web(walk, "c")
    walk.pass_(walk.c, udp(walk.c, walk.b), walk.b)
    connection, datagrams = walk.sim.spus[1].sessions()
    assert (connection.not_express, datagrams.not_express) == (why, None)
    walk.send(walk.c, talk.client.segment("PA", b"x", talk.client.seq + 9000))
    walk.sim.run()
    checked = why in (NotExpress.SEQUENCE_CHECK, NotExpress.STRICT_SYN, NotExpress.RST_CHECK)
    assert walk.reasons() == [Drop.TCP_SEQUENCE] * checked


def test_zone_answers_strays_with_a_rst() -> None:
    plain = configuration()
    zones = {**plain.zones, "trust": replace(plain.zones["trust"], tcp_rst=True)}
    walk = World(replace(plain, zones=zones))
    stray = tcp(walk.a, walk.b, "PA") / b"who are you"
    stray[TCP].seq, stray[TCP].ack = 100, 777
    walk.send(walk.a, stray)
    walk.sim.run()
    (rst,) = walk.a.received
    assert (rst[IP].src, rst[TCP].sport, rst[TCP].flags) == (walk.b.ip, 80, "R")
    assert rst[TCP].seq == 777
    assert checksum_is_right(rst)
    for silent in (tcp(walk.a, walk.b, "R"), udp(walk.a, walk.b)):
        walk.send(walk.a, silent)
    walk.send(walk.b, tcp(walk.b, walk.c, "A"))  # of a zone that says nothing
    walk.sim.run()
    assert len(walk.a.received) == 1
    assert walk.b.received[-1][IP].src == walk.a.ip
    assert walk.reasons() == [Drop.TCP_NOT_SYN] * 3


# -- how it ends --------------------------------------------------------------------------------


def test_an_inexact_rst_falls_and_its_sender_is_told_the_number() -> None:
    walk = world(rst_sequence_check=True)
    talk = web(walk)
    talk.say(talk.client, b"GET /")
    walk.send(walk.a, talk.client.segment("R", seq=talk.client.seq + 5))
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_RST_SEQUENCE]
    (told,) = talk.client.listen()
    assert (told[TCP].flags, told[TCP].ack) == ("A", talk.client.seq)
    assert told[IP].src == walk.b.ip
    assert checksum_is_right(told)
    assert state(walk) == "established"
    walk.pass_(walk.a, talk.client.segment("R", seq=told[TCP].ack), walk.b)
    walk.sim.run(3 * SECOND)
    assert closes(walk) == [Close.TCP_CLIENT_RST]
    walk.assert_empty()


@BOTH
def test_rst_invalidates_its_session_at_once(client: str) -> None:
    walk = world(rst_invalidate=True)
    talk = web(walk, client)
    walk.pass_(walk.b, talk.server.segment("R"), talk.client.host)
    assert closes(walk) == [Close.TCP_SERVER_RST]
    walk.assert_empty()


@BOTH
def test_fin_invalidates_its_session_at_once(client: str) -> None:
    walk = world(fin_invalidate=True)
    talk = web(walk, client)
    walk.send(talk.client.host, talk.client.segment("FA", seq=talk.client.seq + 90_000))
    walk.sim.run()
    assert walk.reasons() == [Drop.TCP_SEQUENCE]
    assert closes(walk) == [], "not by a stranger's"
    walk.pass_(talk.client.host, talk.client.segment("FA"), walk.b)
    assert closes(walk) == [Close.TCP_FIN]
    walk.assert_empty()


@BOTH
def test_time_wait_lasts_as_long_as_configured_and_begins_anew_with_a_fin(client: str) -> None:
    walk = world(time_wait=100 * SECOND)
    talk = web(walk, client)
    talk.close()
    assert state(walk) == "time-wait"
    walk.sim.run(90 * SECOND)
    walk.send(walk.b, talk.server.segment("FA", seq=talk.server.seq - 1))
    walk.sim.run(90 * SECOND)
    assert closes(walk) == []
    (view,) = walk.sim.spus[1].sessions()
    assert view.timeout == 100 * SECOND
    walk.sim.run(20 * SECOND)
    assert closes(walk) == [Close.TCP_FIN]
    walk.assert_empty()


@BOTH
def test_session_ageout_leaves_time_wait_to_the_service(client: str) -> None:
    walk = world(time_wait=None)
    web(walk, client).close()
    walk.sim.run(290 * SECOND)
    assert closes(walk) == []
    walk.sim.run(20 * SECOND)
    assert closes(walk) == [Close.TCP_FIN]


@BOTH
def test_ports_of_a_connection_in_time_wait_may_be_used_again(client: str) -> None:
    walk = world(time_wait=100 * SECOND)
    web(walk, client).close()
    again = web(walk, client)
    assert again.say(again.client, b"again") == b"again"
    assert closes(walk) == [Close.TCP_FIN]
    assert state(walk) in ("answered", "established")


@BOTH
@pytest.mark.parametrize("applies", [True, False])
def test_half_closed_connections_age_as_configured(client: str, applies: bool) -> None:
    walk = world(time_wait=50 * SECOND, half_close=applies)
    talk = web(walk, client)
    talk.say(talk.client, b"", "FA")
    assert state(walk) == "half-closed"
    for _ in range(4):  # the server still has much to say
        walk.sim.run(40 * SECOND)
        assert talk.say(talk.server, b"more") == b"more"
    walk.sim.run(60 * SECOND)
    assert closes(walk) == [Close.IDLE_TIMEOUT] * applies
    walk.sim.run(250 * SECOND)
    assert closes(walk) == [Close.IDLE_TIMEOUT]
    walk.assert_empty()


def test_an_operator_sees_an_offloaded_connection_established_by_its_counter() -> None:
    walk = world(initial_timeout=60 * SECOND)
    walk.pass_(walk.b, answer(walk.pass_(walk.c, tcp(walk.c, walk.b, "S"), walk.b)), walk.c)
    (view,) = [view for spu in walk.sim.spus.values() for view in spu.sessions()]
    assert (view.path, view.tcp, view.timeout) == (Path.EXPRESS, "answered", 60 * SECOND)
    assert view.seen(0) == view, "its first SYN met no wing"
    assert view.seen(1).tcp == "established"
    assert view.seen(1).timeout == 300 * SECOND  # that of HTTP


@BOTH
def test_connections_that_are_not_established_end_after_the_initial_timeout(client: str) -> None:
    walk = world(initial_timeout=60 * SECOND)
    src = getattr(walk, client)
    walk.pass_(walk.b, answer(walk.pass_(src, tcp(src, walk.b, "S"), walk.b)), src)
    walk.sim.run(55 * SECOND)
    assert closes(walk) == []
    walk.sim.run(10 * SECOND)
    assert closes(walk) == [Close.IDLE_TIMEOUT]
