"""Session logs: the lines of one session name the same service, whatever its policy matched."""

from __future__ import annotations

from dataclasses import replace

from controller_machines.world import (
    ANY,
    HTTP,
    NAT_OUT,
    World,
    answer,
    configuration,
    policy,
    tcp,
    udp,
)

from controller.config.schema import Action, Application, Configuration
from controller.operate.session_log import SessionLog

OWN = Application("own-web", 6, ANY, range(80, 90))


def logged(world: World, config: Configuration) -> list[str]:
    """What the log says of all that happened, as soon as it is over."""
    lines: list[str] = []
    log = SessionLog(config, world.sim.spus[1].session, lines.append)
    for denied in world.sim.denied:
        log.denied(denied)
    for created in world.sim.created:
        log.created(created)
    for view in world.sim.spus[1].sessions():
        world.sim.clear(view.id)
    world.sim.run()
    for closed in world.sim.closed:
        log.closed(closed)
    return lines


def test_both_lines_of_a_session_name_the_application_that_its_policy_matched() -> None:
    loud = policy("web", 1, "trust", "untrust", applications=(OWN,), log_init=True, log_close=True)
    known = {a.name: a for a in (HTTP, OWN)}
    config = configuration(policies=(loud,), applications=known, source_nat=(NAT_OUT,))
    world = World(config)
    there = world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    world.pass_(world.b, answer(there), world.a)
    created, closed = logged(world, config)
    both = (
        "10.0.1.2/1025->10.0.2.2/80 own-web 10.0.2.1/1025->10.0.2.2/80 r1 N/A 6 web trust untrust"
    )
    assert f"RT_FLOW_SESSION_CREATE: session created {both} 10000001 N/A(N/A) ge-0/0/0.0" in created
    assert (
        f"RT_FLOW_SESSION_CLOSE: session closed Closed by operator: {both} 10000001 1(5" in closed
    )


def test_a_refused_flow_is_logged_with_the_application_that_its_policy_matched() -> None:
    games = Application("games", 17, ANY, range(5000, 6000))
    deny = policy("no", 1, "trust", "untrust", applications=(games,), action=Action.DENY)
    config = configuration(policies=(replace(deny, log_init=True),))
    world = World(config)
    world.send(world.a, udp(world.a, world.b))
    world.sim.run()
    (line,) = logged(world, config)
    assert line == (
        "RT_FLOW_SESSION_DENY: session denied 10.0.1.2/2000->10.0.2.2/5000 games 17(0) no trust "
        "untrust UNKNOWN UNKNOWN N/A(N/A) ge-0/0/0.0 Denied by policy"
    )
