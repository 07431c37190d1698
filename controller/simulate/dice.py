"""Chance that a seed repeats: one stream of numbers per flow, so that a flow that is replayed among
fewer others meets the same fate."""

from __future__ import annotations

_BITS = (1 << 64) - 1
_A, _C = 6364136223846793005, 1442695040888963407
"""Of Knuth's generator MMIX (The Art of Computer Programming, volume 2, 3.3.4)."""


class Dice:
    """A linear congruential generator of 64 bits; what it gives are its upper 31."""

    __slots__ = ("_state",)

    def __init__(self, *seeds: int) -> None:
        state = 0x9E3779B97F4A7C15
        for seed in seeds:
            state = ((state ^ (seed & _BITS)) * _A + _C) & _BITS
            state ^= state >> 29
        self._state = state

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` - 1."""
        self._state = state = (self._state * _A + _C) & _BITS
        return (state >> 33) * limit >> 31

    def hits(self, per_mille: int) -> bool:
        """True with this probability, in thousandths."""
        self._state = state = (self._state * _A + _C) & _BITS
        return (state >> 33) * 1000 >> 31 < per_mille
