"""A client that SYN proxy has answered asks again, when there is no flood any more."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP

from controller.config.schema import SynFloodMode

from .test_syn_flood import CLIENT_ISN, Talk, attack, protected
from .world import World, chassis


def calm(world: World) -> None:
    """Fewer SYNs than the threshold."""
    for npu in world.sim.npus.values():
        npu.attacked.clear()


@pytest.mark.parametrize("sport", range(1025, 1030))
def test_he_is_not_answered_by_the_server_with_another_number(sport: int) -> None:
    world = World(protected(mode=SynFloodMode.PROXY), chassis(3))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b, sport=sport)
    talk.syn()
    calm(world)
    ours = talk.cookie
    assert talk.syn()[TCP].seq == ours
    assert world.b.received == []
    assert talk.prove()[TCP].flags == "S"
    talk.answer()
    assert (talk.at_server()[TCP].flags, talk.at_client()[TCP].seq) == ("A", ours + 1)
    assert world.reasons() == []


def test_with_a_new_number_it_is_another_connection() -> None:
    world = World(protected(mode=SynFloodMode.PROXY))
    attack(world, world.b)
    talk = Talk(world, world.a, world.b)
    talk.syn()
    calm(world)
    talk.up("S", CLIENT_ISN + 99)
    assert talk.at_server()[TCP].seq == (CLIENT_ISN + 99) % (1 << 32)
    assert world.sim.spus[1].guard_counts().half_open == 0
