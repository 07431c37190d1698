"""The differential tests once more, with generated code and runtime under gcc's sanitizers.

Address and undefined-behaviour sanitizers stop at the first wild read, overflow or bad shift that
random packets and broken messages provoke. In a process of its own, since Python itself is not
built with them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CASES = (
    "differential/test_programs.py",
    "unit/native/test_ahead.py",
    "unit/native/test_beyond.py",
    "unit/native/test_tables.py",
    "unit/native/test_wire.py",
)
FUZZ = ("differential/fuzz_native.py",)


def sanitizer_library() -> str | None:
    """The library that must be loaded before all others."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    asked = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    path = asked.stdout.strip()
    return path if Path(path).is_absolute() else None


@pytest.mark.parametrize("cases", [CASES, FUZZ], ids=["cases", "fuzz"])
def test_under_sanitizers(tmp_path: Path, cases: tuple[str, ...]) -> None:
    library = sanitizer_library()
    if library is None:
        pytest.skip("the C compiler has no address sanitizer")
    environment = os.environ | {
        "XDG_CACHE_HOME": str(tmp_path),
        "WINGPATH_CFLAGS": "-fsanitize=address,undefined -fno-sanitize-recover=all -g -O1",
        "LD_PRELOAD": library,
        # The interpreter frees little when it ends.
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": str(TESTS.parent),
    }
    # Without capture: what is said before a sanitizer ends the process must not be lost.
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(str(TESTS / case) for case in cases)],
        env=environment,
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
