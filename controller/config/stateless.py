"""What an NPU does to single packets, as values: filters, policers, class of service, tracing.

Numbers are given here once, so that the entries of every NPU and the commands that read its
counters agree: a filter's number, the cell of a term's counter, of its policer, of a shaper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from ipaddress import IPv4Network, IPv6Network

from controller.reasons import FilterVerdict, PolicerAction

ALL_PORTS = range(65536)


class LossPriority(IntEnum):
    """How soon a packet may be dropped; the value is what the NPU carries."""

    LOW = 0
    MEDIUM_LOW = 1
    MEDIUM_HIGH = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """As it is configured."""
        return self.name.lower().replace("_", "-")


FORWARDING_CLASSES: Mapping[str, int] = {
    "best-effort": 0,
    "expedited-forwarding": 1,
    "assured-forwarding": 2,
    "network-control": 3,
}
"""The default forwarding classes and their queues."""


@dataclass(frozen=True, slots=True)
class Policer:
    """Two rates in bytes a second and their bursts in bytes (RFC 2698)."""

    name: str
    committed: int
    committed_burst: int
    peak: int
    peak_burst: int
    action: PolicerAction


@dataclass(frozen=True, slots=True)
class TermMatch:
    """One way for a packet to match a term: all of it has to agree."""

    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    protocol: int | None = None
    source_ports: range = ALL_PORTS
    destination_ports: range = ALL_PORTS
    tcp_flags: tuple[int, int] = (0, 0)
    """Value and mask."""
    fragment: int | None = None
    """1: a first one, 2: a later one."""
    dscp: int | None = None
    icmp: tuple[int, int] = (0, 0)
    """Type << 8 | code, and mask."""


@dataclass(frozen=True, slots=True)
class Term:
    """A filter's term: any of ``matches``, then what is done."""

    name: str
    matches: tuple[TermMatch, ...]
    verdict: FilterVerdict
    counter: str = ""
    count: int = 0
    """Cell of its counter; 0: none."""
    policer: Policer | None = None
    policer_cell: int = 0
    forwarding_class: int | None = None
    loss_priority: LossPriority | None = None
    log: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """``firewall family inet|inet6 filter NAME``."""

    name: str
    version: int
    """4 or 6."""
    number: int
    """1 and up, over both families."""
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Classifier:
    """Code points to forwarding class and loss priority."""

    name: str
    number: int
    classes: Mapping[int, tuple[int, LossPriority]]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Forwarding class and loss priority to the DSCP that a packet leaves with."""

    name: str
    number: int
    code_points: Mapping[tuple[int, LossPriority], int]


@dataclass(frozen=True, slots=True)
class Shaper:
    """What an interface sends at most: bytes a second and burst in bytes, by forwarding class."""

    number: int
    rates: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class InterfaceFeatures:
    """What is applied on an interface, by number; 0: none."""

    input_v4: int = 0
    input_v6: int = 0
    output_v4: int = 0
    output_v6: int = 0
    dscp_classifier: int = 0
    pcp_classifier: int = 0
    dscp_rewrite: int = 0
    shaper: int = 0


NO_FEATURES = InterfaceFeatures()


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """A packet filter of ``traceoptions``: which packets are traced."""

    name: str
    number: int
    """1 and up."""
    interface: str = ""
    """Empty: any."""
    source: IPv4Network | IPv6Network | None = None
    destination: IPv4Network | IPv6Network | None = None
    protocol: int | None = None
    source_port: int | None = None
    destination_port: int | None = None


@dataclass(frozen=True, slots=True)
class Tracing:
    """``security flow traceoptions``."""

    filters: tuple[TraceFilter, ...] = ()
    drops_only: bool = False
    """Only what befalls dropped packets is kept."""


NO_TRACING = Tracing()


class Distribution(Enum):
    """Who picks the SPU of a first packet."""

    NORMAL = "normal"
    """The central point."""
    HASH_BASED = "hash-based"
    """The NPU, by its hash table."""


@dataclass(frozen=True, slots=True)
class Stateless:
    """All of it."""

    interfaces: Mapping[str, InterfaceFeatures] = field(default_factory=dict)
    """By interface name; those without any are left out."""
    filters: tuple[Filter, ...] = ()
    dscp_classifiers: tuple[Classifier, ...] = ()
    pcp_classifiers: tuple[Classifier, ...] = ()
    dscp_rewrites: tuple[Rewrite, ...] = ()
    shapers: tuple[Shaper, ...] = ()
    forwarding_classes: Mapping[str, int] = field(default_factory=lambda: FORWARDING_CLASSES)
    tracing: Tracing = NO_TRACING
    distribution: Distribution = Distribution.NORMAL


STATELESS = Stateless()
"""Nothing of it."""
