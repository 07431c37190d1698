"""What the operator wants, and another configuration."""

from __future__ import annotations

from controller.config.cards import NatFaults
from controller.config.schema import Configuration
from controller.flow import Address
from controller.value import value


@value
class ClearPersistentNat:
    """Operator -> CP: forget persistent bindings that have no session."""

    pool: str = ""
    """Only of this pool; empty: of all."""
    address: Address | None = None
    """Only of this inside address."""


@value
class InjectNatFaults:
    """Operator -> CP: allocations take time, or fail, from now on."""

    faults: NatFaults


@value
class DrainSpu:
    """Operator -> CP: give this SPU no new flows, and let those it has go on (children of its
    control sessions are still its own); or, with ``on`` false, give it new flows again."""

    spu: int
    on: bool = True


@value
class Reconfigure:
    """Runtime -> every machine: another configuration is in force. Zones, tokens and policies that
    the old one has too keep their numbers (``config.build.parse`` with ``previous``)."""

    configuration: Configuration


@value
class ClearSession:
    """Operator -> SPU: end a session now."""

    session_id: int


OperatorMessage = DrainSpu | ClearSession | Reconfigure | ClearPersistentNat | InjectNatFaults
