"""What an operator sees of a connection whose handshake ends where its SPU does not look."""

from __future__ import annotations

from controller_machines.world import World

from controller.flow import Path
from controller.spu import SessionView

from .connections import BOTH, web, world


def view(of: World) -> SessionView:
    (only,) = of.sim.spus[1].sessions()
    return only


def test_on_express_path_the_forward_wing_tells_that_the_handshake_is_complete() -> None:
    """The SYN came to the SPU. What its wing has counted beyond is the ACK, or more."""
    walk = world()
    web(walk, "c")
    seen = view(walk)
    assert (seen.path, seen.tcp) == (Path.EXPRESS, "answered")
    assert seen.counted(0) == seen
    told = seen.counted(1)
    assert told.tcp == "established"
    assert told.timeout == 300 * 10**9 > seen.timeout
    assert view(walk) == seen, "to look changes nothing"


@BOTH
def test_of_other_connections_the_counter_tells_nothing_new(client: str) -> None:
    walk = world()
    connection = web(walk, client)
    connection.say(connection.client, b"", "FA")
    seen = view(walk)
    assert seen.tcp == "half-closed"
    assert seen.counted(1000) == seen
