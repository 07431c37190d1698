"""What one side lost: wings that are written again, sessions that are given up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.config.schema import SECOND
from controller.config.stateless import STATELESS, Distribution
from controller.flow import Direction
from controller.messages import CreateSession, Deliver, InstallWing, PacketIn, Redirect, RemoveWing
from controller.reasons import Punt

from .world import World, configuration, udp


@pytest.mark.parametrize("mode", Distribution)
def test_a_wing_that_an_npu_lost_is_written_again(mode: Distribution) -> None:
    """By the central point, or hash-based at once: its packets miss and come to the owner."""
    world = World(configuration(stateless=replace(STATELESS, distribution=mode)))
    world.pass_(world.a, udp(world.a, world.b, n=1), world.b)
    npu = world.sim.npus[0]
    (key,) = npu.owners
    world.sim.run(10 * SECOND)
    before = npu.owners
    npu.handle(RemoveWing(before[key][0], Direction.FORWARD, 1, key), world.sim.now)
    assert npu.owners == {}
    world.pass_(world.a, udp(world.a, world.b, n=2), world.b)
    assert npu.owners == before
    assert world.sim.spus[1].repairs == 1
    world.pass_(world.a, udp(world.a, world.b, n=3), world.b)
    assert world.sim.spus[1].repairs == 1
    # Not while it may still be under way, nor again and again.
    for _ in range(3):
        npu.handle(RemoveWing(before[key][0], Direction.FORWARD, 1, key), world.sim.now)
        world.pass_(world.a, udp(world.a, world.b), world.b)
    assert world.sim.spus[1].repairs == 1


def test_a_wing_that_is_written_again_is_not_answered() -> None:
    """Its session may wait for another answer meanwhile: because it moves, for instance."""
    world = World()
    world.pass_(world.c, udp(world.c, world.b), world.b)
    world.sim.run(10 * SECOND)
    spu, now = world.sim.spus[1], world.sim.now
    (session,) = spu.sessions()
    frame, port = world.c.frame(udp(world.c, world.b)), world.c.interface.port
    missed = PacketIn(port, Punt.MISS, 1, 0, Direction.FORWARD, 0, frame, now)
    out = spu.handle(Deliver(session.forward.key, missed, session.id), now)
    ((_, renewal),) = [(to, message) for to, message in out if isinstance(message, InstallWing)]
    assert renewal.is_renewal
    assert world.sim.npus[port.npu].handle(renewal, now) == []


def test_owner_that_does_not_know_its_session_gives_it_up() -> None:
    world = World()
    world.pass_(world.a, udp(world.a, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    frame = world.a.frame(udp(world.a, world.b))
    port = world.a.interface.port
    packet = PacketIn(port, Punt.MISS, 1, 0, Direction.FORWARD, 0, frame, 0)
    world.sim.cp.handle(Redirect(session.forward.key, 1, packet, session.id), 0)
    assert world.sim.cp.counts().active == 0
    # The session, which the central point no longer knows, goes when that comes to light.
    ((_, created),) = world.sim.cp.handle(packet, 0)[2:]
    assert isinstance(created, CreateSession)
    out = [message for _, message in world.sim.spus[1].handle(created, 0)]
    assert [type(message) for message in out if isinstance(message, RemoveWing)] == [RemoveWing] * 2
