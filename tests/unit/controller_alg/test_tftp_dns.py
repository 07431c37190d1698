"""TFTP and DNS through the chassis: short dialogues over UDP."""

from __future__ import annotations

import pytest
from controller_machines.world import (
    NAT_DMZ,
    NAT_OUT,
    Host,
    World,
    configuration,
    policy,
)
from scapy.layers.inet import UDP
from scapy.packet import Packet

from controller.config.applications import PREDEFINED
from controller.config.nat import SourceNatRule
from controller.config.schema import SECOND, Configuration
from controller.messages import Step
from controller.reasons import Close, Drop
from controller.spu.express import NotExpress

from .talk import addresses, network, payload

N = "10.0.2.1"
READ = b"\0\1file\0octet\0"


def datagram(host: Host, to: str, sport: int, dport: int, data: bytes) -> Packet:
    return network(host.ip, to) / UDP(sport=sport, dport=dport) / data


def only(names: list[str], nat: tuple[SourceNatRule, ...] = (), **more: object) -> Configuration:
    applications = tuple(PREDEFINED[name] for name in names)
    rule = policy("out", 1, "trust", "untrust", applications=applications, services_offload=True)
    return configuration(policies=(rule,), source_nat=nat, **more)


@pytest.mark.parametrize("nat", [(), (NAT_OUT, NAT_DMZ)])
def test_tftp_server_answers_from_a_port_of_its_choice(nat: tuple[SourceNatRule, ...]) -> None:
    world = World(only(["junos-tftp"], nat))
    asked = world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 69, READ), world.b)
    source = addresses(asked)[0]
    assert source == (N if nat else world.a.ip)
    back = datagram(world.b, source, 4444, asked[UDP].sport, b"\0\3\0\1data")
    got = world.pass_(world.b, back, world.a)
    assert (payload(got), got[UDP].dport, got[UDP].sport) == (b"\0\3\0\1data", 3000, 4444)
    acknowledgement = datagram(world.a, world.b.ip, 3000, 4444, b"\0\4\0\1")
    assert payload(world.pass_(world.a, acknowledgement, world.b)) == b"\0\4\0\1"
    # The gate was for one flow.
    world.send(world.b, datagram(world.b, source, 5555, asked[UDP].sport, b"\0\3\0\1evil"))
    world.sim.run()
    assert world.reasons()[-1] in (Drop.POLICY_DENY, Drop.HOST_INBOUND)
    world.sim.run(200 * SECOND)
    world.assert_empty()


def test_the_walk_of_a_child_tells_of_its_gate_and_of_its_parent_s_policy() -> None:
    world = World(only(["junos-tftp"]))
    world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 69, READ), world.b)
    world.sim.steps.clear()
    world.pass_(world.b, datagram(world.b, world.a.ip, 4444, 3000, b"\0\3\0\1data"), world.a)
    told = {taken.step: taken.detail for taken in world.sim.steps}
    parent = world.sim.spus[1].sessions()[0].id
    assert told[Step.CHILD] == f"gate 1 of session {parent}, SPU 1, its load now 2"
    assert told[Step.PARENT] == f"out, of session {parent}"
    assert Step.PENDING not in told
    assert Step.POLICY not in told


def test_port_that_the_data_flow_shares_with_the_request_is_freed_last() -> None:
    world = World(only(["junos-tftp"], (NAT_OUT,)))
    asked = world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 69, READ), world.b)
    port = asked[UDP].sport
    world.pass_(world.b, datagram(world.b, N, 4444, port, b"\0\3\0\1data"), world.a)
    for _ in range(3):
        # The request's own session ages out, the data flows on.
        world.sim.run(40 * SECOND)
        world.pass_(world.b, datagram(world.b, N, 4444, port, b"\0\3\0\2more"), world.a)
    (child,) = world.sim.spus[1].sessions()
    assert child.application == "junos-tftp-data"
    assert sum(world.sim.cp.nat.in_use().values()) == 1
    world.sim.run(200 * SECOND)
    world.assert_empty()


def test_request_again_renews_its_gate() -> None:
    world = World(only(["junos-tftp"]))
    for _ in range(3):
        world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 69, READ), world.b)
    assert len(world.sim.cp.gates) == 1
    world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 69, b"\0\4what"), world.b)
    world.pass_(world.a, datagram(world.a, world.b.ip, 3001, 69, READ), world.b)
    assert len(world.sim.cp.gates) == 2


def message(identifier: int, answer: bool = False) -> bytes:
    flags = 0x8180 if answer else 0x0100
    return identifier.to_bytes(2, "big") + flags.to_bytes(2, "big") + bytes(8) + b"question"


@pytest.mark.parametrize("nat", [(), (NAT_OUT,)])
def test_dns_session_ends_with_the_answer(nat: tuple[SourceNatRule, ...]) -> None:
    world = World(only(["junos-dns-udp"], nat))
    asked = world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 53, message(7)), world.b)
    (view,) = world.sim.spus[1].sessions()
    assert view.not_express is NotExpress.ALG_CONTROL
    reply = datagram(world.b, addresses(asked)[0], 53, asked[UDP].sport, message(7, True))
    assert payload(world.pass_(world.b, reply, world.a)) == message(7, True)
    assert [record.reason for record in world.sim.closed] == [Close.RESPONSE_RECEIVED]
    world.assert_empty()


def test_resolver_that_asks_twice_at_once_gets_both_answers() -> None:
    world = World(only(["junos-dns-udp"]))
    for number in (7, 8, 8):
        world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 53, message(number)), world.b)
    for number in (8, 9, 7):
        answer = datagram(world.b, world.a.ip, 53, 3000, message(number, True))
        world.pass_(world.b, answer, world.a)
    assert [record.reason for record in world.sim.closed] == [Close.RESPONSE_RECEIVED]


def test_resolver_that_asks_more_than_is_remembered_gets_all_answers() -> None:
    world = World(only(["junos-dns-udp"]))
    numbers = range(300)
    for n in numbers:
        world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 53, message(n)), world.b)
    for n in numbers:
        world.send(world.b, datagram(world.b, world.a.ip, 53, 3000, message(n, True)))
    world.sim.run()
    assert len(world.a.received) == len(world.b.received) == 300
    assert not world.reasons()
    world.sim.run(61 * SECOND)
    assert world.closes() == [Close.IDLE_TIMEOUT]


def test_answer_that_nobody_asked_for_begins_no_session_unless_allowed() -> None:
    permit = (policy("dns", 1, "untrust", "trust"),)
    answer = message(7, True)
    world = World(configuration(policies=permit))
    world.send(world.b, datagram(world.b, world.a.ip, 53, 3000, answer))
    world.sim.run()
    assert world.reasons() == [Drop.DNS_REPLY_UNMATCHED]
    world = World(configuration(policies=permit, allow_dns_reply=True))
    world.pass_(world.b, datagram(world.b, world.a.ip, 53, 3000, answer), world.a)


def test_datagrams_behind_one_that_waits_for_a_gate_keep_their_order() -> None:
    world = World(only(["junos-tftp"], (NAT_OUT,)))
    world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 69, b"\0\4first"), world.b)
    for n in range(5):
        data = READ if n in (0, 3) else b"\0\4" + bytes((n,))
        world.send(world.a, datagram(world.a, world.b.ip, 3000, 69, data))
    world.sim.run()
    assert [payload(p)[:3] for p in world.b.received[-5:]] == [
        READ[:3], b"\0\4\1", b"\0\4\2", READ[:3], b"\0\4\4",
    ]  # fmt: skip
    assert len(world.sim.cp.gates) == 1
