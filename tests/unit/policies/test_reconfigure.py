"""Sessions while the configuration changes: policies, interfaces, routes."""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from controller_machines.world import (
    HTTP,
    UNTRUST,
    World,
    answer,
    configuration,
    policy,
    tcp,
    udp,
    with_nat,
)

from controller.config.schema import (
    SECOND,
    Action,
    Configuration,
    Policy,
    Rematch,
    StaticRoute,
)
from controller.flow import Path
from controller.reasons import Close, Drop
from controller.spu import reconfigure

OUT = policy("out", 1, "dmz", "untrust")
EXPRESS = replace(OUT, services_offload=True)


def running(*rules: Policy, rematch: Rematch = Rematch.OFF) -> Configuration:
    return configuration(policies=rules, policy_rematch=rematch)


def established(*rules: Policy) -> World:
    """A world in which host c has a session with host b."""
    world = World(running(*rules))
    there = world.pass_(world.c, udp(world.c, world.b), world.b)
    world.pass_(world.b, answer(there), world.c)
    return world


def still_passes(world: World) -> bool:
    world.sim.run()
    return not world.sim.closed and bool(world.pass_(world.c, udp(world.c, world.b, n=7), world.b))


@pytest.mark.parametrize("of", [OUT, EXPRESS], ids=["spu", "express"])
@pytest.mark.parametrize(
    ("change", "rematch", "stays"),
    [
        (OUT, Rematch.OFF, True),
        (OUT, Rematch.ON, True),
        (None, Rematch.OFF, False),
        (None, Rematch.ON, False),
        (replace(OUT, action=Action.DENY), Rematch.OFF, True),
        (replace(OUT, action=Action.DENY), Rematch.ON, False),
        (replace(OUT, action=Action.REJECT), Rematch.EXTENSIVE, False),
        (replace(OUT, sources=(ip_network("192.0.2.0/24"),)), Rematch.OFF, True),
        (replace(OUT, sources=(ip_network("192.0.2.0/24"),)), Rematch.ON, False),
        (replace(OUT, sources=(ip_network("10.0.3.0/24"),)), Rematch.ON, True),
        (replace(OUT, applications=(HTTP,)), Rematch.ON, False),
        (replace(OUT, name="renamed", index=2), Rematch.ON, False),
        (replace(OUT, name="renamed", index=2), Rematch.EXTENSIVE, True),
    ],
)
def test_policy_rematch(of: Policy, change: Policy | None, rematch: Rematch, stays: bool) -> None:
    world = established(of)
    (view,) = world.sim.spus[1].sessions()
    assert view.path is (Path.EXPRESS if of is EXPRESS else Path.SPU)
    world.sim.reconfigure(running(*([change] if change else []), rematch=rematch))
    assert still_passes(world) == stays
    if stays:
        (view,) = world.sim.spus[1].sessions()
        if change is not None and rematch is Rematch.EXTENSIVE:
            assert (view.policy, view.policy_index) == (change.name, change.index)
    else:
        assert [closed.reason for closed in world.sim.closed] == [Close.POLICY_CHANGED]
        world.assert_empty()


def test_an_inserted_policy_only_counts_when_the_rematch_is_extensive() -> None:
    stop = policy("stop", 9, "dmz", "untrust", action=Action.DENY)
    for rematch, stays in ((Rematch.ON, True), (Rematch.EXTENSIVE, False)):
        world = established(OUT)
        world.sim.reconfigure(running(stop, OUT, rematch=rematch))
        assert still_passes(world) == stays


def test_many_sessions_are_looked_at_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconfigure, "SLICE", 2)
    world = World(running(OUT))
    for sport in range(2000, 2005):
        world.pass_(world.c, udp(world.c, world.b, sport=sport), world.b)
    world.sim.reconfigure(running())
    world.sim.run(SECOND)
    assert len(world.sim.closed) == 5
    world.assert_empty()


def test_a_flow_that_is_being_set_up_is_decided_on_anew() -> None:
    world = World(running(OUT))
    world.b.answers_arp = False
    world.send(world.c, udp(world.c, world.b))
    world.sim.run(SECOND // 2)
    world.sim.reconfigure(running())
    world.sim.run(SECOND)
    assert world.reasons() == [Drop.POLICY_DENY]
    world.assert_empty()


def test_a_session_that_is_being_installed_is_looked_at_afterwards() -> None:
    world = World(running(OUT))
    world.send(world.c, udp(world.c, world.b))
    spu = world.sim.spus[1]
    seen = False

    def on_event() -> None:
        nonlocal seen
        if not seen and spu.sessions():
            seen = True
            world.sim.reconfigure(running())

    world.sim.on_event = on_event
    world.sim.run()
    assert seen
    assert [closed.reason for closed in world.sim.closed] == [Close.POLICY_CHANGED]
    world.assert_empty()


def test_an_interface_that_changes_its_zone_ends_sessions() -> None:
    world = established(EXPRESS)
    config = running(EXPRESS)
    moved = replace(UNTRUST, zone="trust", token=1)
    world.sim.reconfigure(replace(config, interfaces={**config.interfaces, UNTRUST.name: moved}))
    assert not still_passes(world)
    assert [closed.reason for closed in world.sim.closed] == [Close.INTERFACE_CHANGED]
    world.assert_empty()


def test_an_interface_that_changes_its_address_ends_translated_sessions() -> None:
    world = World(with_nat())
    world.pass_(world.a, udp(world.a, world.b), world.b)
    config = with_nat()
    other = replace(UNTRUST, addresses=(ip_interface("10.0.2.7/24"), UNTRUST.addresses[1]))
    world.sim.reconfigure(replace(config, interfaces={**config.interfaces, UNTRUST.name: other}))
    world.sim.run()
    assert [closed.reason for closed in world.sim.closed] == [Close.INTERFACE_CHANGED]
    world.assert_empty()


# -- routes ---------------------------------------------------------------------------------

FAR = "192.0.2.9"


def to(gateway: str | None, **changes: object) -> Configuration:
    routes = ()
    if gateway is not None:
        routes = (StaticRoute(ip_network("192.0.2.0/24"), ip_address(gateway).packed),)
    return configuration(routes=routes, policies=(OUT, EXPRESS), **changes)


@pytest.mark.parametrize("rules", [(OUT,), (EXPRESS,)], ids=["spu", "express"])
def test_sessions_follow_their_route_to_another_next_hop(rules: tuple[Policy, ...]) -> None:
    world = World(replace(to("10.0.2.254"), policies=rules))
    for number in range(3):
        world.pass_(world.c, udp(world.c, FAR, n=number), world.g)
    world.sim.reconfigure(replace(to("10.0.2.2"), policies=rules))
    if rules == (EXPRESS,):
        world.sim.run()  # until then packets go the old way, by the NPUs alone
    # What comes while it moves waits, and keeps its order.
    for number in range(3, 6):
        world.send(world.c, udp(world.c, FAR, n=number))
    world.sim.run()
    assert [bytes(p.payload.payload.payload)[:4] for p in world.b.received[-3:]] == [
        number.to_bytes(4, "big") for number in range(3, 6)
    ]
    world.pass_(world.c, udp(world.c, FAR, n=9), world.b)
    (view,) = world.sim.spus[1].sessions()
    assert view.forward.hop.dst_mac.hex(":") == world.b.mac
    world.sim.clear(view.id)
    world.sim.run()
    (closed,) = world.sim.closed
    assert closed.packets == (7, 0)
    world.assert_empty()


def test_a_route_into_another_zone_ends_sessions() -> None:
    world = World(replace(to("10.0.2.254"), policies=(OUT,)))
    world.pass_(world.c, udp(world.c, FAR), world.g)
    world.sim.reconfigure(replace(to("10.0.1.2"), policies=(OUT,)))
    world.sim.run()
    assert [closed.reason for closed in world.sim.closed] == [Close.ROUTE_CHANGED]
    world.assert_empty()


def test_a_new_next_hop_that_is_silent_ends_the_session() -> None:
    world = World(replace(to("10.0.2.254"), policies=(OUT,)))
    world.pass_(world.c, udp(world.c, FAR), world.g)
    world.sim.reconfigure(replace(to("10.0.2.99"), policies=(OUT,)))
    world.sim.run(5 * SECOND)
    assert [closed.reason for closed in world.sim.closed] == [Close.ROUTE_CHANGED]
    world.assert_empty()


def test_a_session_without_route_lasts_for_route_change_timeout() -> None:
    for limit, lasts in ((None, 60), (10 * SECOND, 10)):
        world = World(replace(to("10.0.2.254"), policies=(OUT,)))
        world.pass_(world.c, udp(world.c, FAR), world.g)
        world.sim.reconfigure(replace(to(None, route_change_timeout=limit), policies=(OUT,)))
        world.sim.run((lasts - 1) * SECOND)
        assert not world.sim.closed
        world.sim.run(2 * SECOND)
        assert [closed.reason for closed in world.sim.closed] == [Close.IDLE_TIMEOUT]
        world.assert_empty()


def test_a_route_that_comes_back_restores_the_time_out() -> None:
    world = World(replace(to("10.0.2.254"), policies=(OUT,)))
    world.pass_(world.c, udp(world.c, FAR), world.g)
    gone = to(None, route_change_timeout=10 * SECOND)
    world.sim.reconfigure(replace(gone, policies=(OUT,)))
    world.sim.run(5 * SECOND)
    world.sim.reconfigure(replace(to("10.0.2.254"), policies=(OUT,)))
    world.sim.run(50 * SECOND)
    assert not world.sim.closed


def test_a_disabled_interface_takes_its_routes_along() -> None:
    config = replace(to("10.0.2.254", route_change_timeout=6 * SECOND), policies=(OUT,))
    world = World(config)
    world.pass_(world.c, udp(world.c, FAR), world.g)
    down = {**config.interfaces, UNTRUST.name: replace(UNTRUST, enabled=False)}
    world.sim.reconfigure(replace(config, interfaces=down))
    world.sim.run(7 * SECOND)
    assert [closed.reason for closed in world.sim.closed] == [Close.IDLE_TIMEOUT]
    world.send(world.c, udp(world.c, FAR, sport=9))
    world.sim.run()
    assert world.reasons() == [Drop.NO_ROUTE]


def test_a_connection_that_ends_while_it_moves_ends() -> None:
    world = World(replace(to("10.0.2.254"), policies=(OUT,)))
    world.pass_(world.c, tcp(world.c, FAR, "S"), world.g)
    world.sim.reconfigure(replace(to("10.0.2.2"), policies=(OUT,)))
    world.send(world.c, tcp(world.c, FAR, "R"))
    world.sim.run(3 * SECOND)
    assert [closed.reason for closed in world.sim.closed] == [Close.TCP_CLIENT_RST]
    world.assert_empty()


def test_a_new_policy_with_the_number_of_one_that_is_gone_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconfigure, "SLICE", 2)
    world = World(running(OUT))
    for sport in range(2000, 2005):
        world.pass_(world.c, udp(world.c, world.b, sport=sport), world.b)
    world.sim.reconfigure(running())
    world.sim.reconfigure(running(replace(OUT, name="new")))  # before all were looked at
    world.sim.run(SECOND)
    assert len(world.sim.closed) == 5
    world.assert_empty()
