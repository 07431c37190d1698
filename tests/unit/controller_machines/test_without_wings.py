"""Sessions whose wings no NPU has room for: they live on their SPU alone, and end in one step."""

from __future__ import annotations

from controller.reasons import Close

from .test_life import closes, connect, reply
from .world import World, tcp, with_nat


def test_ports_used_again_right_after_fin_begin_anew() -> None:
    """Nothing has to come off an NPU, so the old session is gone before its successor waits."""
    world = World(with_nat())
    for npu in world.sim.npus.values():
        npu.capacity = 0
    syn = connect(world, world.a, world.b)
    world.pass_(world.a, tcp(world.a, world.b, "FA"), world.b)
    world.pass_(world.b, reply(syn, "FA"), world.a)
    connect(world, world.a, world.b)
    assert closes(world) == [Close.TCP_FIN]
    (session,) = world.sim.spus[1].sessions()
    assert session.tcp == "established"
    assert world.reasons() == []
