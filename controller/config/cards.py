"""The cards of the chassis as values: what no Junos configuration says (see ``chassis``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from controller.config.schema import SECOND
from controller.flow import Nanoseconds
from controller.reasons import Punt


@dataclass(frozen=True, slots=True)
class NpuSite:
    """Where an NPU is and what it is joined to."""

    number: int
    address: str
    """HOST:PORT of its P4Runtime server."""
    device_id: int
    fabric: Mapping[int, int]
    """Far NPU's number -> this NPU's fabric port towards it."""


@dataclass(frozen=True, slots=True)
class SpuSite:
    """A services processing unit."""

    number: int
    """1..255; session ids are number * 10,000,000 + a count."""
    max_sessions: int
    """Of a combo one, what is left for sessions."""
    weight: int = 0
    """Its share of new sessions among those of all; 0: ``max_sessions``."""
    is_combo: bool = False
    """The central point runs on it too."""

    @property
    def share(self) -> int:
        """Its weight, be it configured or not."""
        return self.weight or self.max_sessions


class Balancing(Enum):
    """How the central point picks the SPU of a new session; the value is the configured word."""

    LEAST_SESSIONS = "least-sessions"
    """The one that has the least for its weight."""
    WEIGHTED_ROUND_ROBIN = "weighted-round-robin"
    """In turn, as often as its weight says, well mixed."""
    HASH = "hash"
    """By a hash of addresses, ports and protocol, over buckets shared out by weight."""


PENDING_TIMEOUT: Nanoseconds = 5 * SECOND
"""How long a wing may be pending. Public documents name no figure; it must exceed what resolving a
neighbour that is silent takes."""


@dataclass(frozen=True, slots=True)
class CpSite:
    """The central point."""

    balancing: Balancing = Balancing.LEAST_SESSIONS
    max_sessions: int = 0
    """Of the whole chassis; 0: what its SPUs can hold."""
    pending_timeout: Nanoseconds = PENDING_TIMEOUT


@dataclass(frozen=True, slots=True)
class NatFaults:
    """What is injected into NAT allocation, for tests and labs."""

    delay: Nanoseconds = 0
    """Each allocation takes so long."""
    refuse_every: int = 0
    """One in so many allocations is refused as if nothing were left; 0: none is."""


@dataclass(frozen=True, slots=True)
class Chassis:
    """All cards, and how they work together."""

    npus: Mapping[int, NpuSite]
    spus: Mapping[int, SpuSite]
    punt_rates: Mapping[Punt, int] = field(default_factory=dict)
    """Packets a second that each NPU hands to the controller, where not the default."""
    cp: CpSite = CpSite()
    nat_faults: NatFaults = NatFaults()
