"""Building the native executor: what is cached, and what is said when it cannot be built."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from native_programs import standard, table_program

from p4embed.switch import program as p
from p4embed.switch.codegen import generate
from p4embed.switch.native import NativeEngine, NativeError, build
from p4embed.switch.program import MatchKind


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "wingpath"


def test_what_is_compiled_is_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = generate(table_program(MatchKind.EXACT, [8]))
    first = build.program_library(source)
    written = first.stat().st_mtime_ns
    assert build.program_library(source) == first
    assert first.stat().st_mtime_ns == written
    assert first.with_suffix(".c").read_text() == source
    assert build.program_library(source + "\n") != first
    monkeypatch.setenv("WINGPATH_CFLAGS", "-DOTHER")
    assert build.program_library(source) != first
    assert {path.suffix for path in fresh.iterdir() if path.name != ".keep"} == {".c", ".so"}


@pytest.mark.usefixtures("fresh")
def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(NativeError, match=r"no C compiler found .* install the package gcc"):
        build.runtime_library()


@pytest.mark.usefixtures("fresh")
def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINGPATH_CFLAGS", "-include no_such_header.h")
    with pytest.raises(NativeError, match=r"cannot compile .*no_such_header\.h") as caught:
        build.runtime_library()
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    with pytest.raises(NativeError, match=r"cannot write to the cache .* set XDG_CACHE_HOME"):
        build.runtime_library()


def test_what_is_not_supported_is_named() -> None:
    program = table_program(MatchKind.EXACT, [8])
    shift = p.Arithmetic(p.DataOp.SHL, p.FieldRef(1, 0), standard("packet_length"))
    less = p.DataToBool(shift)
    branch = p.Branch("node_7", less, None, None)
    broken = replace(program, branches=(branch,), ingress=p.Pipeline("ingress", p.BranchNode(0)))
    with pytest.raises(NativeError, match="does not support condition 'node_7': a left shift"):
        NativeEngine(broken)
