"""The server's half of a connection that SYN flood protection let in."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP

from controller.config.schema import SECOND
from controller.reasons import Close, Drop

from .guarded import CLIENT_ISN, MOD, SERVER_ISN, Talk, attack, checked, protected
from .world import World, with_nat


def test_what_the_client_sends_meanwhile_waits_for_the_server() -> None:
    world = World(protected())
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    talk.prove()
    talk.up("PA", CLIENT_ISN + 1, talk.cookie + 1, b"one")
    talk.up("S", CLIENT_ISN)  # came late, and is not needed
    talk.up("PA", CLIENT_ISN + 4, talk.cookie + 1, b"two")
    assert len(world.b.received) == 1
    talk.answer()
    after = [checked(packet)[TCP] for packet in world.b.received[1:]]
    assert [(t.seq, bytes(t.payload)) for t in after] == [
        ((CLIENT_ISN + 1) % MOD, b""),
        ((CLIENT_ISN + 1) % MOD, b"one"),
        ((CLIENT_ISN + 4) % MOD, b"two"),
    ]
    assert {t.ack for t in after} == {SERVER_ISN + 1}


def test_a_server_that_refuses_is_heard_by_the_client() -> None:
    world = World(protected(with_nat()))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    talk.prove()
    talk.down("RA", 0, CLIENT_ISN)  # of something else
    assert world.sim.closed == []
    talk.down("RA", 0, CLIENT_ISN + 1)
    reset = talk.at_client()[TCP]
    assert (reset.flags, reset.seq) == ("R", (talk.cookie + 1) % MOD)
    assert [closed.reason for closed in world.sim.closed] == [Close.TCP_SERVER_RST]
    world.assert_empty()


def test_a_silent_server_is_asked_again_and_then_given_up() -> None:
    world = World(protected())
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    talk.prove()
    world.sim.run(16 * SECOND)
    syns = [packet[TCP] for packet in world.b.received]
    assert [(syn.flags, syn.seq) for syn in syns] == [("S", CLIENT_ISN)] * 4
    assert talk.at_client()[TCP].flags == "R"
    assert [closed.reason for closed in world.sim.closed] == [Close.NO_ANSWER]
    assert world.reasons() == [Drop.NO_ANSWER]
    world.assert_empty()


@pytest.mark.parametrize(
    ("client", "server", "to_client", "to_server"),
    [
        ([("WScale", 9)], [("WScale", 5)], 1000 >> 2, 1000),
        ([("WScale", 2)], [("WScale", 9)], 4000, 1000),
        ([("WScale", 9)], [], 1000 >> 7, 65535),
        ([("WScale", 2)], [], 1000 >> 7, 4000),
        ([], [("WScale", 5)], 1000, 1000),
        ([], [], 1000, 1000),
    ],
)
def test_windows_mean_the_same_on_both_sides(
    client: list[tuple[str, object]],
    server: list[tuple[str, object]],
    to_client: int,
    to_server: int,
) -> None:
    world = World(protected())
    attack(world, world.b)
    talk = Talk(world, world.a, world.b, options=client, server_options=server)
    assert ("WScale" in dict(talk.syn()[TCP].options)) == bool(client)
    assert ("WScale" in dict(talk.prove()[TCP].options)) == bool(client)
    talk.answer()
    talk.up("PA", CLIENT_ISN + 1, talk.cookie + 1, b"x", window=1000)
    assert talk.at_server()[TCP].window == to_server
    talk.down("PA", SERVER_ISN + 1, CLIENT_ISN + 2, b"x", window=1000)
    assert talk.at_client()[TCP].window == to_client
