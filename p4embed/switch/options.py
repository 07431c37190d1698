"""The command line of ``simple_switch_grpc``: general options, then ``--``, then the target's.

Source: ``simple_switch_grpc --help``. Options that change how the switch forwards and that this
switch does not have are refused; those without effect here are accepted with a line that says so.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from p4embed.switch.p4runtime import Tls
from p4embed.switch.program import DROP_PORT


class UsageError(Exception):
    """A command line that is wrong: what, and what would be right."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A parsed command line."""

    ports: dict[int, str]
    device_id: int
    program: Path | None
    executor: str
    address: str
    tls: Tls | None
    cpu_port: int | None
    drop_port: int
    pcap_directory: str | None
    mapped: bool
    files_wait_s: int | None
    """Frames come from pcap files, so long after the start; ``None``: from interfaces."""
    log_console: bool
    log_file: str | None
    log_level: str
    trace: bool
    ignored: tuple[str, ...]
    """Options that were given and have no effect here."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


_IGNORED = {
    "--thrift-port": "there is no Thrift server; use P4Runtime",
    "--nanolog": "there is no nanomsg; use --log-console, --log-file or --trace",
    "--log-flush": "logs are always flushed",
    "--log-file-max-size": "logs are not rotated",
    "--log-file-max-files": "logs are not rotated",
    "--dump-packet-data": "use --trace or --pcap",
    "--max-port-count": "there is no limit to lift",
    "--disable-swap": "programs are exchanged by P4Runtime only",
}
"""Options of simple_switch_grpc that change nothing here, and why."""

_JSON_VERSION = "2.24"
"""The newest version of BMv2 JSON that is known."""


def _version() -> str:
    try:
        return metadata.version("wingpath")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _general() -> _Parser:
    parser = _Parser(
        prog="p4embed-switch",
        description="A P4Runtime software switch for BMv2 JSON programs (v1model).",
        epilog="Arguments after -- are the target's; see p4embed-switch -- --help.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("program", nargs="?", metavar="program.json", help="BMv2 JSON program to run at start")
    add(
        "-i",
        "--interface",
        action="append",
        default=[],
        metavar="PORT@INTERFACE",
        help="attach a network interface as a port; may be given several times",
    )
    add("--device-id", type=int, default=0, help="P4Runtime device id (default 0)")
    add("--no-p4", action="store_true", help="start without a program; a controller brings one")
    add(
        "--executor",
        choices=("native", "reference"),
        help="native: generated C, the default; reference: readable, slow, traceable",
    )
    add(
        "--trace",
        action="store_true",
        help="print every table, key, action and header change (with the reference executor)",
    )
    add(
        "--use-files",
        type=int,
        metavar="SECONDS",
        help="instead of interfaces, read NAME_in.pcap and write NAME_out.pcap for -i PORT@NAME,"
        " so long after the start",
    )
    add(
        "--pcap",
        nargs="?",
        const=".",
        metavar="DIRECTORY",
        help="record each interface's traffic in pcap files (default: working directory)",
    )
    add(
        "--io",
        choices=("mapped", "copied"),
        help="mapped: frames come and go through memory shared with the kernel where it allows"
        " that, the default; copied: by system calls alone (native executor)",
    )
    add("--log-console", action="store_true", help="log to standard output")
    add("--log-file", metavar="FILE", help="log to a file")
    add(
        "-L",
        "--log-level",
        default="info",
        choices=("trace", "debug", "info", "warn", "error", "off"),
        help="default info",
    )
    add(
        "-v",
        "--version",
        action="version",
        version=f"%(prog)s {_version()}",
        help="print the version and stop",
    )
    add(
        "--json-version",
        action="version",
        version=_JSON_VERSION,
        help="print the newest version of BMv2 JSON that is known, and stop",
    )
    for name in (
        "--thrift-port",
        "--nanolog",
        "--log-file-max-size",
        "--log-file-max-files",
        "--dump-packet-data",
        "--max-port-count",
    ):
        add(name, help="accepted and ignored")
    add("--log-flush", action="store_true", help="accepted and ignored")
    return parser  # fmt: skip


def _target() -> _Parser:
    parser = _Parser(prog="p4embed-switch ... --", allow_abbrev=False)
    add = parser.add_argument
    add(
        "--grpc-server-addr",
        default="0.0.0.0:9559",
        metavar="HOST:PORT",
        help="address of the P4Runtime server (default 0.0.0.0:9559)",
    )
    add("--grpc-server-ssl", action="store_true", help="serve over TLS")
    add("--grpc-server-cacert", metavar="FILE", help="CA certificate to verify clients with (PEM)")
    add("--grpc-server-cert", metavar="FILE", help="server certificate (PEM)")
    add("--grpc-server-key", metavar="FILE", help="server key (PEM)")
    add(
        "--grpc-server-with-client-auth",
        action="store_true",
        help="require clients to show a certificate",
    )
    add("--cpu-port", type=int, help="port of the controller, for packet-in and packet-out")
    add("--drop-port", type=int, default=DROP_PORT, help=f"default {DROP_PORT}")
    add("--disable-swap", action="store_true", help="accepted and ignored")
    return parser  # fmt: skip


def parse(arguments: Sequence[str]) -> Settings:
    """Parse a command line; ``UsageError`` if it is wrong."""
    split = list(arguments).index("--") if "--" in arguments else len(arguments)
    general = _general().parse_args(arguments[:split])
    target = _target().parse_args(arguments[split + 1 :])
    if general.program is None and not general.no_p4:
        raise UsageError("no program: name a BMv2 JSON file, or say --no-p4")
    if general.program is not None and general.no_p4:
        raise UsageError(f"--no-p4 together with '{general.program}': expected one of them")
    if general.trace and general.executor == "native":
        raise UsageError("--trace needs --executor reference")
    is_reference = general.trace or general.executor == "reference"
    if general.io and (general.use_files is not None or is_reference):
        raise UsageError(f"--io {general.io} needs interfaces and --executor native")
    if general.use_files is not None and general.use_files < 0:
        raise UsageError(f"--use-files {general.use_files}: expected 0 or more seconds")
    if general.use_files is not None and general.pcap is not None:
        raise UsageError("--use-files records what it sends anyway; leave --pcap out")
    ports = _ports(general.interface)
    for name, port in (("--cpu-port", target.cpu_port), ("--drop-port", target.drop_port)):
        if port is not None and not 0 < port < 1 << 16:
            raise UsageError(f"{name} {port}: expected 1..65535 (v1model: 1..511)")
    _, _, server_port = target.grpc_server_addr.rpartition(":")
    if not _is_port(server_port) or ":" not in target.grpc_server_addr:
        raise UsageError(
            f"--grpc-server-addr {target.grpc_server_addr}: no port from 0 to 65535 behind the "
            "last colon; expected HOST:PORT, such as 127.0.0.1:9559"
        )
    if target.cpu_port is not None and target.cpu_port in ports:
        raise UsageError(f"--cpu-port {target.cpu_port} is also an interface's port")
    if target.cpu_port == target.drop_port:
        raise UsageError(f"--cpu-port and --drop-port are both {target.drop_port}")
    given = {argument.split("=")[0] for argument in arguments}
    return Settings(
        ports=ports,
        device_id=general.device_id,
        program=None if general.program is None else Path(general.program),
        executor=general.executor or ("reference" if general.trace else "native"),
        address=target.grpc_server_addr,
        tls=_tls(target),
        cpu_port=target.cpu_port,
        drop_port=target.drop_port,
        pcap_directory=general.pcap,
        mapped=general.io != "copied",
        files_wait_s=general.use_files,
        log_console=general.log_console,
        log_file=general.log_file,
        log_level=general.log_level,
        trace=general.trace,
        ignored=tuple(f"{o} is ignored: {why}" for o, why in _IGNORED.items() if o in given),
    )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 1 << 16


def _ports(texts: Sequence[str]) -> dict[int, str]:
    ports: dict[int, str] = {}
    for text in texts:
        number, at, name = text.partition("@")
        if not at or not number.isdecimal() or not name:
            raise UsageError(f"-i {text}: expected <port number>@<interface>, such as 1@veth1")
        if int(number) >= 1 << 16:
            raise UsageError(f"-i {text}: port {number}; expected at most 65535")
        if int(number) in ports:
            raise UsageError(f"-i {text}: port {number} is taken by '{ports[int(number)]}'")
        if name in ports.values():
            raise UsageError(f"-i {text}: interface '{name}' is attached twice")
        ports[int(number)] = name
    return ports


def _tls(target: argparse.Namespace) -> Tls | None:
    if not target.grpc_server_ssl:
        return None
    if target.grpc_server_cert is None or target.grpc_server_key is None:
        raise UsageError("--grpc-server-ssl needs --grpc-server-cert and --grpc-server-key")
    ca = target.grpc_server_cacert
    if target.grpc_server_with_client_auth and ca is None:
        raise UsageError("--grpc-server-with-client-auth needs --grpc-server-cacert")
    return Tls(
        certificate=Path(target.grpc_server_cert),
        key=Path(target.grpc_server_key),
        ca=None if ca is None else Path(ca),
        client_required=target.grpc_server_with_client_auth,
    )
