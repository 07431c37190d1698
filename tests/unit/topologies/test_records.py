"""A running topology is found by its record; one that was killed leaves a record behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from topologies import attach
from topologies.errors import TopologyError
from topologies.state import started_at


def record(path: Path, monkeypatch: pytest.MonkeyPatch, **changed: int) -> None:
    said = {"pid": os.getpid(), "started": started_at("self"), "hosts": {}, "npus": {}}
    path.write_text(json.dumps(said | changed))
    monkeypatch.setattr(attach, "record_path", lambda _: path)
    monkeypatch.setattr(attach, "require_root", lambda: None)


def test_it_is_found_while_its_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "t.json", monkeypatch)
    assert attach.find_running("limits").pid == os.getpid()


@pytest.mark.parametrize("changed", [{"started": 1}, {"pid": 2**22 + 1}])
def test_a_later_process_of_its_number_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, int]
) -> None:
    record(tmp_path / "t.json", monkeypatch, **changed)
    with pytest.raises(
        TopologyError, match="limits is not up; 'make topology TOPOLOGY=limits' in another"
    ):
        attach.find_running("limits")


def test_without_a_record_it_is_not_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path / "t.json", monkeypatch)
    (tmp_path / "t.json").unlink()
    with pytest.raises(
        TopologyError, match="limits is not up; 'make topology TOPOLOGY=limits' in another"
    ):
        attach.find_running("limits")


def test_a_topology_that_there_is_not_is_not_said_to_be_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "t.json", monkeypatch)
    (tmp_path / "t.json").unlink()
    with pytest.raises(TopologyError, match="no topology named 'limit'; there is: data_plane, "):
        attach.find_running("limit")
