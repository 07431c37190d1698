"""npu.p4 in full, compiled by p4embed, in the reference and in the native executor."""

from __future__ import annotations

import random

import pytest
from harness import Pair, hold_against_each_other

from p4embed.switch.engine import Entry, EntryKey, Op, Update
from p4embed.switch.program import Program, Table, byte_width
from p4embed.switch.trace import TableApplied

MAC = 0x020000000001


@pytest.mark.parametrize("seed", range(3))
def test_random_packets_and_entries(npu: Program, seed: int) -> None:
    hold_against_each_other(npu, seed, rounds=3, frames=40)


# -- sessions that are hit --------------------------------------------------------------------


def table_named(program: Program, name: str) -> tuple[int, Table]:
    return next((i, t) for i, t in enumerate(program.tables) if t.name.endswith(name))


def entry(program: Program, table: Table, action: str, key: EntryKey, **values: int) -> Entry:
    """An entry with parameters by name; those not named are 0."""
    chosen = next(
        program.actions_by_id[a] for a in table.actions
        if program.actions_by_id[a].name.split(".")[-1] == action
    )  # fmt: skip
    packed = b"".join(
        values.get(param.name, 0).to_bytes(byte_width(param.width), "big")
        for param in chosen.params
    )
    return Entry(key, chosen.id, packed)


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def random_ip(rng: random.Random) -> bytes:
    """A frame that is sane more often than not: IPv4 or IPv6, TCP, UDP or ICMP, few flows."""
    upper = rng.choice((6, 17, 1, 58, 47))
    ports = rng.choice((b"\x04\x00\x00\x50", b"\x04\x01\x01\xbb", b"\x00\x8b\x00\x8b"))
    body = bytes(rng.choice((0, 6, 30)))
    if upper == 6:
        flags = rng.choice((0x10, 0x02, 0x18, 0x11, 0x00, 0x03, 0x04))
        body = ports + bytes(8) + bytes([0x50, flags]) + bytes(6) + body
    elif upper == 17:
        body = (
            ports + (8 + len(body)).to_bytes(2, "big") + rng.choice((b"\0\0", b"\x12\x34")) + body
        )
    else:
        body = bytes([rng.choice((8, 0, 128, 129, 3)), 0, 0, 0]) + ports + body
    if rng.random() < 0.5:
        options = bytes(rng.choice((0, 0, 0, 8)))
        source, target = rng.choice(((b"\x0a\0\0\x01", b"\xc0\0\x02\x01"), (b"\x0a\0\0\x01",) * 2))
        head = bytearray(
            bytes([0x45 + len(options) // 4, 0])
            + (20 + len(options) + len(body)).to_bytes(2, "big")
            + b"\x12\x34"
            + rng.choice((b"\0\0", b"\x40\0", b"\x20\0", b"\0\x10"))
            + bytes([rng.choice((64, 2, 1, 0)), upper, 0, 0])
            + source
            + target
            + options
        )
        head[10:12] = checksum(bytes(head)).to_bytes(2, "big")
        ether_type, packet = b"\x08\x00", bytes(head) + body
    else:
        addresses = bytes.fromhex("20010db8" + "00" * 11 + "01" + "20010db8" + "00" * 11 + "02")
        head6 = b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes([upper, rng.choice((64, 1))])
        ether_type, packet = b"\x86\xdd", head6 + addresses + body
    if rng.random() < 0.05:
        packet = bytearray(packet)
        packet[rng.randrange(len(packet))] ^= 1 << rng.randrange(8)
    tag = b"\x81\x00\x00\x07" if rng.random() < 0.2 else b""
    macs = MAC.to_bytes(6, "big") + bytes.fromhex("0200000000aa")
    frame = macs + tag + ether_type + bytes(packet)
    if rng.random() < 0.05:
        frame = frame[: rng.randrange(len(frame))]
    return frame


def install(pair: Pair) -> None:
    """Interfaces on ports 1 and 2, untagged and on VLAN 7, with random screens."""
    for port in (1, 2):
        for vlan in (0, 7):
            for way in ("ingress", "egress"):
                index, table = table_named(pair.program, f"{way}_interface")
                key = EntryKey(port.to_bytes(2, "big") + vlan.to_bytes(2, "big"))
                screens = {
                    name: pair.rng.getrandbits(64) & pair.rng.getrandbits(64)
                    for name in ("screens", "alarm_only")
                }
                made = entry(
                    pair.program, table, f"set_{way}_interface", key,
                    token=port, zone=port, mac=MAC, extension_limit=2, **screens,
                )  # fmt: skip
                write(pair, Update(Op.INSERT, index, made))


def write(pair: Pair, update: Update) -> None:
    assert pair.reference.write([update]) == pair.native.write([update])


def test_packets_of_sessions(npu: Program) -> None:
    rng = random.Random(7)
    pair = Pair(npu, rng)
    install(pair)
    seen: dict[tuple[str, tuple[int, ...]], None] = {}

    def watch(event: object) -> None:
        if isinstance(event, TableApplied) and event.table.endswith(("session_v4", "session_v6")):
            seen[event.table, tuple(value for _, value in event.key)] = None

    pair.reference.trace = watch
    frames = [(rng.choice((1, 2)), random_ip(rng)) for _ in range(300)]
    for port, frame in frames:
        pair.send(port, frame)
    assert len(seen) > 10
    for name, values in seen:
        index, table = table_named(npu, name)
        packed = b"".join(v.to_bytes(f.size, "big") for v, f in zip(values, table.key, strict=True))
        action = rng.choice(("to_spu", "express_v6" if name.endswith("v6") else "express_v4"))
        made = entry(
            npu, table, action, EntryKey(packed),
            session_id=rng.getrandbits(32), wing=rng.getrandbits(1), spu=3,
            src_addr=0xC0000201, dst_addr=rng.getrandbits(32), src_port=rng.getrandbits(16),
            dst_port=rng.getrandbits(16), src_mac=MAC, dst_mac=0x0200000000BB,
            vlan=rng.choice((0, 7)), port=rng.choice((1, 2, 200)), remote_port=2,
        )  # fmt: skip
        write(pair, Update(Op.INSERT, index, made))
    left = 0
    for port, frame in frames + [(rng.choice((1, 2)), random_ip(rng)) for _ in range(300)]:
        left += pair.send(port, frame)
    for port in (1, 2) * 5:
        burst = [frame for arrived, frame in rng.sample(frames, 60) if arrived == port]
        left += pair.send_burst(port, burst)
    assert left > 100
    hits = sum(
        count.packets
        for table_name in ("session_v4", "session_v6")
        for index, _ in [table_named(npu, table_name)]
        for row in pair.native.entries(index)
        if (count := pair.native.direct_count(index, row.key)) is not None
    )
    assert hits > 50
    pair.compare_state()
    pair.close()
