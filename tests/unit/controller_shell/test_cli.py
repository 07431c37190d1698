"""The command line: one clear message and a status for each thing that goes wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli import main
from controller_shell.sample import SET_LINES

CHASSIS = """
[[npu]]
number = 1
address = "127.0.0.1:1"
fabric = { 2 = 200 }
[[npu]]
number = 2
address = "127.0.0.1:1"
fabric = { 1 = 200 }
[[spu]]
number = 1
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with a configuration and a chassis."""
    (tmp_path / "fw.set").write_text(SET_LINES)
    (tmp_path / "chassis.toml").write_text(CHASSIS)
    return tmp_path


def test_check_accepts_a_good_configuration(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(
        ["check", "--config", str(files / "fw.set"), "--chassis", str(files / "chassis.toml")]
    )
    assert status == 0
    assert capsys.readouterr().out.endswith("ok: 4 interfaces, 2 zones, 2 policies\n")


def test_check_prints_all_errors(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = files / "fw.set"
    path.write_text("set sistem host-name a\nset system host-nam b\n")
    assert main(["check", "--config", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"{path}:1:5: error: unknown word 'sistem'; did you mean 'system'?")
    assert lines[1].startswith(f"{path}:2:12: error: unknown word 'host-nam'")
    assert lines[2:] == ["2 errors"]


def test_check_wants_every_two_npus_joined(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chassis = files / "chassis.toml"
    chassis.write_text(
        CHASSIS.replace("fabric = { 2 = 200 }", "").replace("fabric = { 1 = 200 }", "")
    )
    assert main(["check", "--config", str(files / "fw.set"), "--chassis", str(chassis)]) == 1
    assert capsys.readouterr().err == (
        "wingpath: NPU 1 has no fabric port towards NPU 2; join the two directly\n"
    )


def test_no_controller_is_running(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cli", "-c", "show arp", "--socket", str(tmp_path / "none")]) == 1
    assert f"no wingpath is running at {tmp_path / 'none'}; start one" in capsys.readouterr().err


def test_run_without_a_compiled_program(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(
        ["run", "--config", str(files / "fw.set"), "--chassis", str(files / "chassis.toml"),
         "--p4info", str(files / "none"), "--socket", str(files / "s")]
    )  # fmt: skip
    assert status == 1
    assert "cannot read the P4Info file" in capsys.readouterr().err


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["frobnicate"])
    assert caught.value.code == 2
    assert "invalid choice: 'frobnicate'" in capsys.readouterr().err


def test_a_prompt_does_not_wait_for_libraries() -> None:
    """Nor does Ctrl-C meet an import under way."""
    late = ("asyncio", "finsy", "networkx", "controller.config.build")
    test = f"import sys, controller.cli; print([n for n in {late} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", test], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_runner_of_topologies_starts_likewise() -> None:
    late = ("mininet", "networkx", "controller.config.build")
    test = f"import sys, topologies.__main__; print([n for n in {late} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", test], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
