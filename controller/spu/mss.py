"""What a SYN announces as the longest segment that its sender takes, made smaller on the way."""

from __future__ import annotations

from controller.packet import Packet, adjust
from controller.tcp_options import MSS, options


def clamp(packet: Packet, most: int) -> Packet:
    """A SYN that announces no more than ``most`` bytes; one that announces nothing stays so.

    Its checksum is adjusted, so a wrong one stays wrong.
    """
    for kind, at, size in options(packet):
        if kind != MSS or size != 4:
            continue
        frame, l4 = packet.frame, packet.l4
        old = frame[at + 2] << 8 | frame[at + 3]
        if old <= most:
            return packet
        body = bytearray(frame)
        body[at + 2 : at + 4] = most.to_bytes(2, "big")
        # At an odd offset its bytes belong to two words of the sum, the wrong way round.
        delta = _swapped(most) - _swapped(old) if (at - l4) & 1 else most - old
        sum_ = frame[l4 + 16] << 8 | frame[l4 + 17]
        body[l4 + 16 : l4 + 18] = adjust(sum_, delta).to_bytes(2, "big")
        return packet.with_frame(bytes(body))
    return packet


def _swapped(value: int) -> int:
    return (value & 0xFF) << 8 | value >> 8
