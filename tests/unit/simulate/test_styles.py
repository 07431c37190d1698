"""What the seed chooses, and faults that only some of the choices show."""

from __future__ import annotations

from typing import Any

import pytest

from controller.central_point.first_path import FirstPath as CpFirstPath
from controller.config.schema import Balancing
from controller.simulate.options import Plan, parse_faults
from controller.simulate.play import Outcome, play
from controller.simulate.site import VARIANTS, chassis, configuration
from controller.simulate.styles import Fragments, Siege, seed_of, style_of
from controller.simulate.violation import Rule
from controller.spu.first_path import FirstPath
from controller.spu.reassembly import Reassembly


def run(faults: str = "none", sessions: int = 200, **style: Any) -> Outcome:
    """A run of the first seed with such a style."""
    return play(Plan(seed_of(**style), sessions, 3, parse_faults(faults), 500))


def rule(faults: str = "none", sessions: int = 200, **style: Any) -> Rule | None:
    """The rule that it finds broken."""
    broken = run(faults, sessions, **style).broken
    return None if broken is None else broken.rule


def test_every_choice_is_made_and_makes_configurations() -> None:
    styles = {style_of(seed) for seed in range(1, 200)}
    assert {style.hashed for style in styles} == {False, True}
    assert {style.balancing for style in styles} == set(Balancing)
    assert {style.siege for style in styles} == set(Siege)
    assert {style.fragments for style in styles} == set(Fragments)
    style = style_of(seed_of(hashed=True, siege=Siege.PROXY, fragments=Fragments.AS_THEY_CAME))
    site = chassis(2, 100, style)
    for variant in range(VARIANTS):
        config = configuration(variant, site, style)
        assert config.force_reassembly
        assert config.preserve_fragment_size
        assert config.zones["trust"].screen == "guard"


# -- hash-based distribution --------------------------------------------------------------------


def test_npus_choose_spus() -> None:
    outcome = run(hashed=True)
    assert outcome.broken is None
    assert outcome.deeds["flows given to SPUs by hash"] > 100
    assert "flows given to SPUs by hash" not in run(hashed=False).deeds


def test_request_of_an_spu_that_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CpFirstPath, "create_request", lambda *_: None)
    assert rule(hashed=True) is Rule.VANISHED


# -- hosts that ask again -----------------------------------------------------------------------


def test_packets_behind_the_first_that_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FirstPath, "enqueue", lambda *_: None)
    assert rule("delay,loss") is Rule.VANISHED


# -- datagrams in fragments ---------------------------------------------------------------------

WHOLE = Fragments.WHOLE
TREATMENT = pytest.mark.parametrize("fragments", list(Fragments))


@TREATMENT
def test_fragments_in_any_order(fragments: Fragments) -> None:
    outcome = run("loss,duplication,reordering", fragments=fragments)
    assert outcome.broken is None
    assert outcome.kinds["fragments in any order"]
    assert bool(outcome.deeds.get("datagrams put together")) == (fragments is WHOLE)


def test_buffers_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reassembly, "deadline", lambda *_: None)
    monkeypatch.setattr(Reassembly, "tick", lambda *_: None)
    assert rule("loss", fragments=WHOLE) is Rule.HELD


def test_buffer_that_is_given_up_and_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(_: Reassembly, partial: Any, *__: Any) -> None:
        partial.pieces = None

    monkeypatch.setattr(Reassembly, "_give_up", give_up)
    assert rule("loss", fragments=WHOLE) is Rule.HELD


def test_fragments_that_are_put_together_in_the_order_in_which_they_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assemble = Reassembly._assemble

    def as_they_came(self: Any, session: Any, partial: Any, pieces: Any, *rest: Any) -> Any:
        return assemble(self, session, partial, dict(enumerate(pieces.values())), *rest)

    monkeypatch.setattr(Reassembly, "_assemble", as_they_came)
    assert rule(fragments=WHOLE) is Rule.CONTENTS


def test_datagram_that_is_whole_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reassembly, "_assemble", lambda *_: None)
    assert rule(fragments=WHOLE) is Rule.ANSWERED
