"""Packets between data plane and controller, many at a time: see ``wire_packets.h``."""

from __future__ import annotations

import ctypes as c
from collections.abc import Iterator, Sequence
from typing import overload

from p4embed.switch.native.binding import LENGTH, WireBits, WireHeader, runtime

MOST_PARTS, MOST_BITS = 64, 2048
"""Parts of a header, and bits of each, that are understood here."""
_PART_OVERHEAD, _OVERHEAD = 16, 64
"""At most so many bytes of a message beside its payload and the values of its parts."""


class PackedFrames(Sequence[bytes]):
    """Frames as the runtime gives and takes them: each behind its length, in one piece."""

    __slots__ = ("_count", "packed")

    def __init__(self, packed: bytes, count: int) -> None:
        self.packed = packed
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        packed, at = self.packed, 0
        for _ in range(self._count):
            (length,) = LENGTH.unpack_from(packed, at)
            at += LENGTH.size
            yield packed[at : at + length]
            at += length

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        return list(self)[index]


def packed(frames: Sequence[bytes]) -> bytes:
    """Any frames in one piece."""
    if isinstance(frames, PackedFrames):
        return frames.packed
    return b"".join(part for frame in frames for part in (LENGTH.pack(len(frame)), frame))


class WirePackets:
    """Messages of one kind of packet, with the header that carries their metadata on the CPU port.
    Used by one thread."""

    def __init__(self, size: int, parts: Sequence[tuple[int, int]]) -> None:
        """``size`` in bytes; ``parts``: id and width in bits of each."""
        self._c = runtime()
        self._size = size
        self._most = _OVERHEAD + sum(_PART_OVERHEAD + (width + 7) // 8 for _, width in parts)
        self._parts = (WireBits * max(len(parts), 1))(*(WireBits(*part) for part in parts))
        self._header = WireHeader(size, len(parts), self._parts)
        self._room = c.create_string_buffer(1 << 16)
        self._used, self._count = c.c_uint32(), c.c_uint32()

    def _have(self, room: int) -> None:
        if room > len(self._room):
            self._room = c.create_string_buffer(2 * room)

    def messages(self, frames: PackedFrames) -> bytes:
        """Frames as packets-in: serialized stream messages, each behind gRPC's prefix."""
        packed = frames.packed
        self._have(len(packed) + len(frames) * self._most)
        made = self._c.wp_wire_packets_in(
            c.byref(self._header), packed, len(packed), self._room, len(self._room)
        )
        return c.string_at(self._room, made)

    def frames(self, messages: bytes) -> tuple[PackedFrames, int]:
        """Packets-out, each behind gRPC's prefix, as frames; how many bytes of the messages were
        understood, up to the first that is another, or needs the careful way."""
        # A length and a header take the place of at least seven bytes.
        self._have(len(messages) + (len(messages) // 7 + 1) * self._size)
        made = self._c.wp_wire_packets_out(
            c.byref(self._header), messages, len(messages), self._room, len(self._room),
            c.byref(self._used), c.byref(self._count),
        )  # fmt: skip
        return PackedFrames(c.string_at(self._room, made), self._count.value), self._used.value
