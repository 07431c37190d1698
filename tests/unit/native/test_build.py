"""Building the native executor: what is cached, and what is said when it cannot be built."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
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
    # None of it is run: without optimisation it is there in half the time.
    monkeypatch.setenv("WINGPATH_CFLAGS", "-O0")
    return tmp_path / "wingpath"


def kept(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if not path.name.startswith(".")}


def test_what_is_compiled_is_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = generate(table_program(MatchKind.EXACT, [8]))
    first = build.program_library(source)
    same = first.stat().st_ino
    assert build.program_library(source) == first
    assert first.stat().st_ino == same
    assert first.with_suffix(".c").read_text() == source
    assert build.program_library(source + "\n") != first
    monkeypatch.setenv("WINGPATH_CFLAGS", "-O0 -DOTHER")
    assert build.program_library(source) != first
    assert {Path(name).suffix for name in kept(fresh)} == {".c", ".so"}


def test_who_comes_second_waits(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, compiler = tmp_path / "runs", tmp_path / "compiler"
    compiler.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {runs}\nexec cc "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    source = generate(table_program(MatchKind.EXACT, [8]))
    with ThreadPoolExecutor(4) as pool:
        built = set(pool.map(build.program_library, [source] * 4))
    assert len(built) == 1
    outputs = [line for line in runs.read_text().splitlines() if line != "--version"]
    assert len(outputs) == 2, "the runtime and the program, once each"
    assert len(kept(fresh)) == 3


def test_what_was_not_used_for_longest_goes(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = generate(table_program(MatchKind.EXACT, [8]))
    used, unused = (build.program_library(source + end) for end in ("", "\n"))
    for age, path in enumerate((used, unused)):
        for name in (path, path.with_suffix(".c")):
            os.utime(name, (age, age))
    (fresh / ".lock-0").touch()
    os.utime(fresh / ".lock-0", (0, 0))
    total = sum(path.stat().st_size for path in fresh.iterdir())
    monkeypatch.setattr(build, "CACHE_BYTES", total + 4096)
    build.program_library(source)
    last = build.program_library(source + "\n\n")
    assert kept(fresh) == {
        build.runtime_library().name,
        *(path.with_suffix(end).name for path in (used, last) for end in (".c", ".so")),
    }
    assert (fresh / ".lock-0").exists()


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
