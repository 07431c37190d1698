"""Looking through a program for what it uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

_fields_of: dict[type, tuple[str, ...] | None] = {}
"""Fields of dataclasses, last one first; ``None`` of anything else."""


def walk(item: object) -> Iterator[object]:
    """All dataclass instances within tuples and dataclasses, outermost first."""
    left = [item]
    while left:
        item = left.pop()
        if isinstance(item, tuple):
            left += reversed(item)
            continue
        names = _fields(type(item))
        if names is not None:
            yield item
            left += [getattr(item, name) for name in names]


def _fields(kind: type) -> tuple[str, ...] | None:
    if kind not in _fields_of:
        _fields_of[kind] = (
            tuple(field.name for field in reversed(dataclasses.fields(kind)))
            if dataclasses.is_dataclass(kind)
            else None
        )
    return _fields_of[kind]
