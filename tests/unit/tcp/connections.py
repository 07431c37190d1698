"""Connections through a chassis, and what is asked of them."""

from __future__ import annotations

from typing import Any

import pytest
from controller_alg.talk import Connection
from controller_machines.world import World, with_nat

from controller.config.tcp import TcpSettings
from controller.reasons import Close

BOTH = pytest.mark.parametrize("client", ["a", "c"])
"""Host a is the client of a normal session, host c of one on Express Path; host b serves both."""


def world(**settings: Any) -> World:
    return World(with_nat(tcp=TcpSettings(**settings)))


def web(world: World, client: str = "a", **options: Any) -> Connection:
    """An established connection to port 80."""
    return Connection(world, getattr(world, client), world.b, 80, **options)


def closes(world: World) -> list[Close]:
    return [closed.reason for closed in world.sim.closed]


def state(world: World) -> str:
    (view,) = world.sim.spus[1].sessions()
    return view.tcp
