"""The command line: what it accepts, and one clear line for everything that is wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from p4embed.switch.cli import main
from p4embed.switch.interface import with_vlan_tag
from p4embed.switch.options import Settings, UsageError, parse
from p4embed.switch.pcap import PcapWriter

from .programs import one_table


def test_the_command_line_of_simple_switch_grpc() -> None:
    line = (
        "--device-id 3 -i 1@veth1 -i 200@fabric --no-p4 --log-console -L warn --pcap=captures"
        " --io copied --thrift-port 9090 -- --grpc-server-addr 127.0.0.1:9560 --cpu-port 255"
        " --drop-port 510"
    )
    settings = parse(line.split())
    assert settings.ports == {1: "veth1", 200: "fabric"}
    assert (settings.device_id, settings.program) == (3, None)
    assert (settings.address, settings.cpu_port, settings.drop_port) == ("127.0.0.1:9560", 255, 510)
    assert (settings.executor, settings.pcap_directory) == ("native", "captures")
    assert not settings.mapped
    assert (settings.log_console, settings.log_level) == (True, "warn")
    assert settings.ignored == (
        "--thrift-port is ignored: there is no Thrift server; use P4Runtime",
    )


def test_defaults() -> None:
    settings = parse(["program.json"])
    assert settings == Settings(
        ports={}, device_id=0, program=Path("program.json"), executor="native",
        address="0.0.0.0:9559", tls=None, cpu_port=None, drop_port=511, pcap_directory=None,
        mapped=True, files_wait_s=None,
        log_console=False, log_file=None, log_level="info", trace=False, ignored=(),
    )  # fmt: skip


def test_what_simple_switch_grpc_knows_and_this_switch_ignores() -> None:
    line = "--no-p4 --log-flush --nanolog ipc:///log --dump-packet-data 64 -- --disable-swap"
    assert [text.split()[0] for text in parse(line.split()).ignored] == [
        "--nanolog", "--log-flush", "--dump-packet-data", "--disable-swap",
    ]  # fmt: skip


@pytest.mark.parametrize("option", ["--help", "--version", "--json-version"])
def test_what_only_prints(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([option])
    assert caught.value.code == 0
    assert capsys.readouterr().out


def test_tls_options() -> None:
    line = (
        "--no-p4 -- --grpc-server-ssl --grpc-server-cert c.pem --grpc-server-key k.pem"
        " --grpc-server-cacert ca.pem --grpc-server-with-client-auth"
    )
    settings = parse(line.split())
    assert settings.tls is not None
    assert (settings.tls.certificate, settings.tls.client_required) == (Path("c.pem"), True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no program: name a BMv2 JSON file, or say --no-p4"),
        ("--no-p4 x.json", "--no-p4 together with 'x.json': expected one of them"),
        ("--no-p4 -i veth1", "-i veth1: expected <port number>@<interface>, such as 1@veth1"),
        ("--no-p4 -i 1@", "-i 1@: expected <port number>@<interface>, such as 1@veth1"),
        ("--no-p4 -i 99999@a", "-i 99999@a: port 99999; expected at most 65535"),
        ("--no-p4 -i 1@a -i 1@b", "-i 1@b: port 1 is taken by 'a'"),
        ("--no-p4 -i 1@a -i 2@a", "-i 2@a: interface 'a' is attached twice"),
        ("--no-p4 -i 5@a -- --cpu-port 5", "--cpu-port 5 is also an interface's port"),
        ("--no-p4 -- --grpc-server-addr 127.0.0.1:99999",
         "--grpc-server-addr 127.0.0.1:99999: no port from 0 to 65535 behind the last colon; "
         "expected HOST:PORT, such as 127.0.0.1:9559"),
        ("--no-p4 -- --grpc-server-addr localhost",
         "--grpc-server-addr localhost: no port from 0 to 65535 behind the last colon; "
         "expected HOST:PORT, such as 127.0.0.1:9559"),
        ("--no-p4 -- --cpu-port 0", "--cpu-port 0: expected 1..65535 (v1model: 1..511)"),
        ("--no-p4 -- --cpu-port 511", "--cpu-port and --drop-port are both 511"),
        ("--no-p4 --trace --executor native", "--trace needs --executor reference"),
        ("--no-p4 --use-files -1", "--use-files -1: expected 0 or more seconds"),
        ("--no-p4 --io mapped --executor reference",
         "--io mapped needs interfaces and --executor native"),
        ("--no-p4 --io copied --trace", "--io copied needs interfaces and --executor native"),
        ("--no-p4 --io copied --use-files 0", "--io copied needs interfaces and --executor native"),
        ("--no-p4 --priority", "unrecognized arguments: --priority"),
        ("--no-p4 -- --priority-queues 8", "unrecognized arguments: --priority-queues 8"),
        ("--no-p4 -- --grpc-server-ssl",
         "--grpc-server-ssl needs --grpc-server-cert and --grpc-server-key"),
        ("--no-p4 --executor fast",
         "argument --executor: invalid choice: 'fast' (choose from 'native', 'reference')"),
    ],
)  # fmt: skip
def test_a_wrong_command_line(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split())
    assert str(caught.value) == message
    assert main(line.split()) == 2
    assert capsys.readouterr().err == f"p4embed-switch: {message} (see --help)\n"


@pytest.fixture
def keep_signals() -> object:
    """``main`` takes SIGTERM and SIGINT over; give them back."""
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("keep_signals")
class TestStart:
    """Failures after the command line was understood."""

    REFERENCE = ("--executor", "reference")

    def fails(
        self, capsys: pytest.CaptureFixture[str], *arguments: str, address: str = "127.0.0.1:0"
    ) -> str:
        line = [*self.REFERENCE, *arguments, "--", "--grpc-server-addr", address]
        assert main(line) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        return captured.err.removeprefix("p4embed-switch: ").rstrip()

    def test_a_program_that_is_missing(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = self.fails(capsys, "no-such.json")
        assert text == (
            "cannot read 'no-such.json': No such file or directory; compile one with p4embed-c"
        )

    def test_a_program_that_is_none(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "x.json"
        path.write_text("{}")
        assert self.fails(capsys, str(path)) == (
            f"'{path}': $: not a BMv2 program: no object with 'pipelines';"
            " compile one with p4embed-c"
        )

    def test_a_broken_program(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        made = one_table([("exact", "h", "kind")])
        made["pipelines"][0]["tables"][0]["key"][0]["match_type"] = "guess"
        path = tmp_path / "x.json"
        path.write_text(json.dumps(made))
        assert self.fails(capsys, str(path)) == (
            f"'{path}': $.pipelines[0].tables[0].key[0].match_type: 'guess';"
            " expected one of exact, lpm, ternary, range"
        )

    def test_an_interface_that_does_not_exist(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.fails(capsys, "--no-p4", "-i", "1@nosuchport") == (
            "interface 'nosuchport' of port 1 does not exist;"
            " create it, or name another with -i 1@<interface>"
        )

    def test_a_port_in_use(self, capsys: pytest.CaptureFixture[str]) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            assert self.fails(capsys, "--no-p4", address=address) == (
                f"cannot listen on {address}: in use by another program;"
                " choose another with --grpc-server-addr"
            )

    @pytest.mark.parametrize(
        ("host", "why"),
        [
            ("192.0.2.1", "not an address of this machine"),
            # (A label that is too long is known to be no name without asking a server.)
            ("n" * 64, f"there is no host '{'n' * 64}'"),
        ],
    )
    def test_an_address_that_is_not_here(
        self, capsys: pytest.CaptureFixture[str], host: str, why: str
    ) -> None:
        assert self.fails(capsys, "--no-p4", address=f"{host}:0") == (
            f"cannot listen on {host}:0: {why}; choose another with --grpc-server-addr"
        )

    def test_a_log_that_cannot_be_written(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.fails(capsys, "--no-p4", "--log-file", str(tmp_path / "no" / "log"))
        assert text.endswith("No such file or directory")


def command(*arguments: str) -> subprocess.Popen[str]:
    """The switch as a process of its own."""
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-m", "p4embed.switch", "--executor", "reference", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def test_nothing_but_our_line_is_printed_when_a_port_is_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with command("--no-p4", "--", "--grpc-server-addr", address) as process:
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"p4embed-switch: cannot listen on {address}: in use")
    assert err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(number: signal.Signals) -> None:
    process = command("--device-id", "4", "--no-p4", "--", "--grpc-server-addr", "127.0.0.1:0")
    with process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith("p4embed-switch: device 4 ready, P4Runtime on 127.0.0.1:")
        process.send_signal(number)
        _out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")


def test_the_vlan_tag_is_put_back() -> None:
    frame = bytes(range(12)) + b"\x08\x00rest"

    def auxdata(status: int, tci: int, tpid: int) -> bytes:
        return struct.pack("=IIIHHHH", status, 0, 0, 0, 0, tci, tpid)

    assert with_vlan_tag(frame, auxdata(0, 30, 0x8100)) == frame
    tagged = frame[:12] + b"\x81\x00\x00\x1e" + frame[12:]
    assert with_vlan_tag(frame, auxdata(1 << 4, 30, 0)) == tagged
    service = frame[:12] + b"\x88\xa8\x00\x1e" + frame[12:]
    assert with_vlan_tag(frame, auxdata(1 << 4 | 1 << 6, 30, 0x88A8)) == service


def test_pcap_files_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    writer = PcapWriter(path)
    for frame in (b"one", b"second"):
        writer.write(frame)
    writer.close()
    raw = path.read_bytes()
    magic, major, minor, _zone, _accuracy, _snap, link = struct.unpack_from("<IHHiIII", raw)
    assert (magic, major, minor, link) == (0xA1B23C4D, 2, 4, 1)
    at, frames = 24, []
    while at < len(raw):
        _s, _ns, captured, length = struct.unpack_from("<IIII", raw, at)
        assert captured == length
        frames.append(raw[at + 16 : at + 16 + captured])
        at += 16 + captured
    assert frames == [b"one", b"second"]
