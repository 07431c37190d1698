"""Clients that SYN flood protection let in when their acknowledgement was lost, and servers that
remember an earlier connection with the same ports."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import TCP

from controller.config.cards import NatFaults
from controller.config.schema import SECOND, SynFloodMode
from controller.config.tcp import TcpOptions, TcpSettings
from controller.reasons import Drop

from .guarded import CLIENT_ISN, MOD, SERVER_ISN, Talk, attack, protected
from .world import World, chassis, configuration, with_nat

BOTH_MODES = pytest.mark.parametrize("mode", list(SynFloodMode))


@BOTH_MODES
@pytest.mark.parametrize("v6", [False, True], ids=["inet", "inet6"])
def test_who_asks_whether_the_window_is_open_has_been_answered(
    mode: SynFloodMode, v6: bool
) -> None:
    """He has something to say, so a cookie that nobody repeats is enough. Linux asks with the
    number before the next, BSD with the first byte."""
    world = World(protected(mode=mode))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b, v6=v6)
    talk.syn()
    talk.up("A", CLIENT_ISN, talk.cookie + 1, window=502)
    syn = talk.at_server()[TCP]
    assert (syn.flags, syn.seq, syn.window) == ("S", CLIENT_ISN, 65535)
    talk.answer()
    third = talk.at_server()[TCP]
    assert (third.flags, third.seq, third.ack) == ("A", CLIENT_ISN + 1, SERVER_ISN + 1)
    opened = talk.at_client()[TCP]
    assert (opened.flags, opened.ack) == ("A", CLIENT_ISN + 1)
    assert opened.window > 0
    talk.up("PA", CLIENT_ISN + 1, talk.cookie + 1, b"GET /", window=502)
    assert bytes(talk.at_server()[TCP].payload) == b"GET /"
    assert world.reasons() == []


def test_data_with_the_number_before_prove_nothing() -> None:
    world = World(protected())
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    talk.up("PA", CLIENT_ISN, talk.cookie + 1, b"x", window=502)
    talk.up("A", CLIENT_ISN - 1, talk.cookie + 1, window=502)
    assert world.reasons() == [Drop.TCP_NOT_SYN] * 2
    assert world.b.received == []


@pytest.mark.parametrize("flags", ["A", "SA"])
def test_a_server_that_remembers_an_earlier_connection_is_reset_and_asked_again(flags: str) -> None:
    """RFC 9293, section 3.5.1: as the client would have done it."""
    world = World(protected())
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    talk.prove()
    talk.down(flags, 700_000, 3_000_000)
    reset = talk.at_server()[TCP]
    assert (reset.flags, reset.seq) == ("R", 3_000_000)
    world.sim.run(2 * SECOND)
    assert (talk.at_server()[TCP].flags, talk.at_server()[TCP].seq) == ("S", CLIENT_ISN)
    talk.answer()
    assert talk.at_client()[TCP].seq == (talk.cookie + 1) % MOD
    assert world.reasons() == [Drop.TCP_NOT_SYN]


def test_a_server_that_resets_something_else_is_not_reset_in_turn() -> None:
    world = World(protected())
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    talk.prove()
    talk.down("RA", 0, 77)
    talk.down("S", 1000)
    assert len(world.b.received) == 1
    assert world.reasons() == [Drop.TCP_NOT_SYN] * 2


def test_a_policy_that_requires_a_syn_has_had_it() -> None:
    plain = configuration()
    tcp = TcpOptions(syn_check=True)
    policies = tuple(replace(policy, tcp=tcp) for policy in plain.policies)
    world = World(protected(replace(plain, policies=policies)))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    assert talk.prove()[TCP].flags == "S"
    talk.answer()
    assert world.reasons() == []


@pytest.mark.parametrize(("everywhere", "told"), [(None, 1200), (1300, 1200), (1000, 1000)])
def test_a_client_is_told_the_least_that_any_policy_has_servers_announce(
    everywhere: int | None, told: int
) -> None:
    """Which policy will let him in is not known yet."""
    plain = configuration(tcp=TcpSettings(mss=everywhere))
    first, *others = plain.policies
    policies = (first, *(replace(p, tcp=TcpOptions(reverse_mss=1200)) for p in others))
    world = World(protected(replace(plain, policies=policies)))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    assert dict(talk.syn()[TCP].options)["MSS"] == told


@BOTH_MODES
def test_who_was_told_that_he_is_connected_hears_that_no_session_came_of_it(
    mode: SynFloodMode,
) -> None:
    site = replace(chassis(), nat_faults=NatFaults(delay=60 * SECOND))
    world = World(protected(with_nat(), mode=mode), site)
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    talk.up("A", CLIENT_ISN + 1, talk.cookie + 1, window=502)
    world.sim.run(20 * SECOND)
    assert world.reasons() == [Drop.PENDING_TIMEOUT]
    reset = talk.at_client()[TCP]
    assert (reset.flags, reset.seq) == ("R", (talk.cookie + 1) % MOD)
    world.sim.run(120 * SECOND)
    world.assert_empty()
