"""The command ``wingpath``: run a controller, talk to a running one, check a configuration, play
the machines under virtual time."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

from controller.config.problems import ConfigurationError
from controller.operate.protocol import default_socket
from controller.operate.shell import Client, ShellError, prompt, run_command
from controller.simulate.arguments import add_arguments as add_simulate_arguments

# What a command needs is imported by it: a prompt should not wait for libraries to load, nor
# Ctrl-C meet an import under way.


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status: 0, 1 for a failure, 2 for a wrong command line."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except ConfigurationError as error:
        count = len(error.problems)
        print(error, file=sys.stderr)
        print(f"{count} error{'s' if count > 1 else ''}", file=sys.stderr)
    except ShellError as error:
        print(f"wingpath: {error}", file=sys.stderr)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="wingpath", description="Central point and SPUs of a chassis firewall on P4 NPUs."
    )
    parser.add_argument("--version", action="version", version=f"wingpath {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    text = "control the NPUs of a chassis until stopped"
    run = commands.add_parser("run", help=text, description=_sentence(text))
    run.set_defaults(run=_run)
    run.add_argument("--config", type=Path, required=True, help="Junos 'set' lines")
    run.add_argument("--chassis", type=Path, required=True, help="chassis.toml: NPUs and SPUs")
    run.add_argument(
        "--pipeline",
        type=Path,
        default=Path("build/npu.json"),
        help="p4src/npu.p4 as BMv2 JSON (default: %(default)s)",
    )
    run.add_argument(
        "--p4info",
        type=Path,
        default=Path("build/npu.p4info.txtpb"),
        help="its P4Info (default: %(default)s)",
    )
    run.add_argument("--socket", type=Path, default=default_socket(), help=_SOCKET)
    run.add_argument("--log-file", type=Path, help="session logs and faults; default: stderr")
    run.add_argument("--ready-file", type=Path, help="written once packets are forwarded")

    text = "operational commands, at a prompt or with -c"
    cli = commands.add_parser(
        "cli",
        help=text,
        description=_sentence(text),
        epilog="At the prompt, ? shows what may follow, Tab completes it. docs/COMMANDS.md has "
        "all commands.",
    )
    cli.set_defaults(run=_cli)
    cli.add_argument("-c", "--command", action="append", help="run this command; may be repeated")
    cli.add_argument("--socket", type=Path, default=default_socket(), help=_SOCKET)

    text = "check a configuration and print all its errors"
    check = commands.add_parser("check", help=text, description=_sentence(text))
    check.set_defaults(run=_check)
    check.add_argument("--config", type=Path, required=True, help="Junos 'set' lines")
    check.add_argument(
        "--chassis", type=Path, help="chassis.toml: check this too, and that the two fit together"
    )

    simulate = commands.add_parser(
        "simulate", help="play the machines under virtual time, with faults, and check invariants"
    )
    add_simulate_arguments(simulate)
    simulate.set_defaults(run=_simulate)
    return parser


_SOCKET = "Unix socket between controller and operators (default: %(default)s)"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _simulate(options: argparse.Namespace) -> int:
    from controller.simulate.command import run

    return run(options)


def _version() -> str:
    try:
        return version("wingpath")
    except PackageNotFoundError:
        return "(not installed)"


def _check(options: argparse.Namespace) -> int:
    from controller.config.build import load
    from controller.config.chassis import load_chassis
    from controller.routing.fabric import Fabric, FabricError

    chassis = None
    if options.chassis is not None:
        chassis = load_chassis(options.chassis)
        try:
            Fabric(chassis)
        except FabricError as error:
            print(f"wingpath: {error}", file=sys.stderr)
            return 1
    configuration = load(options.config, chassis)
    print(
        f"{options.config}: ok: {len(configuration.interfaces)} interfaces, "
        f"{len(configuration.zones)} zones, {len(configuration.policies)} policies"
    )
    return 0


def _cli(options: argparse.Namespace) -> int:
    client = Client(options.socket)
    try:
        if options.command is None:
            return prompt(client)
        return max(run_command(client, command) for command in options.command)
    finally:
        client.close()


def _run(options: argparse.Namespace) -> int:
    import asyncio
    import logging

    from controller.config.build import load
    from controller.config.chassis import load_chassis
    from controller.npu.connection import NpuError
    from controller.npu.pipeline import PipelineError, load_pipeline
    from controller.operate.log import open_log
    from controller.operate.server import SocketError
    from controller.routing.fabric import FabricError
    from controller.service import serve

    chassis = load_chassis(options.chassis)
    configuration = load(options.config, chassis)
    try:
        logging.basicConfig(level=logging.INFO, handlers=[open_log(options.log_file)])
        pipeline = load_pipeline(options.p4info, options.pipeline)
        return asyncio.run(
            serve(configuration, chassis, pipeline, options.socket, options.ready_file)
        )
    except (PipelineError, NpuError, SocketError, FabricError) as error:
        print(f"wingpath: {error}", file=sys.stderr)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"wingpath: {where}{error.strerror}", file=sys.stderr)
    return 1
