"""Listing the data-plane cases finds them all and leaves nothing where it was called."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[3] / "ptf-tests" / "run.py"


def test_listing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("ptf_runner_listing", RUNNER)
    assert spec is not None
    assert spec.loader is not None
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    monkeypatch.chdir(tmp_path)
    cases = runner.case_names()
    assert set(cases) == {path.stem for path in runner.CASES.glob("*.py")}
    assert "LandArrival" in cases["screens"]
    assert list(tmp_path.iterdir()) == []
