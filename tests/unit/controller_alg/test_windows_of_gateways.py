"""Windows in segments that a gateway makes of its own accord."""

from __future__ import annotations

from controller_machines.test_syn_flood import CLIENT_ISN, SERVER_ISN, Talk, attack, protected
from controller_machines.world import World, configuration, policy
from scapy.layers.inet import TCP

from controller.config.applications import PREDEFINED

SPACE = 40_000
"""Bytes that the server has room for."""
OPTIONS = [("MSS", 1460), ("NOP", None), ("WScale", 9)]


def ftp() -> World:
    rule = policy("ftp", 1, "trust", "untrust", applications=(PREDEFINED["junos-ftp"],))
    return World(protected(configuration(policies=(rule,))))


def test_a_segment_made_like_a_syn_tells_its_window_as_segments_do() -> None:
    """A SYN's window is not scaled, that of what follows is (RFC 7323, 2.2)."""
    world = ftp()
    talk = Talk(world, world.a, world.b, dport=21, server_options=OPTIONS)
    talk.up("S", CLIENT_ISN, options=OPTIONS, window=60_000)
    talk.down("SA", SERVER_ISN, CLIENT_ISN + 1, options=OPTIONS, window=SPACE)
    # Half a line: the gateway acknowledges it for a server of which it knows the SYN-ACK only.
    talk.up("PA", CLIENT_ISN + 1, SERVER_ISN + 1, b"USER", window=100)
    said = talk.at_client()[TCP]
    assert (said.flags, said.ack) == ("A", (CLIENT_ISN + 5) % (1 << 32))
    assert said.window == SPACE >> 9


def test_so_it_does_behind_syn_flood_protection() -> None:
    world = ftp()
    attack(world, world.b, port=21)
    talk = Talk(world, world.a, world.b, dport=21, options=OPTIONS, server_options=OPTIONS)
    talk.connect()
    assert talk.at_client()[TCP].window == 65160 >> 7
    talk.up("PA", CLIENT_ISN + 1, talk.cookie + 1, b"USER", window=100)
    said = talk.at_client()[TCP]
    assert (said.flags, said.ack) == ("A", (CLIENT_ISN + 5) % (1 << 32))
    assert said.window == 65160 >> 7


def test_a_server_whose_offer_did_not_pass_is_told_no_more_than_there_is() -> None:
    """A SYN that was late begins a session of a connection that stands: whether its server scales
    windows, nobody here knows."""
    world = ftp()
    talk = Talk(world, world.a, world.b, dport=21, server_options=OPTIONS)
    talk.up("S", CLIENT_ISN, options=OPTIONS, window=60_000)
    # Half a line: the gateway acknowledges it for a client of which it knows the SYN only.
    talk.down("PA", SERVER_ISN + 1, CLIENT_ISN + 1, b"220 re", window=100)
    said = talk.at_server()[TCP]
    assert (said.flags, said.ack) == ("A", (SERVER_ISN + 7) % (1 << 32))
    assert said.window == 60_000 >> 9


def test_a_server_that_repeats_its_answer_changes_no_scale_that_the_client_was_told() -> None:
    world = ftp()
    attack(world, world.b, port=21)
    talk = Talk(world, world.a, world.b, dport=21, options=OPTIONS, server_options=OPTIONS)
    talk.connect()
    talk.down("SA", SERVER_ISN, CLIENT_ISN + 1, options=OPTIONS, window=SPACE)
    talk.up("PA", CLIENT_ISN + 1, talk.cookie + 1, b"USER", window=100)
    said = talk.at_client()[TCP]
    assert (said.flags, said.ack) == ("A", (CLIENT_ISN + 5) % (1 << 32))
    assert said.window == SPACE >> 7
