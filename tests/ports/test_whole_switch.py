"""The whole switch against whatever comes, native code under sanitizers: see hostile.py."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sanitizers import environment

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ADDRESS = "127.0.0.1:9559"
SECONDS = float(os.environ.get("FUZZ_SECONDS", "8"))
FAULTS = ("Traceback", "AddressSanitizer", "runtime error", "internal error")
STOP_SECONDS = 30


def compile_everything(out: Path) -> tuple[Path, Path]:
    """everything.p4: its P4Info and JSON."""
    info = out / "everything.p4info.txtpb"
    command = [sys.executable, "-m", "p4embed.compiler", "-o", str(out)]
    command += ["--p4runtime-files", str(info), str(HERE / "everything.p4")]
    subprocess.run(command, check=True, cwd=ROOT)
    return info, out / "everything.json"


@contextmanager
def serving(program: Path, log: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The switch, from when it is ready."""
    command = [sys.executable, "-m", "p4embed.switch", "--device-id", "1"]
    command += ["-i", "1@npu1", "-i", "2@npu2", str(program), "--"]
    command += ["--grpc-server-addr", ADDRESS, "--cpu-port", "255"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, env=variables, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as switch,
    ):
        try:
            assert switch.stdout is not None
            assert "ready" in switch.stdout.readline(), log.read_text()[-4000:]
            yield switch
        finally:
            switch.kill()


def test_whatever_comes(tmp_path: Path, cache: Path) -> None:
    variables = environment(cache)
    if variables is None:
        pytest.skip("the C compiler has no address sanitizer")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    info, program = compile_everything(tmp_path)
    log = tmp_path / "switch.log"
    seed = os.environ.get("FUZZ_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"FUZZ_SEED={seed}")
    neighbour = [sys.executable, str(HERE / "hostile.py"), ADDRESS, str(info), str(program)]
    with serving(program, log, variables) as switch:
        done = subprocess.run(
            [*neighbour, str(SECONDS), seed],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        said = log.read_text()
        print(done.stdout)
        assert switch.poll() is None, f"the switch ended\n{said[-4000:]}"
        assert done.returncode == 0, done.stderr[-4000:] + said[-4000:]
        switch.send_signal(signal.SIGTERM)
        assert switch.wait(STOP_SECONDS) == 0
    said = log.read_text()
    assert not any(fault in said for fault in FAULTS), said[-4000:]
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", 9559))
