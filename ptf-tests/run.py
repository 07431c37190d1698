#!/usr/bin/env python3
"""Run the data-plane cases against a switch over real ports.

    run.py --switch simple_switch_grpc --json build/npu.json --p4info build/npu.p4info.txtpb
    run.py ... --test screens                  every case of cases/screens.py
    run.py ... --test LandArrival --test fabric.Strip

Needs root. Everything it starts or creates lives in namespaces of its own and is gone when
it ends, whichever way it ends. Exit code: 0 every case passed, 1 some failed, 2 could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc
from google.protobuf import text_format

HERE = Path(__file__).resolve().parent
CASES = HERE / "cases"
sys.path[:0] = [str(HERE), str(HERE.parent)]

from support.client import Client  # noqa: E402  (needs the path above)
from support.names import Names  # noqa: E402
from support.switch import (  # noqa: E402
    SetupError,
    create_ports,
    last_line,
    run_in_namespace,
    running_switch,
    test_side,
)

PORTS = (1, 2, 3, 4, 200)
"""Ports of the NPU under test; support/interfaces.py says what is on each."""
ADDRESS = "127.0.0.1:9559"
"""Of the switch; the namespace has this address to itself."""
SWITCH_CHECK_SECONDS = 0.5
"""How often to look whether the switch is still alive while the cases run."""
INSIDE = "WINGPATH_PTF_INSIDE"
"""Set in the environment of the run inside the namespaces."""


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--switch", required=True, help="program, and arguments before all others")
    parser.add_argument("--json", required=True, type=Path, help="compiled npu.p4")
    parser.add_argument("--p4info", required=True, type=Path, help="its P4Info, as text")
    parser.add_argument(
        "--test",
        action="append",
        default=[],
        metavar="FILE_OR_NAME",
        help="only a file of cases/, or a case by name; may be repeated",
    )
    parser.add_argument("--log-dir", type=Path, default=Path("build/ptf"))
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    return parser.parse_args(argv)


def case_names() -> dict[str, list[str]]:
    """Names of all cases by file."""
    # PTF removes its log file before it opens it, as root whatever that is: give it one of its own.
    with tempfile.TemporaryDirectory(prefix="wingpath-ptf-") as scratch:
        done = subprocess.run(
            [
                *ptf_program(),
                f"--test-dir={CASES}",
                "--list-test-names",
                "--allow-user",
                f"--log-file={scratch}/ptf.log",
            ],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SetupError(f"the cases cannot be loaded: {done.stderr.strip()}")
    found: dict[str, list[str]] = {}
    for line in done.stdout.split():
        module, dot, name = line.partition(".")
        if dot and (CASES / f"{module}.py").exists():
            found.setdefault(module, []).append(name)
    return found


def selected(wanted: list[str]) -> list[str]:
    """What PTF calls the files and cases that were asked for; nothing asked: all."""
    if not wanted:
        return []
    cases = case_names()
    chosen = []
    for word in wanted:
        module, _, name = Path(word).name.removesuffix(".py").partition(".")
        if module in cases and (not name or name in cases[module]):
            chosen.append(f"{module}.{name}" if name else module)
            continue
        holders = [holder for holder, names in cases.items() if module in names]
        if not holders:
            raise SetupError(
                f"no file or case {word!r}; files: {', '.join(cases)}; --list shows the cases"
            )
        chosen += [f"{holder}.{module}" for holder in holders]
    return chosen


def ptf_program() -> list[str]:
    """The ptf script, under this interpreter."""
    script = shutil.which("ptf", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if script is None:
        raise SetupError("ptf is not installed; it is one of the project's dev dependencies")
    return [sys.executable, script]


def environment() -> dict[str, str]:
    """Environment in which the cases find the support package and the controller's enums."""
    paths = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def check(options: argparse.Namespace) -> Names:
    """Refuse what cannot work before anything is created; the P4Info, read."""
    for option, path in (("--json", options.json), ("--p4info", options.p4info)):
        if not path.is_file():
            raise SetupError(f"{option} {path}: no such file; compile p4src/npu.p4 first")
    try:
        names = Names(options.p4info)
    except text_format.ParseError as error:
        raise SetupError(f"--p4info {options.p4info}:{error}") from None
    check_program(options, names)
    switch = shlex.split(options.switch)
    if not switch or shutil.which(switch[0]) is None:
        raise SetupError(f"--switch {options.switch}: no such program on PATH")
    if os.geteuid() != 0:
        raise SetupError("creating ports needs root: run this with sudo")
    return names


def check_program(options: argparse.Namespace, names: Names) -> None:
    """Refuse what is no BMv2 JSON, or that of another program than the P4Info's."""
    try:
        program = json.loads(options.json.read_bytes())
        loaded = {table["name"] for pipe in program["pipelines"] for table in pipe["tables"]}
    except ValueError as error:
        raise SetupError(f"--json {options.json}: not JSON: {error}") from None
    except (KeyError, TypeError):
        raise SetupError(f"--json {options.json}: JSON, but no program for BMv2") from None
    declared = {table.preamble.name for table in names.p4info.tables}
    if not declared <= loaded:
        raise SetupError(
            f"--json {options.json} has no table {min(declared - loaded)}, "
            f"which --p4info {options.p4info} lists: they are of different programs"
        )


def run(options: argparse.Namespace, names: Names, tests: list[str]) -> int:
    """Inside the namespaces: ports, switch, pipeline, cases. Exit code of the cases."""
    log_dir: Path = options.log_dir
    log_dir.mkdir(parents=True, exist_ok=True)
    switch_log = log_dir / "switch.log"
    create_ports(PORTS)
    with running_switch(shlex.split(options.switch), PORTS, ADDRESS, switch_log) as switch:
        load_program(names, options.json)
        command = [*ptf_program(), "--test-dir", str(CASES)]
        for port in PORTS:
            command += ["--interface", f"{port}@{test_side(port)}"]
        command += [
            f"--test-params=address='{ADDRESS}';p4info='{options.p4info.resolve()}'",
            f"--log-dir={log_dir / 'cases'}",  # which PTF empties first
            "--debug=warning",
            *tests,
        ]
        cases = subprocess.Popen(command, env=environment())
        try:
            while True:
                try:
                    return 1 if cases.wait(SWITCH_CHECK_SECONDS) else 0
                except subprocess.TimeoutExpired:
                    if switch.poll() is not None:
                        raise SetupError(
                            f"the switch ended with code {switch.returncode} during the cases; "
                            f"its last words in {switch_log}: {last_line(switch_log)}"
                        ) from None
        finally:
            cases.kill()
            cases.wait()


def load_program(names: Names, program: Path) -> None:
    """Give the switch its pipeline."""
    client = Client(ADDRESS, names)
    try:
        client.set_pipeline(program.read_bytes())
    except grpc.RpcError as error:
        raise SetupError(f"the switch refuses {program}: {error.details()}") from None
    finally:
        client.close()


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = parse(argv)
    try:
        if options.list:
            for module, cases in case_names().items():
                for name in cases:
                    print(f"{module}.{name}")
            return 0
        names = check(options)
        chosen = selected(options.test)
        if INSIDE not in os.environ:
            os.environ[INSIDE] = "1"
            return run_in_namespace([sys.executable, str(Path(__file__).resolve()), *argv])
        return run(options, names, chosen)
    except SetupError as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
