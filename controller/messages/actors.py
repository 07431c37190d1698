"""Who takes messages."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Role(Enum):
    """The kinds of machines that take messages."""

    NPU = "NPU"
    CP = "CP"
    SPU = "SPU"
    NEIGHBORS = "neighbors"
    HOST = "host"
    """The firewall as a host, that tells senders what a filter rejects."""
    OBSERVER = "observer"
    """Takes steps, drops and session records: trace, log, metrics."""

    # Receivers are looked up for every message, and ``Enum`` hashes a member's name each time.
    __hash__ = object.__hash__


class Actor(NamedTuple):
    """A receiver of messages: ``Actor(Role.SPU, 2)``."""

    role: Role
    number: int = 0

    def __str__(self) -> str:
        """``SPU 2``, or ``CP``, of which there is one."""
        return f"{self.role.value} {self.number}" if self.number else self.role.value


CP = Actor(Role.CP)
NEIGHBORS = Actor(Role.NEIGHBORS)
HOST = Actor(Role.HOST)
OBSERVER = Actor(Role.OBSERVER)

SPUS = tuple(Actor(Role.SPU, number) for number in range(256))
"""Each by its number, so that no message makes one."""
