"""What a control session's walk tells of the gates that its packets ask for."""

from __future__ import annotations

import re
from pathlib import Path

from controller_machines.world import NAT_OUT, World

from controller.messages import Step, StepTaken
from controller.operate.observer import Observer
from controller.reasons import Drop
from controller.spu.alg import registry

from .talk import Connection
from .test_tftp_dns import READ, N, datagram, only

CHILD = re.compile(r'"(junos-[a-z0-9-]+)"')


def told(world: World) -> list[tuple[str, Step, str]]:
    """Steps from the first that is of a gate on."""
    steps = [(str(taken.who), taken.step, taken.detail) for taken in world.sim.steps]
    first = next(at for at, (_, step, _) in enumerate(steps) if step is Step.GATE_ASK)
    return steps[first:]


def test_a_request_waits_for_its_gate_and_leaves_when_that_stands() -> None:
    world = World(only(["junos-tftp"], (NAT_OUT,)))
    sent = datagram(world.a, world.b.ip, 3000, 69, READ)
    port = world.pass_(world.a, sent, world.b).sport
    assert told(world)[:-1] == [
        ("SPU 1", Step.GATE_ASK, "tftp, In wing"),
        (
            "CP",
            Step.GATE_OPENED,
            f"gate 1: udp from {world.b.ip} to {N}/{port}, then to {world.a.ip}/3000; "
            "for 1 session, within 120 s",
        ),
        ("SPU 1", Step.GATE_RESUME, ""),
    ]
    *_, (who, step, detail) = told(world)
    assert (who, step) == ("SPU 1", Step.RELEASE), "the first packet is released once, and last"
    assert ", after " in detail
    assert Step.RELEASE not in [step for _, step, _ in told(world)[:-1]]


def test_what_is_asked_for_again_is_renewed() -> None:
    world = World(only(["junos-tftp"]))
    for _ in range(2):
        world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 69, READ), world.b)
    steps = [(step, detail[:7]) for _, step, detail in told(world)]
    assert steps[:2] == [(Step.GATE_ASK, "tftp, I"), (Step.GATE_OPENED, "gate 1:")]
    assert steps[-3:] == [
        (Step.GATE_ASK, "tftp, I"),
        (Step.GATE_RENEWED, "gate 1:"),
        (Step.GATE_RESUME, ""),
    ]


def test_a_stream_tells_which_side_announced_and_what() -> None:
    world = World(only(["junos-ftp"], (NAT_OUT,)))
    ftp = Connection(world, world.a, world.b)
    ftp.say(ftp.client, b"PORT 10,0,1,2,80,1\r\n")
    asked, opened, resumed, *_ = told(world)
    assert asked == ("SPU 1", Step.GATE_ASK, "ftp, In wing")
    assert f"gate 1: tcp from {world.b.ip} to {N}/" in opened[2]
    assert opened[2].endswith("; for 1 session, within 120 s")
    assert resumed[1] is Step.GATE_RESUME


def test_a_gate_that_does_not_open_is_named_in_the_walk() -> None:
    world = World(only(["junos-tftp"]))
    world.sim.cp.gates.maximum = 0
    world.send(world.a, datagram(world.a, world.b.ip, 3000, 69, READ))
    world.sim.run()
    steps = told(world)
    assert steps == [
        ("SPU 1", Step.GATE_ASK, "tftp, In wing"),
        ("SPU 1", Step.GATE_REFUSED, Drop.GATE_TABLE_FULL.name),
    ]
    assert world.reasons() == [Drop.GATE_TABLE_FULL]


def test_a_walk_is_over_only_when_the_gate_has_let_its_packet_go() -> None:
    world = World(only(["junos-tftp"]))
    observer = Observer(only(["junos-tftp"]))
    world.pass_(world.a, datagram(world.a, world.b.ip, 3000, 69, READ), world.b)
    released: list[bool] = []
    for taken in world.sim.steps:
        observer.take(taken)
        assert isinstance(taken, StepTaken)
        (walk,) = observer.walks.values()
        released.append(walk.is_released)
    assert released == [False] * (len(released) - 1) + [True]


def test_applications_of_children_are_all_known_by_name() -> None:
    """So that an operator can ask for their sessions before there is one."""
    home = Path(registry.__file__).parent
    written = {name for file in home.glob("*.py") for name in CHILD.findall(file.read_text())}
    assert written == registry.ANNOUNCED
