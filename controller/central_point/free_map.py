"""Which of many numbers are free, in little memory: a bit for each.

Finding, taking and giving back a number costs a few operations on small integers, however many
numbers there are: blocks of ``BLOCK`` bits, and above them a bit for each block that has some left.
"""

from __future__ import annotations

BLOCK = 256
_SHIFT = 8
_MASK = BLOCK - 1
_ALL = (1 << BLOCK) - 1


class FreeMap:
    """The numbers from 0 to ``size`` - 1, all of them free at first."""

    __slots__ = ("_blocks", "_cursor", "_some", "free", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size
        """How many are."""
        whole, rest = divmod(size, BLOCK)
        # All full blocks are one object until they differ.
        self._blocks = [_ALL] * whole
        if rest:
            self._blocks.append((1 << rest) - 1)
        self._some = (1 << len(self._blocks)) - 1
        self._cursor = 0

    def __contains__(self, number: int) -> bool:
        return bool(self._blocks[number >> _SHIFT] >> (number & _MASK) & 1)

    def take(self, number: int) -> bool:
        """Take a number; whether it was free."""
        at, bit = number >> _SHIFT, 1 << (number & _MASK)
        block = self._blocks[at]
        if not block & bit:
            return False
        self._blocks[at] = block = block ^ bit
        if not block:
            self._some ^= 1 << at
        self.free -= 1
        return True

    def give(self, number: int) -> bool:
        """Give a number back; whether it was taken."""
        at, bit = number >> _SHIFT, 1 << (number & _MASK)
        block = self._blocks[at]
        if block & bit:
            return False
        self._blocks[at] = block | bit
        if not block:
            self._some |= 1 << at
        self.free += 1
        return True

    def next(self, numbers: range) -> int | None:
        """A free number of a range (it is not taken yet), each in its turn: one that was given back
        rests as long as possible."""
        low, high = numbers.start, numbers.stop
        begin = self._cursor if low <= self._cursor < high else low
        found = self._find(begin, high)
        if found < 0:
            found = self._find(low, begin)
            if found < 0:
                return None
        self._cursor = found + 1
        return found

    def _find(self, low: int, high: int) -> int:
        """The first free number from one to another; -1: none is."""
        if low >= high:
            return -1
        at, within = low >> _SHIFT, low & _MASK
        block = self._blocks[at] >> within
        if block:
            found = low + (block & -block).bit_length() - 1
        else:
            some = self._some >> at + 1
            if not some:
                return -1
            at += (some & -some).bit_length()
            block = self._blocks[at]
            found = (at << _SHIFT) + (block & -block).bit_length() - 1
        return found if found < high else -1
