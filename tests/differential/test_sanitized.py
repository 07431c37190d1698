"""The differential tests once more, with generated code and runtime under gcc's sanitizers.

Address and undefined-behaviour sanitizers stop at the first wild read, overflow or bad shift that
random packets and broken messages provoke. In a process of its own, since Python itself is not
built with them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sanitizers import environment

TESTS = Path(__file__).resolve().parents[1]
CASES = (
    "differential/test_programs.py",
    "unit/native/test_ahead.py",
    "unit/native/test_beyond.py",
    "unit/native/test_tables.py",
    "unit/native/test_wire.py",
    "unit/native/test_wire_packets.py",
    "unit/native/test_wire_reads.py",
)
FUZZ = ("differential/fuzz_native.py",)


@pytest.mark.parametrize("cases", [CASES, FUZZ], ids=["cases", "fuzz"])
def test_under_sanitizers(tmp_path: Path, cases: tuple[str, ...]) -> None:
    variables = environment(tmp_path)
    if variables is None:
        pytest.skip("the C compiler has no address sanitizer")
    # Without capture: what is said before a sanitizer ends the process must not be lost.
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *(str(TESTS / case) for case in cases)],
        env=variables | {"PYTHONPATH": str(TESTS.parent)},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
