"""Address translation as it was configured: rules, pools, proxies. Names are resolved.

Source NAT, destination NAT and static NAT as in Junos (``security nat``). A rule set holds where it
is asked: by interface, zone or routing instance. The most specific rule set decides, in it the
first rule that matches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, NamedTuple

from controller.flow import Address, Nanoseconds, text

if TYPE_CHECKING:
    from controller.config.schema import Addresses, Application, Interface, Network

ALL_PORTS = range(65536)
PORTS = range(1024, 65536)
"""Ports and ICMP identifiers that are granted (Junos: source NAT pool port range)."""

PERSISTENT_TIMEOUT = 300
"""Seconds (``persistent-nat inactivity-timeout``, its default)."""
PERSISTENT_SESSIONS = 30
"""``persistent-nat max-session-number``, its default."""


class ScopeKind(IntEnum):
    """What a rule set's ``from`` or ``to`` names; the lower, the more specific."""

    INTERFACE = 0
    ZONE = 1
    INSTANCE = 2

    @property
    def word(self) -> str:
        """As it is configured."""
        return "routing-instance" if self is ScopeKind.INSTANCE else self.name.lower()


class Scope(NamedTuple):
    """``from zone [ a b ]``: any of these names."""

    kind: ScopeKind
    names: tuple[str, ...]
    """Of routing instances, the default one is the empty name."""

    def holds(self, interface: Interface) -> bool:
        """Whether an interface is in it."""
        match self.kind:
            case ScopeKind.INTERFACE:
                return interface.name in self.names
            case ScopeKind.ZONE:
                return interface.zone in self.names
            case ScopeKind.INSTANCE:
                return not self.names or interface.vr in self.names

    def meets(self, other: Scope) -> bool:
        """Whether both name the same place. (A zone and an interface in it are two.)"""
        return self.kind is other.kind and (
            self == other or not self.names or not set(self.names).isdisjoint(other.names)
        )

    def __str__(self) -> str:
        return f"{self.kind.word} {', '.join(name or 'default' for name in self.names)}"


ANYWHERE = Scope(ScopeKind.INSTANCE, ())
"""The ``to`` of rule sets that have none (destination and static NAT)."""


def zone(*names: str) -> Scope:
    """``from zone NAMES``."""
    return Scope(ScopeKind.ZONE, names)


@dataclass(frozen=True, slots=True)
class AddressBlock:
    """Consecutive addresses, both ends included."""

    first: int
    last: int
    size: int
    """Bytes of an address: 4 or 16."""

    @classmethod
    def of(cls, network: Network) -> AddressBlock:
        """All addresses of a prefix."""
        first = int(network.network_address)
        return cls(first, first + network.num_addresses - 1, network.max_prefixlen // 8)

    @property
    def count(self) -> int:
        """How many they are."""
        return self.last - self.first + 1

    def __contains__(self, address: Address) -> bool:
        return (
            len(address) == self.size and self.first <= int.from_bytes(address, "big") <= self.last
        )

    def at(self, offset: int) -> Address:
        """The address this far from the first one."""
        return (self.first + offset).to_bytes(self.size, "big")

    def __str__(self) -> str:
        first, last = text(self.at(0)), text(self.at(self.count - 1))
        return first if first == last else f"{first} - {last}"


class PortUse(Enum):
    """What a source pool does with ports."""

    TRANSLATE = "translate"
    KEEP = "no-translation"
    """Each host has an address of its own while it has sessions."""


INTERFACE_POOL = "interface"
"""Stands for the egress interface's address where a pool's name would."""


@dataclass(frozen=True, slots=True)
class SourcePool:
    """``source pool NAME``: what sources become."""

    name: str
    id: int
    blocks: tuple[AddressBlock, ...]
    """Of one family."""
    instance: str | None = None
    """``routing-instance``: where its flows leave; the default one is the empty name."""
    port_use: PortUse = PortUse.TRANSLATE
    ports: range = PORTS
    overloading: int = 1
    """Flows to different destinations that may share a port (``port-overloading-factor``)."""
    is_paired: bool = False
    """A host keeps its address as long as it has sessions (``address-pooling paired``)."""
    overflow: str = ""
    """The pool that serves when this one is exhausted; or ``INTERFACE_POOL``."""
    host_base: Address | None = None
    """``host-address-base``: this host becomes the first address, the next one the second ..."""
    raise_threshold: int = 0
    """Per cent in use at which the alarm is raised; 0: none."""
    clear_threshold: int = 0

    @property
    def addresses(self) -> int:
        """How many it has."""
        return sum(block.count for block in self.blocks)

    def __contains__(self, address: Address) -> bool:
        return any(address in block for block in self.blocks)


class Reach(Enum):
    """Who may come to a persistent binding from outside (RFC 4787's filtering behaviours)."""

    ANY = "any-remote-host"
    HOST = "target-host"
    """A host that the inside spoke to before."""
    HOST_PORT = "target-host-port"
    """A host and port that the inside spoke to before."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """``persistent-nat``: an inside endpoint keeps its outside one, and may be called there."""

    reach: Reach
    timeout: Nanoseconds
    """After its last session."""
    max_sessions: int


class SourceNat(Enum):
    """What a source NAT rule does."""

    OFF = "off"
    INTERFACE = "interface"
    """To the address of the egress interface, port translated."""
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class NatRule:
    """What all rules have: where they hold, and what they match (empty: any)."""

    rule_set: str
    name: str
    origin: Scope
    target: Scope = ANYWHERE
    sources: tuple[Addresses, ...] = ()
    destinations: tuple[Addresses, ...] = ()
    applications: tuple[Application, ...] = ()
    """Protocols with their ports."""
    id: int = 0
    """Of a rule among all rules; a rule keeps it when configurations change."""

    # What ``spu.ruleset`` wants of a rule beside these:
    sources_excluded: bool = field(default=False, init=False)
    destinations_excluded: bool = field(default=False, init=False)


@dataclass(frozen=True, slots=True)
class SourceNatRule(NatRule):
    """``source rule-set ... rule ...``."""

    action: SourceNat = SourceNat.INTERFACE
    pool: str = INTERFACE_POOL
    """Where translated addresses come from: a pool by its name, or ``INTERFACE_POOL``."""
    persistence: Persistence | None = None


@dataclass(frozen=True, slots=True)
class DestinationPool:
    """``destination pool NAME``: what a destination becomes."""

    name: str
    id: int
    block: AddressBlock
    port: int = 0
    """0: stays."""
    instance: str | None = None
    """``routing-instance``: where the address is looked up; ``None``: where the flow came in. The
    default one is the empty name."""


@dataclass(frozen=True, slots=True)
class DestinationNatRule(NatRule):
    """``destination rule-set ... rule ...``."""

    pool: DestinationPool | None = None
    """``None``: ``destination-nat off``."""


@dataclass(frozen=True, slots=True)
class StaticNatRule(NatRule):
    """``static rule-set ... rule ...``: one address for one address, both ways.

    ``destinations`` is empty; ``outside`` is what the rule matches.
    """

    outside: AddressBlock = AddressBlock(0, 0, 4)
    """As the world of ``origin`` knows the hosts."""
    inside: AddressBlock = AddressBlock(0, 0, 4)
    """As they are; as many."""
    is_prefix: bool = False
    """``nptv6-prefix``: prefixes are exchanged, and a word behind them makes up for what that does
    to checksums (RFC 6296)."""
    outside_ports: range = ALL_PORTS
    inside_ports: range = ALL_PORTS
    """``mapped-port``; as many. All ports: they stay."""
    instance: str | None = None
    """``routing-instance``: where the hosts are; ``None``: where flows to them came in."""

    @property
    def has_ports(self) -> bool:
        """Whether it is about some ports only."""
        return len(self.outside_ports) < 65536


@dataclass(frozen=True, slots=True)
class Proxy:
    """``proxy-arp interface I address A to B``, or ``proxy-ndp``: addresses to answer for."""

    interface: str
    block: AddressBlock


@dataclass(frozen=True, slots=True)
class Nat:
    """All of ``security nat``."""

    source: tuple[SourceNatRule, ...] = ()
    destination: tuple[DestinationNatRule, ...] = ()
    static: tuple[StaticNatRule, ...] = ()
    """In the order of the configuration."""
    source_pools: Mapping[str, SourcePool] = field(default_factory=dict)
    destination_pools: Mapping[str, DestinationPool] = field(default_factory=dict)
    proxies: tuple[Proxy, ...] = ()
    address_persistent: bool = False
    """A host gets the same address of a pool always (``source address-persistent``)."""
    interface_overloading: int = 1
    """Like ``SourcePool.overloading``, for interfaces' addresses."""


NO_NAT = Nat()
