"""Whatever ends at whatever moment, with messages under way: nothing is left of gates or ports."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from controller_machines.world import World, policy, tcp, with_nat
from scapy.layers.inet import UDP

from controller.config.applications import PREDEFINED
from controller.config.schema import SECOND

from .talk import Connection, network

N = "10.0.2.1"
MILLISECOND = 1_000_000


def packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


CONFIG = replace(
    with_nat(), policies=(policy("out", 1, "trust", "untrust"),), applications=PREDEFINED
)


@pytest.mark.parametrize("seed", range(6))
def test_parents_and_children_that_end_at_any_moment(seed: int) -> None:
    """Announcements, children and ends cross each other on the way; delays are up to 3 ms."""
    random = Random(seed)
    world = World(CONFIG, seed=seed, delay=(1_000, 3 * MILLISECOND), nat_ports=range(5000, 5040))
    controls = [Connection(world, world.a, world.b, 21, sport=40_000 + n) for n in range(3)]
    for n, control in enumerate(controls):
        # A command under way, a request of TFTP beside it, and somebody who tries all doors.
        line = b"PORT 10,0,1,2,100,%d\r\n" % n
        world.send(world.a, control.client.segment("PA", line))
        request = network(world.a.ip, world.b.ip) / UDP(sport=3000 + n, dport=69) / b"\0\1x\0y\0"
        world.send(world.a, request)
        world.sim.run(random.randint(0, 80 * MILLISECOND))
        for port in range(5000, 5040):
            if random.random() < 0.5:
                world.send(world.b, tcp(world.b, N, "S", 20, port), random.randint(0, MILLISECOND))
                data = network(world.b.ip, N) / UDP(sport=7000, dport=port) / b"\0\3data"
                world.send(world.b, data, random.randint(0, MILLISECOND))
        world.sim.run(random.randint(0, 80 * MILLISECOND))
        for spu in world.sim.spus.values():
            for session in spu.sessions():
                if random.random() < 0.2:
                    world.sim.clear(session.id)
    world.sim.run()
    world.sim.run(4000 * SECOND)
    world.assert_empty()
    children = [closed for closed in world.sim.closed if closed.forward.key.dst == packed(N)]
    assert children, "doors were found open"
