"""What the seed chooses, and faults that only some of the choices show."""

from __future__ import annotations

from typing import Any

import pytest

from controller.central_point.first_path import FirstPath as CpFirstPath
from controller.central_point.nat_desk import NatDesk
from controller.central_point.requests import Requests
from controller.config.cards import Balancing, NatFaults
from controller.config.schema import SECOND, QueueDepth
from controller.flow import Direction
from controller.messages import RemoveWing
from controller.simulate.flow import Flow
from controller.simulate.options import Plan, parse_faults
from controller.simulate.pieces import Patient, Pieces
from controller.simulate.play import Outcome, play
from controller.simulate.site import VARIANTS, chassis, configuration
from controller.simulate.streams import Besieged, Stream
from controller.simulate.styles import (
    NAT_DELAYS,
    NAT_REFUSALS,
    PENDING_TIMEOUTS,
    Fragments,
    Shares,
    Siege,
    seed_of,
    style_of,
)
from controller.simulate.violation import Rule
from controller.simulate.workload import kind_of, way_of
from controller.spu.first_path import FirstPath
from controller.spu.reassembly import Reassembly
from controller.spu.reroute import Reroute
from controller.spu.server_half import ServerHalf
from controller.spu.session import Session
from controller.spu.splice import Splice
from controller.spu.syn_guard import SynGuard


def run(faults: str = "none", kind: type[Flow] | None = None, **style: Any) -> Outcome:
    """A run of the first seed with such a style, with flows of one kind or of all."""
    seed = seed_of(**style)
    numbers = None
    if kind is not None:
        numbers = frozenset(n for n in range(1, 600) if kind_of(seed, n) is kind)
    return play(Plan(seed, 120 if kind is None else 600, 3, parse_faults(faults), 500, numbers))


def rule(faults: str = "none", kind: type[Flow] | None = None, **style: Any) -> Rule | None:
    """The rule that it finds broken."""
    broken = run(faults, kind, **style).broken
    return None if broken is None else broken.rule


def test_every_choice_is_made_and_makes_configurations() -> None:
    styles = {style_of(seed) for seed in range(1, 200)}
    assert {style.hashed for style in styles} == {False, True}
    assert {style.balancing for style in styles} == set(Balancing)
    assert {style.siege for style in styles} == set(Siege)
    assert {style.fragments for style in styles} == set(Fragments)
    assert {style.shares for style in styles} == set(Shares)
    assert {style.queue for style in styles} == set(QueueDepth)
    assert {style.pending_timeout for style in styles} == set(PENDING_TIMEOUTS)
    assert {style.nat_delay for style in styles} == set(NAT_DELAYS)
    assert {style.nat_refusals for style in styles} == set(NAT_REFUSALS)
    assert {style.is_bounded for style in styles} == {False, True}
    style = style_of(seed_of(hashed=True, siege=Siege.PROXY, fragments=Fragments.AS_THEY_CAME))
    site = chassis(2, 100, style, parse_faults("all"))
    for variant in range(VARIANTS):
        config = configuration(variant, site, style)
        assert config.force_reassembly
        assert config.preserve_fragment_size
        assert config.zones["trust"].screen == "guard"


# -- hash-based distribution --------------------------------------------------------------------


def test_npus_choose_spus() -> None:
    outcome = run(kind=Patient, hashed=True)
    assert outcome.broken is None
    assert outcome.deeds["flows given to SPUs by hash"] > 20
    assert "flows given to SPUs by hash" not in run(kind=Patient, hashed=False).deeds


def test_request_of_an_spu_that_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CpFirstPath, "create_request", lambda *_: None)
    assert rule(kind=Patient, hashed=True) is Rule.VANISHED


# -- the central point's shares and patience ----------------------------------------------------


def test_chassis_says_what_the_seed_chose() -> None:
    faults = parse_faults("all")
    weighted = chassis(3, 90, style_of(seed_of(shares=Shares.WEIGHTED)), faults)
    assert [spu.share for spu in weighted.spus.values()] == [4, 6, 2]
    style = style_of(seed_of(shares=Shares.COMBO, is_bounded=True, nat_refusals=10))
    combo = chassis(3, 90, style, faults)
    assert [spu.is_combo for spu in combo.spus.values()] == [True, False, False]
    assert combo.cp.max_sessions == 243
    assert combo.nat_faults.refuse_every == 10
    without = chassis(3, 90, style, parse_faults("none"))
    assert without.cp.max_sessions == 0
    assert without.nat_faults == NatFaults()


def test_allocations_that_take_longer_than_a_wing_may_be_pending() -> None:
    outcome = run("delay", nat_delay=2 * SECOND, pending_timeout=SECOND)
    assert outcome.broken is None
    assert outcome.walks["PENDING_TIMEOUT"] > 20


def test_allocation_for_a_flow_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(self: Requests) -> None:
        for ask in self._core.desk.due(self._core.now):
            self._core.desk.answer(ask)

    monkeypatch.setattr(Requests, "tick", careless)
    monkeypatch.setattr(NatDesk, "forget", lambda *_: None)
    assert rule("delay", nat_delay=2 * SECOND, pending_timeout=SECOND) is Rule.PORTS


# -- routes -------------------------------------------------------------------------------------


def test_wing_that_stays_where_a_session_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way into the untrusted network is by another NPU."""
    begin = Reroute._begin

    def half(self: Reroute, session: Session, routes: Any) -> None:
        begin(self, session, routes)
        session.awaiting -= 1
        for at, (_, message) in enumerate(self._core.out):
            if isinstance(message, RemoveWing) and message.direction is Direction.REVERSE:
                del self._core.out[at]
                break

    monkeypatch.setattr(Reroute, "_begin", half)
    assert play(Plan(8, 600, 3, parse_faults("reload"), 500)).broken is not None


# -- hosts that ask again -----------------------------------------------------------------------


def test_packets_behind_the_first_that_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FirstPath, "enqueue", lambda *_: None)
    assert rule(kind=Patient) is Rule.VANISHED


# -- datagrams in fragments ---------------------------------------------------------------------

WHOLE = Fragments.WHOLE
TREATMENT = pytest.mark.parametrize("fragments", list(Fragments))


@TREATMENT
def test_fragments_in_any_order(fragments: Fragments) -> None:
    outcome = run("loss,duplication,reordering", Pieces, fragments=fragments)
    assert outcome.broken is None
    assert outcome.kinds["fragments in any order"]
    assert bool(outcome.deeds.get("datagrams put together")) == (fragments is WHOLE)


def test_buffers_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reassembly, "deadline", lambda *_: None)
    monkeypatch.setattr(Reassembly, "tick", lambda *_: None)
    assert rule("loss", Pieces, fragments=WHOLE) is Rule.HELD


def test_buffer_that_is_given_up_and_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(_: Reassembly, partial: Any, *__: Any) -> None:
        partial.pieces = None

    monkeypatch.setattr(Reassembly, "_give_up", give_up)
    assert rule("loss", Pieces, fragments=WHOLE) is Rule.HELD


def test_fragments_that_are_put_together_in_the_order_in_which_they_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assemble = Reassembly._assemble

    def as_they_came(self: Any, session: Any, partial: Any, pieces: Any, *rest: Any) -> Any:
        return assemble(self, session, partial, dict(enumerate(pieces.values())), *rest)

    monkeypatch.setattr(Reassembly, "_assemble", as_they_came)
    assert rule(kind=Pieces, fragments=WHOLE) is Rule.CONTENTS


def test_datagram_that_is_whole_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reassembly, "_assemble", lambda *_: None)
    assert rule(kind=Pieces, fragments=WHOLE) is Rule.ANSWERED


# -- servers under siege ------------------------------------------------------------------------

COOKIE = Siege.COOKIE
SIEGES = pytest.mark.parametrize("siege", list(Siege))


@SIEGES
def test_connections_under_siege(siege: Siege) -> None:
    outcome = run("loss,duplication,reordering", Besieged, siege=siege)
    assert outcome.broken is None
    assert outcome.kinds["TCP under siege"] > 10
    answered = outcome.deeds.get("clients answered in the server's stead", 0)
    assert bool(answered) == (siege is not Siege.NONE)


def test_numbers_that_are_not_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Splice, "outward", lambda _, packet: packet)
    assert rule(kind=Besieged, siege=COOKIE) is Rule.CONTENTS


def test_windows_that_are_not_scaled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    join = Splice.join

    def unscaled(self: Splice, *rest: Any) -> None:
        join(self, *rest)
        self.to_client = self.to_server = 0

    monkeypatch.setattr(Splice, "join", unscaled)
    assert rule(kind=Besieged, siege=COOKIE) is Rule.CONTENTS


def test_client_that_is_never_told_of_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ServerHalf, "_open_window", lambda *_: None)
    monkeypatch.setattr(Stream, "_say_again", lambda *_: None)
    assert rule(kind=Besieged, siege=COOKIE) is Rule.ANSWERED


def test_silent_clients_that_are_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoke(_: SynGuard, __: Any, splice: Splice) -> None:
        splice.is_silent = False

    monkeypatch.setattr(SynGuard, "spoke", spoke)
    assert rule(kind=Besieged, siege=COOKIE) is Rule.HELD


def test_half_open_connections_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(self: SynGuard, flow: Any) -> None:
        self.timers.cancel(flow)

    monkeypatch.setattr(SynGuard, "_forget", forget)
    assert rule("loss", Besieged, siege=Siege.PROXY) is Rule.HELD


def test_server_that_is_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    join = ServerHalf._join

    def goes_on(self: Any, session: Any, *rest: Any) -> None:
        join(self, session, *rest)
        self._core.syn_timers.set(session.id, self._core.now + SECOND)

    monkeypatch.setattr(ServerHalf, "_join", goes_on)
    assert rule(kind=Besieged, siege=COOKIE) is Rule.TIMERS


# -- and behind destination NAT -------------------------------------------------------------------


def behind_nat(faults: str, siege: Siege) -> Outcome:
    """Connections to servers that their clients know by another address."""
    seed = seed_of(siege=siege)
    numbers = [n for n in range(1, 4000) if way_of(seed, n) == "farm"][:12]
    return play(Plan(seed, numbers[-1], 3, parse_faults(faults), 500, frozenset(numbers)))


@SIEGES
@pytest.mark.parametrize("faults", ["none", "loss,duplication,reordering", "clear,spu,punts"])
def test_siege_behind_destination_nat(siege: Siege, faults: str) -> None:
    outcome = behind_nat(faults, siege)
    assert outcome.broken is None
    answered = outcome.deeds.get("clients answered in the server's stead", 0)
    assert bool(answered) == (siege is not Siege.NONE)
