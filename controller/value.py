"""Frozen values at the price of plain ones.

``@dataclass(frozen=True)`` guards every assignment at run time, its own constructor's included,
which makes a value four times as dear. A first packet's walk takes twenty of them. Here the type
checker alone keeps watch: it sees every assignment to a field, and refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Like ``@dataclass(frozen=True, slots=True)``, for values that every packet makes."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
