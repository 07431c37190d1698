"""Data sessions when the policy of their control session changes: they have none of their own."""

from dataclasses import replace

import pytest
from controller_machines.world import World, configuration, policy, with_nat

from controller.config.applications import PREDEFINED
from controller.config.schema import Action, Configuration, Policy, Rematch
from controller.reasons import Close

from .talk import Connection

FTP = policy("ftp", 1, "trust", "untrust", applications=(PREDEFINED["junos-ftp"],))
OTHER = replace(FTP, name="other", index=2)


def site(*rules: Policy, rematch: Rematch = Rematch.OFF) -> Configuration:
    return configuration(policies=rules, policy_rematch=rematch)


def transfer(world: World) -> tuple[Connection, Connection]:
    """A control connection, and the data connection that the client announced on it."""
    control = Connection(world, world.a, world.b, 21)
    control.say(control.client, b"PORT 10,0,1,2,80,1\r\n")
    data = Connection(world, world.b, world.a, sport=20, listens_at=(control.client.ip, 20481))
    assert data.say(data.client, b"file") == b"file"
    return control, data


@pytest.mark.parametrize(
    ("change", "rematch", "stays"),
    [
        (FTP, Rematch.EXTENSIVE, True),
        (None, Rematch.OFF, False),
        (replace(FTP, action=Action.DENY), Rematch.OFF, True),
        (replace(FTP, action=Action.DENY), Rematch.ON, False),
        (replace(FTP, count=True), Rematch.ON, True),
        (OTHER, Rematch.ON, False),
        (OTHER, Rematch.EXTENSIVE, True),
        (None, Rematch.EXTENSIVE, False),
    ],
)
@pytest.mark.parametrize("alone", [False, True], ids=["both", "data alone"])
def test_a_data_session_goes_by_the_policy_of_its_control_session(
    change: Policy | None, rematch: Rematch, stays: bool, alone: bool
) -> None:
    world = World(site(FTP))
    control, data = transfer(world)
    if alone:
        control.close()
        world.sim.run(3_000_000_000)
        stays = stays and change is not OTHER  # nobody is there to be searched for
    ended = len(world.sim.closed)
    world.sim.reconfigure(site(*([change] if change else []), rematch=rematch))
    world.sim.run()
    if stays:
        assert len(world.sim.closed) == ended
        assert data.say(data.client, b"more") == b"more"
        views = world.sim.spus[1].sessions()
        if change is OTHER:
            assert {view.policy for view in views} == {"other"}
    else:
        assert world.closes()[ended:] == [Close.POLICY_CHANGED] * (1 if alone else 2)
        world.assert_empty()


def test_a_data_session_ends_with_the_nat_rule_of_its_control_session() -> None:
    world = World(with_nat(policies=(FTP,)), nat_ports=range(60_000, 60_100))
    control = Connection(world, world.a, world.b, 21)
    heard = control.say(control.client, b"PORT 10,0,1,2,80,1\r\n")
    *_, high, low = map(int, heard.split()[1].split(b","))
    hole = ("10.0.2.1", high << 8 | low)
    data = Connection(world, world.b, world.a, sport=20, listens_at=hole)
    assert data.say(data.client, b"file") == b"file"
    world.sim.reconfigure(site(FTP))
    world.sim.run()
    assert world.closes() == [Close.NAT_CHANGED] * 2
    world.assert_empty()
