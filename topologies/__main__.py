"""The runner: ``python -m topologies up|demo|exec|shell``; ``make`` calls it."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from controller.config.problems import ConfigurationError
from topologies.errors import TopologyError
from topologies.state import DEFAULT_TOPOLOGY, only_one

if TYPE_CHECKING:
    from topologies.system import System

# What needs Mininet is imported where it is used: 'exec' and '--help' work without it, and who
# presses Ctrl-C early meets no import under way.


def main() -> int:
    """Run one subcommand; its exit status."""
    arguments = _arguments()
    try:
        status: int = arguments.work(arguments)
    except TopologyError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 1
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    return status


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="topologies", description=__doc__)
    parser.add_argument("--topology", default=DEFAULT_TOPOLOGY, help="which topology")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, work, text in (
        ("up", _up, "bring the topology up and keep it up until Ctrl-C"),
        ("demo", _demo, "bring it up, show the main job on real traffic, take it down"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(work=work)
        command.add_argument("--switch", default="p4embed-switch", help="switch program")
        command.add_argument("--pipeline", type=Path, default=Path("build/npu.json"))
        command.add_argument("--p4info", type=Path, default=Path("build/npu.p4info.txtpb"))
        text = "directory of the logs (default: build/logs/TOPOLOGY)"
        command.add_argument("--logs", type=Path, help=text)
        if work is _up:
            text = "run a web server and a UDP answerer on the hosts that serve"
            command.add_argument("--serve", action="store_true", help=text)
    text = "run a command on a host of the running topology"
    command = commands.add_parser("exec", help=text, description=text)
    command.set_defaults(work=_exec)
    command.add_argument("host")
    command.add_argument("command", nargs=argparse.REMAINDER)
    text = "open p4runtime-shell on an NPU of the running topology, as a read-only client"
    command = commands.add_parser("shell", help=text, description=text)
    command.set_defaults(work=_shell)
    command.add_argument("npu", help="number of the NPU")
    command.add_argument("--python", default="python3", help="interpreter that has p4runtime-shell")
    return parser.parse_args()


def _up(arguments: argparse.Namespace) -> int:

    def work(system: System) -> int:
        name = arguments.topology
        make = "make" if name == DEFAULT_TOPOLOGY else f"make TOPOLOGY={name}"
        if arguments.serve:
            system.start_servers()
        print(system.layout.picture)
        print(f"{name} is up; Ctrl-C takes it down. In another terminal:")
        for line, what in (
            ("cli", "operator's prompt"),
            ('cli C="show security flow session"', "one command"),
            ('host H=trust1 C="ping 203.0.113.10"', "a command on a host"),
            ('host H=trust1 C="curl http://203.0.113.10/client"', "what untrust1 sees of trust1"),
            ("shell NPU=1", "p4runtime-shell on an NPU"),
        ):
            print(f"  {make} {line:<52}{what}")
        sys.stdout.flush()
        system.wait()
        return 0

    return _with_system(arguments, work)


def _demo(arguments: argparse.Namespace) -> int:
    from topologies.demo import run_demo

    return _with_system(arguments, run_demo)


def _with_system(arguments: argparse.Namespace, work: Callable[[System], int]) -> int:
    from topologies.layout import check, load_layout
    from topologies.sandbox import run_inside
    from topologies.system import Build, System

    layout = load_layout(arguments.topology)
    check(layout)
    switch = shutil.which(arguments.switch)
    if switch is None:
        raise TopologyError(
            f"no switch program '{arguments.switch}' on PATH; leave SWITCH= out for p4embed-switch"
        )
    logs = arguments.logs or Path("build/logs") / layout.name
    build = Build(arguments.pipeline.resolve(), arguments.p4info.resolve(), switch)

    def inside(outside_pid: int) -> int:
        with (
            only_one(layout.name, logs),
            System(layout, build, outside_pid, logs) as system,
        ):
            return work(system)

    return run_inside(inside)


def _exec(arguments: argparse.Namespace) -> int:
    from topologies.attach import run_on_host

    return run_on_host(arguments.topology, arguments.host, arguments.command)


def _shell(arguments: argparse.Namespace) -> int:
    from topologies.attach import open_shell

    return open_shell(arguments.topology, arguments.npu, arguments.python)


if __name__ == "__main__":
    sys.exit(main())
