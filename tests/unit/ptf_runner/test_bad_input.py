"""What the runner of the data-plane cases refuses, before it creates anything."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

RUNNER = Path(__file__).resolve().parents[3] / "ptf-tests" / "run.py"

P4INFO = 'tables { preamble { id: 1 name: "NpuIngress.session.session_v4" alias: "session_v4" } }'
PROGRAM = {"pipelines": [{"tables": [{"name": "NpuIngress.session.session_v4"}]}]}


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ptf_runner", RUNNER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("program", "p4info", "switch", "message"),
    [
        (None, P4INFO, "true", r"npu\.json: no such file; compile p4src/npu\.p4 first"),
        (PROGRAM, None, "true", r"npu\.txtpb: no such file"),
        ("control Ingress", P4INFO, "true", r"npu\.json: not JSON"),
        ([], P4INFO, "true", "no program for BMv2"),
        ({"pipelines": [7]}, P4INFO, "true", "no program for BMv2"),
        ({"pipelines": []}, P4INFO, "true", r"has no table NpuIngress\.session\.session_v4"),
        (PROGRAM, "tables {", "true", r"--p4info .*npu\.txtpb:1:\d+"),
        (PROGRAM, P4INFO, "no-such-switch --fast", "no such program on PATH"),
        (PROGRAM, P4INFO, "", "no such program on PATH"),
    ],
)
def test_refused_with_what_and_where(
    runner: ModuleType,
    tmp_path: Path,
    program: object,
    p4info: str | None,
    switch: str,
    message: str,
) -> None:
    json_file, p4info_file = tmp_path / "npu.json", tmp_path / "npu.txtpb"
    if program is not None:
        json_file.write_text(program if isinstance(program, str) else json.dumps(program))
    if p4info is not None:
        p4info_file.write_text(p4info)
    options = runner.parse(
        ["--switch", switch, "--json", str(json_file), "--p4info", str(p4info_file)]
    )
    with pytest.raises(runner.SetupError, match=message):
        runner.check(options)
