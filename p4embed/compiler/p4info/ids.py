"""P4Info ids and aliases, the ones that p4c gives.

An id is the 8-bit prefix of the kind of object (P4Runtime specification, "ID allocation for
P4Info objects") and 24 bits of the hash of its name, or what `@id` says. p4c hashes with
Bob Jenkins's one-at-a-time function and resolves collisions by counting up, objects of one
kind in the order of their names. An alias is the shortest end of the name, cut at a dot, that
no other object's name has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from finsy.proto import p4i

MASK32 = 0xFFFFFFFF

TABLE = p4i.P4Ids.TABLE
ACTION = p4i.P4Ids.ACTION
ACTION_PROFILE = p4i.P4Ids.ACTION_PROFILE
COUNTER = p4i.P4Ids.COUNTER
DIRECT_COUNTER = p4i.P4Ids.DIRECT_COUNTER
METER = p4i.P4Ids.METER
DIRECT_METER = p4i.P4Ids.DIRECT_METER
REGISTER = p4i.P4Ids.REGISTER
DIGEST = p4i.P4Ids.DIGEST
VALUE_SET = p4i.P4Ids.VALUE_SET
CONTROLLER_HEADER = p4i.P4Ids.CONTROLLER_HEADER


def one_at_a_time(name: str) -> int:
    """Jenkins's one-at-a-time hash of the name's bytes, 32 bits."""
    value = 0
    for byte in name.encode():
        value = (value + byte) & MASK32
        value = (value + (value << 10)) & MASK32
        value ^= value >> 6
    value = (value + (value << 3)) & MASK32
    value ^= value >> 11
    return (value + (value << 15)) & MASK32


class WrongId(ValueError):
    """An `@id` that cannot be: of another kind's prefix, or given twice."""


class Symbols:
    """Names and ids of everything that the control plane sees."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], int | None] = {}
        self._given: set[int] = set()
        self._suffixes: Counter[str] = Counter()
        self._names: set[str] = set()

    def add(self, kind: int, name: str, given: int | None = None) -> None:
        """Make the object known; `given` is its `@id`. Adding it twice changes nothing.

        Raises:
            WrongId: `given` has the prefix of another kind, or belongs to another object.
        """
        if (kind, name) in self._ids:
            return
        if given is not None:
            prefix = given >> 24
            if prefix not in (0, kind):
                raise WrongId(f"@id {given} has the prefix of another kind of object")
            given |= kind << 24
            if given in self._given:
                raise WrongId(f"@id {given} is given to several objects")
            self._given.add(given)
        self._ids[kind, name] = given
        if name not in self._names:
            self._names.add(name)
            self._suffixes.update(_suffixes(name))

    def assign(self) -> None:
        """Give every object without `@id` its id; to be called once all are known."""
        for kind in sorted({kind for kind, _ in self._ids}):
            names = sorted(n for (k, n), given in self._ids.items() if k == kind and given is None)
            for name in names:
                number = one_at_a_time(name)
                while (found := kind << 24 | (number & 0xFFFFFF)) in self._given:
                    number += 1
                self._given.add(found)
                self._ids[kind, name] = found

    def id(self, kind: int, name: str) -> int:
        """The object's id."""
        found = self._ids[kind, name]
        assert found is not None, "ids are not assigned yet"
        return found

    def alias(self, name: str) -> str:
        """The shortest end of the name that no other name shares."""
        return next((s for s in _suffixes(name) if self._suffixes[s] == 1), name)


def _suffixes(name: str) -> Iterable[str]:
    """The ends of a dotted name, shortest first."""
    parts = name.split(".")
    return [".".join(parts[-n:]) for n in range(1, len(parts) + 1)]


def field_ids(given: list[int | None]) -> list[int]:
    """Ids of fields or parameters: those given, the others counted up around them.

    Raises:
        WrongId: an id is 0, or given twice.
    """
    taken: set[int] = set()
    for number in given:
        if number == 0:
            raise WrongId("0 is no valid @id")
        if number in taken:
            raise WrongId(f"@id {number} is given several times")
        if number is not None:
            taken.add(number)
    result: list[int] = []
    index = 1
    for number in given:
        if number is not None:
            result.append(number)
            index += 1
            continue
        while index in taken:
            index += 1
        taken.add(index)
        result.append(index)
    return result
