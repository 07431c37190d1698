"""Looking through a program for what it uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator


def walk(item: object) -> Iterator[object]:
    """All dataclass instances within tuples and dataclasses, outermost first."""
    if isinstance(item, tuple):
        for part in item:
            yield from walk(part)
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        yield item
        for field in dataclasses.fields(item):
            yield from walk(getattr(item, field.name))
