"""The flows that are measured: IPv4/UDP, a frame and addresses by number."""

from __future__ import annotations

import struct

from bench.traffic import FRAME_BYTES

GATEWAY_MAC = bytes.fromhex("020000000001")
HOST_MAC = bytes.fromhex("020000000011")


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def addresses(flow: int) -> tuple[int, int, int, int]:
    """Source and destination address, source and destination port of a flow."""
    return 0x0A000001 + flow // 50000, 0xC6336401, 1024 + flow % 50000, 53


def frame(flow: int) -> bytes:
    """An IPv4/UDP frame of a flow, with right checksums."""
    source, destination, source_port, destination_port = addresses(flow)
    payload = bytes(FRAME_BYTES - 42)
    udp_length = 8 + len(payload)
    pseudo = struct.pack("!IIBBH", source, destination, 0, 17, udp_length)
    udp = struct.pack("!HHHH", source_port, destination_port, udp_length, 0)
    total = checksum(pseudo + udp + payload)
    udp = struct.pack("!HHHH", source_port, destination_port, udp_length, total or 0xFFFF)
    head = struct.pack(
        "!BBHHHBBHII", 0x45, 0, 20 + udp_length, 0, 0, 64, 17, 0, source, destination
    )
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return GATEWAY_MAC + HOST_MAC + b"\x08\x00" + head + udp + payload


Tuple4 = tuple[int, int, int, int]
"""Addresses and ports in the order of ``addresses``."""


def wings(flow: int) -> tuple[tuple[Tuple4, Tuple4], tuple[Tuple4, Tuple4]]:
    """What the two wings of a flow's session match, and what they make of it: source NAT."""
    source, destination, source_port, destination_port = addresses(flow)
    nat, nat_port = 0xC0000201 + flow // 64000, 1024 + flow % 64000
    return (
        (
            (source, destination, source_port, destination_port),
            (nat, destination, nat_port, destination_port),
        ),
        (
            (destination, nat, destination_port, nat_port),
            (destination, source, destination_port, source_port),
        ),
    )
