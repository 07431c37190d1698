"""Machines with a fault put into them: the simulator finds each, by the rule it breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.central_point import CentralPoint
from controller.central_point.core import Core
from controller.central_point.gates import GateTable
from controller.central_point.port_space import PortSpace
from controller.messages import AbandonSession, RemoveWing, Transmit
from controller.simulate.options import Fault, Plan, parse_faults
from controller.simulate.play import EXPRESS, play
from controller.simulate.shrink import Shrink
from controller.simulate.story import Story
from controller.simulate.violation import Rule
from controller.spu.core import Core as SpuCore
from controller.spu.first_path import FirstPath
from controller.spu.installation import Installation
from controller.spu.live_path import LivePath
from controller.spu.reconfigure import Reconfiguration
from controller.spu.reroute import Reroute
from controller.spu.session import Session
from controller.spu.teardown import Teardown

PLAN = Plan(seed=1, sessions=150, spus=3, faults=parse_faults("none"), rate=500)


def test_all_rules_hold() -> None:
    outcome = play(PLAN)
    assert outcome.broken is None
    assert outcome.flows == 150
    assert outcome.sessions > 120
    assert outcome.checks > outcome.sessions
    assert outcome.closed["TCP_FIN"]
    assert outcome.closed["IDLE_TIMEOUT"]
    assert outcome.dropped["TCP_NOT_SYN"]


def test_port_that_is_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Core, "release", lambda *_: None)
    assert rule() is Rule.PORTS


def test_port_that_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PortSpace, "take", lambda *_: 4000)
    assert rule() is Rule.PORTS


def test_port_that_some_share_and_that_is_not_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool of five ports, each for four flows: what leaks has other holders as yet."""
    give = PortSpace.give

    def keep(self: PortSpace, port: int, peer: Any = None) -> bool:
        shared = self._sharing is not None and self._sharing.counts.get(port, 0) > 1
        return shared or give(self, port, peer)

    monkeypatch.setattr(PortSpace, "give", keep)
    assert rule(sessions=400, rate=5000) is Rule.PORTS


def test_wing_that_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session says that it had but one."""
    begin = Teardown.begin

    def half(self: Teardown, session: Session, reason: Any) -> None:
        session.installed &= 1
        begin(self, session, reason)

    monkeypatch.setattr(Teardown, "begin", half)
    assert rule() is Rule.WINGS


def test_reverse_wing_that_the_central_point_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    forget = Core.forget

    def half(self: Core, entry: Any) -> None:
        reverse = entry.reverse
        forget(self, entry)
        self.sessions.by_key[reverse] = entry

    monkeypatch.setattr(Core, "forget", half)
    assert rule() is Rule.ENTRIES


def test_time_out_that_is_not_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    from controller.timers import Timers

    monkeypatch.setattr(Timers, "cancel", lambda *_: None)
    assert rule() is Rule.TIMERS


def test_flow_that_is_given_up_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time-out at the central point would reclaim the wing later."""
    to_cp = SpuCore.to_cp

    def tell(self: SpuCore, message: Any) -> None:
        if not isinstance(message, AbandonSession):
            to_cp(self, message)

    monkeypatch.setattr(SpuCore, "to_cp", tell)
    assert rule() is Rule.ENTRIES


def test_installation_that_stops_half_way(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Installation.write

    def once(self: Installation, session: Session, direction: Any) -> None:
        if session.id % 50 or not session.installed:
            write(self, session, direction)

    monkeypatch.setattr(Installation, "write", once)
    assert rule() is Rule.BOUNDED


@pytest.mark.parametrize(
    ("whose", "name", "instead"),
    [
        (Reconfiguration, "_still_permitted", True),
        (Reconfiguration, "_translation", None),
        (Reroute, "check", None),
    ],
)
def test_sessions_that_outlive_what_let_them_in(
    whose: type, name: str, instead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Policies, NAT rules and pools, and routes change under them."""
    monkeypatch.setattr(whose, name, lambda *_: instead)
    assert rule(faults="reload") is Rule.IN_FORCE


def test_queue_that_is_released_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Installation._release

    def backwards(self: Installation, session: Session) -> None:
        session.queue.reverse()
        release(self, session)

    monkeypatch.setattr(Installation, "_release", backwards)
    assert rule() is Rule.ORDER


def test_packet_that_leaves_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    forward = LivePath.forward

    def twice(self: LivePath, session: Session, queued: Any) -> None:
        forward(self, session, queued)
        out = self._core.out
        out += [one for one in out if isinstance(one[1], Transmit)]

    monkeypatch.setattr(LivePath, "forward", twice)
    assert rule() is Rule.TWICE


def test_packet_that_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.spu.core.Core.redirect", lambda *_: None)
    assert rule(sessions=400, faults="delay,duplication,clear") is Rule.VANISHED


def test_packet_that_is_translated_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    from controller.record import wings
    from controller.spu import first_path

    def swapped(*args: Any) -> Any:
        forward, reverse = wings(*args)
        return forward, replace(reverse, translated=forward.translated)

    monkeypatch.setattr(first_path, "wings", swapped)
    assert rule() in (Rule.TRANSLATION, Rule.CONTENTS)


def test_gate_that_outlives_its_control_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody comes through some gates, as the announcement is lost on a wire."""
    monkeypatch.setattr(GateTable, "close", lambda *_: 0)
    assert rule(sessions=300, faults="loss") is Rule.GATES


def test_session_that_the_central_point_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it has it, and does not."""
    on_install = CentralPoint._on_install

    def forgetful(self: CentralPoint, message: Any) -> None:
        on_install(self, message)
        if message.session_id % 10 == 7:
            self._core.sessions.by_key.pop(message.reverse, None)

    monkeypatch.setattr(CentralPoint, "_on_install", forgetful)
    assert rule() in (Rule.ENTRIES, Rule.FAULT)


def test_machine_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("a session")

    monkeypatch.setattr(Teardown, "wing_removed", fail)
    outcome = play(PLAN)
    assert outcome.broken is not None
    assert outcome.broken.rule is Rule.FAULT
    assert "fails on WingRemoved: KeyError" in outcome.broken.what


def rule(**changes: Any) -> Rule | None:
    """The rule that the workload finds broken."""
    if "faults" in changes:
        changes["faults"] = parse_faults(changes["faults"])
    broken = play(replace(PLAN, **changes)).broken
    return None if broken is None else broken.rule


# -- from a large run to a small one -----------------------------------------------------------


def test_a_small_walk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the third wing that one SPU takes down is forgotten, after a clear: one flow will do."""
    send = FirstPath.__init__.__globals__["Core"].send

    def but_cleared(core: Any, to: Any, message: Any) -> None:
        session = core.sessions.get(getattr(message, "session_id", 0))
        cleared = (
            session is not None and session.close is not None and session.close.name == "CLEARED"
        )
        if not (cleared and isinstance(message, RemoveWing) and message.direction):
            send(core, to, message)

    monkeypatch.setattr("controller.spu.core.Core.send", but_cleared)
    plan = replace(PLAN, faults=parse_faults("delay,clear,reload"))
    found = play(plan)
    assert found.broken is not None
    assert found.broken.rule is Rule.BOUNDED
    small = Shrink(found).run()
    assert small.broken is not None
    assert small.broken.rule is Rule.BOUNDED
    assert small.flows <= 3
    assert small.plan.incidents is not None
    assert len(small.plan.incidents) == 1

    lines, broken = Story(small.plan, small.broken.flow).told()
    assert broken == small.broken
    told = "\n".join(lines)
    assert "incident" in told
    for step in ("session lookup: miss", "wing pending, SPU chosen", "install acknowledged"):
        assert step in told
    assert "sends RemoveWing" in told


# -- the same seed ------------------------------------------------------------------------------


def facts(plan: Plan) -> list[Any]:
    outcome = play(plan)
    return [outcome.broken, outcome.steps, outcome.sessions, outcome.closed, outcome.faults]


def test_a_seed_plays_the_same_run_every_time() -> None:
    plan = replace(PLAN, faults=parse_faults("all"))
    assert facts(plan) == facts(plan)
    assert facts(plan) != facts(replace(plan, seed=2))


def test_tracing_changes_nothing() -> None:
    plan = replace(PLAN, faults=parse_faults("all"))
    assert facts(plan) == facts(replace(plan, trace=True))


def test_a_flow_alone_does_what_it_did_among_others() -> None:
    def walk(plan: Plan) -> list[str]:
        lines, _ = Story(plan, 17).told()
        return sorted(line[line.index("packet ") :] for line in lines if " leaves by " in line)

    assert walk(PLAN)
    assert walk(PLAN) == walk(replace(PLAN, flows=frozenset({17})))


@pytest.mark.parametrize("seed", range(4))
def test_all_faults(seed: int) -> None:
    outcome = play(Plan(seed, 120, 8, parse_faults("all"), 500))
    assert outcome.broken is None
    assert list(outcome.faults) == [fault.value for fault in Fault]


def test_every_fault_takes_place_and_is_counted() -> None:
    outcome = play(Plan(24, 900, 4, parse_faults("all"), 2000))
    assert outcome.broken is None
    assert all(outcome.faults.values())
    assert outcome.faults["exhaustion"].keys() >= {"SPU_FULL", "NAT_EXHAUSTED"}
    assert outcome.faults["spu"].keys() >= {"failed", "joined"}
    assert outcome.faults["npu"]["lost"] == outcome.faults["controller"]["crashed"] == 1
    assert outcome.faults["clear"]["times"] == 7
    # What first packets met, and which way sessions went.
    assert outcome.flows == 900
    assert outcome.kinds.keys() >= {"TCP", "UDP", "ping", "fragments in any order"}
    assert outcome.walks["installed"] == outcome.sessions
    # Some acknowledgements went with a crash.
    assert 0 <= outcome.sessions - sum(outcome.paths.values()) < 20
    assert outcome.walks.keys() >= {"suspended for NAT", "POLICY_DENY"}
    assert outcome.paths.keys() >= {EXPRESS, "POLICY", "ALG_CONTROL"}
    assert "QUEUE_FULL" in outcome.dropped
