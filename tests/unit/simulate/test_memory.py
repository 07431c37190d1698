"""What a run keeps follows what is alive in it, not what has ever been."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest

from controller.central_point import CentralPoint
from controller.flow import FragmentId, Tuple5
from controller.packet import UDP
from controller.simulate import frames
from controller.simulate import play as playing
from controller.simulate.engine import Run
from controller.simulate.flow import Flow
from controller.simulate.frames import tagged
from controller.simulate.options import Plan, parse_faults
from controller.simulate.play import play
from controller.spu.session import Pending, Session

PLAN = Plan(seed=2, sessions=300, spus=3, faults=parse_faults("all"), rate=1500)


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def counts(*kinds: type) -> list[int]:
    """How many there are, and were not found by somebody who looks for cycles."""
    there = gc.get_objects()
    found = [sum(isinstance(one, kind) for one in there) for kind in kinds]
    there.clear()  # it may have the frame that has it, and would stay with all that is in it
    return found


def test_what_is_over_is_gone_at_once() -> None:
    """Nothing refers to itself: a run of millions need not wait for a collector."""
    run = Run(PLAN)
    run.run()
    assert run.world.ledger.sessions > 100
    assert counts(Flow, Session, Pending) == [0, 0, 0]
    assert not run.world.live
    assert not run.world.listeners
    assert not run.world.ledger.flow_of


def test_while_it_runs_only_what_is_being_set_up_is_pending() -> None:
    """In what the simulator keeps, too, though it watches deadlines that are far off."""
    seen = []

    def look(run: Run) -> None:
        there = sum(len(spu._core.pending) for spu in run.world.ledger.spus.values())
        seen.append((run.world.flows, counts(Pending)[0] - there))
        if run.world.flows == PLAN.sessions:
            run.progress = None

    run = Run(replace(PLAN, faults=parse_faults("none")))
    run.progress = look
    run.run()
    assert len(seen) > 5
    assert max(kept for _, kept in seen) <= 3, seen  # what says so is under way


def test_packets_that_have_left_their_spu_are_not_kept() -> None:
    run = Run(Plan(seed=2, sessions=100, spus=3, faults=parse_faults("none"), rate=500))
    known = []

    def look(_: Run) -> None:
        known.extend(flow for flow in run.world.live.values() if flow.is_counted)

    run.progress = look
    run.run()
    assert len(known) > 50
    assert not any(flow.arrived for flow in known if not flow.fallen and not flow.is_for_us)


def test_a_controller_that_is_gone_takes_its_sessions_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a long run, too, in which the collector leaves alone what was there before it."""
    monkeypatch.setattr(playing, "_LONG", 1)
    first: list[weakref.ref[CentralPoint]] = []
    gone = []

    def look(run: Run) -> None:
        if run.world.now > 2 * run.world.end:
            gc.collect()
            gone.append(first[0]() is None)
            run.progress = None

    def prepare(run: Run) -> None:
        first.append(weakref.ref(run.world.ledger.cp))
        run.progress = look

    outcome = play(PLAN, prepare)
    assert outcome.faults["controller"]["crashed"]
    assert gone == [True]


def test_an_npu_remembers_the_ports_of_so_many_datagrams() -> None:
    world = Run(Plan(seed=2, sessions=1, spus=1, faults=parse_faults("none"), rate=500))
    npu, wire = world._cards.npus[1], world._wires.by_name["trust"]
    ahead = Tuple5(b"\x0a\x01\0\1", b"\xc6\x12\0\1", 4000, 53, UDP)
    for name in range(17_000):
        first, _ = frames.fragments(wire, ahead, name, (tagged(1, 0), tagged(1, 2)))
        npu.arrive(wire.port.port, first, 0)
    assert counts(FragmentId)[0] == 16_384  # FRAGMENT_CELLS in p4src/sizes.p4
