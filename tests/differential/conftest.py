"""npu.p4, compiled; compiled programs go to a directory of the test run.

Helpers of the unit tests are at hand.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from p4embed.switch.load import load_file
from p4embed.switch.program import Program

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "unit"))
sys.path.insert(0, str(ROOT / "tests" / "unit" / "native"))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def npu(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """npu.p4 in full, compiled by p4embed."""
    out = tmp_path_factory.mktemp("npu")
    command = [sys.executable, "-m", "p4embed.compiler", "--target", "bmv2", "--arch", "v1model"]
    command += ["-o", str(out), str(ROOT / "p4src" / "npu.p4")]
    subprocess.run(command, check=True, cwd=ROOT)
    return load_file(out / "npu.json")
