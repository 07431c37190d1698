"""What SPUs tell the screens of the way out of where a packet is from."""

from dataclasses import replace

import pytest

from controller.config.schema import Configuration, ScreenProfile
from controller.flow import Direction
from controller.messages import UNKNOWN_ORIGIN, Message, Origin, PacketIn, Role, Transmit
from controller.reasons import Drop, Punt
from controller_machines.world import TRUST, UNTRUST, World, configuration, udp, with_nat

TRUST_ZONE, UNTRUST_ZONE = 1, 3


def screened(config: Configuration, *screens: Drop, **more: bool) -> Configuration:
    """The same with a profile in zone untrust."""
    profile = ScreenProfile("s", frozenset(screens), **more)  # type: ignore[arg-type]
    zones = dict(config.zones)
    zones["untrust"] = replace(zones["untrust"], screen="s")
    return replace(config, zones=zones, screens={"s": profile})


def origins(config: Configuration) -> list[Origin]:
    """Of a first packet from trust, another of its session, and the answer."""
    world = World(config)
    sent = world.pass_(world.a, udp(world.a, world.b), world.b)
    (session,) = world.sim.spus[1].sessions()
    spu = world.sim.spus[1]
    answer = udp(world.b, sent["IP"].src, sport=5000, dport=sent["UDP"].sport)
    asked: list[Origin] = []

    def hand(message: PacketIn) -> list[Message]:
        out = spu.handle(message, world.sim.now)
        return [sent for to, sent in out if to.role is Role.NPU]

    again = udp(world.a, world.b)
    for punt, direction, interface, host, packet in (
        (Punt.MISS, Direction.FORWARD, TRUST, world.a, again),
        (Punt.SESSION, Direction.FORWARD, TRUST, world.a, again),
        (Punt.SESSION, Direction.REVERSE, UNTRUST, world.b, answer),
    ):
        frame, token = host.frame(packet), interface.token
        message = PacketIn(interface.port, punt, token, session.id, direction, 1, frame, 0)
        (out,) = hand(message)
        assert isinstance(out, Transmit)
        asked.append(out.origin)
    return asked


@pytest.mark.parametrize("screen", [Drop.SCREEN_SPOOFING, Drop.SCREEN_TCP_SWEEP])
def test_a_packet_says_the_zone_of_its_source_and_whether_it_begins_a_flow(screen: Drop) -> None:
    assert origins(screened(configuration(), screen)) == [
        Origin(TRUST_ZONE, True),
        Origin(TRUST_ZONE),
        Origin(UNTRUST_ZONE),
    ]


def test_a_translated_source_has_no_zone() -> None:
    assert origins(screened(with_nat(), Drop.SCREEN_PORT_SCAN)) == [
        Origin(0, True),
        Origin(0),
        Origin(UNTRUST_ZONE),
    ]


@pytest.mark.parametrize(
    "config",
    [
        configuration(),
        screened(configuration(), Drop.SCREEN_LAND, Drop.SCREEN_UDP_FLOOD),
        screened(configuration(), Drop.SCREEN_SPOOFING, outward=False),
    ],
    ids=["no screens", "none that asks", "none on the way out"],
)
def test_nothing_is_said_that_nobody_asks_for(config: Configuration) -> None:
    assert origins(config) == [UNKNOWN_ORIGIN] * 3
