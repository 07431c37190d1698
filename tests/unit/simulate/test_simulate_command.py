"""``wingpath simulate`` on the command line."""

from __future__ import annotations

import contextlib
import json
import os
import shlex

import pytest

from controller.cli import main
from controller.simulate.options import Fault, names_of, parse_faults, swarm
from controller.spu.teardown import Teardown

SMALL = ["simulate", "--sessions", "60", "--spus", "2"]


def test_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--faults", "none"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("seed 1: 60 flows, ")
    assert "2 SPUs, faults none" in out
    assert out.endswith("all rules held\n")
    assert err == ""


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--json", "--seed", "7", "--faults", "loss,clear"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["held"] is True
    (run,) = report["runs"]
    assert run["seed"] == 7
    assert run["flows"] == 60
    assert run["broken"] is None
    assert run["steps"] > run["messages"] > 0
    assert run["command"].startswith("wingpath simulate --seed 7 --sessions 60 --spus 2")


def test_several_seeds_in_several_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--seeds", "3", "--jobs", "2", "--swarm"]) == 0
    assert capsys.readouterr().out.startswith("seeds 1 to 3: 180 flows, ")


def test_a_broken_rule_prints_seed_and_walk(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Teardown, "wing_removed", lambda *_: None)
    assert main([*SMALL, "--faults", "loss,clear", "--seed", "3"]) == 1
    out = capsys.readouterr().out
    assert "BROKEN with seed 3 after " in out
    assert "session lookup: miss, packet punted" in out
    assert out.splitlines()[-1].split()[2:4] == ["BROKEN", "what"]

    # What it says to type plays the small run again.
    (smaller,) = (line for line in out.splitlines() if line.startswith("smaller: "))
    words = shlex.split(smaller.removeprefix("smaller: wingpath "))
    assert "--only-flows" in words
    assert main(words) == 1
    assert main([*words, "--json"]) == 1


def test_the_walk_of_one_flow(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--walk", "5", "--faults", "none"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("flow 5, ")
    assert " comes to NPU " in rest[0]
    assert main([*SMALL, "--walk", "999"]) == 0
    assert capsys.readouterr().out == "flow 999 does not begin in this run\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--faults", "rain"], "no fault 'rain'; there are delay, loss,"),
        (["--spus", "0"], "argument --spus: '0' is no number from 1 to 200"),
        (["--sessions", "many"], "argument --sessions: 'many' is no number from 1 to"),
        (["--only-flows", "a-b"], "--only-flows: 'a-b' is no list of numbers such as 3,17"),
        (["--sedes", "3"], "unrecognized arguments: --sedes 3"),
    ],
)
def test_wrong_options_get_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main([*SMALL, *words])
    except SystemExit as exit_:
        status = int(str(exit_.code))
    assert status == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("wingpath")
    assert message in err
    assert err.count("\n") == 1


def test_help_names_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["simulate", "--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert all(f"\n  {fault.value} " in out for fault in Fault)


def test_faults_by_name() -> None:
    assert parse_faults("all") == frozenset(Fault)
    assert parse_faults("none") == frozenset()
    assert parse_faults("all,-npu,-controller") == frozenset(Fault) - {Fault.NPU, Fault.CONTROLLER}
    assert parse_faults("loss, clear") == {Fault.LOSS, Fault.CLEAR}
    for text in ("all", "none", "loss,clear"):
        assert parse_faults(names_of(parse_faults(text))) == parse_faults(text)
    halves = {swarm(seed, frozenset(Fault)) for seed in range(20)}
    assert len(halves) > 10
    assert set().union(*halves) == set(Fault)


def test_progress_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one, a line that says how far it is, and that is gone in the end."""
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        assert main(["simulate", "--sessions", "200", "--faults", "none"]) == 0
    shown = b""
    with contextlib.suppress(OSError):  # nobody has the other end any more
        while more := os.read(leader, 10_000):
            shown += more
    os.close(leader)
    assert b" of 200 flows" in shown
    assert shown.endswith(b"\r\x1b[K")
