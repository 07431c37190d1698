"""The command line: files where p4c puts them, one clear line for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from p4embed.compiler import cli
from p4embed.compiler.driver import PASSES


@pytest.fixture
def source(tmp_path: Path, program_text: Callable[..., str]) -> Path:
    """A correct program in a file."""
    path = tmp_path / "small.p4"
    path.write_text(program_text(ingress="hdr.h.a = 1;"))
    return path


def test_writes_json_and_p4info(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "build"
    files = f"{out}/small.p4info.txtpb,{out}/small.p4info.json"
    arguments = ["--target", "bmv2", "--arch", "v1model", "--std", "p4-16", "-o", str(out)]
    code = cli.main([*arguments, "--p4runtime-files", files, str(source)])
    assert code == 0
    assert json.loads((out / "small.json").read_text())["__meta__"]["version"][0] == 2
    assert 'arch: "v1model"' in (out / "small.p4info.txtpb").read_text()
    assert json.loads((out / "small.p4info.json").read_text())["pkgInfo"]["arch"] == "v1model"


def test_macros_and_include_paths(tmp_path: Path, program_text: Callable[..., str]) -> None:
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "sizes.p4").write_text("const bit<8> VALUE = WANTED;\n")
    path = tmp_path / "m.p4"
    path.write_text(
        program_text(declarations='\n#include "sizes.p4"\n', ingress="hdr.h.a = VALUE;")
    )
    arguments = ["-I", str(tmp_path / "inc"), "-D", "WANTED=77", "-o", str(tmp_path), str(path)]
    assert cli.main(arguments) == 0
    actions = json.loads((tmp_path / "m.json").read_text())["actions"]
    assert actions[0]["primitives"][0]["parameters"][1]["value"] == "0x4d"


def test_preprocess_only(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-E", str(source)]) == 0
    assert "parser" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("preprocess", "hdr . h . a = 1 ;"),
        ("parse", "target: Member member='a'"),
        ("check", "value: IntLiteral value=1 : int -> bit<8> = 1"),
        ("elaborate", "h.a = 8w1"),
        ("indices", "h.a = 8w1"),
        ("legalise", "h.a = 8w1"),
        ("flatten", "assign(h.a, 8w1)"),
    ],
)
def test_dump(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, shown: str
) -> None:
    assert name in PASSES
    assert cli.main(["--dump", name, "-o", str(tmp_path), str(source)]) == 0
    assert shown in capsys.readouterr().out


def test_dump_of_a_pass_before_the_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], program_text: Callable[..., str]
) -> None:
    path = tmp_path / "bad.p4"
    path.write_text(program_text(ingress="hdr.h.a = true;"))
    assert cli.main(["--dump", "parse", "-o", str(tmp_path), str(path)]) == cli.EXIT_ERRORS
    said = capsys.readouterr()
    assert "BoolLiteral" in said.out
    assert "expected bit<8>" in said.err


@pytest.mark.parametrize(
    "options",
    [
        ["--p4v", "16", "-g", "-c", "-v"],
        ["--parser-inline-opt", "--nocpp"],
        ["--Wwarn", "--Wdisable=unused", "--maxErrorCount", "3"],
        ["-DUNUSED=1", "-UUNUSED", "-I."],
    ],
)
def test_options_of_p4c_that_change_nothing(
    source: Path, tmp_path: Path, options: list[str]
) -> None:
    for arguments in ([], options):
        assert cli.main([*arguments, "-o", str(tmp_path / str(len(arguments))), str(source)]) == 0
    plain, given = (tmp_path / str(n) / "small.json" for n in (0, len(options)))
    assert plain.read_text() == given.read_text()


def test_error_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], program_text: Callable[..., str]
) -> None:
    path = tmp_path / "bad.p4"
    path.write_text(program_text(ingress="a = 1; b = 1; c = 1; d = 1;"))
    assert cli.main(["--maxErrorCount", "2", str(path)]) == cli.EXIT_ERRORS
    assert capsys.readouterr().err.count("is not declared") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no source file is given"),
        (["missing.p4"], "there is no source file 'missing.p4'"),
        (["--target", "tofino", "SOURCE"], "target 'tofino' is not supported; the target is bmv2"),
        (["--arch", "psa", "SOURCE"], "architecture 'psa' is not supported; it is v1model"),
        (["--std", "p4-14", "SOURCE"], "language 'p4-14' is not supported; it is p4-16"),
        (
            ["--p4runtime-files", "a.xml", "SOURCE"],
            "the form of 'a.xml' is unknown; suffixes are .txtpb, .txt, .json, .bin",
        ),
        (["--p4v", "14", "SOURCE"], "language '14' is not supported; it is p4-16"),
        (["--maxErrorCount", "0", "SOURCE"], "'--maxErrorCount 0': the number is at least 1"),
        (
            ["--ndebug", "SOURCE"],
            "option '--ndebug' is not supported; 'assert' and 'assume' are always compiled",
        ),
        (["--frobnicate", "SOURCE"], "unrecognized arguments: --frobnicate"),
        (["--dump", "nothing", "SOURCE"], "argument --dump: invalid choice"),
        (["-o"], "argument -o/--output: expected one argument"),
    ],
)
def test_usage_errors(
    source: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    given = [str(source) if a == "SOURCE" else a for a in arguments]
    assert cli.main(given) == cli.EXIT_USAGE
    error = capsys.readouterr().err
    assert error.startswith(f"p4embed-c: error: {message}")
    assert error.count("\n") == 1


def test_errors_in_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], program_text: Callable[..., str]
) -> None:
    path = tmp_path / "bad.p4"
    path.write_text(program_text(ingress="hdr.h.a = 1"))
    assert cli.main(["-o", str(tmp_path), str(path)]) == cli.EXIT_ERRORS
    assert f"{path}:" in capsys.readouterr().err
    assert not (tmp_path / "bad.json").exists()


def test_output_that_cannot_be_written(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    assert cli.main(["-o", str(tmp_path / "taken"), str(source)]) == cli.EXIT_ERRORS
    error = capsys.readouterr().err
    assert error.startswith("p4embed-c: error: cannot write")
    assert error.count("\n") == 1


def test_warnings_as_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], program_text: Callable[..., str]
) -> None:
    path = tmp_path / "w.p4"
    path.write_text(
        program_text(locals="table t { actions = { NoAction; } colour = 3; }", ingress="t.apply();")
    )
    assert cli.main(["-o", str(tmp_path), str(path)]) == 0
    assert "warning: table property 'colour'" in capsys.readouterr().err
    capsys.readouterr()
    assert cli.main(["-o", str(tmp_path), str(path), "--Wdisable"]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(["-o", str(tmp_path), str(path), "--Werror"]) == cli.EXIT_ERRORS
    assert cli.main(["-o", str(tmp_path), "--Werror", str(path)]) == cli.EXIT_ERRORS
    assert cli.main(["-o", str(tmp_path), "--Werror=unused", str(path)]) == 0


def test_internal_fault_is_one_line(
    source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(cli, "compile_file", broken)
    assert cli.main(["-o", str(tmp_path), str(source)]) == cli.EXIT_FAULT
    error = capsys.readouterr().err
    assert error.startswith("p4embed-c: internal fault: KeyError: 'surprise' (test_back_cli.py:")
    assert "please report" in error
    assert error.count("\n") == 1


def test_as_a_module(source: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "p4embed.compiler", "-o", str(tmp_path), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "small.json").exists()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("p4embed-c ")
