"""A data session whose control session comes under another policy."""

from dataclasses import replace

import pytest
from controller_machines.world import World, configuration, policy

from controller.config.applications import PREDEFINED
from controller.config.schema import Rematch
from controller.reasons import Close

from .talk import Connection

FTP = policy("ftp", 1, "trust", "untrust", applications=(PREDEFINED["junos-ftp"],))
OTHER = replace(FTP, name="other", index=2)


@pytest.mark.parametrize("rematch", [Rematch.ON, Rematch.EXTENSIVE])
def test_a_data_session_goes_along(rematch: Rematch) -> None:
    world = World(configuration(policies=(FTP,)))
    control = Connection(world, world.a, world.b, 21)
    control.say(control.client, b"PORT 10,0,1,2,80,1\r\n")
    data = Connection(world, world.b, world.a, sport=20, listens_at=(control.client.ip, 20481))
    world.sim.reconfigure(configuration(policies=(OTHER,), policy_rematch=rematch))
    world.sim.run()
    if rematch is Rematch.EXTENSIVE:
        assert data.say(data.client, b"more") == b"more"
        assert [view.policy for view in world.sim.spus[1].sessions()] == ["other", "other"]
    else:
        assert world.closes() == [Close.POLICY_CHANGED] * 2
        world.assert_empty()
