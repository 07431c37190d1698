"""The native data plane on real ports."""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from ends import CPU, KEY, SILENCE, WAIT, Far, Heard, forwarding, ip, send_to
from native_programs import standard

from p4embed.switch import program as p
from p4embed.switch.dataplane import Options, PortError
from p4embed.switch.engine import Digested, EntryKey, IdleEntry, Status
from p4embed.switch.native import NativeDataplane


@pytest.mark.parametrize("size", [46, 1000, 9216])
def test_frames_pass(dataplane: NativeDataplane, far: dict[int, Far], size: int) -> None:
    assert dataplane.engine.write([send_to(2)]) == [Status.OK]
    payload = os.urandom(size)
    far[1].send(KEY + payload)
    assert far[2].receive() == b"\x02\x00" + KEY + payload
    counts = dataplane.counts(1)
    assert counts is not None
    assert (counts.rx_packets, counts.rx_bytes) == (1, 14 + size)
    assert dataplane.counts(3) is None


def test_an_acknowledged_entry_is_visible(dataplane: NativeDataplane, far: dict[int, Far]) -> None:
    for number in range(200):
        key = KEY[:10] + number.to_bytes(2, "big") + KEY[12:]
        dataplane.engine.write([send_to(2, key)])
        far[1].send(key + bytes(50))
        assert far[2].receive() is not None, f"frame {number} was dropped"


def test_a_vlan_tag_stays(dataplane: NativeDataplane, far: dict[int, Far]) -> None:
    # The kernel takes the tag off on reception; the program must see it.
    key = KEY[:12] + b"\x81\x00"
    dataplane.engine.write([send_to(2, key)])
    far[1].send(key + b"\x60\x07\x08\x00" + bytes(60))
    assert far[2].receive() == b"\x02\x00" + key + b"\x60\x07\x08\x00" + bytes(60)


def test_a_checksum_left_to_hardware_is_finished(
    dataplane: NativeDataplane, far: dict[int, Far]
) -> None:
    ip("addr", "add", "192.0.2.1/24", "dev", "far1")
    ip("link", "set", "far1", "address", "02:00:00:00:00:02")
    ip("neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:01", "dev", "far1")
    dataplane.engine.write([send_to(2, KEY[:12] + b"\x08\x00")])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"an odd number of bytes.", ("192.0.2.2", 53))
    frame = far[2].receive()
    assert frame is not None
    datagram = frame[2 + 14 + 20 :]
    pseudo = frame[2 + 26 : 2 + 34] + struct.pack("!HH", 17, len(datagram))
    assert checksum(pseudo + datagram) == 0, "the UDP checksum is wrong"


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_packets_to_and_from_the_controller(
    dataplane: NativeDataplane, far: dict[int, Far], heard: Heard
) -> None:
    other = KEY[:12] + b"\x88\xb7"
    dataplane.engine.write([send_to(CPU), send_to(1, other)])
    frames = [KEY + bytes([n]) * 60 for n in range(100)]
    for frame in frames:
        far[2].send(frame)
    assert [heard.frames.get(timeout=WAIT) for _ in frames] == [b"\x02\x00" + f for f in frames]
    dataplane.packet_out([other + bytes(50), KEY + bytes(50)])
    assert far[1].receive() == b"\x02\x00" + other + bytes(50)
    assert heard.frames.get(timeout=WAIT) == b"\x02\x00" + KEY + bytes(50)


def test_digests_are_told(dataplane: NativeDataplane, far: dict[int, Far], heard: Heard) -> None:
    built = forwarding()
    learn = replace(built.actions[1], body=(p.Digest(p.Const(1), 0), *built.actions[1].body))
    digest = p.DigestList("d", (standard("ingress_port"), p.FieldRef(1, 2)))
    built = replace(built, actions=(built.actions[0], learn), digests=(digest,))
    dataplane.use(dataplane.prepare(built))
    far[2].send(KEY + bytes(50))
    assert heard.learned.get(timeout=WAIT) == Digested(0, b"\x00\x02\x88\xb6")


def test_idle_entries_are_told(dataplane: NativeDataplane, heard: Heard) -> None:
    dataplane.engine.write([send_to(2, idle_ns=1)])
    assert heard.idles.get(timeout=WAIT) == IdleEntry(0, EntryKey(KEY))


def test_another_program_starts_afresh(dataplane: NativeDataplane, far: dict[int, Far]) -> None:
    dataplane.engine.write([send_to(2)])
    old = dataplane.engine
    dataplane.use(dataplane.prepare(forwarding(size=7)))
    assert dataplane.engine.entry_count(0) == 0
    with pytest.raises(RuntimeError, match="closed"):
        old.entry_count(0)
    far[1].send(KEY + bytes(50))
    assert far[2].receive(SILENCE) is None
    dataplane.engine.write([send_to(2)])
    far[1].send(KEY + bytes(50))
    assert far[2].receive() is not None


def test_writes_get_their_turn_while_frames_pour_in(
    dataplane: NativeDataplane, far: dict[int, Far]
) -> None:
    dataplane.engine.write([send_to(2)])
    stop = threading.Event()

    def pour() -> None:
        while not stop.is_set():
            far[1].send(KEY + bytes(50))

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        for number in range(500):
            key = struct.pack("!QIH", number, 0, 0)
            assert dataplane.engine.write([send_to(2, key)]) == [Status.OK]
    finally:
        stop.set()
        thread.join()
    assert dataplane.engine.entry_count(0) == 501


def test_an_interface_that_goes_and_comes_back(
    dataplane: NativeDataplane, far: dict[int, Far]
) -> None:
    dataplane.engine.write([send_to(2)])
    ip("link", "set", "npu1", "down")
    ip("link", "set", "npu1", "up")
    for _ in range(50):  # the link comes up in its own time
        with suppress(OSError):
            far[1].send(KEY + bytes(50))
        if far[2].receive(SILENCE) is not None:
            return
    pytest.fail("nothing passes any more")


def test_an_interface_that_is_missing(heard: Heard) -> None:
    plane = NativeDataplane(Options())
    with pytest.raises(PortError, match="'nosuch' of port 2 does not exist"):
        plane.start({1: "npu1", 2: "nosuch"}, heard)
    assert plane.counts(1) is None
    plane.stop()


def test_a_recording_that_cannot_be_written(tmp_path: Path, heard: Heard) -> None:
    plane = NativeDataplane(Options(pcap_directory=str(tmp_path / "nosuch")))
    with pytest.raises(PortError, match=r"cannot write pcap files to '.*nosuch'"):
        plane.start({1: "npu1"}, heard)
    plane.stop()


def test_traffic_is_recorded(
    tmp_path: Path, options: Options, far: dict[int, Far], heard: Heard
) -> None:
    plane = NativeDataplane(replace(options, pcap_directory=str(tmp_path)))
    plane.use(plane.prepare(forwarding()))
    plane.start({1: "npu1", 2: "npu2"}, heard)
    plane.engine.write([send_to(2)])
    far[1].send(KEY + bytes(50))
    sent = far[2].receive()
    plane.stop()
    plane.stop()
    assert (tmp_path / "npu1_in.pcap").read_bytes()[40:] == KEY + bytes(50)
    assert (tmp_path / "npu2_out.pcap").read_bytes()[40:] == sent
