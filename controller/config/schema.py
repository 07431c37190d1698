"""The running configuration as values: what parsers produce and every machine reads.

All of it is frozen. Names are resolved when a configuration is built (``config/build.py``): a
policy holds prefixes and applications, not their names in an address book, and a reference to
something that is not configured never gets this far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

from controller.config.host_services import HostService
from controller.config.nat import NO_NAT, Nat
from controller.config.stateless import STATELESS, Stateless
from controller.config.tcp import TCP_SETTINGS, TcpOptions, TcpSettings
from controller.flow import Address, Nanoseconds, Port
from controller.reasons import Drop

Network = IPv4Network | IPv6Network
SECOND: Nanoseconds = 1_000_000_000
NEVER: Nanoseconds = 100 * 365 * 86400 * SECOND
"""An inactivity time-out that does not come (``inactivity-timeout never``)."""


@dataclass(frozen=True, slots=True)
class AddressRange:
    """``range-address LOW to HIGH``: both ends are in it."""

    first: IPv4Address | IPv6Address
    last: IPv4Address | IPv6Address

    def __str__(self) -> str:
        return f"{self.first} ~ {self.last}"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``wildcard-address ADDRESS/MASK``: IPv4 addresses whose bits under the mask are these."""

    address: int
    mask: int

    def __str__(self) -> str:
        return f"{IPv4Address(self.address)}/{IPv4Address(self.mask)}"


Addresses = Network | AddressRange | Wildcard
"""What an entry of an address book stands for."""


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """A word of a policy's ``source-address`` or ``destination-address``, resolved."""

    name: str
    book: str
    """The address book it was found in; empty for ``any``, ``any-ipv4`` and ``any-ipv6``."""
    addresses: tuple[Addresses, ...]
    """Sets are spelled out; empty: any."""


@dataclass(frozen=True, slots=True)
class Interface:
    """A logical interface such as ``ge-1/0/0.0``: NPU 1, port 1, unit 0."""

    name: str
    port: Port
    vlan: int
    """802.1Q tag; 0: untagged."""
    mac: bytes
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    zone: str
    """Empty when no zone claims it: its packets are refused."""
    token: int
    """Session token: stands for the zone and virtual router."""
    host_inbound: frozenset[HostService] | None = None
    """What it lets in for the firewall itself; ``None``: what its zone does."""
    vr: str = ""
    """Its virtual router (a routing instance); empty: the default one."""
    enabled: bool = True
    """Not ``disable``: a disabled one takes no packets and has no routes."""
    mtu: int = 1500
    """The longest IP packet it may send, in bytes."""

    def address_beside(self, neighbor: Address) -> Address | None:
        """Its own address in the subnet of another one; ``None``: that is in none of them."""
        value = int.from_bytes(neighbor, "big")
        for own in self.addresses:
            shift = own.max_prefixlen - own.network.prefixlen
            if own.max_prefixlen == 8 * len(neighbor) and value >> shift == int(own) >> shift:
                return own.packed
        return None


@dataclass(frozen=True, slots=True)
class Zone:
    """A security zone."""

    name: str
    id: int
    """1..255; what the NPU's interface tables and screen counters know it by."""
    interfaces: tuple[str, ...]
    screen: str = ""
    """Its ids-option, or empty."""
    host_inbound: frozenset[HostService] = frozenset()
    tcp_rst: bool = False
    """A TCP segment that came from it, is of no session and begins none is answered by a RST."""


@dataclass(frozen=True, slots=True)
class WhiteListed:
    """A protocol and a pair of prefixes of one IP version (``None``: any)."""

    protocol: int
    source: Network | None = None
    destination: Network | None = None


@dataclass(frozen=True, slots=True)
class ScreenProfile:
    """An ``ids-option``: which screens are on, and which way."""

    name: str
    screens: frozenset[Drop]
    alarm_without_drop: bool = False
    thresholds: Mapping[Drop, int] = field(default_factory=dict)
    """Of the screens that have one: packets a second, microseconds, sessions, or extension
    headers."""
    syn_flood_timeout: Nanoseconds = 20 * SECOND
    """How long the SYN proxy waits for a client (``tcp syn-flood timeout``)."""
    white_lists: tuple[WhiteListed, ...] = ()
    """Packets that floods are not counted of."""
    inward: bool = True
    """Applied to what arrives from its zones (``match-direction``)."""
    outward: bool = True
    """Applied to what leaves into its zones."""


@dataclass(frozen=True, slots=True)
class Aging:
    """Early ageing (``security flow aging``)."""

    early_ageout: Nanoseconds
    """How long a session may be idle while the session table is too full."""
    low: int
    """Percent of the table at which that ends."""
    high: int
    """Percent of the table above which it begins."""


class SynFloodMode(Enum):
    """What becomes of SYNs above the attack threshold (``syn-flood-protection-mode``)."""

    COOKIE = "syn-cookie"
    """Answered with a number that says all; nothing is kept."""
    PROXY = "syn-proxy"
    """Answered, and kept in a table until the client comes back."""


@dataclass(frozen=True, slots=True)
class Application:
    """What a policy matches beside addresses: one protocol and port ranges.

    An application with several terms is several of these, with one name. ICMP's type and code
    stand where ports would: type << 8 | code is the destination port (``docs/ARCHITECTURE.md``).
    """

    name: str
    protocol: int
    """IP protocol number; -1: any."""
    source_ports: range
    destination_ports: range
    inactivity_timeout: Nanoseconds | None = None
    """``None``: the protocol's default."""
    alg: Alg | None = None
    """The gateway that reads along (``application-protocol``)."""


class Alg(Enum):
    """An application layer gateway; the value is its name in a configuration."""

    DNS = "dns"
    FTP = "ftp"
    H323 = "h323"
    IKE_ESP = "ike-esp-nat"
    PPTP = "pptp"
    RTSP = "rtsp"
    SIP = "sip"
    TFTP = "tftp"
    IGNORE = "ignore"
    """None, although the ports say otherwise (``application-protocol ignore``)."""


DEFAULT_ALGS = frozenset(Alg) - {Alg.IKE_ESP, Alg.IGNORE}
"""Those that work unless they are disabled; IKE-ESP is switched on (junos-es YANG, ``alg``)."""


class Action(Enum):
    """What a policy does with a flow."""

    PERMIT = "permit"
    DENY = "deny"
    REJECT = "reject"
    """Deny, and tell the sender: RST for TCP, port unreachable for UDP."""


class Rematch(Enum):
    """What becomes of live sessions when policies change (``policy-rematch``)."""

    OFF = "off"
    """Sessions of a policy that is gone end; others stay as they are."""
    ON = "on"
    """Sessions also end when their policy no longer permits them."""
    EXTENSIVE = "extensive"
    """Sessions stay if any policy permits them now, and belong to that one."""


GLOBAL_ZONE = "junos-global"
"""Stands for both zones of a global policy."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule between two zones, addresses resolved (empty tuple: any)."""

    name: str
    index: int
    from_zone: str
    to_zone: str
    """Both are ``GLOBAL_ZONE`` for a global policy."""
    sources: tuple[Addresses, ...]
    destinations: tuple[Addresses, ...]
    applications: tuple[Application, ...]
    """Empty: any."""
    action: Action
    services_offload: bool = False
    """Sessions it permits ride Express Path where nothing disqualifies them."""
    log_init: bool = False
    log_close: bool = False
    sources_excluded: bool = False
    """It matches all sources but ``sources``."""
    destinations_excluded: bool = False
    no_services_offload: bool = False
    """Said so; without either word Express Path is off too, and the reason shown differs."""
    count: bool = False
    """Packets and bytes of its sessions are added up."""
    from_zones: tuple[str, ...] = ()
    """Of a global policy: only from these zones (empty: any)."""
    to_zones: tuple[str, ...] = ()
    source_names: tuple[NamedAddress, ...] = ()
    """``sources`` as they were configured."""
    destination_names: tuple[NamedAddress, ...] = ()
    tcp: TcpOptions | None = None
    """What it wants for TCP sessions of its own."""

    @property
    def is_global(self) -> bool:
        """Whether it is searched after the policies of the zone pair, for any pair."""
        return self.from_zone == GLOBAL_ZONE

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes it the same policy in another configuration."""
        return self.from_zone, self.to_zone, self.name


class RouteAction(Enum):
    """What a static route does with packets."""

    FORWARD = "forward"
    REJECT = "reject"
    """Drop them and tell the sender that there is no way."""
    DISCARD = "discard"


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """``routing-options static route PREFIX next-hop ADDRESS``: one next hop of a static route.

    Those of one prefix with the same preference share its flows.
    """

    prefix: Network
    next_hop: Address | None
    """``None``: ``action`` or ``next_table`` says what happens."""
    vr: str = ""
    """The virtual router whose table it is in."""
    preference: int = 5
    """The lowest one that is usable wins."""
    action: RouteAction = RouteAction.FORWARD
    next_table: str | None = None
    """The virtual router whose table decides instead."""


class QueueDepth(Enum):
    """Packets that may wait behind the first of a flow; the value is the configured word."""

    NORMAL = "normal"
    MODERATE = "moderate"
    HIGH = "high"

    @property
    def packets(self) -> int:
        """How many. The figures are ours: public documents name the words only."""
        return _QUEUE_DEPTHS[self]


_QUEUE_DEPTHS = {QueueDepth.NORMAL: 16, QueueDepth.MODERATE: 64, QueueDepth.HIGH: 256}


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything configured, every name resolved."""

    interfaces: Mapping[str, Interface]
    zones: Mapping[str, Zone]
    screens: Mapping[str, ScreenProfile] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    """In order; the first match of a zone pair decides."""
    default_action: Action = Action.DENY
    nat: Nat = NO_NAT
    routes: tuple[StaticRoute, ...] = ()
    applications: Mapping[str, Application] = field(default_factory=dict)
    """Predefined (``junos-...``) and own, by name; further terms of one as ``NAME:2`` and so on.
    Names the service of a session."""
    policy_rematch: Rematch = Rematch.OFF
    routing_instances: Mapping[str, int] = field(default_factory=dict)
    """Virtual routers beside the default one, with their numbers from 1."""
    route_change_timeout: Nanoseconds | None = None
    """How long a session may be silent once it has no route any more; ``None``: as before."""
    policy_stats: bool = False
    """``policy-stats system-wide enable``: as if all policies said ``count``."""
    host_name: str = "wingpath"
    stateless: Stateless = STATELESS
    """What NPUs do to single packets."""
    algs: frozenset[Alg] = DEFAULT_ALGS
    """The application layer gateways that are switched on."""
    allow_dns_reply: bool = False
    """A DNS answer may begin a session (``security flow allow-dns-reply``)."""
    syn_flood_mode: SynFloodMode = SynFloodMode.COOKIE
    force_reassembly: bool = False
    """Datagrams in fragments are put together before they go on (``force-ip-reassembly``)."""
    preserve_fragment_size: bool = False
    """What was put together leaves in fragments as large as it came in."""
    reassembly_timeout: Nanoseconds = 5 * SECOND
    """How long the rest of a datagram may be missing (``fragment-reassembly-timeout``)."""
    aging: Aging | None = None
    """``None``: the session table may become full."""
    tcp: TcpSettings = TCP_SETTINGS
    """What is checked of TCP connections, and when they are over."""
    queue_depth: QueueDepth = QueueDepth.NORMAL
    """How many packets may wait for a session (``security flow pending-sess-queue-length``)."""
