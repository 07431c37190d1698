"""What a connection gets besides checks: its segment sizes, and its time-outs.

Host a is the client of a normal session, host c of one on Express Path; host b serves both.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from controller_alg.talk import Connection, checksum_is_right, payload
from controller_machines.world import (
    World,
    answer,
    configuration,
    policy,
    tcp,
    with_nat,
)
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet

from controller.config.applications import ANY_PORT, PREDEFINED
from controller.config.schema import NEVER, SECOND, Application, Configuration
from controller.config.tcp import TcpOptions, TcpSettings
from controller.flow import Tuple5
from controller.reasons import Close
from controller.spu.services import Services

from .connections import BOTH, closes, web, world

# -- maximum segment size -----------------------------------------------------------------------


def announced(packet: Packet) -> int | None:
    assert checksum_is_right(packet)
    return dict(packet[TCP].options).get("MSS")


@BOTH
@pytest.mark.parametrize("odd", [False, True])
def test_all_tcp_mss_lowers_what_both_sides_announce(client: str, odd: bool) -> None:
    walk = world(mss=1200)
    src = getattr(walk, client)
    syn = tcp(src, walk.b, "S")
    syn[TCP].options = [("NOP", None)] * odd + [("MSS", 1460), ("WScale", 7)]
    there = walk.pass_(src, syn, walk.b)
    assert announced(there) == 1200
    back = answer(there)
    back[TCP].options = [("NOP", None)] * odd + [("MSS", 1300)]
    assert announced(walk.pass_(walk.b, back, src)) == 1200


def test_what_is_low_enough_or_says_nothing_stays() -> None:
    walk = world(mss=1200)
    for options, expected in (([("MSS", 1200)], 1200), ([("MSS", 536)], 536), ([], None)):
        syn = tcp(walk.a, walk.b, "S", sport=2000 + len(walk.b.received))
        syn[TCP].options = options
        assert announced(walk.pass_(walk.a, syn, walk.b)) == expected


def test_a_policy_has_its_own_mss_for_each_direction() -> None:
    own = TcpOptions(initial_mss=1000, reverse_mss=900)
    policies = (policy("own", 1, "trust", "untrust", tcp=own),)
    walk = World(with_nat(policies=policies, tcp=TcpSettings(mss=800)))
    talk = web(walk, options=(("MSS", 1460),))
    assert announced(talk.syn) == 1000
    assert announced(walk.a.received[0]) == 900


def test_mss_over_ipv6_and_of_a_control_session() -> None:
    ftp = PREDEFINED["junos-ftp"]
    walk = World(configuration(applications={ftp.name: ftp}, tcp=TcpSettings(mss=1220)))
    talk = Connection(walk, walk.a, walk.b, 21, six=True, options=(("MSS", 1440),))
    assert IPv6 in talk.syn
    assert announced(talk.syn) == 1220
    # What the gateway sends keeps to it, too.
    big = b"200 " + b"x" * 3000 + b"\r\n"
    before = len(walk.a.received)
    for at in range(0, len(big), 1400):
        talk.say(talk.server, big[at : at + 1400])
    assert talk.client.heard == big
    assert max(len(payload(packet)) for packet in walk.a.received[before:]) <= 1220


def test_windows_that_pass_a_gateway_are_bounded() -> None:
    ftp = PREDEFINED["junos-ftp"]
    settings = TcpSettings(maximum_window=1 << 16)
    walk = World(with_nat(applications={ftp.name: ftp}, tcp=settings))
    scaled = Connection(walk, walk.a, walk.b, 21, options=(("WScale", 5),))
    plain = Connection(walk, walk.a, walk.b, 21, sport=41_000)
    for talk, heard in ((scaled, 1 << 16 >> 5), (plain, 60_000)):
        segment = talk.client.segment("A")
        segment[TCP].window = 60_000
        got = walk.pass_(walk.a, segment, walk.b)
        assert got[TCP].window == heard
        assert checksum_is_right(got)
    assert scaled.syn[TCP].window == 8192


# -- time-outs ----------------------------------------------------------------------------------


def application(name: str, protocol: int, ports: range, seconds: int | None) -> Application:
    timeout = NEVER if seconds == 0 else None if seconds is None else seconds * SECOND
    return Application(name, protocol, ANY_PORT, ports, timeout)


OWN = (
    application("plain", 6, range(8000, 8100), None),
    application("slow", 6, range(8080, 8081), 7200),
    application("endless", 6, range(9000, 9001), 0),
    application("wide", 17, range(7000, 7010), 11),
)


def config_of(*applications: Application) -> Configuration:
    known = configuration().applications
    return configuration(applications={**known, **{a.name: a for a in applications}})


@pytest.mark.parametrize(
    ("matched", "protocol", "port", "seconds"),
    [
        (None, 6, 22, 1800),  # by protocol
        (None, 17, 9, 60),
        (None, 1, 0, 4),
        (None, 58, 0, 4),
        (None, 89, 0, 60),
        (None, 47, 0, 1800),
        (None, 6, 80, 300),  # by port
        ("plain", 6, 8001, 1800),  # its application has none, nor has its port
        ("plain", 6, 8080, 7200),  # another application gave the port one
        ("plain", 6, 80, 300),
        ("slow", 6, 8080, 7200),  # by application
        (None, 6, 8080, 7200),
        ("endless", 6, 9000, None),
        (None, 6, 9000, None),
        (None, 17, 7005, 11),
        ("wide", 17, 7000, 11),
    ],
)
def test_time_out_is_the_applications_then_the_ports_then_the_protocols(
    matched: str | None, protocol: int, port: int, seconds: int | None
) -> None:
    config = config_of(*OWN)
    services = Services(config)
    application = None if matched is None else config.applications[matched]
    service = services.find(Tuple5(b"\1\1\1\1", b"\2\2\2\2", 5, port, protocol), application)
    assert service.timeout == (NEVER if seconds is None else seconds * SECOND)


@BOTH
def test_a_time_out_may_be_shorter_than_the_initial_one(client: str) -> None:
    brief = application("brief", 6, range(80, 81), 5)
    walk = World(with_nat(applications={brief.name: brief}))
    talk = web(walk, client)
    walk.sim.run(4 * SECOND)
    assert talk.say(talk.client, b"not yet") == b"not yet"
    walk.sim.run(4 * SECOND)
    assert closes(walk) == []
    walk.sim.run(3 * SECOND)
    assert closes(walk) == [Close.IDLE_TIMEOUT]
    walk.assert_empty()


@BOTH
def test_a_session_without_time_out_stays(client: str) -> None:
    config = config_of(replace(OWN[2], destination_ports=range(80, 81)))
    walk = World(replace(config, applications={OWN[2].name: config.applications["endless"]}))
    talk = web(walk, client)
    walk.sim.run(4000 * SECOND)
    assert talk.say(talk.client, b"still here") == b"still here"
    assert closes(walk) == []
