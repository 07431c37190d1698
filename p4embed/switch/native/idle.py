"""Idle entries as the runtime tells of them: keys in one piece, told apart only by who asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from p4embed.switch.engine import Engine, IdleEntry
from p4embed.switch.native.binding import PRIORITY
from p4embed.switch.native.shape import Shape


class PackedIdle(Sequence[IdleEntry]):
    """Idle entries of one table: records of ``wp_idle``."""

    __slots__ = ("_shape", "_size", "engine", "packed", "table")

    def __init__(self, engine: Engine, table: int, shape: Shape, packed: bytes) -> None:
        self.engine = engine
        """Whose entries they are."""
        self.table = table
        self.packed = packed
        self._shape = shape
        self._size = PRIORITY.size + shape.key_size + shape.mask_size

    def __len__(self) -> int:
        return len(self.packed) // self._size

    def __iter__(self) -> Iterator[IdleEntry]:
        for at in range(0, len(self.packed), self._size):
            priority = PRIORITY.unpack_from(self.packed, at)[0]
            yield IdleEntry(self.table, self._shape.key(self.packed, at + PRIORITY.size, priority))

    @overload
    def __getitem__(self, index: int) -> IdleEntry: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[IdleEntry]: ...

    def __getitem__(self, index: int | slice) -> IdleEntry | Sequence[IdleEntry]:
        if not isinstance(index, slice) or index.step not in (None, 1):
            return list(self)[index]
        start, stop, _ = index.indices(len(self))
        part = self.packed[start * self._size : stop * self._size]
        return PackedIdle(self.engine, self.table, self._shape, part)
