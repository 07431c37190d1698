"""IPv4 packets in fragments (RFC 791, 3.2)."""

from __future__ import annotations

from controller.packet import checksum

_DONT, _MORE, _OFFSET = 0x4000, 0x2000, 0x1FFF
_COPIED = 0x80
_END, _NOTHING = 0, 1


def may_fragment(frame: bytes, l3: int) -> bool:
    """Whether the IPv4 packet at an offset of a frame does not say "don't fragment"."""
    return not frame[l3 + 6] & _DONT >> 8


def fragment(frame: bytes, l3: int, mtu: int) -> list[bytes]:
    """The IPv4 packet at offset ``l3`` of a frame in as many as ``mtu`` (bytes of IP) asks for."""
    header = (frame[l3] & 15) << 2
    total = frame[l3 + 2] << 8 | frame[l3 + 3]
    field = frame[l3 + 6] << 8 | frame[l3 + 7]
    payload = frame[l3 + header : l3 + total]
    if total <= mtu:
        return [frame]
    first, later = frame[l3 : l3 + header], _later_header(frame[l3 : l3 + header])
    found = []
    at = 0
    while at < len(payload):
        head = bytearray(later if at else first)
        room = mtu - len(head)
        last = len(payload) - at <= room
        piece = payload[at : at + (room if last else room & ~7)]
        more = _MORE if not last or field & _MORE else 0
        head[2:4] = (len(head) + len(piece)).to_bytes(2, "big")
        head[6:8] = (more | (field & _OFFSET) + at // 8).to_bytes(2, "big")
        head[10:12] = b"\0\0"
        head[10:12] = checksum(head).to_bytes(2, "big")
        found.append(frame[:l3] + bytes(head) + piece)
        at += len(piece)
    return found


def _later_header(header: bytes) -> bytes:
    """With only those options that go with every fragment."""
    options = bytearray()
    at = 20
    while at < len(header) and header[at] != _END:
        size = (
            1 if header[at] == _NOTHING else max(2, header[at + 1] if at + 1 < len(header) else 2)
        )
        if header[at] & _COPIED:
            options += header[at : at + size]
        at += size
    options += bytes(-len(options) % 4)
    return bytes((0x40 | (20 + len(options)) >> 2,)) + header[1:20] + bytes(options)
