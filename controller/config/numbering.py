"""Numbers for what is configured by name: a configuration that follows another keeps its own."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import count
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Numbers(Generic[K]):
    """Numbers by key; those that are known stay, new ones are free ones from ``first`` on."""

    def __init__(self, known: Mapping[K, int], first: int = 1) -> None:
        self._known = dict(known)
        used = set(known.values())
        self._free = (number for number in count(first) if number not in used)

    def of(self, key: K) -> int:
        """The number of a key."""
        if key not in self._known:
            self._known[key] = next(self._free)
        return self._known[key]
