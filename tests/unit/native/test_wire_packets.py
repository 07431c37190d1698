"""Packets to and from a controller, many at a time: the same as one by one, or left to that."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from finsy.proto import p4i, p4r

from p4embed.switch.native.packets import PackedFrames, WirePackets, packed
from p4embed.switch.p4runtime.errors import P4RuntimeError
from p4embed.switch.p4runtime.framing import framed, message_at
from p4embed.switch.p4runtime.packets import Packets, PacketTranslator

WIDTHS = (
    (8,), (1, 6, 9, 16, 32, 3, 2, 2, 1, 8), (48, 128), (7,), (3, 200, 5), (9,), (), (64, 1, 63),
)  # fmt: skip


def translator(widths: tuple[int, ...]) -> PacketTranslator:
    info = p4i.ControllerPacketMetadata()
    info.preamble.name = "packet"
    for number, width in enumerate(widths, 1):
        info.metadata.add(id=number, name=f"m{number}", bitwidth=width)
    return PacketTranslator(info)


def native(header: PacketTranslator) -> WirePackets:
    found = header.wire()
    assert found is not None
    return found


def split(messages: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(messages):
        message, at = message_at(messages, at)
        found.append(message)
    return found


@pytest.mark.parametrize("widths", WIDTHS)
def test_packets_in(widths: tuple[int, ...]) -> None:
    rng, header = random.Random(1), translator(widths)
    frames = [rng.randbytes(rng.choice((0, 1, 2, 20, 60, 127, 128, 300, 20000))) for _ in range(60)]
    frames += [bytes(header.size) + b"zero", b"\xff" * header.size]
    made = Packets(header, header, native=True).messages(PackedFrames(packed(frames), len(frames)))
    expected = [header.message(frame) for frame in frames]
    assert [p4r.StreamMessageResponse.FromString(m) for m in split(made)] == expected
    assert Packets(header, header, native=False).messages(frames) == b"".join(
        framed(message.SerializeToString()) for message in expected
    )


@pytest.mark.parametrize("widths", WIDTHS)
def test_packets_out(widths: tuple[int, ...]) -> None:
    rng, header = random.Random(1), translator(widths)
    packets = []
    for _ in range(60):
        packet = p4r.PacketOut(payload=rng.randbytes(rng.choice((0, 1, 64, 200, 9000))))
        numbers = list(range(len(widths)))
        rng.shuffle(numbers)
        for number in numbers[: rng.choice((0, 1, 20))]:
            width = widths[number]
            value = rng.choice((rng.getrandbits(width), 1, (1 << width) - 1))
            size = rng.choice(((value.bit_length() + 7) // 8 or 1, (width + 7) // 8, 30))
            packet.metadata.add(metadata_id=number + 1, value=value.to_bytes(size, "big"))
        packets.append(packet)
    run = b"".join(
        framed(p4r.StreamMessageRequest(packet=packet).SerializeToString()) for packet in packets
    )
    frames, used = native(header).frames(run)
    assert list(frames) == [header.pack(packet) for packet in packets]
    assert len(frames) == 60
    assert used == len(run)
    assert Packets(header, header, native=False).frames(run) == ((), 0)


def unknown(packet: p4r.PacketOut) -> None:
    packet.metadata.add(metadata_id=7, value=b"\1")


def wide(packet: p4r.PacketOut) -> None:
    packet.metadata.add(metadata_id=2, value=b"\x02\x00")


def empty(packet: p4r.PacketOut) -> None:
    packet.metadata.add(metadata_id=1)


@pytest.mark.parametrize("change", [unknown, wide, empty])
def test_what_is_wrong_ends_what_is_understood(change: Callable[[p4r.PacketOut], None]) -> None:
    header = translator((8, 9))
    good = framed(p4r.StreamMessageRequest(packet=p4r.PacketOut(payload=b"x")).SerializeToString())
    packet = p4r.PacketOut(payload=b"y")
    change(packet)
    with pytest.raises(P4RuntimeError):
        header.pack(packet)
    bad = framed(p4r.StreamMessageRequest(packet=packet).SerializeToString())
    frames, used = native(header).frames(good + good + bad + good)
    assert (list(frames), used) == ([bytes(3) + b"x"] * 2, 2 * len(good))


def test_other_messages_end_what_is_understood() -> None:
    header = translator((8, 9))
    good = framed(p4r.StreamMessageRequest(packet=p4r.PacketOut(payload=b"x")).SerializeToString())
    arbitration = p4r.StreamMessageRequest()
    arbitration.arbitration.device_id = 1
    for other in (framed(arbitration.SerializeToString()), framed(b""), b"\1" + good[1:]):
        frames, used = native(header).frames(good + other + good)
        assert (len(frames), used) == (1, len(good))


def test_frames_in_one_piece() -> None:
    frames = [b"", b"one", b"another"]
    made = PackedFrames(packed(frames), 3)
    assert list(made) == frames
    assert packed(made) is made.packed
    assert (len(made), made[1], made[:2], list(made[3:])) == (3, b"one", frames[:2], [])


def test_too_many_parts_are_for_the_careful_way() -> None:
    assert translator((1,) * 65).wire() is None
    assert translator((3000,)).wire() is None


def test_broken_messages() -> None:
    rng, header = random.Random(3), native(translator((1, 6, 9, 16, 32)))
    packet = p4r.PacketOut(payload=bytes(50))
    for number in range(1, 6):
        packet.metadata.add(metadata_id=number, value=b"\1")
    message = framed(p4r.StreamMessageRequest(packet=packet).SerializeToString()) * 3
    for _ in range(5000):
        broken = bytearray(message)
        for _ in range(rng.randint(1, 4)):
            broken[rng.randrange(len(broken))] = rng.getrandbits(8)
        header.frames(bytes(broken[: rng.randint(0, len(broken))]))  # must not crash
