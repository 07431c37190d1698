"""Ports of translated addresses that several hold together: gates, and what came through them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from controller.flow import Address


class Binding(NamedTuple):
    """A port that the arbiter granted."""

    address: Address
    protocol: int
    port: int


@dataclass(slots=True)
class Lease:
    """Ports with a common end."""

    bindings: list[Binding] = field(default_factory=list)
    holders: int = 1
    is_shared: bool = False
    """It holds a parent's own binding, beside the parent."""
