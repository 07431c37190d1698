"""Spoilt programs: what loads, both executors run alike.

Programs are real ones with parts exchanged, removed or made odd, as in the unit tests of loading.
``FUZZ_SECONDS`` says for how long, ``FUZZ_SEED`` with which seed.
"""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from harness import hold_against_each_other
from switch.test_fuzz import PROGRAMS, at_place, places

from p4embed.switch.json_reader import LoadError
from p4embed.switch.load import load_bytes
from p4embed.switch.native import NativeError
from p4embed.switch.native.engine import generated
from p4embed.switch.program import Program

ROOT = Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("FUZZ_SECONDS", "8"))
ODD = (
    None, True, False, -1, 0, 1, 2, 7, 255, 65536, 2**40, "", "0x1", "0xffff", [], {}, "ternary",
    "exact", "lpm", "range", "field", "header", "stack", "expression", "==", "+", "<<", "d2b",
)  # fmt: skip


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """everything.p4 of the ports' tests, compiled."""
    out = tmp_path_factory.mktemp("everything")
    source = ROOT / "tests" / "ports" / "everything.p4"
    command = [sys.executable, "-m", "p4embed.compiler", "-o", str(out), str(source)]
    subprocess.run(command, check=True, cwd=ROOT)
    made: dict[str, Any] = json.loads((out / "everything.json").read_text())
    return made


def spoilt(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy with one to three things wrong, or only different."""
    made = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        everywhere = list(places(made))
        *parent, key = rng.choice(everywhere[1:])
        within = at_place(made, tuple(parent))
        match rng.randrange(3):
            case 0:
                within[key] = copy.deepcopy(at_place(made, rng.choice(everywhere)))
            case 1:
                within[key] = rng.choice(ODD)
            case _ if isinstance(within, list):
                del within[key]
            case _:
                # The same key elsewhere fits more often than anything else.
                others = [place for place in everywhere if place and place[-1] == key]
                within[key] = copy.deepcopy(at_place(made, rng.choice(others)))
    return made


def loaded(document: dict[str, Any]) -> Program | None:
    """The program, if it is one for both executors."""
    try:
        program = load_bytes(json.dumps(document).encode())
        generated(program)
    except (LoadError, NativeError):
        return None
    return program


def test_both_executors_run_them_alike(
    everything: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINGPATH_CFLAGS", "-O0")
    seed = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().getrandbits(32))
    print(f"FUZZ_SEED={seed}")
    rng = random.Random(seed)
    end, tried, ran = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end or not ran:
        program = loaded(spoilt(rng.choice((everything, everything, *PROGRAMS)), rng))
        tried += 1
        if program is not None:
            hold_against_each_other(program, rng.getrandbits(32), 2, 20)
            ran += 1
    print(f"{tried} programs, {ran} ran")
