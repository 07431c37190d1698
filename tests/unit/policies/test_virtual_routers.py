"""Virtual routers, tokens, ECMP, and routes that refuse."""

from collections import Counter
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from controller_machines.world import (
    DMZ,
    TRUST,
    UNTRUST,
    World,
    answer,
    configuration,
    policy,
    tcp,
    udp,
    with_nat,
)
from scapy.packet import Packet

from controller.config.build import parse
from controller.config.host_services import HostService
from controller.config.problems import ConfigurationError
from controller.config.schema import SECOND, Configuration, RouteAction, StaticRoute
from controller.config.stateless import Distribution
from controller.flow import Tuple5
from controller.reasons import Drop
from controller.routing.fib import Fib, FibError

LINES = """\
set interfaces ge-1/0/0 unit 0 family inet address 10.1.1.1/24
set interfaces ge-1/0/1 unit 0 family inet address 10.1.1.1/24
set interfaces ge-2/0/0 unit 0 family inet address 203.0.113.1/24
set security zones security-zone a interfaces ge-1/0/0.0
set security zones security-zone a interfaces ge-1/0/1.0
set security zones security-zone b interfaces ge-2/0/0.0
set routing-instances blue instance-type virtual-router
set routing-instances blue interface ge-1/0/1.0
set routing-instances blue routing-options static route 0.0.0.0/0 next-table inet.0
set routing-options static route 192.0.2.0/24 next-hop [ 203.0.113.2 203.0.113.3 ]
set routing-options static route 198.51.100.0/24 qualified-next-hop 203.0.113.2 preference 9
set routing-options static route 198.51.100.0/24 qualified-next-hop 203.0.113.3
set routing-options static route 233.252.0.0/24 discard
set routing-options static route 172.16.0.0/12 reject
"""


def packed(text: str) -> bytes:
    return ip_address(text).packed


def test_a_virtual_router_has_its_own_table_and_token() -> None:
    config = parse(LINES)
    first, second = config.interfaces["ge-1/0/0.0"], config.interfaces["ge-1/0/1.0"]
    assert (first.vr, second.vr) == ("", "blue")
    assert first.token == 1
    assert second.token > 255
    assert first.zone == second.zone == "a"
    fib = Fib(config)
    for vr, interface in (("", first), ("blue", second)):
        route = fib.lookup(packed("10.1.1.9"), vr)
        assert route is not None
        assert route.interface is interface


def test_tokens_zones_and_policies_keep_their_numbers() -> None:
    old = parse(LINES)
    new = parse(
        "set security zones security-zone c\n"
        "set routing-instances green instance-type virtual-router\n" + LINES,
        previous=old,
    )
    assert {name: zone.id for name, zone in new.zones.items()} == {"a": 1, "b": 2, "c": 3}
    assert new.interfaces["ge-1/0/1.0"].token == old.interfaces["ge-1/0/1.0"].token


def test_a_table_may_hand_on_to_another() -> None:
    route = Fib(parse(LINES)).lookup(packed("203.0.113.9"), "blue")
    assert route is not None
    assert route.interface.name == "ge-2/0/0.0"


def test_the_lowest_preference_wins() -> None:
    route = Fib(parse(LINES)).lookup(packed("198.51.100.1"))
    assert route is not None
    assert route.next_hop == packed("203.0.113.3")


def test_refusals_say_why() -> None:
    fib = Fib(parse(LINES))
    for text, reason in (
        ("172.16.1.1", Drop.ROUTE_REJECT),
        ("233.252.0.1", Drop.NO_ROUTE),  # multicast is never routed
        ("8.8.8.8", Drop.NO_ROUTE),
    ):
        assert fib.lookup(packed(text)) is None
        assert fib.refusal(packed(text)) is reason
    discard = parse(LINES.replace("233.252.0.0/24", "100.64.0.0/10"))
    assert Fib(discard).refusal(packed("100.64.0.1")) is Drop.ROUTE_DISCARD


def flows() -> list[Tuple5]:
    return [
        Tuple5(packed("10.1.1.2"), packed("192.0.2.7"), port, 80, 6) for port in range(2000, 2400)
    ]


def hops(fib: Fib) -> dict[Tuple5, bytes]:
    found = {}
    for flow in flows():
        route = fib.lookup(flow.dst, flow=flow)
        assert route is not None
        found[flow] = route.next_hop
    return found


def test_flows_are_spread_over_equal_paths_and_stay() -> None:
    config = parse(LINES)
    before = hops(Fib(config))
    shares = Counter(before.values())
    assert len(shares) == 2
    assert min(shares.values()) > 120
    assert hops(Fib(config)) == before
    # A third path takes its share; no flow moves between the other two.
    more = parse(LINES.replace("203.0.113.3 ]", "203.0.113.3 203.0.113.4 ]"))
    after = hops(Fib(more))
    moved = {flow for flow in before if before[flow] != after[flow]}
    assert {after[flow] for flow in moved} == {packed("203.0.113.4")}
    assert 80 < len(moved) < 200


def test_a_path_by_the_preferred_interface_is_taken() -> None:
    prefix = ip_network("192.0.2.0/24")
    config = configuration(
        routes=(
            StaticRoute(prefix, packed("10.0.2.254")),
            StaticRoute(prefix, packed("10.0.1.2")),
        )
    )
    fib = Fib(config)
    for interface in (TRUST, UNTRUST):
        for flow in flows()[:10]:
            route = fib.lookup(flow.dst, flow=flow, prefer=interface)
            assert route is not None
            assert route.interface is interface
    assert len(fib.paths(packed("192.0.2.1"))) == 2


def test_a_next_hop_behind_a_disabled_interface_is_not_used() -> None:
    prefix = ip_network("192.0.2.0/24")
    config = configuration(
        interfaces={i.name: i for i in (TRUST, replace(UNTRUST, enabled=False))},
        routes=(
            StaticRoute(prefix, packed("10.0.2.254")),
            StaticRoute(prefix, packed("10.0.1.2"), preference=7),
        ),
    )
    route = Fib(config).lookup(packed("192.0.2.1"))
    assert route is not None
    assert route.interface is TRUST
    with pytest.raises(FibError, match="on no connected subnet"):
        Fib(replace(config, routes=(StaticRoute(prefix, packed("10.9.9.9")),)))


def two_routers() -> Configuration:
    """Trust and dmz have the same subnet, each in a virtual router of its own; both may reach
    untrust, which knows how to answer each by another prefix of theirs."""
    twin = replace(DMZ, addresses=TRUST.addresses, vr="blue", token=256)
    return configuration(
        interfaces={i.name: i for i in (TRUST, twin, UNTRUST)},
        routing_instances={"blue": 1},
        policies=(policy("a", 1, "trust", "untrust"), policy("b", 2, "dmz", "untrust")),
        routes=(
            StaticRoute(ip_network("10.0.2.0/24"), None, "blue", next_table=""),
            StaticRoute(ip_network("0.0.0.0/0"), packed("10.0.2.254")),
        ),
    )


def test_one_five_tuple_in_two_virtual_routers_is_two_sessions() -> None:
    world = World(two_routers())
    world.c.addresses = world.a.addresses
    world.pass_(world.a, udp(world.a, world.b), world.b)
    world.send(world.c, udp(world.c, world.b))
    world.sim.run()
    # The answers of both would be alike: the second flow is refused by name.
    assert world.reasons() == [Drop.WING_CLASH]
    (view,) = world.sim.spus[1].sessions()
    assert view.forward.key.token == 1
    world.pass_(world.c, udp(world.c, world.b, sport=9), world.b)
    tokens = [view.forward.key.token for view in world.sim.spus[1].sessions()]
    assert tokens == [1, 256]


def test_reject_and_discard_routes() -> None:
    prefix = ip_network("192.0.2.0/24")
    for action, reason, told in (
        (RouteAction.REJECT, Drop.ROUTE_REJECT, 1),
        (RouteAction.DISCARD, Drop.ROUTE_DISCARD, 0),
    ):
        world = World(configuration(routes=(StaticRoute(prefix, None, action=action),)))
        world.send(world.a, udp(world.a, "192.0.2.1"))
        world.sim.run()
        assert world.reasons() == [reason]
        assert len(world.a.received) == told
        world.assert_empty()


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("set routing-instances x interface ge-9/0/0.0\n"
         "set routing-instances x instance-type virtual-router", "unknown interface"),
        ("set routing-instances x description y", "needs an instance-type"),
        ("set routing-instances green instance-type virtual-router\n"
         "set routing-instances green interface ge-1/0/1.0", "already in the routing instance"),
        ("set routing-instances blue routing-options static route 10.0.0.0/8 next-hop 203.0.113.2",
         "is on no connected network; connected are: 10.1.1.0/24"),
        ("set routing-instances blue routing-options static route 10.0.0.0/8 next-table red.inet.0",
         "unknown table 'red.inet.0'"),
        ("set routing-options static route 10.0.0.0/8 next-table inet.0", "its own table"),
        ("set routing-options static route 10.0.0.0/8 discard\n"
         "set routing-options static route 10.0.0.0/8 reject", "has several of"),
        ("set routing-options rib blue.inet6.0 static route ::/0 discard", "expected inet6.0"),
        ("set routing-instances master instance-type virtual-router", "is always there"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(lines: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        parse(LINES + lines)


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ("set routing-options static route 10.9.0.0/16 next-table blue.inet.0\n", "10.9.0.0"),
        # What is around a more specific route, which is none of the circle's.
        ("set routing-options static route 0.0.0.0/0 next-table blue.inet.0\n", "1.0.0.0"),
        (
            "set routing-options static route 0.0.0.0/0 next-table blue.inet.0\n"
            "set routing-options static route 0.0.0.0/1 discard\n",
            "128.0.0.0",
        ),
    ],
)
def test_tables_that_hand_on_to_each_other_for_ever_are_named(lines: str, where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(LINES + lines, "f.set")
    first, second = (str(problem) for problem in caught.value.problems)
    assert f"leads in a circle for {where}: blue.inet.0, inet.0, blue.inet.0" in first
    assert f"leads in a circle for {where}: inet.0, blue.inet.0, inet.0" in second
    assert str(caught.value.problems[1].place) == f"f.set:15:{57 if '10.9' in lines else 55}"


def test_overlap_is_an_error_within_a_virtual_router_only() -> None:
    with pytest.raises(ConfigurationError, match="overlaps"):
        parse(LINES.replace("set routing-instances blue interface ge-1/0/1.0\n", ""))


def answered_by_c(world: World, there: Packet) -> None:
    """Another host answers in place of b, and is told apart."""
    (view,) = world.sim.spus[1].sessions()
    world.send(world.c, answer(there))
    world.sim.run()
    (dropped,) = world.sim.dropped
    assert dropped.reason is Drop.ASYMMETRIC_ROUTE
    assert dropped.detail == f"of session {view.id}, but by ge-0/0/1.30 from zone dmz"


@pytest.mark.parametrize("mode", Distribution)
def test_an_answer_from_another_zone_is_named(mode: Distribution) -> None:
    config = configuration(policies=(policy("all", 1, "trust", "untrust"),))
    config = replace(config, stateless=replace(config.stateless, distribution=mode))
    world = World(config)
    there = world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    # Host c forwards for host b, but it is in the zone dmz.
    answered_by_c(world, there)
    world.pass_(world.b, answer(there), world.a)


@pytest.mark.parametrize("allowed", [set(), {HostService.ANY_SERVICE}])
def test_an_answer_to_an_address_of_our_own_from_another_zone_is_named(
    allowed: set[HostService],
) -> None:
    config = with_nat()
    zone = replace(config.zones["dmz"], host_inbound=frozenset(allowed))
    world = World(replace(config, zones={**config.zones, "dmz": zone}))
    there = world.pass_(world.a, tcp(world.a, world.b, "S"), world.b)
    answered_by_c(world, there)
    assert world.c.received == []
    world.pass_(world.b, answer(there), world.a)
    there = world.pass_(world.a, udp(world.a, world.b), world.b)
    world.send(world.c, answer(there))
    world.sim.run()
    assert world.sim.dropped[-1].reason is Drop.ASYMMETRIC_ROUTE
    assert "the source 10.0.2.2 is reached by ge-1/0/0.0" in world.sim.dropped[-1].detail


@pytest.mark.parametrize("mode", Distribution)
def test_an_answer_by_another_interface_of_its_zone_passes(mode: Distribution) -> None:
    second = replace(DMZ, zone="untrust", token=UNTRUST.token)
    config = configuration(
        interfaces={i.name: i for i in (TRUST, second, UNTRUST)},
        policies=(policy("all", 1, "trust", "untrust"),),
    )
    world = World(replace(config, stateless=replace(config.stateless, distribution=mode)))
    there = world.pass_(world.a, udp(world.a, world.b), world.b)
    # On another NPU than its wing: the central point knows whose it is.
    before = len(world.a.received)
    world.send(world.c, answer(there))
    world.sim.run()
    assert len(world.a.received) == before + 1
    # However long that goes on: no table is wrong, so nothing is repaired, but it is seen.
    world.sim.run(2 * SECOND)
    for _ in range(3):
        world.send(world.c, answer(there))
        world.sim.run(2 * SECOND)
    assert len(world.a.received) == before + 4
    assert world.sim.spus[1].repairs == 0
    (view,) = world.sim.spus[1].sessions()
    assert view.astray == (None, second.port)
    (noted,) = [s.detail for s in world.sim.steps if s.detail.startswith("asymmetric")]
    assert noted == "asymmetric: reverse packets come by NPU 0"
    assert world.reasons() == []
