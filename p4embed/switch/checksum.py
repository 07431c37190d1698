"""Hash algorithms, calculations over headers, and the checksums of v1model.

Algorithms as simple_switch has them: crc16 is CRC-16/ARC, crc32 is that of Ethernet, crcCCITT is
CRC-16/IBM-3740, csum16 is RFC 1071, identity is the first eight bytes of the input as a number.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from functools import reduce
from typing import assert_never

from p4embed.switch import program as p
from p4embed.switch.expressions import Evaluator
from p4embed.switch.packet import Packet
from p4embed.switch.state import State
from p4embed.switch.trace import ChecksumVerified


def csum16(data: bytes) -> int:
    """The Internet checksum (RFC 1071): complement of the one's complement sum of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def xor16(data: bytes) -> int:
    """Exclusive or of 16-bit words."""
    if len(data) % 2:
        data += b"\0"
    words = (int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    return reduce(lambda a, b: a ^ b, words, 0)


def crc16(data: bytes) -> int:
    """CRC-16/ARC: polynomial 0x8005, reflected, initial 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def crc_ccitt(data: bytes) -> int:
    """CRC-16/IBM-3740: polynomial 0x1021, initial 0xffff."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


ALGORITHMS: dict[p.Algorithm, Callable[[bytes], int]] = {
    p.Algorithm.CRC16: crc16,
    p.Algorithm.CRC16_CUSTOM: crc16,
    p.Algorithm.CRC32: zlib.crc32,
    p.Algorithm.CRC32_CUSTOM: zlib.crc32,
    p.Algorithm.CRC_CCITT: crc_ccitt,
    p.Algorithm.CSUM16: csum16,
    p.Algorithm.XOR16: xor16,
    p.Algorithm.IDENTITY: lambda data: int.from_bytes(data[:8], "big"),
    p.Algorithm.RANDOM: lambda _data: random.getrandbits(32),
}


def calculate(calculation: p.Calculation, packet: Packet) -> int:
    """The result of a calculation on a packet as it is now."""
    number, width = 0, 0
    payload = b""
    for part in calculation.inputs:
        match part:
            case p.FieldRef(header, index):
                if not packet.valid[header]:
                    continue
                field = packet.program.headers[header].type.fields[index]
                bits = packet.lengths[header] if field.variable else field.width
                value = packet.values[header][index] & ((1 << bits) - 1)
            case p.InputConst(value, bits):
                pass
            case p.InputHeader(header):
                if not packet.valid[header]:
                    continue
                raw = packet.emit(header)
                value, bits = int.from_bytes(raw, "big"), 8 * len(raw)
            case p.InputPayload():
                payload = packet.payload
                continue
            case _:
                assert_never(part)
        number, width = number << bits | value, width + bits
    padding = -width % 8
    data = (number << padding).to_bytes((width + padding) // 8, "big") + payload
    return ALGORITHMS[calculation.algorithm](data)


def verify_checksums(packet: Packet, state: State) -> None:
    """Compare each checksum that is to be verified; a difference sets ``checksum_error``."""
    program = packet.program
    evaluator = Evaluator(packet, state)
    packet.checksum_error = False
    for checksum in program.checksums:
        if not checksum.verify or not packet.valid[checksum.target.header]:
            continue
        if not evaluator.truth(checksum.condition):
            continue
        width = program.field(checksum.target).width
        wanted = calculate(program.calculations[checksum.calculation], packet)
        ok = wanted & ((1 << width) - 1) == packet.get(checksum.target)
        packet.checksum_error |= not ok
        if packet.trace is not None:
            name = program.headers[checksum.target.header].name
            field = program.field(checksum.target).name
            packet.trace(ChecksumVerified(f"{name}.{field}", ok))


def update_checksums(packet: Packet, state: State) -> None:
    """Set each checksum that is to be updated."""
    program = packet.program
    evaluator = Evaluator(packet, state)
    for checksum in program.checksums:
        target = checksum.target
        if not checksum.update or not packet.valid[target.header]:
            continue
        if evaluator.truth(checksum.condition):
            result = calculate(program.calculations[checksum.calculation], packet)
            packet.assign(target.header, target.field, result)
