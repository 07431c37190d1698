"""The files of a topology are read before anything is started for them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from topologies import layout
from topologies.__main__ import main

SOUND = layout.load_layout("two_npus")


def brought_up(
    directory: Path, chassis: str, configuration: str, monkeypatch: pytest.MonkeyPatch
) -> int:
    """The exit status of ``up`` with these files."""
    (directory / "chassis.toml").write_text(chassis)
    (directory / "wingpath.set").write_text(configuration)
    monkeypatch.setattr(layout, "load_layout", lambda _: replace(SOUND, directory=directory))
    monkeypatch.setattr(sys, "argv", ["topologies", "up"])
    return main()


@pytest.mark.parametrize(
    ("find", "put", "errors"),
    [
        ("device_id = 2", "devise_id = 2", ["chassis.toml:7:1: error: there is no NPU 2 to be",
                                            "chassis.toml:12:1: error: unknown key 'devise_id'"]),
        ("fabric = { 1 = 201 }", "", ["chassis.toml:7:1: error: NPU 1 is joined to NPU 2, but"]),
        ("security-zone trust interfaces ge-1/0/0.0", "security-zone trust interfaces ge-1/0/9.0",
         ["wingpath.set:19:51: error: unknown interface 'ge-1/0/9.0'"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_them_is_said_with_its_place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    find: str,
    put: str,
    errors: list[str],
) -> None:
    files = [path.read_text() for path in (SOUND.chassis, SOUND.configuration)]
    assert any(find in text for text in files)
    assert brought_up(tmp_path, *(text.replace(find, put) for text in files), monkeypatch) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith(f"{tmp_path}/{e}") for line, e in zip(said, errors, strict=True)] == [
        True
    ] * len(errors), said


@pytest.mark.parametrize("name", ["two_npus", "gateways", "data_plane", "limits"])
def test_those_that_come_along_are_sound(name: str) -> None:
    layout.check(layout.load_layout(name))
