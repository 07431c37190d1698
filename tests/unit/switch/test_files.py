"""Frames from pcap files to pcap files, and the command line that asks for it."""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from p4embed.switch.cli import main
from p4embed.switch.dataplane import Options, PortError
from p4embed.switch.engine import (
    Digested,
    Engine,
    Entry,
    EntryKey,
    IdleEntry,
    MeterConfig,
    Op,
    Update,
)
from p4embed.switch.files import FileDataplane
from p4embed.switch.pcap import PcapError, PcapWriter, Recorded, read_pcap
from p4embed.switch.program import Program
from p4embed.switch.reference import ReferenceEngine

from .programs import Json, load, one_table

SECOND = 10**9
CPU = 64


class Ears:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.idle_entries: list[IdleEntry] = []

    def packets_in(self, frames: Sequence[bytes]) -> None:
        self.frames += frames

    def idle(self, entries: Sequence[IdleEntry]) -> None:
        self.idle_entries += entries

    def digests(self, digests: Sequence[Digested]) -> None:
        raise AssertionError(digests)


def record(path: Path, *frames: tuple[int, bytes]) -> None:
    writer = PcapWriter(path)
    for time_ns, frame in frames:
        writer.write(frame, time_ns)
    writer.close()


def replay(directory: Path, made: Json, *updates: Update, meter: MeterConfig | None = None) -> Ears:
    """Run what ``a_in.pcap`` and ``b_in.pcap`` hold through a program, ports 1 and 2."""

    def make(program: Program) -> Engine:
        return ReferenceEngine(program)

    dataplane = FileDataplane(Options(cpu_port=CPU), make)
    ears = Ears()
    engine = dataplane.prepare(load(made))
    engine.write(updates)
    if meter is not None:
        assert isinstance(engine, ReferenceEngine)
        engine.set_direct_meter(0, updates[0].entry.key, meter)
    dataplane.use(engine)
    dataplane.start({1: str(directory / "a"), 2: str(directory / "b")}, ears)
    assert dataplane.done.wait(5)
    dataplane.stop()
    return ears


def to(kind: int, port: int, timeout_ns: int = 0) -> Update:
    entry = Entry(EntryKey(bytes([kind])), 3, port.to_bytes(2, "big"), timeout_ns)
    return Update(Op.INSERT, 0, entry)


def test_frames_run_in_the_order_of_time(tmp_path: Path) -> None:
    record(tmp_path / "a_in.pcap", (5 * SECOND, b"\x01aaa1"), (7 * SECOND, b"\x01aaa3"))
    record(tmp_path / "b_in.pcap", (6 * SECOND, b"\x01bbb2"), (8 * SECOND, b"\x02bbb4"))
    ears = replay(tmp_path, one_table([("exact", "h", "kind")]), to(1, 2), to(2, CPU))
    assert list(read_pcap(tmp_path / "b_out.pcap")) == [
        Recorded(5 * SECOND, b"\x01aaa1"),
        Recorded(6 * SECOND, b"\x01bbb2"),
        Recorded(7 * SECOND, b"\x01aaa3"),
    ]
    assert list(read_pcap(tmp_path / "a_out.pcap")) == []
    assert ears.frames == [b"\x02bbb4"]


def test_time_is_the_recorded_one(tmp_path: Path) -> None:
    """A token a second, though the replay takes no time; idle entries are told in its course."""
    seconds = (0, 0, 1, 1, 9)
    frames = [(1000 * SECOND + s * SECOND, b"\x01\0\0\0") for s in seconds]
    record(tmp_path / "a_in.pcap", *frames)
    record(tmp_path / "b_in.pcap")
    made = one_table([("exact", "h", "kind")], meter="m", timeout=True)
    meter = MeterConfig(1, 1, 1, 1)
    ears = replay(tmp_path, made, to(1, 2), to(7, 2, timeout_ns=3 * SECOND), meter=meter)
    colors = [recorded.frame[0] for recorded in read_pcap(tmp_path / "b_out.pcap")]
    assert colors == [0, 2, 0, 2, 0]
    assert ears.idle_entries == [IdleEntry(0, EntryKey(b"\x07"))]


def test_a_missing_file_opens_none(tmp_path: Path) -> None:
    record(tmp_path / "a_in.pcap")
    with pytest.raises(PortError, match=r"no file '.*b_in.pcap' for port 2"):
        replay(tmp_path, one_table([("exact", "h", "kind")]))
    assert not (tmp_path / "a_out.pcap").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a pcap file"),
        (b"\x0a\x0d\x0d\x0a" + bytes(30), "not a pcap file"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0, 101), "link type 101; expected 1"),
        (struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0, 1) + b"x", "ends within a record"),
        (
            struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0, 1)
            + struct.pack(">IIII", 1, 2, 3, 3),
            "ends within a frame",
        ),
    ],
)
def test_what_is_no_pcap_file(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    with pytest.raises(PcapError, match=message):
        list(read_pcap(path))


def test_microseconds_and_the_other_byte_order(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    head = struct.pack(">IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0, 1)
    path.write_bytes(head + struct.pack(">IIII", 1, 2, 3, 3) + b"abc")
    assert list(read_pcap(path)) == [Recorded(SECOND + 2000, b"abc")]


def test_a_broken_file_ends_the_replay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a_in.pcap").write_bytes(b"")
    record(tmp_path / "b_in.pcap")
    logger = logging.getLogger("p4embed.switch")
    logger.addHandler(caplog.handler)
    try:
        replay(tmp_path, one_table([("exact", "h", "kind")]))
    finally:
        logger.removeHandler(caplog.handler)
    assert "a_in.pcap: not a pcap file" in caplog.text


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "x.json"
    program.write_text(json.dumps(one_table([("exact", "h", "kind")])))
    name = str(tmp_path / "nothing")
    line = ["--trace", "--use-files", "0", "-i", f"1@{name}", str(program)]
    assert main([*line, "--", "--grpc-server-addr", "127.0.0.1:0"]) == 1
    assert capsys.readouterr().err == f"p4embed-switch: no file '{name}_in.pcap' for port 1\n"
